//! Keys that seal: a scope key, a resource key and a root key are all this type, one wrapping the next. The bytes
//! leave it only wrapped by another one. It must never know where keys are kept.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// How often one process seals under one key. A nonce is 192 random bits, of which 2^80 under one key may be drawn before
/// two are the same with a chance of 2^-32 (C2SP, XAES-256-GCM); so 2^32 processes may each use theirs up. What one nonce may
/// seal is bounded by [`base::limits::MAX_RECORD`], far below the 2^36 bytes of AES-GCM (NIST SP 800-38D, 5.2.1.1).
pub const MAX_SEALS: u64 = 1 << 48;

/// A 256-bit key with its generation. What sealing needs is derived once, here, and wiped when it is dropped.
pub struct ScopeKey {
    key: Zeroizing<[u8; 32]>,
    generation: u32,
    cipher: Xaes,
    commitment: [u8; COMMITMENT],
    /// How often it has sealed here.
    seals: AtomicU64,
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
        Self { cipher: Xaes::new(&cipher), key, generation, commitment, seals: AtomicU64::new(0) }
    }

    /// Which generation of its scope's key this is.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// Seals `plaintext` for `place`, with a plain but authenticated `hint`.
    ///
    /// # Errors
    /// When the plaintext, the hint or a component of the place is longer than its bound; [`SealError::Exhausted`] past
    /// [`MAX_SEALS`].
    pub fn seal(
        &self,
        rng: &dyn Rng,
        place: &Place<'_>,
        hint: &[u8],
        plaintext: &[u8],
    ) -> Result<Sealed, SealError> {
        let (mut out, head) = envelope::begin(self.generation, hint, plaintext.len())?;
        let aad = Aad::new(&out[..head], place).ok_or(SealError::PlaceTooLong)?;
        // It cannot come round: at a thousand million a second the next 2^63 take centuries.
        if self.seals.fetch_add(1, Ordering::Relaxed) >= MAX_SEALS {
            return Err(SealError::Exhausted);
        }
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

    /// Seals under `newest` what was sealed under this key, for the same place and with the same hint. What was sealed is
    /// seen by nobody, and wiped.
    ///
    /// # Errors
    /// As [`open`](Self::open); within, as [`seal`](Self::seal).
    pub fn renew(
        &self,
        newest: &Self,
        rng: &dyn Rng,
        place: &Place<'_>,
        sealed: &Sealed,
    ) -> Result<Result<Sealed, SealError>, OpenError> {
        let hint = envelope::parse(sealed.as_bytes())?.hint;
        let plain = Zeroizing::new(self.open(place, sealed)?);
        Ok(newest.seal(rng, place, hint, &plain))
    }

    /// Seals this key and its generation under another key.
    ///
    /// # Errors
    /// When a component of the place is longer than its bound.
    pub fn wrap(&self, rng: &dyn Rng, wrapping: &Self, place: &Place<'_>) -> Result<Sealed, SealError> {
        wrapping.seal(rng, place, &[], &*self.framed())
    }

    /// This key and its generation, for a key service that wraps them by itself.
    pub(crate) fn framed(&self) -> Zeroizing<[u8; WRAPPED]> {
        let mut plain = Zeroizing::new([0; WRAPPED]);
        plain[0] = WRAPPED_VERSION;
        plain[1..5].copy_from_slice(&self.generation.to_be_bytes());
        plain[5..].copy_from_slice(&*self.key);
        plain
    }

    /// What [`framed`](Self::framed) gave; `None` for anything else.
    pub(crate) fn from_framed(plain: &[u8]) -> Option<Self> {
        let [WRAPPED_VERSION, g0, g1, g2, g3, key @ ..] = plain else { return None };
        let mut bytes = Zeroizing::new([0; 32]);
        if key.len() != bytes.len() {
            return None;
        }
        bytes.copy_from_slice(key);
        Some(Self::from_bytes(bytes, u32::from_be_bytes([*g0, *g1, *g2, *g3])))
    }

    /// Opens a key that [`wrap`](Self::wrap) sealed.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`OpenError::Malformed`] when what opens is not a key.
    pub fn unwrap(wrapping: &Self, place: &Place<'_>, sealed: &Sealed) -> Result<Self, OpenError> {
        let plain = Zeroizing::new(wrapping.open(place, sealed)?);
        Self::from_framed(&plain).ok_or(OpenError::Malformed)
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

#[cfg(test)]
mod tests {
    use base::limits::MAX_RECORD;
    use base::{Geography, ResourceId, SeededRng};
    use proptest::prelude::*;

    use super::super::{MAX_HINT, envelope::overhead};
    use super::*;

    const TEXT: &[u8] = b"the quick brown fox";

    fn europe() -> Geography {
        "europe".parse().unwrap()
    }

    fn place(geography: &Geography) -> Place<'_> {
        Place {
            geography,
            resource: ResourceId::from_bytes([7; 16]),
            keyspace: "message",
            key: b"row",
            scope: b"s",
        }
    }

    #[test]
    fn a_key_seals_so_often_and_no_more() {
        let (rng, geography) = (SeededRng::new(1), europe());
        let key = ScopeKey::generate(&rng, 1);
        key.seals.store(MAX_SEALS - 1, Ordering::Relaxed);
        let last = key.seal(&rng, &place(&geography), b"", TEXT).unwrap();
        for _ in 0..3 {
            let refused = key.seal(&rng, &place(&geography), b"", TEXT);
            assert_eq!(refused.unwrap_err(), SealError::Exhausted);
        }
        assert_eq!(key.open(&place(&geography), &last).unwrap(), TEXT, "it opens what it sealed");
        let newest = ScopeKey::generate(&rng, 2);
        assert!(
            key.renew(&newest, &rng, &place(&geography), &last).unwrap().is_ok(),
            "and gives it to the next"
        );
        assert_eq!(newest.wrap(&rng, &key, &place(&geography)).unwrap_err(), SealError::Exhausted);
    }

    fn changed(sealed: &Sealed, change: impl FnOnce(&mut Vec<u8>)) -> Sealed {
        let mut bytes = sealed.as_bytes().to_vec();
        change(&mut bytes);
        Sealed::from_stored(bytes)
    }

    #[test]
    fn opens_what_it_sealed_and_says_only_how_to_find_the_key() {
        let (rng, europe) = (SeededRng::new(1), europe());
        let key = ScopeKey::generate(&rng, 3);
        let sealed = key.seal(&rng, &place(&europe), b"hint", TEXT).unwrap();
        assert_eq!(sealed.header().unwrap(), crate::Header { generation: 3, hint: b"hint" });
        assert_eq!(key.open(&place(&europe), &sealed).unwrap(), TEXT);
        assert_eq!(sealed.as_bytes().len(), TEXT.len() + overhead(4));
        let again = Sealed::from_stored(sealed.clone().into_bytes());
        assert_eq!(again, sealed);
        assert_eq!(
            again.into_bytes().capacity(),
            TEXT.len() + overhead(4),
            "one allocation, of the right size"
        );
        assert_eq!(format!("{sealed:?} {key:?}"), "Sealed(102 bytes) ScopeKey(generation 3)");
        assert!(!sealed.as_bytes().windows(5).any(|w| w == b"quick"));
        let other = key.seal(&rng, &place(&europe), b"hint", TEXT).unwrap();
        assert_ne!(other, sealed, "each record has its own nonce");
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let (rng, europe) = (SeededRng::new(2), europe());
        let key = ScopeKey::generate(&rng, 1);
        let sealed = key.seal(&rng, &place(&europe), b"hint", TEXT).unwrap();
        for bit in 0..sealed.as_bytes().len() * 8 {
            let bad = changed(&sealed, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            assert!(key.open(&place(&europe), &bad).is_err(), "bit {bit}");
        }
        for len in 0..sealed.as_bytes().len() {
            let bad = changed(&sealed, |bytes| bytes.truncate(len));
            assert!(key.open(&place(&europe), &bad).is_err(), "cut to {len}");
            assert!(bad.header().is_ok() || len < overhead(4), "{len}");
        }
    }

    #[test]
    fn every_component_of_the_place_counts() {
        let (rng, here, there) = (SeededRng::new(3), europe(), "uk".parse().unwrap());
        let key = ScopeKey::generate(&rng, 1);
        let right = place(&here);
        let sealed = key.seal(&rng, &right, b"", TEXT).unwrap();
        let elsewhere = [
            Place { geography: &there, ..right },
            Place { resource: ResourceId::CELL, ..right },
            Place { keyspace: "messages", ..right },
            Place { key: b"roW", ..right },
            Place { key: b"", ..right },
            Place { scope: b"", ..right },
            Place { key: b"rows", scope: b"", ..right },
            Place { scope: &[0; 257], ..right },
        ];
        for wrong in elsewhere {
            assert_eq!(key.open(&wrong, &sealed), Err(OpenError::Refused), "{wrong:?}");
        }
        assert_eq!(key.open(&right, &sealed).unwrap(), TEXT);
    }

    #[test]
    fn other_keys_are_told_apart_before_opening() {
        let (rng, europe) = (SeededRng::new(4), europe());
        let (key, other) = (ScopeKey::generate(&rng, 1), ScopeKey::generate(&rng, 1));
        let later = ScopeKey::from_bytes(key.key.clone(), 2);
        let sealed = key.seal(&rng, &place(&europe), b"", TEXT).unwrap();
        assert_eq!(other.open(&place(&europe), &sealed), Err(OpenError::WrongKey));
        assert_eq!(later.open(&place(&europe), &sealed), Err(OpenError::WrongGeneration));
        let disguised = changed(&sealed, |bytes| bytes[5] = 2);
        assert_eq!(later.open(&place(&europe), &disguised), Err(OpenError::Refused));
        let committed = changed(&sealed, |bytes| bytes[31..63].copy_from_slice(&other.commitment));
        assert_eq!(other.open(&place(&europe), &committed), Err(OpenError::Refused));
        assert_eq!(key.open(&place(&europe), &committed), Err(OpenError::WrongKey));
    }

    #[test]
    fn lengths_at_and_past_their_limits() {
        let (rng, europe) = (SeededRng::new(5), europe());
        let key = ScopeKey::generate(&rng, 1);
        let text = vec![5; MAX_RECORD + 1];
        let sealed = key.seal(&rng, &place(&europe), &[1; MAX_HINT], &text[1..]).unwrap();
        assert_eq!(key.open(&place(&europe), &sealed).unwrap(), &text[1..]);
        assert_eq!(key.seal(&rng, &place(&europe), b"", &text), Err(SealError::TooLong));
        assert_eq!(key.seal(&rng, &place(&europe), &[1; MAX_HINT + 1], b""), Err(SealError::HintTooLong));
        let far = Place { key: &[0; 257], ..place(&europe) };
        assert_eq!(key.seal(&rng, &far, b"", b""), Err(SealError::PlaceTooLong));
        let empty = key.seal(&rng, &place(&europe), b"", b"").unwrap();
        assert_eq!(key.open(&place(&europe), &empty).unwrap(), b"");
    }

    #[test]
    fn wraps_and_unwraps_keys() {
        let (rng, europe) = (SeededRng::new(6), europe());
        let (root, key) = (ScopeKey::generate(&rng, 1), ScopeKey::generate(&rng, 9));
        let wrapped = key.wrap(&rng, &root, &place(&europe)).unwrap();
        assert_eq!(wrapped.header().unwrap().generation, 1, "the wrapping key's");
        let again = ScopeKey::unwrap(&root, &place(&europe), &wrapped).unwrap();
        assert_eq!((again.generation(), &*again.key), (9, &*key.key));
        let sealed = key.seal(&rng, &place(&europe), b"", TEXT).unwrap();
        assert_eq!(again.open(&place(&europe), &sealed).unwrap(), TEXT);
        assert_eq!(ScopeKey::unwrap(&key, &place(&europe), &wrapped).err(), Some(OpenError::WrongGeneration));
        let elsewhere = Place { key: b"other", ..place(&europe) };
        assert_eq!(ScopeKey::unwrap(&root, &elsewhere, &wrapped).err(), Some(OpenError::Refused));
    }

    #[test]
    fn renewed_it_opens_under_the_newest_key_alone() {
        let (rng, europe) = (SeededRng::new(8), europe());
        let (former, newest) = (ScopeKey::generate(&rng, 1), ScopeKey::generate(&rng, 2));
        let sealed = former.seal(&rng, &place(&europe), b"hint", TEXT).unwrap();
        let renewed = former.renew(&newest, &rng, &place(&europe), &sealed).unwrap().unwrap();
        assert_eq!(renewed.header().unwrap(), crate::Header { generation: 2, hint: b"hint" });
        assert_eq!(newest.open(&place(&europe), &renewed).unwrap(), TEXT);
        assert_eq!(former.open(&place(&europe), &renewed), Err(OpenError::WrongGeneration));
        let elsewhere = Place { key: b"other", ..place(&europe) };
        assert_eq!(former.renew(&newest, &rng, &elsewhere, &sealed), Err(OpenError::Refused));
        let other = ScopeKey::generate(&rng, 1);
        assert_eq!(other.renew(&newest, &rng, &place(&europe), &sealed), Err(OpenError::WrongKey));
    }

    #[test]
    fn what_is_no_key_is_not_unwrapped() {
        let (rng, europe) = (SeededRng::new(7), europe());
        let root = ScopeKey::generate(&rng, 1);
        for plain in [&[][..], &[1; 36], &[1; 38], &[2; 37], TEXT] {
            let sealed = root.seal(&rng, &place(&europe), b"", plain).unwrap();
            assert_eq!(ScopeKey::unwrap(&root, &place(&europe), &sealed).err(), Some(OpenError::Malformed));
        }
    }

    proptest! {
        #[test]
        fn round_trip_and_any_change_is_refused(
            seed in any::<u64>(),
            generation in any::<u32>(),
            hint in prop::collection::vec(any::<u8>(), 0..=MAX_HINT),
            text in prop::collection::vec(any::<u8>(), 0..400),
            row in prop::collection::vec(any::<u8>(), 0..=256),
            scope in prop::collection::vec(any::<u8>(), 0..=256),
            at in any::<prop::sample::Index>(),
            flip in 1u8..,
            tail in prop::collection::vec(any::<u8>(), 1..20),
        ) {
            let (rng, europe) = (SeededRng::new(seed), europe());
            let key = ScopeKey::generate(&rng, generation);
            let place = Place { key: &row, scope: &scope, ..place(&europe) };
            let sealed = key.seal(&rng, &place, &hint, &text).unwrap();
            prop_assert_eq!(&key.open(&place, &sealed).unwrap(), &text);
            prop_assert_eq!(sealed.header().unwrap().hint, &hint);
            let at = at.index(sealed.as_bytes().len());
            prop_assert!(key.open(&place, &changed(&sealed, |bytes| bytes[at] ^= flip)).is_err());
            prop_assert!(key.open(&place, &changed(&sealed, |bytes| bytes.truncate(at))).is_err());
            prop_assert!(key.open(&place, &changed(&sealed, |bytes| bytes.extend(&tail))).is_err());
            let longer = [scope.clone(), tail].concat();
            prop_assert_eq!(key.open(&Place { scope: &longer, ..place }, &sealed), Err(OpenError::Refused));
            let other = ScopeKey::generate(&rng, generation);
            prop_assert_eq!(other.open(&place, &sealed), Err(OpenError::WrongKey));
        }

        #[test]
        fn nothing_that_is_stored_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let (rng, europe) = (SeededRng::new(8), europe());
            let sealed = Sealed::from_stored([&[1, 1, 0, 0, 0, 1], bytes.as_slice()].concat());
            let key = ScopeKey::generate(&rng, 1);
            prop_assert!(key.open(&place(&europe), &sealed).is_err());
            let _ = Sealed::from_stored(bytes).header();
        }
    }
}
