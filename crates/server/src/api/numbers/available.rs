//! What can be had: countries, places, area codes, offerings, and a look at free numbers.

use std::collections::BTreeSet;

use ::http::StatusCode;
use post::numbers::{Offer, places};
use wire::ApiError;
use wire::numbers as form;

use super::{answer, cost, desk, page};
use crate::http::{Context, Reply};
use crate::service::numbers::{Browsed, Filter};

/// The size of a page is asked for by this name.
const SIZE: &str = "maxPageSize";

fn country(cx: &Context) -> Result<String, ApiError> {
    form::country(cx.params.get("countryCode").unwrap_or_default())
}

async fn offers(cx: &Context, filter: &Filter) -> Result<Vec<Offer>, ApiError> {
    desk(cx).offers(filter).await.map_err(|error| answer(cx, error))
}

/// `GET /availablePhoneNumbers/countries`.
pub(super) async fn countries(cx: &Context) -> Result<Reply, ApiError> {
    let offers = offers(cx, &Filter::default()).await?;
    let all: BTreeSet<_> = offers
        .into_iter()
        .map(|offer| form::CountryItem {
            localized_name: places::name(&offer.country).to_owned(),
            country_code: offer.country,
        })
        .collect();
    page(cx, "countries", SIZE, &Vec::from_iter(all))
}

/// `GET .../localities`.
pub(super) async fn localities(cx: &Context) -> Result<Reply, ApiError> {
    let asked = form::Localities::parse(&cx.query()?)?;
    let filter = Filter {
        country: Some(country(cx)?),
        kind: asked.kind,
        division: asked.division,
        ..Filter::default()
    };
    let named = offers(cx, &filter).await?.into_iter().filter_map(|offer| {
        let division = offer.division.map(|division| form::Division {
            localized_name: division.name,
            abbreviated_name: division.short,
        });
        Some(form::Locality { localized_name: offer.locality?, administrative_division: division })
    });
    let all: BTreeSet<_> = named.collect();
    page(cx, "phoneNumberLocalities", SIZE, &Vec::from_iter(all))
}

/// `GET .../areaCodes`.
pub(super) async fn area_codes(cx: &Context) -> Result<Reply, ApiError> {
    let asked = form::AreaCodes::parse(&cx.query()?)?;
    let filter = Filter {
        country: Some(country(cx)?),
        kind: Some(asked.kind),
        assignment: asked.assignment,
        locality: asked.locality,
        division: asked.division,
        ..Filter::default()
    };
    let codes = offers(cx, &filter).await?.into_iter().filter_map(|offer| offer.area_code);
    let all: BTreeSet<_> = codes.map(|area_code| form::AreaCode { area_code }).collect();
    page(cx, "areaCodes", SIZE, &Vec::from_iter(all))
}

/// `GET .../offerings`.
pub(super) async fn offerings(cx: &Context) -> Result<Reply, ApiError> {
    let asked = form::Offerings::parse(&cx.query()?)?;
    let filter = Filter {
        country: Some(country(cx)?),
        kind: asked.kind,
        assignment: asked.assignment,
        ..Filter::default()
    };
    let mut all = Vec::new();
    for offer in offers(cx, &filter).await? {
        let offering = form::Offering {
            phone_number_type: offer.kind,
            assignment_type: offer.assignment,
            available_capabilities: offer.capabilities.into(),
            cost: cost(offer.cost),
        };
        if !all.contains(&offering) {
            all.push(offering);
        }
    }
    page(cx, "phoneNumberOfferings", SIZE, &all)
}

/// `POST .../:browse`.
pub(super) async fn browse(cx: &Context) -> Result<Reply, ApiError> {
    let asked = form::Browse::parse(&cx.body)?;
    let filter = Filter {
        country: Some(country(cx)?),
        kind: Some(asked.kind),
        assignment: asked.assignment,
        capabilities: asked.capabilities,
        ..Filter::default()
    };
    let found = desk(cx).browse(&filter, &asked.prefixes).await.map_err(|error| answer(cx, error))?;
    let numbers = found.into_iter().map(|Browsed { number, offer }| form::Available {
        id: number.digits().to_owned(),
        phone_number: number,
        country_code: offer.country,
        capabilities: Some(offer.capabilities.into()),
        phone_number_type: offer.kind,
        assignment_type: offer.assignment,
        cost: Some(cost(offer.cost)),
        status: "available",
        is_agreement_to_not_resell_required: offer.not_for_resale,
        error: None,
    });
    Ok(Reply::body(StatusCode::OK, form::browsed(&numbers.collect::<Vec<_>>())))
}
