//! The unit of change: a commit is a set of preconditions and the writes that happen when all of them hold.
//! It knows rows and sizes, never what a row says.

use base::ResourceId;
use base::limits::{MAX_KEY, MAX_RECORD};
use guard::Sealed;
use thiserror::Error;

use crate::keyspace::KeyspaceDef;

/// What sealing may add to a record of [`MAX_RECORD`] bytes: envelope header, hint, nonce, commitment and tag.
pub const MAX_ENVELOPE: usize = 256;
/// The longest sealed value an engine takes, in bytes.
pub const MAX_SEALED: usize = MAX_RECORD + MAX_ENVELOPE;
/// The most preconditions and writes of one commit, together.
pub const MAX_COMMIT_STEPS: usize = 8_192;
/// The most bytes of keys and values in one commit.
pub const MAX_COMMIT_BYTES: usize = 16 * 1024 * 1024;

/// Names one row of an engine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    /// The map it is in.
    pub keyspace: &'static KeyspaceDef,
    /// Whose it is.
    pub resource: ResourceId,
    /// Its key, at most [`MAX_KEY`] bytes, ordered as bytes. Opaque ids and keyed hashes only.
    pub key: Vec<u8>,
}

/// One row as it was at one moment.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its key.
    pub key: Vec<u8>,
    /// Its sealed value.
    pub value: Sealed,
    /// 1 when first put, one more with each overwrite; it begins again at 1 after a delete.
    pub version: u64,
}

/// What must hold for a commit to happen. Checked before any of the commit's own writes, after all of those of the
/// commits before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// There is no such row.
    Absent(RowKey),
    /// There is such a row.
    Exists(RowKey),
    /// There is such a row, of exactly this version.
    VersionIs(RowKey, u64),
    /// There is such a row, and its value is exactly this. A version begins again with a row's new life; a sealed value,
    /// with a nonce of its own, never comes back.
    ValueIs(RowKey, Sealed),
    /// The greatest key of the keyspace and resource that begins with `prefix` is exactly `last`; with `None`, there
    /// is no such key. This serialises appends.
    LastIs {
        /// The map.
        keyspace: &'static KeyspaceDef,
        /// Whose rows.
        resource: ResourceId,
        /// What the key begins with; empty for every key.
        prefix: Vec<u8>,
        /// The whole key expected last.
        last: Option<Vec<u8>>,
    },
}

/// One change. Writes of a commit happen in order.
#[derive(Clone, Debug)]
pub enum Write {
    /// Sets the row, raising its version.
    Put(RowKey, Sealed),
    /// Removes the row; nothing happens when there is none.
    Delete(RowKey),
}

/// Writes that happen all or not at all, and only when all preconditions hold.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// All must hold.
    pub preconditions: Vec<Precondition>,
    /// All happen, in order.
    pub writes: Vec<Write>,
}

/// Why a commit did not happen, or cannot be said to have happened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommitError {
    /// This precondition (its place in the list, from 0) did not hold. Nothing was written.
    #[error("precondition {precondition} did not hold")]
    Conflict {
        /// Its place in the commit's list.
        precondition: usize,
    },
    /// Too many commits wait already. Nothing was written; try later.
    #[error("too many commits are waiting")]
    Full,
    /// A key, a value or the whole commit is over its limit. Nothing was written.
    #[error("the commit is over a limit of size")]
    TooLarge,
    /// The engine could not say that it happened. It may have happened: only a read can tell.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The store has been closed. Nothing was written.
    #[error("the store is closed")]
    Closed,
}

impl RowKey {
    fn fits(&self) -> bool {
        self.key.len() <= MAX_KEY
    }
}

impl Precondition {
    /// The keyspace it looks at.
    #[must_use]
    pub const fn keyspace(&self) -> &'static KeyspaceDef {
        match self {
            Self::Absent(row) | Self::Exists(row) | Self::VersionIs(row, _) | Self::ValueIs(row, _) => {
                row.keyspace
            }
            Self::LastIs { keyspace, .. } => keyspace,
        }
    }
}

impl Write {
    /// The row it changes.
    #[must_use]
    pub const fn row(&self) -> &RowKey {
        match self {
            Self::Put(row, _) | Self::Delete(row) => row,
        }
    }
}

impl Commit {
    /// Its bytes of keys and values.
    ///
    /// # Errors
    /// [`CommitError::TooLarge`] past [`MAX_KEY`], [`MAX_SEALED`], [`MAX_COMMIT_STEPS`] or [`MAX_COMMIT_BYTES`].
    pub fn measure(&self) -> Result<usize, CommitError> {
        let mut bytes = 0_usize;
        let mut fits = self.preconditions.len().saturating_add(self.writes.len()) <= MAX_COMMIT_STEPS;
        for one in &self.preconditions {
            match one {
                Precondition::Absent(row) | Precondition::Exists(row) | Precondition::VersionIs(row, _) => {
                    fits &= row.fits();
                    bytes = bytes.saturating_add(row.key.len());
                }
                Precondition::ValueIs(row, value) => {
                    fits &= row.fits() && value.as_bytes().len() <= MAX_SEALED;
                    bytes = bytes.saturating_add(row.key.len()).saturating_add(value.as_bytes().len());
                }
                Precondition::LastIs { prefix, last, .. } => {
                    let last = last.as_ref().map_or(0, Vec::len);
                    fits &= prefix.len() <= MAX_KEY && last <= MAX_KEY;
                    bytes = bytes.saturating_add(prefix.len()).saturating_add(last);
                }
            }
        }
        for one in &self.writes {
            fits &= one.row().fits();
            bytes = bytes.saturating_add(one.row().key.len());
            if let Write::Put(_, value) = one {
                fits &= value.as_bytes().len() <= MAX_SEALED;
                bytes = bytes.saturating_add(value.as_bytes().len());
            }
        }
        if fits && bytes <= MAX_COMMIT_BYTES { Ok(bytes) } else { Err(CommitError::TooLarge) }
    }

    /// Every keyspace it names.
    pub fn keyspaces(&self) -> impl Iterator<Item = &'static KeyspaceDef> + '_ {
        let looked_at = self.preconditions.iter().map(Precondition::keyspace);
        looked_at.chain(self.writes.iter().map(|write| write.row().keyspace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::Class;

    static DEF: KeyspaceDef = KeyspaceDef { name: "t", class: Class::Content };

    fn row(len: usize) -> RowKey {
        RowKey { keyspace: &DEF, resource: ResourceId::CELL, key: vec![7; len] }
    }

    fn put(key: usize, value: usize) -> Write {
        Write::Put(row(key), Sealed::from_stored(vec![0; value]))
    }

    #[test]
    fn measures_keys_and_values() {
        let commit = Commit {
            preconditions: vec![
                Precondition::Absent(row(3)),
                Precondition::LastIs {
                    keyspace: &DEF,
                    resource: ResourceId::CELL,
                    prefix: vec![1; 4],
                    last: Some(vec![1; 5]),
                },
            ],
            writes: vec![put(10, 100), Write::Delete(row(1))],
        };
        assert_eq!(commit.measure(), Ok(3 + 4 + 5 + 110 + 1));
        assert_eq!(commit.keyspaces().count(), 4);
        assert_eq!(Commit::default().measure(), Ok(0));
    }

    #[test]
    fn each_limit_holds_at_it_and_refuses_past_it() {
        let writes = |writes| Commit { preconditions: vec![], writes }.measure();
        let needs = |one| Commit { preconditions: vec![one], writes: vec![] }.measure();
        assert!(writes(vec![put(MAX_KEY, MAX_SEALED)]).is_ok());
        assert_eq!(writes(vec![put(MAX_KEY + 1, 1)]), Err(CommitError::TooLarge));
        assert_eq!(writes(vec![put(1, MAX_SEALED + 1)]), Err(CommitError::TooLarge));
        assert_eq!(writes(vec![Write::Delete(row(MAX_KEY + 1))]), Err(CommitError::TooLarge));
        assert_eq!(needs(Precondition::Exists(row(MAX_KEY + 1))), Err(CommitError::TooLarge));
        assert!(needs(Precondition::VersionIs(row(MAX_KEY), 1)).is_ok());
        let last = |prefix: usize, last: usize| Precondition::LastIs {
            keyspace: &DEF,
            resource: ResourceId::CELL,
            prefix: vec![0; prefix],
            last: Some(vec![0; last]),
        };
        assert!(needs(last(MAX_KEY, MAX_KEY)).is_ok());
        assert_eq!(needs(last(MAX_KEY + 1, 1)), Err(CommitError::TooLarge));
        assert_eq!(needs(last(1, MAX_KEY + 1)), Err(CommitError::TooLarge));
        let many = |n: usize| writes((0..n).map(|_| Write::Delete(row(1))).collect());
        assert!(many(MAX_COMMIT_STEPS).is_ok());
        assert_eq!(many(MAX_COMMIT_STEPS + 1), Err(CommitError::TooLarge));
        assert_eq!(writes((0..16).map(|_| put(1, MAX_SEALED)).collect()), Err(CommitError::TooLarge));
    }
}
