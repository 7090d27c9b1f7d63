//! The operator's plane: who holds the keys above content and what rests under them, the keys that sign tokens, and access
//! keys. No key is told but an access key that was just made.

use std::time::Duration;

use ::http::{StatusCode, header};
use base::{ResourceId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guard::KmsError;
use guard::holder::ROOT;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Cell, Census, StoreError};
use wire::{ApiError, json as strict};

use super::{cell, resource};
use crate::api::Handler;
use crate::directory::ResourceEntry;
use crate::http::{Context, Reply};
use crate::service::audit::{self, Target};
use crate::service::events::keys::{self as hook_keys, NoNewKey};
use crate::service::resources::custody::{self, Reach};
use crate::service::resources::renewal::{self, PACE, Renewal, RenewalError, Standing, Wish};
use crate::service::resources::{CellTokens, ResourceError};
use crate::service::{busy, unavailable};

/// How long one request goes on handing over or counting; what is left is for the next one.
const SLICE: Duration = Duration::from_secs(1);

/// The handler of the operation called `name`.
pub(super) fn handler(name: &str) -> Option<Handler> {
    Some(match name {
        "operator.keys.list" => |cx| Box::pin(list(cx)),
        "operator.keys.count_cell" => |cx| Box::pin(async { count(cx, cell(cx)?, ResourceId::CELL).await }),
        "operator.keys.count_resource" => {
            |cx| Box::pin(async { count(cx, resource(cx)?.cell(), resource(cx)?.id()).await })
        }
        "operator.keys.hand_over_cell" => |cx| Box::pin(hand_over_cell(cx)),
        "operator.keys.hand_over_resource" => |cx| Box::pin(hand_over_resource(cx)),
        "operator.keys.rotate_cell" => |cx| Box::pin(async { rotate(cx, cell(cx)?, ResourceId::CELL).await }),
        "operator.keys.rotate_resource" => {
            |cx| Box::pin(async { rotate(cx, resource(cx)?.cell(), resource(cx)?.id()).await })
        }
        "operator.keys.rotate_signing" => |cx| Box::pin(rotate_signing(cx)),
        "operator.keys.rotate_webhook" => |cx| Box::pin(rotate_webhook(cx)),
        "operator.access_keys.list" => |cx| Box::pin(list_access_keys(cx)),
        "operator.access_keys.regenerate" => |cx| Box::pin(regenerate(cx)),
        _ => return None,
    })
}

fn failed(fault: ResourceError) -> ApiError {
    match fault {
        ResourceError::Store(fault) => unavailable(&fault),
        ResourceError::TooManyKeys | ResourceError::Configured => ApiError::conflict(fault.to_string()),
        fault => {
            tracing::error!(%fault, "keys cannot be changed");
            ApiError::internal()
        }
    }
}

/// Why keys do not change hands, in words that say what to do.
fn not_handed(fault: &StoreError, to: &str) -> ApiError {
    match fault {
        StoreError::UnknownKeyService(name) if name == to => {
            ApiError::validation("to", "The cell has no key service of this name; see [[cell.key_service]].")
        }
        StoreError::Kms(KmsError::Disabled | KmsError::Deleted) => ApiError::conflict(
            "The key of the one that holds the keys, or of the one that is to, is disabled or deleted. Nothing was changed.",
        ),
        StoreError::Kms(KmsError::Unavailable | KmsError::Throttled { .. }) => ApiError::conflict(
            "One of the two key services does not answer now. What has not changed hands is where it was: ask again.",
        ),
        other => unavailable(other),
    }
}

/// `GET /operator/keys`: a line for each cell's own keys, and one for each resource's.
async fn list(cx: &Context) -> Result<Reply, ApiError> {
    let mut value: Vec<Value> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for entry in cx.state.directory.resources() {
        let geography = entry.geography().as_str();
        if !seen.contains(&geography) {
            seen.push(geography);
            value.push(cell_line(entry.cell(), entry.tokens()).await.map_err(|fault| unavailable(&fault))?);
        }
        value.push(resource_line(entry).await.map_err(|fault| unavailable(&fault))?);
    }
    Reply::json(StatusCode::OK, &json!({ "value": value }))
}

async fn cell_line(cell: &Cell, tokens: &CellTokens) -> Result<Value, StoreError> {
    let mut line = line(cell, ResourceId::CELL).await?;
    let signing = tokens.ages().into_iter().map(|key| {
        json!({
            "kid": key.kid,
            "signsFrom": key.signs_from.to_iso(),
            "verifiesUntil": key.verifies_until.map(Timestamp::to_iso),
        })
    });
    line["signingKeys"] = signing.collect();
    line["keyServices"] = cell.key_services().map(Value::from).collect();
    Ok(line)
}

async fn resource_line(entry: &ResourceEntry) -> Result<Value, StoreError> {
    let mut line = line(entry.cell(), entry.id()).await?;
    line["resource"] = entry.name().into();
    line["wanted"] = entry.custody().wanted().map_or(Value::Null, Value::from);
    Ok(line)
}

async fn line(cell: &Cell, resource: ResourceId) -> Result<Value, StoreError> {
    let generations = match cell.key_generations(resource).await {
        // Its key service has not answered since it was made.
        Err(StoreError::UnknownResource) => Vec::new(),
        read => read?,
    };
    let shown = generations.iter().map(|one| json!({ "generation": one.number, "keyService": one.holder }));
    let mut line = json!({
        "dataLocation": cell.geography().as_str(),
        "generations": shown.collect::<Vec<_>>(),
        "keyService": generations.last().map(|newest| newest.holder.as_str()),
        "state": "available",
        "renewal": renewal::of(cell, resource).await?.as_ref().map(renewal_json),
    });
    if let Some(row) = custody::standing(cell, resource).await? {
        line["state"] = match row.reach {
            Reach::Available => "available",
            Reach::Disabled => "disabled",
            Reach::Deleted => "deleted",
        }
        .into();
        line["since"] = row.since.to_iso().into();
    }
    Ok(line)
}

fn renewal_json(renewal: &Renewal) -> Value {
    let (done, of) = renewal.sweep.walk.progress();
    json!({
        "state": match renewal.standing {
            Standing::Running => "running",
            Standing::Done => "done",
            Standing::Damaged => "damaged",
        },
        "askedOn": renewal.asked_on.to_iso(),
        "endedOn": renewal.ended_on.map(Timestamp::to_iso),
        "pass": renewal.passes,
        "tablesDone": done,
        "tables": of,
        "rowsSeen": renewal.sweep.seen,
        "rowsRenewed": renewal.renewed,
        "rowsDamaged": renewal.sweep.damaged,
        "generationsEnded": renewal.ended,
    })
}

/// `GET …/keys/count`: how many rows rest under which generation, as far as one request gets; `next` goes on from there.
async fn count(cx: &Context, cell: &Cell, of: ResourceId) -> Result<Reply, ApiError> {
    let query = cx.query()?;
    let mut census = match query.single("cursor")? {
        None => Census::default(),
        Some(text) => {
            cursor(text).ok_or_else(|| ApiError::validation("cursor", "This is no cursor of a count."))?
        }
    };
    let end = cx.clock().now().plus(SLICE);
    while !census.walk.is_over() && cx.clock().now() < end {
        cell.count_keys(of, &mut census).await.map_err(|fault| unavailable(&fault))?;
    }
    let (done, tables) = census.walk.progress();
    let own = census.generations.iter();
    let mut body = json!({
        "generations": own.map(|(number, rows)| json!({ "generation": number, "rows": rows })).collect::<Vec<_>>(),
        "rowsUnderScopeKeys": census.scopes,
        "tablesDone": done,
        "tables": tables,
    });
    if !census.walk.is_over() {
        let text = serde_json::to_vec(&census).map_err(|_| ApiError::internal())?;
        body["next"] = URL_SAFE_NO_PAD.encode(text).into();
    }
    Reply::json(StatusCode::OK, &body)
}

fn cursor(text: &str) -> Option<Census> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HandOver {
    from: Option<String>,
    to: String,
}

#[derive(Serialize)]
struct Handed {
    handed: usize,
    left: usize,
}

/// The entry comes first: what cannot be written down is not done (law 4).
async fn record(cx: &Context, cell: &Cell, of: ResourceId) -> Result<(), ApiError> {
    let write = async {
        let mut draft = cell.draft(ResourceId::CELL).await?;
        audit::record(&mut draft, cx.act(), Target::Resource(of), cx.clock().now(), cx.rng())?;
        draft.commit().await
    };
    write.await.map_err(|fault| unavailable(&fault))
}

/// `POST /operator/resources/{resource}/keys:handOver`.
async fn hand_over_resource(cx: &Context) -> Result<Reply, ApiError> {
    let asked: HandOver = strict::parse(&cx.body)?;
    let entry = resource(cx)?;
    if asked.from.is_some() {
        return Err(ApiError::validation(
            "from",
            "A resource's keys have one holder: name only the new one.",
        ));
    }
    record(cx, entry.cell(), entry.id()).await?;
    let handed = entry.cell().hand_over(entry.id(), &asked.to).await;
    let handed = handed.map_err(|fault| not_handed(&fault, &asked.to))?;
    entry.custody().settle();
    Reply::json(StatusCode::OK, &Handed { handed, left: 0 })
}

/// `POST /operator/cells/{geography}/keys:handOver`: the cell's own keys first, then those of each resource that the same
/// one holds, as many as one request gets to; `left` says how many are left for the next.
async fn hand_over_cell(cx: &Context) -> Result<Reply, ApiError> {
    let asked: HandOver = strict::parse(&cx.body)?;
    let cell = cell(cx)?;
    let fault = |fault: StoreError| unavailable(&fault);
    let from = asked.from.as_deref().unwrap_or(ROOT);
    if !cell.key_services().any(|name| name == asked.to) {
        return Err(not_handed(&StoreError::UnknownKeyService(asked.to.clone()), &asked.to));
    }
    record(cx, cell, ResourceId::CELL).await?;
    let end = cx.clock().now().plus(SLICE);
    let mut all = cell.resources().await.map_err(fault)?;
    all.sort_by_key(|id| *id != ResourceId::CELL);
    let (mut handed, mut left) = (0, 0);
    for id in all {
        let generations = match cell.key_generations(id).await {
            Err(StoreError::UnknownResource) => continue,
            read => read.map_err(fault)?,
        };
        if generations.iter().all(|one| one.holder != from || one.holder == asked.to) {
            continue;
        }
        if handed > 0 && cx.clock().now() >= end {
            left += 1;
            continue;
        }
        handed += cell.hand_over(id, &asked.to).await.map_err(|fault| not_handed(&fault, &asked.to))?;
    }
    Reply::json(StatusCode::OK, &Handed { handed, left })
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rotate {
    rows_per_second: Option<u32>,
    keep_former: Option<bool>,
}

async fn rotate(cx: &Context, cell: &Cell, of: ResourceId) -> Result<Reply, ApiError> {
    let asked: Rotate = strict::parse_optional(&cx.body)?;
    let wish = Wish {
        rows_per_second: asked.rows_per_second.unwrap_or(PACE),
        keeps_former: asked.keep_former.unwrap_or(false),
    };
    renewal::ask(cell, of, wish, cx.act()).await.map_err(|fault| match fault {
        RenewalError::Running => ApiError::conflict("The keys are being renewed already."),
        RenewalError::Store(StoreError::Generations) => ApiError::conflict(
            "There are as many generations of the key as there can be: rotate without keeping the former ones.",
        ),
        RenewalError::Store(fault) => unavailable(&fault),
    })?;
    let line = line(cell, of).await.map_err(|fault| unavailable(&fault))?;
    Reply::json(StatusCode::OK, &line)
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
struct RotateSigning {
    /// Whether the former keys end now, and every token with them.
    #[serde(default)]
    at_once: bool,
}

/// `POST /operator/cells/{geography}/signingKeys:rotate`.
async fn rotate_signing(cx: &Context) -> Result<Reply, ApiError> {
    let RotateSigning { at_once } = strict::parse_optional(&cx.body)?;
    let cell = cell(cx)?;
    let all = cx.state.directory.resources();
    let entry = all.iter().find(|entry| entry.geography() == cell.geography()).ok_or_else(busy)?;
    let keys = entry.tokens();
    if at_once {
        keys.replace(cx.act()).await.map_err(failed)?;
        for entry in all.iter().filter(|entry| entry.geography() == cell.geography()) {
            cx.state.chat.live.disown(entry.id(), keys.ended());
        }
    } else {
        keys.rotate(cx.act()).await.map_err(failed)?;
    }
    let mut line = cell_line(cell, keys).await.map_err(|fault| unavailable(&fault))?;
    if at_once {
        line["refusedEverywhereFrom"] = keys.refused_everywhere_from().to_iso().into();
    }
    Reply::json(StatusCode::OK, &line)
}

/// `POST /operator/cells/{geography}/webhookKeys:rotate`.
async fn rotate_webhook(cx: &Context) -> Result<Reply, ApiError> {
    let RotateSigning { at_once } = strict::parse_optional(&cx.body)?;
    let (cell, events) = (cell(cx)?, &cx.state.events);
    match hook_keys::rotate(cell, cx.act(), at_once).await {
        Err(NoNewKey::TooMany) => {
            let message =
                "There are as many keys as can be published. The oldest end by themselves; ask again later.";
            return Err(ApiError::conflict(message));
        }
        Err(NoNewKey::Store(fault)) => return Err(unavailable(&fault)),
        Ok(()) => {}
    }
    let kept = async {
        events.look_at_signer(cell).await?;
        events.signer(cell).await
    };
    let keys = kept.await.map_err(|fault| unavailable(&fault))?;
    let shown = keys.ages().map(|(kid, signs_from, until)| {
        json!({
            "kid": kid,
            "signsFrom": signs_from.to_iso(),
            "verifiesUntil": until.map(Timestamp::to_iso),
        })
    });
    let line = json!({ "dataLocation": cell.geography().as_str(), "signingKeys": shown.collect::<Vec<_>>() });
    Reply::json(StatusCode::OK, &line)
}

/// The two access keys by the names that ACS gives them.
const NAMES: [&str; 2] = ["primary", "secondary"];

async fn list_access_keys(cx: &Context) -> Result<Reply, ApiError> {
    let ages = resource(cx)?.access_keys().ages().await.map_err(failed)?;
    let now = cx.clock().now();
    let keys = ages.iter().zip(NAMES).map(|(age, name)| {
        json!({
            "key": name,
            "since": age.since.to_iso(),
            "ageDays": now.distance(age.since).as_secs() / (24 * 60 * 60),
            "lastUsed": age.last_used.map(Timestamp::to_iso),
        })
    });
    Reply::json(StatusCode::OK, &json!({ "value": keys.collect::<Vec<_>>() }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Regenerate {
    key: String,
}

/// `POST /operator/resources/{resource}/accessKeys:regenerate`: the former key is of no use from here on.
async fn regenerate(cx: &Context) -> Result<Reply, ApiError> {
    let asked: Regenerate = strict::parse(&cx.body)?;
    let index = NAMES.iter().position(|name| name.eq_ignore_ascii_case(&asked.key));
    let index = index.ok_or_else(|| ApiError::validation("key", "`key` is `primary` or `secondary`."))?;
    let entry = resource(cx)?;
    let fresh = entry.access_keys().regenerate(index, cx.act()).await.map_err(failed)?;
    let body = json!({ "key": NAMES[index], "value": fresh.to_base64().expose() });
    Ok(Reply::json(StatusCode::OK, &body)?.header(header::CACHE_CONTROL, "no-store"))
}
