//! The key services of a node, made from its configuration and kept from harming each other. It must never see what the
//! keys seal.

mod guarded;
mod late;
mod remote;

use std::path::Path;
use std::sync::Arc;

use base::{Clock, Rng, Secret};
use guard::{Kms, LocalKms, Pkcs11Fault, Pkcs11Kms, Pkcs11Options};
use thiserror::Error;

pub use guarded::{Guarded, MAX_CALLS, MAX_FAULTS, MAX_PAUSE, MIN_PAUSE, PATIENCE};
pub use late::open_or_later;

use crate::config::secret::SecretError;
use crate::config::{KmsConfig, SecretRef};
use crate::dev::files;

/// Why a key service cannot be used. It names no secret.
#[derive(Debug, Error)]
pub enum KmsFault {
    /// The file of a local root key.
    #[error("its key file {file}: {why}")]
    File {
        /// Which file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The token.
    #[error("its key service: {0}")]
    Token(#[from] Pkcs11Fault),
    /// The authorities that its certificate may come from.
    #[error("its key service: no authority can be read from {0}")]
    Authorities(String),
    /// What opens it.
    #[error("its key service: {0}")]
    Secret(#[from] SecretError),
    /// The thread that began it ended.
    #[error("its key service ended while it was begun")]
    Ended,
}

/// Begins the key service that is configured so. A local key is made when it is missing.
///
/// # Errors
/// [`KmsFault`].
pub async fn open(
    config: &KmsConfig,
    clock: &Arc<dyn Clock>,
    rng: &dyn Rng,
) -> Result<Arc<dyn Kms>, KmsFault> {
    match config {
        KmsConfig::Local { path, passphrase } => {
            let passphrase = passphrase.as_ref().map(SecretRef::fetch).transpose()?;
            Ok(Arc::new(local(path, passphrase.as_ref(), rng)?))
        }
        KmsConfig::Pkcs11 { module, token, key, pin } => {
            let options = Pkcs11Options {
                module: module.clone(),
                token: token.clone(),
                key: key.clone(),
                pin: pin.fetch()?,
            };
            // A module may take its time; it must not take a worker's.
            let opened = tokio::task::spawn_blocking(move || Pkcs11Kms::open(options)).await;
            let kms = opened.map_err(|_| KmsFault::Ended)??;
            Ok(Arc::new(Guarded::new(kms, Arc::clone(clock))))
        }
        KmsConfig::Vault(vault) => Ok(Arc::new(Guarded::new(remote::vault(vault)?, Arc::clone(clock)))),
        KmsConfig::Azure(azure) => {
            Ok(Arc::new(Guarded::new(remote::azure(azure, clock)?, Arc::clone(clock))))
        }
        KmsConfig::Aws(aws) => Ok(Arc::new(Guarded::new(remote::aws(aws, clock)?, Arc::clone(clock)))),
    }
}

fn local(path: &Path, passphrase: Option<&Secret<String>>, rng: &dyn Rng) -> Result<LocalKms, KmsFault> {
    let fault = |why: String| KmsFault::File { file: path.display().to_string(), why };
    files::make_folder_of(path).map_err(|why| fault(format!("its folder: {}", why.kind())))?;
    let opened = match passphrase {
        Some(passphrase) => LocalKms::open_or_create_sealed(path, passphrase, rng),
        None => LocalKms::open_or_create(path, rng),
    };
    opened.map_err(|why| fault(why.to_string()))
}
