//! The server: listeners, handlers, services, configuration and the command line.

pub mod net;
