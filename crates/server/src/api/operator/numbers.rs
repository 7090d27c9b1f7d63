//! The operator's plane: the inventory of phone numbers, filled from CSV and looked at.

use ::http::StatusCode;
use base::ResourceId;
use post::numbers::{Offer, csv};
use serde::{Deserialize, Serialize};
use wire::error::ErrorDetail;
use wire::page::next_link;
use wire::{ApiError, json};

use super::cell;
use crate::api::Handler;
use crate::http::{Context, Reply};
use crate::service::numbers::{self, Listed, NumbersError, Standing};
use crate::service::{busy, unavailable};

/// Numbers on one page unless something else is asked for, and the most there may be.
const PAGE: usize = 1_000;

/// The handler of the operation called `name`.
pub(super) fn handler(name: &str) -> Option<Handler> {
    Some(match name {
        "operator.numbers.import" => |cx| Box::pin(import(cx)),
        "operator.numbers.list" => |cx| Box::pin(list(cx)),
        "operator.numbers.offers" => |cx| Box::pin(offers(cx)),
        _ => return None,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Import {
    csv: String,
}

#[derive(Serialize)]
struct Imported {
    geography: String,
    added: usize,
    changed: usize,
    known: usize,
    busy: usize,
}

/// `POST /operator/cells/{geography}/numbers:import`: all of the file or nothing.
async fn import(cx: &Context) -> Result<Reply, ApiError> {
    let asked: Import = json::parse(&cx.body)?;
    let cell = cell(cx)?;
    let inventory = csv::read(&asked.csv).map_err(|faults| refused(&faults))?;
    let outcome = numbers::load(cell, &inventory, None, cx.act(), cx.clock(), cx.rng()).await;
    let loaded = outcome.map_err(|error| match error {
        NumbersError::Store(error) => unavailable(&error),
        _ => busy(),
    })?;
    let imported = Imported {
        geography: cell.geography().as_str().to_owned(),
        added: loaded.added,
        changed: loaded.changed,
        known: loaded.known,
        busy: loaded.busy,
    };
    Reply::json(StatusCode::OK, &imported)
}

/// Every line that is wrong, in the order of the file.
fn refused(faults: &[csv::Fault]) -> ApiError {
    let told = faults.len();
    let more = if told == csv::MAX_FAULTS { " at least" } else { "" };
    let error = ApiError::validation("csv", format!("Nothing was loaded:{more} {told} lines are wrong."));
    faults.iter().fold(error, |error, fault| {
        error.with_detail(ErrorDetail {
            code: "InvalidLine",
            message: fault.what.clone().into(),
            target: Some(format!("line {}", fault.line).into()),
        })
    })
}

/// A number or an offer, in the names of the CSV's columns.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    country: String,
    r#type: &'static str,
    assignment: &'static str,
    calling: &'static str,
    sms: &'static str,
    cost: String,
    currency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    area_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locality: Option<String>,
    not_for_resale: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    #[serde(flatten)]
    counts: Option<Counts>,
}

#[derive(Serialize)]
struct Counts {
    free: usize,
    kept: usize,
    held: usize,
}

impl Line {
    fn of(offer: Offer) -> Self {
        let cents = offer.cost.cents;
        Self {
            number: None,
            country: offer.country,
            r#type: offer.kind.name(),
            assignment: offer.assignment.name(),
            calling: offer.capabilities.calling.name(),
            sms: offer.capabilities.sms.name(),
            cost: format!("{}.{:02}", cents / 100, cents % 100),
            currency: offer.cost.currency,
            area_code: offer.area_code,
            locality: offer.locality,
            not_for_resale: offer.not_for_resale,
            status: None,
            resource: None,
            counts: None,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    geography: String,
    value: Vec<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_link: Option<String>,
}

/// `GET /operator/cells/{geography}/numbers`.
async fn list(cx: &Context) -> Result<Reply, ApiError> {
    let query = cx.query()?;
    let cell = cell(cx)?;
    let most = query.size("maxPageSize", PAGE)?;
    let after = query.page_token()?.map(|text| {
        base::EntryId::from_hex(text).map(|id| *id.as_bytes()).map_err(|_| {
            ApiError::validation("syncState", "The paging token is not valid: begin the list anew.")
        })
    });
    let found = numbers::numbers(cell, after.transpose()?, most, cx.clock()).await;
    let found = found.map_err(|error| unavailable(&error))?;
    let full = found.len() == most;
    let last = found.last().filter(|_| full).map(|last| base::EntryId::from_bytes(last.key).to_hex());
    let next_link = last.map(|last| {
        let size = most.to_string();
        let pairs = [("maxPageSize", size.as_str()), ("syncState", last.as_str())];
        next_link(&cx.base_url(), cx.uri.path(), &pairs)
    });
    let value = found.into_iter().map(|one| line(cx, one)).collect();
    Reply::json(
        StatusCode::OK,
        &Listing { geography: cell.geography().as_str().to_owned(), value, next_link },
    )
}

fn line(cx: &Context, one: Listed) -> Line {
    let name = |id: ResourceId| {
        let all = cx.state.directory.resources();
        let found = all.iter().find(|entry| entry.id() == id);
        Some(found.map_or_else(|| id.to_string(), |entry| entry.name().to_owned()))
    };
    let (status, resource) = match one.standing {
        Standing::Free => ("free", None),
        Standing::Kept(by) => ("kept", name(by)),
        Standing::Held(by) => ("held", name(by)),
    };
    let number = Some(one.number.expose().to_owned());
    Line { number, status: Some(status), resource, ..Line::of(one.offer) }
}

/// `GET /operator/cells/{geography}/numbers/offers`.
async fn offers(cx: &Context) -> Result<Reply, ApiError> {
    let cell = cell(cx)?;
    let lots = numbers::lots(cell, cx.clock()).await.map_err(|error| unavailable(&error))?;
    let value = lots.into_iter().map(|lot| {
        let counts = Counts { free: lot.free, kept: lot.kept, held: lot.held };
        Line { counts: Some(counts), ..Line::of(lot.offer) }
    });
    let value = value.collect();
    Reply::json(
        StatusCode::OK,
        &Listing { geography: cell.geography().as_str().to_owned(), value, next_link: None },
    )
}
