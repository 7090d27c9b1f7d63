//! Sockets, and nothing else: TCP, TLS, HTTP/1.1 framing, limits, timeouts and draining. What a request means is
//! the business of the [`Service`] it is given; nothing here knows of tenants, operations or keys.

mod service;

pub use service::{Refusal, Response, Service};
