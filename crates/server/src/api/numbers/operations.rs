//! Searching, buying what was found, and long-running operations.

use ::http::StatusCode;
use base::EntryId;
use wire::ApiError;
use wire::numbers as form;

use super::{accepted, answer, cost, desk, link};
use crate::http::{Context, Reply};
use crate::service::numbers::{
    NumbersError, OperationFailure, OperationKind, OperationName, OperationRow, SearchRow, Wanted,
};

/// The code in a search result that found fewer numbers than were asked for (as in ACS's examples).
const OUT_OF_STOCK: u32 = 1000;

/// `POST .../:search`.
pub(super) async fn search(cx: &Context) -> Result<Reply, ApiError> {
    let asked = form::Search::parse(&cx.body)?;
    let wanted = Wanted {
        country: form::country(cx.params.get("countryCode").unwrap_or_default())?,
        kind: asked.kind,
        assignment: asked.assignment,
        capabilities: asked.capabilities,
        area_code: asked.area_code,
        quantity: usize::try_from(asked.quantity).unwrap_or(usize::MAX),
    };
    let (name, search) = desk(cx).search(&wanted).await.map_err(|error| answer(cx, error))?;
    let location = link(cx, &format!("/availablePhoneNumbers/searchResults/{search}"));
    Ok(accepted(cx, name, "search-id", search).location(&location))
}

/// `GET /availablePhoneNumbers/searchResults/{searchId}`.
pub(super) async fn search_result(cx: &Context) -> Result<Reply, ApiError> {
    let id = cx.params.get("searchId").and_then(|text| text.parse::<EntryId>().ok());
    let id = id.ok_or_else(|| answer(cx, NumbersError::SearchUnknown))?;
    let found = desk(cx).search_result(id).await.map_err(|error| answer(cx, error))?;
    Reply::json(StatusCode::OK, &render_search(id, found))
}

fn render_search(id: EntryId, found: SearchRow) -> form::SearchResult {
    let (error_code, error) = if found.short { (OUT_OF_STOCK, "OutOfStock") } else { (0, "NoError") };
    form::SearchResult {
        search_id: id,
        phone_numbers: found.numbers,
        phone_number_type: found.kind,
        assignment_type: found.assignment,
        capabilities: found.capabilities.into(),
        cost: found.cost.map(cost),
        search_expires_by: found.expires,
        is_agreement_to_not_resell_required: found.not_for_resale,
        error_code,
        error,
    }
}

/// `POST /availablePhoneNumbers/:purchase`.
pub(super) async fn purchase(cx: &Context) -> Result<Reply, ApiError> {
    let asked = form::Purchase::parse(&cx.body)?;
    let search = asked.search.ok_or_else(|| answer(cx, NumbersError::SearchUnknown))?;
    let name = desk(cx).purchase(search, asked.agrees).await.map_err(|error| answer(cx, error))?;
    Ok(accepted(cx, name, "purchase-id", name.id))
}

fn named(cx: &Context) -> Result<OperationName, ApiError> {
    let text = cx.params.get("operationId").unwrap_or_default();
    text.parse().map_err(|error| answer(cx, error))
}

/// `GET /phoneNumbers/operations/{operationId}`.
pub(super) async fn get(cx: &Context) -> Result<Reply, ApiError> {
    let name = named(cx)?;
    let row = desk(cx).operation(name).await.map_err(|error| answer(cx, error))?;
    let location = row.result.as_ref().map(|path| link(cx, path.expose()));
    let reply = Reply::json(StatusCode::OK, &render(name, &row, location.clone()))?;
    Ok(match location {
        Some(location) => reply.location(&location),
        None => reply,
    })
}

/// `DELETE /phoneNumbers/operations/{operationId}`.
pub(super) async fn cancel(cx: &Context) -> Result<Reply, ApiError> {
    let name = named(cx)?;
    desk(cx).cancel(name).await.map_err(|error| answer(cx, error))?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn render(name: OperationName, row: &OperationRow, resource_location: Option<String>) -> form::Operation {
    let error = row.failure.map(|failure| match failure {
        OperationFailure::Expired => form::NumberError {
            code: "ReservationExpired",
            message: "The phone numbers are no longer kept for this search. Search again.",
        },
        OperationFailure::NothingFound => form::NumberError {
            code: "AllNumbersNotAcquired",
            message: "The search found no phone number that could be purchased.",
        },
    });
    form::Operation {
        operation_type: match row.kind {
            OperationKind::Search => "search",
            OperationKind::Purchase => "purchase",
            OperationKind::Release => "releasePhoneNumber",
            OperationKind::Capabilities => "updatePhoneNumberCapabilities",
            OperationKind::PurchaseReservation => "reservationPurchase",
        },
        status: if error.is_some() { "failed" } else { "succeeded" },
        resource_location,
        created_date_time: row.created,
        last_action_date_time: row.created,
        error,
        id: name.to_string(),
    }
}
