//! The operator's plane: receipts of what was deleted, and the public keys they are checked with.

use ::http::StatusCode;
use base::Timestamp;
use serde_json::{Value, json};
use wire::ApiError;

use super::{cell, resource};
use crate::api::Handler;
use crate::http::{Context, Reply};
use crate::service::receipts;
use crate::service::resources::ResourceError;
use crate::service::unavailable;

/// The handler of the operation called `name`.
pub(super) fn handler(name: &str) -> Option<Handler> {
    Some(match name {
        "operator.receipts.list" => |cx| Box::pin(list(cx)),
        "operator.receipts.keys" => |cx| Box::pin(keys(cx)),
        _ => return None,
    })
}

fn failed(fault: &ResourceError) -> ApiError {
    match fault {
        ResourceError::Store(fault) => unavailable(fault),
        fault => {
            tracing::error!(%fault, "receipts cannot be read");
            ApiError::internal()
        }
    }
}

/// Where a page ended, as `after` of the next one: sixteen digits of the moment, thirty-two of what was deleted.
fn written((at, id): (Timestamp, [u8; 16])) -> String {
    let id = base::hex(&id);
    format!("{:016x}{id}", at.as_millis())
}

fn place(text: &str) -> Option<(Timestamp, [u8; 16])> {
    if text.len() != 48 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let (at, id) = text.split_at(16);
    let at = Timestamp::from_millis(u64::from_str_radix(at, 16).ok()?);
    let id = u128::from_str_radix(id, 16).ok()?;
    Some((at, id.to_be_bytes()))
}

/// `GET /operator/resources/{resource}/receipts`: the oldest first, each as the signed statement and what it says.
async fn list(cx: &Context) -> Result<Reply, ApiError> {
    let query = cx.query()?;
    let wrong = || ApiError::validation("after", "The query parameter after is none that was given out.");
    let after = query.single("after")?.map(|text| place(text).ok_or_else(wrong)).transpose()?;
    let size = query.page_size(cx.limits())?;
    let entry = resource(cx)?;
    let jwks = receipts::jwks(entry.cell()).await.map_err(|fault| failed(&fault))?;
    let page = receipts::list(entry.cell(), entry.id(), after, size).await;
    let (statements, next) = page.map_err(|fault| failed(&fault))?;
    let value: Vec<Value> = statements
        .into_iter()
        .map(|statement| {
            let mut shown = receipts::read(&jwks, &statement).unwrap_or_else(|| json!({}));
            shown["statement"] = statement.into();
            shown
        })
        .collect();
    let mut answer = json!({ "value": value });
    if let Some(next) = next {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        if let Some(size) = query.get("maxPageSize") {
            pairs.push(("maxPageSize", size));
        }
        let next = written(next);
        pairs.push(("after", &next));
        answer["nextLink"] = wire::page::next_link(&cx.base_url(), cx.uri.path(), &pairs).into();
    }
    Reply::json(StatusCode::OK, &answer)
}

/// `GET /operator/cells/{geography}/receiptKeys`: a JWK set (RFC 7517). No key ever leaves it.
async fn keys(cx: &Context) -> Result<Reply, ApiError> {
    let jwks = receipts::jwks(cell(cx)?).await.map_err(|fault| failed(&fault))?;
    Reply::json(StatusCode::OK, &jwks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let there = (Timestamp::from_millis(1_795_420_800_123), [0xA7; 16]);
        assert_eq!(place(&written(there)), Some(there));
        let whole = written(there);
        for bad in ["", &whole[1..], &format!("{whole}0"), &whole.replace('7', "g"), &"é".repeat(24)] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}
