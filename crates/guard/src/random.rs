//! The machine's own randomness, for keys and nonces. It lives beside the cryptography that needs it; everybody else
//! takes a [`base::Rng`].

use aws_lc_rs::rand;
use base::Rng;

/// The random generator of the crypto library, seeded from the operating system. Safe to share, safe for keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn fill(&self, out: &mut [u8]) {
        // The library itself aborts when the operating system gives no entropy; going on without it would be worse.
        rand::fill(out).expect("the system gives random bytes");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn never_repeats_and_fills_every_length() {
        let ids: HashSet<_> = (0..1000).map(|_| SystemRng.id()).collect();
        assert_eq!(ids.len(), 1000);
        for len in [0, 1, 15, 16, 17, 4096] {
            let mut out = vec![0; len];
            SystemRng.fill(&mut out);
            assert!(len < 15 || out.iter().any(|b| *b != 0), "{len}");
        }
    }

    #[test]
    fn every_bit_is_used() {
        let mut out = vec![0; 65_536];
        SystemRng.fill(&mut out);
        for bit in 0..8 {
            let ones = out.iter().filter(|b| **b & (1 << bit) != 0).count();
            // Mean 32,768, deviation 128: ten deviations away is no chance.
            assert!((31_488..=34_048).contains(&ones), "bit {bit}: {ones}");
        }
    }
}
