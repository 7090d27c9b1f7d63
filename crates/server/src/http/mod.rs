//! The request stack, from a parsed head and a whole body to an answer: resource, operation, caller, rates, handler.
//! It knows no sockets (those are `net`) and no product rules (those are `service`).

mod access;
pub mod app;
pub mod challenges;
pub mod context;
mod cors;
pub(crate) mod failures;
pub mod host;
mod media;
pub mod operator;
mod outgoing;
pub mod rates;
pub mod reply;
mod upgrade;

pub use app::{App, Routed, Setup};
pub use context::{Caller, Context, State, TokenCaller};
pub use reply::Reply;
pub use upgrade::Upgrade;

pub use crate::net::Socket;
#[cfg(test)]
pub(crate) use crate::net::SocketPeer;
