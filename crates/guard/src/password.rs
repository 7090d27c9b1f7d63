//! Passwords at rest: PBKDF2-HMAC-SHA-256 (RFC 8018) with a salt of its own for each. It must never know whose they are.

use std::num::NonZeroU32;

use aws_lc_rs::{hmac, pbkdf2};
use base::{Rng, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// How often the hash is repeated for new passwords: a twentieth of a second of this machine. Those made here have 192
/// random bits, which no number of guesses finds; the work is for those that people choose.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(120_000).expect("not zero");
/// Random bytes of a password made here.
const RANDOM: usize = 24;

/// What is kept of a password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHash {
    iterations: u32,
    salt: [u8; 16],
    hash: [u8; 32],
}

impl PasswordHash {
    /// Of `password`. Takes a twentieth of a second: not for a thread that others wait for.
    #[must_use]
    pub fn new(password: &Secret<String>, rng: &dyn Rng) -> Self {
        let mut kept = Self { iterations: ITERATIONS.get(), salt: [0; 16], hash: [0; 32] };
        rng.fill(&mut kept.salt);
        let secret = password.expose().as_bytes();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, &kept.salt, secret, &mut kept.hash);
        kept
    }

    /// One that no password fits: to spend the same time where there is nobody to compare with.
    #[must_use]
    pub const fn nobody() -> Self {
        Self { iterations: ITERATIONS.get(), salt: [0; 16], hash: [0; 32] }
    }

    /// Whether `offered` is the password. Takes as long as [`PasswordHash::new`].
    #[must_use]
    pub fn is(&self, offered: &Secret<String>) -> bool {
        let Some(iterations) = NonZeroU32::new(self.iterations) else { return false };
        let secret = offered.expose().as_bytes();
        pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &self.salt, secret, &self.hash).is_ok()
    }

    /// A name under `key` for this hash together with `offered`, so that a pair that was found good can be remembered without
    /// keeping the password.
    #[must_use]
    pub fn fingerprint(&self, key: &[u8; 32], offered: &Secret<String>) -> [u8; 32] {
        let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
        mac.update(&self.iterations.to_be_bytes());
        mac.update(&self.salt);
        mac.update(&self.hash);
        mac.update(offered.expose().as_bytes());
        let mut out = [0; 32];
        out.copy_from_slice(mac.sign().as_ref());
        out
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// A new password: 32 characters of base64 for addresses, 192 random bits.
#[must_use]
pub fn generate(rng: &dyn Rng) -> Secret<String> {
    let mut bytes = [0; RANDOM];
    rng.fill(&mut bytes);
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use base::SeededRng;

    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_password_is_itself_and_no_other() {
        let rng = SeededRng::new(5);
        let kept = PasswordHash::new(&secret("correct horse"), &rng);
        assert!(kept.is(&secret("correct horse")));
        for other in ["", "correct hors", "Correct horse", "correct horse "] {
            assert!(!kept.is(&secret(other)), "{other}");
        }
        assert!(!PasswordHash::nobody().is(&secret("")));
        assert_ne!(kept, PasswordHash::new(&secret("correct horse"), &rng), "a salt of its own");
        assert_eq!(format!("{kept:?}"), "PasswordHash(..)");
    }

    #[test]
    fn the_derivation_is_the_standard_one() {
        // RFC 7914, section 11: PBKDF2-HMAC-SHA256 of "passwd" and "salt", one iteration, first 32 bytes.
        let mut out = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, NonZeroU32::MIN, b"salt", b"passwd", &mut out);
        assert_eq!(out[..8], [0x55, 0xac, 0x04, 0x6e, 0x56, 0xe3, 0x08, 0x9f]);
    }

    #[test]
    fn a_fingerprint_is_of_hash_and_password_and_key() {
        let rng = SeededRng::new(5);
        let kept = PasswordHash::new(&secret("a"), &rng);
        let other = PasswordHash::new(&secret("a"), &rng);
        let print = kept.fingerprint(&[1; 32], &secret("a"));
        assert_eq!(print, kept.fingerprint(&[1; 32], &secret("a")));
        assert_ne!(print, kept.fingerprint(&[1; 32], &secret("b")));
        assert_ne!(print, kept.fingerprint(&[2; 32], &secret("a")));
        assert_ne!(print, other.fingerprint(&[1; 32], &secret("a")));
    }

    #[test]
    fn made_ones_are_long_and_each_another() {
        let rng = SeededRng::new(5);
        let (one, two) = (generate(&rng), generate(&rng));
        assert_eq!(one.expose().len(), 32);
        assert_ne!(one.expose(), two.expose());
    }
}
