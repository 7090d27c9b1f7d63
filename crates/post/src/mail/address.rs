//! The grammar of mail addresses: `Mailbox` of RFC 5321, section 4.1.2, with the limits of its section 4.5.3.1. It must
//! never know who owns one.

use std::fmt;

use thiserror::Error;

/// The longest address, in bytes: a path of 256 (RFC 5321, section 4.5.3.1.3) without its angle brackets.
pub const MAX_ADDRESS: usize = 254;
/// The longest local part, in bytes (RFC 5321, section 4.5.3.1.1).
pub const MAX_LOCAL: usize = 64;
/// The longest domain, in bytes, as text without the last dot (RFC 1035, section 2.3.4).
pub const MAX_DOMAIN: usize = 253;
/// The longest label of a domain, in bytes (RFC 1035, section 2.3.4).
pub const MAX_LABEL: usize = 63;

/// Why a text is no address. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidAddress {
    /// Over [`MAX_ADDRESS`], [`MAX_LOCAL`] or [`MAX_DOMAIN`], or empty.
    #[error("an address is too long, or a part of it is empty")]
    Length,
    /// The part before the `@`, or the `@` itself, is missing or has a character that it may not have.
    #[error("the part of the address before the @ is not valid")]
    Local,
    /// The part after the `@` is no domain name. Names in other scripts are given in their `xn--` form.
    #[error("the domain of the address is not valid")]
    Domain,
}

/// An address that is one: `local@domain`. Quoted local parts are read; address literals (`[192.0.2.1]`) are not, as no
/// product sends to a bare machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Address<'a> {
    local: &'a str,
    domain: &'a str,
}

impl<'a> Address<'a> {
    /// Reads one address, nothing around it.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &'a str) -> Result<Self, InvalidAddress> {
        if text.len() > MAX_ADDRESS {
            return Err(InvalidAddress::Length);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidAddress::Local)?;
        if local.is_empty() || domain.is_empty() || local.len() > MAX_LOCAL || domain.len() > MAX_DOMAIN {
            return Err(InvalidAddress::Length);
        }
        if !is_dot_string(local) && !is_quoted_string(local) {
            return Err(InvalidAddress::Local);
        }
        if !is_domain(domain) {
            return Err(InvalidAddress::Domain);
        }
        Ok(Self { local, domain })
    }

    /// The part before the `@`, as written.
    #[must_use]
    pub const fn local(&self) -> &'a str {
        self.local
    }

    /// The part after the `@`, as written.
    #[must_use]
    pub const fn domain(&self) -> &'a str {
        self.domain
    }

    /// The domain in lower case: where its mail goes.
    #[must_use]
    pub fn destination(&self) -> String {
        self.domain.to_ascii_lowercase()
    }

    /// One form for all spellings of the address, to compare and to index by: all lower case. The standard lets a server
    /// tell `Ada@` from `ada@`; none does, and people write both.
    #[must_use]
    pub fn folded(&self) -> String {
        let mut out = String::with_capacity(self.local.len() + 1 + self.domain.len());
        out.push_str(self.local);
        out.push('@');
        out.push_str(self.domain);
        out.make_ascii_lowercase();
        out
    }
}

impl fmt::Debug for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(..)")
    }
}

/// `atext` of RFC 5322, section 3.2.3.
fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

/// `Dot-string` of RFC 5321.
fn is_dot_string(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

/// `Quoted-string` of RFC 5321, without white space other than the space.
fn is_quoted_string(local: &str) -> bool {
    let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return false;
    };
    if local.len() < 3 {
        return false;
    }
    let mut escaped = false;
    for byte in inner.bytes() {
        match byte {
            _ if !(b' '..=b'~').contains(&byte) => return false,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return false,
            _ => {}
        }
    }
    !escaped
}

/// Whether `text` is a domain name of letters, digits and hyphens (RFC 5321, `Domain`), in ASCII, without a last dot.
#[must_use]
pub fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= MAX_LABEL
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= MAX_DOMAIN && text.split('.').all(label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_people_have() {
        for good in [
            "ada@example.com",
            "Ada.Lovelace+tag@sub.example.co.uk",
            "o'brien@example.org",
            "!#$%&'*+-/=?^_`{|}~@example.org",
            "\"john doe\"@example.org",
            "\"a\\\"b@c\"@example.org",
            "root@localhost",
            "x@xn--mnchen-3ya.de",
            "x@1and1.com",
        ] {
            let address = Address::parse(good).unwrap_or_else(|error| panic!("{good}: {error}"));
            assert_eq!(format!("{}@{}", address.local(), address.domain()), good);
        }
        let address = Address::parse("Ada@Example.COM").unwrap();
        assert_eq!(
            (address.destination().as_str(), address.folded().as_str()),
            ("example.com", "ada@example.com")
        );
        assert_eq!(format!("{address:?}"), "Address(..)");
    }

    #[test]
    fn refuses_the_rest_and_says_which_part() {
        for (bad, why) in [
            ("", InvalidAddress::Local),
            ("ada", InvalidAddress::Local),
            ("@example.com", InvalidAddress::Length),
            ("ada@", InvalidAddress::Length),
            (".ada@example.com", InvalidAddress::Local),
            ("ada.@example.com", InvalidAddress::Local),
            ("a..b@example.com", InvalidAddress::Local),
            ("a b@example.com", InvalidAddress::Local),
            ("a@b@example.com", InvalidAddress::Local),
            ("<ada@example.com>", InvalidAddress::Local),
            ("Ada <ada@example.com", InvalidAddress::Local),
            ("\"\"@example.com", InvalidAddress::Local),
            ("\"a\"b\"@example.com", InvalidAddress::Local),
            ("\"a\\\"@example.com", InvalidAddress::Local),
            ("jürgen@example.com", InvalidAddress::Local),
            ("ada@example.com\r\nRCPT TO:<b@c.d>", InvalidAddress::Local),
            ("ada@example.com\r\nDATA", InvalidAddress::Domain),
            ("ada\r\n@example.com", InvalidAddress::Local),
            ("ada@exam ple.com", InvalidAddress::Domain),
            ("ada@-example.com", InvalidAddress::Domain),
            ("ada@example-.com", InvalidAddress::Domain),
            ("ada@example..com", InvalidAddress::Domain),
            ("ada@example.com.", InvalidAddress::Domain),
            ("ada@.example.com", InvalidAddress::Domain),
            ("ada@münchen.de", InvalidAddress::Domain),
            ("ada@192.0.2.1", InvalidAddress::Domain),
            ("ada@[192.0.2.1]", InvalidAddress::Domain),
            ("ada@ex_ample.com", InvalidAddress::Domain),
        ] {
            assert_eq!(Address::parse(bad), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn lengths_end_where_the_standards_say() {
        let at = |local: usize, domain: &str| format!("{}@{domain}", "a".repeat(local));
        assert!(Address::parse(&at(MAX_LOCAL, "example.com")).is_ok());
        assert_eq!(Address::parse(&at(MAX_LOCAL + 1, "example.com")), Err(InvalidAddress::Length));
        let label = "b".repeat(MAX_LABEL);
        assert!(Address::parse(&at(1, &format!("{label}.com"))).is_ok());
        assert_eq!(Address::parse(&at(1, &format!("{label}b.com"))), Err(InvalidAddress::Domain));
        let long = format!("{label}.{label}.{label}.{}", "c".repeat(MAX_ADDRESS - 2 - 3 * (MAX_LABEL + 1)));
        assert_eq!(at(1, &long).len(), MAX_ADDRESS);
        assert!(Address::parse(&at(1, &long)).is_ok());
        assert_eq!(Address::parse(&at(2, &long)), Err(InvalidAddress::Length));
    }

    proptest! {
        #[test]
        fn never_panics_and_never_lets_a_line_end_through(text in ".{0,300}") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
                prop_assert!(!address.domain().contains(' '));
            }
        }
    }
}
