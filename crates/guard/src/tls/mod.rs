//! TLS: the server's certificates and their own authority, and the configurations of both sides. Knows no sockets.

mod authority;
mod certificates;
mod clients;
pub mod mail;

use std::sync::Arc;

use base::Secret;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{
    NoServerSessionStorage, ProducesTickets, ServerSessionMemoryCache, StoresServerSessions,
};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use thiserror::Error;

pub use authority::{Authority, PemPair};
pub use certificates::CertificateStore;
pub use clients::{ClientAuthorities, mutual_server_config};

/// TLS 1.2 sessions kept in memory when there are no tickets; with tickets none is kept.
const SESSIONS: usize = 1024;

/// What is wrong with a certificate or key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TlsError {
    /// Not a certificate chain in PEM.
    #[error("no certificate can be read from the PEM")]
    Certificate,
    /// Not a private key in PEM, or of a kind that is not supported.
    #[error("no usable private key can be read from the PEM")]
    Key,
    /// Not a list of revoked certificates in PEM.
    #[error("no list of revoked certificates can be read from the PEM")]
    RevocationList,
    /// The certificate belongs to another key.
    #[error("the certificate and the private key do not belong together")]
    Mismatch,
    /// The certificate may not sign others.
    #[error("the certificate is not one of a certificate authority")]
    NotAnAuthority,
    /// A name cannot stand in a certificate, or there is none.
    #[error("a certificate needs at least one name, and only valid DNS names and addresses")]
    Name,
    /// The crypto library cannot make a key or sign.
    #[error("the crypto library cannot make the certificate")]
    Library,
}

/// Makes aws-lc-rs the process's provider of TLS cryptography. May be called again.
pub fn install_provider() {
    // An error says that there is one already, which is what we want.
    let _ = aws_lc_rs::default_provider().install_default();
}

/// TLS 1.3, and TLS 1.2 with ECDHE and an AEAD cipher: the provider has no other suites.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The server's side: HTTP/1.1, certificates from `certs`, resumption by tickets whose keys rotate.
///
/// # Panics
/// Never: the provider supports both protocol versions.
#[must_use]
pub fn server_config(certs: Arc<CertificateStore>) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .expect("the provider supports both versions")
        .with_no_client_auth()
        .with_cert_resolver(certs);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // The strongest suite that both know, in our order: clients do not always know what is good for them.
    config.ignore_client_order = true;
    let (ticketer, sessions) = resumption();
    if let Some(ticketer) = ticketer {
        config.ticketer = ticketer;
    }
    config.session_storage = sessions;
    // A client of an API keeps its connection: one ticket per handshake is enough.
    config.send_tls13_tickets = 1;
    Arc::new(config)
}

/// The server's side of SMTP: as [`server_config`], without a word on what is spoken within, which clients of mail do not
/// negotiate.
///
/// # Panics
/// Never: the provider supports both protocol versions.
#[must_use]
pub fn mail_server_config(certs: Arc<CertificateStore>) -> Arc<ServerConfig> {
    let mut config = ServerConfig::clone(&server_config(certs));
    config.alpn_protocols = Vec::new();
    Arc::new(config)
}

/// Tickets need no memory; only without them (no randomness) are sessions kept here.
fn resumption() -> (Option<Arc<dyn ProducesTickets>>, Arc<dyn StoresServerSessions>) {
    match aws_lc_rs::Ticketer::new() {
        Ok(ticketer) => (Some(ticketer), Arc::new(NoServerSessionStorage {})),
        Err(_) => (None, ServerSessionMemoryCache::new(SESSIONS)),
    }
}

/// The authorities in a PEM: at least one, and each of use.
fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.map_err(|_| TlsError::Certificate)?).map_err(|_| TlsError::Certificate)?;
    }
    if roots.is_empty() { Err(TlsError::Certificate) } else { Ok(roots) }
}

/// A client that trusts only the authorities in `ca_pem`: for tests, load tools and self-diagnosis.
///
/// # Errors
/// [`TlsError::Certificate`] when there is no certificate in the PEM.
///
/// # Panics
/// Never: the provider supports both protocol versions.
pub fn client_config(ca_pem: &[u8]) -> Result<Arc<ClientConfig>, TlsError> {
    client_config_showing(ca_pem, None)
}

/// The same, for a client that shows a certificate of its own: a chain and its key, both PEM.
///
/// # Errors
/// [`TlsError`] when one of them cannot be read, or chain and key do not belong together.
///
/// # Panics
/// Never: the provider supports both protocol versions.
pub fn client_config_showing(
    ca_pem: &[u8],
    shown: Option<(&[u8], &Secret<Vec<u8>>)>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let roots = roots(ca_pem)?;
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .expect("the provider supports both versions")
        .with_root_certificates(roots);
    let mut config = match shown {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
            let chain = chain.map_err(|_| TlsError::Certificate)?;
            let key = PrivateKeyDer::from_pem_slice(key.expose()).map_err(|_| TlsError::Key)?;
            builder.with_client_auth_cert(chain, key).map_err(|_| TlsError::Mismatch)?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests;
