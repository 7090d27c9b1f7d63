//! `/chat/threads/{chatThreadId}/readReceipts` and `.../typing`.

use ::http::StatusCode;
use wire::chat::{Page, ReadReceiptRequest, Typing};
use wire::error::ApiError;

use super::{next_link, render, thread};
use crate::http::{Context, Reply};

/// `POST .../readReceipts`.
pub(super) async fn send(cx: &Context) -> Result<Reply, ApiError> {
    let asked = ReadReceiptRequest::parse(&cx.body)?;
    let thread = thread(cx)?;
    ask!(cx, desk.send_receipt(thread, asked.message));
    Ok(Reply::empty(StatusCode::OK))
}

/// `GET .../readReceipts`.
pub(super) async fn list(cx: &Context) -> Result<Reply, ApiError> {
    let thread = thread(cx)?;
    let query = cx.query()?;
    let (size, skip) = (query.page_size(cx.limits())?, query.skip()?);
    let (page, more) = ask!(cx, desk.list_receipts(thread, skip, size));
    let next_link = more.then(|| next_link(cx, &query, "skip", &(skip + page.len()).to_string()));
    let value = page.into_iter().map(|view| render::receipt(cx.resource_id(), view)).collect();
    Ok(Reply::body(StatusCode::OK, Page { value, next_link }.render(cx.api_version)))
}

/// `POST .../typing`. It is checked, and told to webhooks that listen.
pub(super) async fn typing(cx: &Context) -> Result<Reply, ApiError> {
    let asked = Typing::parse(&cx.body, cx.limits())?;
    let thread = thread(cx)?;
    ask!(cx, desk.send_typing(thread, asked.sender_display_name.as_ref()));
    Ok(Reply::empty(StatusCode::OK))
}
