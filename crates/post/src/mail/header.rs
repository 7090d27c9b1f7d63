//! Header fields: which names a sender may set, and how any text becomes a value of RFC 5322 with RFC 2047 words. No
//! text can end a line, so no text can become a header of its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::compose::ComposeError;

/// Where lines are folded, in bytes (RFC 5322, section 2.1.1: should).
const FOLD: usize = 76;
/// The longest line, in bytes, without its end (RFC 5322, section 2.1.1: must).
pub const MAX_LINE: usize = 998;
/// The longest name of a header, in bytes.
pub const MAX_NAME: usize = 76;
/// The longest value of a header a sender may set, in bytes.
pub const MAX_VALUE: usize = 8 * 1024;
/// How many bytes of text one encoded word holds: 60 of base64 and 12 around it stay under 75 (RFC 2047, section 2).
const WORD: usize = 45;

/// Fields that are made here or by those who carry the mail; a sender cannot set them as they like.
const RESERVED: [&str; 20] = [
    "arc-authentication-results",
    "arc-message-signature",
    "arc-seal",
    "authentication-results",
    "bcc",
    "cc",
    "date",
    "delivered-to",
    "dkim-signature",
    "from",
    "message-id",
    "mime-version",
    "received",
    "received-spf",
    "reply-to",
    "return-path",
    "sender",
    "subject",
    "to",
    "x-original-to",
];

/// Whether a sender may set this header.
///
/// # Errors
/// [`ComposeError::HeaderName`] for what is no name, [`ComposeError::HeaderReserved`] for one that is made by the
/// composer (also all of `Content-*` and `Resent-*`), [`ComposeError::HeaderValue`] for a value past [`MAX_VALUE`].
pub fn check_header(name: &str, value: &str) -> Result<(), ComposeError> {
    let ftext = |byte: u8| (b'!'..=b'~').contains(&byte) && byte != b':';
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(ftext) {
        return Err(ComposeError::HeaderName);
    }
    let lower = name.to_ascii_lowercase();
    if RESERVED.contains(&lower.as_str()) || lower.starts_with("content-") || lower.starts_with("resent-") {
        return Err(ComposeError::HeaderReserved);
    }
    if value.len() > MAX_VALUE {
        return Err(ComposeError::HeaderValue);
    }
    Ok(())
}

/// Writes `name: value` with its line end: ASCII as it is, folded at spaces; anything else as encoded words.
pub(super) fn write_text(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let column = name.len() + 1;
    let clean = clean(value);
    if clean.is_empty() {
        out.push(b' ');
    } else if is_plain(&clean) {
        write_words(out, &clean, column);
    } else {
        write_encoded(out, &clean, column);
    }
    out.extend_from_slice(b"\r\n");
}

/// One line of text: control characters and line ends are spaces, and runs of spaces are one.
fn clean(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        let c = if c.is_control() || c == '\u{2028}' || c == '\u{2029}' { ' ' } else { c };
        if c != ' ' || !(out.is_empty() || out.ends_with(' ')) {
            out.push(c);
        }
    }
    out.truncate(out.trim_end_matches(' ').len());
    out
}

/// Whether it can stand in a header as it is: ASCII, no word too long for a line.
fn is_plain(value: &str) -> bool {
    value.is_ascii() && value.split(' ').all(|word| word.len() <= MAX_LINE - FOLD)
}

fn write_words(out: &mut Vec<u8>, value: &str, mut column: usize) {
    for word in value.split(' ') {
        if column + 1 + word.len() > FOLD && column > 1 {
            out.extend_from_slice(b"\r\n");
            column = 0;
        }
        out.push(b' ');
        out.extend_from_slice(word.as_bytes());
        column += 1 + word.len();
    }
}

fn write_encoded(out: &mut Vec<u8>, value: &str, mut column: usize) {
    let mut rest = value;
    while !rest.is_empty() {
        let room = if column == 0 { WORD } else { ((FOLD.saturating_sub(column + 13)) / 4 * 3).min(WORD) };
        let cut = cut_at(rest, room);
        if cut == 0 {
            out.extend_from_slice(b"\r\n");
            column = 0;
            continue;
        }
        let word = STANDARD.encode(&rest[..cut]);
        out.extend_from_slice(b" =?utf-8?B?");
        out.extend_from_slice(word.as_bytes());
        out.extend_from_slice(b"?=");
        column += 13 + word.len();
        rest = &rest[cut..];
    }
}

/// The last boundary between characters at or before `room`.
fn cut_at(text: &str, room: usize) -> usize {
    if text.len() <= room {
        return text.len();
    }
    (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

/// Writes the header `name` with `mailboxes` (display name, address), one folded after the other. The addresses have
/// been checked.
pub(super) fn write_mailboxes<'a>(
    out: &mut Vec<u8>,
    name: &str,
    mailboxes: impl Iterator<Item = (Option<&'a str>, &'a str)>,
) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let mut first = true;
    for (display, address) in mailboxes {
        if !first {
            out.extend_from_slice(b",\r\n");
        }
        let column = if first { name.len() + 1 } else { 0 };
        first = false;
        let display = display.map(clean).filter(|display| !display.is_empty());
        if let Some(display) = display {
            let start = out.len();
            write_phrase(out, &display, column);
            let last_line = memchr::memrchr(b'\n', &out[start..])
                .map_or(column + out.len() - start, |at| out.len() - start - at - 1);
            if last_line + address.len() + 3 > FOLD {
                out.extend_from_slice(b"\r\n");
            }
        }
        out.extend_from_slice(b" <");
        out.extend_from_slice(address.as_bytes());
        out.push(b'>');
    }
    out.extend_from_slice(b"\r\n");
}

/// A display name: a quoted string when it is short ASCII, encoded words otherwise.
fn write_phrase(out: &mut Vec<u8>, display: &str, column: usize) {
    // What looks like an encoded word must not be one when it comes back.
    if display.is_ascii() && display.len() <= FOLD && !display.contains("=?") {
        out.extend_from_slice(b" \"");
        for byte in display.bytes() {
            if byte == b'"' || byte == b'\\' {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.push(b'"');
    } else {
        write_encoded(out, display, column);
    }
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;
    use proptest::prelude::*;

    use super::*;

    fn text(value: &str) -> String {
        let mut out = Vec::new();
        write_text(&mut out, "Subject", value);
        String::from_utf8(out).unwrap()
    }

    fn read(header: &str) -> String {
        let raw = format!("{header}\r\nx");
        MessageParser::new().parse(raw.as_bytes()).unwrap().subject().unwrap_or_default().to_owned()
    }

    #[test]
    fn plain_text_is_left_alone_and_folded() {
        assert_eq!(text("Your appointment"), "Subject: Your appointment\r\n");
        assert_eq!(text(""), "Subject: \r\n");
        let long = "word ".repeat(60);
        let header = text(&long);
        assert!(header.lines().all(|line| line.len() <= FOLD), "{header}");
        assert_eq!(read(&header), long.trim_end());
    }

    #[test]
    fn no_text_ends_a_line() {
        for bad in
            ["a\r\nBcc: x@y.z", "a\nBcc: x@y.z", "a\rBcc: x@y.z", "a\u{2028}Bcc: x", "a\0b", "a\u{85}b"]
        {
            let header = text(bad);
            assert_eq!(header.matches("\r\n").count(), 1, "{header:?}");
            assert!(!header[..header.len() - 2].contains(['\r', '\n', '\0']), "{header:?}");
        }
    }

    #[test]
    fn other_scripts_become_words_of_a_lawful_length() {
        let value = "Ihr Termin am Dienstag: Füße, Größe, 漢字かな交じり文, \u{1F600}".repeat(9);
        let header = text(&value);
        for line in header.lines() {
            assert!(line.len() <= FOLD && line.is_ascii(), "{line}");
            assert!(line.split(' ').filter(|word| word.starts_with("=?")).all(|word| word.len() <= 75));
        }
        assert_eq!(read(&header), value);
    }

    #[test]
    fn a_word_longer_than_any_line_is_encoded() {
        let value = "x".repeat(5_000);
        let header = text(&value);
        assert!(header.lines().all(|line| line.len() <= FOLD));
        assert_eq!(read(&header), value);
        let token = format!("<https://example.com/{}>", "t".repeat(700));
        assert!(text(&token).contains(&token), "a long link is left in one piece");
    }

    #[test]
    fn names_and_values_a_sender_may_set() {
        for good in ["Importance", "X-Priority", "List-Unsubscribe", "In-Reply-To", "x!y"] {
            assert_eq!(check_header(good, "v"), Ok(()), "{good}");
        }
        for bad in ["", "a b", "a:b", "a\r\nb", "é", &"n".repeat(MAX_NAME + 1)] {
            assert_eq!(check_header(bad, "v"), Err(ComposeError::HeaderName), "{bad}");
        }
        for reserved in ["From", "BCC", "dkim-signature", "Content-Type", "Resent-To", "Received"] {
            assert_eq!(check_header(reserved, "v"), Err(ComposeError::HeaderReserved), "{reserved}");
        }
        assert_eq!(check_header(&"n".repeat(MAX_NAME), &"v".repeat(MAX_VALUE)), Ok(()));
        assert_eq!(check_header("n", &"v".repeat(MAX_VALUE + 1)), Err(ComposeError::HeaderValue));
    }

    #[test]
    fn mailboxes_are_quoted_encoded_and_folded() {
        let mut out = Vec::new();
        let long = "ä".repeat(200);
        let boxes = [
            (Some("Ada \"the\" \\ Countess"), "ada@example.org"),
            (None, "b@example.org"),
            (Some(long.as_str()), "c@example.org"),
            (Some("=?utf-8?B?QQ==?="), "d@example.org"),
            (Some(" \r\n "), "e@example.org"),
        ];
        write_mailboxes(&mut out, "To", boxes.into_iter());
        assert!(out.starts_with(
            b"To: \"Ada \\\"the\\\" \\\\ Countess\" <ada@example.org>,\r\n <b@example.org>,\r\n"
        ));
        assert!(out.split(|byte| *byte == b'\n').all(|line| line.len() <= FOLD + 2));
        out.extend_from_slice(b"\r\nx");
        let message = MessageParser::new().parse(&out).unwrap();
        let read: Vec<_> = message
            .to()
            .unwrap()
            .iter()
            .map(|a| (a.name.as_deref(), a.address.as_deref().unwrap()))
            .collect();
        assert_eq!(read[0], (Some("Ada \"the\" \\ Countess"), "ada@example.org"));
        assert_eq!(read[2], (Some(long.as_str()), "c@example.org"));
        assert_eq!(read[3], (Some("=?utf-8?B?QQ==?="), "d@example.org"));
        assert_eq!((read[1], read[4]), ((None, "b@example.org"), (None, "e@example.org")));
    }

    proptest! {
        #[test]
        fn any_text_is_one_lawful_header(value in "\\PC{0,400}|(.|\r|\n){0,200}") {
            let header = text(&value);
            prop_assert!(header.is_ascii() && header.ends_with("\r\n"));
            for (at, line) in header[..header.len() - 2].split("\r\n").enumerate() {
                prop_assert!(line.len() <= MAX_LINE);
                prop_assert!(!line.contains(['\r', '\n']));
                prop_assert!(at == 0 || line.starts_with(' '), "a line that is no continuation: {line:?}");
                prop_assert!(at == 0 || !line.trim().is_empty());
            }
        }
    }
}
