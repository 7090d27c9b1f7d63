//! The rules: one per permission, sources in ACS's scope table and chat concepts (`docs/compatibility.md`).

use crate::scope::{Scope, ScopeSet};

/// Which credential opens the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// None is needed.
    Open,
    /// An access key of the resource.
    Key,
    /// The operator's token.
    Operator,
    /// A user token with at least one of these scopes.
    Scopes(ScopeSet),
}

/// What the caller must be to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: there is no target, or it is the caller's own.
    Nothing,
    /// A participant now.
    Present,
    /// A participant now, or once: then the past is shown.
    Past,
    /// A participant now, and the author of the message.
    Author,
}

#[derive(Debug)]
struct Rule {
    name: &'static str,
    door: Door,
    needs: Needs,
}

/// `chat` alone: shaping threads.
const SHAPE: Door = Door::Scopes(ScopeSet::of(&[Scope::Chat]));
/// `chat` or `chat.join`: shaping the list of participants.
const INVITE: Door = Door::Scopes(ScopeSet::of(&[Scope::Chat, Scope::ChatJoin]));
/// Any chat scope: taking part.
const TALK: Door = Door::Scopes(ScopeSet::of(&[Scope::Chat, Scope::ChatJoin, Scope::ChatJoinLimited]));

const fn rule(name: &'static str, door: Door, needs: Needs) -> Rule {
    Rule { name, door, needs }
}

static RULES: &[Rule] = &[
    rule("public", Door::Open, Needs::Nothing),
    rule("identity/create", Door::Key, Needs::Nothing),
    rule("identity/delete", Door::Key, Needs::Nothing),
    rule("identity/tokens/issue", Door::Key, Needs::Nothing),
    rule("identity/tokens/revoke", Door::Key, Needs::Nothing),
    rule("email/read", Door::Key, Needs::Nothing),
    rule("email/write", Door::Key, Needs::Nothing),
    rule("sms/read", Door::Key, Needs::Nothing),
    rule("sms/write", Door::Key, Needs::Nothing),
    rule("sms/opt_outs/read", Door::Key, Needs::Nothing),
    rule("sms/opt_outs/write", Door::Key, Needs::Nothing),
    rule("numbers/read", Door::Key, Needs::Nothing),
    rule("numbers/write", Door::Key, Needs::Nothing),
    rule("numbers/delete", Door::Key, Needs::Nothing),
    rule("sip/read", Door::Key, Needs::Nothing),
    rule("sip/write", Door::Key, Needs::Nothing),
    rule("operator/numbers/read", Door::Operator, Needs::Nothing),
    rule("operator/numbers/write", Door::Operator, Needs::Nothing),
    rule("operator/email/read", Door::Operator, Needs::Nothing),
    rule("operator/email/write", Door::Operator, Needs::Nothing),
    rule("operator/sms/read", Door::Operator, Needs::Nothing),
    rule("operator/sms/write", Door::Operator, Needs::Nothing),
    rule("operator/events/read", Door::Operator, Needs::Nothing),
    rule("operator/events/write", Door::Operator, Needs::Nothing),
    rule("operator/receipts/read", Door::Operator, Needs::Nothing),
    rule("operator/keys/read", Door::Operator, Needs::Nothing),
    rule("operator/keys/write", Door::Operator, Needs::Nothing),
    rule("operator/queue/read", Door::Operator, Needs::Nothing),
    rule("operator/queue/write", Door::Operator, Needs::Nothing),
    rule("operator/outbox/read", Door::Operator, Needs::Nothing),
    rule("operator/outbox/write", Door::Operator, Needs::Nothing),
    rule("chat/threads/create", SHAPE, Needs::Nothing),
    rule("chat/threads/update", SHAPE, Needs::Present),
    rule("chat/threads/delete", SHAPE, Needs::Present),
    rule("chat/threads/read", TALK, Needs::Present),
    rule("chat/participants/add", INVITE, Needs::Present),
    rule("chat/participants/remove", INVITE, Needs::Present),
    rule("chat/participants/read", TALK, Needs::Present),
    rule("chat/messages/send", TALK, Needs::Present),
    rule("chat/messages/read", TALK, Needs::Past),
    rule("chat/messages/update", TALK, Needs::Author),
    rule("chat/messages/delete", TALK, Needs::Author),
    rule("chat/receipts/send", TALK, Needs::Present),
    rule("chat/receipts/read", TALK, Needs::Present),
    rule("chat/typing/send", TALK, Needs::Present),
    rule("chat/realtime/read", TALK, Needs::Nothing),
];

/// Something a caller may or may not do. It can only be had from the rules.
#[derive(Clone, Copy, Debug)]
pub struct Permission(&'static Rule);

impl Permission {
    /// The permission of that name; what has none is allowed to nobody.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        RULES.iter().find(|rule| rule.name == name).map(Self)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        RULES.iter().map(Self)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// Which credential opens the door.
    #[must_use]
    pub const fn door(self) -> Door {
        self.0.door
    }

    /// What the caller must be to the target.
    #[must_use]
    pub const fn needs(self) -> Needs {
        self.0.needs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_permission_has_one_rule() {
        for (at, rule) in RULES.iter().enumerate() {
            assert!(RULES[..at].iter().all(|other| other.name != rule.name), "{}", rule.name);
            assert_eq!(Permission::named(rule.name).map(Permission::name), Some(rule.name));
        }
        assert!(Permission::named("chat/threads/burn").is_none());
        assert!(Permission::named("").is_none());
    }
}
