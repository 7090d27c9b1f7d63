//! DKIM (RFC 6376, RFC 8463): the keys of a domain, what its DNS says of them, and signatures over messages. The
//! canonical forms and the header are those of `mail-auth`. It must never know who sends, or when a key is changed.

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base::{Secret, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_auth::common::crypto::{DkimKey as InnerKey, Ed25519Key, RsaKey, Sha256, SigningKey as _};
use mail_auth::common::headers::{HeaderStream, Writable, Writer};
use mail_auth::dkim::Signature;
use mail_auth::dkim::canonicalize::CanonicalHeaders;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::hash::sha256;

/// The longest string of a TXT record, in bytes (RFC 1035, section 3.3.14); a longer text is several.
const TXT_STRING: usize = 255;

/// Signed whether they are there or not, so that nobody can add one; `From` once more than it is there.
const ALWAYS: [&str; 8] = ["From", "From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To"];
/// Signed where they are.
const PRESENT: [&str; 9] = [
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "In-Reply-To",
    "References",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Importance",
];

/// Why a key cannot be used, or a message not be signed. It repeats neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DkimError {
    /// The bytes are no RSA key of 2048 bits or more and no Ed25519 key, in PKCS#8.
    #[error("not an RSA or Ed25519 key")]
    Key,
    /// The message has no header.
    #[error("the message has no header to sign")]
    Message,
    /// The crypto library cannot make a key, or sign.
    #[error("the crypto library cannot sign")]
    Library,
}

/// The algorithms of DKIM that are safe to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DkimAlgorithm {
    /// RSA with 2048 bits and SHA-256 (RFC 6376, RFC 8301): what every verifier knows.
    Rsa,
    /// Ed25519 with SHA-256 (RFC 8463): small and quick; older verifiers do not know it and go by the other one.
    Ed25519,
}

/// A private key, and what the DNS says of it.
pub struct DkimKey {
    key: InnerKey,
    pkcs8: Zeroizing<Vec<u8>>,
    /// `p=` of the record: SubjectPublicKeyInfo of an RSA key, the 32 bytes of an Ed25519 key.
    public: Vec<u8>,
    algorithm: DkimAlgorithm,
}

impl DkimKey {
    /// A new key, from the system's randomness. An RSA key takes some tenths of a second: not on a busy thread.
    ///
    /// # Errors
    /// [`DkimError::Library`] when the crypto library cannot make one.
    pub fn generate(algorithm: DkimAlgorithm) -> Result<Self, DkimError> {
        let pkcs8 = match algorithm {
            DkimAlgorithm::Rsa => {
                let pair = RsaPair::generate(KeySize::Rsa2048).map_err(|_| DkimError::Library)?;
                let der =
                    aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'static>>::as_der(&pair);
                der.map_err(|_| DkimError::Library)?.as_ref().to_vec()
            }
            DkimAlgorithm::Ed25519 => Ed25519Key::generate_pkcs8().map_err(|_| DkimError::Library)?,
        };
        Self::from_pkcs8(&pkcs8)
    }

    /// From what [`to_pkcs8`](Self::to_pkcs8) gave, or any PKCS#8 of such a key.
    ///
    /// # Errors
    /// [`DkimError::Key`] when it is no such key, or an RSA key under 2048 bits.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, DkimError> {
        let (key, public, algorithm) = if let Ok(pair) = RsaPair::from_pkcs8(pkcs8) {
            if pair.public_modulus_len() < 256 {
                return Err(DkimError::Key);
            }
            let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| DkimError::Key)?;
            let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8));
            let key = RsaKey::<Sha256>::from_key_der(der).map_err(|_| DkimError::Key)?;
            (InnerKey::Rsa(key), public.as_ref().to_vec(), DkimAlgorithm::Rsa)
        } else {
            let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| DkimError::Key)?;
            let key = Ed25519Key::from_pkcs8_der(pkcs8).map_err(|_| DkimError::Key)?;
            (InnerKey::Ed25519(key), pair.public_key().as_ref().to_vec(), DkimAlgorithm::Ed25519)
        };
        Ok(Self { key, pkcs8: Zeroizing::new(pkcs8.to_vec()), public, algorithm })
    }

    /// The private key in PKCS#8 (DER), to be sealed.
    #[must_use]
    pub fn to_pkcs8(&self) -> Secret<Vec<u8>> {
        Secret::new(self.pkcs8.to_vec())
    }

    /// Its algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> DkimAlgorithm {
        self.algorithm
    }

    /// What the TXT record at [`record_name`] says (RFC 6376, section 3.6.1).
    #[must_use]
    pub fn record(&self) -> String {
        let kind = match self.algorithm {
            DkimAlgorithm::Rsa => "rsa",
            DkimAlgorithm::Ed25519 => "ed25519",
        };
        format!("v=DKIM1; k={kind}; p={}", STANDARD.encode(&self.public))
    }

    /// The header field `DKIM-Signature` with its line end, to be put before `message`: `domain` answers for it with the
    /// key at `selector`. The header is canonical "relaxed", the body too; `at` is when it was signed.
    ///
    /// # Errors
    /// [`DkimError::Message`], [`DkimError::Library`].
    pub fn sign(
        &self,
        message: &[u8],
        domain: &str,
        selector: &str,
        at: Timestamp,
    ) -> Result<Vec<u8>, DkimError> {
        let mut signature = Signature {
            v: 1,
            a: self.key.algorithm(),
            d: domain.to_owned(),
            s: selector.to_owned(),
            h: headers_to_sign(message),
            ..Signature::default()
        };
        let (_, headers, signed, body) = signature.canonicalize(Fields::of(message));
        if !signed.iter().any(|name| name.eq_ignore_ascii_case("From")) || message.is_empty() {
            return Err(DkimError::Message);
        }
        let mut canonical = Vec::with_capacity(message.len());
        body.write(&mut canonical);
        signature.bh = STANDARD.encode(sha256(&canonical)).into_bytes();
        signature.h = signed;
        signature.t = at.as_secs();
        let signed =
            self.key.sign(Signable { headers, signature: &signature }).map_err(|_| DkimError::Library)?;
        signature.b = STANDARD.encode(signed).into_bytes();
        let mut out = Vec::with_capacity(1024);
        signature.write(&mut out, true);
        Ok(out)
    }
}

impl fmt::Debug for DkimKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DkimKey({:?})", self.algorithm)
    }
}

/// Where the record of `selector` stands: `<selector>._domainkey.<domain>`.
#[must_use]
pub fn record_name(selector: &str, domain: &str) -> String {
    format!("{selector}._domainkey.{domain}")
}

/// A TXT record's text as the strings it is made of, each short enough for the DNS; for those who write zone files.
#[must_use]
pub fn record_strings(record: &str) -> Vec<&str> {
    let mut strings = Vec::new();
    let mut rest = record;
    while let Some((string, after)) = rest.split_at_checked(TXT_STRING) {
        strings.push(string);
        rest = after;
    }
    if !rest.is_empty() {
        strings.push(rest);
    }
    strings
}

/// The names of [`ALWAYS`], and those of [`PRESENT`] that the message has.
fn headers_to_sign(message: &[u8]) -> Vec<String> {
    let mut names: Vec<String> = ALWAYS.map(str::to_owned).into();
    let mut fields = Fields::of(message);
    while let Some((name, _)) = fields.next_header() {
        if let Some(known) = PRESENT.iter().find(|known| name.eq_ignore_ascii_case(known.as_bytes()))
            && !names.iter().any(|name| name == known)
        {
            names.push((*known).to_owned());
        }
    }
    names
}

/// The header fields of a message one by one, then its body, as `mail-auth` wants them.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    const fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }
}

impl<'a> HeaderStream<'a> for Fields<'a> {
    fn next_header(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        if self.rest.starts_with(b"\r\n") {
            return None;
        }
        let colon = self.rest.iter().position(|byte| *byte == b':')?;
        let mut end = colon;
        loop {
            let line = self.rest[end..].iter().position(|byte| *byte == b'\n')?;
            end += line + 1;
            if !matches!(self.rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (field, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some((&field[..colon], &field[colon + 1..]))
    }

    fn body(&mut self) -> &'a [u8] {
        while self.next_header().is_some() {}
        self.rest.strip_prefix(b"\r\n").unwrap_or_default()
    }
}

/// What is signed: the canonical fields, then the signature's own without its value.
struct Signable<'a> {
    headers: CanonicalHeaders<'a>,
    signature: &'a Signature,
}

impl Writable for Signable<'_> {
    fn write(self, writer: &mut impl Writer) {
        self.headers.write(writer);
        self.signature.write(writer, false);
    }
}

#[cfg(test)]
#[path = "dkim/tests.rs"]
mod tests;
