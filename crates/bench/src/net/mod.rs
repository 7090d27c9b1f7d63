//! The client: a lean HTTP/1.1 over TLS, and the few requests of Azure Communication Services that a run needs. It knows
//! the server only by its wire.

pub(crate) mod api;
pub(crate) mod client;
pub(crate) mod http1;
pub(crate) mod request;
