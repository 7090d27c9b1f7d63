//! An access key: the shared secret of a resource, and what it signs.

use std::fmt;

use aws_lc_rs::hmac;
use base::{Rng, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::hash::same;

/// Bytes of a key that is generated here; those of ACS are as long.
const GENERATED: usize = 64;
const SHORTEST: usize = 16;
const LONGEST: usize = 256;

/// One access key of a resource, ready to sign.
pub struct AccessKey {
    bytes: Zeroizing<Vec<u8>>,
    mac: hmac::Key,
}

/// The text is no access key: it must be standard base64 with padding, of 16 to 256 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an access key: standard base64 of 16 to 256 bytes is needed")]
pub struct InvalidAccessKey;

impl AccessKey {
    /// A new key of 64 random bytes.
    pub fn generate(rng: &dyn Rng) -> Self {
        let mut bytes = Zeroizing::new(vec![0; GENERATED]);
        rng.fill(&mut bytes);
        Self::from_bytes(bytes)
    }

    /// Reads the form of a connection string: standard base64 with padding.
    ///
    /// # Errors
    /// When the text is not that, or holds fewer than 16 or more than 256 bytes.
    pub fn parse(base64: &str) -> Result<Self, InvalidAccessKey> {
        if base64.len() > LONGEST.div_ceil(3) * 4 {
            return Err(InvalidAccessKey);
        }
        let bytes = Zeroizing::new(STANDARD.decode(base64).map_err(|_| InvalidAccessKey)?);
        if (SHORTEST..=LONGEST).contains(&bytes.len()) {
            Ok(Self::from_bytes(bytes))
        } else {
            Err(InvalidAccessKey)
        }
    }

    fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self { mac: hmac::Key::new(hmac::HMAC_SHA256, &bytes), bytes }
    }

    /// The form that [`parse`](Self::parse) reads.
    #[must_use]
    pub fn to_base64(&self) -> Secret<String> {
        Secret::new(STANDARD.encode(&*self.bytes))
    }

    /// HMAC-SHA-256 of a string to sign, in standard base64.
    #[must_use]
    pub fn sign(&self, string_to_sign: &str) -> String {
        STANDARD.encode(hmac::sign(&self.mac, string_to_sign.as_bytes()))
    }

    /// Whether `signature` is that of `string_to_sign`, without telling how nearly.
    pub(super) fn signed(&self, string_to_sign: &[u8], signature: &[u8; 32]) -> bool {
        same(hmac::sign(&self.mac, string_to_sign).as_ref(), signature)
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use base::SeededRng;

    use super::*;

    #[test]
    fn round_trips_and_does_not_print() {
        let key = AccessKey::generate(&SeededRng::new(1));
        let text = key.to_base64();
        assert_eq!(text.expose().len(), 88, "64 bytes");
        let again = AccessKey::parse(text.expose()).unwrap();
        assert_eq!(again.sign("x"), key.sign("x"));
        assert_ne!(AccessKey::generate(&SeededRng::new(2)).sign("x"), key.sign("x"));
        assert_eq!(format!("{key:?}"), "AccessKey(..)");
    }

    #[test]
    fn signs_as_rfc_4231_says() {
        // Test case 1 of RFC 4231 has a key of 20 bytes 0x0b.
        let key = AccessKey::parse("CwsLCwsLCwsLCwsLCwsLCwsLCws=").unwrap();
        assert_eq!(key.sign("Hi There"), "sDRMYdjbOFNcqK/OrwvxK4gdwgDJgz2nJuk3bC4yz/c=");
        let mut tag: [u8; 32] = STANDARD.decode(key.sign("Hi There")).unwrap().try_into().unwrap();
        assert!(key.signed(b"Hi There", &tag));
        tag[31] ^= 1;
        assert!(!key.signed(b"Hi There", &tag));
    }

    #[test]
    fn lengths_at_and_past_their_limits() {
        for (len, fits) in [(0, false), (15, false), (16, true), (64, true), (256, true), (257, false)] {
            let text = STANDARD.encode(vec![7; len]);
            assert_eq!(AccessKey::parse(&text).is_ok(), fits, "{len}");
        }
        assert!(AccessKey::parse(&"A".repeat(100_000)).is_err());
    }

    #[test]
    fn only_standard_base64() {
        let good = STANDARD.encode([0xFB; 32]);
        assert!(AccessKey::parse(&good).is_ok());
        for bad in [
            good.replace('+', "-").replace('/', "_"),
            good.trim_end_matches('=').to_owned(),
            format!(" {good}"),
            format!("{good}\n"),
            "é".repeat(16),
        ] {
            assert_eq!(AccessKey::parse(&bad).unwrap_err(), InvalidAccessKey, "{bad}");
        }
    }
}
