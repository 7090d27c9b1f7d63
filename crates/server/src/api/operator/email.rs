//! The operator's plane: email.

use crate::api::Handler;

/// The handler of the operation called `name`.
pub(super) fn handler(name: &str) -> Option<Handler> {
    let _ = name;
    None
}
