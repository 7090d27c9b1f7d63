//! The push protocol where no WebSocket gets through: the client asks for frames with GET, and sends its own with POST.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ::http::{HeaderValue, StatusCode, header};
use wire::ApiError;
use wire::push::{frame, pack, unpack};

use super::session::{Next, Session, heard};
use super::{TTL_SECS, confirm, open, path, session_id, unknown};
use crate::http::{Context, Reply};
use crate::service::live::{End, Poller, Taken};

/// How long a client waits for something to happen before it is answered with nothing. Less than a request may take.
const WAIT: Duration = Duration::from_secs(20);
/// How many letters one answer brings.
const AT_ONCE: usize = 64;
/// How many frames one request brings; past it the session ends.
const MAX_FRAMES: usize = 256;

/// `GET`: what is to be said, as soon as there is something. The first time, that it is connected.
pub(super) async fn ask(cx: &Context) -> Result<Reply, ApiError> {
    confirm(cx).await?;
    let id = session_id(cx);
    let live = &cx.state.chat.live;
    let Some(poller) = live.polls.get(id) else { return begin(cx, id).await };
    own(cx, &poller)?;
    let Ok(_turn) = poller.turn.try_lock() else {
        return Err(ApiError::too_many_requests(1));
    };
    poller.note(cx.clock().now());
    let waiting = poller.waiting();
    if !waiting.is_empty() {
        return Ok(said(&waiting));
    }
    let taken = tokio::select! {
        taken = heard_by(&poller) => taken,
        () = tokio::time::sleep(WAIT) => Taken::default(),
    };
    poller.note(cx.clock().now());
    let next = {
        let mut held = poller.allowance.lock().unwrap_or_else(PoisonError::into_inner);
        let (allowance, losses) = &mut *held;
        Session::tell(&poller.opening, &path(id), taken, (allowance, losses))
    };
    match next {
        Next::Say(mut frames) => {
            // What came to be said while it waited: answers to its own events.
            frames.extend(poller.waiting());
            Ok(said(&frames))
        }
        Next::Owe(frame) => Ok(said(&[frame])),
        Next::Part(word) => {
            live.polls.end(id);
            Ok(said(&[word.to_owned()]))
        }
        Next::Cut => {
            live.polls.end(id);
            Err(unknown())
        }
    }
}

/// What there is to hear. Another connection of the same endpoint has taken its place when there is nothing any more: the
/// client knows, and asks here a while longer.
async fn heard_by(poller: &Poller) -> Taken {
    let taken = poller.hearing.next_or_rung(AT_ONCE).await;
    match taken.end {
        Some(End::Replaced) => std::future::pending().await,
        Some(End::Revoked) | None => taken,
    }
}

async fn begin(cx: &Context, id: &str) -> Result<Reply, ApiError> {
    let (opening, hearing) = open(cx, Some(cx.claims()?.user)).await?;
    let polls = &cx.state.chat.live.polls;
    let again = opening.again;
    let poller = polls.begin(id, opening, hearing, cx.clock().now());
    let _ = poller.say(frame::connected(TTL_SECS));
    if again {
        let _ = poller.say(frame::message_loss(cx.clock().now().as_millis()));
    }
    Ok(said(&[frame::CONNECT.to_owned()]))
}

/// `POST`: what the client says.
pub(super) async fn say(cx: &Context) -> Result<Reply, ApiError> {
    confirm(cx).await?;
    let id = session_id(cx);
    let live = &cx.state.chat.live;
    let poller = live.polls.get(id).ok_or_else(unknown)?;
    own(cx, &poller)?;
    poller.note(cx.clock().now());
    let body = std::str::from_utf8(&cx.body).map_err(|_| ApiError::bad_request("The body is not UTF-8."))?;
    for (count, text) in unpack(body).enumerate() {
        let next = match text {
            Ok(text) if count < MAX_FRAMES => {
                let mut held = poller.allowance.lock().unwrap_or_else(PoisonError::into_inner);
                heard(text, &mut held.0)
            }
            Ok(_) | Err(_) => Next::Cut,
        };
        let goes_on = match next {
            Next::Owe(frame) => poller.say(frame),
            Next::Say(frames) => frames.into_iter().all(|frame| poller.say(frame)),
            Next::Part(_) | Next::Cut => false,
        };
        if !goes_on {
            live.polls.end(id);
            break;
        }
    }
    poller.hearing.ring();
    Ok(said(&[]))
}

/// A session is spoken with by its user alone.
fn own(cx: &Context, poller: &Arc<Poller>) -> Result<(), ApiError> {
    let (opening, claims) = (&poller.opening, cx.claims()?);
    let is_own = opening.resource == cx.resource_id() && opening.claims.user == claims.user;
    if is_own { Ok(()) } else { Err(unknown()) }
}

fn said(frames: &[String]) -> Reply {
    let mut reply = Reply::body(StatusCode::OK, pack(frames).into_bytes());
    reply.headers.push((header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8")));
    reply
}
