//! Handlers of the product's own routes: whether it lives, whether it can serve, and the keys that verify its tokens.

use ::http::{StatusCode, header};
use wire::ApiError;

use super::Handler;
use crate::http::{Context, Reply};
use crate::observe::health::Health;

/// For how long a verifier may keep the key set, in seconds: shorter than a new key is known before it signs.
const KEYS_MAX_AGE: &str = "public, max-age=30";

/// The handler of the operation called `name`.
#[must_use]
pub fn handler(name: &str) -> Option<Handler> {
    let handler: Handler = match name {
        "health.live" => |c| Box::pin(live(c)),
        "health.ready" => |c| Box::pin(ready(c)),
        "token.keys" => |c| Box::pin(keys(c)),
        "certificate.revocations" => |c| Box::pin(async { revocations(c) }),
        _ => return None,
    };
    Some(handler)
}

async fn live(context: &Context) -> Result<Reply, ApiError> {
    probe("health.live", &context.state.health).await
}

async fn ready(context: &Context) -> Result<Reply, ApiError> {
    probe("health.ready", &context.state.health).await
}

/// The answer to a probe. It needs no resource: a probe knows no names, and a node may serve none yet.
///
/// # Errors
/// 404 when the operation called `name` is no probe.
pub async fn probe(name: &str, health: &Health) -> Result<Reply, ApiError> {
    match name {
        "health.live" => Ok(state(StatusCode::OK, health.live().to_owned())),
        "health.ready" => {
            let found = health.ready().await;
            let status = StatusCode::from_u16(found.status()).map_err(|_| ApiError::internal())?;
            Ok(state(status, found.body()))
        }
        _ => Err(ApiError::resource_not_found()),
    }
}

/// The public keys of the cell in which the asked resource lives (RFC 7517).
async fn keys(context: &Context) -> Result<Reply, ApiError> {
    let keys = context.resource.tokens().jwks();
    Ok(Reply::body(StatusCode::OK, keys).header(header::CACHE_CONTROL, KEYS_MAX_AGE))
}

/// The certificates that the server's own authority revoked (RFC 5280, section 4.2.1.13; media type of RFC 2585).
fn revocations(context: &Context) -> Result<Reply, ApiError> {
    let list = context.state.revocations.as_ref();
    let list =
        list.ok_or_else(|| ApiError::not_found("This server has no certificate authority of its own."))?;
    Ok(Reply::body(StatusCode::OK, list.to_vec())
        .header(header::CONTENT_TYPE, "application/pkix-crl")
        .header(header::CACHE_CONTROL, "public, max-age=3600"))
}

/// A probe's answer, which no one may answer from memory.
fn state(status: StatusCode, body: String) -> Reply {
    Reply::body(status, body.into_bytes()).header(header::CACHE_CONTROL, "no-store")
}
