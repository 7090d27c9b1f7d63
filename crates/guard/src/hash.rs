//! Digests and comparisons for the rest of the product: content hashes, blind indexes, equality that does not tell
//! where two values differ. It must never know what the bytes mean.

use aws_lc_rs::{constant_time, digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// SHA-256 (FIPS 180-4) of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// SHA-256 of `bytes` in standard base64 with padding, the form of the header `x-ms-content-sha256`.
#[must_use]
pub fn sha256_base64(bytes: &[u8]) -> String {
    STANDARD.encode(sha256(bytes))
}

/// A keyed hash under which a personal value can be found without being told: HMAC-SHA-256 of the length-prefixed
/// `domain` and the `bytes`, cut to 16 bytes. One domain per meaning, so that equal values in two places do not show.
#[must_use]
pub fn blind_index(key: &[u8; 32], domain: &str, bytes: &[u8]) -> [u8; 16] {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    mac.update(&(domain.len() as u64).to_be_bytes());
    mac.update(domain.as_bytes());
    mac.update(bytes);
    let mut out = [0; 16];
    out.copy_from_slice(&mac.sign().as_ref()[..16]);
    out
}

/// Whether `a` and `b` are equal, in a time that depends on their lengths only.
#[must_use]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_of_the_standard_examples() {
        assert_eq!(sha256_base64(b""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(sha256_base64(b"abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        assert_eq!(sha256(b"abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
    }

    #[test]
    fn blind_indexes_depend_on_all_three() {
        let (one, two) = ([1; 32], [2; 32]);
        let index = blind_index(&one, "email", b"a@example.com");
        assert_eq!(index, blind_index(&one, "email", b"a@example.com"));
        assert_ne!(index, blind_index(&two, "email", b"a@example.com"));
        assert_ne!(index, blind_index(&one, "phone", b"a@example.com"));
        assert_ne!(index, blind_index(&one, "email", b"b@example.com"));
        assert_ne!(blind_index(&one, "ab", b"c"), blind_index(&one, "a", b"bc"), "the boundary counts");
    }

    #[test]
    fn same_is_equality() {
        assert!(same(b"", b"") && same(b"abc", b"abc"));
        for (a, b) in [(&b"abc"[..], &b"abd"[..]), (b"abc", b"ab"), (b"", b"a"), (b"\0", b"")] {
            assert!(!same(a, b) && !same(b, a));
        }
    }
}
