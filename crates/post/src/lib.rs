//! Mail, texts and telephone numbers as values: what goes out and what comes back, byte by byte. It does no input or
//! output, keeps nothing and asks nobody: bytes in, values or bytes out.

pub mod mail;
pub mod numbers;
pub mod outbox;
pub mod smpp;
pub mod smtp;
pub mod text;
pub mod webhook;
