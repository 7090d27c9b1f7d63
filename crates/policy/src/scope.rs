//! The scopes of user tokens, as ACS names them.

/// One scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `chat`: everything in chat.
    Chat,
    /// `chat.join`: everything but creating, changing and deleting threads.
    ChatJoin,
    /// `chat.join.limited`: as `chat.join`, without adding or removing participants.
    ChatJoinLimited,
    /// `voip`: start and join calls.
    Voip,
    /// `voip.join`: join calls.
    VoipJoin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Chat, Self::ChatJoin, Self::ChatJoinLimited, Self::Voip, Self::VoipJoin];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::ChatJoin => "chat.join",
            Self::ChatJoinLimited => "chat.join.limited",
            Self::Voip => "voip",
            Self::VoipJoin => "voip.join",
        }
    }

    /// The scope of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// Any number of scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet(u8);

impl ScopeSet {
    /// No scope at all.
    pub const NONE: Self = Self(0);

    /// These scopes.
    #[must_use]
    pub const fn of(scopes: &[Scope]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < scopes.len() {
            bits |= 1 << scopes[at] as u8;
            at += 1;
        }
        Self(bits)
    }

    /// Whether both hold a scope in common.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether `scope` is one of them.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.meets(Self::of(&[scope]))
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::NONE, |set, scope| Self(set.0 | Self::of(&[scope]).0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for scope in Scope::ALL {
            assert_eq!(Scope::named(scope.name()), Some(scope));
        }
        for bad in ["", "Chat", "chat ", "chat.join.", "voip.join.limited"] {
            assert_eq!(Scope::named(bad), None, "{bad}");
        }
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        for one in Scope::ALL {
            let set: ScopeSet = [one].into_iter().collect();
            assert_eq!(set, ScopeSet::of(&[one]));
            for other in Scope::ALL {
                assert_eq!(set.contains(other), one == other);
                assert_eq!(set.meets(ScopeSet::of(&[other])), one == other);
            }
        }
        assert!(!ScopeSet::NONE.meets(ScopeSet::of(&Scope::ALL)));
    }
}
