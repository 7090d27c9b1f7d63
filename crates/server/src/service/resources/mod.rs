//! Resources and the keys that belong to them and to their cell: access keys, which sign requests, and the cell's signing
//! keys, which sign user tokens. All rest sealed and none of them can be printed.

mod access_keys;
pub mod custody;
mod register;
pub mod renewal;
mod rows;
mod signing;

use store::{KeyspaceDef, StoreError};
use thiserror::Error;

pub use access_keys::{ACCESS_KEYS, AccessKeys, KeyAge, KeySet, LOOK_AGAIN, USE_STEP};
pub use custody::Custody;
pub use register::{Resource, Wanted, ensure};
use renewal::Renewals;
pub use rows::Register;
use rows::{Custodies, Former, Uses};
pub use signing::{CellTokens, LEAD, SigningKeyAge, SigningKeys};

/// The longest name of a resource (ACS: 63 characters, also the longest DNS label).
pub const MAX_RESOURCE_NAME: usize = 63;

/// Why a resource could not be opened.
#[derive(Debug, Error)]
pub enum ResourceError {
    /// Not a name a resource can have.
    #[error(
        "a resource name has 1 to 63 letters, digits and hyphens, and begins and ends with a letter or digit"
    )]
    Name,
    /// The cell has no such resource.
    #[error("the cell has no such resource")]
    Unknown,
    /// A key in the store is not what was written.
    #[error("a stored key of the keyspace {keyspace} cannot be read")]
    Key {
        /// Where it is.
        keyspace: &'static str,
    },
    /// There are as many signing keys as there can be.
    #[error("there are {} signing keys, and none of them can end yet", signing::MOST)]
    TooManyKeys,
    /// The next start would end a key made in its place.
    #[error(
        "the configuration says what the first access key is: put another one there and start again, or make the second one anew"
    )]
    Configured,
    /// No key could be made.
    #[error("the machine could not make a key")]
    NoKey,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether `name` can be a resource's: it becomes the first label of a host name.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    bytes.len() <= MAX_RESOURCE_NAME
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

/// All keyspaces of resources and signing keys.
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    use store::Keyspace;
    vec![Register::DEF, Uses::DEF, Former::DEF, Custodies::DEF, Renewals::DEF, SigningKeys::DEF]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_host_labels() {
        for good in ["a", "contoso", "Contoso-1", "0x", &"a".repeat(63)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a.b", "a b", "a_b", "é", "a/b", &"a".repeat(64)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
