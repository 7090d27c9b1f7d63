//! The operator's plane: sms.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::http::StatusCode;
use serde_json::{Value, json};
use wire::ApiError;

use crate::api::Handler;
use crate::directory::ResourceEntry;
use crate::http::{Context, Reply};
use crate::service::sms::{OptOut, SmsError, TextDesk};
use crate::service::{busy, unavailable};

/// The handler of the operation called `name`.
pub(super) fn handler(name: &str) -> Option<Handler> {
    Some(match name {
        "operator.sms.list_opt_outs" => |cx| Box::pin(list(cx)),
        "operator.sms.delete_opt_out" => |cx| Box::pin(delete(cx)),
        "operator.sms.counts" => |cx| Box::pin(counts(cx)),
        _ => return None,
    })
}

/// `GET /operator/resources/{resource}/sms/optOuts?after=`: pages of a thousand; `next` is the `after` of the next one.
async fn list(cx: &Context) -> Result<Reply, ApiError> {
    let query = cx.query()?;
    let after = query.single("after")?.map(entry).transpose()?;
    let resource = resource(cx)?;
    let found = desk(cx, &resource).opt_outs(cx.act(), after).await.map_err(answer)?;
    let next = (found.len() == OptOut::SHOWN).then(|| found.last().map(|last| hex(&last.id))).flatten();
    let value: Vec<Value> = found.iter().map(shown).collect();
    Reply::json(StatusCode::OK, &json!({ "value": value, "next": next }))
}

/// `DELETE /operator/resources/{resource}/sms/optOuts/{optOut}`.
async fn delete(cx: &Context) -> Result<Reply, ApiError> {
    let id = entry(cx.params.get("optOut").unwrap_or_default())?;
    let resource = resource(cx)?;
    let there = desk(cx, &resource).remove_opt_out(cx.act(), &id).await.map_err(answer)?;
    Reply::json(StatusCode::OK, &json!({ "removed": there }))
}

/// `GET /operator/sms/counts`: since this node began.
async fn counts(cx: &Context) -> Result<Reply, ApiError> {
    let counts = cx.state.sms.counts();
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let body = json!({
        "receiptsParked": read(&counts.parked),
        "receiptsUnknown": read(&counts.unknown),
        "receiptsLate": read(&counts.late),
        "textsUnowned": read(&counts.unowned),
        "textsOverdue": read(&counts.overdue),
    });
    Reply::json(StatusCode::OK, &body)
}

fn desk<'a>(cx: &'a Context, resource: &'a Arc<ResourceEntry>) -> TextDesk<'a> {
    TextDesk { resource, with: cx.state.texts() }
}

/// The resource named in the path.
fn resource(cx: &Context) -> Result<Arc<ResourceEntry>, ApiError> {
    let name = cx.params.get("resource").unwrap_or_default();
    let found = cx.state.directory.resources().iter().find(|one| one.name() == name);
    found.cloned().ok_or_else(|| ApiError::not_found("There is no resource of this name."))
}

fn answer(error: SmsError) -> ApiError {
    match error {
        SmsError::SenderNotOwned => ApiError::sender_not_owned(),
        SmsError::Busy => busy(),
        SmsError::Store(error) => unavailable(&error),
    }
}

fn shown(one: &OptOut) -> Value {
    json!({
        "id": hex(&one.id),
        "from": one.from.expose(),
        "to": one.to.expose(),
        "since": one.since.to_iso(),
        "by": if one.by_keyword { "keyword" } else { "api" },
    })
}

type Entry = ([u8; 16], [u8; 16]);

/// An entry's name: 64 hexadecimal digits.
fn hex(id: &Entry) -> String {
    let half = |half: [u8; 16]| base::ThreadId::from_bytes(half).to_hex();
    half(id.0) + &half(id.1)
}

fn entry(text: &str) -> Result<Entry, ApiError> {
    let half = |text| base::ThreadId::from_hex(text).ok().map(|id| *id.as_bytes());
    let entry = text.split_at_checked(32).and_then(|(from, to)| Some((half(from)?, half(to)?)));
    entry.ok_or_else(|| ApiError::not_found("There is no such entry."))
}
