//! What every room shares: typed identifiers, the clock and the dice as arguments, geographies, limits, and the
//! types that refuse to print what they hold. It knows no wire format and does no input or output.

pub mod cache;
pub mod clock;
pub mod geography;
pub mod id;
pub mod limits;
pub mod network;
pub mod origins;
pub mod phone;
pub mod private;
pub mod rng;

pub use cache::BoundedCache;
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use geography::Geography;
pub use id::{EntryId, MailId, MessageId, ResourceId, ThreadId, UserId};
pub use limits::Limits;
pub use network::{InvalidNetwork, Network, NetworkRules, TlsVersion};
pub use origins::Origins;
pub use phone::PhoneNumber;
pub use private::{Personal, Secret};
pub use rng::{Rng, SeededRng};

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_byte_has_two_digits() {
        assert_eq!(super::hex(&[0, 9, 10, 0xa5, 0xff]), "00090aa5ff");
        assert_eq!(super::hex(&[]), "");
    }
}
