//! The text of a mail after DATA: dots unstuffed (RFC 5321, section 4.5.2), ended by CR LF `.` CR LF alone.
//!
//! Not the receiver of `smtp-proto` 0.2: that one also takes `.` CR CR LF for the end, and misses an end, or a stuffed
//! dot, in the first line.

/// Where in a line the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// At its beginning.
    Start,
    /// After a dot at its beginning.
    Dot,
    /// After a dot at its beginning and a CR.
    DotCr,
    /// Anywhere else.
    Text,
    /// After a CR.
    Cr,
}

/// Takes the text of one mail.
pub(super) struct Receiver {
    at: At,
    /// Whether a CR or LF came on its own.
    pub(super) bare: bool,
    /// How long the text is, with what of it was not kept.
    pub(super) size: usize,
}

impl Receiver {
    pub(super) const fn new() -> Self {
        Self { at: At::Start, bare: false, size: 0 }
    }

    /// Takes from `input` up to the end of the mail, and keeps what fits `text` up to a length of `keep`. `true`: that was
    /// the end.
    pub(super) fn take(&mut self, input: &mut &[u8], text: &mut Vec<u8>, keep: usize) -> bool {
        let mut came = 0_usize;
        let ended = self.scan(input, &mut |bytes| {
            came = came.saturating_add(bytes.len());
            let room = keep.saturating_sub(text.len()).min(bytes.len());
            text.extend_from_slice(&bytes[..room]);
        });
        self.size = self.size.saturating_add(came);
        ended
    }

    fn scan(&mut self, input: &mut &[u8], keep: &mut impl FnMut(&[u8])) -> bool {
        while let Some((&first, rest)) = input.split_first() {
            match (self.at, first) {
                (At::Start, b'.') => {
                    self.at = At::Dot;
                    *input = rest;
                }
                (At::Dot, b'\r') => {
                    self.at = At::DotCr;
                    *input = rest;
                }
                (At::DotCr, b'\n') => {
                    *input = rest;
                    return true;
                }
                (At::Cr, b'\n') => {
                    keep(b"\r\n");
                    self.at = At::Start;
                    *input = rest;
                }
                // The CR that was held back stands alone: the mail will be refused, but its end is still looked for.
                (At::DotCr | At::Cr, _) => {
                    keep(b"\r");
                    self.bare = true;
                    self.at = At::Text;
                }
                (At::Start | At::Dot | At::Text, _) => self.line(input, keep),
            }
        }
        false
    }

    /// Within a line, up to the next CR or LF.
    fn line(&mut self, input: &mut &[u8], keep: &mut impl FnMut(&[u8])) {
        self.at = At::Text;
        let end = memchr::memchr2(b'\r', b'\n', input).unwrap_or(input.len());
        keep(&input[..end]);
        match input.get(end) {
            Some(b'\r') => self.at = At::Cr,
            Some(_) => {
                keep(b"\n");
                self.bare = true;
            }
            None => {}
        }
        *input = input.get(end + 1..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Got {
        text: String,
        bare: bool,
        ended: bool,
        rest: String,
    }

    fn receive(bytes: &[u8], piece: usize) -> Got {
        let (mut receiver, mut text, mut taken) = (Receiver::new(), Vec::new(), 0);
        for chunk in bytes.chunks(piece) {
            let mut input = chunk;
            let ended = receiver.take(&mut input, &mut text, usize::MAX);
            taken += chunk.len() - input.len();
            if ended {
                let rest = String::from_utf8_lossy(&bytes[taken..]).into_owned();
                let text = String::from_utf8_lossy(&text).into_owned();
                return Got { text, bare: receiver.bare, ended, rest };
            }
            assert!(input.is_empty());
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        Got { text, bare: receiver.bare, ended: false, rest: String::new() }
    }

    #[test]
    fn dots_are_unstuffed_and_the_end_is_found() {
        for (sent, text) in [
            (".\r\n", ""),
            ("hi\r\n.\r\n", "hi\r\n"),
            ("..\r\n.\r\n", ".\r\n"),
            ("..a\r\nb.\r\n..\r\n...\r\n.\r\n", ".a\r\nb.\r\n.\r\n..\r\n"),
            (".a\r\n.\r\n", "a\r\n"),
            ("\r\n\r\n.\r\n", "\r\n\r\n"),
        ] {
            for piece in 1..=sent.len() {
                let sent = format!("{sent}QUIT\r\n");
                let got = receive(sent.as_bytes(), piece);
                assert!(got.ended && !got.bare, "{sent:?}");
                assert_eq!((got.text.as_str(), got.rest.as_str()), (text, "QUIT\r\n"), "{sent:?} {piece}");
            }
        }
    }

    #[test]
    fn no_other_ending_ends_it() {
        // As published on SMTP smuggling (CVE-2023-51764 and its kin), and what smtp-proto takes.
        let endings = [
            "\n.\n",
            "\n.\r\n",
            "\r.\r\n",
            "\r.\r",
            "\r\n.\n",
            "\r\n.\r",
            "\r\n.\r\r\n",
            "\n\n.\r\n",
            "\r\n\0.\r\n",
            "\r\r\n.\r",
            "\r\n.\r.\r",
            "\n.\r",
            "\r.\n",
        ];
        for ending in endings {
            let sent = format!("a{ending}MAIL FROM:<x@y>\r\n.\r\nQUIT\r\n");
            for piece in 1..=sent.len() {
                let got = receive(sent.as_bytes(), piece);
                assert!(got.ended, "{ending:?}");
                assert_eq!(got.rest, "QUIT\r\n", "{ending:?} {piece}");
                assert!(got.text.contains("MAIL FROM"), "{ending:?}");
                assert!(got.bare || ending.contains('\0'), "{ending:?}");
            }
        }
    }

    #[test]
    fn no_more_is_kept_than_asked_for_and_all_is_counted() {
        for (max, kept) in [(0, 0), (3, 3), (12, 12), (100, 12)] {
            let (mut receiver, mut text) = (Receiver::new(), Vec::new());
            let mut input: &[u8] = b"0123456789\r\n.\r\n";
            assert!(receiver.take(&mut input, &mut text, max));
            assert_eq!((text.len(), receiver.size), (kept, 12));
        }
    }

    /// What a sender does, by the words of RFC 5321.
    fn stuff(text: &str) -> String {
        let lines = text.split_inclusive("\r\n");
        let stuffed: String = lines
            .map(|line| if line.starts_with('.') { format!(".{line}") } else { line.to_owned() })
            .collect();
        stuffed + ".\r\n"
    }

    proptest! {
        #[test]
        fn what_is_stuffed_comes_back(lines in prop::collection::vec("[.a ]{0,4}", 0..8), piece in 1usize..9) {
            let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let got = receive((stuff(&text) + "NOOP").as_bytes(), piece);
            prop_assert!(got.ended && !got.bare);
            prop_assert_eq!(got.text, text);
            prop_assert_eq!(got.rest, "NOOP");
        }

        #[test]
        fn the_end_is_the_first_of_its_kind_in_any_bytes(text in "[.\r\na]{0,24}", piece in 1usize..9) {
            let whole = format!("\r\n{text}");
            let end = whole.find("\r\n.\r\n");
            let got = receive(text.as_bytes(), piece);
            prop_assert_eq!(got.ended, end.is_some());
            if let Some(at) = end {
                prop_assert_eq!(got.rest.as_str(), &whole[at + 5..]);
            }
            // Bare as told by an independent look at each byte.
            let looked = end.map_or(text.as_str(), |at| &text[..at]);
            let alone = looked.replace("\r\n", "");
            let open = end.is_none() && text.ends_with('\r');
            if !open {
                prop_assert_eq!(got.bare, alone.contains(['\r', '\n']));
            }
        }
    }
}
