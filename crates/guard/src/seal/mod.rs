//! Sealing: the only way content becomes bytes that may rest on a disk, and the only way back. A sealed value opens
//! under its own key, in its own place, whole, or not at all. Knows nothing of what is sealed or where it is kept.

mod envelope;
mod scope_key;
#[cfg(test)]
mod shake;
#[cfg(test)]
mod vectors;
mod xaes;

use std::fmt;

use base::{Geography, ResourceId};
use thiserror::Error;

pub use envelope::{MAX_HINT, MAX_KEYSPACE, MAX_SCOPE};
pub use scope_key::{MAX_SEALS, ScopeKey};

/// A sealed record: opaque bytes that only the right [`ScopeKey`] opens in the right [`Place`].
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes to store, given up.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// From bytes read back from storage. Only engines may call this: whatever else claims to be sealed is not.
    #[must_use]
    pub fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// What can be known without a key. It is not authenticated until the record is opened.
    ///
    /// # Errors
    /// [`OpenError::Malformed`], [`OpenError::UnsupportedVersion`] or [`OpenError::UnsupportedSuite`].
    pub fn header(&self) -> Result<Header<'_>, OpenError> {
        let parts = envelope::parse(&self.0)?;
        Ok(Header { generation: parts.generation, hint: parts.hint })
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// The plain part of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The generation of the key that sealed it.
    pub generation: u32,
    /// What a reader needs to find that key, at most [`MAX_HINT`] bytes.
    pub hint: &'a [u8],
}

/// Where a record rests. All of it is authenticated, none of it is stored: a record that was moved does not open.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The geography of the cell.
    pub geography: &'a Geography,
    /// The resource, or [`ResourceId::CELL`].
    pub resource: ResourceId,
    /// The keyspace, at most [`MAX_KEYSPACE`] bytes.
    pub keyspace: &'a str,
    /// The key of the row, at most [`base::limits::MAX_KEY`] bytes.
    pub key: &'a [u8],
    /// The scope whose key seals it, at most [`MAX_SCOPE`] bytes.
    pub scope: &'a [u8],
}

/// Why a record was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// The plaintext is longer than [`base::limits::MAX_RECORD`].
    #[error("the record is too long to seal")]
    TooLong,
    /// The hint is longer than [`MAX_HINT`].
    #[error("the hint is too long")]
    HintTooLong,
    /// A component of the place is longer than allowed.
    #[error("the place has too long a component")]
    PlaceTooLong,
    /// The key was used as often as a key may be: rotate it.
    #[error("the key was used as often as a key may be: rotate it")]
    Exhausted,
    /// The crypto library refused; it gives no reason.
    #[error("the crypto library refused to seal")]
    Library,
}

/// Why a record did not open. The later the variant, the further it got; none of them tells anything of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// Too short, too long, or with impossible lengths: no envelope.
    #[error("not a sealed record")]
    Malformed,
    /// An envelope format this program does not know.
    #[error("envelope format {0} is not supported")]
    UnsupportedVersion(u8),
    /// A cipher suite this program does not know.
    #[error("envelope suite {0} is not supported")]
    UnsupportedSuite(u8),
    /// Sealed by a key of another generation than the one at hand.
    #[error("sealed under another key generation")]
    WrongGeneration,
    /// The commitment is not that of the key at hand.
    #[error("sealed under another key")]
    WrongKey,
    /// Changed, moved from another place, or forged.
    #[error("the record does not belong here or was changed")]
    Refused,
}
