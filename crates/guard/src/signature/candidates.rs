//! The forms of one request target that the SDKs sign (`docs/compatibility.md`): as sent, percent-decoded, and with
//! the query written anew by the form rules. Text only; it must never see a key.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// What Python's `unquote` makes of the target. `None` when that is the target itself, or when decoding would change
/// what the target means: a signature for one target must not serve for another one.
pub(super) fn decoded(target: &str) -> Option<Cow<'_, str>> {
    if !target.contains('%') {
        return None;
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if changes_meaning(path, b"/?#%") || changes_meaning(query, b"&#+%") {
        return None;
    }
    let text = percent_decode_str(target).decode_utf8_lossy();
    (text != target).then_some(text)
}

/// Whether an escape in `part` stands for a control character or one of the `delimiters`.
fn changes_meaning(part: &str, delimiters: &[u8]) -> bool {
    let mut rest = part.as_bytes();
    while let Some(at) = rest.iter().position(|b| *b == b'%') {
        let escape = &rest[at..rest.len().min(at + 3)];
        let byte = percent_encoding::percent_decode(escape).next();
        if escape.len() == 3 && byte.is_some_and(|b| b != b'%' || escape == b"%25") {
            let byte = byte.unwrap_or_default();
            if byte.is_ascii_control() || delimiters.contains(&byte) {
                return true;
            }
        }
        rest = &rest[at + 1..];
    }
    false
}

/// The target with its query as `URLSearchParams` writes it (WHATWG URL, `application/x-www-form-urlencoded`), which
/// is what the JavaScript SDKs sign. `None` when that is the target itself.
pub(super) fn form(target: &str) -> Option<String> {
    let (path, query) = target.split_once('?')?;
    let mut written = form_urlencoded::Serializer::new(String::with_capacity(query.len() + 16));
    written.extend_pairs(form_urlencoded::parse(query.as_bytes()));
    let written = written.finish();
    if written == query && !query.is_empty() {
        return None;
    }
    Some(if written.is_empty() { path.to_owned() } else { format!("{path}?{written}") })
}

/// Whether `host` can be part of a string to sign without making it ambiguous: a host name, an IPv4 or bracketed IPv6
/// address, with or without a port.
pub(super) fn plausible_host(host: &str) -> bool {
    const LONGEST: usize = 255 + 1 + 5;
    (1..=LONGEST).contains(&host.len())
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decodes_as_unquote_does() {
        let cases = [
            ("/identities/8%3Aacs%3Ax?api-version=1", "/identities/8:acs:x?api-version=1"),
            ("/a?x=%20y%7E", "/a?x= y~"),
            ("/a%C3%A9", "/aé"),
            ("/a%FF", "/a\u{FFFD}"),
            ("/a%3a%zz%", "/a:%zz%"),
            ("/a?t=%3D%3D", "/a?t==="),
            ("/%26", "/&"),
        ];
        for (wire, signed) in cases {
            assert_eq!(decoded(wire).as_deref(), Some(signed), "{wire}");
        }
        for same in ["/a?b=c", "/", "", "/a%zz", "/a%"] {
            assert_eq!(decoded(same), None, "{same}");
        }
    }

    #[test]
    fn does_not_decode_what_would_become_another_target() {
        for wire in [
            "/a%2Fb",
            "/a%2fb",
            "/a%3Fb",
            "/a%23",
            "/a%2541",
            "/a%0Ab",
            "/a?b=1%26c=2",
            "/a?b=%2B",
            "/a?b=%23",
            "/%00",
        ] {
            assert_eq!(decoded(wire), None, "{wire}");
        }
    }

    #[test]
    fn writes_queries_as_url_search_params() {
        // Left: as JavaScript sends it. Right: `new URLSearchParams(query).toString()`.
        let cases = [
            ("/a?q=a%20b", "/a?q=a+b"),
            ("/a?q=~", "/a?q=%7E"),
            ("/a?q='", "/a?q=%27"),
            ("/a?q=(x)!", "/a?q=%28x%29%21"),
            ("/a?q=%2A", "/a?q=*"),
            ("/a?q", "/a?q="),
            ("/a?", "/a"),
            ("/a?&", "/a"),
            ("/a?q=%c3%a9", "/a?q=%C3%A9"),
            ("/a?q=%ff", "/a?q=%EF%BF%BD"),
            ("/8%3Aacs?q=:", "/8%3Aacs?q=%3A"),
        ];
        for (wire, signed) in cases {
            let form = form(wire).unwrap_or_else(|| wire.to_owned());
            assert_eq!(form, signed, "{wire}");
        }
        for same in ["/a", "/a?b=c&d=*-._", "/a?b=c+d"] {
            assert_eq!(form(same), None, "{same}");
        }
    }

    #[test]
    fn hosts() {
        for good in ["localhost", "contoso.example:8443", "10.0.0.1:1", "[::1]:8443", "a_b"] {
            assert!(plausible_host(good), "{good}");
        }
        let long = "a".repeat(262);
        for bad in ["", "a;b", "a/b", "a b", "a\nb", "é", long.as_str()] {
            assert!(!plausible_host(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(target in ".{0,80}", escapes in "/[%0-9a-fA-F?&=+]{0,60}") {
            for text in [&target, &escapes] {
                let _ = (decoded(text), form(text), plausible_host(text));
            }
        }

        #[test]
        fn decoding_adds_no_delimiter(target in "/[a-z%0-9A-F?&=]{0,60}") {
            if let Some(text) = decoded(&target) {
                let count = |s: &str, c: char| s.chars().filter(|x| *x == c).count();
                // In a path an ampersand divides nothing.
                let query = |s: &str| s.split_once('?').unwrap_or_default().1.to_owned();
                prop_assert_eq!(count(&query(&text), '&'), count(&query(&target), '&'));
                prop_assert!(!text.contains('\n'));
                let path = |s: &str| s.split('?').next().unwrap_or_default().to_owned();
                prop_assert_eq!(count(&path(&text), '/'), count(&path(&target), '/'));
            }
        }
    }
}
