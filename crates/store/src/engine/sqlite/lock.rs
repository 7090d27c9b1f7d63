//! Keeps two processes from opening one store: a lock on a file beside it, which the system lets go of with the process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::fault;
use crate::engine::EngineError;

/// Holds the lock until it is dropped. The file stays, with the number of the last process in it.
#[derive(Debug)]
pub(super) struct StoreLock {
    _file: File,
}

/// The name of the lock file.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

impl StoreLock {
    /// Takes the lock of the store at `path`.
    pub(super) fn take(path: &Path) -> Result<Self, EngineError> {
        let io = |error: &std::io::Error| fault::of_io(path, error);
        let mut how = OpenOptions::new();
        how.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = how.open(beside(path)).map_err(|error| io(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Unreadable is as good as unknown: the lock is what counts.
                let _ = (&file).take(32).read_to_string(&mut text);
                return Err(EngineError::Locked { path: path.to_owned(), holder: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(error)) => return Err(io(&error)),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "{}", std::process::id()));
        written.map_err(|error| io(&error))?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_holder_and_is_free_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sqlite");
        let held = StoreLock::take(&path).unwrap();
        let error = StoreLock::take(&path).unwrap_err();
        assert!(matches!(error, EngineError::Locked { holder: Some(pid), .. } if pid == std::process::id()));
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        drop(held);
        StoreLock::take(&path).unwrap();
    }

    #[test]
    fn a_holder_that_cannot_be_told_is_still_a_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sqlite");
        let _held = StoreLock::take(&path).unwrap();
        std::fs::write(beside(&path), "what?").unwrap();
        let error = StoreLock::take(&path).unwrap_err();
        assert!(matches!(error, EngineError::Locked { holder: None, .. }), "{error}");
    }
}
