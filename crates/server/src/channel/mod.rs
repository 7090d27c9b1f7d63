//! Ways out of the house: mail, texts, webhooks. A channel carries one thing to one place and says what became of it; it
//! keeps nothing, retries nothing and decides nothing of the product. It must never know the store.

pub mod acme;
pub mod capture;
pub mod dns;
pub mod mx;
pub mod nowhere;
pub mod postmaster;
pub mod smpp;
pub mod smtp;
pub mod webhook;

use std::io;
use std::time::Duration;

use base::{Personal, ResourceId};
use guard::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection, whatever carries it.
pub trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static> Stream for T {}

/// Opens connections to the outside. `net` has the one that uses sockets; it alone knows which addresses an operator
/// allows, so that no channel can be talked into reaching a private one.
pub trait Dial: Send + Sync + 'static {
    /// Connects to `host` (a name or an address) at `port`, without TLS.
    ///
    /// # Errors
    /// `PermissionDenied` when every address of `host` is one that may not be reached; otherwise as the system says.
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Box<dyn Stream>>>;
}

/// One mail on its way to some of its recipients: all those of one destination.
#[derive(Clone, Debug)]
pub struct MailParcel {
    /// The operation id of the mail.
    pub id: [u8; 16],
    /// Who sends it.
    pub resource: ResourceId,
    /// The envelope sender (RFC 5321 reverse-path), where bounces go.
    pub return_path: Personal<String>,
    /// The envelope recipients, all at `destination`.
    pub recipients: Vec<Personal<String>>,
    /// The domain they are at, lower case.
    pub destination: Personal<String>,
    /// The whole message (RFC 5322, CRLF line ends), signed.
    pub message: Personal<Vec<u8>>,
}

/// What became of one recipient of a [`MailParcel`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailOutcome {
    /// The peer took responsibility (RFC 5321, section 4.2.5).
    Accepted(SmtpReply),
    /// The peer will never take it.
    Refused(SmtpReply),
    /// Not now: the peer said so, or could not be reached.
    Later {
        /// What the peer said, when it said something.
        reply: Option<SmtpReply>,
        /// Why, in words for an operator; no addresses.
        reason: String,
    },
}

/// What a mail server said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SmtpReply {
    /// RFC 5321 reply code.
    pub code: u16,
    /// RFC 3463 enhanced code, such as `5.1.1`.
    pub enhanced: Option<String>,
    /// Its words. They may quote an address.
    pub text: Personal<String>,
    /// The server's name.
    pub host: String,
}

/// Carries mail.
pub trait MailChannel: Send + Sync + 'static {
    /// Hands the parcel over; one outcome for each recipient, in order. Never fails as a whole: what cannot be said is
    /// [`MailOutcome::Later`].
    fn deliver<'a>(&'a self, parcel: &'a MailParcel) -> BoxFuture<'a, Vec<MailOutcome>>;
}

/// One text on its way.
#[derive(Clone, Debug)]
pub struct TextParcel {
    /// The id of the text.
    pub id: [u8; 16],
    /// Who sends it.
    pub resource: ResourceId,
    /// The sender: a number in E.164 with `+`, a short code, or an alphanumeric sender id.
    pub from: Personal<String>,
    /// The number it goes to, E.164 with `+`.
    pub to: Personal<String>,
    /// What it says.
    pub text: Personal<String>,
    /// Whether a delivery receipt is wanted.
    pub receipt: bool,
    /// For how long the carrier may try.
    pub validity: Duration,
}

/// What became of a [`TextParcel`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextOutcome {
    /// The carrier took every segment.
    Accepted {
        /// The carrier's name, as configured.
        carrier: String,
        /// Its ids of the segments, in order.
        message_ids: Vec<String>,
    },
    /// The carrier will never take it.
    Refused {
        /// The carrier's name, as configured.
        carrier: String,
        /// The SMPP command status (SMPP 3.4, section 5.1.3).
        status: u32,
    },
    /// Not now: throttled, not connected, no answer.
    Later {
        /// Why, in words for an operator; no numbers.
        reason: String,
        /// The least time to wait, when the carrier says.
        after: Option<Duration>,
    },
}

/// Carries texts.
pub trait TextChannel: Send + Sync + 'static {
    /// Hands the text over.
    fn submit<'a>(&'a self, parcel: &'a TextParcel) -> BoxFuture<'a, TextOutcome>;
}

/// A carrier's word on what became of a text it took (SMPP 3.4, appendix B).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextReceipt {
    /// The carrier's name, as configured.
    pub carrier: String,
    /// The carrier's id of the segment.
    pub message_id: String,
    /// Where it stands.
    pub state: TextState,
    /// The network's error code, when one was given.
    pub error: Option<String>,
}

/// Message states of SMPP 3.4, section 5.2.28.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextState {
    /// Still on its way.
    Enroute,
    /// At the handset.
    Delivered,
    /// Its validity ended.
    Expired,
    /// Deleted.
    Deleted,
    /// It cannot be delivered.
    Undeliverable,
    /// Accepted on behalf of the subscriber, as by a manual read.
    Accepted,
    /// Unknown.
    Unknown,
    /// Rejected.
    Rejected,
}

/// A text that came in, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextIn {
    /// The carrier's name, as configured.
    pub carrier: String,
    /// Who sent it, E.164 with `+` where it is a number.
    pub from: Personal<String>,
    /// The number it came to, E.164 with `+`, or a short code.
    pub to: Personal<String>,
    /// What it says.
    pub text: Personal<String>,
    /// In how many segments it came.
    pub segments: u32,
}

/// What carriers bring. The peer is answered only when this has returned, so what was answered is durable (law 3).
pub trait TextInbox: Send + Sync + 'static {
    /// Takes a receipt. `false`: it could not be kept, and the carrier must bring it again.
    fn receipt(&self, receipt: TextReceipt) -> BoxFuture<'_, bool>;

    /// Takes a text. `false`: it could not be kept, and the carrier must bring it again.
    fn text(&self, text: TextIn) -> BoxFuture<'_, bool>;
}
