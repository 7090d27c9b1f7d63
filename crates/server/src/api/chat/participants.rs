//! `/chat/threads/{chatThreadId}/participants`.

use ::http::StatusCode;
use wire::Identifier;
use wire::chat::Render;
use wire::chat::{AddParticipants, AddedParticipants, InvalidParticipant, Page, RemoveParticipant};
use wire::error::ApiError;

use super::threads::split;
use super::{answer, next_link, render, thread};
use crate::http::{Context, Reply};
use crate::service::chat::ChatError;

/// `POST .../participants/:add`.
pub(super) async fn add(cx: &Context) -> Result<Reply, ApiError> {
    let asked = AddParticipants::parse(&cx.body, cx.api_version, cx.limits())?;
    let thread = thread(cx)?;
    let (new, mut invalid) = split(cx, asked.participants);
    let unknown = ask!(cx, desk.add_participants(thread, new));
    let resource = cx.resource_id();
    invalid
        .extend(unknown.into_iter().map(|user| InvalidParticipant::NotFound(render::user(resource, user))));
    Ok(Reply::body(StatusCode::CREATED, AddedParticipants { invalid }.render(cx.api_version)))
}

/// `POST .../participants/:remove`. Who cannot be in a thread of this resource is not in this one.
pub(super) async fn remove(cx: &Context) -> Result<Reply, ApiError> {
    let asked = RemoveParticipant::parse(&cx.body)?;
    let thread = thread(cx)?;
    let user = match asked.identifier {
        Identifier::CommunicationUser { resource, user } if resource == cx.resource_id() => Some(user),
        _ => None,
    };
    match user {
        Some(user) => ask!(cx, desk.remove_participant(thread, user)),
        None => {
            ask!(cx, desk.thread(thread));
            return Err(answer(ChatError::ParticipantUnknown));
        }
    }
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// `GET .../participants`.
pub(super) async fn list(cx: &Context) -> Result<Reply, ApiError> {
    let thread = thread(cx)?;
    let query = cx.query()?;
    let (size, skip) = (query.page_size(cx.limits())?, query.skip()?);
    let (page, more) = ask!(cx, desk.list_participants(thread, skip, size));
    let next_link = more.then(|| next_link(cx, &query, "skip", &(skip + page.len()).to_string()));
    let value = page.into_iter().map(|view| render::participant(cx.resource_id(), view)).collect();
    Ok(Reply::body(StatusCode::OK, Page { value, next_link }.render(cx.api_version)))
}
