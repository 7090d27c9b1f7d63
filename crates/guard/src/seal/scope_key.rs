//! Keys that seal: a scope key, a resource key and a root key are all this type, one wrapping the next. The bytes
//! leave it only wrapped by another one. It must never know where keys are kept.

use std::fmt;

use aws_lc_rs::hkdf;
use base::Rng;
use zeroize::Zeroizing;

use super::envelope::{self, Aad, COMMITMENT};
use super::xaes::{NONCE, Xaes};
use super::{OpenError, Place, SealError, Sealed};
use crate::hash::same;

const SALT: &[u8] = b"chancery envelope 1";
const INFO_CIPHER: &[u8] = b"xaes-256-gcm";
const INFO_COMMITMENT: &[u8] = b"commitment";
/// The format of a wrapped key: version, generation, key.
const WRAPPED_VERSION: u8 = 1;
const WRAPPED: usize = 1 + 4 + 32;

/// A 256-bit key with its generation. What sealing needs is derived once, here, and wiped when it is dropped.
pub struct ScopeKey {
    key: Zeroizing<[u8; 32]>,
    generation: u32,
    cipher: Xaes,
    commitment: [u8; COMMITMENT],
}

impl ScopeKey {
    /// A new random key. Generations of one scope begin at 1 and rise.
    pub fn generate(rng: &dyn Rng, generation: u32) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        rng.fill(&mut *key);
        Self::from_bytes(key, generation)
    }

    pub(crate) fn from_bytes(key: Zeroizing<[u8; 32]>, generation: u32) -> Self {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(&*key);
        let mut cipher = Zeroizing::new([0; 32]);
        expand(&prk, INFO_CIPHER, &mut cipher);
        let mut commitment = [0; COMMITMENT];
        expand(&prk, INFO_COMMITMENT, &mut commitment);
        Self { cipher: Xaes::new(&cipher), key, generation, commitment }
    }

    /// Which generation of its scope's key this is.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// Seals `plaintext` for `place`, with a plain but authenticated `hint`.
    ///
    /// # Errors
    /// When the plaintext, the hint or a component of the place is longer than its bound.
    pub fn seal(
        &self,
        rng: &dyn Rng,
        place: &Place<'_>,
        hint: &[u8],
        plaintext: &[u8],
    ) -> Result<Sealed, SealError> {
        let (mut out, head) = envelope::begin(self.generation, hint, plaintext.len())?;
        let aad = Aad::new(&out[..head], place).ok_or(SealError::PlaceTooLong)?;
        let mut nonce = [0; NONCE];
        rng.fill(&mut nonce);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&self.commitment);
        let start = out.len();
        out.extend_from_slice(plaintext);
        let tag =
            self.cipher.seal(&nonce, aad.as_bytes(), &mut out[start..]).map_err(|_| SealError::Library)?;
        out.extend_from_slice(&tag);
        Ok(Sealed(out))
    }

    /// Opens what was sealed under this key for `place`.
    ///
    /// # Errors
    /// When it is no envelope, or one of another version, suite, generation, key or place, or was changed.
    pub fn open(&self, place: &Place<'_>, sealed: &Sealed) -> Result<Vec<u8>, OpenError> {
        let parts = envelope::parse(sealed.as_bytes())?;
        if parts.generation != self.generation {
            return Err(OpenError::WrongGeneration);
        }
        if !same(parts.commitment, &self.commitment) {
            return Err(OpenError::WrongKey);
        }
        let aad = Aad::new(parts.head, place).ok_or(OpenError::Refused)?;
        let mut out = vec![0; parts.ciphertext.len()];
        self.cipher
            .open(parts.nonce, aad.as_bytes(), parts.ciphertext, parts.tag, &mut out)
            .map_err(|_| OpenError::Refused)?;
        Ok(out)
    }

    /// Seals this key and its generation under another key.
    ///
    /// # Errors
    /// When a component of the place is longer than its bound.
    pub fn wrap(&self, rng: &dyn Rng, wrapping: &Self, place: &Place<'_>) -> Result<Sealed, SealError> {
        let mut plain = Zeroizing::new([0; WRAPPED]);
        plain[0] = WRAPPED_VERSION;
        plain[1..5].copy_from_slice(&self.generation.to_be_bytes());
        plain[5..].copy_from_slice(&*self.key);
        wrapping.seal(rng, place, &[], &*plain)
    }

    /// Opens a key that [`wrap`](Self::wrap) sealed.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`OpenError::Malformed`] when what opens is not a key.
    pub fn unwrap(wrapping: &Self, place: &Place<'_>, sealed: &Sealed) -> Result<Self, OpenError> {
        let plain = Zeroizing::new(wrapping.open(place, sealed)?);
        let [WRAPPED_VERSION, g0, g1, g2, g3, key @ ..] = plain.as_slice() else {
            return Err(OpenError::Malformed);
        };
        let mut bytes = Zeroizing::new([0; 32]);
        if key.len() != bytes.len() {
            return Err(OpenError::Malformed);
        }
        bytes.copy_from_slice(key);
        Ok(Self::from_bytes(bytes, u32::from_be_bytes([*g0, *g1, *g2, *g3])))
    }
}

impl fmt::Debug for ScopeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScopeKey(generation {})", self.generation)
    }
}

fn expand(prk: &hkdf::Prk, info: &[u8], out: &mut [u8; 32]) {
    prk.expand(&[info], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(out))
        .expect("32 bytes are one block of HKDF-SHA-256");
}
