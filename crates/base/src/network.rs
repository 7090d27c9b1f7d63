//! Networks by address and prefix, and which addresses are of the public internet. Values only; it opens nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// Not a network: an address, or an address, `/`, and how many of its bits count, the others being zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a network such as 10.0.0.0/8")]
pub struct InvalidNetwork;

/// All addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether `address` is one of it. An IPv4 address written as IPv6 counts as what it is.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                mask(u128::from(first.to_bits()) << 96, self.bits)
                    == mask(u128::from(address.to_bits()) << 96, self.bits)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                mask(first.to_bits(), self.bits) == mask(address.to_bits(), self.bits)
            }
            _ => false,
        }
    }
}

/// From where something may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkRules {
    /// Whether it may be reached from the public internet, where `allow` names nothing.
    pub public: bool,
    /// If not empty: from here alone.
    pub allow: Vec<Network>,
    /// Never from here, whatever `allow` says.
    pub deny: Vec<Network>,
}

impl Default for NetworkRules {
    /// From everywhere.
    fn default() -> Self {
        Self { public: true, allow: Vec::new(), deny: Vec::new() }
    }
}

impl NetworkRules {
    /// Whether who comes from `address` is let in.
    #[must_use]
    pub fn admit(&self, address: IpAddr) -> bool {
        let among = |networks: &[Network]| networks.iter().any(|network| network.contains(address));
        if among(&self.deny) {
            return false;
        }
        if !self.allow.is_empty() {
            return among(&self.allow);
        }
        self.public || !is_public(address)
    }
}

/// The first `count` bits.
fn mask(bits: u128, count: u8) -> u128 {
    bits.checked_shr(128 - u32::from(count)).unwrap_or(0)
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| InvalidNetwork)?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().map_err(|_| InvalidNetwork)?
            }
            Some(_) => return Err(InvalidNetwork),
        };
        let whole = match first {
            IpAddr::V4(first) => u128::from(first.to_bits()) << 96,
            IpAddr::V6(first) => first.to_bits(),
        };
        // Bits past the prefix are somebody's mistake.
        if bits > most || whole.checked_shl(u32::from(bits)).unwrap_or(0) != 0 {
            return Err(InvalidNetwork);
        }
        Ok(Self { first, bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

/// Whether `address` is of the public internet: not this machine, not a private or shared network, not a link's own, not
/// many machines at once, not one set aside for documents, tests or translation (IANA special-purpose registries).
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0 | 10 | 127, ..] | [192, 168, ..] | [169, 254, ..] => true,
        [100, second, ..] => second & 0xC0 == 64,
        [172, second, ..] => second & 0xF0 == 16,
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            true
        }
        [first, ..] => first >= 224,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // What is given out is 2000::/3; within it Teredo and others (2001::/23), documents, and 6to4, which hides an IPv4 one.
    let special = (first == 0x2001 && (second < 0x200 || second == 0xDB8))
        || first == 0x2002
        || (first == 0x3FFF && second < 0x1000);
    first & 0xE000 == 0x2000 && !special
}

/// A version of TLS that is spoken here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    #[default]
    V1_2,
    /// TLS 1.3 (RFC 8446).
    V1_3,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_hold_what_begins_alike() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("192.168.4.0/22", "192.168.7.255", "192.168.8.0"),
            ("0.0.0.0/0", "8.8.8.8", "::1"),
            ("::/0", "2001:db8::1", "8.8.8.8"),
            ("::1/128", "::1", "::2"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"),
        ] {
            let read: Network = network.parse().unwrap();
            assert!(read.contains(ip(inside)) && !read.contains(ip(outside)), "{network}");
        }
        assert_eq!("10.0.0.0/8".parse::<Network>().unwrap().to_string(), "10.0.0.0/8");
        assert_eq!("::1".parse::<Network>().unwrap().to_string(), "::1/128");
    }

    #[test]
    fn who_is_denied_is_not_let_in_whoever_is_allowed() {
        let networks =
            |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Network>>();
        let admitted = |rules: &NetworkRules| {
            ["10.1.2.3", "10.9.9.9", "192.168.0.1", "8.8.8.8", "::ffff:10.1.2.3", "2a00:1450::1", "::1"]
                .map(|address| rules.admit(ip(address)))
        };
        let open = NetworkRules::default();
        assert_eq!(admitted(&open), [true; 7]);
        let private = NetworkRules { public: false, ..open.clone() };
        assert_eq!(admitted(&private), [true, true, true, false, true, false, true]);
        let denied = NetworkRules { deny: networks(&["10.1.0.0/16"]), ..open };
        assert_eq!(admitted(&denied), [false, true, true, true, false, true, true]);
        let allowed = NetworkRules { allow: networks(&["10.0.0.0/8", "8.8.8.0/24"]), ..denied };
        assert_eq!(admitted(&allowed), [false, true, false, true, false, false, false]);
        // Who is named is let in also when the public is not.
        assert_eq!(
            admitted(&NetworkRules { public: false, ..allowed }),
            [false, true, false, true, false, false, false]
        );
    }

    #[test]
    fn what_is_no_network() {
        for bad in [
            "",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.0.0.1/8",
            "::/129",
            "a/8",
            "10/8",
        ] {
            assert_eq!(bad.parse::<Network>(), Err(InvalidNetwork), "{bad}");
        }
    }

    #[test]
    fn only_what_is_given_out_is_public() {
        for public in [
            "8.8.8.8",
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860::8888",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(ip(public)), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "fc00::1",
            "fd00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "4000::1",
            "100::1",
        ] {
            assert!(!is_public(ip(private)), "{private}");
        }
    }
}
