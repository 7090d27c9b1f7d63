//! SHAKE128 (FIPS 202), for the test vectors of XAES-256-GCM only: the crypto library offers it no stream. It must
//! never leave the tests.

const RATE: usize = 168;
const ROTATIONS: [[u32; 5]; 5] =
    [[0, 36, 3, 41, 18], [1, 44, 10, 45, 2], [62, 6, 43, 15, 61], [28, 55, 25, 21, 56], [27, 20, 39, 8, 14]];

/// A sponge that is first written to, then read from.
pub(super) struct Shake128 {
    state: [[u64; 5]; 5],
    at: usize,
    reading: bool,
}

impl Shake128 {
    pub(super) fn new() -> Self {
        Self { state: [[0; 5]; 5], at: 0, reading: false }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        assert!(!self.reading, "written to after reading");
        for byte in bytes {
            self.absorb(*byte);
            if self.at == RATE {
                self.permute();
            }
        }
    }

    pub(super) fn read(&mut self, out: &mut [u8]) {
        if !self.reading {
            self.absorb(0x1F);
            self.at = RATE - 1;
            self.absorb(0x80);
            self.permute();
            self.reading = true;
        }
        for byte in out {
            if self.at == RATE {
                self.permute();
            }
            let (x, y, shift) = lane(self.at);
            *byte = (self.state[x][y] >> shift) as u8;
            self.at += 1;
        }
    }

    pub(super) fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.read(&mut out);
        out
    }

    fn absorb(&mut self, byte: u8) {
        let (x, y, shift) = lane(self.at);
        self.state[x][y] ^= u64::from(byte) << shift;
        self.at += 1;
    }

    /// Keccak-f[1600].
    fn permute(&mut self) {
        self.at = 0;
        let mut lfsr = 1u8;
        for _ in 0..24 {
            self.round();
            for j in 0..7 {
                if lfsr & 1 != 0 {
                    self.state[0][0] ^= 1 << ((1 << j) - 1);
                }
                lfsr = (lfsr << 1) ^ ((lfsr >> 7) * 0x71);
            }
        }
    }

    /// Theta, rho, pi and chi.
    fn round(&mut self) {
        let a = &mut self.state;
        let columns: [u64; 5] = std::array::from_fn(|x| a[x].iter().fold(0, |all, lane| all ^ lane));
        for (x, column) in a.iter_mut().enumerate() {
            let change = columns[(x + 4) % 5] ^ columns[(x + 1) % 5].rotate_left(1);
            column.iter_mut().for_each(|lane| *lane ^= change);
        }
        let mut b = [[0; 5]; 5];
        for x in 0..5 {
            for y in 0..5 {
                b[y][(2 * x + 3 * y) % 5] = a[x][y].rotate_left(ROTATIONS[x][y]);
            }
        }
        for x in 0..5 {
            for y in 0..5 {
                a[x][y] = b[x][y] ^ (!b[(x + 1) % 5][y] & b[(x + 2) % 5][y]);
            }
        }
    }
}

/// Which lane holds byte `at`, and where in it.
fn lane(at: usize) -> (usize, usize, usize) {
    (at / 8 % 5, at / 40, at % 8 * 8)
}

#[test]
fn shake128_of_nothing() {
    // FIPS 202 example, first 16 bytes.
    let expected =
        [0x7f, 0x9c, 0x2b, 0xa4, 0xe8, 0x8f, 0x82, 0x7d, 0x61, 0x60, 0x45, 0x50, 0x76, 0x05, 0x85, 0x3e];
    assert_eq!(Shake128::new().take::<16>(), expected);
}
