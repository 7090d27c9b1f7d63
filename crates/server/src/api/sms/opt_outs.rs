//! `POST /sms/optouts:add`, `:remove` and `:check`.

use ::http::StatusCode;
use base::Personal;
use wire::ApiError;
use wire::sms::{OptOutItem, OptOutItems, OptOutRequest};

use super::{answer, desk, is_number};
use crate::http::{Context, Reply};
use crate::service::sms::Origin;

/// `POST /sms/optouts:add`.
pub(super) async fn add(cx: &Context) -> Result<Reply, ApiError> {
    let (asked, from, numbers) = read(cx).await?;
    desk(cx).opt_out(&from, &numbers).await.map_err(answer)?;
    Ok(items(asked, |_| None))
}

/// `POST /sms/optouts:remove`.
pub(super) async fn remove(cx: &Context) -> Result<Reply, ApiError> {
    let (asked, from, numbers) = read(cx).await?;
    desk(cx).opt_in(&from, &numbers).await.map_err(answer)?;
    Ok(items(asked, |_| None))
}

/// `POST /sms/optouts:check`.
pub(super) async fn check(cx: &Context) -> Result<Reply, ApiError> {
    let (asked, from, numbers) = read(cx).await?;
    let known = desk(cx).opted_out(&from, &numbers).await.map_err(answer)?;
    Ok(items(asked, |at| known.get(at).copied()))
}

/// The request, its sender, and those of its recipients that are numbers.
async fn read(cx: &Context) -> Result<(OptOutRequest, Origin, Vec<Personal<String>>), ApiError> {
    let asked = OptOutRequest::parse(&cx.body)?;
    let from = desk(cx).sender_now(&asked.from).await.map_err(answer)?;
    if !from.kind().has_opt_outs() {
        return Err(ApiError::validation("from", "An alphanumeric sender has no list of opt-outs."));
    }
    let numbers = asked.recipients.iter().filter(|to| is_number(to.expose())).cloned().collect();
    Ok((asked, from, numbers))
}

/// One item for each recipient; `known` is asked by place among those that are numbers.
fn items(asked: OptOutRequest, known: impl Fn(usize) -> Option<bool>) -> Reply {
    let mut numbers = 0..;
    let items = asked.recipients.into_iter().map(|to| {
        let place = if is_number(to.expose()) { numbers.next() } else { None };
        OptOutItem { to, known: place.map(&known) }
    });
    Reply::body(StatusCode::OK, OptOutItems(items.collect()).render())
}
