//! Handlers of the chat area: read the request, ask the desk, write the answer.

use std::sync::atomic::AtomicBool;

use base::{MessageId, ThreadId};
use store::StoreError;
use wire::error::ApiError;
use wire::{Query, thread_id};

use super::Handler;
use crate::http::Context;
use crate::service::chat::{ChatError, Desk};
use crate::service::unavailable;

/// The handler of the operation called `name`.
#[must_use]
pub fn handler(name: &str) -> Option<Handler> {
    Some(match name {
        "chat.create_thread" => |cx| Box::pin(threads::create(cx)),
        "chat.list_threads" => |cx| Box::pin(threads::list(cx)),
        "chat.get_thread" => |cx| Box::pin(threads::get(cx)),
        "chat.update_thread" => |cx| Box::pin(threads::update(cx)),
        "chat.delete_thread" => |cx| Box::pin(threads::delete(cx)),
        "chat.send_message" => |cx| Box::pin(messages::send(cx)),
        "chat.list_messages" => |cx| Box::pin(messages::list(cx)),
        "chat.get_message" => |cx| Box::pin(messages::get(cx)),
        "chat.update_message" => |cx| Box::pin(messages::update(cx)),
        "chat.delete_message" => |cx| Box::pin(messages::delete(cx)),
        "chat.add_participants" => |cx| Box::pin(participants::add(cx)),
        "chat.remove_participant" => |cx| Box::pin(participants::remove(cx)),
        "chat.list_participants" => |cx| Box::pin(participants::list(cx)),
        "chat.send_read_receipt" => |cx| Box::pin(receipts::send(cx)),
        "chat.list_read_receipts" => |cx| Box::pin(receipts::list(cx)),
        "chat.send_typing" => |cx| Box::pin(receipts::typing(cx)),
        _ => return None,
    })
}

/// Asks the caller's desk: `ask!(cx, desk.thread(thread))`. What it refuses becomes an answer.
macro_rules! ask {
    ($cx:expr, $desk:ident.$method:ident($($arg:expr),*)) => {{
        let allowance = |thread| $cx.count_in_thread(thread);
        let $desk = $crate::api::chat::desk($cx, &allowance)?;
        $desk.$method($($arg),*).await.map_err($crate::api::chat::answer)?
    }};
}

mod messages;
mod participants;
mod receipts;
mod render;
mod threads;

/// The caller's desk.
fn desk<'a>(
    cx: &'a Context,
    allowance: &'a (dyn Fn(ThreadId) -> Result<(), ApiError> + Sync),
) -> Result<Desk<'a>, ApiError> {
    Ok(Desk {
        cell: cx.cell(),
        resource: cx.resource_id(),
        state: &cx.state.chat,
        identities: &cx.state.identities,
        events: &cx.state.events,
        limits: cx.limits(),
        clock: cx.clock(),
        rng: cx.rng(),
        allowance,
        act: cx.act(),
        claims: cx.claims()?,
        counted: AtomicBool::new(false),
    })
}

/// What the caller is told.
fn answer(error: ChatError) -> ApiError {
    match error {
        ChatError::Refused(error) => error,
        ChatError::Forbidden => ApiError::forbidden(),
        ChatError::ThreadDeleted => ApiError::not_found("The chat thread was deleted."),
        ChatError::MessageUnknown => ApiError::not_found("The chat message was not found."),
        ChatError::ParticipantUnknown => {
            ApiError::not_found("The participant was not found in the chat thread.")
        }
        ChatError::TooManyParticipants { limit } => {
            ApiError::validation("participants", format!("A chat thread may have {limit} participants."))
        }
        ChatError::RepeatDiffers => ApiError::validation(
            "repeatability-request-id",
            "This repeatability-request-id was used for another request. Use a new one.",
        ),
        ChatError::NothingLeft => ApiError::validation(
            "content",
            "Nothing is left of the HTML once what may not be shown is removed.",
        ),
        ChatError::TooIntricate => {
            ApiError::validation("content", "The HTML leaves too many formatting elements open.")
        }
        ChatError::MessageTooLarge { limit } => ApiError::validation(
            "content",
            format!("Content and metadata of a message may hold {limit} bytes in all."),
        ),
        ChatError::Store(StoreError::TooLarge) => {
            ApiError::bad_request("The request changes too much at once.")
        }
        ChatError::Store(error) => unavailable(&error),
    }
}

/// The thread named in the path. A text that can be no thread's id gets the answer of a thread that is not there.
fn thread(cx: &Context) -> Result<ThreadId, ApiError> {
    cx.params.get("chatThreadId").and_then(thread_id::parse).ok_or_else(ApiError::forbidden)
}

/// The message named in the path; a text that can be no message's id names one that is not there.
fn message(cx: &Context) -> MessageId {
    cx.params.get("chatMessageId").and_then(|text| text.parse().ok()).unwrap_or(MessageId(0))
}

/// The absolute link to the page that begins where `state` says: `name` is `syncState` or `skip`.
fn next_link(cx: &Context, query: &Query<'_>, name: &str, state: &str) -> String {
    let mut pairs = vec![("api-version", cx.api_version.as_str())];
    for kept in ["maxPageSize", "startTime"] {
        if let Some(value) = query.get(kept) {
            pairs.push((kept, value));
        }
    }
    pairs.push((name, state));
    wire::page::next_link(&cx.base_url(), cx.uri.path(), &pairs)
}
