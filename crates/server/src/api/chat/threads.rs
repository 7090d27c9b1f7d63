//! `/chat/threads` and `/chat/threads/{chatThreadId}`.

use ::http::StatusCode;
use guard::hash::blind_index;
use wire::Identifier;
use wire::chat::Render;
use wire::chat::{
    CreateThread, CreatedThread, InvalidParticipant, NewParticipant as Asked, Page, Patch, UpdateThread,
    thread_location,
};
use wire::error::ApiError;
use wire::page::{PageToken, TOKEN_PARAMETER, ThreadCursor as Place};

use super::{next_link, render, thread};
use crate::http::{Context, Reply};
use crate::service::chat::{
    NewParticipant, NewThread, Repeatability, ThreadChange, ThreadCursor, ThreadQuery,
};

/// The longest repeatability id, in bytes: ACS recommends a UUID.
const MAX_REPEATABILITY_ID: usize = 256;

/// `POST /chat/threads`.
pub(super) async fn create(cx: &Context) -> Result<Reply, ApiError> {
    let asked = CreateThread::parse(&cx.body, cx.api_version, cx.limits())?;
    let (participants, mut invalid) = split(cx, asked.participants);
    let new = NewThread {
        topic: asked.topic,
        participants,
        metadata: render::pairs(&asked.metadata),
        retention: asked.retention.map(render::retention),
        repeatability: repeatability(cx)?,
    };
    let made = ask!(cx, desk.create_thread(new));
    let resource = cx.resource_id();
    invalid
        .extend(made.unknown.iter().map(|user| InvalidParticipant::NotFound(render::user(resource, *user))));
    let location = thread_location(&cx.base_url(), made.thread.id);
    let body = CreatedThread { thread: render::thread(resource, made.thread), invalid };
    Ok(Reply::body(StatusCode::CREATED, body.render(cx.api_version)).location(&location))
}

/// `GET /chat/threads`.
pub(super) async fn list(cx: &Context) -> Result<Reply, ApiError> {
    let query = cx.query()?;
    let place = query.page_token()?.map(PageToken::parse_threads).transpose()?;
    let asked = ThreadQuery {
        page_size: query.page_size(cx.limits())?,
        start: query.start_time()?,
        cursor: place.map(|p| ThreadCursor { as_of: p.as_of, activity: p.activity, thread: p.thread }),
    };
    let page = ask!(cx, desk.list_threads(asked));
    let next_link = page.next.map(|next| {
        let ThreadCursor { as_of, activity, thread } = next;
        let token = PageToken::Threads(Place { as_of, start_time: asked.start, activity, thread });
        next_link(cx, &query, TOKEN_PARAMETER, &token.format())
    });
    let page = Page { value: page.threads.into_iter().map(render::thread_item).collect(), next_link };
    Ok(Reply::body(StatusCode::OK, page.render(cx.api_version)))
}

/// `GET /chat/threads/{chatThreadId}`.
pub(super) async fn get(cx: &Context) -> Result<Reply, ApiError> {
    let thread = thread(cx)?;
    let found = ask!(cx, desk.thread(thread));
    Ok(Reply::body(StatusCode::OK, render::thread(cx.resource_id(), found).render(cx.api_version)))
}

/// `PATCH /chat/threads/{chatThreadId}`.
pub(super) async fn update(cx: &Context) -> Result<Reply, ApiError> {
    let asked = UpdateThread::parse(&cx.body, cx.api_version, cx.limits())?;
    let thread = thread(cx)?;
    let change = ThreadChange {
        topic: asked.topic,
        metadata: match asked.metadata {
            Patch::Keep => None,
            Patch::Clear => Some(Vec::new()),
            Patch::Set(metadata) => Some(render::pairs(&metadata)),
        },
        retention: asked.retention.map(render::retention),
    };
    ask!(cx, desk.update_thread(thread, change));
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// `DELETE /chat/threads/{chatThreadId}`.
pub(super) async fn delete(cx: &Context) -> Result<Reply, ApiError> {
    let thread = thread(cx)?;
    ask!(cx, desk.delete_thread(thread));
    cx.state.jobs.wake();
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// Tells those who may be in a thread of this resource from those who may not: phone numbers, Teams, users of another
/// resource.
pub(super) fn split(cx: &Context, asked: Vec<Asked>) -> (Vec<NewParticipant>, Vec<InvalidParticipant>) {
    let (mut ours, mut invalid) = (Vec::new(), Vec::new());
    for one in asked {
        match one.identifier {
            Identifier::CommunicationUser { resource, user } if resource == cx.resource_id() => {
                ours.push(NewParticipant {
                    user,
                    display_name: one.display_name,
                    share_history_from: one.share_history_time,
                    metadata: render::pairs(&one.metadata),
                });
            }
            other => invalid.push(InvalidParticipant::NotPermitted(other)),
        }
    }
    (ours, invalid)
}

/// The repeatability id of the request, as hashes that only this resource's caller can have made.
fn repeatability(cx: &Context) -> Result<Option<Repeatability>, ApiError> {
    let Some(id) = cx.headers.get("repeatability-request-id") else { return Ok(None) };
    if id.is_empty() || id.len() > MAX_REPEATABILITY_ID {
        let rule = format!("A repeatability-request-id has 1 to {MAX_REPEATABILITY_ID} characters.");
        return Err(ApiError::validation("repeatability-request-id", rule));
    }
    let key = guard::hash::sha256(cx.resource_id().as_bytes());
    Ok(Some(Repeatability {
        id: blind_index(&key, "chat/repeat/id", id.as_bytes()),
        request: blind_index(&key, "chat/repeat/request", &cx.body),
    }))
}
