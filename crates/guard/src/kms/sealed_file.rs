//! A local root key at rest under a passphrase: PBKDF2-HMAC-SHA-256 (RFC 8018) gives the key that seals it (AES-256-GCM).
//!
//! The file: 20 bytes of [`MAGIC`], the number of iterations (u32, big-endian), 16 bytes of salt, 12 of nonce, the 32 bytes
//! of the key encrypted, 16 of tag. What stands before the nonce is authenticated with it.

use std::num::NonZeroU32;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::pbkdf2;
use base::{Rng, Secret};
use zeroize::Zeroizing;

use super::KeyFileFault;

const MAGIC: &[u8; 20] = b"chancery root key 1\n";
/// For new files; as OWASP asked for in 2023 of this hash. A third of a second, once a start.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(600_000).expect("not zero");
/// The most that a file may ask for: past it, it is no file of ours.
const MAX_ITERATIONS: u32 = 100_000_000;
const SALT: usize = 16;
const NONCE: usize = 12;
const KEY: usize = 32;
const TAG: usize = 16;
const HEAD: usize = MAGIC.len() + 4 + SALT;
/// The length of a file.
pub(super) const SEALED_LEN: usize = HEAD + NONCE + KEY + TAG;

fn sealing_key(passphrase: &Secret<String>, iterations: NonZeroU32, salt: &[u8]) -> LessSafeKey {
    let mut key = Zeroizing::new([0; KEY]);
    let secret = passphrase.expose().as_bytes();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, secret, &mut *key);
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*key).expect("32 bytes are a key of AES-256"))
}

/// The file of `key` under `passphrase`.
pub(super) fn seal(
    key: &[u8; KEY],
    passphrase: &Secret<String>,
    rng: &dyn Rng,
) -> Result<Vec<u8>, KeyFileFault> {
    let (mut salt, mut nonce) = ([0; SALT], [0; NONCE]);
    rng.fill(&mut salt);
    rng.fill(&mut nonce);
    let mut file = [MAGIC, &ITERATIONS.get().to_be_bytes()[..], &salt].concat();
    let mut body = key.to_vec();
    let sealing = sealing_key(passphrase, ITERATIONS, &salt);
    let sealed = sealing.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(&file[..]),
        &mut body,
    );
    sealed.map_err(|_| KeyFileFault::Malformed)?;
    file.extend(nonce);
    file.extend(body);
    Ok(file)
}

/// Whether a file is one of these.
pub(super) fn is_sealed(file: &[u8]) -> bool {
    file.len() == SEALED_LEN && file.starts_with(MAGIC)
}

/// The key of a file.
pub(super) fn open(file: &[u8], passphrase: &Secret<String>) -> Result<Zeroizing<[u8; KEY]>, KeyFileFault> {
    let malformed = KeyFileFault::Malformed;
    let (head, rest) = file.split_at_checked(HEAD).ok_or(malformed)?;
    let (nonce, body) = rest.split_first_chunk::<NONCE>().ok_or(malformed)?;
    let (iterations, salt) = head[MAGIC.len()..].split_first_chunk::<4>().ok_or(malformed)?;
    let iterations = NonZeroU32::new(u32::from_be_bytes(*iterations)).ok_or(malformed)?;
    if iterations.get() > MAX_ITERATIONS {
        return Err(malformed);
    }
    let mut body = Zeroizing::new(body.to_vec());
    let opening = sealing_key(passphrase, iterations, salt);
    let opened = opening.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(head), &mut body);
    let opened = opened.map_err(|_| KeyFileFault::Passphrase)?;
    let mut key = Zeroizing::new([0; KEY]);
    key.copy_from_slice(opened.get(..KEY).ok_or(malformed)?);
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRng;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn only_the_passphrase_opens_it_and_nothing_in_it_can_be_changed() {
        let file = seal(&[7; KEY], &secret("correct horse"), &SystemRng).unwrap();
        assert!(is_sealed(&file) && !file.windows(4).any(|part| part == [7; 4]));
        assert_eq!(*open(&file, &secret("correct horse")).unwrap(), [7; KEY]);
        assert_eq!(open(&file, &secret("correct horsf")).unwrap_err(), KeyFileFault::Passphrase);
        // The last byte of the number of iterations, of salt, nonce, key and tag.
        for at in [MAGIC.len() + 3, HEAD - 1, HEAD + NONCE - 1, HEAD + NONCE + KEY - 1, SEALED_LEN - 1] {
            let mut other = file.clone();
            other[at] ^= 1;
            assert_eq!(open(&other, &secret("correct horse")).unwrap_err(), KeyFileFault::Passphrase, "{at}");
        }
    }

    #[test]
    fn what_is_no_such_file_is_refused_without_work() {
        let mut file = seal(&[7; KEY], &secret("x"), &SystemRng).unwrap();
        for iterations in [0, MAX_ITERATIONS + 1, u32::MAX] {
            file[MAGIC.len()..MAGIC.len() + 4].copy_from_slice(&iterations.to_be_bytes());
            assert_eq!(open(&file, &secret("x")).unwrap_err(), KeyFileFault::Malformed);
        }
        for short in [&file[..0], &file[..HEAD], &file[..HEAD + NONCE - 1]] {
            assert_eq!(open(short, &secret("x")).unwrap_err(), KeyFileFault::Malformed);
        }
        assert!(!is_sealed(&file[1..]) && !is_sealed(&[0; SEALED_LEN]));
    }
}
