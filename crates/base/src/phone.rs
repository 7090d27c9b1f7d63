//! Telephone numbers: what one is, which kinds there are, and what may be done with one. The names are those of ACS.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Personal;

/// The fewest digits of a number with its country code.
pub const MIN_DIGITS: usize = 7;
/// The most digits of a number with its country code (ITU-T E.164, section 6.2.1).
pub const MAX_DIGITS: usize = 15;

/// A whole telephone number in the form of E.164: a plus sign, then [`MIN_DIGITS`] to [`MAX_DIGITS`] digits, the first
/// not zero. It names a person, so it does not print.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Personal<String>", into = "Personal<String>")]
pub struct PhoneNumber(Personal<String>);

/// Why a text is no telephone number. It does not quote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a phone number is a plus sign and 7 to 15 digits, such as +442079460000")]
pub struct InvalidNumber;

impl PhoneNumber {
    /// The number with its plus sign; keep it out of logs and errors.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The number without its plus sign, as subjects and ids of ACS have it; keep it out of logs and errors.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.0.expose().trim_start_matches('+')
    }

    /// Reads a number as it stands in a path or a query: the plus sign may be missing there.
    ///
    /// # Errors
    /// When it is none.
    pub fn lenient(text: &str) -> Result<Self, InvalidNumber> {
        if text.starts_with('+') { text.parse() } else { format!("+{text}").parse() }
    }
}

impl FromStr for PhoneNumber {
    type Err = InvalidNumber;

    fn from_str(text: &str) -> Result<Self, InvalidNumber> {
        let digits = text.strip_prefix('+').ok_or(InvalidNumber)?.as_bytes();
        let fits = (MIN_DIGITS..=MAX_DIGITS).contains(&digits.len())
            && digits[0] != b'0'
            && digits.iter().all(u8::is_ascii_digit);
        if fits { Ok(Self(Personal::new(text.to_owned()))) } else { Err(InvalidNumber) }
    }
}

impl TryFrom<Personal<String>> for PhoneNumber {
    type Error = InvalidNumber;

    fn try_from(text: Personal<String>) -> Result<Self, InvalidNumber> {
        text.expose().parse()
    }
}

impl From<PhoneNumber> for Personal<String> {
    fn from(number: PhoneNumber) -> Self {
        number.0
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneNumber(..)")
    }
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$of])* $variant),+ }

        impl $name {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The one of this name, compared without regard to case as ACS does.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name().eq_ignore_ascii_case(name))
            }
        }
    };
}

named! {
    /// What kind of number one is.
    NumberType {
        /// Of a place.
        Geographic = "geographic",
        /// Free for who calls it.
        TollFree = "tollFree",
        /// Of a mobile network.
        Mobile = "mobile",
    }
}

named! {
    /// Who a number is for.
    Assignment {
        /// One person.
        Person = "person",
        /// A program.
        Application = "application",
    }
}

named! {
    /// In which directions a number can be used.
    Capability {
        /// Not at all.
        None = "none",
        /// To be reached.
        Inbound = "inbound",
        /// To reach others.
        Outbound = "outbound",
        /// Both.
        Both = "inbound+outbound",
    }
}

#[expect(clippy::derivable_impls, reason = "the variants are written by a macro")]
impl Default for Capability {
    fn default() -> Self {
        Self::None
    }
}

impl Capability {
    /// Whether others can be reached from the number.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::Outbound | Self::Both)
    }

    /// Whether the number can be reached.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::Inbound | Self::Both)
    }

    /// Whether this one has all that `asked` has.
    #[must_use]
    pub const fn covers(self, asked: Self) -> bool {
        (self.sends() || !asked.sends()) && (self.receives() || !asked.receives())
    }
}

/// What a number can be used for; by default nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Capabilities {
    /// Calls.
    pub calling: Capability,
    /// Texts.
    pub sms: Capability,
}

impl Capabilities {
    /// Nothing.
    pub const NONE: Self = Self { calling: Capability::None, sms: Capability::None };

    /// Whether these have all that `asked` has.
    #[must_use]
    pub const fn cover(self, asked: Self) -> bool {
        self.calling.covers(asked.calling) && self.sms.covers(asked.sms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_at_and_past_their_limits() {
        for good in ["+1425555", "+14255550123", "+123456789012345", "+442079460000"] {
            let number: PhoneNumber = good.parse().unwrap();
            assert_eq!(number.expose(), good);
            assert_eq!(number.digits(), &good[1..]);
            assert_eq!(PhoneNumber::lenient(&good[1..]), Ok(number));
        }
        for bad in ["", "+", "14255550123", "+142555", "+1234567890123456", "+04255550123", "+1425555o123"] {
            assert_eq!(bad.parse::<PhoneNumber>(), Err(InvalidNumber), "{bad}");
        }
        for bad in ["", "++14255550123", "+1 4255550123", "+١٤٢٥٥٥٥٠١٢٣", "contoso"] {
            assert_eq!(PhoneNumber::lenient(bad), Err(InvalidNumber), "{bad}");
        }
    }

    #[test]
    fn a_number_does_not_print() {
        let number: PhoneNumber = "+14255550123".parse().unwrap();
        assert_eq!(
            format!("{number:?} {:?}", Personal::<String>::from(number.clone())),
            "PhoneNumber(..) Personal(..)"
        );
    }

    #[test]
    fn names_are_those_of_acs() {
        assert_eq!(NumberType::named("TOLLFREE"), Some(NumberType::TollFree));
        assert_eq!(Capability::named("inbound+outbound"), Some(Capability::Both));
        assert_eq!(Assignment::named("robot"), None);
        assert_eq!(NumberType::ALL.len() + Assignment::ALL.len() + Capability::ALL.len(), 9);
    }

    #[test]
    fn both_covers_each_and_none_covers_nothing() {
        use Capability::{Both, Inbound, None, Outbound};
        for asked in [None, Inbound, Outbound, Both] {
            assert!(Both.covers(asked) && asked.covers(None) && asked.covers(asked));
        }
        assert!(!Inbound.covers(Outbound) && !Outbound.covers(Both) && !None.covers(Inbound));
        let all = Capabilities { calling: Both, sms: Both };
        let texts = Capabilities { sms: Outbound, ..Capabilities::NONE };
        assert!(all.cover(texts) && !texts.cover(all) && texts.cover(Capabilities::NONE));
    }
}
