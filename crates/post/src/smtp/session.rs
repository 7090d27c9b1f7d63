//! One session of a client, from the greeting to its end.

mod command;
mod text;

use super::Reply;
use super::auth::Exchange;
use super::data::Receiver;
use super::line::{Cut, Lines};
use base::limits::{MAX_SMTP_FAULTS, MAX_SMTP_IDLE, MAX_SMTP_LOGINS};
use base::{Personal, Secret};

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
                        self.end(&text::too_big(), out)
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
}
