//! Who did what to whom, written in the commit that does it: if it cannot be written, the act does not happen (law 4).

use base::{ResourceId, Rng, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use store::{Class, Draft, Keyspace, KeyspaceDef, Scope, StoreError};

/// Where entries rest.
pub static DEF: &KeyspaceDef = &KeyspaceDef { name: "audit", class: Class::Content };

/// Audit entries of a resource in the order of time.
pub struct Entries;

impl Keyspace for Entries {
    const DEF: &'static KeyspaceDef = DEF;
    const FORMAT: u8 = 1;
    type Key = (Timestamp, [u8; 16]);
    type Value = Entry;

    fn scope(_key: &Self::Key, _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// Who acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// Who holds this access key of the resource, counted from zero.
    AccessKey(u8),
    /// A communication user.
    User(UserId),
    /// Who runs the server, from its command line.
    Operator,
    /// The server, by itself.
    Server,
}

/// To what the act was done. Opaque ids only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// The resource itself.
    Resource(ResourceId),
    /// A communication user.
    User(UserId),
    /// A chat thread.
    Thread(base::ThreadId),
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
    /// What, as the operation's row names it: `identity.delete`.
    pub act: String,
    /// To what.
    pub target: Target,
}

/// An act under way: who does what. Made from the operation's row, so that a row that asks for an entry gets one.
#[derive(Clone, Copy, Debug)]
pub struct Act {
    /// The name of the act; none where the row asks for no entry.
    pub name: Option<&'static str>,
    /// Who acts.
    pub by: Actor,
}

/// Adds the entry of `act` on `target` to the commit that does it.
///
/// # Errors
/// Those of the store; the commit must then not be made.
pub fn record(
    draft: &mut Draft,
    act: Act,
    target: Target,
    at: Timestamp,
    rng: &dyn Rng,
) -> Result<(), StoreError> {
    let Some(name) = act.name else { return Ok(()) };
    let entry = Entry { at, by: act.by, act: name.to_owned(), target };
    let key = (at, rng.id());
    draft.expect_absent::<Entries>(&key);
    draft.put_in_resource::<Entries>(&key, &entry, &[])
}
