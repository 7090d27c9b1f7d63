//! The sockets of incoming SMTP: connections within their limits, STARTTLS, timeouts, draining. What is said is the business
//! of [`post::smtp::Session`], what it means that of the
//! [`Postmaster`](crate::channel::postmaster::Postmaster) it is given.

mod listener;
mod places;
mod talk;

use std::time::Duration;

use base::limits::{
    MAX_SMTP_CONNECTIONS, MAX_SMTP_PER_ADDRESS, SMTP_COMMAND_TIMEOUT, SMTP_SESSION_TIMEOUT, SMTP_TEXT_TIMEOUT,
};

pub use listener::SmtpServer;

/// How long and how many.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// A TLS handshake.
    pub handshake: Duration,
    /// A command, from our last reply; also for the client to take that reply.
    pub command: Duration,
    /// The text of one mail.
    pub text: Duration,
    /// A session as a whole.
    pub session: Duration,
    /// For sessions in the middle of a mail when the server stops.
    pub drain: Duration,
    /// Connections at a time.
    pub connections: usize,
    /// Connections of one address at a time.
    pub per_address: usize,
}

impl From<&base::Limits> for Bounds {
    fn from(limits: &base::Limits) -> Self {
        Self {
            handshake: Duration::from_secs(limits.handshake_timeout_secs),
            command: SMTP_COMMAND_TIMEOUT,
            text: SMTP_TEXT_TIMEOUT,
            session: SMTP_SESSION_TIMEOUT,
            drain: Duration::from_secs(limits.drain_timeout_secs),
            connections: MAX_SMTP_CONNECTIONS,
            per_address: MAX_SMTP_PER_ADDRESS,
        }
    }
}

#[cfg(test)]
mod tests;
