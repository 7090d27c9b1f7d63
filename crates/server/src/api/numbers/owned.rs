//! The numbers a resource holds, and what is known of any number.

use ::http::StatusCode;
use base::PhoneNumber;
use base::phone::NumberType;
use post::numbers::places;
use wire::ApiError;
use wire::numbers as form;

use super::{accepted, answer, cost, desk, link, next};
use crate::http::{Context, Reply};
use crate::service::numbers::{CapabilityChange, HeldNumber, Lookup};

/// The size of a page is asked for by this name.
const SIZE: &str = "top";

fn number(cx: &Context) -> Result<PhoneNumber, ApiError> {
    form::number(cx.params.get("phoneNumber").unwrap_or_default())
}

fn render(held: HeldNumber) -> form::Purchased {
    form::Purchased {
        id: held.number.digits().to_owned(),
        phone_number: held.number,
        country_code: held.offer.country,
        phone_number_type: held.offer.kind,
        capabilities: held.capabilities.into(),
        assignment_type: held.offer.assignment,
        purchase_date: held.purchased_at,
        cost: cost(held.offer.cost),
    }
}

/// `GET /phoneNumbers`.
pub(super) async fn list(cx: &Context) -> Result<Reply, ApiError> {
    let query = cx.query()?;
    let (skip, top) = (query.skip()?, query.size(SIZE, form::PAGE)?);
    let (held, more) = desk(cx).list(skip, top).await.map_err(|error| answer(cx, error))?;
    let next = more.then(|| next(cx, SIZE, skip + top)).transpose()?;
    let numbers: Vec<_> = held.into_iter().map(render).collect();
    Ok(Reply::body(StatusCode::OK, form::list("phoneNumbers", &numbers, next.as_deref())))
}

/// `GET /phoneNumbers/{phoneNumber}`.
pub(super) async fn get(cx: &Context) -> Result<Reply, ApiError> {
    let held = desk(cx).held(&number(cx)?).await.map_err(|error| answer(cx, error))?;
    Reply::json(StatusCode::OK, &render(held))
}

/// `PATCH /phoneNumbers/{phoneNumber}/capabilities`.
pub(super) async fn set_up(cx: &Context) -> Result<Reply, ApiError> {
    let asked = form::ChangeCapabilities::parse(&cx.body)?;
    let number = number(cx)?;
    let change = CapabilityChange { calling: asked.calling, sms: asked.sms };
    let name = desk(cx).set_up(&number, change).await.map_err(|error| answer(cx, error))?;
    let location = link(cx, &format!("/phoneNumbers/%2B{}", number.digits()));
    Ok(accepted(cx, name, "capabilities-id", name.id).location(&location))
}

/// `DELETE /phoneNumbers/{phoneNumber}`.
pub(super) async fn release(cx: &Context) -> Result<Reply, ApiError> {
    let name = desk(cx).release(&number(cx)?).await.map_err(|error| answer(cx, error))?;
    Ok(accepted(cx, name, "release-id", name.id))
}

/// `POST /operatorInformation/:search`.
pub(super) async fn look_up(cx: &Context) -> Result<Reply, ApiError> {
    let asked = form::OperatorLookup::parse(&cx.body)?;
    let found = desk(cx).look_up(asked.numbers).await.map_err(|error| answer(cx, error))?;
    let values: Vec<_> = found.into_iter().map(|one| known(one, asked.details)).collect();
    Ok(Reply::body(StatusCode::OK, form::lookups(&values)))
}

/// What can be told of a number: how it is written, and with `details` what the inventory knows.
fn known(Lookup { number, offer }: Lookup, details: bool) -> form::OperatorInformation {
    let written = places::write(&number);
    let country = places::of(&number).map(|country| country.iso.to_owned());
    let (kind, iso, operator) = match offer {
        Some(offer) => {
            let kind = match offer.kind {
                NumberType::Geographic => "geographic",
                NumberType::Mobile => "mobile",
                NumberType::TollFree => "other",
            };
            (kind, Some(offer.country), offer.operator)
        }
        None => ("unknown", country, None),
    };
    form::OperatorInformation {
        phone_number: number,
        national_format: written.national.into_inner(),
        international_format: written.international.into_inner(),
        number_type: details.then_some(kind),
        iso_country_code: iso.filter(|_| details),
        operator_details: operator.filter(|_| details).map(|operator| form::OperatorDetails {
            name: operator.name,
            mobile_network_code: operator.network_code,
            mobile_country_code: operator.country_code,
        }),
    }
}
