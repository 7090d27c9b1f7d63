//! What is kept of a communication user.

use base::{Timestamp, UserId};
use serde::{Deserialize, Serialize};
use store::{Class, Keyspace, KeyspaceDef, Scope};

/// Users that exist. A deleted one leaves no row.
pub struct Identities;

impl Keyspace for Identities {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "identity", class: Class::Content };
    const FORMAT: u8 = 1;
    type Key = UserId;
    type Value = IdentityRow;

    fn scope(_key: &Self::Key, _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// One user. Every change of this row ends what was authorised on its former version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityRow {
    /// When it was made.
    pub created_on: Timestamp,
    /// Tokens that name another epoch are revoked.
    pub epoch: u32,
}

/// All keyspaces of the identity service.
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    vec![Identities::DEF]
}
