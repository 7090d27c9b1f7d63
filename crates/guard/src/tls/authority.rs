//! The server's own certificate authority, for installations without one. Its certificates pass the strict checks of
//! RFC 5280 that OpenSSL 3 and Python 3.13 make: key identifiers, basic constraints and key usage are all there.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use base::{Secret, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CrlDistributionPoint,
    DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PublicKeyData as _, SanType, SerialNumber,
};
use time::OffsetDateTime;

use super::TlsError;

const DAY: u64 = 24 * 3600;
/// Ten years.
const AUTHORITY_LIFE: Duration = Duration::from_secs(3652 * DAY);
/// One day less than the 398 that clients accept at most (CA/Browser Forum baseline requirements, section 6.3.2).
const LEAF_LIFE: Duration = Duration::from_secs(397 * DAY);
/// Certificates begin this much before they are made, for clients whose clock is late.
const HEAD_START: Duration = Duration::from_secs(3600);
/// The longest common name (X.520, ub-common-name), in characters.
const MAX_COMMON_NAME: usize = 64;
/// Names in one certificate.
const MAX_NAMES: usize = 100;

/// A self-signed authority with its P-256 key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    key: Secret<String>,
    revocations_at: Option<String>,
}

/// A certificate chain, leaf first, and the key of its leaf.
#[derive(Clone, Debug)]
pub struct PemPair {
    /// The leaf, then the authority.
    pub chain_pem: String,
    /// PKCS#8.
    pub key_pem: Secret<String>,
}

impl Authority {
    /// A new authority, good for ten years from `now`. It may sign servers, not further authorities.
    ///
    /// # Errors
    /// When the name is empty or over 64 characters, or the crypto library fails.
    pub fn generate(common_name: &str, now: Timestamp) -> Result<Self, TlsError> {
        let mut params = params(common_name, now, AUTHORITY_LIFE)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(|_| TlsError::Library)?;
        let certificate = params.self_signed(&key).map_err(|_| TlsError::Library)?.pem();
        let kept = Secret::new(key.serialize_pem());
        Ok(Self { certificate, key: kept, issuer: Issuer::new(params, key), revocations_at: None })
    }

    /// An authority that was kept.
    ///
    /// # Errors
    /// When the certificate or the key cannot be read, is none of an authority, or they do not belong together.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, TlsError> {
        let pair = KeyPair::from_pem(key).map_err(|_| TlsError::Key)?;
        let (_, pem) =
            x509_parser::pem::parse_x509_pem(certificate.as_bytes()).map_err(|_| TlsError::Certificate)?;
        let parsed = pem.parse_x509().map_err(|_| TlsError::Certificate)?;
        if parsed.public_key().raw != pair.subject_public_key_info() {
            return Err(TlsError::Mismatch);
        }
        if !parsed.is_ca() {
            return Err(TlsError::NotAnAuthority);
        }
        let kept = Secret::new(key.to_owned());
        let issuer = Issuer::from_ca_cert_pem(certificate, pair).map_err(|_| TlsError::Certificate)?;
        Ok(Self { issuer, certificate: certificate.to_owned(), key: kept, revocations_at: None })
    }

    /// The same; its certificates say that the list of those that were revoked is at `url`.
    #[must_use]
    pub fn with_revocations_at(mut self, url: &str) -> Self {
        self.revocations_at = Some(url.to_owned());
        self
    }

    /// The list of its revoked certificates (RFC 5280, section 5) in DER, good for as long as a certificate that is made
    /// now. It is empty: whose server key may be known to others makes a new authority.
    ///
    /// # Errors
    /// When the crypto library fails.
    pub fn revocations(&self, now: Timestamp) -> Result<Vec<u8>, TlsError> {
        let list = CertificateRevocationListParams {
            this_update: date(now.minus(HEAD_START))?,
            next_update: date(now.minus(HEAD_START).plus(LEAF_LIFE))?,
            crl_number: SerialNumber::from(now.as_secs()),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let signed = list.signed_by(&self.issuer).map_err(|_| TlsError::Library)?;
        Ok(signed.der().to_vec())
    }

    /// Its certificate: what clients must trust.
    #[must_use]
    pub fn cert_pem(&self) -> &str {
        &self.certificate
    }

    /// Its private key in PKCS#8.
    #[must_use]
    pub fn key_pem(&self) -> Secret<String> {
        self.key.clone()
    }

    /// A new key and a certificate for a server with these names, good for 397 days from `now`. A name may begin
    /// with `*.`.
    ///
    /// # Errors
    /// When there is no name, more than a hundred, or one that is no DNS name; or the crypto library fails.
    pub fn issue(&self, dns_names: &[String], ips: &[IpAddr], now: Timestamp) -> Result<PemPair, TlsError> {
        if !(1..=MAX_NAMES).contains(&(dns_names.len() + ips.len()))
            || !dns_names.iter().all(|n| is_dns_name(n))
        {
            return Err(TlsError::Name);
        }
        let mut params = self.leaf("Chancery server", ExtendedKeyUsagePurpose::ServerAuth, now)?;
        for name in dns_names {
            let name = name.as_str().try_into().map_err(|_| TlsError::Name)?;
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        params.subject_alt_names.extend(ips.iter().copied().map(SanType::IpAddress));
        self.signed(&params)
    }

    /// A new key and a certificate for a client of that name, good for 397 days from `now`.
    ///
    /// # Errors
    /// When the name is empty or over 64 characters, or the crypto library fails.
    pub fn issue_client(&self, name: &str, now: Timestamp) -> Result<PemPair, TlsError> {
        self.signed(&self.leaf(name, ExtendedKeyUsagePurpose::ClientAuth, now)?)
    }

    fn leaf(
        &self,
        common_name: &str,
        purpose: ExtendedKeyUsagePurpose,
        now: Timestamp,
    ) -> Result<CertificateParams, TlsError> {
        let mut params = params(common_name, now, LEAF_LIFE)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let point = self.revocations_at.iter().map(|url| CrlDistributionPoint { uris: vec![url.clone()] });
        params.crl_distribution_points.extend(point);
        params.extended_key_usages = vec![purpose];
        Ok(params)
    }

    fn signed(&self, params: &CertificateParams) -> Result<PemPair, TlsError> {
        let key = KeyPair::generate().map_err(|_| TlsError::Library)?;
        let leaf = params.signed_by(&key, &self.issuer).map_err(|_| TlsError::Library)?.pem();
        let chain_pem = format!("{}\n{}", leaf.trim_end(), self.certificate);
        Ok(PemPair { chain_pem, key_pem: Secret::new(key.serialize_pem()) })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority(..)")
    }
}

fn params(common_name: &str, now: Timestamp, life: Duration) -> Result<CertificateParams, TlsError> {
    if common_name.is_empty() || common_name.chars().count() > MAX_COMMON_NAME {
        return Err(TlsError::Name);
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date(now.minus(HEAD_START))?;
    params.not_after = date(now.minus(HEAD_START).plus(life))?;
    Ok(params)
}

fn date(instant: Timestamp) -> Result<OffsetDateTime, TlsError> {
    let secs = i64::try_from(instant.as_secs()).map_err(|_| TlsError::Library)?;
    OffsetDateTime::from_unix_timestamp(secs).map_err(|_| TlsError::Library)
}

/// A name as it may stand in a certificate: labels of letters, digits, hyphens and underscores, the first may be `*`.
fn is_dns_name(name: &str) -> bool {
    let rest = name.strip_prefix("*.").unwrap_or(name);
    name.len() <= 253
        && rest.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}
