//! Handlers of the chat area.

use super::Handler;

/// The handler of the operation called `name`.
#[must_use]
pub fn handler(_name: &str) -> Option<Handler> {
    None
}
