//! The scopes of a user access token, as a set.

use std::fmt;

const NAMES: [(&str, Scopes); 5] = [
    ("chat", Scopes::CHAT),
    ("chat.join", Scopes::CHAT_JOIN),
    ("chat.join.limited", Scopes::CHAT_JOIN_LIMITED),
    ("voip", Scopes::VOIP),
    ("voip.join", Scopes::VOIP_JOIN),
];

/// A set of token scopes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// No scope.
    pub const EMPTY: Self = Self(0);
    /// `chat`: everything in chat.
    pub const CHAT: Self = Self(1);
    /// `chat.join`: take part in threads one was added to, but create none.
    pub const CHAT_JOIN: Self = Self(2);
    /// `chat.join.limited`: as `chat.join`, without adding or removing others.
    pub const CHAT_JOIN_LIMITED: Self = Self(4);
    /// `voip`: everything in calling.
    pub const VOIP: Self = Self(8);
    /// `voip.join`: take part in calls, but start none.
    pub const VOIP_JOIN: Self = Self(16);

    /// The scope called `name`, such as `chat.join`; names are lower-case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, scope)| *scope)
    }

    /// A comma-separated list of at least one known name.
    #[must_use]
    pub fn parse_list(list: &str) -> Option<Self> {
        list.split(',').try_fold(Self::EMPTY, |all, name| Some(all.union(Self::parse(name)?)))
    }

    /// The names of the scopes in it, always in the same order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().filter(move |(_, scope)| self.contains(*scope)).map(|(name, _)| name)
    }

    /// Whether every scope of `other` is in it.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any scope of `other` is in it.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Scopes {
    /// The comma-separated list that [`Scopes::parse_list`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.names().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_its_own_scope() {
        let all = NAMES.iter().fold(Scopes::EMPTY, |all, (name, scope)| {
            assert_eq!(Scopes::parse(name), Some(*scope));
            assert!(!all.intersects(*scope), "{name}");
            all.union(*scope)
        });
        assert_eq!(all.names().count(), 5);
        assert_eq!(Scopes::parse_list(&all.to_string()), Some(all));
        assert_eq!(all.to_string(), "chat,chat.join,chat.join.limited,voip,voip.join");
    }

    #[test]
    fn refuses_other_names() {
        for bad in ["", "Chat", "chat ", "chat,voip", "chat.", "pstn", "chat.joi"] {
            assert_eq!(Scopes::parse(bad), None, "{bad}");
        }
        for bad in ["", ",", "chat,", ",chat", "chat, voip", "chat;voip", "chat,admin"] {
            assert_eq!(Scopes::parse_list(bad), None, "{bad}");
        }
    }

    #[test]
    fn sets() {
        let both = Scopes::CHAT.union(Scopes::VOIP);
        assert!(both.contains(Scopes::CHAT) && !Scopes::CHAT.contains(both) && both.contains(Scopes::EMPTY));
        assert!(
            both.intersects(Scopes::VOIP.union(Scopes::VOIP_JOIN)) && !both.intersects(Scopes::CHAT_JOIN)
        );
        assert!(Scopes::EMPTY.is_empty() && !both.is_empty() && Scopes::default().is_empty());
        assert_eq!(format!("{both:?}"), "Scopes(chat,voip)");
        assert_eq!(Scopes::parse_list("voip,chat,voip"), Some(both), "a list is a set");
    }
}
