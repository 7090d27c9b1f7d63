//! What can go wrong below a commit, said so that an operator knows what to do. Never holds keys or values.

use std::path::PathBuf;

use thiserror::Error;

use crate::keyspace::InvalidKeyspace;

/// A fault of an engine.
#[derive(Debug, Error)]
pub enum EngineError {
    /// Another process has the store open.
    #[error("{} is open in {}; stop that process first", path.display(), holder.map_or_else(|| "another process".to_owned(), |pid| format!("the process {pid}")))]
    Locked {
        /// The store's file.
        path: PathBuf,
        /// The other process, when it could be told.
        holder: Option<u32>,
    },
    /// No room left on the disk, or the store's own limit of size is reached.
    #[error("no room left for {}: free space on its disk or raise its limit; nothing was written", path.display())]
    DiskFull {
        /// The store's file.
        path: PathBuf,
    },
    /// The file is not what was written.
    #[error("{} is damaged ({detail}): stop, keep a copy of it, and restore from a backup", path.display())]
    Corrupt {
        /// The store's file, or the database's name.
        path: PathBuf,
        /// What the engine noticed.
        detail: String,
    },
    /// The folder or the file cannot be written.
    #[error("{} cannot be written: give the server's user write permission on it and its folder", path.display())]
    ReadOnly {
        /// The store's file.
        path: PathBuf,
    },
    /// The disk failed while making something durable. What was last written is in doubt until the store is opened
    /// again, so nothing more is accepted.
    #[error("the disk below {} failed ({detail}): check it, then restart; the store reads its journal again", path.display())]
    DiskFailed {
        /// The store's file.
        path: PathBuf,
        /// What the engine noticed.
        detail: String,
    },
    /// The file was written by another version of this program, or by another program.
    #[error("{} has store format {found}, this program reads {expected}: use the version that wrote it", path.display())]
    Format {
        /// The store's file.
        path: PathBuf,
        /// The format found.
        found: i64,
        /// The format this program writes.
        expected: i64,
    },
    /// The database is set up so that what it acknowledges could be lost.
    #[error(
        "the database setting {setting} is {found}, which could lose acknowledged writes: set it to {wanted}"
    )]
    Misconfigured {
        /// The setting's name.
        setting: &'static str,
        /// Its value now.
        found: String,
        /// The value that is needed.
        wanted: &'static str,
    },
    /// A keyspace that was never prepared.
    #[error("the keyspace `{0}` was not prepared")]
    UnknownKeyspace(&'static str),
    /// A definition no table can be made of.
    #[error(transparent)]
    InvalidKeyspace(#[from] InvalidKeyspace),
    /// The engine cannot be reached, or failed for a passing reason. Trying again later may work.
    #[error("{0}")]
    Unavailable(String),
    /// The engine has been closed.
    #[error("the store is closed")]
    Closed,
}
