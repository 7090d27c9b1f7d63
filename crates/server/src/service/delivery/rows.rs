//! What is kept of work that waits: one row for each thing that must still leave the house.

use base::{Personal, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Class, Keyspace, KeyspaceDef, Scope};

/// Work in the order in which it is due. The key is when it is due (or, while a node holds it, when that node's hold
/// ends) and a random id.
pub struct Deliveries;

impl Keyspace for Deliveries {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "delivery", class: Class::Content };
    const FORMAT: u8 = 1;
    type Key = (Timestamp, [u8; 16]);
    type Value = DeliveryRow;

    fn scope(_key: &Self::Key, _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// What kind of thing leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// A mail, or its part for one destination.
    Mail,
    /// A text.
    Text,
}

/// One thing that must still leave the house.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRow {
    /// What it is.
    pub kind: Kind,
    /// The id of the mail or text.
    pub id: [u8; 16],
    /// Which part of it, counted from zero: of a mail, the destination.
    pub part: u16,
    /// Where it goes, for concurrency and rates: a domain, a carrier's prefix.
    pub destination: Personal<String>,
    /// How often it was tried.
    pub attempts: u16,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// When trying ends.
    pub deadline: Timestamp,
    /// Whether a node holds it: then its key says until when.
    pub held: bool,
}
