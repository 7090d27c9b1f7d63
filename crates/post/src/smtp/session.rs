//! One session of a client, from the greeting to its end.

use base::limits::{MAX_SMTP_FAULTS, MAX_SMTP_IDLE, MAX_SMTP_LOGINS};
use base::{Personal, Secret};
use smtp_proto::{Error, MAIL_BODY_7BIT, MAIL_BODY_8BITMIME, MailFrom, RcptTo, Request};

use super::Reply;
use super::auth::{self, Exchange, Next};
use super::data::Receiver;
use super::line::{Cut, Lines};

/// What a server is to its clients.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name, in the greeting.
    pub host: String,
    /// Whether clients must log in before they send (RFC 6409), which they may do under TLS only.
    pub submission: bool,
    /// Whether STARTTLS is offered (RFC 3207).
    pub tls: bool,
    /// The longest mail in bytes (RFC 1870).
    pub max_message: usize,
    /// How much of a mail is kept, from its beginning: less than `max_message` where only that is looked at, as of a bounce
    /// with the whole mail in it.
    pub keep: usize,
    /// The most recipients of one mail.
    pub max_recipients: usize,
}

/// A mail as it came.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The reverse-path, empty for a report.
    pub from: Personal<String>,
    /// The recipients, those that were accepted.
    pub to: Vec<Personal<String>>,
    /// The text, with CR LF line ends.
    pub message: Personal<Vec<u8>>,
}

/// What the product must say before the session can go on.
#[derive(Debug)]
pub enum Question {
    /// Whether these credentials are good. [`Reply::welcome`] lets them in.
    Credentials {
        /// The user name.
        name: Personal<String>,
        /// The password.
        password: Secret<String>,
    },
    /// Whether a mail may come from here; empty is the null reverse-path.
    Sender(Personal<String>),
    /// Whether a mail may go there.
    Recipient(Personal<String>),
    /// The mail. A positive answer takes responsibility for it.
    Letter(Letter),
}

/// What is to be done next. What is in `out` is to be sent in any case.
#[derive(Debug)]
pub enum Step {
    /// All input is taken: read more.
    More,
    /// Answer this with [`Session::answer`].
    Ask(Question),
    /// Send, then shake hands for TLS, then call [`Session::secured`]. Bytes that came before that are of no value.
    StartTls,
    /// Send, then close.
    Close,
}

/// What the session is in the middle of.
enum Mode {
    Commands,
    Auth(Exchange),
    Data(Receiver),
    /// A chunk of BDAT: how much is missing, whether it is the last, whether it counts.
    Chunk {
        missing: usize,
        last: bool,
        counts: bool,
    },
}

/// A question that is open.
enum Open {
    Credentials,
    Sender(String),
    Recipient(String),
    Letter,
}

/// A session.
pub struct Session {
    profile: Profile,
    mode: Mode,
    lines: Lines,
    open: Option<Open>,
    secure: bool,
    greeted: bool,
    user: bool,
    closed: bool,
    faults: u32,
    logins: u32,
    idle: u32,
    from: Option<String>,
    to: Vec<Personal<String>>,
    text: Vec<u8>,
    /// How long the text is, with what of it was not kept.
    size: usize,
    chunks: bool,
}

/// Bad commands, in words.
const SYNTAX: &str = "Syntax error";
const SEQUENCE: &str = "Bad sequence of commands";

impl Session {
    /// A session, and its greeting in `out`.
    #[must_use]
    pub fn new(profile: Profile, out: &mut Vec<u8>) -> Self {
        Reply::new(220, "", format!("{} ESMTP Chancery", profile.host)).write(out);
        Self {
            profile,
            mode: Mode::Commands,
            lines: Lines::default(),
            open: None,
            secure: false,
            greeted: false,
            user: false,
            closed: false,
            faults: 0,
            logins: 0,
            idle: 0,
            from: None,
            to: Vec::new(),
            text: Vec::new(),
            size: 0,
            chunks: false,
        }
    }

    /// Takes from `input` until something is to be done.
    pub fn take(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Step {
        loop {
            // With a question open nothing can go on: the caller has lost its place.
            if self.closed || self.open.is_some() {
                self.closed = true;
                return Step::Close;
            }
            let step = match &mut self.mode {
                Mode::Commands | Mode::Auth(_) => match self.lines.take(input) {
                    Cut::More => return Step::More,
                    Cut::Whole => self.line(!input.is_empty(), out),
                    Cut::TooLong => self.end(&Reply::new(500, "5.5.2", "Line too long"), out),
                    Cut::Bare => {
                        let text = "Lines end with CR LF, and neither comes alone";
                        self.end(&Reply::new(521, "5.5.2", text), out)
                    }
                },
                Mode::Data(receiver) => {
                    let max = self.profile.max_message;
                    let ended = receiver.take(input, &mut self.text, self.profile.keep);
                    self.size = receiver.size;
                    if ended {
                        let bare = receiver.bare;
                        self.letter(bare, out)
                    } else if self.size > max.saturating_mul(2) {
                        self.end(&too_big(), out)
                    } else {
                        return Step::More;
                    }
                }
                Mode::Chunk { .. } => match self.chunk(input, out) {
                    Some(step) => step,
                    None => return Step::More,
                },
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    /// Answers the question that is open, with the reply that the client gets.
    pub fn answer(&mut self, reply: &Reply, out: &mut Vec<u8>) {
        let yes = reply.is_positive();
        match self.open.take() {
            Some(Open::Credentials) => {
                self.user = yes;
                self.logins += u32::from(!yes);
            }
            Some(Open::Sender(from)) if yes => self.from = Some(from),
            Some(Open::Recipient(to)) if yes => self.to.push(to.into()),
            Some(Open::Sender(_) | Open::Recipient(_)) => self.faults += 1,
            Some(Open::Letter) => {
                self.reset();
                if yes {
                    self.idle = 0;
                }
            }
            None => self.closed = true,
        }
        reply.write(out);
        if reply.code() == 421 {
            self.closed = true;
        } else {
            self.patience(out);
        }
    }

    /// TLS stands: all that was said before is forgotten (RFC 3207, section 4.2).
    pub fn secured(&mut self) {
        self.secure = true;
        self.greeted = false;
        self.user = false;
        self.mode = Mode::Commands;
        self.lines.clear();
        self.reset();
    }

    /// Whether the client has logged in.
    #[must_use]
    pub const fn authenticated(&self) -> bool {
        self.user
    }

    /// Whether the session is between two mails, so that a stop costs the client nothing.
    #[must_use]
    pub const fn at_rest(&self) -> bool {
        matches!(self.mode, Mode::Commands) && self.from.is_none() && self.open.is_none()
    }

    /// Whether the client is sending the text of a mail.
    #[must_use]
    pub const fn in_text(&self) -> bool {
        matches!(self.mode, Mode::Data(_) | Mode::Chunk { .. })
    }

    fn end(&mut self, reply: &Reply, out: &mut Vec<u8>) -> Option<Step> {
        reply.write(out);
        self.closed = true;
        Some(Step::Close)
    }

    fn reset(&mut self) {
        self.from = None;
        self.to = Vec::new();
        self.text = Vec::new();
        self.size = 0;
        self.chunks = false;
    }

    /// Ends a session that only errs, or only passes the time.
    fn patience(&mut self, out: &mut Vec<u8>) {
        let over =
            self.faults >= MAX_SMTP_FAULTS || self.logins >= MAX_SMTP_LOGINS || self.idle >= MAX_SMTP_IDLE;
        if over && !self.closed {
            Reply::new(421, "4.7.0", "Too many errors or idle commands; closing connection").write(out);
            self.closed = true;
        }
    }

    fn say(&mut self, reply: &Reply, out: &mut Vec<u8>) -> Option<Step> {
        if reply.code() >= 500 {
            self.faults += 1;
        }
        reply.write(out);
        self.patience(out);
        None
    }

    fn ask(&mut self, open: Open, question: Question) -> Option<Step> {
        self.open = Some(open);
        Some(Step::Ask(question))
    }

    /// One whole line. `more`: the client has sent something after it.
    fn line(&mut self, more: bool, out: &mut Vec<u8>) -> Option<Step> {
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

    fn command(
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

    fn extensions(&self, out: &mut Vec<u8>) {
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

    fn start_tls(&mut self, more: bool, out: &mut Vec<u8>) -> Option<Step> {
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
    fn may_log_in(&self) -> Option<Reply> {
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

    fn auth(&mut self, next: Next, out: &mut Vec<u8>) -> Option<Step> {
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

    fn mail(&mut self, from: MailFrom<String>, quoted: bool, out: &mut Vec<u8>) -> Option<Step> {
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

    fn rcpt(&mut self, to: RcptTo<String>, quoted: bool, out: &mut Vec<u8>) -> Option<Step> {
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

    fn data(&mut self, more: bool, out: &mut Vec<u8>) -> Option<Step> {
        if more {
            // Text that was sent before the reply would be run as commands were the reply a refusal.
            return self.end(&Reply::new(503, "5.5.0", "Nothing may follow DATA before its reply"), out);
        }
        if let Some(reply) = self.no_text(self.chunks) {
            return self.say(&reply, out);
        }
        self.mode = Mode::Data(Receiver::new());
        self.say(&Reply::new(354, "", "Start mail input; end with <CRLF>.<CRLF>"), out)
    }

    /// Why no text of a mail is taken now.
    fn no_text(&self, out_of_turn: bool) -> Option<Reply> {
        if self.from.is_none() || out_of_turn {
            Some(Reply::new(503, "5.5.1", SEQUENCE))
        } else if self.to.is_empty() {
            Some(Reply::new(554, "5.5.1", "No valid recipients"))
        } else {
            None
        }
    }

    fn bdat(&mut self, missing: usize, last: bool, out: &mut Vec<u8>) -> Option<Step> {
        // What is refused here is read away, so that it is not taken for commands; that too has an end.
        if missing.saturating_add(self.size) > self.profile.max_message.saturating_mul(2) {
            return self.end(&too_big(), out);
        }
        let refused = self.no_text(false);
        self.mode = Mode::Chunk { missing, last, counts: refused.is_none() };
        self.chunks |= refused.is_none();
        // A chunk of no bytes is whole already, and `take` goes on only when there is input.
        if missing == 0 { self.chunk(&mut &[][..], out).flatten() } else { None }
    }

    /// Takes of a chunk; `None` when more must come.
    fn chunk(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Option<Option<Step>> {
        let Mode::Chunk { missing, last, counts } = &mut self.mode else { return Some(None) };
        let (here, rest) = input.split_at(input.len().min(*missing));
        if *counts {
            let room = self.profile.keep.saturating_sub(self.text.len());
            self.text.extend_from_slice(&here[..here.len().min(room)]);
            self.size = self.size.saturating_add(here.len());
        }
        *missing -= here.len();
        *input = rest;
        if *missing > 0 {
            return None;
        }
        let (last, counts) = (*last, *counts);
        self.mode = Mode::Commands;
        if !counts {
            let reply = self.no_text(false).unwrap_or_else(|| Reply::new(503, "5.5.1", SEQUENCE));
            return Some(self.say(&reply, out));
        }
        if last {
            return Some(self.letter(false, out));
        }
        Some(self.say(&Reply::new(250, "2.0.0", "OK"), out))
    }

    /// The text is whole.
    fn letter(&mut self, bare: bool, out: &mut Vec<u8>) -> Option<Step> {
        self.mode = Mode::Commands;
        // A cut may have left half a line end.
        if self.size > self.text.len() && self.text.ends_with(b"\r") {
            self.text.pop();
        }
        let refused = if self.size > self.profile.max_message {
            Some(too_big())
        } else if bare || (self.chunks && has_bare(&self.text)) {
            Some(Reply::new(550, "5.6.11", "The mail has a CR or LF of its own; lines end with CR LF"))
        } else {
            None
        };
        if let Some(reply) = refused {
            self.reset();
            return self.say(&reply, out);
        }
        let message = std::mem::take(&mut self.text).into();
        self.size = 0;
        let from = self.from.take().unwrap_or_default().into();
        let to = std::mem::take(&mut self.to);
        self.ask(Open::Letter, Question::Letter(Letter { from, to, message }))
    }
}

fn too_big() -> Reply {
    Reply::new(552, "5.3.4", "Message size exceeds the limit")
}

/// Whether `text` has a CR without LF, or an LF without CR.
fn has_bare(text: &[u8]) -> bool {
    memchr::memchr2_iter(b'\r', b'\n', text).any(|at| match text[at] {
        b'\r' => text.get(at + 1) != Some(&b'\n'),
        _ => at == 0 || text[at - 1] != b'\r',
    })
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
