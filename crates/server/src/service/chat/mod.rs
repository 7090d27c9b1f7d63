//! The chat: threads, participants, messages, receipts.

pub mod erasure;

use store::KeyspaceDef;

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

/// All keyspaces of the chat.
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    Vec::new()
}
