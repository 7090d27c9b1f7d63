//! One-click unsubscribing (RFC 8058): the mailbox provider posts to the link of a mail's header, a person may open it. The
//! answer is the same whatever the link is worth, so that nothing is learned from it; a GET changes nothing, because
//! programs open links before people do.

use ::http::{StatusCode, header};
use wire::ApiError;

use super::{answer, desk};
use crate::http::{Context, Reply};

/// Nothing but the page itself: no script, no picture, in no frame; its form leads back to where it came from.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const ASK: &str = "<p>Do you want no more mail from the sender of the message that led you here?</p>\
    <form method=\"post\"><input type=\"hidden\" name=\"List-Unsubscribe\" value=\"One-Click\">\
    <button>Unsubscribe</button></form>";
const DONE: &str = "<p>You are unsubscribed: the sender will not write to you again. If the message was sent long ago, \
    please use the link of a newer one.</p>";

/// The page that asks.
#[expect(clippy::unused_async, reason = "handlers are async")]
pub(super) async fn show(_cx: &Context) -> Result<Reply, ApiError> {
    Ok(page(ASK))
}

/// The click.
pub(super) async fn unsubscribe(cx: &Context) -> Result<Reply, ApiError> {
    let token = cx.params.get("token").unwrap_or_default();
    let known = desk(cx, &cx.resource).unsubscribe(token).await.map_err(answer)?;
    tracing::info!(known, "a recipient unsubscribed");
    Ok(page(DONE))
}

fn page(text: &str) -> Reply {
    let whole = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Unsubscribe</title><style>body{{font:1.1em sans-serif;max-width:32em;\
         margin:15vh auto;padding:0 1em}}button{{font:inherit;padding:.5em 1em}}</style></head><body>{text}</body></html>"
    );
    Reply::body(StatusCode::OK, whole.into_bytes())
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .header(header::CONTENT_SECURITY_POLICY, POLICY)
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::REFERRER_POLICY, "no-referrer")
        .header(header::CACHE_CONTROL, "no-store")
}
