//! Handlers of the numbers area: read the request, ask the desk, write the answer.

use ::http::{HeaderName, StatusCode, header};
use base::EntryId;
use serde::Serialize;
use wire::ApiError;
use wire::numbers as form;
use wire::page::next_link;

use super::Handler;
use crate::http::{Context, Reply};
use crate::service::numbers::{NumbersDesk, NumbersError, OperationName};
use crate::service::{busy, unavailable};

mod available;
mod operations;
mod owned;
mod reservations;

/// The handler of the operation called `name`.
#[must_use]
pub fn handler(name: &str) -> Option<Handler> {
    Some(match name {
        "numbers.list_area_codes" => |cx| Box::pin(available::area_codes(cx)),
        "numbers.list_available_countries" => |cx| Box::pin(available::countries(cx)),
        "numbers.list_available_localities" => |cx| Box::pin(available::localities(cx)),
        "numbers.list_offerings" => |cx| Box::pin(available::offerings(cx)),
        "numbers.browse_available_numbers" => |cx| Box::pin(available::browse(cx)),
        "numbers.search_available_phone_numbers" => |cx| Box::pin(operations::search(cx)),
        "numbers.get_search_result" => |cx| Box::pin(operations::search_result(cx)),
        "numbers.purchase_phone_numbers" => |cx| Box::pin(operations::purchase(cx)),
        "numbers.get_operation" => |cx| Box::pin(operations::get(cx)),
        "numbers.cancel_operation" => |cx| Box::pin(operations::cancel(cx)),
        "numbers.list_reservations" => |cx| Box::pin(reservations::list(cx)),
        "numbers.create_or_update_reservation" => |cx| Box::pin(reservations::change(cx)),
        "numbers.get_reservation" => |cx| Box::pin(reservations::get(cx)),
        "numbers.delete_reservation" => |cx| Box::pin(reservations::delete(cx)),
        "numbers.purchase_reservation" => |cx| Box::pin(reservations::purchase(cx)),
        "numbers.update_capabilities" => |cx| Box::pin(owned::set_up(cx)),
        "numbers.get_by_number" => |cx| Box::pin(owned::get(cx)),
        "numbers.release_phone_number" => |cx| Box::pin(owned::release(cx)),
        "numbers.list_phone_numbers" => |cx| Box::pin(owned::list(cx)),
        "numbers.operator_information_search" => |cx| Box::pin(owned::look_up(cx)),
        _ => return None,
    })
}

/// After how many seconds a client may look at an operation: it is done already. (Clients of the Python SDK then wait
/// for as long as they were told to, the others not at all.)
const POLL_SECS: &str = "0";

fn desk(cx: &Context) -> NumbersDesk<'_> {
    NumbersDesk {
        cell: cx.cell(),
        resource: cx.resource_id(),
        clock: cx.clock(),
        rng: cx.rng(),
        act: cx.act(),
        attempts: cx.limits().commit_attempts,
    }
}

/// What the caller is told.
fn answer(cx: &Context, error: NumbersError) -> ApiError {
    match error {
        NumbersError::NumberUnknown => {
            ApiError::phone_number_not_found(cx.api_version < form::KNOWS_NOT_FOUND)
        }
        NumbersError::SearchUnknown => {
            ApiError::not_found("The search cannot be found.").with_target("searchId")
        }
        NumbersError::ReservationUnknown => {
            ApiError::not_found("The reservation cannot be found.").with_target("reservationId")
        }
        NumbersError::OperationUnknown => {
            ApiError::not_found("The operation cannot be found.").with_target("operationId")
        }
        NumbersError::Purchased => {
            ApiError::conflict("The search was purchased already.").with_target("searchId")
        }
        NumbersError::NotActive => {
            ApiError::conflict("The reservation is not active.").with_target("reservationId")
        }
        NumbersError::Empty => {
            ApiError::validation("reservationId", "The reservation holds no phone number.")
        }
        NumbersError::NotAgreed => ApiError::validation(
            "agreeToNotResell",
            "These phone numbers need an agreement not to resell them.",
        ),
        NumbersError::NotOffered => {
            ApiError::validation("capabilities", "The phone number is not offered with these capabilities.")
        }
        NumbersError::TooManyNumbers { limit } => {
            ApiError::validation("phoneNumbers", format!("A reservation may hold {limit} phone numbers."))
        }
        NumbersError::TooManyReservations { limit } => {
            ApiError::validation("reservationId", format!("A resource may have {limit} reservations."))
        }
        NumbersError::Busy => busy(),
        NumbersError::Store(error) => unavailable(&error),
    }
}

/// The absolute URL of `path` in the version that was asked for.
fn link(cx: &Context, path: &str) -> String {
    format!("{}{path}?api-version={}", cx.base_url(), cx.api_version)
}

/// The answer to an operation that was accepted; `own` is the header in which its id goes too.
fn accepted(cx: &Context, name: OperationName, own: &'static str, id: EntryId) -> Reply {
    let operation = name.to_string();
    Reply::empty(StatusCode::ACCEPTED)
        .header(
            HeaderName::from_static("operation-location"),
            &link(cx, &format!("/phoneNumbers/operations/{operation}")),
        )
        .header(HeaderName::from_static("operation-id"), &operation)
        .header(HeaderName::from_static(own), &id.to_string())
        .header(header::RETRY_AFTER, POLL_SECS)
}

/// One page of a list that is at hand as a whole, under the name it has on the wire. `size` names the parameter for the
/// size of a page.
fn page<T: Serialize>(
    cx: &Context,
    name: &'static str,
    size: &'static str,
    items: &[T],
) -> Result<Reply, ApiError> {
    let query = cx.query()?;
    let (skip, most) = (query.skip()?, query.size(size, form::PAGE)?);
    let rest = items.get(skip..).unwrap_or_default();
    let shown = &rest[..most.min(rest.len())];
    let next = (rest.len() > most).then(|| next(cx, size, skip + most)).transpose()?;
    Ok(Reply::body(StatusCode::OK, form::list(name, shown, next.as_deref())))
}

/// The link to the page that begins after `skip` items.
fn next(cx: &Context, size: &'static str, skip: usize) -> Result<String, ApiError> {
    let query = cx.query()?;
    let skip = skip.to_string();
    let mut pairs = vec![("api-version", cx.api_version.as_str()), ("skip", skip.as_str())];
    for kept in [size, "phoneNumberType", "assignmentType", "locality", "administrativeDivision"] {
        if let Some(value) = query.get(kept) {
            pairs.push((kept, value));
        }
    }
    Ok(next_link(&cx.base_url(), cx.uri.path(), &pairs))
}

fn cost(cost: post::numbers::Cost) -> form::Cost {
    form::Cost { cents: cost.cents, currency: cost.currency }
}
