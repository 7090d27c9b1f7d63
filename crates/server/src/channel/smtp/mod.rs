//! Mail by SMTP: through a smart host, or to the servers of the destination itself. Sessions are kept and used again,
//! commands go together where the server knows PIPELINING, and each recipient has an outcome of its own.
//!
//! What was sent whole and never answered may have been taken; it is [`MailOutcome::Later`], and trying again may bring a
//! second copy under the same Message-ID. Everything before that moment is safe to send again, and a session that turns out
//! to be gone is replaced at once.

#[cfg(test)]
mod peer;
mod pool;
mod session;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Personal, Secret};
use guard::BoxFuture;
use post::mail::client::{NotSmtp, Reply};
use rustls::ClientConfig;
use thiserror::Error;
use tokio::time::timeout;

use pool::Pool;
pub use session::Timeouts;
use session::{Broken, Session};

use super::{Dial, MailChannel, MailOutcome, MailParcel, SmtpReply};

/// How long one parcel may take, with finding the servers and waiting for a session; less than what the delivery engine
/// gives one attempt.
const WHOLE: Duration = Duration::from_secs(280);
/// How many servers of one destination are tried.
const MOST_HOPS: usize = 5;

/// How a session is encrypted.
#[derive(Clone, Debug)]
pub enum Tls {
    /// It is not.
    Off,
    /// With STARTTLS where the server offers it and it works; otherwise not.
    Offered(Arc<ClientConfig>),
    /// With STARTTLS, or not at all.
    Must(Arc<ClientConfig>),
    /// From the first byte (port 465, RFC 8314).
    FromStart(Arc<ClientConfig>),
}

/// A server to hand a parcel to.
#[derive(Clone, Debug)]
pub struct Hop {
    /// Name or address to connect to.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The name its certificate must bear.
    pub name: String,
    /// How the session is encrypted.
    pub tls: Tls,
}

/// Why there is nobody to hand a parcel to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// The destination takes no mail, and never will.
    Never {
        /// RFC 3463 code.
        enhanced: &'static str,
        /// In words, without the destination's name.
        text: &'static str,
    },
    /// It cannot be known now.
    Later(&'static str),
}

/// Says which servers take the mail of a destination, the best first.
pub trait Router: Send + Sync + 'static {
    /// The servers for `destination`, a domain in lower case.
    ///
    /// # Errors
    /// [`NoRoute`]. An empty list is never given.
    fn route<'a>(&'a self, destination: &'a str) -> BoxFuture<'a, Result<Vec<Hop>, NoRoute>>;
}

/// One server for all mail.
#[derive(Debug)]
pub struct SmartHost(pub Hop);

impl Router for SmartHost {
    fn route<'a>(&'a self, _destination: &'a str) -> BoxFuture<'a, Result<Vec<Hop>, NoRoute>> {
        Box::pin(async { Ok(vec![self.0.clone()]) })
    }
}

/// Whom a smart host knows us as.
#[derive(Clone, Debug)]
pub struct Login {
    /// User name.
    pub user: Secret<String>,
    /// Password.
    pub password: Secret<String>,
}

/// How the channel works.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// Our name in EHLO.
    pub hello: String,
    /// For a smart host that wants one.
    pub login: Option<Login>,
    /// How many sessions with one server at the same time.
    pub sessions: usize,
    /// How long to wait for what.
    pub timeouts: Timeouts,
}

/// Why a session cannot be had or has ended.
#[derive(Clone, Debug, Error)]
pub(super) enum Trouble {
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(io::ErrorKind),
    /// No answer in time.
    #[error("the server did not answer in time")]
    Slow,
    /// Not an SMTP server.
    #[error("{0}")]
    NotSmtp(#[from] NotSmtp),
    /// The server does not offer what is asked of it.
    #[error("{0}")]
    Lacks(&'static str),
    /// TLS failed.
    #[error("the TLS handshake failed")]
    Tls,
    /// The server said no before any mail was spoken of.
    #[error("the server refused the session with {}", .0.code)]
    Said(Reply),
}

impl From<io::Error> for Trouble {
    fn from(fault: io::Error) -> Self {
        Self::Io(fault.kind())
    }
}

/// The channel.
pub struct SmtpChannel {
    router: Arc<dyn Router>,
    dial: Arc<dyn Dial>,
    settings: SmtpSettings,
    pool: Pool,
}

impl SmtpChannel {
    /// A channel that asks `router` where to go and connects by `dial`.
    #[must_use]
    pub fn new(
        router: Arc<dyn Router>,
        dial: Arc<dyn Dial>,
        settings: SmtpSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let pool = Pool::new(settings.sessions, clock);
        Self { router, dial, settings, pool }
    }

    async fn attempt(&self, parcel: &MailParcel) -> Vec<MailOutcome> {
        let hops = match self.router.route(parcel.destination.expose()).await {
            Ok(hops) => hops,
            Err(NoRoute::Later(reason)) => return all(parcel, &later(None, reason)),
            Err(NoRoute::Never { enhanced, text }) => {
                return all(parcel, &MailOutcome::Refused(own_reply(550, enhanced, text)));
            }
        };
        let mut last = later(None, "no server could be reached");
        for hop in hops.iter().take(MOST_HOPS) {
            match self.hand_to(hop, parcel).await {
                Ok(outcomes) => return outcomes,
                Err(Trouble::Said(reply)) => {
                    let reason = format!("{} refused the session with {}", hop.name, reply.code);
                    last = later(Some(told(&reply, &hop.name)), &reason);
                }
                Err(trouble) => last = later(None, &format!("{}: {trouble}", hop.name)),
            }
        }
        all(parcel, &last)
    }

    /// Hands `parcel` to one server, in a session that was kept or a new one.
    async fn hand_to(&self, hop: &Hop, parcel: &MailParcel) -> Result<Vec<MailOutcome>, Trouble> {
        let place = self.pool.place(hop);
        let _permit = place.permit().await;
        while let Some(mut session) = place.take() {
            match session.transact(parcel).await {
                Ok(outcomes) => {
                    place.keep(session);
                    return Ok(outcomes);
                }
                // It was closed while it rested: nothing was taken yet.
                Err(Broken::Before(_)) => {}
                Err(Broken::After(trouble)) => return Ok(all(parcel, &unknown(hop, &trouble))),
            }
        }
        let mut session = Session::open(&*self.dial, hop, &self.settings).await?;
        match session.transact(parcel).await {
            Ok(outcomes) => {
                place.keep(session);
                Ok(outcomes)
            }
            Err(Broken::Before(trouble)) => Err(trouble),
            Err(Broken::After(trouble)) => Ok(all(parcel, &unknown(hop, &trouble))),
        }
    }
}

impl MailChannel for SmtpChannel {
    fn deliver<'a>(&'a self, parcel: &'a MailParcel) -> BoxFuture<'a, Vec<MailOutcome>> {
        Box::pin(async move {
            let done = timeout(WHOLE, self.attempt(parcel)).await;
            done.unwrap_or_else(|_| all(parcel, &later(None, "delivery took too long")))
        })
    }
}

fn all(parcel: &MailParcel, outcome: &MailOutcome) -> Vec<MailOutcome> {
    vec![outcome.clone(); parcel.recipients.len()]
}

fn later(reply: Option<SmtpReply>, reason: &str) -> MailOutcome {
    MailOutcome::Later { reply, reason: reason.to_owned() }
}

/// The message was sent whole, and no answer came.
fn unknown(hop: &Hop, trouble: &Trouble) -> MailOutcome {
    later(
        None,
        &format!("{}: no answer after the message was sent, it may have been taken: {trouble}", hop.name),
    )
}

/// A reply as the others know it.
fn told(reply: &Reply, host: &str) -> SmtpReply {
    SmtpReply {
        code: reply.code,
        enhanced: reply.enhanced.clone(),
        text: Personal::new(reply.text()),
        host: host.to_owned(),
    }
}

/// What no server had to say.
fn own_reply(code: u16, enhanced: &str, text: &str) -> SmtpReply {
    SmtpReply {
        code,
        enhanced: Some(enhanced.to_owned()),
        text: Personal::new(text.to_owned()),
        host: String::new(),
    }
}

/// What a reply means for whom it is about.
fn outcome(reply: &Reply, host: &str) -> MailOutcome {
    if reply.is_yes() {
        MailOutcome::Accepted(told(reply, host))
    } else if reply.is_never() {
        MailOutcome::Refused(told(reply, host))
    } else {
        later(Some(told(reply, host)), &format!("{host} said {}", reply.code))
    }
}
