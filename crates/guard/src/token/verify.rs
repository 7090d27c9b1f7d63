//! Checking tokens, with a bounded memory of those that were genuine.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey, UnparsedPublicKey};
use base::{BoundedCache, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::format::{self, ALGORITHM};
use super::sign::{InvalidTokenKey, TokenSigner};
use super::{Claims, TokenError};
use crate::hash::sha256;

/// Tokens remembered by one verifier; each takes about 200 bytes.
const REMEMBERED: usize = 65_536;
const SHARDS: usize = 16;

/// The public half of a token key.
#[derive(Clone)]
pub struct PublicKey {
    kid: String,
    x: String,
    y: String,
    key: ParsedPublicKey,
}

impl PublicKey {
    /// From an uncompressed point (SEC 1): 4, x, y.
    pub(super) fn from_point(point: &[u8]) -> Result<Self, InvalidTokenKey> {
        let [4, coordinates @ ..] = point else { return Err(InvalidTokenKey) };
        if coordinates.len() != 64 {
            return Err(InvalidTokenKey);
        }
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point.to_vec());
        let key = key.parse().map_err(|_| InvalidTokenKey)?;
        let [x, y] = [&coordinates[..32], &coordinates[32..]].map(|c| URL_SAFE_NO_PAD.encode(c));
        // RFC 7638, section 3: the required members only, in order, without blanks.
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        Ok(Self { kid: URL_SAFE_NO_PAD.encode(sha256(canonical.as_bytes())), x, y, key })
    }

    /// From a JWK. Its `kid` is not believed but worked out.
    ///
    /// # Errors
    /// When it is not a P-256 key.
    pub fn from_jwk(jwk: &Value) -> Result<Self, InvalidTokenKey> {
        let member = |name| jwk.get(name).and_then(Value::as_str).ok_or(InvalidTokenKey);
        if member("kty")? != "EC" || member("crv")? != "P-256" {
            return Err(InvalidTokenKey);
        }
        let mut point = vec![4];
        for name in ["x", "y"] {
            let coordinate = URL_SAFE_NO_PAD.decode(member(name)?).map_err(|_| InvalidTokenKey)?;
            if coordinate.len() != 32 {
                return Err(InvalidTokenKey);
            }
            point.extend(coordinate);
        }
        Self::from_point(&point)
    }

    /// The key id.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Whether `signature` (r and s, 32 bytes each) is this key's for `message`.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }

    /// The JWK, with `kid`, `use` and `alg`.
    #[must_use]
    pub fn jwk(&self) -> Value {
        json!({"kty": "EC", "crv": "P-256", "x": self.x, "y": self.y, "kid": self.kid, "use": "sig", "alg": ALGORITHM})
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.kid)
    }
}

type Shard = Mutex<BoundedCache<[u8; 32], Arc<Claims>>>;

/// Checks tokens of a fixed set of keys. To add or retire a key, make another verifier: nothing that the old one
/// remembers lives on.
pub struct TokenVerifier {
    keys: Vec<PublicKey>,
    genuine: Box<[Shard]>,
}

impl TokenVerifier {
    /// Accepts tokens of these keys.
    #[must_use]
    pub fn new(keys: Vec<PublicKey>) -> Self {
        let shard = || Mutex::new(BoundedCache::new(REMEMBERED / SHARDS));
        Self { keys, genuine: std::iter::repeat_with(shard).take(SHARDS).collect() }
    }

    /// Accepts tokens of these signers.
    #[must_use]
    pub fn from_signers(signers: &[&TokenSigner]) -> Self {
        Self::new(signers.iter().map(|signer| signer.public().clone()).collect())
    }

    /// What the token says, if it is genuine and its time is not over. That the identity still exists and its tokens
    /// were not revoked is the caller's to check, on every request.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<Claims>, TokenError> {
        if token.len() > super::MAX_TOKEN {
            return Err(TokenError::Malformed);
        }
        let id = sha256(token.as_bytes());
        let shard = &self.genuine[usize::from(id[0]) % SHARDS];
        let known = shard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_mut(&id)
            .map(|claims| Arc::clone(claims));
        let claims = if let Some(claims) = known {
            claims
        } else {
            let claims = Arc::new(self.check(token)?);
            shard.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&claims));
            claims
        };
        if now >= claims.expires_at { Err(TokenError::Expired) } else { Ok(claims) }
    }

    fn check(&self, token: &str) -> Result<Claims, TokenError> {
        let parts = format::decode(token)?;
        let key = self.keys.iter().find(|key| key.kid == parts.kid).ok_or(TokenError::UnknownKey)?;
        if key.signed(parts.signed.as_bytes(), &parts.signature) {
            Ok(parts.claims)
        } else {
            Err(TokenError::BadSignature)
        }
    }
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenVerifier").field(&self.keys).finish()
    }
}

/// What a token claims, without asking whether it is genuine: for fuzzing and diagnosis, never for a decision.
///
/// # Errors
/// [`TokenError::Malformed`].
pub fn parse_unverified(token: &str) -> Result<Claims, TokenError> {
    format::decode(token).map(|parts| parts.claims)
}
