//! Commands, one line each: what is taken when, and what is said.

use smtp_proto::{Error, MAIL_BODY_7BIT, MAIL_BODY_8BITMIME, MailFrom, RcptTo, Request};

use super::text::too_big;
use super::{Mode, Open, Question, Session, Step};
use crate::smtp::Reply;
use crate::smtp::auth::{self, Next};

/// A command that is none.
const SYNTAX: &str = "Syntax error";
/// A command out of turn.
pub(super) const SEQUENCE: &str = "Bad sequence of commands";

impl Session {
    /// One whole line. `more`: the client has sent something after it.
    pub(super) fn line(&mut self, more: bool, out: &mut Vec<u8>) -> Option<Step> {
        if let Mode::Auth(exchange) = std::mem::replace(&mut self.mode, Mode::Commands) {
            let line = self.lines.line();
            let next = exchange.take(&line[..line.len() - 2]);
            return self.auth(next, out);
        }
        self.idle += 1;
        let line = self.lines.line();
        // SMTPUTF8 is not offered, so that a command is ASCII; and it holds no controls.
        let plain = |b: &u8| (b' '..=b'~').contains(b);
        if !line[..line.len() - 2].iter().all(plain) {
            return self.say(&Reply::new(500, "5.5.2", "Commands are printable ASCII"), out);
        }
        let quoted = line.contains(&b'"');
        let request = Request::parse(&mut line.iter()).map(Request::into_owned);
        match request {
            Ok(request) => self.command(request, more, quoted, out),
            // Where the chunk ends is not known, and what is in it must not be run.
            Err(error) if line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"BDAT")) => {
                self.end(&refusal(&error), out)
            }
            Err(error) => self.say(&refusal(&error), out),
        }
    }

    pub(super) fn command(
        &mut self,
        request: Request<String>,
        more: bool,
        quoted: bool,
        out: &mut Vec<u8>,
    ) -> Option<Step> {
        match request {
            Request::Ehlo { .. } => {
                self.reset();
                self.greeted = true;
                self.extensions(out);
                self.patience(out);
                None
            }
            Request::Helo { .. } => {
                self.reset();
                self.greeted = true;
                let reply = Reply::new(250, "", self.profile.host.clone());
                self.say(&reply, out)
            }
            Request::StartTls => self.start_tls(more, out),
            Request::Auth { mechanism, initial_response } => {
                if let Some(reply) = self.may_log_in() {
                    return self.say(&reply, out);
                }
                self.auth(auth::begin(mechanism, &initial_response), out)
            }
            Request::Mail { from } => self.mail(from, quoted, out),
            Request::Rcpt { to } => self.rcpt(to, quoted, out),
            Request::Data => self.data(more, out),
            Request::Bdat { chunk_size, is_last } => self.bdat(chunk_size, is_last, out),
            Request::Rset => {
                self.reset();
                self.say(&Reply::new(250, "2.0.0", "OK"), out)
            }
            Request::Noop { .. } => self.say(&Reply::new(250, "2.0.0", "OK"), out),
            // Who is known here is nobody's business (RFC 5321, section 7.3).
            Request::Vrfy { .. } => self.say(&Reply::new(252, "2.5.0", "Send mail to find out"), out),
            Request::Help { .. } => self.say(&Reply::new(214, "2.0.0", "RFC 5321"), out),
            Request::Quit => self.end(&Reply::new(221, "2.0.0", "Bye"), out),
            Request::Expn { .. }
            | Request::Lhlo { .. }
            | Request::Etrn { .. }
            | Request::Atrn { .. }
            | Request::Burl { .. } => self.say(&Reply::new(502, "5.5.1", "Command not implemented"), out),
        }
    }

    pub(super) fn extensions(&self, out: &mut Vec<u8>) {
        let mut lines = vec![
            self.profile.host.clone(),
            "PIPELINING".to_owned(),
            "8BITMIME".to_owned(),
            "CHUNKING".to_owned(),
            "ENHANCEDSTATUSCODES".to_owned(),
            format!("SIZE {}", self.profile.max_message),
        ];
        if self.profile.tls && !self.secure {
            lines.push("STARTTLS".to_owned());
        }
        if self.profile.submission && self.secure {
            lines.push("AUTH PLAIN LOGIN".to_owned());
        }
        let last = lines.len() - 1;
        for (at, line) in lines.iter().enumerate() {
            let mark = if at == last { ' ' } else { '-' };
            out.extend_from_slice(format!("250{mark}{line}\r\n").as_bytes());
        }
    }

    pub(super) fn start_tls(&mut self, more: bool, out: &mut Vec<u8>) -> Option<Step> {
        if !self.profile.tls || self.secure {
            return self.say(&Reply::new(503, "5.5.1", "TLS is not to be had, or stands already"), out);
        }
        if more {
            // Somebody between the client and us wants it run as if it came under TLS (CVE-2011-0411).
            return self.end(&Reply::new(503, "5.5.0", "Nothing may follow STARTTLS before its reply"), out);
        }
        Reply::new(220, "2.0.0", "Go ahead").write(out);
        Some(Step::StartTls)
    }

    /// Why no credential is taken now.
    pub(super) fn may_log_in(&self) -> Option<Reply> {
        if !self.profile.submission {
            Some(Reply::new(502, "5.5.1", "Command not implemented"))
        } else if !self.secure {
            Some(Reply::new(538, "5.7.11", "Must issue a STARTTLS command first"))
        } else if !self.greeted || self.user || self.from.is_some() {
            Some(Reply::new(503, "5.5.1", SEQUENCE))
        } else {
            None
        }
    }

    pub(super) fn auth(&mut self, next: Next, out: &mut Vec<u8>) -> Option<Step> {
        match next {
            Next::Go(exchange, reply) => {
                self.mode = Mode::Auth(exchange);
                self.say(&reply, out)
            }
            Next::Offered(name, password) => {
                self.ask(Open::Credentials, Question::Credentials { name, password })
            }
            Next::Refused(reply) => self.say(&reply, out),
        }
    }

    pub(super) fn mail(&mut self, from: MailFrom<String>, quoted: bool, out: &mut Vec<u8>) -> Option<Step> {
        if self.profile.submission && !self.secure {
            return self.say(&Reply::new(530, "5.7.0", "Must issue a STARTTLS command first"), out);
        }
        if self.profile.submission && !self.user {
            return self.say(&Reply::new(530, "5.7.57", "Client not authenticated to send mail"), out);
        }
        if !self.greeted || self.from.is_some() {
            return self.say(&Reply::new(503, "5.5.1", SEQUENCE), out);
        }
        if quoted {
            return self.say(&Reply::new(553, "5.1.7", "Quoted addresses are not taken"), out);
        }
        let unknown = from.flags & !(MAIL_BODY_7BIT | MAIL_BODY_8BITMIME) != 0
            || from.trans_id.is_some()
            || from.env_id.is_some()
            || from.solicit.is_some()
            || from.mtrk.is_some()
            || (from.by, from.hold_for, from.hold_until, from.mt_priority) != (0, 0, 0, 0);
        if unknown {
            return self.say(&Reply::new(555, "5.5.4", "Unsupported parameter of MAIL"), out);
        }
        if from.size > self.profile.max_message {
            return self.say(&too_big(), out);
        }
        let question = Question::Sender(from.address.clone().into());
        self.ask(Open::Sender(from.address), question)
    }

    pub(super) fn rcpt(&mut self, to: RcptTo<String>, quoted: bool, out: &mut Vec<u8>) -> Option<Step> {
        if self.from.is_none() || self.chunks {
            return self.say(&Reply::new(503, "5.5.1", SEQUENCE), out);
        }
        if quoted || to.address.is_empty() {
            return self.say(&Reply::new(553, "5.1.3", "Not an address that is taken here"), out);
        }
        if to.flags != 0 || to.orcpt.is_some() || to.rrvs != 0 {
            return self.say(&Reply::new(555, "5.5.4", "Unsupported parameter of RCPT"), out);
        }
        if self.to.len() >= self.profile.max_recipients {
            return self.say(&Reply::new(452, "4.5.3", "Too many recipients"), out);
        }
        let question = Question::Recipient(to.address.clone().into());
        self.ask(Open::Recipient(to.address), question)
    }
}

/// The reply to a command that is none.
fn refusal(error: &Error) -> Reply {
    match error {
        Error::UnknownCommand => Reply::new(500, "5.5.1", "Command unrecognized"),
        Error::InvalidSenderAddress => Reply::new(501, "5.1.7", "Bad sender address syntax"),
        Error::InvalidRecipientAddress => Reply::new(501, "5.1.3", "Bad recipient address syntax"),
        Error::UnsupportedParameter { .. } => Reply::new(555, "5.5.4", "Unsupported parameter"),
        Error::InvalidParameter { .. } => Reply::new(501, "5.5.4", "Bad parameter"),
        // A line is whole when it is parsed, so that one which "needs more" is cut short within.
        Error::SyntaxError { .. }
        | Error::NeedsMoreData { .. }
        | Error::ResponseTooLong
        | Error::InvalidResponse { .. } => Reply::new(501, "5.5.2", SYNTAX),
    }
}
