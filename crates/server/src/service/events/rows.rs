//! What is kept of events: who wants them, what waits to be told, and what was given up.
//!
//! | keyspace | key | value | key that seals it |
//! |---|---|---|---|
//! | `event_subscription` | hash of the name | one subscription | the resource's |
//! | `event_change` | resource (in the cell's register) | nothing: its version says that subscriptions changed | the cell's |
//! | `event_lease` | subscription | which node tells its events, until when | the resource's |
//! | `event_queue` | subscription, instant, id | one event | that of what it tells |
//! | `event_dead` | subscription, instant, id | one event, and why it was given up | that of what it tells |
//! | `event_ended` | subscription | when it ended: its rows are still to be removed | the resource's |
//! | `event_signer` | number (in the cell's register) | a key that signs requests | the cell's |
//!
//! An event rests under the key of what it tells, so what makes that unreadable makes the event unreadable (law 5).

use std::fmt;

use base::{MessageId, Personal, Secret, ThreadId, Timestamp, UserId};
use post::webhook::Outcome;
use serde::{Deserialize, Serialize};
use store::{Class, Keyspace, KeyspaceDef, Scope};
use wire::events::SubscriptionBody;

/// Names an event in its queue: the subscription, when it happened, and an id that rises with each event of a node.
pub type QueueKey = ([u8; 16], Timestamp, [u8; 16]);

macro_rules! keyspace {
    ($(#[$doc:meta])* $vis:vis $name:ident, $table:literal, $class:ident, $key:ty, $value:ty, |$hint:ident| $scope:expr) => {
        $(#[$doc])*
        $vis struct $name;

        impl Keyspace for $name {
            const DEF: &'static KeyspaceDef = &KeyspaceDef { name: $table, class: Class::$class };
            const FORMAT: u8 = 1;
            type Key = $key;
            type Value = $value;

            fn scope(_key: &Self::Key, $hint: &[u8]) -> Scope {
                $scope
            }
        }
    };
}

keyspace!(
    /// Who wants to hear of what, by the hash of the name.
    pub Subscriptions, "event_subscription", Content, [u8; 16], SubscriptionRow, |_hint| Scope::RESOURCE
);
keyspace!(
    /// Changes with each change of a resource's subscriptions.
    pub(super) Changed, "event_change", Content, [u8; 16], (), |_hint| Scope::RESOURCE
);
keyspace!(
    /// Which node tells a subscription's events.
    pub(super) Leases, "event_lease", Content, [u8; 16], LeaseRow, |_hint| Scope::RESOURCE
);
keyspace!(
    /// Events to be told.
    pub Queue, "event_queue", Content, QueueKey, EventRow, |hint| Scope::from_bytes(hint)
);
keyspace!(
    /// Events that were given up.
    pub Dead, "event_dead", Content, QueueKey, DeadRow, |hint| Scope::from_bytes(hint)
);
keyspace!(
    /// Subscriptions that are gone and whose rows are not.
    pub(super) Ended, "event_ended", Content, [u8; 16], Timestamp, |_hint| Scope::RESOURCE
);
keyspace!(
    /// The keys that sign requests, by their number.
    pub(super) Signers, "event_signer", Key, u32, SignerRow, |_hint| Scope::RESOURCE
);

/// All keyspaces of this service.
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    vec![Subscriptions::DEF, Changed::DEF, Leases::DEF, Queue::DEF, Dead::DEF, Ended::DEF, Signers::DEF]
}

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Made, its webhook not asked yet.
    Creating,
    /// Changed, its webhook not asked again yet.
    Updating,
    /// Its webhook agreed.
    Succeeded,
    /// Its webhook took the question and did not answer it: somebody may agree in its place.
    AwaitingManualAction,
    /// Its webhook did not agree.
    Failed,
}

impl Standing {
    /// As Azure names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Updating => "Updating",
            Self::Succeeded => "Succeeded",
            Self::AwaitingManualAction => "AwaitingManualAction",
            Self::Failed => "Failed",
        }
    }
}

/// One subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionRow {
    /// Its id, of its own: a name may be used again.
    pub id: [u8; 16],
    /// Its name, as it was first written.
    pub name: String,
    /// The Azure resource id under which it was made: the topic of its events.
    pub topic: String,
    /// What it asks for.
    pub body: SubscriptionBody,
    /// Where it stands.
    pub standing: Standing,
    /// Since when.
    pub since: Timestamp,
    /// Whether its webhook ever agreed: from then on events are kept for it.
    pub was_validated: bool,
    /// How often its webhook was asked since the last change.
    pub asked: u8,
    /// What its webhook must say to agree.
    pub code: Personal<String>,
    /// Scheme and host under which somebody may agree in its place.
    pub base_url: String,
}

/// Which node tells a subscription's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRow {
    /// The node, by an id it drew when it started.
    pub node: [u8; 16],
    /// Until when.
    pub until: Timestamp,
}

/// One event that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// Its type without the prefix.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its subject.
    pub subject: Personal<String>,
    /// Its data, a JSON object.
    pub data: Personal<Vec<u8>>,
    /// What is looked up only when it is told.
    pub fill: Option<Fill>,
    /// To whom it is told.
    pub to: To,
    /// When it happened.
    pub at: Timestamp,
    /// When it was published.
    pub published: Timestamp,
    /// How often it was tried.
    pub attempts: u16,
    /// When it may be tried (again).
    pub due: Timestamp,
    /// When it was last tried, and what came of it.
    pub last: Option<(Timestamp, Outcome)>,
}

/// What an event speaks of without holding it, so that it dies with the person it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fill {
    /// The participants that this message of this thread says were added, as they are called now.
    Added(ThreadId, MessageId),
}

/// To whom an event is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum To {
    /// To nobody in particular.
    All,
    /// To each of these: the row stands for one event each, and is replaced by theirs before they are told. A thread of
    /// many members costs who writes in it no more than one row.
    Each(Vec<UserId>),
    /// To this user; the subject ends with it.
    One(UserId),
}

/// One event that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadRow {
    /// The event.
    pub event: EventRow,
    /// Why.
    pub reason: String,
}

/// One key that signs requests: Ed25519, PKCS #8.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct SignerRow {
    created_on: Timestamp,
    pkcs8: Vec<u8>,
}

impl SignerRow {
    pub(super) fn new(created_on: Timestamp, pkcs8: &Secret<Vec<u8>>) -> Self {
        Self { created_on, pkcs8: pkcs8.expose().clone() }
    }

    pub(super) const fn created_on(&self) -> Timestamp {
        self.created_on
    }

    pub(super) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }
}

impl fmt::Debug for SignerRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignerRow").field("created_on", &self.created_on).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_rest_under_the_scope_their_hint_names() {
        let key = ([1; 16], Timestamp::EPOCH, [2; 16]);
        let scope = Scope::new(0x11, &[&[7; 16], &[8; 16]]);
        assert_eq!(Queue::scope(&key, scope.as_bytes()), scope);
        assert_eq!(Dead::scope(&key, &[]), Scope::RESOURCE);
    }

    #[test]
    fn neither_a_key_nor_an_event_prints() {
        let row = SignerRow::new(Timestamp::EPOCH, &Secret::new(b"canary".to_vec()));
        assert!(!format!("{row:?}").contains("99"), "the bytes are not shown");
        assert_eq!(row.pkcs8(), b"canary");
    }
}
