//! Lines of commands: cut at CR LF, and only there.

use base::limits::MAX_SMTP_LINE;

/// What came of looking for a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// All input is taken and the line goes on.
    More,
    /// A line is whole; [`Lines::line`] has it.
    Whole,
    /// It is longer than [`MAX_SMTP_LINE`].
    TooLong,
    /// It holds a CR or an LF on its own.
    Bare,
}

/// The line under way.
#[derive(Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    whole: bool,
}

impl Lines {
    /// Takes from `input` up to the end of a line.
    pub(super) fn take(&mut self, input: &mut &[u8]) -> Cut {
        if std::mem::take(&mut self.whole) {
            self.line.clear();
        }
        let end = memchr::memchr(b'\n', input).map_or(input.len(), |at| at + 1);
        let (head, rest) = input.split_at(end);
        *input = rest;
        if self.line.len() + head.len() > MAX_SMTP_LINE {
            return Cut::TooLong;
        }
        let from = self.line.len().saturating_sub(1);
        self.line.extend_from_slice(head);
        let line = &self.line[from..];
        let Some(cr) = memchr::memchr(b'\r', line) else {
            return if line.ends_with(b"\n") { Cut::Bare } else { Cut::More };
        };
        match line.get(cr + 1..) {
            Some(b"\n") => {
                self.whole = true;
                Cut::Whole
            }
            Some([]) => Cut::More,
            _ => Cut::Bare,
        }
    }

    /// The whole line, with its CR LF.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// Forgets what is under way.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every line, however the bytes are cut into pieces, and what ended the search.
    fn lines(bytes: &[u8], piece: usize) -> (Vec<Vec<u8>>, Cut) {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for mut input in bytes.chunks(piece) {
            while !input.is_empty() {
                match lines.take(&mut input) {
                    Cut::Whole => found.push(lines.line().to_vec()),
                    Cut::More => {}
                    bad => return (found, bad),
                }
            }
        }
        (found, Cut::More)
    }

    #[test]
    fn lines_end_with_cr_lf_wherever_the_bytes_are_cut() {
        let bytes = b"NOOP\r\n\r\nMAIL FROM:<>\r\nQUI";
        let expected = vec![b"NOOP\r\n".to_vec(), b"\r\n".to_vec(), b"MAIL FROM:<>\r\n".to_vec()];
        for piece in 1..=bytes.len() {
            assert_eq!(lines(bytes, piece), (expected.clone(), Cut::More), "{piece}");
        }
    }

    #[test]
    fn a_lone_cr_or_lf_is_found() {
        for bad in ["NOOP\n", "\n", "NO\rOP\r\n", "NOOP\r\r\n", "\rNOOP\r\n", "\n.\r\n", "a\r\rb"] {
            for piece in 1..=bad.len() {
                assert_eq!(lines(bad.as_bytes(), piece), (Vec::new(), Cut::Bare), "{bad:?} {piece}");
            }
        }
    }

    #[test]
    fn a_line_has_a_length() {
        let fits = [vec![b'a'; MAX_SMTP_LINE - 2], b"\r\n".to_vec()].concat();
        let past = [vec![b'a'; MAX_SMTP_LINE - 1], b"\r\n".to_vec()].concat();
        for piece in [1, 100, 100_000] {
            assert_eq!(lines(&fits, piece), (vec![fits.clone()], Cut::More));
            assert_eq!(lines(&past, piece).1, Cut::TooLong);
        }
    }
}
