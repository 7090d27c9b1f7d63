//! What the typed layer says when it cannot do what was asked. Never holds keys, values or ids.

use guard::{KmsError, SealError};
use thiserror::Error;

use crate::commit::CommitError;
use crate::engine::EngineError;

/// Why a read or a commit did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// A precondition did not hold: somebody else was first. Read again and build the commit anew.
    #[error("another change came first")]
    Conflict,
    /// Too many commits wait. Try later.
    #[error("too many commits are waiting")]
    Full,
    /// The engine could not answer. A commit may have happened all the same.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
    /// The record's key was destroyed: it is erased.
    #[error("the record was erased")]
    Shredded,
    /// A stored record is not what was written.
    #[error("a record of `{keyspace}` is damaged")]
    Corrupt {
        /// Where.
        keyspace: &'static str,
    },
    /// A key, hint, value or commit over its limit.
    #[error("over a limit of size")]
    TooLarge,
    /// The key service did not give the resource's key.
    #[error("the key service: {0}")]
    Kms(#[from] KmsError),
    /// The resource's key is held by a key service that this node was not told of.
    #[error("the key service {0:?} is not configured here")]
    UnknownKeyService(String),
    /// The resource has as many generations of its key as it may: those before the newest must end first.
    #[error("too many generations of the resource's key; re-encrypt first")]
    Generations,
    /// The resource has no key here: it was never created in this cell, or was erased.
    #[error("the resource is not in this cell")]
    UnknownResource,
    /// A defect of the caller: the handle is of another scope or resource than the record's.
    #[error("the key given is not of the record's scope")]
    WrongScope,
    /// A defect of the caller: the cell was opened without this keyspace, or with an impossible one.
    #[error("{0}")]
    Keyspace(String),
}

impl From<CommitError> for StoreError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict { .. } => Self::Conflict,
            CommitError::Full => Self::Full,
            CommitError::TooLarge => Self::TooLarge,
            CommitError::Unavailable(why) => Self::Unavailable(why),
            CommitError::Closed => Self::Closed,
        }
    }
}

impl From<EngineError> for StoreError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Closed => Self::Closed,
            EngineError::UnknownKeyspace(_) | EngineError::InvalidKeyspace(_) => {
                Self::Keyspace(error.to_string())
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<SealError> for StoreError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::TooLong | SealError::HintTooLong | SealError::PlaceTooLong => Self::TooLarge,
            SealError::Library | SealError::Exhausted => Self::Unavailable(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fate_keeps_its_meaning() {
        assert_eq!(StoreError::from(CommitError::Conflict { precondition: 3 }), StoreError::Conflict);
        assert_eq!(StoreError::from(CommitError::Full), StoreError::Full);
        assert_eq!(StoreError::from(EngineError::Closed), StoreError::Closed);
        assert_eq!(StoreError::from(SealError::HintTooLong), StoreError::TooLarge);
        let unknown = StoreError::from(EngineError::UnknownKeyspace("x"));
        assert_eq!(unknown.to_string(), "the keyspace `x` was not prepared");
    }
}
