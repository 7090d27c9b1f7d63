//! Sockets, and nothing else: TCP, TLS, HTTP/1.1 framing, limits, timeouts and draining. What a request means is
//! the business of the [`Service`] it is given; nothing here knows of tenants, operations or keys.

mod chunk;
mod client;
mod connection;
mod dial;
mod exchange;
mod gate;
mod head;
mod listener;
mod progress;
mod reload;
mod service;
pub mod smtp;
#[cfg(test)]
mod socket_tests;
mod stop;
#[cfg(test)]
mod toy;

pub use client::{Client, ClientFault};
pub use dial::SocketDial;
pub use listener::{Door, Drained, Server, bind};
pub use progress::Timeouts;
pub use reload::{CertificateFault, CertificateFiles, Reload};
pub use service::{Refusal, Response, Service};
pub use stop::Stop;
