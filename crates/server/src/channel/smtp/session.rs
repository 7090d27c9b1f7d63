//! One session with one server: greeting, EHLO, STARTTLS, AUTH, then any number of mail transactions (RFC 5321).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use post::mail::client::{Capabilities, Reply, ReplyReader, after_data, mail_from, rcpt_to};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Hop, Login, SmtpSettings, Tls, Trouble, outcome, own_reply};
use crate::channel::{Dial, MailOutcome, MailParcel, Stream};

/// Up to this length, in bytes, a message goes out in one write with what is around it.
const ONE_WRITE: usize = 64 * 1024;
/// How much is read at once, in bytes.
const READ: usize = 4 * 1024;

/// How long to wait for what. RFC 5321, section 4.5.3.2 gives longer ones for a client that waits for one mail; here the next
/// attempt is cheap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the connection with TLS, the greeting and each answer.
    pub answer: Duration,
    /// For each 64 KiB of the message to be taken.
    pub block: Duration,
    /// For the answer after the message: the server may look into it first.
    pub verdict: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(60),
            block: Duration::from_secs(60),
            verdict: Duration::from_secs(180),
        }
    }
}

/// A transaction that came to no end.
#[derive(Debug)]
pub(super) enum Broken {
    /// Before the message was sent: it is safe to try elsewhere.
    Before(Trouble),
    /// After it was sent whole: it may have been taken.
    After(Trouble),
}

/// A session.
pub(super) struct Session {
    stream: Box<dyn Stream>,
    reader: ReplyReader,
    /// What was read and not yet looked at.
    unread: Vec<u8>,
    out: Vec<u8>,
    can: Capabilities,
    host: String,
    timeouts: Timeouts,
    parcels: u32,
    fit: bool,
}

/// What the server said to one transaction's commands.
struct Said {
    recipients: Vec<Option<Reply>>,
    data: Option<Reply>,
}

impl Session {
    /// Opens a session. Where TLS is only offered and does not work, the second try is without it.
    pub(super) async fn open(dial: &dyn Dial, hop: &Hop, settings: &SmtpSettings) -> Result<Self, Trouble> {
        match Self::open_with(dial, hop, &hop.tls, settings).await {
            Err(Trouble::Tls) if matches!(hop.tls, Tls::Offered(_)) => {
                Self::open_with(dial, hop, &Tls::Off, settings).await
            }
            opened => opened,
        }
    }

    async fn open_with(
        dial: &dyn Dial,
        hop: &Hop,
        tls: &Tls,
        settings: &SmtpSettings,
    ) -> Result<Self, Trouble> {
        let mut stream = dial.connect(&hop.host, hop.port).await?;
        if let Tls::FromStart(config) = tls {
            stream = encrypt(stream, config, &hop.name, settings.timeouts.answer).await?;
        }
        let mut session = Self {
            stream,
            reader: ReplyReader::default(),
            unread: Vec::new(),
            out: Vec::new(),
            can: Capabilities::default(),
            host: hop.name.clone(),
            timeouts: settings.timeouts,
            parcels: 0,
            fit: true,
        };
        let greeting = session.answer().await?;
        if greeting.code != 220 {
            return Err(Trouble::Said(greeting));
        }
        session.hello(&settings.hello).await?;
        let mut secure = matches!(tls, Tls::FromStart(_));
        if let Tls::Offered(config) | Tls::Must(config) = tls {
            if session.can.start_tls {
                session = session.start_tls(config, &hop.name, &settings.hello).await?;
                secure = true;
            } else if matches!(tls, Tls::Must(_)) {
                return Err(Trouble::Lacks("the server does not offer STARTTLS"));
            }
        }
        if let Some(login) = &settings.login {
            if !secure {
                return Err(Trouble::Lacks("a password is not sent without TLS"));
            }
            session.log_in(login).await?;
        }
        Ok(session)
    }

    /// EHLO, or HELO for a server that does not know it.
    async fn hello(&mut self, name: &str) -> Result<(), Trouble> {
        let mut reply = self.command(format!("EHLO {name}\r\n").as_bytes()).await?;
        if matches!(reply.code, 500..=504) {
            reply = self.command(format!("HELO {name}\r\n").as_bytes()).await?;
            reply.lines.truncate(1);
        }
        if !reply.is_yes() {
            return Err(Trouble::Said(reply));
        }
        self.can = Capabilities::read(&reply);
        Ok(())
    }

    async fn start_tls(
        mut self,
        config: &Arc<ClientConfig>,
        name: &str,
        hello: &str,
    ) -> Result<Self, Trouble> {
        let reply = self.command(b"STARTTLS\r\n").await?;
        // What came with the answer was not encrypted, whoever sent it (CVE-2011-0411).
        if reply.code != 220 || !self.unread.is_empty() {
            return Err(Trouble::Tls);
        }
        self.stream = encrypt(self.stream, config, name, self.timeouts.answer).await?;
        self.reader = ReplyReader::default();
        self.hello(hello).await?;
        Ok(self)
    }

    async fn log_in(&mut self, login: &Login) -> Result<(), Trouble> {
        let (user, password) = (login.user.expose(), login.password.expose());
        let reply = if self.can.auth_plain {
            let plain = STANDARD.encode(format!("\0{user}\0{password}"));
            self.command(format!("AUTH PLAIN {plain}\r\n").as_bytes()).await?
        } else if self.can.auth_login {
            let mut reply = self.command(b"AUTH LOGIN\r\n").await?;
            for part in [user, password] {
                if reply.code == 334 {
                    reply = self.command(format!("{}\r\n", STANDARD.encode(part)).as_bytes()).await?;
                }
            }
            reply
        } else {
            return Err(Trouble::Lacks("the server offers no way to log in that we know"));
        };
        if reply.is_yes() { Ok(()) } else { Err(Trouble::Said(reply)) }
    }

    /// Whether another parcel may go through it.
    pub(super) const fn is_fit(&self) -> bool {
        self.fit
    }

    /// How many parcels went through it.
    pub(super) const fn parcels(&self) -> u32 {
        self.parcels
    }

    /// Carries one parcel: an outcome for each recipient.
    pub(super) async fn transact(&mut self, parcel: &MailParcel) -> Result<Vec<MailOutcome>, Broken> {
        self.parcels += 1;
        let message = parcel.message.expose();
        if let Some(Some(most)) = self.can.size
            && message.len() as u64 > most
        {
            let reply = own_reply(552, "5.3.4", "the message is larger than the server takes");
            return Ok(vec![MailOutcome::Refused(reply); parcel.recipients.len()]);
        }
        self.fit = false;
        let said = self.ask(parcel).await.map_err(Broken::Before)?;
        let told = |reply: &Option<Reply>| {
            let no_address = || MailOutcome::Refused(own_reply(553, "5.1.3", "this is no address"));
            reply.as_ref().map_or_else(no_address, |reply| outcome(reply, &self.host))
        };
        let mut outcomes: Vec<_> = said.recipients.iter().map(told).collect();
        let wanted = outcomes.iter().any(|outcome| matches!(outcome, MailOutcome::Accepted(_)));
        let said_data = said.data.is_some();
        let verdict = match said.data {
            Some(go) if go.code == 354 && wanted => Some(self.send(message).await?),
            // Where nobody is to get it, the end alone is sent (RFC 2920, section 3.1).
            Some(go) if go.code == 354 => self.command(b".\r\n").await.ok(),
            other => other,
        };
        if let Some(verdict) = &verdict {
            for accepted in outcomes.iter_mut().filter(|one| matches!(one, MailOutcome::Accepted(_))) {
                *accepted = outcome(verdict, &self.host);
            }
        }
        // No answer, or 421: the server ends the session.
        let ended = verdict.as_ref().is_none_or(|reply| reply.code == 421) && said_data;
        self.fit = !ended && self.unread.is_empty();
        let clean = wanted && verdict.is_some_and(|verdict| verdict.is_yes());
        if self.fit && !clean {
            // A transaction may be left open: end it, before the next one meets it.
            self.fit = self.command(b"RSET\r\n").await.is_ok_and(|reply| reply.is_yes());
        }
        Ok(outcomes)
    }

    /// MAIL, RCPT and DATA, together where the server can.
    async fn ask(&mut self, parcel: &MailParcel) -> Result<Said, Trouble> {
        let message = parcel.message.expose();
        let mut commands = Vec::with_capacity(parcel.recipients.len() + 2);
        self.out.clear();
        if mail_from(&mut self.out, parcel.return_path.expose(), message, &self.can).is_err() {
            return Err(Trouble::Lacks("the sender is no address"));
        }
        commands.push(self.out.len());
        let mut asked = Vec::with_capacity(parcel.recipients.len());
        for recipient in &parcel.recipients {
            asked.push(rcpt_to(&mut self.out, recipient.expose()).is_ok());
            commands.push(self.out.len());
        }
        commands.dedup();
        if asked.iter().any(|asked| *asked) {
            self.out.extend_from_slice(b"DATA\r\n");
            commands.push(self.out.len());
        }
        let mut replies = if self.can.pipelining {
            self.all_at_once(commands.len()).await?
        } else {
            self.one_by_one(&commands).await?
        }
        .into_iter();
        let mail = replies.next().ok_or(Trouble::Slow)?;
        if mail.code == 421 {
            return Err(Trouble::Said(mail));
        }
        // Where the sender was refused, that is the answer to everybody, whatever came after.
        let recipients = asked.into_iter().map(|asked| {
            let own = if asked { replies.next().or_else(|| Some(mail.clone())) } else { None };
            own.map(|own| if mail.is_yes() { own } else { mail.clone() })
        });
        let recipients = recipients.collect();
        Ok(Said { recipients, data: replies.next() })
    }

    async fn all_at_once(&mut self, commands: usize) -> Result<Vec<Reply>, Trouble> {
        let out = std::mem::take(&mut self.out);
        let written = self.write(&out).await;
        self.out = out;
        written?;
        let mut replies = Vec::with_capacity(commands);
        for _ in 0..commands {
            let reply = self.answer().await?;
            // It ends the session here, so nothing else is answered.
            if reply.code == 421 {
                return Err(Trouble::Said(reply));
            }
            replies.push(reply);
        }
        Ok(replies)
    }

    /// Each command after the answer to the one before; no more than make sense.
    async fn one_by_one(&mut self, ends: &[usize]) -> Result<Vec<Reply>, Trouble> {
        let out = std::mem::take(&mut self.out);
        let (mut from, mut wanted) = (0, false);
        let mut replies: Vec<Reply> = Vec::with_capacity(ends.len());
        for (at, end) in ends.iter().enumerate() {
            let last = at + 1 == ends.len() && out.ends_with(b"DATA\r\n");
            let refused = replies.first().is_some_and(|mail| !mail.is_yes());
            if refused || (last && !wanted) {
                break;
            }
            let reply = self.command(&out[from..*end]).await?;
            wanted |= at > 0 && reply.is_yes();
            replies.push(reply);
            from = *end;
        }
        self.out = out;
        Ok(replies)
    }

    /// The message, and what the server says of it.
    async fn send(&mut self, message: &[u8]) -> Result<Reply, Broken> {
        if let Err(broken) = self.send_pieces(message).await {
            // A server that ends the session in the middle mostly says why.
            return match timeout(Duration::from_secs(1), self.answer()).await {
                Ok(Ok(reply)) if !reply.is_yes() => Ok(reply),
                _ => Err(broken),
            };
        }
        self.answer_within(self.timeouts.verdict).await.map_err(Broken::After)
    }

    async fn send_pieces(&mut self, message: &[u8]) -> Result<(), Broken> {
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        for piece in after_data(message) {
            for part in piece.chunks(ONE_WRITE) {
                if out.len() + part.len() > ONE_WRITE {
                    self.write(&out).await.map_err(Broken::Before)?;
                    out.clear();
                }
                out.extend_from_slice(part);
            }
        }
        // With this the message is whole: if it fails, nobody knows how much of it got there.
        self.write(&out).await.map_err(Broken::After)?;
        self.out = out;
        Ok(())
    }

    async fn command(&mut self, line: &[u8]) -> Result<Reply, Trouble> {
        self.write(line).await?;
        self.answer().await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let write = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        let written: Result<io::Result<()>, _> = timeout(self.timeouts.block, write).await;
        written.map_err(|_| Trouble::Slow)?.map_err(Trouble::from)
    }

    async fn answer(&mut self) -> Result<Reply, Trouble> {
        self.answer_within(self.timeouts.answer).await
    }

    async fn answer_within(&mut self, patience: Duration) -> Result<Reply, Trouble> {
        timeout(patience, self.read_reply()).await.unwrap_or(Err(Trouble::Slow))
    }

    async fn read_reply(&mut self) -> Result<Reply, Trouble> {
        loop {
            let mut input = self.unread.as_slice();
            let found = self.reader.next(&mut input);
            let left = input.len();
            self.unread.drain(..self.unread.len() - left);
            if let Some(reply) = found? {
                return Ok(reply);
            }
            self.unread.reserve(READ);
            if self.stream.read_buf(&mut self.unread).await? == 0 {
                return Err(Trouble::Io(io::ErrorKind::UnexpectedEof));
            }
        }
    }
}

async fn encrypt(
    stream: Box<dyn Stream>,
    config: &Arc<ClientConfig>,
    name: &str,
    patience: Duration,
) -> Result<Box<dyn Stream>, Trouble> {
    let name = ServerName::try_from(name.to_owned()).map_err(|_| Trouble::Tls)?;
    let shake = TlsConnector::from(Arc::clone(config)).connect(name, stream);
    let stream = timeout(patience, shake).await.map_err(|_| Trouble::Slow)?.map_err(|_| Trouble::Tls)?;
    Ok(Box::new(stream))
}
