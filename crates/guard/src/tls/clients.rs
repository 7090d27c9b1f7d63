//! Certificates of clients: who issues them, which are revoked, and whether one that was shown still holds.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use base::Timestamp;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};

use super::{CertificateStore, TlsError, provider, roots, server_config};

/// The authorities whose certificates clients may show, exchangeable while the server runs.
pub struct ClientAuthorities(RwLock<Arc<dyn ClientCertVerifier>>);

impl ClientAuthorities {
    /// From authorities and lists of revoked certificates, both PEM; without lists nothing is revoked.
    ///
    /// # Errors
    /// [`TlsError`] when there is no authority, or either cannot be read.
    pub fn new(authorities: &[u8], revoked: Option<&[u8]>) -> Result<Arc<Self>, TlsError> {
        Ok(Arc::new(Self(RwLock::new(load(authorities, revoked)?))))
    }

    /// Trusts others from now on. After an error nothing changes.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn replace(&self, authorities: &[u8], revoked: Option<&[u8]>) -> Result<(), TlsError> {
        let next = load(authorities, revoked)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// Whether a chain that was shown, its own certificate first, holds at `now`. A connection may be older than the list
    /// that ends its certificate, so it is asked at each request.
    #[must_use]
    pub fn admit(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> bool {
        let Some((own, others)) = chain.split_first() else { return false };
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_millis(now.as_millis()));
        self.current().verify_client_cert(own, others, now).is_ok()
    }

    fn current(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn load(authorities: &[u8], revoked: Option<&[u8]>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let lists = CertificateRevocationListDer::pem_slice_iter(revoked.unwrap_or_default());
    let lists: Vec<_> = lists.collect::<Result<_, _>>().map_err(|_| TlsError::RevocationList)?;
    if revoked.is_some() && lists.is_empty() {
        return Err(TlsError::RevocationList);
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(authorities)?), provider());
    let built = builder.with_crls(lists).only_check_end_entity_revocation().build();
    built.map(|verifier| verifier as _).map_err(|_| TlsError::Certificate)
}

impl fmt::Debug for ClientAuthorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientAuthorities")
    }
}

impl ClientCertVerifier for ClientAuthorities {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Which authorities is told to nobody who has no certificate of them.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.current().verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.current().verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.current().verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.current().supported_verify_schemes()
    }
}

/// As [`server_config`], for clients that show a certificate of `clients` and no others.
///
/// # Panics
/// Never: the provider supports both protocol versions.
#[must_use]
pub fn mutual_server_config(
    certs: Arc<CertificateStore>,
    clients: Arc<ClientAuthorities>,
) -> Arc<ServerConfig> {
    let plain = server_config(Arc::clone(&certs));
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .expect("the provider supports both versions")
        .with_client_cert_verifier(clients)
        .with_cert_resolver(certs);
    config.alpn_protocols.clone_from(&plain.alpn_protocols);
    config.ignore_client_order = plain.ignore_client_order;
    config.ticketer = Arc::clone(&plain.ticketer);
    config.session_storage = Arc::clone(&plain.session_storage);
    config.send_tls13_tickets = plain.send_tls13_tickets;
    Arc::new(config)
}

#[cfg(test)]
#[path = "clients_tests.rs"]
mod tests;
