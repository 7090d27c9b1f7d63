//! Reading the head of an HTTP/1.1 answer from bytes that may not all be there yet. Only what the server may send is
//! accepted: a length known beforehand, no chunks, no interim answers. It does no input or output.

/// Past this many bytes a head is refused.
const MAX_HEAD: usize = 32 * 1024;

/// Why bytes are not an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadResponse {
    /// The first line is not `HTTP/1.1 <three digits>`.
    #[error("the status line is malformed")]
    StatusLine,
    /// A header that tells the length is malformed, or given twice.
    #[error("the length is malformed or given twice")]
    Length,
    /// A body whose length is not known beforehand.
    #[error("the body has no Content-Length")]
    Unframed,
    /// The head does not end.
    #[error("the head is too long")]
    TooLong,
    /// Bytes after the end of the answer, which nobody asked for.
    #[error("bytes follow the end of the answer")]
    Surplus,
    /// The connection ended before the answer did.
    #[error("the connection ended within the answer")]
    Ended,
}

/// What the head of an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The status code.
    pub(crate) status: u16,
    /// Bytes of the head, its closing empty line included.
    pub(crate) head_len: usize,
    /// Bytes of the body.
    pub(crate) body_len: usize,
    /// Whether the server closes the connection afterwards.
    pub(crate) close: bool,
}

/// Reads the head at the beginning of `bytes`; `None` while its end has not arrived.
pub(crate) fn parse_head(bytes: &[u8]) -> Result<Option<Head>, BadResponse> {
    let Some(head_len) = head_end(bytes) else {
        return if bytes.len() > MAX_HEAD { Err(BadResponse::TooLong) } else { Ok(None) };
    };
    let mut lines = bytes[..head_len].split(|b| *b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l));
    let status = status(lines.next().unwrap_or_default()).ok_or(BadResponse::StatusLine)?;
    let (mut length, mut close) = (None, false);
    for line in lines {
        // Most headers matter to nobody here: look at the first letter before anything dearer.
        match line.first() {
            Some(b'c' | b'C') => {
                if let Some(value) = value_of(line, b"content-length") {
                    let parsed = decimal(value).ok_or(BadResponse::Length)?;
                    if length.replace(parsed).is_some() {
                        return Err(BadResponse::Length);
                    }
                } else if let Some(value) = value_of(line, b"connection") {
                    close |= value.eq_ignore_ascii_case(b"close");
                }
            }
            Some(b't' | b'T') if value_of(line, b"transfer-encoding").is_some() => {
                return Err(BadResponse::Unframed);
            }
            _ => {}
        }
    }
    let body_len = match (status, length) {
        (204 | 304, _) => 0,
        (_, Some(length)) => length,
        (_, None) => return Err(BadResponse::Unframed),
    };
    Ok(Some(Head { status, head_len, body_len, close }))
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|b| *b == b'\n') {
        let line_feed = from + at;
        if bytes[line_feed + 1..].starts_with(b"\r\n") {
            return Some(line_feed + 3);
        }
        from = line_feed + 1;
    }
    None
}

fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.1 ")?;
    let digits = rest.get(..3)?;
    if !matches!(rest.get(3), None | Some(b' ')) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let status = digits.iter().fold(0, |n, d| n * 10 + u16::from(d - b'0'));
    (200..600).contains(&status).then_some(status)
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = line.split_at_checked(name.len())?;
    if !found.eq_ignore_ascii_case(name) {
        return None;
    }
    Some(rest.strip_prefix(b":")?.trim_ascii())
}

/// A whole number in ASCII digits and nothing else; `None` when it is none, or too great.
pub(crate) fn decimal(text: &[u8]) -> Option<usize> {
    if text.is_empty() || text.len() > 18 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |n, d| n * 10 + usize::from(d - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATED: &[u8] = b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 9\r\nMS-CV: x.0\r\n\r\n{\"id\":1}\n";

    fn ok(text: &str) -> Head {
        parse_head(text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn a_whole_answer() {
        let head = parse_head(CREATED).unwrap().unwrap();
        assert_eq!((head.status, head.body_len, head.close), (201, 9, false));
        assert_eq!(CREATED.len(), head.head_len + head.body_len);
    }

    #[test]
    fn every_part_of_a_head_is_not_yet_a_head() {
        let end = parse_head(CREATED).unwrap().unwrap().head_len;
        for cut in 0..end {
            assert_eq!(parse_head(&CREATED[..cut]), Ok(None), "{cut}");
        }
        for cut in end..=CREATED.len() {
            assert!(parse_head(&CREATED[..cut]).unwrap().is_some(), "{cut}");
        }
    }

    #[test]
    fn names_in_any_case_and_values_with_space() {
        let head = ok("HTTP/1.1 200\r\nCONTENT-Length:\t 12 \r\nConnection: Close\r\n\r\n");
        assert_eq!((head.status, head.body_len, head.close), (200, 12, true));
        assert!(!ok("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n").close);
    }

    #[test]
    fn no_content_has_no_body() {
        assert_eq!(ok("HTTP/1.1 204 No Content\r\n\r\n").body_len, 0);
        assert_eq!(ok("HTTP/1.1 204 No Content\r\ncontent-length: 4\r\n\r\n").body_len, 0);
    }

    #[test]
    fn headers_that_only_begin_like_a_length() {
        assert_eq!(
            ok("HTTP/1.1 200 OK\r\ncontent-length-x: 5\r\ncontent-length: 3\r\nco: 1\r\n\r\n").body_len,
            3
        );
    }

    #[test]
    fn refusals() {
        let err = |text: &str| parse_head(text.as_bytes()).unwrap_err();
        for line in [
            "HTTP/1.0 200 OK",
            "HTTP/1.1 2000",
            "HTTP/1.1 20",
            "HTTP/1.1 100 Continue",
            "",
            "200",
            "HTTP/1.1 2x0 OK",
        ] {
            assert_eq!(
                err(&format!("{line}\r\ncontent-length: 0\r\n\r\n")),
                BadResponse::StatusLine,
                "{line}"
            );
        }
        for value in ["", "-1", "0x10", "1 1", "99999999999999999999", "1,1"] {
            let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {value}\r\n\r\n");
            assert_eq!(err(&text), BadResponse::Length, "{value}");
        }
        assert_eq!(
            err("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n"),
            BadResponse::Length
        );
        assert_eq!(err("HTTP/1.1 200 OK\r\n\r\n"), BadResponse::Unframed);
        assert_eq!(err("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"), BadResponse::Unframed);
        assert_eq!(err(&"x".repeat(MAX_HEAD + 1)), BadResponse::TooLong);
    }

    #[test]
    fn decimals() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(decimal(b"1795420800123"), Some(1_795_420_800_123));
        for bad in ["", "+1", " 1", "1.0", "9999999999999999999"] {
            assert_eq!(decimal(bad.as_bytes()), None, "{bad}");
        }
    }
}
