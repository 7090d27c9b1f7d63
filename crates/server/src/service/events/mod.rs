//! Events: what happened, for webhooks that asked to hear of it. An event is a row in the commit of what it tells, so it
//! is told if and only if that happened, and rests under the same key.

pub mod keys;
mod manage;
mod queue;
mod router;
mod rows;

use base::{Personal, Timestamp};

pub use keys::EventSigner;
pub use manage::{DeadLetterView, EventDesk, EventsError, Origin, SubscriptionItem, record_standing};
pub use queue::{
    Attempt, DEAD_KEPT, LEASE, Lease, Verdict, Waiting, give_back, lease, purge_dead, purge_queue,
    remove_ended, settle, waiting,
};
pub use router::{EventRouter, Lane, Route};
pub use rows::{
    Dead, DeadRow, EventRow, Fill, LeaseRow, Queue, QueueKey, Standing, SubscriptionRow, Subscriptions, To,
    keyspaces,
};

/// One Event Grid system event of a resource (`specs/eventgrid-events`).
#[derive(Clone, Debug)]
pub struct Event {
    /// Its type without the prefix `Microsoft.Communication.`: `ChatMessageReceived`.
    pub kind: &'static str,
    /// Its subject, which may name a person.
    pub subject: Personal<String>,
    /// Its `data`, a JSON object.
    pub data: Personal<Vec<u8>>,
    /// When it happened.
    pub at: Timestamp,
    /// Its id, when the service gives it one of its own (texts: the message id); otherwise one is drawn.
    pub id: Option<String>,
}
