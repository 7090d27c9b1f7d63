//! Randomness as an argument. The machine's own source lives in `guard`, beside the cryptography that needs it.

use std::sync::atomic::{AtomicU64, Ordering};

/// A source of random bytes. Implementations must be safe to share between threads.
pub trait Rng: Send + Sync + 'static {
    /// Fills `out` whole.
    fn fill(&self, out: &mut [u8]);

    /// Sixteen random bytes: an identifier.
    fn id(&self) -> [u8; 16] {
        let mut out = [0; 16];
        self.fill(&mut out);
        out
    }

    /// A number below `bound` (which must not be zero), for jitter and choice, not for keys: the bias of the
    /// remainder is below 2^-32 for bounds below 2^32.
    fn below(&self, bound: u64) -> u64 {
        let mut out = [0; 8];
        self.fill(&mut out);
        u64::from_le_bytes(out) % bound.max(1)
    }
}

/// A repeatable sequence from a seed (SplitMix64), for tests and simulation. It is predictable: never for keys.
#[derive(Debug)]
pub struct SeededRng(AtomicU64);

impl SeededRng {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Rng for SeededRng {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_one_sequence() {
        let (a, b, c) = (SeededRng::new(7), SeededRng::new(7), SeededRng::new(8));
        let (x, y, z) = (a.id(), b.id(), c.id());
        assert_eq!(x, y);
        assert_ne!(x, z);
        assert_ne!(a.id(), x, "the sequence moves on");
    }

    #[test]
    fn fills_every_length() {
        let rng = SeededRng::new(1);
        for len in 0..40 {
            let mut out = vec![0; len];
            rng.fill(&mut out);
            assert!(len < 8 || out.iter().any(|b| *b != 0));
        }
    }

    #[test]
    fn below_keeps_its_bound() {
        let rng = SeededRng::new(3);
        assert!((0..1000).all(|_| rng.below(10) < 10));
        assert_eq!(rng.below(1), 0);
        assert_eq!(rng.below(0), 0);
    }
}
