//! Handlers of the operator's plane, one file per part.

mod email;
mod events;
mod numbers;
mod outbox;
mod queue;
mod sms;
mod smtp;

use super::Handler;

/// The handler of the operation called `name`.
#[must_use]
pub fn handler(name: &str) -> Option<Handler> {
    [
        email::handler,
        events::handler,
        numbers::handler,
        outbox::handler,
        queue::handler,
        sms::handler,
        smtp::handler,
    ]
    .iter()
    .find_map(|part| part(name))
}
