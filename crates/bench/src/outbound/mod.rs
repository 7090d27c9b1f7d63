//! What leaves the house, measured: mail and texts, each beside a peer that does the same work in the same run; and killed
//! in the middle of it.

pub(crate) mod crash;
mod kannel;
mod load;
pub(crate) mod mail;
mod postfix;
mod strict_sink;
pub(crate) mod text;
