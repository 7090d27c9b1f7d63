//! Host names as clients write them.

use std::borrow::Cow;

use ::http::header;
use ::http::request::Parts;

/// The longest host that is looked at: a DNS name has at most 253 characters (RFC 1035), a port five more and a colon.
const MAX_HOST: usize = 259;

/// The host a request is for, as the client wrote it: that of an absolute target, which counts more (RFC 9112, section
/// 3.2.2), else the one `Host` header.
#[must_use]
pub fn of(head: &Parts) -> Option<&str> {
    if let Some(authority) = head.uri.authority() {
        return Some(authority.as_str());
    }
    let mut all = head.headers.get_all(header::HOST).iter();
    match (all.next(), all.next()) {
        (Some(one), None) => one.to_str().ok(),
        _ => None,
    }
}

/// The name in `host` without its port and final dot, in lower case. `None` when it is no host: empty, too long, or
/// with characters no host name has.
#[must_use]
pub fn normal(host: &str) -> Option<Cow<'_, str>> {
    if host.is_empty() || host.len() > MAX_HOST {
        return None;
    }
    let (name, port) = if host.starts_with('[') {
        let end = host.find(']')? + 1;
        let (name, rest) = host.split_at(end);
        match rest.strip_prefix(':') {
            Some(port) => (name, Some(port)),
            None if rest.is_empty() => (name, None),
            None => return None,
        }
    } else {
        match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        }
    };
    if port.is_some_and(|port| port.len() > 5 || !port.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':' | b'[' | b']');
    if name.is_empty() || !name.bytes().all(legal) {
        return None;
    }
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        Some(Cow::Owned(name.to_ascii_lowercase()))
    } else {
        Some(Cow::Borrowed(name))
    }
}

/// Whether `name` (in [`normal`] form) means this machine only or is an address, for which browsers must not be told
/// to insist on TLS: the rule would outlive the server and bind every other program of the same name.
#[must_use]
pub fn is_local_or_address(name: &str) -> bool {
    name == "localhost"
        || name.ends_with(".localhost")
        || name.starts_with('[')
        || name.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_case_and_final_dot_do_not_matter() {
        for same in
            ["contoso.localhost", "contoso.localhost:8443", "CONTOSO.localhost.", "Contoso.LocalHost.:443"]
        {
            assert_eq!(normal(same).as_deref(), Some("contoso.localhost"), "{same}");
        }
        assert_eq!(normal("127.0.0.1:8443").as_deref(), Some("127.0.0.1"));
        assert_eq!(normal("[::1]:8443").as_deref(), Some("[::1]"));
        assert_eq!(normal("[::1]").as_deref(), Some("[::1]"));
    }

    #[test]
    fn refuses_what_is_no_host() {
        let long = "a".repeat(MAX_HOST + 1);
        for bad in [
            "", ":", ":80", ".", "a b", "a/b", "a@b", "a:b", "a:123456", "[::1", "[::1]x", "é", "a%62", &long,
        ] {
            assert_eq!(normal(bad), None, "{bad}");
        }
    }

    #[test]
    fn tells_local_names_from_others() {
        for local in ["localhost", "a.localhost", "127.0.0.1", "[::1]", "10.1.2.3"] {
            assert!(is_local_or_address(local), "{local}");
        }
        for other in ["example.org", "localhost.example.org", "notlocalhost"] {
            assert!(!is_local_or_address(other), "{other}");
        }
    }
}
