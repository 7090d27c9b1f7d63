//! The chat: threads, participants, messages, receipts.

pub mod erasure;

use store::{KeyspaceDef, StoreError};
use thiserror::Error;

/// What the chat remembers between requests, and can forget at any time.
#[derive(Debug, Default)]
pub struct ChatState {}

impl ChatState {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }
}

/// Why the chat did not do what was asked.
#[derive(Debug, Error)]
pub enum ChatError {
    /// Not a participant, not the sender, or no such thread: one answer for all.
    #[error("not permitted")]
    Forbidden,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// All keyspaces of the chat.
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    Vec::new()
}
