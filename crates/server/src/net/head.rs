//! The strict look at a request head before the HTTP library sees it: whole or not, within limits, and with one
//! unambiguous end of its body. It refuses every form on which two readers of HTTP have been known to disagree
//! (RFC 9112 sections 2.2, 5, 6.3, 11.2), so nothing can be smuggled past a proxy in front, and every refusal gets the product's
//! own answer instead of the library's bare status. It knows no sockets.

use base::limits::{MAX_HEAD, MAX_HEADERS, MAX_URI};
use memchr::{memchr, memmem};

use super::Refusal;

/// How the body after a head ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After this many bytes.
    Length(u64),
    /// After the last chunk and its trailers.
    Chunked,
}

/// A head that is whole and acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Its bytes, with the empty line that ends it.
    pub(super) len: usize,
    /// How its body ends.
    pub(super) framing: Framing,
}

/// The longest method name looked at; the longest registered one has 17 characters.
const MAX_METHOD: usize = 24;

/// Looks at what has arrived so far of a head. `seen` is how much of it an earlier call has seen in vain.
/// `Ok(None)`: acceptable so far, but not whole.
///
/// # Errors
/// Why it can be no request that is served, as soon as that is certain.
pub(super) fn inspect(bytes: &[u8], seen: usize) -> Result<Option<Head>, Refusal> {
    let start = leading_lines(bytes)?;
    let head = &bytes[start..];
    let from = seen.saturating_sub(start + 3);
    let end = match head.get(from..).and_then(|rest| memmem::find(rest, b"\r\n\r\n")) {
        Some(at) => from + at,
        None => return unfinished(head).map(|()| None),
    };
    if end + 4 > MAX_HEAD {
        return Err(Refusal::HeadTooLarge);
    }
    let mut lines = Lines(&head[..end + 2]);
    let request_line = lines.next().ok_or(Refusal::Malformed)??;
    let version = request_line_version(request_line)?;
    let framing = fields(lines, version)?;
    Ok(Some(Head { len: start + end + 4, framing }))
}

/// Empty lines before a request are skipped, as RFC 9112 section 2.2 asks; how many bytes they have.
fn leading_lines(bytes: &[u8]) -> Result<usize, Refusal> {
    let skipped = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    // A head of nothing but line ends is not one that is still on its way.
    if skipped > 16 { Err(Refusal::Malformed) } else { Ok(skipped) }
}

/// A head whose end has not arrived: is it already certain that it cannot be served?
fn unfinished(head: &[u8]) -> Result<(), Refusal> {
    let method = memchr(b' ', &head[..head.len().min(MAX_METHOD + 1)]);
    let named = method.map_or(head, |at| &head[..at]);
    if named.len() > MAX_METHOD || !named.iter().all(|b| is_token(*b)) || method == Some(0) {
        return Err(Refusal::Malformed);
    }
    match memchr(b'\n', head) {
        None if head.len() > MAX_URI + MAX_METHOD + 16 => Err(Refusal::UriTooLong),
        None => Ok(()),
        Some(at) => {
            let line = head[..at].strip_suffix(b"\r").ok_or(Refusal::Malformed)?;
            request_line_version(line)?;
            if head.len() > MAX_HEAD { Err(Refusal::HeadTooLarge) } else { Ok(()) }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

/// The lines of a head, without their ends. A line that ends with LF alone is refused: some readers end a line
/// there, some do not.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = Result<&'a [u8], Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = memchr(b'\n', self.0)?;
        let (line, rest) = (&self.0[..at], &self.0[at + 1..]);
        self.0 = rest;
        Some(line.strip_suffix(b"\r").ok_or(Refusal::Malformed))
    }
}

/// `METHOD SP target SP HTTP/1.x`, with exactly these spaces.
fn request_line_version(line: &[u8]) -> Result<Version, Refusal> {
    let method_end = memchr(b' ', line).ok_or(Refusal::Malformed)?;
    let method = &line[..method_end];
    if method.is_empty() || method.len() > MAX_METHOD || !method.iter().all(|b| is_token(*b)) {
        return Err(Refusal::Malformed);
    }
    let rest = &line[method_end + 1..];
    let target_end = memchr(b' ', rest).ok_or(if rest.len() > MAX_URI {
        Refusal::UriTooLong
    } else {
        Refusal::Malformed
    })?;
    let target = &rest[..target_end];
    if target.len() > MAX_URI {
        return Err(Refusal::UriTooLong);
    }
    if !is_target(target) {
        return Err(Refusal::Malformed);
    }
    match &rest[target_end + 1..] {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        _ => Err(Refusal::Malformed),
    }
}

/// Origin form, absolute form or `*`. Tunnels (`CONNECT host:port`) are none of these.
fn is_target(target: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"/-._~:%?=&+,;@!$'()*".contains(b);
    match target.first() {
        Some(b'/') => target.iter().all(plain) || http::Uri::try_from(target).is_ok(),
        Some(b'*') => target.len() == 1,
        _ => {
            (target.starts_with(b"http://") || target.starts_with(b"https://"))
                && http::Uri::try_from(target).is_ok()
        }
    }
}

fn fields(lines: Lines<'_>, version: Version) -> Result<Framing, Refusal> {
    let mut length = None;
    let mut chunked = false;
    let mut hosts = 0;
    for (count, line) in lines.enumerate() {
        if count >= MAX_HEADERS {
            return Err(Refusal::HeadTooLarge);
        }
        let (name, value) = field(line?)?;
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => hosts += 1,
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                // Also refused when both say the same: a proxy in front may have merged or chosen otherwise.
                let twice = length.replace(content_length(value)?).is_some();
                if twice {
                    return Err(Refusal::Malformed);
                }
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                let only = !chunked && value.eq_ignore_ascii_case(b"chunked") && version == Version::Http11;
                if !only {
                    return Err(Refusal::Malformed);
                }
                chunked = true;
            }
            _ => {}
        }
    }
    if hosts > 1 || (hosts == 0 && version == Version::Http11) {
        return Err(Refusal::Malformed);
    }
    match (chunked, length) {
        (true, Some(_)) => Err(Refusal::Malformed),
        (true, None) => Ok(Framing::Chunked),
        (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
    }
}

/// `name: value`, the value without the blanks around it. A line that goes on from the one before (obs-fold)
/// begins with a blank and so has no name.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let colon = memchr(b':', line).ok_or(Refusal::Malformed)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    // Written without early exit, so that it is done many bytes at a time.
    let control = value.iter().fold(false, |bad, b| bad | ((*b < b' ') & (*b != b'\t')) | (*b == 0x7F));
    if name.is_empty() || !name.iter().all(|b| is_token(*b)) || control {
        return Err(Refusal::Malformed);
    }
    Ok((name, value.trim_ascii()))
}

/// Digits and nothing else: no sign, no list, no blank; at most 18 of them.
fn content_length(value: &[u8]) -> Result<u64, Refusal> {
    if value.is_empty() || value.len() > 18 || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::Malformed);
    }
    Ok(value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// RFC 9110 section 5.6.2.
const fn is_token(b: u8) -> bool {
    matches!(b, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Result<Option<Head>, Refusal> {
        inspect(text.as_bytes(), 0)
    }

    fn framing(fields: &str) -> Result<Framing, Refusal> {
        whole(&format!("POST /a HTTP/1.1\r\nHost: x\r\n{fields}\r\n"))
            .map(|head| head.expect("whole").framing)
    }

    #[test]
    fn a_plain_request_is_measured() {
        let text = "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n";
        assert_eq!(whole(text), Ok(Some(Head { len: text.len(), framing: Framing::Length(0) })));
        let next = format!("{text}GET / HTTP/1.1\r\n");
        assert_eq!(whole(&next), whole(text), "what follows is left alone");
        let late = format!("\r\n{text}");
        assert_eq!(whole(&late).unwrap().unwrap().len, late.len(), "an empty line before it is skipped");
        assert!(whole("GET / HTTP/1.0\r\n\r\n").unwrap().is_some(), "HTTP/1.0 needs no host");
        assert!(whole("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n").unwrap().is_some());
        assert!(whole("GET https://x/y HTTP/1.1\r\nHost: x\r\n\r\n").unwrap().is_some());
    }

    #[test]
    fn every_split_gives_the_same_answer() {
        let text = b"\r\nPOST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n";
        for cut in 0..text.len() {
            assert_eq!(inspect(&text[..cut], 0), Ok(None), "cut at {cut}");
            let head = inspect(text, cut).unwrap().expect("whole");
            assert_eq!((head.len, head.framing), (text.len(), Framing::Length(5)), "seen {cut}");
        }
    }

    #[test]
    fn bodies_end_in_one_way() {
        assert_eq!(framing(""), Ok(Framing::Length(0)));
        assert_eq!(framing("Content-Length: 12\r\n"), Ok(Framing::Length(12)));
        assert_eq!(framing("content-LENGTH:\t12 \r\n"), Ok(Framing::Length(12)));
        assert_eq!(framing("Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
    }

    #[test]
    fn ambiguous_ends_are_refused() {
        for fields in [
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
            "Content-Length: 1\r\nContent-Length: 2\r\n",
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: 1, 1\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: 0x1\r\n",
            "Content-Length: 1 1\r\n",
            "Content-Length:\r\n",
            "Content-Length: 9999999999999999999\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding:\x0bchunked\r\n",
            "Transfer-Encoding : chunked\r\n",
            "Content-Length : 5\r\n",
            " Transfer-Encoding: chunked\r\n",
            "X: a\r\n b\r\n",
            "X: a\nTransfer-Encoding: chunked\r\n",
            "X: a\rTransfer-Encoding: chunked\r\n",
            "X: \0\r\n",
            "X: \x7f\r\n",
            "no colon\r\n",
            ": no name\r\n",
            "Bad Name: x\r\n",
            "Host: y\r\n",
        ] {
            assert_eq!(framing(fields), Err(Refusal::Malformed), "{fields:?}");
        }
        assert_eq!(
            whole("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Err(Refusal::Malformed),
            "HTTP/1.0 has no chunks"
        );
        assert_eq!(whole("GET / HTTP/1.1\r\n\r\n"), Err(Refusal::Malformed), "no host");
    }

    #[test]
    fn request_lines_have_one_form() {
        for line in [
            "GET  / HTTP/1.1",
            "GET /  HTTP/1.1",
            "GET / HTTP/1.1 ",
            " GET / HTTP/1.1",
            "GET /",
            "GET / HTTP/2.0",
            "GET / http/1.1",
            "GET / HTTP/1.2",
            "PRI * HTTP/2.0",
            "GET \t/ HTTP/1.1",
            "GE(T / HTTP/1.1",
            "GET /\u{0} HTTP/1.1",
            "GET /a<b HTTP/1.1",
            "GET x HTTP/1.1",
            "GET ** HTTP/1.1",
            "CONNECT x:443 HTTP/1.1",
            "GET ftp://x/ HTTP/1.1",
            "THISMETHODISLONGERTHANANY / HTTP/1.1",
            "\u{16}\u{3}\u{1}",
        ] {
            let text = format!("{line}\r\nHost: x\r\n\r\n");
            assert_eq!(whole(&text), Err(Refusal::Malformed), "{line:?}");
        }
        assert_eq!(whole(&"\r\n".repeat(9)), Err(Refusal::Malformed), "nothing but line ends");
    }

    #[test]
    fn garbage_is_refused_before_its_end() {
        for start in
            ["{\"json\"", " x", "GET\r", "\u{16}\u{3}\u{1}\u{2}", "GET / HTTP/2.0\r\n", "GET / HTTP/1.1\n"]
        {
            assert_eq!(whole(start), Err(Refusal::Malformed), "{start:?}");
        }
        for start in
            ["", "G", "GET", "GET ", "GET /x", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHo", "\r", "\r\nP"]
        {
            assert_eq!(whole(start), Ok(None), "{start:?}");
        }
    }

    #[test]
    fn limits_hold_at_and_past_each() {
        let with_target = |len: usize| format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(len - 1));
        assert!(whole(&with_target(MAX_URI)).unwrap().is_some());
        assert_eq!(whole(&with_target(MAX_URI + 1)), Err(Refusal::UriTooLong));
        assert_eq!(
            whole(&format!("GET /{}", "a".repeat(MAX_URI + 64))),
            Err(Refusal::UriTooLong),
            "before its end"
        );

        let with_fields =
            |count: usize| format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(count - 1));
        assert!(whole(&with_fields(MAX_HEADERS)).unwrap().is_some());
        assert_eq!(whole(&with_fields(MAX_HEADERS + 1)), Err(Refusal::HeadTooLarge));

        let frame = "GET / HTTP/1.1\r\nHost: x\r\nX: \r\n\r\n".len();
        let with_bytes =
            |len: usize| format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(len - frame));
        assert_eq!(whole(&with_bytes(MAX_HEAD)).unwrap().map(|head| head.len), Some(MAX_HEAD));
        assert_eq!(whole(&with_bytes(MAX_HEAD + 1)), Err(Refusal::HeadTooLarge));
        let endless = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}", "a".repeat(MAX_HEAD));
        assert_eq!(whole(&endless), Err(Refusal::HeadTooLarge), "before its end");
    }

    #[test]
    fn no_bytes_make_it_panic_and_all_it_accepts_is_within_limits() {
        use base::{Rng, SeededRng};
        let rng = SeededRng::new(11);
        let parts: [&[u8]; 14] = [
            b"GET",
            b" ",
            b"/",
            b"HTTP/1.1",
            b"\r\n",
            b"\r",
            b"\n",
            b"Host: x\r\n",
            b"Content-Length: ",
            b"7",
            b"\0",
            b"Transfer-Encoding: chunked\r\n",
            b":",
            b"\r\n\r\n",
        ];
        for _ in 0..20_000 {
            let mut bytes = Vec::new();
            for _ in 0..rng.below(12) {
                bytes.extend_from_slice(parts[usize::try_from(rng.below(14)).unwrap()]);
            }
            if let Ok(Some(head)) = inspect(&bytes, 0) {
                assert!(head.len <= bytes.len() && bytes[..head.len].ends_with(b"\r\n\r\n"));
            }
        }
    }
}
