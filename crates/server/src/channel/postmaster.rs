//! What mail servers and programs bring by SMTP, and who answers them. The socket's side is in `net`, the product's behind
//! this trait, and neither knows the other.

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use post::smtp::{Question, Reply};

/// The product behind a listener of SMTP.
pub trait Postmaster: Send + Sync + 'static {
    /// What it knows of one session: who logged in, say.
    type Visit: Send + 'static;

    /// A session begins, from this address.
    fn welcome(&self, peer: IpAddr) -> Self::Visit;

    /// Answers a question of the session. A positive answer to a letter takes responsibility for it: it must be durable by
    /// then (law 3).
    fn answer(&self, visit: &mut Self::Visit, question: Question) -> impl Future<Output = Answer> + Send;
}

/// An answer of the product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What the client is told.
    pub reply: Reply,
    /// How long the client waits for it.
    pub after: Duration,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self { reply, after: Duration::ZERO }
    }
}
