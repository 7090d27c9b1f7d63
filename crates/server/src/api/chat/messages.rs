//! `/chat/threads/{chatThreadId}/messages` and one of them.

use ::http::StatusCode;
use base::Timestamp;
use wire::chat::Render;
use wire::chat::{Page, Patch, SendMessage, SentMessage, TextKind, UpdateMessage, message_location};
use wire::error::ApiError;
use wire::page::{MessageCursor as Place, MessagePhase, PageToken, TOKEN_PARAMETER};

use super::{message, next_link, render, thread};
use crate::http::{Context, Reply};
use crate::service::chat::{MessageCursor, MessageEdit, MessageQuery, NewMessage};

/// `POST .../messages`.
pub(super) async fn send(cx: &Context) -> Result<Reply, ApiError> {
    let asked = SendMessage::parse(&cx.body, cx.limits())?;
    let thread = thread(cx)?;
    let new = NewMessage {
        content: asked.content,
        is_html: asked.kind == TextKind::Html,
        sender_display_name: asked.sender_display_name,
        metadata: render::pairs(&asked.metadata),
    };
    let id = ask!(cx, desk.send_message(thread, new));
    let location = message_location(&cx.base_url(), thread, id);
    Ok(Reply::body(StatusCode::CREATED, SentMessage { id }.render(cx.api_version)).location(&location))
}

/// `GET .../messages`.
pub(super) async fn list(cx: &Context) -> Result<Reply, ApiError> {
    let thread = thread(cx)?;
    let query = cx.query()?;
    let place = query.page_token()?.map(PageToken::parse_messages).transpose()?;
    let asked = MessageQuery {
        page_size: query.page_size(cx.limits())?,
        start: query.start_time()?,
        cursor: place.map(cursor),
    };
    let page = ask!(cx, desk.list_messages(thread, asked));
    let next_link = page.next.map(|next| {
        let token = PageToken::Messages(self::place(next, asked.start));
        next_link(cx, &query, TOKEN_PARAMETER, &token.format())
    });
    let value = page.messages.into_iter().map(|view| render::message(cx.resource_id(), view)).collect();
    Ok(Reply::body(StatusCode::OK, Page { value, next_link }.render(cx.api_version)))
}

/// `GET .../messages/{chatMessageId}`.
pub(super) async fn get(cx: &Context) -> Result<Reply, ApiError> {
    let (thread, id) = (thread(cx)?, message(cx));
    let found = ask!(cx, desk.message(thread, id));
    Ok(Reply::body(StatusCode::OK, render::message(cx.resource_id(), found).render(cx.api_version)))
}

/// `PATCH .../messages/{chatMessageId}`.
pub(super) async fn update(cx: &Context) -> Result<Reply, ApiError> {
    let asked = UpdateMessage::parse(&cx.body, cx.limits())?;
    let (thread, id) = (thread(cx)?, message(cx));
    let edit = MessageEdit {
        content: asked.content,
        metadata: match asked.metadata {
            Patch::Keep => None,
            Patch::Clear => Some(Vec::new()),
            Patch::Set(metadata) => Some(render::pairs(&metadata)),
        },
    };
    ask!(cx, desk.edit_message(thread, id, edit));
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// `DELETE .../messages/{chatMessageId}`.
pub(super) async fn delete(cx: &Context) -> Result<Reply, ApiError> {
    let (thread, id) = (thread(cx)?, message(cx));
    ask!(cx, desk.delete_message(thread, id));
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// Where a token says the page before ended.
fn cursor(place: Place) -> MessageCursor {
    match place.phase {
        MessagePhase::Received => MessageCursor::Written(base::MessageId(place.position)),
        MessagePhase::Changed => {
            MessageCursor::Changed(Timestamp::from_millis(place.bound), base::MessageId(place.position))
        }
    }
}

/// The token's form of a cursor: position is a message; in the second part bound is the instant of its change.
fn place(cursor: MessageCursor, start_time: Option<Timestamp>) -> Place {
    match cursor {
        MessageCursor::Written(id) => {
            Place { phase: MessagePhase::Received, position: id.0, start_time, bound: id.0 }
        }
        MessageCursor::Changed(at, id) => {
            Place { phase: MessagePhase::Changed, position: id.0, start_time, bound: at.as_millis() }
        }
    }
}

#[cfg(test)]
mod tests {
    use base::MessageId;

    use super::*;

    #[test]
    fn cursors_survive_the_token() {
        let (id, at) = (MessageId(1_795_420_800_123), Timestamp::from_millis(1_795_420_900_000));
        for there in [MessageCursor::Written(id), MessageCursor::Changed(at, id)] {
            assert_eq!(cursor(place(there, None)), there);
            let text = PageToken::Messages(place(there, Some(at))).format();
            assert_eq!(PageToken::parse_messages(&text).map(cursor), Ok(there));
        }
    }
}
