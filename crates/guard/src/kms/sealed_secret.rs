//! A secret of a configuration, sealed by the key service of a cell: a text that may lie in a file, in version control or in
//! an image, and opens only where that service answers.

use base::{Geography, ResourceId, Rng, Secret};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{KeyContext, Kms, KmsError};
use crate::seal::{Place, ScopeKey, SealError, Sealed};

/// The number of a secret's own key, which no key of a cell or resource has.
const GENERATION: u32 = u32::MAX;
const KEYSPACE: &str = "configuration_secret";
const FORMAT: u32 = 1;
/// The longest secret, in bytes.
pub const MAX_SECRET: usize = 64 * 1024;

/// What lies in the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    /// Format 1.
    chancery_secret: u32,
    /// Of the cell whose key service opens it.
    geography: String,
    /// The secret's own key, as the key service wrapped it.
    wrapped: String,
    /// The secret under that key.
    sealed: String,
}

/// Why a secret is not sealed or not opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SealedSecretError {
    /// It is empty, or longer than [`MAX_SECRET`].
    #[error("a secret has 1 to {MAX_SECRET} bytes")]
    Length,
    /// The text is none that was sealed here, or was changed.
    #[error("this is no sealed secret, or it was changed")]
    Malformed,
    /// The key service.
    #[error("its key service: {0}")]
    Kms(#[from] KmsError),
    /// It was not sealed.
    #[error("it cannot be sealed: {0}")]
    Seal(#[from] SealError),
}

const fn context(geography: Geography) -> KeyContext {
    KeyContext { geography, resource: ResourceId::CELL, generation: GENERATION }
}

const fn place(geography: &Geography) -> Place<'_> {
    Place { geography, resource: ResourceId::CELL, keyspace: KEYSPACE, key: b"", scope: b"" }
}

/// The secret as a text that only `kms` opens again.
///
/// # Errors
/// [`SealedSecretError`].
pub async fn seal(
    kms: &dyn Kms,
    geography: &Geography,
    secret: &Secret<String>,
    rng: &dyn Rng,
) -> Result<String, SealedSecretError> {
    if !(1..=MAX_SECRET).contains(&secret.expose().len()) {
        return Err(SealedSecretError::Length);
    }
    let key = ScopeKey::generate(rng, GENERATION);
    let wrapped = kms.wrap(&context(geography.clone()), &key).await?;
    let sealed = key.seal(rng, &place(geography), b"", secret.expose().as_bytes())?;
    let written = Written {
        chancery_secret: FORMAT,
        geography: geography.as_str().to_owned(),
        wrapped: BASE64_STANDARD.encode(wrapped.as_bytes()),
        sealed: BASE64_STANDARD.encode(sealed.as_bytes()),
    };
    let text = serde_json::to_string_pretty(&written).map_err(|_| SealedSecretError::Malformed)?;
    Ok(format!("{text}\n"))
}

fn read(text: &str) -> Option<(Written, Geography)> {
    let written: Written = serde_json::from_str(text).ok()?;
    let geography = written.geography.parse().ok()?;
    (written.chancery_secret == FORMAT).then_some((written, geography))
}

/// The geography whose key service opens such a text; `None` when it is none.
#[must_use]
pub fn geography_of(text: &str) -> Option<Geography> {
    read(text).map(|(_, geography)| geography)
}

/// The secret again.
///
/// # Errors
/// [`SealedSecretError`].
pub async fn open(kms: &dyn Kms, text: &str) -> Result<Secret<String>, SealedSecretError> {
    let (written, geography) = read(text).ok_or(SealedSecretError::Malformed)?;
    let decode = |text: &str| BASE64_STANDARD.decode(text).map(Sealed::from_stored);
    let wrapped = decode(&written.wrapped).map_err(|_| SealedSecretError::Malformed)?;
    let sealed = decode(&written.sealed).map_err(|_| SealedSecretError::Malformed)?;
    let key = kms.unwrap(&context(geography.clone()), &wrapped).await?;
    let plain =
        Zeroizing::new(key.open(&place(&geography), &sealed).map_err(|_| SealedSecretError::Malformed)?);
    let text = std::str::from_utf8(&plain).map_err(|_| SealedSecretError::Malformed)?;
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use base::SeededRng;

    use super::super::LocalKms;
    use super::super::contract::now;
    use super::*;

    fn kms(seed: u64) -> (tempfile::TempDir, LocalKms) {
        let folder = tempfile::tempdir().unwrap();
        let kms = LocalKms::open_or_create(&folder.path().join("root.key"), &SeededRng::new(seed)).unwrap();
        (folder, kms)
    }

    fn sealed(kms: &LocalKms, secret: &str) -> Result<String, SealedSecretError> {
        let (geography, secret) = ("europe".parse().unwrap(), Secret::new(secret.to_owned()));
        now(Box::pin(async move { seal(kms, &geography, &secret, &SeededRng::new(9)).await }))
    }

    fn opened(kms: &LocalKms, text: &str) -> Result<String, SealedSecretError> {
        now(Box::pin(async move { open(kms, text).await.map(|secret| secret.expose().clone()) }))
    }

    #[test]
    fn a_secret_opens_where_it_was_sealed_and_nowhere_else() {
        let ((_a, ours), (_b, theirs)) = (kms(1), kms(2));
        let text = sealed(&ours, "hunter2").unwrap();
        assert!(!text.contains("hunter2"));
        assert_eq!(geography_of(&text), Some("europe".parse().unwrap()));
        assert_eq!(opened(&ours, &text).unwrap(), "hunter2");
        assert_eq!(opened(&theirs, &text), Err(SealedSecretError::Kms(KmsError::Refused)));
        let moved = text.replace("europe", "uk");
        assert!(opened(&ours, &moved).is_err(), "it is bound to its geography");
    }

    #[test]
    fn what_was_changed_or_is_none_does_not_open() {
        let (_folder, ours) = kms(1);
        let text = sealed(&ours, "hunter2").unwrap();
        for bad in [
            String::new(),
            "hunter2".to_owned(),
            text.replace("\"chancerySecret\": 1", "\"chancerySecret\": 2"),
            text.replace("\"sealed\": \"", "\"sealed\": \"AAAA"),
            text.replace("\"wrapped\": \"", "\"wrapped\": \"%"),
            text.replace('}', ", \"more\": 1}"),
        ] {
            assert!(opened(&ours, &bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_have_bounds() {
        let (_folder, ours) = kms(1);
        assert_eq!(sealed(&ours, ""), Err(SealedSecretError::Length));
        let longest = "x".repeat(MAX_SECRET);
        assert_eq!(opened(&ours, &sealed(&ours, &longest).unwrap()).unwrap(), longest);
        assert_eq!(sealed(&ours, &format!("{longest}x")), Err(SealedSecretError::Length));
    }
}
