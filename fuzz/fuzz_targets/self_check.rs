//! Shows that fuzzing works: a planted fault that no amount of luck would find in a minute, and that feedback from
//! coverage and comparisons finds at once. `scripts/fuzz` fails when this target does not crash.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let [b'c', b'h', b'a', b'n', a, b, c, d, ..] = data {
        assert_ne!(u32::from_be_bytes([*a, *b, *c, *d]), 0xDEAD_BEEF, "the planted fault");
    }
});
