//! Where data may rest: the data locations of ACS, and names an operator adds.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest name of a geography, in bytes.
pub const MAX_GEOGRAPHY_LEN: usize = 40;

/// The data locations ACS offers, in the form of its `dataLocation` property without blanks.
pub const ACS_GEOGRAPHIES: [&str; 16] = [
    "africa",
    "asiapacific",
    "australia",
    "brazil",
    "canada",
    "europe",
    "france",
    "germany",
    "india",
    "japan",
    "korea",
    "norway",
    "switzerland",
    "uae",
    "uk",
    "unitedstates",
];

/// A place in which all that one resource owns stays. Lower-case ASCII letters, digits and inner hyphens, at most
/// [`MAX_GEOGRAPHY_LEN`] bytes, beginning with a letter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Geography(Arc<str>);

/// Why a text is no geography.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a geography: use lower-case letters, digits and inner hyphens, at most 40 characters, such as `europe`"
)]
pub struct InvalidGeography(String);

impl Geography {
    /// Its name, such as `europe`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is one of the sixteen of ACS rather than an operator's own.
    #[must_use]
    pub fn is_acs(&self) -> bool {
        ACS_GEOGRAPHIES.contains(&self.as_str())
    }
}

impl FromStr for Geography {
    type Err = InvalidGeography;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text.as_bytes();
        let fits = (1..=MAX_GEOGRAPHY_LEN).contains(&bytes.len())
            && bytes[0].is_ascii_lowercase()
            && bytes[bytes.len() - 1] != b'-'
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
        if fits { Ok(Self(text.into())) } else { Err(InvalidGeography(text.chars().take(60).collect())) }
    }
}

impl TryFrom<String> for Geography {
    type Error = InvalidGeography;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Geography> for String {
    fn from(geography: Geography) -> Self {
        geography.as_str().to_owned()
    }
}

impl fmt::Display for Geography {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Geography {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Geography({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_acs_and_an_operators_own() {
        for name in ACS_GEOGRAPHIES {
            assert!(name.parse::<Geography>().unwrap().is_acs());
        }
        assert!(!"canton-zurich2".parse::<Geography>().unwrap().is_acs());
        assert!("a".repeat(MAX_GEOGRAPHY_LEN).parse::<Geography>().is_ok());
    }

    #[test]
    fn refuses_what_could_leave_its_folder_or_hide() {
        let long = "a".repeat(MAX_GEOGRAPHY_LEN + 1);
        for bad in ["", "Europe", "../etc", "a/b", "-a", "a-", "1a", "a b", "é", "a\0", long.as_str()] {
            assert!(bad.parse::<Geography>().is_err(), "{bad:?}");
        }
    }
}
