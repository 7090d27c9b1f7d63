//! Sockets, and nothing else: TCP, TLS, HTTP/1.1 framing, limits, timeouts and draining. What a request means is
//! the business of the [`Service`] it is given; nothing here knows of tenants, operations or keys.

mod chunk;
mod client;
mod connection;
mod dial;
mod door;
mod exchange;
mod feed;
#[cfg(test)]
mod feed_tests;
mod gate;
mod head;
mod listener;
mod peer;
mod progress;
mod proxy;
mod reload;
mod reload_clients;
mod service;
pub mod smtp;
mod socket;
#[cfg(test)]
mod socket_tests;
mod stop;
#[cfg(test)]
mod toy;
#[cfg(test)]
mod ways_tests;

pub use client::{Client, ClientFault};
pub use dial::SocketDial;
pub use door::{Door, UnixDoor, Way, bind, bind_unix};
pub use feed::{Feed, Pieces};
pub use listener::{Drained, Server};
pub use peer::{Entrance, Peer};
pub use progress::Timeouts;
pub use proxy::Balancers;
pub use reload::{CertificateFault, CertificateFiles, Reload};
pub use reload_clients::ClientFiles;
pub use service::{Refusal, Response, Service};
#[cfg(test)]
pub(crate) use socket::Peer as SocketPeer;
pub use socket::{Socket, TakenOver, Takeover, accept_key};
pub use stop::Stop;
