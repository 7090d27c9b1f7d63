//! Where a chunked body ends (RFC 9112 section 7.1), found without decoding it: the HTTP library decodes, this decides
//! how many bytes it is given, so that both must agree before a byte of the next request is looked at.

/// Bytes of chunk extensions and trailers one body may have, all together: neither is ever used.
const MAX_EXTRA: u32 = 4 * 1024;
/// Hexadecimal digits of one chunk's size.
const MAX_DIGITS: u8 = 8;

/// A chunked body as far as it has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunked {
    at: At,
    extra: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size { size: u64, digits: u8 },
    Extension { size: u64 },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    LastLf,
    End,
}

/// Not chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadChunk;

impl Chunked {
    pub(super) const START: Self = Self { at: At::Size { size: 0, digits: 0 }, extra: 0 };

    /// How many of `bytes` belong to this body. Less than all of them only when the body ends there.
    ///
    /// # Errors
    /// When the bytes are not chunks, or carry more beside their data than is taken.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<usize, BadChunk> {
        let mut at = 0;
        while at < bytes.len() && self.at != At::End {
            if let At::Data { left } = self.at {
                let here = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX).min(left);
                at += usize::try_from(here).unwrap_or(usize::MAX);
                self.at = if here == left { At::DataCr } else { At::Data { left: left - here } };
            } else {
                self.at = self.step(bytes[at])?;
                at += 1;
            }
        }
        Ok(at)
    }

    /// Whether the body has ended.
    pub(super) const fn ended(&self) -> bool {
        matches!(self.at, At::End)
    }

    fn step(&mut self, byte: u8) -> Result<At, BadChunk> {
        Ok(match (self.at, byte) {
            (At::Size { size, digits }, _) if byte.is_ascii_hexdigit() && digits < MAX_DIGITS => {
                let digit = char::from(byte).to_digit(16).ok_or(BadChunk)?;
                At::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }
            }
            (At::Size { size, digits: 1.. }, b'\r') => At::SizeLf { size },
            (At::Size { size, digits: 1.. }, b';') => self.beside(At::Extension { size })?,
            (At::Extension { size }, b'\r') => At::SizeLf { size },
            (At::Extension { size }, _) if is_text(byte) => self.beside(At::Extension { size })?,
            (At::SizeLf { size: 0 }, b'\n') => At::TrailerStart,
            (At::SizeLf { size }, b'\n') => At::Data { left: size },
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => At::Size { size: 0, digits: 0 },
            (At::TrailerStart, b'\r') => At::LastLf,
            (At::Trailer, b'\r') => At::TrailerLf,
            (At::TrailerStart, _) if byte.is_ascii_graphic() => self.beside(At::Trailer)?,
            (At::Trailer, _) if is_text(byte) => self.beside(At::Trailer)?,
            (At::TrailerLf, b'\n') => At::TrailerStart,
            (At::LastLf, b'\n') => At::End,
            _ => return Err(BadChunk),
        })
    }

    fn beside(&mut self, next: At) -> Result<At, BadChunk> {
        self.extra += 1;
        if self.extra > MAX_EXTRA { Err(BadChunk) } else { Ok(next) }
    }
}

const fn is_text(byte: u8) -> bool {
    byte >= b' ' && byte != 0x7F || byte == b'\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of(bytes: &[u8]) -> Result<Option<usize>, BadChunk> {
        let mut body = Chunked::START;
        let taken = body.take(bytes)?;
        Ok(body.ended().then_some(taken))
    }

    #[test]
    fn finds_the_end_and_no_further() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "A\r\n0123456789\r\n00\r\n\r\n",
            "1;name=\"value\"\r\nx\r\n0;last\r\nTrailer: y\r\nOther: z\r\n\r\n",
            "4\r\n0\r\n\r\r\n0\r\n\r\n",
        ] {
            let followed = format!("{body}GET / HTTP/1.1\r\n");
            assert_eq!(end_of(followed.as_bytes()), Ok(Some(body.len())), "{body:?}");
            for cut in 0..body.len() {
                let (first, rest) = followed.as_bytes().split_at(cut);
                let mut split = Chunked::START;
                assert_eq!(split.take(first), Ok(cut));
                assert!(!split.ended());
                assert_eq!(split.take(rest), Ok(body.len() - cut), "{body:?} cut at {cut}");
                assert!(split.ended());
                assert_eq!(split.take(b"more"), Ok(0), "nothing after the end");
            }
        }
    }

    #[test]
    fn refuses_what_readers_disagree_on() {
        for bad in [
            "\r\n",
            "g\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            " 1\r\n",
            "1 \r\n",
            "1\n",
            "1\r1",
            "1\r\nxy\r\n",
            "1\r\nx\n",
            "1\r\nx0\r\n",
            ";ext\r\n",
            "1;a\nb\r\n",
            "1;\0\r\n",
            "0\r\n \r\n",
            "0\r\nX: y\n\r\n",
            "0\r\n\n",
            "100000000\r\n",
        ] {
            assert_eq!(end_of(bad.as_bytes()), Err(BadChunk), "{bad:?}");
        }
    }

    #[test]
    fn what_stands_beside_the_data_is_bounded() {
        let extension =
            |len: u32| format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(usize::try_from(len).unwrap() - 1));
        assert!(end_of(extension(MAX_EXTRA).as_bytes()).unwrap().is_some());
        assert_eq!(end_of(extension(MAX_EXTRA + 1).as_bytes()), Err(BadChunk));
        let many = "1;ee\r\nx\r\n".repeat(2000);
        assert_eq!(end_of(many.as_bytes()), Err(BadChunk), "counted over all chunks of a body");
    }
}
