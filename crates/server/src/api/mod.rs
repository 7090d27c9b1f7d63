//! Handlers, one file per operation: parse, call one service function, render. Which handler serves which operation is
//! decided once at start; a test holds the table of operations and the handlers against each other (law 8).

pub mod chat;
pub mod identity;

use guard::BoxFuture;
use wire::error::ApiError;
use wire::operation::OPERATIONS;

use crate::http::{Context, Reply};

/// Serves one operation.
pub type Handler = for<'a> fn(&'a Context) -> BoxFuture<'a, Result<Reply, ApiError>>;

/// The handler of the operation called `name`.
#[must_use]
pub fn handler(name: &str) -> Option<Handler> {
    [identity::handler, chat::handler].iter().find_map(|area| area(name))
}

/// Handlers beside [`OPERATIONS`], place for place.
#[must_use]
pub fn table() -> Vec<Option<Handler>> {
    OPERATIONS.iter().map(|operation| handler(operation.name)).collect()
}
