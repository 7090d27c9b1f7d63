//! Handlers of the email area: `POST /emails:send` and the operation that it begins.

mod unsubscribe;

use std::sync::Arc;

use ::http::{HeaderName, StatusCode, header};
use base::MailId;
use store::StoreError;
use wire::ApiError;
use wire::email::{Attachment, Mailbox, OperationStatus, SendEmail, SendResult, operation_location};

use super::Handler;
use crate::directory::ResourceEntry;
use crate::http::{Context, Reply};
use crate::service::email::{MailDesk, MailError, NewAttachment, NewMail, NewMailbox, State};
use crate::service::unavailable;

/// How long a client waits before it asks again, in seconds. SDKs wait half a minute when they are not told.
const ASK_AGAIN_SECS: &str = "1";
const OPERATION_LOCATION: HeaderName = HeaderName::from_static("operation-location");

/// The handler of the operation called `name`.
#[must_use]
pub fn handler(name: &str) -> Option<Handler> {
    Some(match name {
        "email.send" => |cx| Box::pin(send(cx)),
        "email.get_send_result" => |cx| Box::pin(result(cx)),
        "email.show_unsubscribe" => |cx| Box::pin(unsubscribe::show(cx)),
        "email.unsubscribe" => |cx| Box::pin(unsubscribe::unsubscribe(cx)),
        _ => return None,
    })
}

/// The mail of `resource`, at the service of who asks.
pub(super) fn desk<'a>(cx: &'a Context, resource: &'a Arc<ResourceEntry>) -> MailDesk<'a> {
    MailDesk {
        resource,
        state: &cx.state.email,
        delivery: &cx.state.delivery,
        events: &cx.state.events,
        limits: cx.limits(),
        clock: cx.clock(),
        rng: cx.rng(),
        act: cx.act(),
    }
}

async fn send(cx: &Context) -> Result<Reply, ApiError> {
    let chosen = operation_id(cx)?;
    let asked = SendEmail::parse(&cx.body, cx.api_version, cx.limits())?;
    let accepted = desk(cx, &cx.resource).send(&new_mail(asked), chosen).await.map_err(answer)?;
    let location = operation_location(&cx.base_url(), accepted.id, cx.api_version);
    // An SDK that is told at once of a failure does not look further, and some then report success: ACS says in its
    // answer to a request that the operation runs, and of failures when it is asked after.
    let state = match accepted.state {
        State::Succeeded => State::Succeeded,
        State::Running | State::Suppressed | State::Dropped => State::Running,
    };
    let reply = told(StatusCode::ACCEPTED, accepted.id, state);
    Ok(reply.header(OPERATION_LOCATION, &location))
}

async fn result(cx: &Context) -> Result<Reply, ApiError> {
    let id = cx.params.get("operationId").and_then(|text| text.parse().ok()).ok_or_else(no_operation)?;
    let progress = desk(cx, &cx.resource).progress(id).await.map_err(answer)?;
    Ok(told(StatusCode::OK, id, progress.state))
}

/// The id that the client chose for the operation, when it did.
fn operation_id(cx: &Context) -> Result<Option<MailId>, ApiError> {
    let wrong = || ApiError::validation("Operation-Id", "The header Operation-Id must be one UUID.");
    let mut all = cx.headers.get_all("operation-id").iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => one.to_str().ok().and_then(|text| text.parse().ok()).map(Some).ok_or_else(wrong),
        (Some(_), Some(_)) => Err(wrong()),
    }
}

fn told(status: StatusCode, id: MailId, state: State) -> Reply {
    let (now, error) = match state {
        State::Running => (OperationStatus::Running, None),
        State::Succeeded => (OperationStatus::Succeeded, None),
        State::Suppressed => (
            OperationStatus::Failed,
            Some((
                "EmailDroppedAllRecipientsSuppressed",
                "Message dropped because all recipients were suppressed",
            )),
        ),
        State::Dropped => (
            OperationStatus::Failed,
            Some(("EmailDropped", "Email was dropped after several attempts to deliver.")),
        ),
    };
    let reply = Reply::body(status, SendResult { id, status: now, error }.render());
    match now {
        OperationStatus::Running => reply.header(header::RETRY_AFTER, ASK_AGAIN_SECS),
        OperationStatus::Succeeded | OperationStatus::Failed => reply,
    }
}

fn new_mail(asked: SendEmail) -> NewMail {
    let boxes = |all: Vec<Mailbox>| all.into_iter().map(mailbox).collect();
    NewMail {
        from: NewMailbox { address: asked.sender, name: None },
        to: boxes(asked.to),
        cc: boxes(asked.cc),
        bcc: boxes(asked.bcc),
        reply_to: boxes(asked.reply_to),
        subject: asked.content.subject,
        plain: asked.content.plain,
        html: asked.content.html,
        headers: asked.headers,
        attachments: asked.attachments.into_iter().map(attachment).collect(),
        tracking_disabled: asked.tracking_disabled,
    }
}

fn mailbox(one: Mailbox) -> NewMailbox {
    NewMailbox { address: one.address, name: one.name }
}

fn attachment(one: Attachment) -> NewAttachment {
    NewAttachment {
        name: one.name,
        content_type: one.content_type,
        content: one.content,
        content_id: one.content_id,
    }
}

fn no_operation() -> ApiError {
    ApiError::not_found("The operation was not found.")
}

/// What the caller is told.
pub(super) fn answer(error: MailError) -> ApiError {
    match error {
        MailError::Address(path) => ApiError::mail_address(&path),
        MailError::Property(path) => ApiError::mail_property(&path),
        MailError::DomainNotLinked => ApiError::domain_not_linked(),
        MailError::SenderUnknown => ApiError::invalid_sender_username(),
        MailError::NotFound(what) => ApiError::not_found(format!("The {what} was not found.")),
        MailError::TooMany { what, limit } => {
            ApiError::bad_request(format!("There may be at most {limit} {what}."))
        }
        MailError::Managed => {
            ApiError::bad_request("A domain that the server made for development cannot be changed.")
        }
        MailError::NoKey => ApiError::internal(),
        MailError::Store(StoreError::TooLarge) => {
            ApiError::bad_request("Request body validation error. The message is too large.")
        }
        MailError::Store(error) => unavailable(&error),
    }
}
