//! The server: listeners, handlers, services, configuration and the command line.

pub mod api;
pub mod channel;
pub mod cli;
pub mod config;
pub mod dev;
pub mod directory;
pub mod host;
pub mod http;
pub mod job;
pub mod kms;
pub mod net;
pub mod observe;
pub mod service;
pub mod smtp;
#[doc(hidden)]
pub mod testing;
