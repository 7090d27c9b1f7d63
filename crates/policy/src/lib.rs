//! Who may do what: pure decisions over facts that others have looked up. It knows neither where rights are stored nor
//! how a refusal is said; it does no input or output.
//!
//! Everything is refused that no rule allows. `tests/golden/matrix.txt` lists every decision for every combination of
//! facts, for people to review; a test keeps it true.

mod rule;
mod scope;

use std::fmt;

pub use rule::{Door, Needs, Permission};
pub use scope::{Scope, ScopeSet};

/// Who asks, as far as the credential says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Nobody: no credential, or one that did not hold.
    Nobody,
    /// Who holds an access key of the resource that is asked.
    AccessKey,
    /// Who runs the server.
    Operator,
    /// A communication user of the resource that is asked, by a token with these scopes.
    User(ScopeSet),
}

/// What the user is to the thread that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Never was in it; also where there is no such thread, so that the two cannot be told apart (law 6).
    Stranger,
    /// Was in it and was removed.
    Former,
    /// Is in it.
    Member,
}

/// What was looked up about the target before deciding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What the caller is to the thread.
    pub standing: Standing,
    /// Whether the caller wrote the message in question; no one wrote a system message.
    pub author: bool,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The credential is missing, does not hold, or is of the wrong kind: 401.
    Unauthenticated,
    /// The credential holds and does not reach this far: 403. One answer for all reasons.
    Forbidden,
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Allow,
    /// Go on, but show only what the caller could see while being a participant.
    AllowPast,
    /// Do not.
    Refuse(Refusal),
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::AllowPast => "allow-past",
            Self::Refuse(Refusal::Unauthenticated) => "401",
            Self::Refuse(Refusal::Forbidden) => "403",
        })
    }
}

/// The part of a decision that the credential alone settles: whether the caller gets past the door.
///
/// # Errors
/// The refusal; a caller of the wrong kind is told 401 before anything about scopes.
pub fn admit(who: Who, permission: Permission) -> Result<(), Refusal> {
    match (permission.door(), who) {
        (Door::Open, _) | (Door::Key, Who::AccessKey) | (Door::Operator, Who::Operator) => Ok(()),
        (Door::Scopes(any), Who::User(held)) if held.meets(any) => Ok(()),
        (Door::Scopes(_), Who::User(_)) => Err(Refusal::Forbidden),
        (Door::Key | Door::Operator | Door::Scopes(_), _) => Err(Refusal::Unauthenticated),
    }
}

/// The whole decision on one thread, or on one message of it. Where no single thread is asked for, as when a user lists
/// their own, [`admit`] is the whole decision.
#[must_use]
pub fn decide(who: Who, facts: Facts, permission: Permission) -> Decision {
    if let Err(refusal) = admit(who, permission) {
        return Decision::Refuse(refusal);
    }
    match (permission.needs(), facts.standing) {
        (Needs::Nothing, _) | (Needs::Present | Needs::Past, Standing::Member) => Decision::Allow,
        (Needs::Author, Standing::Member) if facts.author => Decision::Allow,
        (Needs::Past, Standing::Former) => Decision::AllowPast,
        (Needs::Present | Needs::Past | Needs::Author, _) => Decision::Refuse(Refusal::Forbidden),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRANGER: Facts = Facts { standing: Standing::Stranger, author: false };
    const MEMBER: Facts = Facts { standing: Standing::Member, author: false };

    fn permission(name: &str) -> Permission {
        Permission::named(name).unwrap()
    }

    fn user(scopes: &[Scope]) -> Who {
        Who::User(scopes.iter().copied().collect())
    }

    #[test]
    fn the_wrong_kind_of_caller_is_told_nothing_of_scopes() {
        for permission in Permission::all() {
            assert_eq!(
                admit(Who::Nobody, permission).is_ok(),
                permission.door() == Door::Open,
                "{}",
                permission.name()
            );
            if let Door::Scopes(_) = permission.door() {
                assert_eq!(admit(Who::AccessKey, permission), Err(Refusal::Unauthenticated));
                assert_eq!(admit(user(&[]), permission), Err(Refusal::Forbidden));
            }
            if permission.door() == Door::Key {
                let all = user(&Scope::ALL);
                assert_eq!(admit(all, permission), Err(Refusal::Unauthenticated));
            }
        }
    }

    #[test]
    fn only_the_author_edits_and_only_while_in_the_thread() {
        let edit = permission("chat/messages/update");
        let chat = user(&[Scope::Chat]);
        let author = |standing| Facts { standing, author: true };
        assert_eq!(decide(chat, author(Standing::Member), edit), Decision::Allow);
        for facts in [MEMBER, STRANGER, author(Standing::Former), author(Standing::Stranger)] {
            assert_eq!(decide(chat, facts, edit), Decision::Refuse(Refusal::Forbidden), "{facts:?}");
        }
    }

    #[test]
    fn a_former_member_sees_the_past_and_nothing_else() {
        let chat = user(&[Scope::Chat]);
        let former = Facts { standing: Standing::Former, author: true };
        for permission in Permission::all().filter(|p| p.name().starts_with("chat/")) {
            let expected = match permission.needs() {
                Needs::Past => Decision::AllowPast,
                Needs::Nothing => Decision::Allow,
                Needs::Present | Needs::Author => Decision::Refuse(Refusal::Forbidden),
            };
            assert_eq!(decide(chat, former, permission), expected, "{}", permission.name());
        }
    }

    #[test]
    fn a_narrower_scope_never_allows_more() {
        let widths: [Who; 3] =
            [user(&[Scope::ChatJoinLimited]), user(&[Scope::ChatJoin]), user(&[Scope::Chat])];
        for permission in Permission::all() {
            for facts in [STRANGER, MEMBER] {
                let allowed =
                    widths.map(|who| !matches!(decide(who, facts, permission), Decision::Refuse(_)));
                assert!(allowed.is_sorted(), "{} {facts:?}: {allowed:?}", permission.name());
            }
        }
    }

    #[test]
    fn voice_opens_no_chat() {
        let voice = user(&[Scope::Voip, Scope::VoipJoin]);
        for permission in Permission::all().filter(|p| p.name().starts_with("chat/")) {
            assert_eq!(decide(voice, MEMBER, permission), Decision::Refuse(Refusal::Forbidden));
        }
    }
}
