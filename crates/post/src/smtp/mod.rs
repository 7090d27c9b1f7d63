//! The receiving side of SMTP (RFC 5321) as values: bytes of a client in, replies and questions out. Whoever drives a
//! [`Session`] owns the socket, the TLS and the time; the product answers the questions.
//!
//! What a line is, and where a mail ends, is decided strictly: CR LF, and CR LF `.` CR LF, and nothing else (RFC 5321,
//! section 2.3.8). A lone CR or LF in a command ends the session, in a mail it refuses that mail. So no other server's
//! idea of an ending can hide a second mail within a first one.

mod auth;
mod data;
mod line;
mod reply;
mod session;

pub use reply::Reply;
pub use session::{Letter, Profile, Question, Session, Step};

#[cfg(test)]
mod tests;
