//! The operator's plane: the development outbox, as JSON and as a page.

mod page;
mod render;

use ::http::{StatusCode, header};
use wire::ApiError;
use wire::outbox::view::{List, Resource, Resources, Rules, State};
use wire::outbox::{Receive, Rule, parse_rules};

use super::resource;
use crate::api::Handler;
use crate::channel::TextIn;
use crate::channel::capture::CARRIER;
use crate::http::{Context, Reply};
use crate::service;
use crate::service::outbox::{Desk, ItemId, Kind, OutboxError, Wanted, What, hex, unhex};

/// How many items a page of the list has when none are asked for.
const PAGE: usize = 100;

/// The handler of the operation called `name`.
pub(super) fn handler(name: &str) -> Option<Handler> {
    let handler: Handler = match name {
        "outbox.resources" => |c| Box::pin(resources(c)),
        "outbox.state" => |c| Box::pin(state(c)),
        "outbox.list" => |c| Box::pin(list(c)),
        "outbox.clear" => |c| Box::pin(clear(c)),
        "outbox.rules" => |c| Box::pin(rules(c)),
        "outbox.set_rules" => |c| Box::pin(set_rules(c)),
        "outbox.receive" => |c| Box::pin(receive(c)),
        "outbox.read" => |c| Box::pin(read(c)),
        "outbox.raw" => |c| Box::pin(raw(c)),
        "outbox.delete" => |c| Box::pin(delete(c)),
        "outbox.page" => |_| Box::pin(async { Ok(page::html()) }),
        "outbox.script" => |_| Box::pin(async { Ok(page::script()) }),
        "outbox.style" => |_| Box::pin(async { Ok(page::style()) }),
        _ => return None,
    };
    Some(handler)
}

/// The outbox of the resource that the path names.
fn desk(context: &Context) -> Result<Desk<'_>, ApiError> {
    let entry = resource(context)?;
    Ok(Desk {
        cell: entry.cell(),
        resource: entry.id(),
        clock: context.clock(),
        rng: context.rng(),
        act: context.act(),
    })
}

fn item(context: &Context) -> Result<ItemId, ApiError> {
    context.params.get("item").and_then(unhex).ok_or_else(unknown)
}

fn unknown() -> ApiError {
    ApiError::not_found("There is no such item in the outbox.")
}

fn refused(error: &OutboxError) -> ApiError {
    match error {
        OutboxError::Unknown => unknown(),
        OutboxError::NoInbox => {
            ApiError::bad_request("This server captures nothing: texts come in by its carriers.")
        }
        OutboxError::Store(error) => service::unavailable(error),
    }
}

async fn resources(context: &Context) -> Result<Reply, ApiError> {
    let all = context.state.directory.resources().iter();
    let value = all
        .map(|one| Resource { name: one.name().to_owned(), geography: one.geography().as_str().to_owned() });
    Reply::json(StatusCode::OK, &Resources { value: value.collect() })
}

async fn state(context: &Context) -> Result<Reply, ApiError> {
    let (mark, count) = desk(context)?.state().await.map_err(|error| refused(&error))?;
    Reply::json(StatusCode::OK, &State { mark, count })
}

async fn list(context: &Context) -> Result<Reply, ApiError> {
    let query = context.query()?;
    let kind = match query.single("kind")? {
        None => None,
        Some("mail") => Some(Kind::Mail),
        Some("text") => Some(Kind::Text),
        Some(_) => return Err(ApiError::validation("kind", "kind must be mail or text.")),
    };
    let before = query.single("before")?.map(|text| {
        unhex(text).ok_or_else(|| ApiError::validation("before", "before must be the id of an item."))
    });
    let recipient = query.single("recipient")?.map(|text| text.to_owned().into());
    let limit = match query.single("maxPageSize")? {
        None => PAGE,
        Some(_) => query.page_size(context.limits())?,
    };
    let wanted = Wanted { kind, recipient, before: before.transpose()?, limit };
    let page = desk(context)?.list(&wanted).await.map_err(|error| refused(&error))?;
    let next_link = page.next.map(|next| next_link(context, &wanted, &next));
    let value = page.items.iter().map(|(id, row)| render::summary(id, row)).collect();
    Reply::json(StatusCode::OK, &List { value, next_link })
}

/// The same question about what is older than `next`.
fn next_link(context: &Context, wanted: &Wanted, next: &ItemId) -> String {
    let limit = wanted.limit.to_string();
    let next = hex(next);
    let mut query = vec![("maxPageSize", limit.as_str()), ("before", next.as_str())];
    if let Some(kind) = wanted.kind {
        query.push(("kind", if kind == Kind::Mail { "mail" } else { "text" }));
    }
    if let Some(recipient) = &wanted.recipient {
        query.push(("recipient", recipient.expose()));
    }
    wire::page::next_link(&context.base_url(), context.uri.path(), &query)
}

async fn clear(context: &Context) -> Result<Reply, ApiError> {
    let deleted = desk(context)?.clear().await.map_err(|error| refused(&error))?;
    Reply::json(StatusCode::OK, &serde_json::json!({ "deleted": deleted }))
}

async fn read(context: &Context) -> Result<Reply, ApiError> {
    let id = item(context)?;
    let (row, message) = desk(context)?.read(id).await.map_err(|error| refused(&error))?;
    Reply::json(StatusCode::OK, &render::item(&id, &row, message.expose()))
}

/// The message of a mail as it would have left, for programs that read mail.
async fn raw(context: &Context) -> Result<Reply, ApiError> {
    let (row, message) = desk(context)?.read(item(context)?).await.map_err(|error| refused(&error))?;
    let (body, media) = match row.what {
        What::Mail { .. } => (message.into_inner(), "message/rfc822"),
        What::Text { text, .. } => (text.into_inner().into_bytes(), "text/plain; charset=utf-8"),
    };
    // Never shown in place: what was written is not to be trusted.
    Ok(Reply::body(StatusCode::OK, body)
        .header(header::CONTENT_TYPE, media)
        .header(header::CONTENT_DISPOSITION, "attachment")
        .header(header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"))
}

async fn delete(context: &Context) -> Result<Reply, ApiError> {
    desk(context)?.delete(item(context)?).await.map_err(|error| refused(&error))?;
    Reply::json(StatusCode::OK, &serde_json::json!({ "deleted": 1 }))
}

async fn rules(context: &Context) -> Result<Reply, ApiError> {
    let rules = desk(context)?.rules().await.map_err(|error| refused(&error))?;
    shown(&rules)
}

async fn set_rules(context: &Context) -> Result<Reply, ApiError> {
    let rules = parse_rules(&context.body)?;
    desk(context)?.set_rules(&rules).await.map_err(|error| refused(&error))?;
    shown(&rules)
}

fn shown(rules: &[Rule]) -> Result<Reply, ApiError> {
    let rules = rules.iter().map(Into::into).collect();
    let built_in = Rule::built_in().iter().map(Into::into).collect();
    Reply::json(StatusCode::OK, &Rules { rules, built_in })
}

async fn receive(context: &Context) -> Result<Reply, ApiError> {
    let Receive { from, to, text } = Receive::parse(&context.body)?;
    let segments = post::text::segment::measure(text.expose(), &[]).map_or(1, |size| size.segments);
    let segments = u32::try_from(segments).unwrap_or(1);
    let text = TextIn { carrier: CARRIER.to_owned(), from, to, text, segments };
    let desk = desk(context)?;
    desk.receive(&context.state.outbox, text).await.map_err(|error| refused(&error))?;
    Reply::json(StatusCode::OK, &serde_json::json!({ "received": true }))
}
