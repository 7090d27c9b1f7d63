//! What SQLite and the file system say, turned into errors that say what to do. Their messages name tables and codes,
//! never values.

use std::io::ErrorKind;
use std::path::Path;

use rusqlite::ErrorCode;

use crate::engine::EngineError;

/// From a failed statement or open.
pub(super) fn of(path: &Path, error: &rusqlite::Error) -> EngineError {
    let path = path.to_owned();
    let detail = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => EngineError::DiskFull { path },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => EngineError::Corrupt { path, detail },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            EngineError::ReadOnly { path }
        }
        Some(ErrorCode::SystemIoFailure) => EngineError::DiskFailed { path, detail },
        _ => EngineError::Unavailable(format!("sqlite: {detail}")),
    }
}

/// From a failed call to the file system.
pub(super) fn of_io(path: &Path, error: &std::io::Error) -> EngineError {
    let path = path.to_owned();
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => EngineError::ReadOnly { path },
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => EngineError::DiskFull { path },
        _ => EngineError::Unavailable(format!("{}: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn failed(code: i32) -> EngineError {
        of(Path::new("/s"), &rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }

    #[test]
    fn each_kind_says_what_to_do() {
        for (code, says) in [
            (ffi::SQLITE_FULL, "free space"),
            (ffi::SQLITE_CORRUPT, "backup"),
            (ffi::SQLITE_NOTADB, "backup"),
            (ffi::SQLITE_READONLY, "permission"),
            (ffi::SQLITE_CANTOPEN, "permission"),
            (ffi::SQLITE_IOERR_FSYNC, "check it, then restart"),
            (ffi::SQLITE_BUSY, "sqlite"),
        ] {
            let error = failed(code).to_string();
            assert!(error.contains(says), "{code}: {error}");
        }
        assert!(matches!(failed(ffi::SQLITE_IOERR_FSYNC), EngineError::DiskFailed { .. }));
        assert!(matches!(failed(ffi::SQLITE_BUSY), EngineError::Unavailable(_)));
    }

    #[test]
    fn files_fail_in_the_same_words() {
        let of_kind = |kind: ErrorKind| of_io(Path::new("/s"), &kind.into());
        assert!(matches!(of_kind(ErrorKind::PermissionDenied), EngineError::ReadOnly { .. }));
        assert!(matches!(of_kind(ErrorKind::StorageFull), EngineError::DiskFull { .. }));
        assert!(matches!(of_kind(ErrorKind::NotFound), EngineError::Unavailable(_)));
    }
}
