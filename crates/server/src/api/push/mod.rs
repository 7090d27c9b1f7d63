//! Handlers of the push protocol: where the browser's client is to connect to, whose socket it will be, and the socket itself.

mod cloud;
mod events;
mod poll;
mod render;
mod session;

use std::sync::Arc;

use ::http::StatusCode;
use base::UserId;
use guard::token::Claims;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::ApiError;

use super::Handler;
use crate::http::{Context, Reply, Upgrade};
use crate::service::live::{Hearing, MAX_ENDPOINT_ID, Opening};
use crate::service::unavailable;

/// How long an allocation is good for, in seconds: clients register anew shortly before the end of less than two hours.
const TTL_SECS: u64 = 86_400;
/// After how much silence, in seconds, the client gives a connection up. Its own pings come every 40 s.
const SILENCE_SECS: u64 = 85;
/// After how many seconds a user comes back who has too many connections.
const CROWDED_SECS: u32 = 5;

/// The handler of the operation called `name`.
#[must_use]
pub fn handler(name: &str) -> Option<Handler> {
    Some(match name {
        "chat.realtime_configuration" => |cx| Box::pin(configuration(cx)),
        "push.allocate" => |cx| Box::pin(allocate(cx)),
        "push.handshake" => |cx| Box::pin(handshake(cx)),
        "push.connect" => |cx| Box::pin(connect(cx)),
        "push.poll" => |cx| Box::pin(poll::ask(cx)),
        "push.say" => |cx| Box::pin(poll::say(cx)),
        "push.events" => |cx| Box::pin(events::events(cx)),
        "push.register" => |cx| Box::pin(register(cx)),
        "push.unregister" => |cx| Box::pin(unregister(cx)),
        _ => return None,
    })
}

/// Where the rest of the protocol is spoken: here.
async fn configuration(cx: &Context) -> Result<Reply, ApiError> {
    confirm(cx).await?;
    let here = cx.base_url();
    Reply::json(
        StatusCode::OK,
        &json!({ "trouterServiceUrl": here, "registrarServiceUrl": here, "cloudType": "Public" }),
    )
}

#[derive(Serialize)]
struct Allocation<'a> {
    socketio: &'a str,
    url: &'a str,
    surl: &'a str,
    curlb: &'a str,
    id: &'a str,
    ccid: &'a str,
    ttl: String,
    connectparams: serde_json::Map<String, serde_json::Value>,
}

/// A place for an endpoint. Nothing is kept of it: whose socket it will be is settled by the handshake.
async fn allocate(cx: &Context) -> Result<Reply, ApiError> {
    confirm(cx).await?;
    let here = cx.base_url();
    // The client takes the host and the port out of it, and glues paths to it: both must be there, and the slash.
    let host = here.trim_start_matches("https://");
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let socketio = if has_port { format!("{here}/") } else { format!("{here}:443/") };
    let id = base::hex(&cx.rng().id());
    let url = format!("{here}{}", path(&id));
    let allocation = Allocation {
        socketio: &socketio,
        url: &url,
        surl: &url,
        curlb: &here,
        id: &id,
        ccid: &id,
        ttl: TTL_SECS.to_string(),
        connectparams: serde_json::Map::new(),
    };
    let mut reply = Reply::json(StatusCode::OK, &allocation)?;
    reply.headers.push((::http::header::CONTENT_TYPE, ::http::HeaderValue::from_static("application/json")));
    Ok(reply)
}

fn path(id: &str) -> String {
    format!("/v4/f/{id}/")
}

/// Binds a socket that is about to open to the user who asks: the socket itself has no credential.
async fn handshake(cx: &Context) -> Result<Reply, ApiError> {
    confirm(cx).await?;
    let query = cx.query()?;
    let endpoint = query.single("epid")?.unwrap_or_default();
    if endpoint.len() > MAX_ENDPOINT_ID {
        return Err(ApiError::bad_request("The epid is too long."));
    }
    // One that does not say is like no other.
    let endpoint = if endpoint.is_empty() { base::hex(&cx.rng().id()) } else { endpoint.to_owned() };
    // `<client>_<attempt>`, counted from 1.
    let attempt = query.single("con_num")?.and_then(|number| number.rsplit('_').next()?.parse::<u64>().ok());
    let asked = (endpoint, attempt.is_some_and(|attempt| attempt > 1));
    let live = &cx.state.chat.live;
    let id = live.sessions.ask(cx.resource_id(), cx.claims()?.clone(), asked, cx.clock().now(), cx.rng());
    let body = format!("{id}:{SILENCE_SECS}:{SILENCE_SECS}:websocket,xhr-polling");
    let mut reply = Reply::body(StatusCode::OK, body.into_bytes());
    reply.headers.push((::http::header::CONTENT_TYPE, ::http::HeaderValue::from_static("text/plain")));
    Ok(reply)
}

/// The socket of a session.
async fn connect(cx: &Context) -> Result<Reply, ApiError> {
    // Before the session is used up: where no WebSocket gets through, the client polls with it.
    let asked = Upgrade::asked(&cx.headers)?;
    let (opening, hearing) = open(cx, None).await?;
    let session = session::Session { state: Arc::clone(&cx.state), opening, path: path(session_id(cx)) };
    Ok(asked.answer(move |socket| Box::pin(session.serve(socket, hearing))))
}

fn session_id(cx: &Context) -> &str {
    cx.params.get("sessionId").unwrap_or_default()
}

/// Opens the session of the path, for whoever has it or for this user alone, and listens. One that is not there, was opened
/// before or came too late is all the same.
async fn open(cx: &Context, by: Option<UserId>) -> Result<(Opening, Hearing), ApiError> {
    let (live, now, resource) = (&cx.state.chat.live, cx.clock().now(), cx.resource_id());
    let opening = live.sessions.open(session_id(cx), resource, now, by).ok_or_else(unknown)?;
    if opening.claims.expires_at <= now {
        return Err(unknown());
    }
    let hearing = listen(cx, &opening.claims, &opening.endpoint).await?;
    Ok((opening, hearing))
}

/// Listens with a token that still holds.
async fn listen(cx: &Context, claims: &Arc<Claims>, endpoint: &str) -> Result<Hearing, ApiError> {
    let hearing = cx.state.chat.live.listen(cx.cell(), cx.resource_id(), claims, endpoint).await;
    let hearing = hearing.map_err(|fault| unavailable(&fault))?;
    let hearing = hearing.ok_or_else(|| ApiError::too_many_requests(CROWDED_SECS))?;
    holds(cx, claims).await?;
    Ok(hearing)
}

/// What is read of a registration.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    #[serde(rename = "registrationId")]
    _registration_id: String,
}

/// Nothing depends on a registration: who has a socket hears.
async fn register(cx: &Context) -> Result<Reply, ApiError> {
    confirm(cx).await?;
    let _: Registration = wire::json::parse(&cx.body)?;
    Ok(Reply::empty(StatusCode::ACCEPTED))
}

async fn unregister(cx: &Context) -> Result<Reply, ApiError> {
    confirm(cx).await?;
    Ok(Reply::empty(StatusCode::ACCEPTED))
}

fn unknown() -> ApiError {
    ApiError::not_found("There is no such session.")
}

/// That the token of who asks still holds.
async fn confirm(cx: &Context) -> Result<(), ApiError> {
    holds(cx, cx.claims()?).await
}

async fn holds(cx: &Context, claims: &Claims) -> Result<(), ApiError> {
    let mut reader = cx.cell().read(cx.resource_id()).await.map_err(|fault| unavailable(&fault))?;
    cx.state.identities.confirm(&mut reader, claims).await?;
    Ok(())
}
