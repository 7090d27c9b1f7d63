//! The operator's plane: what waits to leave the house, pausing it, and trying at once what was put off.

use std::sync::Arc;

use ::http::StatusCode;
use base::{ResourceId, Timestamp};
use serde::{Deserialize, Serialize};
use wire::ApiError;

use crate::api::Handler;
use crate::directory::ResourceEntry;
use crate::http::{Context, Reply};
use crate::service;
use crate::service::delivery::Kind;
use crate::service::delivery::control::{self, Counts, Waiting};

/// The handler of the operation called `name`.
pub(super) fn handler(name: &str) -> Option<Handler> {
    let handler: Handler = match name {
        "operator.queue.list" => |c| Box::pin(list(c)),
        "operator.queue.pause" => |c| Box::pin(set(c, true)),
        "operator.queue.resume" => |c| Box::pin(set(c, false)),
        "operator.queue.hurry" => |c| Box::pin(hurry(c)),
        _ => return None,
    };
    Some(handler)
}

/// What is meant: all resources and kinds where nothing is named.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    resource: Option<String>,
    kind: Option<String>,
}

#[derive(Serialize)]
struct Listing {
    value: Vec<Line>,
}

/// One kind of one resource.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    resource: String,
    geography: String,
    kind: &'static str,
    waiting: usize,
    under_way: usize,
    tried_before: usize,
    paused: bool,
    /// Whether there is more than was counted.
    more: bool,
    /// Whether nothing could be counted, because the resource's keys cannot be had.
    unreadable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_on: Option<String>,
}

#[derive(Serialize)]
struct Hurried {
    hurried: usize,
}

impl Choice {
    fn parse(context: &Context) -> Result<Self, ApiError> {
        if context.body.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(&context.body)
            .map_err(|_| ApiError::bad_request("The body may hold `resource` and `kind`, and nothing else."))
    }

    fn kinds(&self) -> Result<&'static [Kind], ApiError> {
        match self.kind.as_deref() {
            None => Ok(&[Kind::Mail, Kind::Text]),
            Some("mail") => Ok(&[Kind::Mail]),
            Some("text") => Ok(&[Kind::Text]),
            Some(_) => Err(ApiError::bad_request("`kind` is `mail` or `text`.")),
        }
    }

    fn resource<'c>(&self, context: &'c Context) -> Result<Option<&'c Arc<ResourceEntry>>, ApiError> {
        let Some(name) = &self.resource else { return Ok(None) };
        let found = context.state.directory.resources().iter().find(|entry| entry.name() == name);
        found.map(Some).ok_or_else(ApiError::resource_not_found)
    }
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Mail => "mail",
        Kind::Text => "text",
    }
}

async fn list(context: &Context) -> Result<Reply, ApiError> {
    let mut value = Vec::new();
    for entry in context.state.directory.resources() {
        // One whose keys are out of reach keeps nobody from seeing the others.
        let is_readable = entry.is_within_reach().await;
        let waiting = if is_readable {
            control::waiting(entry).await.map_err(|e| service::unavailable(&e))?
        } else {
            Waiting::default()
        };
        let paused = control::paused(entry.cell()).await.map_err(|e| service::unavailable(&e))?;
        for kind in [Kind::Mail, Kind::Text] {
            let counts = waiting.kinds.get(&kind).copied().unwrap_or_default();
            let line = line(entry, kind, counts, paused.holds(kind, entry.id()), waiting.more);
            value.push(Line { unreadable: !is_readable, ..line });
        }
    }
    Reply::json(StatusCode::OK, &Listing { value })
}

fn line(entry: &ResourceEntry, kind: Kind, counts: Counts, paused: bool, more: bool) -> Line {
    Line {
        resource: entry.name().to_owned(),
        geography: entry.geography().as_str().to_owned(),
        kind: word(kind),
        waiting: counts.waiting,
        under_way: counts.held,
        tried_before: counts.tried,
        paused,
        more,
        unreadable: false,
        oldest_on: counts.oldest.map(Timestamp::to_iso),
        next_on: counts.next.map(Timestamp::to_iso),
    }
}

async fn set(context: &Context, pause: bool) -> Result<Reply, ApiError> {
    let choice = Choice::parse(context)?;
    let kinds = choice.kinds()?;
    let (act, rng) = (context.act(), context.rng());
    let failed = |error| service::unavailable(&error);
    if let Some(entry) = choice.resource(context)? {
        control::set_paused(entry.cell(), kinds, entry.id(), pause, act, rng).await.map_err(failed)?;
    } else {
        let mut done = Vec::new();
        for entry in context.state.directory.resources() {
            if !done.contains(&entry.geography()) {
                control::set_paused(entry.cell(), kinds, ResourceId::CELL, pause, act, rng)
                    .await
                    .map_err(failed)?;
                done.push(entry.geography());
            }
        }
    }
    context.state.delivery.wake();
    list(context).await
}

async fn hurry(context: &Context) -> Result<Reply, ApiError> {
    let choice = Choice::parse(context)?;
    let all = context.state.directory.resources();
    let chosen = match choice.resource(context)? {
        Some(entry) => std::slice::from_ref(entry),
        None => all,
    };
    let mut hurried = 0;
    for entry in chosen {
        let now = context.clock().now();
        let count = control::hurry(entry, now, context.act(), context.rng()).await;
        hurried += count.map_err(|error| service::unavailable(&error))?;
    }
    context.state.delivery.wake();
    Reply::json(StatusCode::OK, &Hurried { hurried })
}
