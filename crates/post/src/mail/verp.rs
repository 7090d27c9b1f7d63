//! Where bounces come back to (VERP): an envelope sender that tells which mail it was, so that a bounce without any
//! readable content still finds it. Sealed with a short code, so that nobody can make bounces up.

/// What an envelope sender says: `b-<61 characters>@<bounce domain>`, 63 of the 64 bytes of a local part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verp {
    /// The resource that sent the mail.
    pub resource: [u8; 16],
    /// The operation id of the mail.
    pub mail: [u8; 16],
    /// Which part of it: the destination, or the recipient, as the sender counts.
    pub part: u8,
}

/// How many bytes of the code are kept: 40 bits, on top of two random ids that a forger would have to know as well.
pub const CODE: usize = 5;

const PREFIX: &str = "b-";
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const PAYLOAD: usize = 33;

impl Verp {
    /// The bytes that the code is made over: give them to the resource's keyed hash, and its result to
    /// [`Verp::address`], or compare its first [`CODE`] bytes with those of [`Verp::parse`] (in constant time).
    #[must_use]
    pub fn payload(&self) -> [u8; PAYLOAD] {
        let mut out = [0; PAYLOAD];
        out[..16].copy_from_slice(&self.resource);
        out[16..32].copy_from_slice(&self.mail);
        out[32] = self.part;
        out
    }

    /// The address, with the first [`CODE`] bytes of `code`.
    #[must_use]
    pub fn address(&self, code: &[u8; 16], domain: &str) -> String {
        let mut bytes = [0; PAYLOAD + CODE];
        bytes[..PAYLOAD].copy_from_slice(&self.payload());
        bytes[PAYLOAD..].copy_from_slice(&code[..CODE]);
        let mut out = String::with_capacity(PREFIX.len() + 62 + domain.len());
        out.push_str(PREFIX);
        let (mut bits, mut held) = (0_u32, 0_u32);
        for byte in bytes {
            bits = bits << 8 | u32::from(byte);
            held += 8;
            while held >= 5 {
                held -= 5;
                out.push(char::from(LETTERS[(bits >> held & 31) as usize]));
            }
        }
        if held > 0 {
            out.push(char::from(LETTERS[(bits << (5 - held) & 31) as usize]));
        }
        out.push('@');
        out.push_str(domain);
        out
    }

    /// Reads the local part of an address, in whatever case it came back; the code is not yet checked.
    #[must_use]
    pub fn parse(local: &str) -> Option<(Self, [u8; CODE])> {
        let (prefix, text) = local.split_at_checked(PREFIX.len())?;
        if !prefix.eq_ignore_ascii_case(PREFIX) || text.len() != (8 * (PAYLOAD + CODE)).div_ceil(5) {
            return None;
        }
        let mut bytes = [0; PAYLOAD + CODE];
        let (mut bits, mut held, mut at) = (0_u32, 0_u32, 0);
        for letter in text.bytes() {
            let letter = letter.to_ascii_lowercase();
            let value = LETTERS.iter().position(|one| *one == letter)?;
            bits = bits << 5 | u32::try_from(value).ok()?;
            held += 5;
            if held >= 8 {
                held -= 8;
                *bytes.get_mut(at)? = (bits >> held & 0xFF) as u8;
                at += 1;
            }
        }
        // The bits left over carry nothing: one form for each value.
        if bits & ((1 << held) - 1) != 0 || at != bytes.len() {
            return None;
        }
        let verp = Self {
            resource: bytes[..16].try_into().ok()?,
            mail: bytes[16..32].try_into().ok()?,
            part: bytes[32],
        };
        Some((verp, bytes[PAYLOAD..].try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mail::Address;

    #[test]
    fn goes_out_as_a_lawful_address_and_comes_back() {
        let verp = Verp { resource: [0xFF; 16], mail: [0x12; 16], part: 49 };
        let address = verp.address(&[0xAB; 16], "bounce.example.com");
        let parsed = Address::parse(&address).unwrap();
        assert_eq!((parsed.local().len(), parsed.domain()), (63, "bounce.example.com"));
        assert_eq!(Verp::parse(parsed.local()), Some((verp, [0xAB; 5])));
        assert_eq!(Verp::parse(&parsed.local().to_ascii_uppercase()), Some((verp, [0xAB; 5])));
    }

    #[test]
    fn other_addresses_are_not_taken_for_one() {
        let good = Verp { resource: [1; 16], mail: [2; 16], part: 3 }.address(&[4; 16], "d");
        let local = good.strip_suffix("@d").unwrap();
        for bad in
            ["", "b", "b-", "é", "postmaster", &local[..62], &format!("{local}a"), &local.replace("b-", "c-")]
        {
            assert_eq!(Verp::parse(bad), None, "{bad}");
        }
        let last = format!("{}7", &local[..62]);
        assert_eq!(Verp::parse(&last), None, "bits that carry nothing");
        assert_eq!(Verp::parse(&format!("b-1{}", &local[3..])), None, "a character outside the alphabet");
    }

    proptest! {
        #[test]
        fn round_trips(resource: [u8; 16], mail: [u8; 16], part: u8, code: [u8; 16]) {
            let verp = Verp { resource, mail, part };
            let address = verp.address(&code, "x.example");
            let (read, short) = Verp::parse(Address::parse(&address).unwrap().local()).unwrap();
            prop_assert_eq!(read, verp);
            prop_assert_eq!(&short[..], &code[..CODE]);
        }

        #[test]
        fn never_panics(text in ".{0,80}") {
            let _ = Verp::parse(&text);
        }
    }
}
