//! The body of a message: text, HTML, pictures within it and files beside it, as MIME (RFC 2045, 2046, 2183, 2387) by
//! `mail-builder`. Which transfer encoding a part gets is decided here, so that no line is too long and no lone line end
//! leaves the house.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_builder::encoders::QuotedPrintableEncoder;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::{BodyPart, MimePart};

use super::compose::{Attachment, ComposeError, OutgoingMail};
use super::header::MAX_LINE;

/// How many characters of base64 stand on one line (RFC 2045, section 6.8).
const BASE64_LINE: usize = 76;

/// Writes the MIME header fields of the whole and the body.
pub(super) fn write(mail: &OutgoingMail<'_>, out: &mut Vec<u8>) -> Result<(), ComposeError> {
    // Attachments are base64, in which the mark of a boundary does not occur; only text can hold one.
    let texts: Vec<Cow<'_, str>> = [mail.text, mail.html].into_iter().flatten().map(lines_ended).collect();
    let mut boundaries = Boundaries { texts: &texts, next: 0 };
    let mut bodies = texts.iter().map(Cow::as_ref);
    let text = mail.text.and_then(|_| bodies.next()).map(|text| text_part("plain", text));
    let mut html = mail.html.and_then(|_| bodies.next()).map(|html| text_part("html", html));
    let (inline, beside): (Vec<_>, Vec<_>) =
        mail.attachments.iter().partition(|attachment| html.is_some() && attachment.content_id.is_some());
    if !inline.is_empty()
        && let Some(root) = html.take()
    {
        let parts = std::iter::once(root).chain(inline.into_iter().map(file_part)).collect();
        html = Some(boundaries.multipart("related", parts));
    }
    let body = match (text, html) {
        (Some(text), Some(html)) => boundaries.multipart("alternative", vec![text, html]),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => text_part("plain", ""),
    };
    let body = if beside.is_empty() {
        body
    } else {
        let parts = std::iter::once(body).chain(beside.into_iter().map(file_part)).collect();
        boundaries.multipart("mixed", parts)
    };
    body.write_part(&mut *out).map_err(|_| ComposeError::Mime)?;
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    Ok(())
}

/// Makes boundaries that occur in no text of the message.
struct Boundaries<'a> {
    texts: &'a [Cow<'a, str>],
    next: u32,
}

impl Boundaries<'_> {
    fn make(&mut self) -> String {
        loop {
            self.next += 1;
            // "=_" cannot occur in quoted-printable, nor "_" in base64.
            let boundary = format!("=_chancery_{:08x}", self.next);
            if self.texts.iter().all(|t| memchr::memmem::find(t.as_bytes(), boundary.as_bytes()).is_none()) {
                return boundary;
            }
        }
    }

    fn multipart<'x>(&mut self, kind: &str, parts: Vec<MimePart<'x>>) -> MimePart<'x> {
        // Written out: the library would take the time of day into a boundary.
        let kind = ContentType::new(format!("multipart/{kind}")).attribute("boundary", self.make());
        MimePart { headers: vec![("Content-Type".into(), kind.into())], contents: BodyPart::Multipart(parts) }
    }
}

/// `text` with every line end as CRLF.
fn lines_ended(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let lawful = memchr::memchr2_iter(b'\r', b'\n', bytes).all(|at| match bytes[at] {
        b'\r' => bytes.get(at + 1) == Some(&b'\n'),
        _ => at > 0 && bytes[at - 1] == b'\r',
    });
    if lawful {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    let mut rest = text;
    while let Some(at) = rest.find(['\r', '\n']) {
        out.push_str(&rest[..at]);
        out.push_str("\r\n");
        let end = &rest[at..];
        rest = end.strip_prefix("\r\n").unwrap_or(&end[1..]);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// How a text is carried.
fn text_encoding(text: &str) -> &'static str {
    let (mut high, mut control) = (0_usize, false);
    for byte in text.bytes() {
        high += usize::from(byte >= 0x7F);
        control |= byte < b' ' && !matches!(byte, b'\t' | b'\r' | b'\n');
    }
    let long = || text.as_bytes().split(|byte| *byte == b'\n').any(|line| line.len() > MAX_LINE);
    if control || high > text.len() / 6 {
        "base64"
    } else if high > 0 || long() {
        "quoted-printable"
    } else {
        "7bit"
    }
}

fn text_part<'x>(subtype: &str, text: &'x str) -> MimePart<'x> {
    let encoding = text_encoding(text);
    let contents = match encoding {
        "7bit" => Cow::Borrowed(text.as_bytes()),
        "quoted-printable" => QuotedPrintableEncoder::new()
            .preserve_line_breaks()
            .encode(text.as_bytes())
            .map_or_else(|_| Cow::Borrowed(text.as_bytes()), Cow::Owned),
        _ => Cow::Owned(base64_lines(text.as_bytes())),
    };
    part(format!("text/{subtype}; charset=utf-8"), encoding, None, None, contents)
}

fn file_part<'x>(file: &Attachment<'x>) -> MimePart<'x> {
    // A message or a multipart may not be in base64 (RFC 2046, section 5), and nobody is to parse it on the way.
    let kind = file.content_type.get(..file.content_type.find('/').unwrap_or_default()).unwrap_or_default();
    let composite = kind.eq_ignore_ascii_case("multipart") || kind.eq_ignore_ascii_case("message");
    let content_type = if composite { "application/octet-stream" } else { file.content_type };
    let place = if file.content_id.is_some() { "inline" } else { "attachment" };
    part(
        content_type.to_owned(),
        "base64",
        Some(disposition(place, file.name)),
        file.content_id.map(|id| format!("<{id}>")),
        Cow::Owned(base64_lines(file.content)),
    )
}

fn part<'a>(
    content_type: String,
    encoding: &'static str,
    disposition: Option<String>,
    content_id: Option<String>,
    contents: Cow<'a, [u8]>,
) -> MimePart<'a> {
    let mut headers = vec![
        ("Content-Type".into(), Raw::new(content_type).into()),
        ("Content-Transfer-Encoding".into(), Raw::new(encoding).into()),
    ];
    headers.extend(disposition.map(|value| ("Content-Disposition".into(), Raw::new(value).into())));
    headers.extend(content_id.map(|value| ("Content-ID".into(), Raw::new(value).into())));
    MimePart { headers, contents: BodyPart::Binary(contents) }
}

/// `Content-Disposition` with the file's name: in full (RFC 2231) where ASCII cannot tell it, and in ASCII after that, as
/// readers take the first they understand.
fn disposition(place: &str, name: &str) -> String {
    let unsafe_in_quotes = |c: char| !c.is_ascii() || c.is_ascii_control() || matches!(c, '"' | '\\');
    let plain: String = name.chars().map(|c| if unsafe_in_quotes(c) { '_' } else { c }).collect();
    let mut value = place.to_owned();
    if plain != name {
        value.push_str("; filename*=utf-8''");
        for byte in name.bytes().map(|byte| if byte.is_ascii_control() { b'_' } else { byte }) {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                value.push(char::from(byte));
            } else {
                value.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    value.push_str(&format!("; filename=\"{plain}\""));
    value
}

/// Base64 in lines.
fn base64_lines(bytes: &[u8]) -> Vec<u8> {
    let encoded = STANDARD.encode(bytes);
    let mut out = Vec::with_capacity(encoded.len() + encoded.len() / BASE64_LINE * 2 + 2);
    for line in encoded.as_bytes().chunks(BASE64_LINE) {
        if !out.is_empty() {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_end_becomes_two_characters() {
        for (given, wanted) in [
            ("", ""),
            ("a", "a"),
            ("a\r\nb", "a\r\nb"),
            ("a\nb", "a\r\nb"),
            ("a\rb", "a\r\nb"),
            ("\n\r\r\n\n", "\r\n\r\n\r\n\r\n"),
            ("a\r\n\nb\r", "a\r\n\r\nb\r\n"),
        ] {
            assert_eq!(lines_ended(given), wanted, "{given:?}");
        }
        assert!(matches!(lines_ended("a\r\nb"), Cow::Borrowed(_)), "lawful text is not copied");
    }

    #[test]
    fn encodings_by_what_is_in_the_text() {
        assert_eq!(text_encoding("plain\r\ntext\t"), "7bit");
        assert_eq!(text_encoding(&"x".repeat(MAX_LINE)), "7bit");
        assert_eq!(text_encoding(&"x".repeat(MAX_LINE + 1)), "quoted-printable");
        assert_eq!(text_encoding("a café, and much else that is ASCII"), "quoted-printable");
        assert_eq!(text_encoding("漢字"), "base64");
        assert_eq!(text_encoding("a\0b"), "base64");
    }

    #[test]
    fn boundaries_avoid_the_text() {
        let texts = [Cow::Borrowed("x =_chancery_00000001 y =_chancery_00000002")];
        let mut boundaries = Boundaries { texts: &texts, next: 0 };
        assert_eq!(boundaries.make(), "=_chancery_00000003");
        assert_eq!(boundaries.make(), "=_chancery_00000004");
    }

    #[test]
    fn file_names_are_quoted_and_told_in_full() {
        assert_eq!(disposition("attachment", "a b.pdf"), "attachment; filename=\"a b.pdf\"");
        assert_eq!(
            disposition("inline", "Füße\"\r\n.pdf"),
            "inline; filename*=utf-8''F%C3%BC%C3%9Fe%22__.pdf; filename=\"F__e___.pdf\""
        );
    }

    #[test]
    fn base64_stands_in_lines() {
        assert_eq!(base64_lines(b""), b"");
        assert_eq!(base64_lines(b"abc"), b"YWJj");
        let lines = base64_lines(&[7; 200]);
        let lengths: Vec<_> = lines.split(|byte| *byte == b'\n').map(<[u8]>::len).collect();
        assert_eq!(lengths, [77, 77, 77, 40]);
    }
}
