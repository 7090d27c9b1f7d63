//! Handlers of the product's own routes: whether it lives, whether it can serve, and the keys that verify its tokens.

use ::http::{StatusCode, header};
use wire::ApiError;

use super::Handler;
use crate::http::{Context, Reply};
use crate::service;

/// For how long a verifier may keep the key set, in seconds.
const KEYS_MAX_AGE: &str = "public, max-age=300";

/// The handler of the operation called `name`.
#[must_use]
pub fn handler(name: &str) -> Option<Handler> {
    let handler: Handler = match name {
        "health.live" => |c| Box::pin(live(c)),
        "health.ready" => |c| Box::pin(ready(c)),
        "token.keys" => |c| Box::pin(keys(c)),
        _ => return None,
    };
    Some(handler)
}

/// The process answers. It says nothing of the rest, so that a broken disk does not have every node restarted at once.
async fn live(_context: &Context) -> Result<Reply, ApiError> {
    Ok(status("live"))
}

/// Every cell's store answers.
async fn ready(context: &Context) -> Result<Reply, ApiError> {
    let mut checked = Vec::new();
    for entry in context.state.directory.resources() {
        let cell = entry.cell();
        if checked.contains(cell.geography()) {
            continue;
        }
        cell.check().await.map_err(|error| service::unavailable(&error))?;
        checked.push(cell.geography().clone());
    }
    Ok(status("ready"))
}

/// The public keys of the cell in which the asked resource lives (RFC 7517).
async fn keys(context: &Context) -> Result<Reply, ApiError> {
    let keys = context.resource.tokens().jwks().to_vec();
    Ok(Reply::rendered(StatusCode::OK, keys).header(header::CACHE_CONTROL, KEYS_MAX_AGE))
}

fn status(word: &str) -> Reply {
    let body = format!(r#"{{"status":"{word}"}}"#).into_bytes();
    Reply::rendered(StatusCode::OK, body).header(header::CACHE_CONTROL, "no-store")
}
