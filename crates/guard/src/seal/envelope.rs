//! Envelope format 1: the bytes of a sealed record and what they are bound to (`docs/formats/envelope.md`). Layout
//! only; it must never see a key.

use base::limits::{MAX_KEY, MAX_RECORD};

use super::xaes::{NONCE, TAG};
use super::{OpenError, Place, SealError};

/// The envelope format version this code writes and reads.
pub(super) const VERSION: u8 = 1;
/// Suite 1: XAES-256-GCM, commitment by HKDF-SHA-256.
pub(super) const SUITE: u8 = 1;
/// Length of a key commitment in bytes.
pub(super) const COMMITMENT: usize = 32;
/// Version, suite, generation and hint length.
const FIXED: usize = 7;
/// The longest hint, in bytes.
pub const MAX_HINT: usize = 64;
/// The longest keyspace name, in bytes.
pub const MAX_KEYSPACE: usize = 64;
/// The longest scope, in bytes.
pub const MAX_SCOPE: usize = 256;
const MAX_AAD: usize =
    6 * 4 + FIXED + MAX_HINT + base::geography::MAX_GEOGRAPHY_LEN + 16 + MAX_KEYSPACE + MAX_KEY + MAX_SCOPE;

/// How many bytes an envelope has beyond its plaintext.
pub(super) const fn overhead(hint: usize) -> usize {
    FIXED + hint + NONCE + COMMITMENT + TAG
}

/// An envelope cut at its boundaries. Nothing is known yet of whether it is genuine.
pub(super) struct Parts<'a> {
    /// From the version to the end of the hint: authenticated as it stands.
    pub(super) head: &'a [u8],
    pub(super) generation: u32,
    pub(super) hint: &'a [u8],
    pub(super) nonce: &'a [u8; NONCE],
    pub(super) commitment: &'a [u8; COMMITMENT],
    pub(super) ciphertext: &'a [u8],
    pub(super) tag: &'a [u8; TAG],
}

/// Cuts `bytes`, whatever they are, without a panic.
pub(super) fn parse(bytes: &[u8]) -> Result<Parts<'_>, OpenError> {
    match bytes {
        [] => return Err(OpenError::Malformed),
        [version, ..] if *version != VERSION => return Err(OpenError::UnsupportedVersion(*version)),
        [_, suite, ..] if *suite != SUITE => return Err(OpenError::UnsupportedSuite(*suite)),
        _ => {}
    }
    let (fixed, _) = bytes.split_first_chunk::<FIXED>().ok_or(OpenError::Malformed)?;
    let [_, _, g0, g1, g2, g3, hint_len] = *fixed;
    let hint_len = usize::from(hint_len);
    if hint_len > MAX_HINT {
        return Err(OpenError::Malformed);
    }
    let (head, rest) = bytes.split_at_checked(FIXED + hint_len).ok_or(OpenError::Malformed)?;
    let (nonce, rest) = rest.split_first_chunk().ok_or(OpenError::Malformed)?;
    let (commitment, rest) = rest.split_first_chunk().ok_or(OpenError::Malformed)?;
    let (ciphertext, tag) = rest.split_last_chunk().ok_or(OpenError::Malformed)?;
    if ciphertext.len() > MAX_RECORD {
        return Err(OpenError::Malformed);
    }
    let generation = u32::from_be_bytes([g0, g1, g2, g3]);
    Ok(Parts { head, generation, hint: &head[FIXED..], nonce, commitment, ciphertext, tag })
}

/// Begins an envelope: everything before the ciphertext. The buffer has room for all of it.
pub(super) fn begin(
    generation: u32,
    hint: &[u8],
    plaintext: usize,
) -> Result<(Vec<u8>, usize /* head */), SealError> {
    if plaintext > MAX_RECORD {
        return Err(SealError::TooLong);
    }
    let hint_len = u8::try_from(hint.len()).ok().filter(|n| usize::from(*n) <= MAX_HINT);
    let hint_len = hint_len.ok_or(SealError::HintTooLong)?;
    let mut out = Vec::with_capacity(overhead(hint.len()) + plaintext);
    out.extend_from_slice(&[VERSION, SUITE]);
    out.extend_from_slice(&generation.to_be_bytes());
    out.push(hint_len);
    out.extend_from_slice(hint);
    let head = out.len();
    Ok((out, head))
}

/// The associated data, built on the stack: six parts, each after its length as a big-endian `u32`.
pub(super) struct Aad {
    bytes: [u8; MAX_AAD],
    len: usize,
}

impl Aad {
    /// Binds the head of an envelope to its place. `None` when a component is longer than a place may be.
    pub(super) fn new(head: &[u8], place: &Place<'_>) -> Option<Self> {
        let fits = head.len() <= FIXED + MAX_HINT
            && place.keyspace.len() <= MAX_KEYSPACE
            && place.key.len() <= MAX_KEY
            && place.scope.len() <= MAX_SCOPE;
        if !fits {
            return None;
        }
        let mut aad = Self { bytes: [0; MAX_AAD], len: 0 };
        aad.part(head);
        aad.part(place.geography.as_str().as_bytes());
        aad.part(place.resource.as_bytes());
        aad.part(place.keyspace.as_bytes());
        aad.part(place.key);
        aad.part(place.scope);
        Some(aad)
    }

    fn part(&mut self, part: &[u8]) {
        // `new` has checked every length, so that neither the cast nor the slices can fail.
        self.raw(&(part.len() as u32).to_be_bytes());
        self.raw(part);
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// The bytes to authenticate.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
