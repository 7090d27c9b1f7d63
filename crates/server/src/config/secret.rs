//! Secrets by reference: a configuration says where a secret is, never what it is.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use base::Secret;
use thiserror::Error;

use super::cell::missing;
use super::document::Document;

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// In this environment variable: `env:NAME`.
    Env(String),
    /// In this file, without the line end after it: `file:PATH`.
    File(PathBuf),
    /// In this credential that systemd hands over (`LoadCredential=`, `LoadCredentialEncrypted=`, which a TPM can bind to
    /// the machine): `credential:NAME`.
    Credential(String),
    /// In this file, sealed by the key service of a cell: `sealed:PATH`.
    Sealed(Arc<SealedPlace>),
}

/// A file that `chancery secret seal` wrote, and what is in it once it was opened.
#[derive(Debug)]
pub struct SealedPlace {
    /// The file.
    pub file: PathBuf,
    opened: OnceLock<Secret<String>>,
}

impl PartialEq for SealedPlace {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file
    }
}

impl Eq for SealedPlace {}

impl SealedPlace {
    /// What the file holds, sealed.
    ///
    /// # Errors
    /// [`SecretError::NoFile`].
    pub fn text(&self) -> Result<String, SecretError> {
        let file = self.file.clone();
        std::fs::read_to_string(&file).map_err(|fault| SecretError::NoFile { file, kind: fault.kind() })
    }

    /// Keeps what it was opened to. The first is kept.
    pub fn keep(&self, secret: Secret<String>) {
        let _ = self.opened.set(secret);
    }
}

/// Where systemd says that credentials are (systemd.exec(5)).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// How a reference is written.
pub(super) const FORM: &str = "write \"env:NAME\" for an environment variable, \"file:/path\" for a file, \"credential:NAME\" for a credential of systemd or \"sealed:/path\" for what `chancery secret seal` wrote; secrets themselves are not written here";

/// Reads the reference that `key` holds; what is none is noted.
pub(super) fn reference(text: &str, key: &str, document: &mut Document<'_>) -> Option<SecretRef> {
    let place = SecretRef::parse(text);
    if place.is_none() {
        document.problem(key, "this is no reference to a secret", FORM);
    }
    place
}

/// The same, of a key that must be there.
pub(super) fn required(text: Option<&str>, key: &str, document: &mut Document<'_>) -> Option<SecretRef> {
    match text {
        Some(text) => reference(text, key, document),
        None => missing(key, FORM, document),
    }
}

/// Why a secret could not be had. It names the place, never the secret.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The variable is not set, or not text.
    #[error("the environment variable {0} is not set")]
    NoVariable(String),
    /// This process was not started by systemd with credentials.
    #[error(
        "systemd handed over no credentials: set LoadCredential= or LoadCredentialEncrypted= in the unit"
    )]
    NoCredentials,
    /// The file cannot be read as text.
    #[error("the file {file} cannot be read: {kind}")]
    NoFile {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        kind: std::io::ErrorKind,
    },
    /// It was not opened: only a server that runs asks the key service.
    #[error(
        "{0} is sealed, and was not opened: verbs that ask a running server take the operator's token by --token-file"
    )]
    StillSealed(SecretRef),
    /// There is nothing in it.
    #[error("{0} is empty")]
    Empty(SecretRef),
}

impl SecretRef {
    /// Reads a reference; `None` when the text is none, as a secret itself would be.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, place) = text.split_once(':')?;
        match kind {
            "env" => {
                let name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
                (!place.is_empty() && place.bytes().all(name)).then(|| Self::Env(place.to_owned()))
            }
            "credential" => {
                let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
                let good = !place.is_empty() && place.bytes().all(name) && !place.starts_with('.');
                good.then(|| Self::Credential(place.to_owned()))
            }
            "sealed" => (!place.is_empty() && !place.contains('\0'))
                .then(|| Self::Sealed(Arc::new(SealedPlace { file: place.into(), opened: OnceLock::new() }))),
            "file" => (!place.is_empty() && !place.contains('\0')).then(|| Self::File(place.into())),
            _ => None,
        }
    }

    /// The file it is in; `None` when it is in none, or systemd has not said where.
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Env(_) => None,
            Self::File(file) => Some(file.clone()),
            Self::Sealed(place) => Some(place.file.clone()),
            Self::Credential(name) => {
                std::env::var_os(CREDENTIALS).map(|folder| PathBuf::from(folder).join(name))
            }
        }
    }

    /// Fetches the secret.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn fetch(&self) -> Result<Secret<String>, SecretError> {
        let text = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| SecretError::NoVariable(name.clone()))?,
            Self::Sealed(place) => {
                let opened = place.opened.get();
                opened.ok_or_else(|| SecretError::StillSealed(self.clone()))?.expose().clone()
            }
            Self::File(_) | Self::Credential(_) => {
                let file = self.path().ok_or(SecretError::NoCredentials)?;
                std::fs::read_to_string(&file)
                    .map_err(|fault| SecretError::NoFile { file, kind: fault.kind() })?
            }
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() { Err(SecretError::Empty(self.clone())) } else { Ok(Secret::new(text.to_owned())) }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(file) => write!(f, "file:{}", file.display()),
            Self::Sealed(place) => write!(f, "sealed:{}", place.file.display()),
            Self::Credential(name) => write!(f, "credential:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_references_are_read() {
        assert_eq!(SecretRef::parse("env:DB_URL"), Some(SecretRef::Env("DB_URL".into())));
        assert_eq!(SecretRef::parse("file:/run/secrets/db"), Some(SecretRef::File("/run/secrets/db".into())));
        for bad in
            ["", "env:", "file:", "postgres://u:p@h/d", "env:A B", "env:A=B", "ENV:A", "c2VjcmV0", "file:a\0"]
        {
            assert_eq!(SecretRef::parse(bad), None, "{bad:?}");
        }
        assert_eq!(SecretRef::parse("credential:root-key"), Some(SecretRef::Credential("root-key".into())));
        for bad in ["credential:", "credential:../x", "credential:a/b", "credential:.x", "credential:a b"] {
            assert_eq!(SecretRef::parse(bad), None, "{bad:?}");
        }
        assert_eq!(SecretRef::parse("file:a:b").unwrap().to_string(), "file:a:b");
    }

    #[test]
    fn files_lose_their_line_end_and_must_hold_something() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let reference = SecretRef::File(file.clone());
        assert!(matches!(reference.fetch(), Err(SecretError::NoFile { .. })));
        std::fs::write(&file, "hunter2\r\n").unwrap();
        assert_eq!(reference.fetch().unwrap().expose(), "hunter2");
        std::fs::write(&file, "\n").unwrap();
        let empty = reference.fetch().unwrap_err();
        assert!(matches!(empty, SecretError::Empty(_)));
    }

    #[test]
    fn what_is_sealed_is_had_once_it_was_opened() {
        let reference = SecretRef::parse("sealed:/etc/chancery/smtp.sealed").unwrap();
        assert_eq!(reference.to_string(), "sealed:/etc/chancery/smtp.sealed");
        let clone = reference.clone();
        assert!(matches!(clone.fetch(), Err(SecretError::StillSealed(_))));
        let SecretRef::Sealed(place) = &reference else { panic!("sealed") };
        place.keep(Secret::new("hunter2".to_owned()));
        assert_eq!(clone.fetch().unwrap().expose(), "hunter2", "whoever has the reference has it");
        assert_eq!(clone, reference);
        assert!(!format!("{reference:?}").contains("hunter2"));
        assert!(SecretRef::parse("sealed:").is_none());
    }

    #[test]
    fn variables_must_be_set() {
        let error = SecretRef::Env("CHANCERY_TEST_SURELY_NOT_SET".into()).fetch().unwrap_err();
        assert_eq!(error.to_string(), "the environment variable CHANCERY_TEST_SURELY_NOT_SET is not set");
        assert!(SecretRef::Env("PATH".into()).fetch().is_ok());
    }
}
