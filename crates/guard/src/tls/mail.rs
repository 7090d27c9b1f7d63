//! TLS as mail servers speak it to each other: verified by name (a smart host, MTA-STS), by records of the DNS (DANE, RFC
//! 7672), or encrypted without knowing to whom (RFC 7435), which is more than nothing.

use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{TlsError, provider};

/// One TLSA record (RFC 6698).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    /// Certificate usage: 2 (DANE-TA) and 3 (DANE-EE) count for mail.
    pub usage: u8,
    /// 0: the whole certificate, 1: its public key.
    pub selector: u8,
    /// 0: as it is, 1: SHA-256, 2: SHA-512.
    pub matching: u8,
    /// What it must be.
    pub data: Vec<u8>,
}

impl Tlsa {
    /// Whether a mail client can use it (RFC 7672, section 3.1).
    #[must_use]
    pub fn is_usable(&self) -> bool {
        let len = match self.matching {
            0 => !self.data.is_empty(),
            1 => self.data.len() == 32,
            2 => self.data.len() == 64,
            _ => false,
        };
        matches!(self.usage, 2 | 3) && self.selector <= 1 && len
    }

    /// Whether `certificate` (DER) is the one it means.
    #[must_use]
    pub fn matches(&self, certificate: &[u8]) -> bool {
        let part = match self.selector {
            0 => certificate,
            1 => match X509Certificate::from_der(certificate) {
                Ok((_, read)) => read.tbs_certificate.subject_pki.raw,
                Err(_) => return false,
            },
            _ => return false,
        };
        match self.matching {
            0 => part == self.data,
            1 => digest::digest(&digest::SHA256, part).as_ref() == self.data,
            2 => digest::digest(&digest::SHA512, part).as_ref() == self.data,
            _ => false,
        }
    }
}

/// Trusts the authorities in `ca_pem` and no other, and wants the server's name in its certificate.
///
/// # Errors
/// [`TlsError::Certificate`] when there is no certificate in the PEM. Those in a long list that cannot be read are left out.
pub fn mail_verified(ca_pem: &[u8]) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem).flatten() {
        // System bundles hold some that no verifier reads any more.
        let _ = roots.add(certificate);
    }
    if roots.is_empty() {
        return Err(TlsError::Certificate);
    }
    Ok(Arc::new(builder().with_root_certificates(roots).with_no_client_auth()))
}

/// Takes any certificate: for servers that nobody vouches for, where the choice is this or no encryption at all.
#[must_use]
pub fn mail_unverified() -> Arc<ClientConfig> {
    with_verifier(Verifier { provider: provider(), records: None })
}

/// Takes what `records` mean and nothing else. `names` are those that a certificate under a DANE-TA record may bear: the
/// destination, and the name of its server.
#[must_use]
pub fn mail_dane(records: Vec<Tlsa>, names: &[&str]) -> Arc<ClientConfig> {
    let names = names.iter().filter_map(|name| ServerName::try_from((*name).to_owned()).ok()).collect();
    with_verifier(Verifier { provider: provider(), records: Some((records, names)) })
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .expect("the provider supports both versions")
}

fn with_verifier(verifier: Verifier) -> Arc<ClientConfig> {
    let config = builder().dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Arc::new(config.with_no_client_auth())
}

/// By records, or (without any) not at all.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    records: Option<(Vec<Tlsa>, Vec<ServerName<'static>>)>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some((records, names)) = &self.records else { return Ok(ServerCertVerified::assertion()) };
        for record in records.iter().filter(|record| record.is_usable()) {
            // DANE-EE: names and dates do not count (RFC 7672, section 3.1.1).
            if record.usage == 3 && record.matches(end_entity) {
                return Ok(ServerCertVerified::assertion());
            }
            if record.usage == 2 {
                for anchor in intermediates.iter().filter(|anchor| record.matches(anchor)) {
                    if self.is_under(anchor, end_entity, intermediates, names, (ocsp, now)) {
                        return Ok(ServerCertVerified::assertion());
                    }
                }
            }
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl Verifier {
    /// Whether the certificate is under `anchor` and bears one of `names`.
    fn is_under(
        &self,
        anchor: &CertificateDer<'_>,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        names: &[ServerName<'static>],
        (ocsp, now): (&[u8], UnixTime),
    ) -> bool {
        let mut roots = RootCertStore::empty();
        if roots.add(anchor.clone().into_owned()).is_err() {
            return false;
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider)).build();
        verifier.is_ok_and(|verifier| {
            names
                .iter()
                .any(|name| verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now).is_ok())
        })
    }
}

#[cfg(test)]
#[path = "mail_tests.rs"]
mod tests;
