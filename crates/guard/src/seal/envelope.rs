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
#[derive(Debug)]
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

#[cfg(test)]
mod tests {
    use base::{Geography, ResourceId};
    use proptest::prelude::*;

    use super::*;

    fn place<'a>(geography: &'a Geography, keyspace: &'a str, key: &'a [u8], scope: &'a [u8]) -> Place<'a> {
        Place { geography, resource: ResourceId::CELL, keyspace, key, scope }
    }

    #[test]
    fn associated_data_is_what_the_document_says() {
        let europe: Geography = "europe".parse().unwrap();
        let aad = Aad::new(b"HEAD", &place(&europe, "ks", b"\x01", b"")).unwrap();
        let expected = [
            b"\0\0\0\x04HEAD\0\0\0\x06europe\0\0\0\x10".as_slice(),
            &[0; 16],
            b"\0\0\0\x02ks\0\0\0\x01\x01\0\0\0\0",
        ]
        .concat();
        assert_eq!(aad.as_bytes(), expected);
    }

    #[test]
    fn places_at_and_past_their_bounds() {
        let longest: Geography = "g".repeat(40).parse().unwrap();
        let (keyspace, key, scope) = ("k".repeat(65), vec![1; MAX_KEY + 1], vec![2; MAX_SCOPE + 1]);
        let head = [3; FIXED + MAX_HINT + 1];
        let fits = |h: usize, n: usize, k: usize, s: usize| {
            Aad::new(&head[..h], &place(&longest, &keyspace[..n], &key[..k], &scope[..s])).map(|aad| aad.len)
        };
        assert_eq!(
            fits(FIXED + MAX_HINT, 64, MAX_KEY, MAX_SCOPE),
            Some(MAX_AAD),
            "the buffer is just enough"
        );
        assert_eq!(fits(FIXED + MAX_HINT + 1, 64, MAX_KEY, MAX_SCOPE), None);
        assert_eq!(fits(FIXED, 65, MAX_KEY, MAX_SCOPE), None);
        assert_eq!(fits(FIXED, 64, MAX_KEY + 1, MAX_SCOPE), None);
        assert_eq!(fits(FIXED, 64, MAX_KEY, MAX_SCOPE + 1), None);
    }

    #[test]
    fn lengths_at_and_past_their_bounds() {
        let (out, head) = begin(7, &[1; MAX_HINT], MAX_RECORD).unwrap();
        assert_eq!((head, out.capacity()), (FIXED + MAX_HINT, overhead(MAX_HINT) + MAX_RECORD));
        assert_eq!(begin(7, &[1; MAX_HINT + 1], 0), Err(SealError::HintTooLong));
        assert_eq!(begin(7, &[1; 300], 0), Err(SealError::HintTooLong));
        assert_eq!(begin(7, &[], MAX_RECORD + 1), Err(SealError::TooLong));

        let mut bytes = vec![0; overhead(0) + MAX_RECORD];
        bytes[..2].copy_from_slice(&[VERSION, SUITE]);
        assert_eq!(parse(&bytes).unwrap().ciphertext.len(), MAX_RECORD);
        bytes.push(0);
        assert_eq!(parse(&bytes).err(), Some(OpenError::Malformed));
    }

    #[test]
    fn says_first_what_it_cannot_read() {
        assert_eq!(parse(&[]).err(), Some(OpenError::Malformed));
        assert_eq!(parse(&[2]).err(), Some(OpenError::UnsupportedVersion(2)));
        assert_eq!(parse(&[0, 9]).err(), Some(OpenError::UnsupportedVersion(0)));
        assert_eq!(parse(&[1]).err(), Some(OpenError::Malformed));
        assert_eq!(parse(&[1, 2]).err(), Some(OpenError::UnsupportedSuite(2)));
        let mut bytes = vec![1, 1, 0, 0, 0, 1, 65];
        bytes.resize(300, 0);
        assert_eq!(parse(&bytes).err(), Some(OpenError::Malformed), "too long a hint");
    }

    proptest! {
        #[test]
        fn whatever_is_parsed_is_all_there(
            mut bytes in prop::collection::vec(any::<u8>(), 0..300),
            marked in any::<bool>(),
        ) {
            if let (true, [version, suite, ..]) = (marked, bytes.as_mut_slice()) {
                (*version, *suite) = (VERSION, SUITE);
            }
            if let Ok(parts) = parse(&bytes) {
                let all = [parts.head, parts.nonce, parts.commitment, parts.ciphertext, parts.tag].concat();
                prop_assert_eq!(parts.hint, &parts.head[FIXED..]);
                prop_assert_eq!(&parts.generation.to_be_bytes(), &parts.head[2..6]);
                prop_assert_eq!(all, bytes);
            }
        }

        #[test]
        fn different_places_have_different_associated_data(
            a in ("[a-c]{0,3}", "[a-c]{0,3}", "[a-c]{0,3}", "[a-c]{0,3}"),
            b in ("[a-c]{0,3}", "[a-c]{0,3}", "[a-c]{0,3}", "[a-c]{0,3}"),
        ) {
            let uk: Geography = "uk".parse().unwrap();
            let [x, y] = [&a, &b].map(|(head, keyspace, key, scope)| {
                let place = place(&uk, keyspace, key.as_bytes(), scope.as_bytes());
                Aad::new(head.as_bytes(), &place).unwrap().as_bytes().to_vec()
            });
            prop_assert_eq!(a == b, x == y);
        }
    }
}
