//! Typed identifiers. None of them says anything about a person; all are minted from an [`Rng`](crate::Rng).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Rng, Timestamp};

/// Why a text is no identifier of the kind asked for. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a valid {0} id")]
pub struct InvalidId(&'static str);

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name([u8; 16]);

        impl $name {
            /// From its sixteen bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// A new one, marked as a random UUID (version 4, RFC 9562).
            pub fn mint(rng: &dyn Rng) -> Self {
                let mut bytes = rng.id();
                bytes[6] = (bytes[6] & 0x0F) | 0x40;
                bytes[8] = (bytes[8] & 0x3F) | 0x80;
                Self(bytes)
            }

            /// Its sixteen bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// Thirty-two lower-case hexadecimal digits without hyphens.
            #[must_use]
            pub fn to_hex(&self) -> String {
                hex(&self.0)
            }

            /// Reads [`Self::to_hex`]'s form, and no other.
            ///
            /// # Errors
            /// When the text has another length or another digit.
            pub fn from_hex(text: &str) -> Result<Self, InvalidId> {
                unhex(text.as_bytes()).map(Self).ok_or(InvalidId($kind))
            }
        }

        impl fmt::Display for $name {
            /// The hyphenated form, `8-4-4-4-12` lower-case digits.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let h = hex(&self.0);
                write!(f, "{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($kind, ":{}"), self)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                hyphenated(text).map(Self).ok_or(InvalidId($kind))
            }
        }
    };
}

random_id!(
    /// One Communication Services resource: the tenant unit.
    ResourceId, "resource"
);
random_id!(
    /// One communication user, unique within its resource.
    UserId, "user"
);
random_id!(
    /// One chat thread, unique within its resource.
    ThreadId, "thread"
);
random_id!(
    /// One mail, and the operation that sends it: the client may choose it.
    MailId, "mail"
);
random_id!(
    /// One entry of a list that a service keeps for a resource: an operation, a search, a reservation.
    EntryId, "entry"
);

impl EntryId {
    /// A new one that begins with the time, so that entries sort by when they were made (version 7, RFC 9562).
    pub fn timed(at: Timestamp, rng: &dyn Rng) -> Self {
        let mut bytes = rng.id();
        bytes[..6].copy_from_slice(&at.as_millis().to_be_bytes()[2..]);
        bytes[6] = (bytes[6] & 0x0F) | 0x70;
        bytes[8] = (bytes[8] & 0x3F) | 0x80;
        Self(bytes)
    }

    /// The least id of that time and later: all older ones sort before it.
    #[must_use]
    pub fn from_time(at: Timestamp) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&at.as_millis().to_be_bytes()[2..]);
        Self(bytes)
    }
}

impl ResourceId {
    /// Stands for the cell itself, in the places that name a resource: its signing keys and its own key hierarchy.
    pub const CELL: Self = Self([0; 16]);
}

/// A chat message within its thread: milliseconds since 1970, pushed on where two would be equal, so that within a
/// thread ids rise strictly. On the wire a decimal string (ACS behaviour, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub u64);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for MessageId {
    type Err = InvalidId;

    /// Decimal digits without sign or leading zero, at most nineteen.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = (1..=19).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'));
        if !plain {
            return Err(InvalidId("message"));
        }
        text.parse().map(Self).map_err(|_| InvalidId("message"))
    }
}

fn hex(bytes: &[u8; 16]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(32);
    for b in bytes {
        out.push(char::from(DIGITS[usize::from(b >> 4)]));
        out.push(char::from(DIGITS[usize::from(b & 15)]));
    }
    out
}

fn unhex(text: &[u8]) -> Option<[u8; 16]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    if text.len() != 32 {
        return None;
    }
    let mut out = [0; 16];
    for (slot, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        *slot = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(out)
}

fn hyphenated(text: &str) -> Option<[u8; 16]> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 || [8, 13, 18, 23].iter().any(|at| bytes[*at] != b'-') {
        return None;
    }
    let mut digits = [0; 32];
    let kept = bytes.iter().enumerate().filter(|(at, _)| ![8, 13, 18, 23].contains(at));
    for (slot, (_, b)) in digits.iter_mut().zip(kept) {
        *slot = b.to_ascii_lowercase();
    }
    unhex(&digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededRng;

    #[test]
    fn both_forms_round_trip() {
        let id = ThreadId::mint(&SeededRng::new(1));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(ThreadId::from_hex(&id.to_hex()), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id), "GUIDs may come in capitals");
        assert_eq!(&id.to_string()[14..15], "4", "a version 4 UUID");
    }

    #[test]
    fn refuses_other_forms() {
        let id = UserId::mint(&SeededRng::new(2));
        let hyphened = id.to_string();
        for bad in [
            "",
            "x",
            &hyphened[1..],
            &hyphened.replace('-', "_"),
            &format!("{hyphened}0"),
            &hyphened.replace('4', "g"),
        ] {
            assert!(bad.parse::<UserId>().is_err(), "{bad}");
        }
        for bad in ["", &id.to_hex().to_uppercase(), &id.to_hex()[1..], "é"] {
            assert!(UserId::from_hex(bad).is_err() || bad == id.to_hex(), "{bad}");
        }
    }

    #[test]
    fn message_ids_are_plain_decimals() {
        assert_eq!("1795420800123".parse(), Ok(MessageId(1_795_420_800_123)));
        for bad in ["", "-1", "+1", "01", "1.0", "99999999999999999999", "1e3", " 1", "١"] {
            assert!(bad.parse::<MessageId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn entries_sort_by_time() {
        let rng = SeededRng::new(3);
        let at = |millis| Timestamp::from_millis(millis);
        let ids = [5, 6, 1_795_420_800_123].map(|millis| EntryId::timed(at(millis), &rng));
        assert!(ids.is_sorted() && ids[0] >= EntryId::from_time(at(5)) && ids[0] < EntryId::from_time(at(6)));
        assert_eq!(&ids[2].to_string()[14..15], "7");
        assert_eq!(ids[2].to_string().parse(), Ok(ids[2]));
    }

    #[test]
    fn debug_names_the_kind() {
        assert!(format!("{:?}", ResourceId::CELL).starts_with("resource:0000"));
    }
}
