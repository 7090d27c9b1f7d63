//! Subscriptions to events, as Event Grid's control plane and the operator's plane have them, and what webhooks may ask.

use std::sync::Arc;

use ::http::{StatusCode, header};
use guard::http_signature::KEY_DIRECTORY_TYPE;
use serde_json::{Value, json};
use wire::ApiError;
use wire::events::{MAX_SUBSCRIPTIONS, SubscriptionBody, SubscriptionPatch, check_name};

use crate::api::Handler;
use crate::directory::ResourceEntry;
use crate::http::{Context, Reply};
use crate::job::events::BY_HAND;
use crate::service::events::{EventDesk, EventsError, Origin};
use crate::service::unavailable;

/// For how long a verifier may keep the key set, in seconds.
const KEYS_MAX_AGE: &str = "public, max-age=300";
/// Dead letters shown at once; each may be as long as a record.
const DEAD_LETTERS: usize = 100;
/// The Azure subscription and resource group of who names none.
const NO_SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";
const NO_GROUP: &str = "chancery";

/// The handler of the operation called `name`.
pub(super) fn handler(name: &str) -> Option<Handler> {
    let handler: Handler = match name {
        "arm.event_subscriptions.list" | "operator.events.list" => |cx| Box::pin(list(cx)),
        "arm.event_subscriptions.get" | "operator.events.get" => |cx| Box::pin(get(cx)),
        "arm.event_subscriptions.create_or_update" | "operator.events.put" => |cx| Box::pin(put(cx)),
        "arm.event_subscriptions.update" => |cx| Box::pin(update(cx)),
        "arm.event_subscriptions.delete" | "operator.events.delete" => |cx| Box::pin(delete(cx)),
        "arm.event_subscriptions.get_full_url" => |cx| Box::pin(full_url(cx)),
        "operator.events.dead_letters" => |cx| Box::pin(dead_letters(cx)),
        "operator.events.clear_dead_letters" => |cx| Box::pin(clear_dead_letters(cx)),
        "events.keys" => |cx| Box::pin(keys(cx)),
        "events.agree" => |cx| Box::pin(agree(cx)),
        _ => return None,
    };
    Some(handler)
}

fn named<'a>(cx: &'a Context, name: &str) -> &'a str {
    cx.params.get(name).unwrap_or_default()
}

/// The resource that the path names, whatever the host.
fn resource(cx: &Context) -> Result<&Arc<ResourceEntry>, ApiError> {
    let name = cx.params.get("communicationServiceName").or(cx.params.get("resource")).unwrap_or_default();
    let mut all = cx.state.directory.resources().iter();
    all.find(|entry| entry.name().eq_ignore_ascii_case(name)).ok_or_else(ApiError::resource_not_found)
}

fn desk<'a>(cx: &'a Context, entry: &'a ResourceEntry) -> EventDesk<'a> {
    EventDesk {
        cell: entry.cell(),
        resource: entry.id(),
        router: &cx.state.events,
        clock: cx.clock(),
        rng: cx.rng(),
        act: cx.act(),
    }
}

fn subscription(cx: &Context) -> &str {
    named(cx, "eventSubscriptionName")
}

fn answer(error: EventsError) -> ApiError {
    match error {
        EventsError::Unknown => ApiError::not_found("The event subscription was not found."),
        EventsError::TooMany => {
            ApiError::bad_request(format!("A resource may have {MAX_SUBSCRIPTIONS} event subscriptions."))
        }
        EventsError::Refused(error) => error,
        EventsError::Store(error) => unavailable(&error),
    }
}

/// Under which names a subscription is made: the topic is the resource as the path names it.
fn origin(cx: &Context, entry: &ResourceEntry) -> Origin {
    let or = |name: &str, other: &'static str| cx.params.get(name).map_or(other, |found| found).to_owned();
    let (subscription, group) = (or("subscriptionId", NO_SUBSCRIPTION), or("resourceGroupName", NO_GROUP));
    let topic = format!(
        "/subscriptions/{subscription}/resourceGroups/{group}/providers/microsoft.communication\
         /communicationservices/{}",
        entry.name()
    );
    Origin { topic, base_url: cx.base_url() }
}

async fn list(cx: &Context) -> Result<Reply, ApiError> {
    let entry = resource(cx)?;
    let all = desk(cx, entry).list().await.map_err(answer)?;
    let all: Vec<Value> = all.iter().map(|one| one.value()).collect();
    Reply::json(StatusCode::OK, &json!({ "value": all }))
}

async fn get(cx: &Context) -> Result<Reply, ApiError> {
    let entry = resource(cx)?;
    let found = desk(cx, entry).get(subscription(cx)).await.map_err(answer)?;
    Reply::json(StatusCode::OK, &found.value())
}

/// 201 to Azure's clients, which then look until it is settled; 200 in the operator's plane.
fn success(cx: &Context) -> StatusCode {
    StatusCode::from_u16(cx.operation.success).unwrap_or(StatusCode::OK)
}

async fn put(cx: &Context) -> Result<Reply, ApiError> {
    let entry = resource(cx)?;
    let body = SubscriptionBody::parse(&cx.body)?;
    let name = subscription(cx);
    check_name(name)?;
    let made = desk(cx, entry).put(name, &body, &origin(cx, entry)).await.map_err(answer)?;
    Reply::json(success(cx), &made.value())
}

async fn update(cx: &Context) -> Result<Reply, ApiError> {
    let entry = resource(cx)?;
    let patch = SubscriptionPatch::parse(&cx.body)?;
    let changed = desk(cx, entry).patch(subscription(cx), &patch).await.map_err(answer)?;
    Reply::json(success(cx), &changed.value())
}

async fn delete(cx: &Context) -> Result<Reply, ApiError> {
    let entry = resource(cx)?;
    let was_there = desk(cx, entry).delete(subscription(cx)).await.map_err(answer)?;
    Ok(Reply::empty(if was_there { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}

/// The endpoint with its query, which may be a secret: an act.
async fn full_url(cx: &Context) -> Result<Reply, ApiError> {
    let entry = resource(cx)?;
    let url = desk(cx, entry).full_url(subscription(cx)).await.map_err(answer)?;
    Reply::json(StatusCode::OK, &json!({ "endpointUrl": url.expose() }))
}

async fn dead_letters(cx: &Context) -> Result<Reply, ApiError> {
    let entry = resource(cx)?;
    let found = desk(cx, entry).dead_letters(subscription(cx), DEAD_LETTERS).await.map_err(answer)?;
    let items: Vec<&Value> = found.items.iter().map(|one| one.expose()).collect();
    Reply::json(StatusCode::OK, &json!({ "value": items, "hasMore": found.has_more }))
}

async fn clear_dead_letters(cx: &Context) -> Result<Reply, ApiError> {
    let entry = resource(cx)?;
    let removed = desk(cx, entry).clear_dead_letters(subscription(cx)).await.map_err(answer)?;
    Reply::json(StatusCode::OK, &json!({ "removed": removed }))
}

/// The keys that sign the requests of the cell in which the asked resource lives.
async fn keys(cx: &Context) -> Result<Reply, ApiError> {
    let signer = cx.state.events.signer(cx.cell()).await.map_err(|error| unavailable(&error))?;
    Ok(Reply::body(StatusCode::OK, signer.jwks().to_vec())
        .header(header::CONTENT_TYPE, KEY_DIRECTORY_TYPE)
        .header(header::CACHE_CONTROL, KEYS_MAX_AGE))
}

/// Agrees in the place of a webhook. Whatever is wrong with the link, the answer is the same.
async fn agree(cx: &Context) -> Result<Reply, ApiError> {
    let unknown = || ApiError::not_found("This link is not, or no longer, valid.");
    let entry = resource(cx).map_err(|_| unknown())?;
    let agreed = desk(cx, entry).agree(subscription(cx), named(cx, "code"), BY_HAND).await.map_err(answer)?;
    if !agreed {
        return Err(unknown());
    }
    let said = json!({ "message": "The webhook is validated as an endpoint of the event subscription." });
    Reply::json(StatusCode::OK, &said)
}
