//! What a server says (RFC 5321, section 4.2, with the enhanced codes of RFC 3463).

use std::borrow::Cow;

/// One reply of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: &'static str,
    text: Cow<'static, str>,
}

impl Reply {
    /// A reply. `enhanced` may be empty, as for 354. Of `text` what is no printable ASCII is left out, so that nothing
    /// in it can end the line.
    #[must_use]
    pub fn new(code: u16, enhanced: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        let plain = |c: char| c == ' ' || c.is_ascii_graphic();
        let text = if text.chars().all(plain) { text } else { text.chars().filter(|c| plain(*c)).collect() };
        Self { code, enhanced, text }
    }

    /// The reply code.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// Whether it says yes.
    #[must_use]
    pub const fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// Adds it to `out`, as it goes over the wire.
    pub fn write(&self, out: &mut Vec<u8>) {
        // The space after the code is there also when nothing follows: some clients look for it.
        out.extend_from_slice(format!("{} {}", self.code, self.enhanced).as_bytes());
        if !self.enhanced.is_empty() && !self.text.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(self.text.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// The mail is taken; said only when it is durable.
    #[must_use]
    pub fn taken() -> Self {
        Self::new(250, "2.0.0", "OK")
    }

    /// Who offers a credential is let in (RFC 4954, section 6).
    #[must_use]
    pub fn welcome() -> Self {
        Self::new(235, "2.7.0", "Authentication successful")
    }

    /// A credential that is none. The words are those of ACS.
    #[must_use]
    pub fn not_authenticated() -> Self {
        Self::new(535, "5.7.3", "Authentication unsuccessful")
    }

    /// The server cannot do it now; the client shall come again.
    #[must_use]
    pub fn later() -> Self {
        Self::new(451, "4.3.0", "Cannot do this now; try again later")
    }

    /// The server is stopping; the connection ends.
    #[must_use]
    pub fn stopping() -> Self {
        Self::new(421, "4.3.2", "The server is stopping; try again later")
    }

    /// The client was silent for too long; the connection ends.
    #[must_use]
    pub fn timeout() -> Self {
        Self::new(421, "4.4.2", "Timeout; closing connection")
    }

    /// There are too many connections; this one ends.
    #[must_use]
    pub fn too_many_connections() -> Self {
        Self::new(421, "4.7.0", "Too many connections; try again later")
    }

    /// No mail is taken for this address. Whether it is anybody's is not said.
    #[must_use]
    pub fn no_such_recipient() -> Self {
        Self::new(550, "5.1.1", "No mail is taken for this address")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_one_line_whatever_it_says() {
        let mut out = Vec::new();
        Reply::new(550, "5.1.1", "no\r\n250 yes\0\u{e9}").write(&mut out);
        Reply::new(354, "", "go on").write(&mut out);
        Reply::new(250, "2.0.0", "").write(&mut out);
        assert_eq!(out, b"550 5.1.1 no250 yes\r\n354 go on\r\n250 2.0.0\r\n");
    }

    #[test]
    fn the_words_of_acs() {
        let mut out = Vec::new();
        Reply::not_authenticated().write(&mut out);
        assert_eq!(out, b"535 5.7.3 Authentication unsuccessful\r\n");
        assert!(Reply::taken().is_positive() && !Reply::later().is_positive());
    }
}
