//! The key that signs tokens.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

use super::verify::PublicKey;
use super::{Claims, format};

/// A P-256 key pair for ES256. Its id is the thumbprint of the public key (RFC 7638).
pub struct TokenSigner {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

/// The bytes are no key for tokens: an ECDSA key pair on P-256 is needed, private in PKCS#8, public as a JWK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a P-256 key")]
pub struct InvalidTokenKey;

impl TokenSigner {
    /// A new key pair, from the system's randomness.
    ///
    /// # Errors
    /// When the crypto library cannot make one.
    pub fn generate() -> Result<Self, InvalidTokenKey> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| InvalidTokenKey)
            .and_then(Self::new)
    }

    /// From what [`to_pkcs8`](Self::to_pkcs8) gave.
    ///
    /// # Errors
    /// When the bytes are not a P-256 key pair in PKCS#8.
    pub fn from_pkcs8(bytes: &[u8]) -> Result<Self, InvalidTokenKey> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes);
        pair.map_err(|_| InvalidTokenKey).and_then(Self::new)
    }

    fn new(pair: EcdsaKeyPair) -> Result<Self, InvalidTokenKey> {
        let public = PublicKey::from_point(pair.public_key().as_ref())?;
        Ok(Self { pair, public })
    }

    /// The private key in PKCS#8 (DER), to be sealed.
    ///
    /// # Panics
    /// Never: a key that was read or made can be written.
    #[must_use]
    pub fn to_pkcs8(&self) -> Secret<Vec<u8>> {
        let document = self.pair.to_pkcs8v1().expect("a key that was read can be written");
        Secret::new(document.as_ref().to_vec())
    }

    pub(super) const fn pair(&self) -> &EcdsaKeyPair {
        &self.pair
    }

    /// The key id: base64url of the SHA-256 thumbprint of RFC 7638.
    #[must_use]
    pub fn kid(&self) -> &str {
        self.public.kid()
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The public key as a JWK (RFC 7517), with `kid`, `use` and `alg`.
    #[must_use]
    pub fn jwk(&self) -> serde_json::Value {
        self.public.jwk()
    }

    /// A token that says `claims`.
    ///
    /// # Panics
    /// Never, unless the operating system gives no randomness.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        let mut token = format::encode(self.kid(), claims);
        let signature = self.pair.sign(&SystemRandom::new(), token.as_bytes()).expect("a valid key can sign");
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenSigner({})", self.kid())
    }
}
