//! Handlers of the product's own routes: whether it lives, whether it can serve, and the keys that verify its tokens.

use ::http::{StatusCode, header};
use wire::ApiError;

use super::Handler;
use crate::http::{Context, Reply};

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

async fn live(context: &Context) -> Result<Reply, ApiError> {
    Ok(state(StatusCode::OK, context.state.health.live().to_owned()))
}

async fn ready(context: &Context) -> Result<Reply, ApiError> {
    let found = context.state.health.ready().await;
    let status = StatusCode::from_u16(found.status()).map_err(|_| ApiError::internal())?;
    Ok(state(status, found.body()))
}

/// The public keys of the cell in which the asked resource lives (RFC 7517).
async fn keys(context: &Context) -> Result<Reply, ApiError> {
    let keys = context.resource.tokens().jwks().to_vec();
    Ok(Reply::body(StatusCode::OK, keys).header(header::CACHE_CONTROL, KEYS_MAX_AGE))
}

/// A probe's answer, which no one may answer from memory.
fn state(status: StatusCode, body: String) -> Reply {
    Reply::body(status, body.into_bytes()).header(header::CACHE_CONTROL, "no-store")
}
