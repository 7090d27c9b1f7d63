//! The server as a whole, through its real parts.

mod chat_api;
mod chat_calls;
mod chat_limits;
mod coverage;
mod decisions;
mod edge;
mod identity;
mod rates;
mod secrecy;
mod world;
