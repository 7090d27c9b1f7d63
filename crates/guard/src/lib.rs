//! The security room: sealing and the key hierarchy, key services, request signatures, access tokens, TLS
//! certificates. The only crate that names a crypto library; it must never know HTTP stacks, tables or handlers.

pub mod dkim;
pub mod hash;
pub mod http_signature;
pub mod kms;
pub mod password;
pub mod random;
pub mod seal;
pub mod signature;
pub mod tls;
pub mod token;

pub use dkim::{DkimAlgorithm, DkimError, DkimKey};
pub use kms::{Ask, Exchange, Reply, Unreachable};
pub use kms::{AwsCredentials, AwsKms, AwsOptions, FetchCredentials};
pub use kms::{AzureApplication, AzureKms, AzureOptions, FetchApplication};
pub use kms::{BoxFuture, KeyContext, KeyFileFault, Kms, KmsError, LocalKms};
pub use kms::{FetchToken, VaultKms, VaultOptions};
pub use kms::{Pkcs11Fault, Pkcs11Kms, Pkcs11Options};
pub use kms::{holder, sealed_secret};
pub use random::SystemRng;
pub use seal::{Header, OpenError, Place, ScopeKey, SealError, Sealed};
/// Wipes what it holds when it is dropped.
pub use zeroize::Zeroizing;

#[cfg(test)]
mod wycheproof_tests;
