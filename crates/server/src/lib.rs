//! The server: everything between a socket and a sealed row. Each module says what it is for; `docs/architecture.md`
//! says how they hang together.

pub mod api;
pub mod directory;
pub mod http;
pub mod service;
pub mod testing;
