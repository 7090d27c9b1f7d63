//! The client's half of SMTP as values (RFC 5321): replies as they come in, what a server says it can do, commands, and
//! the message as it goes over the wire. It does no input or output.

use memchr::memmem;
use thiserror::Error;

use super::address::{Address, InvalidAddress};

/// The longest line of a reply that is read, in bytes; the standard's own is 512.
pub const MAX_REPLY_LINE: usize = 4 * 1024;
/// The most lines of one reply that are read.
pub const MAX_REPLY_LINES: usize = 128;

/// What came is no reply of SMTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the server does not speak SMTP")]
pub struct NotSmtp;

/// One reply, whole.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// RFC 3463 enhanced code, when its first line begins with one.
    pub enhanced: Option<String>,
    /// Its lines, without codes.
    pub lines: Vec<String>,
}

impl Reply {
    /// Its words in one line.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }

    /// 2xx.
    #[must_use]
    pub const fn is_yes(&self) -> bool {
        self.code / 100 == 2
    }

    /// 5xx: never.
    #[must_use]
    pub const fn is_never(&self) -> bool {
        self.code / 100 == 5
    }
}

impl std::fmt::Debug for Reply {
    /// The words may quote an address.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reply({} {:?})", self.code, self.enhanced)
    }
}

/// Puts replies together from what is read.
#[derive(Debug, Default)]
pub struct ReplyReader {
    line: Vec<u8>,
    reply: Reply,
}

impl ReplyReader {
    /// Takes from `input`, moving it on, until a reply is whole; `None` when more must be read.
    ///
    /// # Errors
    /// [`NotSmtp`]; nothing can be read after it.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Reply>, NotSmtp> {
        while let Some(end) = memchr::memchr(b'\n', input) {
            let (line, rest) = input.split_at(end + 1);
            *input = rest;
            self.line.extend_from_slice(line);
            let line = std::mem::take(&mut self.line);
            if self.line(&line)? {
                return Ok(Some(std::mem::take(&mut self.reply)));
            }
        }
        self.line.extend_from_slice(input);
        *input = &[];
        if self.line.len() > MAX_REPLY_LINE { Err(NotSmtp) } else { Ok(None) }
    }

    /// Takes one line; whether it was the last.
    fn line(&mut self, line: &[u8]) -> Result<bool, NotSmtp> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > MAX_REPLY_LINE || self.reply.lines.len() >= MAX_REPLY_LINES {
            return Err(NotSmtp);
        }
        let (code, rest) = line.split_at_checked(3).ok_or(NotSmtp)?;
        let [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9'] = code else { return Err(NotSmtp) };
        let code = code.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        if !self.reply.lines.is_empty() && code != self.reply.code {
            return Err(NotSmtp);
        }
        let (last, text) = match rest {
            [] => (true, rest),
            [b' ', text @ ..] => (true, text),
            [b'-', text @ ..] => (false, text),
            _ => return Err(NotSmtp),
        };
        let text: String = String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).collect();
        let (enhanced, words) = split_enhanced(&text, code);
        if self.reply.lines.is_empty() {
            self.reply.code = code;
            self.reply.enhanced = enhanced.map(str::to_owned);
        }
        self.reply.lines.push(words.to_owned());
        Ok(last)
    }
}

/// Takes an enhanced code of the same class from the beginning of a reply's text.
fn split_enhanced(text: &str, code: u16) -> (Option<&str>, &str) {
    let word = text.split(' ').next().unwrap_or_default();
    let mut parts = word.split('.');
    let number = |part: Option<&str>| {
        part.is_some_and(|part| {
            (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let class = parts.next() == Some(&(code / 100).to_string());
    if class && number(parts.next()) && number(parts.next()) && parts.next().is_none() {
        (Some(word), text[word.len()..].trim_start())
    } else {
        (None, text)
    }
}

/// What a server said it can do, in answer to EHLO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The name it gave itself.
    pub host: String,
    /// STARTTLS (RFC 3207).
    pub start_tls: bool,
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// 8BITMIME (RFC 6152).
    pub eight_bit: bool,
    /// SIZE (RFC 1870): whether, and the largest message where there is a limit.
    pub size: Option<Option<u64>>,
    /// AUTH PLAIN (RFC 4954).
    pub auth_plain: bool,
    /// AUTH LOGIN.
    pub auth_login: bool,
}

impl Capabilities {
    /// Reads the answer to EHLO.
    #[must_use]
    pub fn read(reply: &Reply) -> Self {
        let first = reply.lines.first().map(String::as_str).unwrap_or_default();
        let host = first.split(' ').next().unwrap_or_default().chars().take(255).collect();
        let mut can = Self { host, ..Self::default() };
        for line in reply.lines.iter().skip(1) {
            let upper = line.to_ascii_uppercase();
            // "AUTH=PLAIN" is of servers older than the standard.
            let mut words = upper.split([' ', '=']).filter(|word| !word.is_empty());
            match words.next() {
                Some("STARTTLS") => can.start_tls = true,
                Some("PIPELINING") => can.pipelining = true,
                Some("8BITMIME") => can.eight_bit = true,
                Some("SIZE") => {
                    can.size = Some(words.next().and_then(|size| size.parse().ok()).filter(|size| *size > 0));
                }
                Some("AUTH") => words.for_each(|word| match word {
                    "PLAIN" => can.auth_plain = true,
                    "LOGIN" => can.auth_login = true,
                    _ => {}
                }),
                _ => {}
            }
        }
        can
    }
}

/// Appends `MAIL FROM` with the parameters the server knows. An empty `from` is the null sender.
///
/// # Errors
/// When `from` is no address.
pub fn mail_from(
    out: &mut Vec<u8>,
    from: &str,
    message: &[u8],
    can: &Capabilities,
) -> Result<(), InvalidAddress> {
    if !from.is_empty() {
        Address::parse(from)?;
    }
    out.extend_from_slice(b"MAIL FROM:<");
    out.extend_from_slice(from.as_bytes());
    out.push(b'>');
    if can.size.is_some() {
        out.extend_from_slice(format!(" SIZE={}", message.len()).as_bytes());
    }
    if can.eight_bit && !message.is_ascii() {
        out.extend_from_slice(b" BODY=8BITMIME");
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Appends `RCPT TO`.
///
/// # Errors
/// When `to` is no address.
pub fn rcpt_to(out: &mut Vec<u8>, to: &str) -> Result<(), InvalidAddress> {
    Address::parse(to)?;
    out.extend_from_slice(b"RCPT TO:<");
    out.extend_from_slice(to.as_bytes());
    out.extend_from_slice(b">\r\n");
    Ok(())
}

/// The message as it goes after DATA, piece by piece: dots at the beginning of lines doubled (RFC 5321, section 4.5.2), then
/// the end. What the pieces are made of is not copied. The message must have CRLF line ends, as the composer's has.
pub fn after_data(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut from = 0;
    // A dot that begins a line: the piece up to and with it, then the next piece begins with it again.
    let first = message.first().filter(|byte| **byte == b'.').map(|_| 0);
    let dots = first.into_iter().chain(memmem::find_iter(message, b"\n.").map(|at| at + 1));
    let mut pieces = Vec::new();
    for dot in dots {
        pieces.push(&message[from..=dot]);
        from = dot;
    }
    pieces.push(&message[from..]);
    let end: &[u8] = if message.is_empty() || message.ends_with(b"\r\n") { b".\r\n" } else { b"\r\n.\r\n" };
    pieces.push(end);
    pieces.into_iter()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Vec<Reply>, NotSmtp> {
        let mut reader = ReplyReader::default();
        let (mut input, mut out) = (text.as_bytes(), Vec::new());
        while let Some(reply) = reader.next(&mut input)? {
            out.push(reply);
        }
        Ok(out)
    }

    #[test]
    fn replies_of_one_line_and_of_many() {
        let replies = read("250 2.1.0 Ok\r\n250-2.1.5 a\r\n250 2.1.5 b\r\n354 Go\n221\r\n25").unwrap();
        let told: Vec<_> = replies.iter().map(|r| (r.code, r.enhanced.as_deref(), r.text())).collect();
        let wanted = [
            (250, Some("2.1.0"), "Ok".to_owned()),
            (250, Some("2.1.5"), "a b".to_owned()),
            (354, None, "Go".to_owned()),
            (221, None, String::new()),
        ];
        assert_eq!(told, wanted);
        assert!(replies[0].is_yes() && !replies[2].is_yes() && !replies[0].is_never());
        assert_eq!(format!("{:?}", replies[0]), "Reply(250 Some(\"2.1.0\"))", "no words");
    }

    #[test]
    fn enhanced_codes_of_any_length_and_of_the_same_class() {
        for (line, enhanced, text) in [
            ("550 5.4.310 DNS domain does not exist", Some("5.4.310"), "DNS domain does not exist"),
            ("550 5.1.10 RESOLVER.ADR", Some("5.1.10"), "RESOLVER.ADR"),
            ("550 5.1.1", Some("5.1.1"), ""),
            ("550 4.1.1 other class", None, "4.1.1 other class"),
            ("550 5.1.1.1 four", None, "5.1.1.1 four"),
            ("550 5.1 two", None, "5.1 two"),
            ("550 5..1 none", None, "5..1 none"),
            ("550 5.1234.1 long", None, "5.1234.1 long"),
        ] {
            let reply = &read(&format!("{line}\r\n")).unwrap()[0];
            assert_eq!((reply.enhanced.as_deref(), reply.text().as_str()), (enhanced, text), "{line}");
        }
    }

    #[test]
    fn what_is_no_reply_is_not_read() {
        for bad in [
            "HTTP/1.1 400 Bad Request\r\n",
            "\r\n",
            "25 x\r\n",
            "2500 x\r\n",
            "150 x\r\n",
            "600 x\r\n",
            "250_x\r\n",
            "250-a\r\n550 b\r\n",
            "\u{16}\u{3}\u{1}\n",
        ] {
            assert_eq!(read(bad), Err(NotSmtp), "{bad:?}");
        }
        let line = "x".repeat(MAX_REPLY_LINE - 4);
        assert!(read(&format!("250 {line}\r\n")).is_ok());
        assert_eq!(read(&format!("250 {line}x\r\n")), Err(NotSmtp));
        assert_eq!(read(&"x".repeat(MAX_REPLY_LINE + 1)), Err(NotSmtp), "a line without an end");
        let many = |lines: usize| format!("{}250 x\r\n", "250-x\r\n".repeat(lines - 1));
        assert!(read(&many(MAX_REPLY_LINES)).is_ok());
        assert_eq!(read(&many(MAX_REPLY_LINES + 1)), Err(NotSmtp));
    }

    #[test]
    fn capabilities_as_servers_write_them() {
        let text = "250-mx.example.com at your service\r\n250-PIPELINING\r\n250-size 10240000\r\n250-STARTTLS\r\n\
                    250-AUTH LOGIN PLAIN XOAUTH2\r\n250-AUTH=LOGIN\r\n250-CHUNKING\r\n250 8BITMIME\r\n";
        let can = Capabilities::read(&read(text).unwrap()[0]);
        assert_eq!((can.host.as_str(), can.size), ("mx.example.com", Some(Some(10_240_000))));
        assert!(can.pipelining && can.start_tls && can.eight_bit && can.auth_plain && can.auth_login);
        let bare = Capabilities::read(&read("250-mx\r\n250 SIZE 0\r\n").unwrap()[0]);
        assert_eq!(bare, Capabilities { host: "mx".into(), size: Some(None), ..Capabilities::default() });
        assert_eq!(Capabilities::read(&read("250 mx\r\n").unwrap()[0]).size, None);
    }

    #[test]
    fn commands_take_addresses_and_nothing_else() {
        let can = Capabilities { size: Some(None), eight_bit: true, ..Capabilities::default() };
        let mut out = Vec::new();
        mail_from(&mut out, "b-1@example.com", b"abc", &can).unwrap();
        mail_from(&mut out, "", "é".as_bytes(), &can).unwrap();
        mail_from(&mut out, "", "é".as_bytes(), &Capabilities::default()).unwrap();
        rcpt_to(&mut out, "ada@example.org").unwrap();
        let wanted = "MAIL FROM:<b-1@example.com> SIZE=3\r\nMAIL FROM:<> SIZE=2 BODY=8BITMIME\r\nMAIL FROM:<>\r\n\
                      RCPT TO:<ada@example.org>\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
        let mut out = Vec::new();
        for bad in ["a@b.c>\r\nDATA\r\n", "", "a b@c.d", "a@b.c> NOTIFY=NEVER"] {
            assert!(rcpt_to(&mut out, bad).is_err(), "{bad}");
            assert!(bad.is_empty() || mail_from(&mut out, bad, b"", &can).is_err(), "{bad}");
        }
        assert!(out.is_empty(), "nothing is written of what is refused");
    }

    fn wire(message: &str) -> String {
        String::from_utf8(after_data(message.as_bytes()).collect::<Vec<_>>().concat()).unwrap()
    }

    #[test]
    fn dots_are_doubled_and_the_end_is_one() {
        assert_eq!(wire("a\r\n"), "a\r\n.\r\n");
        assert_eq!(wire("a"), "a\r\n.\r\n");
        assert_eq!(wire(""), ".\r\n");
        assert_eq!(wire(".\r\n"), "..\r\n.\r\n");
        assert_eq!(wire("a\r\n.\r\n.b\r\n..\r\n"), "a\r\n..\r\n..b\r\n...\r\n.\r\n");
        assert_eq!(wire("a\r\n."), "a\r\n..\r\n.\r\n");
        assert_eq!(
            after_data(b"a\r\nb.c\r\n").count(),
            2,
            "a message without such dots is one piece and its end"
        );
    }

    proptest! {
        #[test]
        fn a_server_undoes_it(lines in proptest::collection::vec("[.a]{0,4}", 0..20)) {
            let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let wire = wire(&message);
            let mut read = String::new();
            let mut ended = false;
            for line in wire.split_inclusive("\r\n") {
                prop_assert!(!ended, "something after the end");
                ended = line == ".\r\n";
                if !ended {
                    read.push_str(line.strip_prefix('.').unwrap_or(line));
                }
            }
            prop_assert!(ended);
            prop_assert_eq!(read, message);
        }

        #[test]
        fn never_panics_however_it_is_cut(bytes: Vec<u8>, cut in 1_usize..9) {
            let mut reader = ReplyReader::default();
            for mut piece in bytes.chunks(cut) {
                while let Ok(Some(_)) = reader.next(&mut piece) {}
            }
        }
    }
}
