//! One process per data folder: a lock that the system lets go of with the process, and the word who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Who holds a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Since when.
    pub since: Timestamp,
}

/// Why a folder could not be taken.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{}", held(.0))]
    Held(Option<Holder>),
    /// The lock file could not be used.
    #[error("its lock file cannot be used: {}", .0.kind())]
    Io(#[from] io::Error),
}

fn held(holder: &Option<Holder>) -> String {
    holder.map_or_else(
        || "another process holds it".to_owned(),
        |holder| format!("process {} holds it since {}", holder.pid, holder.since),
    )
}

/// A folder held until this is dropped.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock file at `path`.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(path: &Path, now: Timestamp) -> Result<Self, LockError> {
        let mut how = OpenOptions::new();
        how.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = how.open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(read(&file))),
            Err(TryLockError::Error(fault)) => return Err(fault.into()),
        }
        let holder = Holder { pid: std::process::id(), since: now };
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(serde_json::to_string(&holder).unwrap_or_default().as_bytes())?;
        Ok(Self { _file: file })
    }
}

fn read(file: &File) -> Option<Holder> {
    let mut text = String::new();
    file.take(1024).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_learns_who_was_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let since = Timestamp::from_millis(1_795_420_800_000);
        let first = FolderLock::take(&path, since).unwrap();
        let second = FolderLock::take(&path, since).unwrap_err();
        let said = second.to_string();
        assert_eq!(
            said,
            format!("process {} holds it since 2026-11-23T08:00:00.0000000Z", std::process::id())
        );
        drop(first);
        let later = FolderLock::take(&path, since.plus(std::time::Duration::from_secs(9))).unwrap();
        std::fs::write(&path, "garbage").unwrap();
        assert!(
            matches!(FolderLock::take(&path, since), Err(LockError::Held(None))),
            "the lock counts, not the word"
        );
        drop(later);
        assert!(FolderLock::take(&path, since).is_ok());
    }
}
