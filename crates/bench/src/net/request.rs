//! Building requests as bytes, once, before the clock runs. It knows HTTP and JSON escaping, and nothing of answers.

use std::fmt::Write as _;

/// Methods used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PATCH`, with a JSON merge patch
    Patch,
    /// `DELETE`
    Delete,
}

impl Method {
    /// As on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A whole request: head and body. `headers` are added to those every request has.
pub(crate) fn build(
    method: Method,
    target: &str,
    host: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut head =
        format!("{} {target} HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\n", method.name());
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if !matches!(method, Method::Get) {
        let media =
            if matches!(method, Method::Patch) { "application/merge-patch+json" } else { "application/json" };
        if !body.is_empty() {
            let _ = write!(head, "content-type: {media}\r\n");
        }
        let _ = write!(head, "content-length: {}\r\n", body.len());
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// One path segment, percent-encoded: all but RFC 3986's unreserved characters.
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Path and query of an absolute or relative link, as a next page gives it.
pub(crate) fn path_and_query(link: &str) -> Option<&str> {
    let rest = match link.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/')?..],
        None => link,
    };
    rest.starts_with('/').then_some(rest)
}

/// Width of the number that [`stamp`] writes.
pub(crate) const STAMP: usize = 16;

/// Writes `number` as 16 hexadecimal digits at `at`.
pub(crate) fn stamp(bytes: &mut [u8], at: usize, number: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (place, out) in bytes[at..at + STAMP].iter_mut().enumerate() {
        let shift = 4 * (STAMP - 1 - place);
        *out = DIGITS[usize::try_from(number >> shift & 0xf).unwrap_or(0)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_states_type_and_length() {
        let bytes = build(Method::Post, "/x?a=1", "localhost:1", &[("authorization", "Bearer t")], b"{}");
        let expected = "POST /x?a=1 HTTP/1.1\r\nhost: localhost:1\r\naccept: application/json\r\n\
                        authorization: Bearer t\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn a_patch_is_a_merge_patch_and_a_get_has_no_body() {
        let patch = String::from_utf8(build(Method::Patch, "/", "h", &[], b"{}")).unwrap();
        assert!(patch.contains("content-type: application/merge-patch+json\r\n"), "{patch}");
        let get = String::from_utf8(build(Method::Get, "/", "h", &[], b"")).unwrap();
        assert!(!get.contains("content-") && get.ends_with("\r\n\r\n"), "{get}");
        let delete = String::from_utf8(build(Method::Delete, "/", "h", &[], b"")).unwrap();
        assert!(delete.contains("content-length: 0\r\n") && !delete.contains("content-type"), "{delete}");
    }

    #[test]
    fn segments_are_encoded() {
        assert_eq!(segment("19:ab@thread.v2"), "19%3Aab%40thread.v2");
        assert_eq!(segment("8:acs:x_y-z/~"), "8%3Aacs%3Ax_y-z%2F~");
    }

    #[test]
    fn links() {
        assert_eq!(path_and_query("https://h:1/a/b?c=d"), Some("/a/b?c=d"));
        assert_eq!(path_and_query("/a?b"), Some("/a?b"));
        assert_eq!(path_and_query("https://h:1"), None);
        assert_eq!(path_and_query("a"), None);
    }

    #[test]
    fn stamps_are_sixteen_digits() {
        let mut bytes = *b"<0000000000000000>";
        stamp(&mut bytes, 1, 0x0123_4567_89ab_cdef);
        assert_eq!(&bytes, b"<0123456789abcdef>");
        stamp(&mut bytes, 1, 10);
        assert_eq!(&bytes, b"<000000000000000a>");
        assert_eq!(u64::from_str_radix(std::str::from_utf8(&bytes[1..17]).unwrap(), 16).unwrap(), 10);
    }
}
