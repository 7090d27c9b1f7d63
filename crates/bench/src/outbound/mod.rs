//! What leaves the house, measured: mail and texts, each beside a peer that does the same work in the same run.

mod load;
pub(crate) mod mail;
mod postfix;
