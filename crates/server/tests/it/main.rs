//! The server as a whole, through its real parts.

mod coverage;
mod edge;
mod identity;
mod rates;
mod secrecy;
mod world;
