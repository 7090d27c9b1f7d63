//! Handlers of the operator's plane, one file per part.

mod email;
mod events;
mod keys;
mod numbers;
mod outbox;
mod queue;
mod receipts;
mod sms;
mod smtp;

use std::sync::Arc;

use store::Cell;
use wire::ApiError;

use super::Handler;
use crate::directory::ResourceEntry;
use crate::http::Context;

/// The handler of the operation called `name`.
#[must_use]
pub fn handler(name: &str) -> Option<Handler> {
    [
        email::handler,
        events::handler,
        keys::handler,
        numbers::handler,
        outbox::handler,
        queue::handler,
        receipts::handler,
        sms::handler,
        smtp::handler,
    ]
    .iter()
    .find_map(|part| part(name))
}

/// The resource that the path names; the operator is not bound to the one that was asked.
fn resource(context: &Context) -> Result<&Arc<ResourceEntry>, ApiError> {
    let name = context.params.get("resource").unwrap_or_default();
    let all = &context.state.directory;
    let found = all.resources().iter().find(|entry| entry.name().eq_ignore_ascii_case(name));
    found.ok_or_else(|| ApiError::not_found("This server has no resource of this name."))
}

/// The cell of the geography in the path.
fn cell(cx: &Context) -> Result<&Cell, ApiError> {
    let geography = cx.params.get("geography").unwrap_or_default();
    let all = cx.state.directory.resources();
    let found = all.iter().find(|entry| entry.geography().as_str() == geography).map(Arc::as_ref);
    let unknown = || ApiError::not_found("This node serves no such geography.").with_target("geography");
    found.map(ResourceEntry::cell).ok_or_else(unknown)
}
