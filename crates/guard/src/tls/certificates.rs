//! The certificate a server shows, exchangeable while it serves.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use base::Timestamp;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::TlsError;

struct Current {
    key: Arc<CertifiedKey>,
    expires_at: Timestamp,
}

/// One certificate chain with its key. Handshakes under way keep what they began with; the next one sees the new.
pub struct CertificateStore(RwLock<Current>);

impl CertificateStore {
    /// From a chain (leaf first) and its private key, both PEM.
    ///
    /// # Errors
    /// When either cannot be read, or they do not belong together.
    pub fn new(chain_pem: &[u8], key_pem: &[u8]) -> Result<Self, TlsError> {
        Ok(Self(RwLock::new(load(chain_pem, key_pem)?)))
    }

    /// Shows another certificate from now on. After an error the old one stays.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn replace(&self, chain_pem: &[u8], key_pem: &[u8]) -> Result<(), TlsError> {
        let next = load(chain_pem, key_pem)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// When the leaf certificate ends.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.0.read().unwrap_or_else(PoisonError::into_inner).expires_at
    }

    fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).key)
    }
}

impl ResolvesServerCert for CertificateStore {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key())
    }
}

impl fmt::Debug for CertificateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateStore(expires {})", self.expires_at())
    }
}

fn load(chain_pem: &[u8], key_pem: &[u8]) -> Result<Current, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain_pem).collect();
    let chain = chain.map_err(|_| TlsError::Certificate)?;
    let expires_at = chain.first().and_then(end_of).ok_or(TlsError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| TlsError::Key)?;
    let key = CertifiedKey::new(chain, any_supported_type(&key).map_err(|_| TlsError::Key)?);
    key.keys_match().map_err(|_| TlsError::Mismatch)?;
    Ok(Current { key: Arc::new(key), expires_at })
}

fn end_of(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let secs = u64::try_from(certificate.validity().not_after.timestamp()).ok()?;
    Some(Timestamp::from_millis(secs.saturating_mul(1000)))
}
