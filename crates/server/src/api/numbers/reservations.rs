//! Reservations: numbers picked one by one, kept for a while, bought together.

use ::http::StatusCode;
use base::EntryId;
use base::phone::{Assignment, NumberType};
use post::numbers::places;
use wire::ApiError;
use wire::numbers as form;

use super::{accepted, answer, cost, desk, page};
use crate::http::{Context, Reply};
use crate::service::numbers::{Item, ItemStatus, NumbersError, ReservationStanding, ReservationView};

/// The size of a page is asked for by this name.
const SIZE: &str = "maxPageSize";

const FAILED: form::NumberError = form::NumberError {
    code: "FailedToReserveNumber",
    message: "The phone number could not be reserved. It may not be available any more.",
};

/// The reservation in the path; a text that is no UUID names none.
fn named(cx: &Context) -> Result<EntryId, ApiError> {
    let id = cx.params.get("reservationId").and_then(|text| text.parse().ok());
    id.ok_or_else(|| answer(cx, NumbersError::ReservationUnknown))
}

/// `GET /availablePhoneNumbers/reservations`.
pub(super) async fn list(cx: &Context) -> Result<Reply, ApiError> {
    let all = desk(cx).reservations().await.map_err(|error| answer(cx, error))?;
    let all: Vec<_> = all.into_iter().map(|one| render(one, false)).collect();
    page(cx, "reservations", SIZE, &all)
}

/// `GET .../reservations/{reservationId}`.
pub(super) async fn get(cx: &Context) -> Result<Reply, ApiError> {
    let found = desk(cx).reservation(named(cx)?).await.map_err(|error| answer(cx, error))?;
    Reply::json(StatusCode::OK, &render(found, true))
}

/// `PATCH .../reservations/{reservationId}`: 201 when this made it, 207 when some numbers could not be had.
pub(super) async fn change(cx: &Context) -> Result<Reply, ApiError> {
    let asked = form::ReservationPatch::parse(&cx.body)?;
    let id = cx.params.get("reservationId").and_then(|text| text.parse().ok());
    let id = id.ok_or_else(|| ApiError::validation("reservationId", "A reservation's id must be a UUID."))?;
    let outcome = desk(cx).reserve(id, &asked.add, &asked.remove).await;
    let (view, made) = outcome.map_err(|error| answer(cx, error))?;
    let status = match (view.items.iter().any(|item| item.status == ItemStatus::Failed), made) {
        (true, _) => StatusCode::MULTI_STATUS,
        (false, true) => StatusCode::CREATED,
        (false, false) => StatusCode::OK,
    };
    Reply::json(status, &render(view, true))
}

/// `DELETE .../reservations/{reservationId}`.
pub(super) async fn delete(cx: &Context) -> Result<Reply, ApiError> {
    desk(cx).give_up(named(cx)?).await.map_err(|error| answer(cx, error))?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// `POST .../reservations/{reservationId}/:purchase`.
pub(super) async fn purchase(cx: &Context) -> Result<Reply, ApiError> {
    let asked = form::PurchaseReservation::parse(&cx.body)?;
    let outcome = desk(cx).purchase_reservation(named(cx)?, asked.agrees).await;
    let name = outcome.map_err(|error| answer(cx, error))?;
    Ok(accepted(cx, name, "reservation-purchase-id", name.id))
}

fn render(view: ReservationView, with_numbers: bool) -> form::Reservation {
    let numbers = view.items.into_iter().map(|item| (item.number.digits().to_owned(), render_item(item)));
    form::Reservation {
        id: view.id,
        expires_at: view.expires,
        phone_numbers: with_numbers.then(|| numbers.collect()),
        status: match view.standing {
            ReservationStanding::Active => "active",
            ReservationStanding::Completed => "completed",
            ReservationStanding::Expired => "expired",
        },
    }
}

fn render_item(item: Item) -> form::Available {
    let status = match item.status {
        ItemStatus::Reserved => "reserved",
        ItemStatus::Purchased => "purchased",
        ItemStatus::Expired => "expired",
        ItemStatus::Failed => "error",
    };
    let country = places::of(&item.number).map_or("", |country| country.iso);
    form::Available {
        id: item.number.digits().to_owned(),
        country_code: item.offer.as_ref().map_or_else(|| country.to_owned(), |offer| offer.country.clone()),
        capabilities: item.offer.as_ref().map(|offer| offer.capabilities.into()),
        phone_number_type: item.offer.as_ref().map_or(NumberType::Geographic, |offer| offer.kind),
        assignment_type: item.offer.as_ref().map_or(Assignment::Application, |offer| offer.assignment),
        is_agreement_to_not_resell_required: item.offer.as_ref().is_some_and(|offer| offer.not_for_resale),
        cost: item.offer.map(|offer| cost(offer.cost)),
        phone_number: item.number,
        status,
        error: (item.status == ItemStatus::Failed).then_some(FAILED),
    }
}
