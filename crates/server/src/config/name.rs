//! Names that become parts of host names, held in lower case, so that two of them that differ in case only are one.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest DNS label (RFC 1035), and ACS's longest resource name.
const MAX_LABEL: usize = 63;
/// The longest DNS name.
const MAX_HOST: usize = 253;

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidName {
    /// Not the name of a resource.
    #[error(
        "a resource name has 1 to 63 letters, digits and hyphens and begins and ends with a letter or digit"
    )]
    Resource,
    /// Not a host name.
    #[error("a host is a DNS name or an IP address, without scheme, port and path")]
    Host,
}

/// The name of a resource: one DNS label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceName(String);

impl ResourceName {
    /// Reads a name.
    ///
    /// # Errors
    /// When it is no DNS label.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if is_label(text) { Ok(Self(text.to_ascii_lowercase())) } else { Err(InvalidName::Resource) }
    }

    /// The name in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ResourceName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::parse(&text)
    }
}

impl From<ResourceName> for String {
    fn from(name: ResourceName) -> Self {
        name.0
    }
}

/// A host as clients write it: a DNS name or an IP address, without a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(String);

impl Host {
    /// Reads a host.
    ///
    /// # Errors
    /// When it is neither a DNS name nor an IP address.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if text.parse::<IpAddr>().is_ok() {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        let fits = text.len() <= MAX_HOST && text.split('.').all(is_label);
        if fits { Ok(Self(text.to_ascii_lowercase())) } else { Err(InvalidName::Host) }
    }

    /// The host in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address it is, if it is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }
}

fn is_label(text: &str) -> bool {
    (1..=MAX_LABEL).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_names_are_labels_in_lower_case() {
        assert_eq!(ResourceName::parse("Contoso-1").unwrap().as_str(), "contoso-1");
        assert!(ResourceName::parse(&"a".repeat(63)).is_ok());
        let long = "a".repeat(64);
        for bad in ["", "-a", "a-", "a.b", "a b", "a_b", "é", "a/b", "a:b", "..", long.as_str()] {
            assert_eq!(ResourceName::parse(bad), Err(InvalidName::Resource), "{bad:?}");
        }
    }

    #[test]
    fn hosts_are_names_or_addresses_alone() {
        for good in ["chat.example.org", "LOCALHOST", "10.0.0.1", "::1", "fd00::1"] {
            assert!(Host::parse(good).is_ok(), "{good}");
        }
        assert!(
            Host::parse("::1").unwrap().address().is_some()
                && Host::parse("a.b").unwrap().address().is_none()
        );
        let long = format!("{}a", "a.".repeat(127));
        for bad in ["", "https://x", "x:443", "x/y", "x.", ".x", "a..b", "[::1]", "*.x", "x y", long.as_str()]
        {
            assert_eq!(Host::parse(bad), Err(InvalidName::Host), "{bad:?}");
        }
    }
}
