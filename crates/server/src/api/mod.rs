//! Handlers, one file per operation: parse, call one service function, render. Which handler serves which operation is
//! decided once at start; a test holds the table of operations and the handlers against each other (law 8).

pub mod chat;
pub mod email;
pub mod identity;
pub mod numbers;
pub mod operator;
pub mod product;
pub mod push;
pub mod sip;
pub mod sms;

use guard::BoxFuture;
use wire::ApiError;
use wire::operation::OPERATIONS;

use crate::http::{Context, Reply};

/// Each area's handlers by the names of their operations.
const AREAS: [fn(&str) -> Option<Handler>; 9] = [
    chat::handler,
    push::handler,
    identity::handler,
    product::handler,
    email::handler,
    sms::handler,
    numbers::handler,
    sip::handler,
    operator::handler,
];

/// Serves one operation.
pub type Handler = for<'a> fn(&'a Context) -> BoxFuture<'a, Result<Reply, ApiError>>;

/// The handler of the operation called `name`.
#[must_use]
pub fn handler(name: &str) -> Option<Handler> {
    AREAS.iter().find_map(|area| area(name))
}

/// Handlers beside [`OPERATIONS`], place for place.
#[must_use]
pub fn table() -> Vec<Option<Handler>> {
    OPERATIONS.iter().map(|operation| handler(operation.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Law 8, both ways: what is built has a handler, and what has a handler is built.
    #[test]
    fn every_built_row_has_a_handler_and_every_handler_a_row() {
        for (operation, handler) in OPERATIONS.iter().zip(table()) {
            assert_eq!(handler.is_some(), operation.built, "{}", operation.name);
        }
    }
}
