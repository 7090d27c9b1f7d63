//! The operator's token of a data folder, `operator.token`: made once, readable by the folder's owner alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base::Rng;
use thiserror::Error;

use super::files::{self, Readers};
use crate::http::operator::OperatorToken;

/// The name of the file in the folder.
pub const FILE: &str = "operator.token";

/// Why there is no token.
#[derive(Debug, Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("the operator's token in {} cannot be read or written: {}", path.display(), fault.kind())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        fault: io::Error,
    },
    /// It is no token.
    #[error("{} holds no operator's token: it must have {} printable characters or more. Remove the file for a new one", path.display(), OperatorToken::SHORTEST)]
    Unfit {
        /// Which.
        path: PathBuf,
    },
}

/// The token of the folder `data`, made when there is none.
///
/// # Errors
/// [`TokenError`].
pub fn ensure(data: &Path, rng: &dyn Rng) -> Result<OperatorToken, TokenError> {
    let path = data.join(FILE);
    match read(&path) {
        Err(TokenError::Io { fault, .. }) if fault.kind() == io::ErrorKind::NotFound => {
            let token = OperatorToken::mint(rng);
            let line = format!("{}\n", token.expose());
            match files::write_whole(&path, line.as_bytes(), Readers::Owner) {
                Ok(()) => Ok(token),
                Err(fault) => Err(TokenError::Io { path, fault }),
            }
        }
        found => found,
    }
}

/// The token in the file at `path`.
///
/// # Errors
/// [`TokenError`].
pub fn read(path: &Path) -> Result<OperatorToken, TokenError> {
    let text = fs::read_to_string(path).map_err(|fault| TokenError::Io { path: path.to_owned(), fault })?;
    OperatorToken::parse(&text).ok_or_else(|| TokenError::Unfit { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn is_made_once_and_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let rng = base::SeededRng::new(1);
        let made = ensure(folder.path(), &rng).unwrap();
        assert!(ensure(folder.path(), &rng).unwrap().is(made.expose()));
        let file = folder.path().join(FILE);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&file, "short\n").unwrap();
        let unfit = ensure(folder.path(), &rng).unwrap_err();
        assert!(matches!(unfit, TokenError::Unfit { .. }), "what is there is never overwritten");
        assert!(!unfit.to_string().contains("short"));
        assert!(matches!(ensure(&folder.path().join("missing"), &rng), Err(TokenError::Io { .. })));
    }
}
