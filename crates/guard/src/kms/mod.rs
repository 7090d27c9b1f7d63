//! Key services: who holds the key above all others. A resource key rests only as what a key service wrapped. One file
//! per provider; it must never know what the keys seal.

mod aws;
mod azure;
mod azure_token;
#[cfg(test)]
pub(crate) mod contract;
pub mod holder;
mod local;
mod pkcs11;
mod remote;
mod reply;
mod sealed_file;
pub mod sealed_secret;
mod vault;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use base::{Geography, ResourceId};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::seal::{ScopeKey, Sealed};

pub use aws::{AwsCredentials, AwsKms, AwsOptions, FetchCredentials};
pub use azure::{AzureKms, AzureOptions};
pub use azure_token::{AzureApplication, FetchApplication};
pub use local::LocalKms;
pub use pkcs11::{Pkcs11Fault, Pkcs11Kms, Pkcs11Options};
pub use remote::{Ask, Exchange, Reply, Unreachable};
pub use vault::{FetchToken, VaultKms, VaultOptions};

/// A future on the heap that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A key service: wraps resource keys under a root key that it does not give away.
pub trait Kms: Send + Sync + 'static {
    /// The provider's name, for configuration and the operations log.
    fn name(&self) -> &'static str;

    /// Wraps `key`, bound to `context`.
    fn wrap<'a>(
        &'a self,
        context: &'a KeyContext,
        key: &'a ScopeKey,
    ) -> BoxFuture<'a, Result<Sealed, KmsError>>;

    /// Gives back the key that was wrapped for the same `context`.
    fn unwrap<'a>(
        &'a self,
        context: &'a KeyContext,
        wrapped: &'a Sealed,
    ) -> BoxFuture<'a, Result<ScopeKey, KmsError>>;
}

/// What the associated data of a wrapped key begin with.
const PURPOSE: &[u8] = b"chancery resource key 1";

/// What a wrapped key is bound to: each part after its length.
fn bound(context: &KeyContext) -> Vec<u8> {
    let generation = context.generation.to_be_bytes();
    let parts = [PURPOSE, context.geography.as_str().as_bytes(), context.resource.as_bytes(), &generation];
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// A key and its generation, ready for a service that wraps bytes, when it is of the context's generation.
fn framed(context: &KeyContext, key: &ScopeKey) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    let is_right = key.generation() == context.generation;
    if is_right { Ok(Zeroizing::new(key.framed().to_vec())) } else { Err(KmsError::Generation) }
}

/// The key that such a service gave back, when it is of the context's generation.
fn from_framed(context: &KeyContext, plain: &[u8]) -> Result<ScopeKey, KmsError> {
    let key = ScopeKey::from_framed(plain).ok_or(KmsError::Refused)?;
    if key.generation() == context.generation { Ok(key) } else { Err(KmsError::Generation) }
}

/// The same as text, for a service that takes bytes in base64.
fn framed_text(context: &KeyContext, key: &ScopeKey) -> Result<Zeroizing<String>, KmsError> {
    Ok(Zeroizing::new(BASE64_STANDARD.encode(&*framed(context, key)?)))
}

/// The key that such a service gave back as text.
fn from_framed_text(context: &KeyContext, text: String) -> Result<ScopeKey, KmsError> {
    let text = Zeroizing::new(text);
    let plain = BASE64_STANDARD.decode(text.as_bytes()).map(Zeroizing::new);
    from_framed(context, &plain.map_err(|_| KmsError::Unavailable)?)
}

/// What a wrapped key belongs to. All of it is authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyContext {
    /// The geography of the cell.
    pub geography: Geography,
    /// The resource whose key it is, or [`ResourceId::CELL`].
    pub resource: ResourceId,
    /// The generation of that key.
    pub generation: u32,
}

/// Why a key service did not answer with a key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KmsError {
    /// The wrapped key was made by another root key, for another context, or was changed. Trying again is no use.
    #[error("the wrapped key does not open here")]
    Refused,
    /// The key's generation is not the one of the context. Trying again is no use.
    #[error("the key is of another generation than its context")]
    Generation,
    /// The root key was disabled or deleted by its owner. Everything under it is unreadable until it is enabled.
    #[error("the root key is disabled")]
    Disabled,
    /// There is no such root key: its owner deleted it, and nothing under it can be read again, by anybody; or it never was.
    #[error("there is no such root key: it was deleted, or never was")]
    Deleted,
    /// The key service asks to wait.
    #[error("the key service is throttling")]
    Throttled {
        /// How long, when it said so.
        retry_after: Option<Duration>,
    },
    /// The key service cannot be reached or is at fault.
    #[error("the key service is unavailable")]
    Unavailable,
    /// The file of a local root key cannot be used.
    #[error("the root key file {0}")]
    KeyFile(KeyFileFault),
}

/// What is wrong with the file of a local root key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyFileFault {
    /// It is not a regular file of exactly 32 bytes that are not all zero.
    #[error("is not a key of 32 bytes")]
    Malformed,
    /// Its group or everybody may use it; it must be mode 0600 or 0400.
    #[error("may be read by others: make it mode 0600")]
    Permissions,
    /// It is sealed under a passphrase, and none is given.
    #[error("is sealed under a passphrase: say where that is")]
    Sealed,
    /// The passphrase is not the one it was sealed under, or the file was changed.
    #[error("does not open with this passphrase")]
    Passphrase,
    /// The operating system refused.
    #[error("cannot be read or written: {0}")]
    Io(std::io::ErrorKind),
}

impl From<std::io::Error> for KmsError {
    fn from(error: std::io::Error) -> Self {
        Self::KeyFile(KeyFileFault::Io(error.kind()))
    }
}
