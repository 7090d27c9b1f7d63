//! XAES-256-GCM (C2SP, <https://c2sp.org/XAES-256-GCM>): AES-256-GCM with a nonce of 24 bytes, long enough to be
//! random. From the first half of the nonce a key of its own is derived per message. Knows nothing of envelopes.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::error::Unspecified;
use zeroize::{Zeroize, Zeroizing};

/// Length of a nonce in bytes.
pub(super) const NONCE: usize = 24;
/// Length of a tag in bytes.
pub(super) const TAG: usize = 16;

/// One key, with what does not depend on the nonce worked out once: the AES key schedule and the CMAC subkey K1.
pub(super) struct Xaes {
    block: EncryptingKey,
    subkey: [u8; 16],
}

impl Xaes {
    /// Takes up `key`.
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let block = UnboundCipherKey::new(&AES_256, key)
            .and_then(EncryptingKey::ecb)
            .expect("32 bytes are an AES-256 key");
        let mut subkey = [0; 16];
        encrypt_blocks(&block, &mut subkey);
        double(&mut subkey);
        Self { block, subkey }
    }

    /// The key and nonce of one message. Both CMAC inputs are one whole block, so that CMAC is one encryption each.
    fn derive(&self, nonce: &[u8; NONCE]) -> (LessSafeKey, Nonce) {
        let mut key = Zeroizing::new([0; 32]);
        for (counter, block) in (1..).zip(key.chunks_exact_mut(16)) {
            block[..4].copy_from_slice(&[0, counter, b'X', 0]);
            block[4..].copy_from_slice(&nonce[..12]);
            for (b, k) in block.iter_mut().zip(&self.subkey) {
                *b ^= k;
            }
        }
        encrypt_blocks(&self.block, &mut *key);
        let unbound = UnboundKey::new(&AES_256_GCM, &*key).expect("32 bytes are an AES-256 key");
        let mut short = [0; 12];
        short.copy_from_slice(&nonce[12..]);
        (LessSafeKey::new(unbound), Nonce::assume_unique_for_key(short))
    }

    /// Encrypts `text` where it stands and returns the tag.
    pub(super) fn seal(
        &self,
        nonce: &[u8; NONCE],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG], Unspecified> {
        let (key, nonce) = self.derive(nonce);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), text)?;
        tag.as_ref().try_into().map_err(|_| Unspecified)
    }

    /// Decrypts `ciphertext` into `out` (of the same length) if the tag is right.
    pub(super) fn open(
        &self,
        nonce: &[u8; NONCE],
        aad: &[u8],
        ciphertext: &[u8],
        tag: &[u8; TAG],
        out: &mut [u8],
    ) -> Result<(), Unspecified> {
        let (key, nonce) = self.derive(nonce);
        key.open_separate_gather(nonce, Aad::from(aad), ciphertext, tag, out)
    }
}

impl Drop for Xaes {
    fn drop(&mut self) {
        self.subkey.zeroize();
    }
}

fn encrypt_blocks(key: &EncryptingKey, blocks: &mut [u8]) {
    key.less_safe_encrypt(blocks, EncryptionContext::None).expect("whole blocks can be encrypted");
}

/// Doubling in GF(2^128), as CMAC (RFC 4493, section 2.3) makes its subkey, without a branch on secret bits.
fn double(block: &mut [u8; 16]) {
    let wide = u128::from_be_bytes(*block);
    let carry = (wide >> 127) * 0x87;
    *block = ((wide << 1) ^ carry).to_be_bytes();
}

#[cfg(test)]
mod tests {
    use super::super::shake::Shake128;
    use super::*;

    fn seal(key: [u8; 32], nonce: &[u8; NONCE], text: &[u8], aad: &[u8]) -> Vec<u8> {
        let mut out = text.to_vec();
        let tag = Xaes::new(&key).seal(nonce, aad, &mut out).unwrap();
        out.extend_from_slice(&tag);
        out
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// The two examples of the specification; with one the top bit of the block that K1 is made of is 0, with the
    /// other 1.
    #[test]
    fn examples_of_the_specification() {
        let nonce = b"ABCDEFGHIJKLMNOPQRSTUVWX";
        assert_eq!(
            hex(&seal([1; 32], nonce, b"XAES-256-GCM", b"")),
            "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"
        );
        assert_eq!(
            hex(&seal([3; 32], nonce, b"XAES-256-GCM", b"c2sp.org/XAES-256-GCM")),
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"
        );
    }

    /// The accumulated vector of the specification: inputs from one SHAKE128 stream, all outputs into another.
    #[test]
    fn ten_thousand_accumulated_examples() {
        let (mut inputs, mut outputs) = (Shake128::new(), Shake128::new());
        for _ in 0..10_000 {
            let (key, nonce) = (inputs.take::<32>(), inputs.take::<NONCE>());
            let mut text = vec![0; usize::from(inputs.take::<1>()[0])];
            inputs.read(&mut text);
            let mut aad = vec![0; usize::from(inputs.take::<1>()[0])];
            inputs.read(&mut aad);
            let sealed = seal(key, &nonce, &text, &aad);
            let (ciphertext, tag) = sealed.split_last_chunk().unwrap();
            let mut opened = vec![0; ciphertext.len()];
            Xaes::new(&key).open(&nonce, &aad, ciphertext, tag, &mut opened).unwrap();
            assert_eq!(opened, text);
            outputs.write(&sealed);
        }
        assert_eq!(
            hex(&outputs.take::<32>()),
            "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"
        );
    }

    #[test]
    fn doubling_reduces_when_the_top_bit_falls_out() {
        let mut block = [0; 16];
        block[15] = 1;
        double(&mut block);
        assert_eq!(block[15], 2);
        let mut block = [0; 16];
        block[0] = 0x80;
        double(&mut block);
        assert_eq!((block[0], block[15]), (0, 0x87));
    }

    #[test]
    fn refuses_what_was_not_sealed() {
        let (cipher, nonce) = (Xaes::new(&[9; 32]), [5; NONCE]);
        let mut text = *b"hello";
        let tag = cipher.seal(&nonce, b"aad", &mut text).unwrap();
        let mut out = [0; 5];
        assert!(cipher.open(&nonce, b"aad", &text, &tag, &mut out).is_ok() && out == *b"hello");
        assert!(cipher.open(&nonce, b"aaD", &text, &tag, &mut out).is_err());
        for half in [0, 23] {
            let mut other = nonce;
            other[half] ^= 1;
            assert!(
                cipher.open(&other, b"aad", &text, &tag, &mut out).is_err(),
                "both halves of the nonce count"
            );
        }
        assert!(Xaes::new(&[8; 32]).open(&nonce, b"aad", &text, &tag, &mut out).is_err());
    }
}
