//! What is asked of phone numbers.

use std::collections::BTreeMap;

use base::phone::{Assignment, Capabilities, Capability, NumberType};
use base::{EntryId, PhoneNumber};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{MAX_LOOKUPS, MAX_PREFIXES, MAX_QUANTITY, MAX_RESERVATION_CHANGES};
use crate::ApiError;
use crate::json::{self, Object};

/// The country in a path, in capitals.
///
/// # Errors
/// 400 when it is no code of two letters.
pub fn country(text: &str) -> Result<String, ApiError> {
    if text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Ok(text.to_ascii_uppercase());
    }
    Err(ApiError::validation(
        "countryCode",
        "countryCode must be a code of two letters of ISO 3166, such as US.",
    ))
}

/// The number in a path; the plus sign may be missing.
///
/// # Errors
/// 400 when it is none.
pub fn number(text: &str) -> Result<PhoneNumber, ApiError> {
    PhoneNumber::lenient(text).map_err(|_| bad_number("phoneNumber"))
}

fn bad_number(target: &'static str) -> ApiError {
    ApiError::validation(target, "A phone number must be in the form of E.164, such as +14255550123.")
}

fn one_of<T>(
    target: &'static str,
    text: &str,
    all: &'static [T],
    read: fn(&str) -> Option<T>,
    name: fn(T) -> &'static str,
) -> Result<T, ApiError>
where
    T: Copy,
{
    read(text).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|one| name(*one)).collect();
        ApiError::validation(target, format!("{target} must be one of {}.", names.join(", ")))
    })
}

pub(super) fn kind(text: &str) -> Result<NumberType, ApiError> {
    one_of("phoneNumberType", text, NumberType::ALL, NumberType::named, NumberType::name)
}

pub(super) fn assignment(text: &str) -> Result<Assignment, ApiError> {
    one_of("assignmentType", text, Assignment::ALL, Assignment::named, Assignment::name)
}

fn capability(target: &'static str, text: Option<String>) -> Result<Option<Capability>, ApiError> {
    let read = |text: String| one_of(target, &text, Capability::ALL, Capability::named, Capability::name);
    text.map(read).transpose()
}

/// Capabilities as a body has them; `null` counts as not there.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RawCapabilities {
    calling: Option<String>,
    sms: Option<String>,
}

impl RawCapabilities {
    fn read(self) -> Result<(Option<Capability>, Option<Capability>), ApiError> {
        Ok((capability("calling", self.calling)?, capability("sms", self.sms)?))
    }
}

/// `POST .../:search`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// What kind of numbers.
    pub kind: NumberType,
    /// Who they are for.
    pub assignment: Assignment,
    /// What must be possible with them; none leaves it to the offer.
    pub capabilities: Option<Capabilities>,
    /// Their area code.
    pub area_code: Option<String>,
    /// How many, 1 to [`MAX_QUANTITY`].
    pub quantity: u32,
}

impl Search {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 naming what is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw {
            phone_number_type: String,
            assignment_type: String,
            capabilities: Option<Object<RawCapabilities>>,
            area_code: Option<String>,
            quantity: Option<serde_json::Number>,
        }
        let raw: Raw = json::parse(body)?;
        let capabilities = match raw.capabilities {
            None => None,
            Some(raw) => {
                let (calling, sms) = raw.0.read()?;
                let asked = Capabilities {
                    calling: calling.unwrap_or(Capability::None),
                    sms: sms.unwrap_or(Capability::None),
                };
                if asked == Capabilities::NONE {
                    let rule = "At least one of calling and sms must be other than none.";
                    return Err(ApiError::validation("capabilities", rule));
                }
                Some(asked)
            }
        };
        let area_code = raw.area_code.filter(|area| !area.is_empty());
        if area_code.as_ref().is_some_and(|area| area.len() > 8 || !area.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(ApiError::validation("areaCode", "areaCode must be up to 8 digits."));
        }
        Ok(Self {
            kind: kind(&raw.phone_number_type)?,
            assignment: assignment(&raw.assignment_type)?,
            capabilities,
            area_code,
            quantity: quantity(raw.quantity.as_ref())?,
        })
    }
}

/// A whole number, also where it is written as `2.0`.
fn quantity(asked: Option<&serde_json::Number>) -> Result<u32, ApiError> {
    let Some(asked) = asked else { return Ok(1) };
    let whole = asked.as_f64().filter(|number| number.fract() == 0.0);
    let found = whole.and_then(|whole| (1..=MAX_QUANTITY).find(|number| f64::from(*number) == whole));
    let rule = || format!("quantity must be a whole number from 1 to {MAX_QUANTITY}.");
    found.ok_or_else(|| ApiError::validation("quantity", rule()))
}

/// `POST /availablePhoneNumbers/:purchase`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// What a search found; none for a text that can be no search's.
    pub search: Option<EntryId>,
    /// Whether the buyer promises not to sell the numbers on.
    pub agrees: bool,
}

impl Purchase {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 naming what is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw {
            search_id: String,
            agree_to_not_resell: Option<bool>,
        }
        let raw: Raw = json::parse(body)?;
        if raw.search_id.is_empty() {
            return Err(ApiError::validation("searchId", "searchId must name a search."));
        }
        Ok(Self { search: raw.search_id.parse().ok(), agrees: raw.agree_to_not_resell.unwrap_or(false) })
    }
}

/// `POST .../reservations/{reservationId}/:purchase`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurchaseReservation {
    /// Whether the buyer promises not to sell the numbers on.
    pub agrees: bool,
}

impl PurchaseReservation {
    /// Reads the body, which may be missing.
    ///
    /// # Errors
    /// 400 naming what is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        #[derive(Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        struct Raw {
            agree_to_not_resell: Option<bool>,
        }
        let raw: Raw = json::parse_optional(body)?;
        Ok(Self { agrees: raw.agree_to_not_resell.unwrap_or(false) })
    }
}

/// `PATCH /phoneNumbers/{phoneNumber}/capabilities`: what is `None` stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeCapabilities {
    /// Calls.
    pub calling: Option<Capability>,
    /// Texts.
    pub sms: Option<Capability>,
}

impl ChangeCapabilities {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 naming what is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let (calling, sms) = json::parse::<RawCapabilities>(body)?.read()?;
        Ok(Self { calling, sms })
    }
}

/// `POST .../:browse`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Browse {
    /// What kind of numbers.
    pub kind: NumberType,
    /// Who they are for.
    pub assignment: Option<Assignment>,
    /// What must be possible with them.
    pub capabilities: Capabilities,
    /// What they begin with, without the plus sign; none for all.
    pub prefixes: Vec<String>,
}

impl Browse {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 naming what is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw {
            phone_number_type: String,
            capabilities: Option<Object<RawCapabilities>>,
            assignment_type: Option<String>,
            phone_number_prefixes: Option<Vec<String>>,
        }
        let raw: Raw = json::parse(body)?;
        let (calling, sms) = raw.capabilities.map(|raw| raw.0.read()).transpose()?.unwrap_or_default();
        let prefixes = raw.phone_number_prefixes.unwrap_or_default();
        let good = |prefix: &String| {
            let digits = prefix.trim_start_matches('+');
            (1..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
        };
        if prefixes.len() > MAX_PREFIXES || !prefixes.iter().all(good) {
            let rule =
                format!("phoneNumberPrefixes must be up to {MAX_PREFIXES} prefixes of 1 to 15 digits.");
            return Err(ApiError::validation("phoneNumberPrefixes", rule));
        }
        Ok(Self {
            kind: kind(&raw.phone_number_type)?,
            assignment: raw.assignment_type.as_deref().map(assignment).transpose()?,
            capabilities: Capabilities {
                calling: calling.unwrap_or(Capability::None),
                sms: sms.unwrap_or(Capability::None),
            },
            prefixes: prefixes.iter().map(|prefix| prefix.trim_start_matches('+').to_owned()).collect(),
        })
    }
}

/// `PATCH .../reservations/{reservationId}`. No number is in both lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReservationPatch {
    /// Numbers to reserve.
    pub add: Vec<PhoneNumber>,
    /// Numbers to let go.
    pub remove: Vec<PhoneNumber>,
}

impl ReservationPatch {
    /// Reads the body: numbers by their digits, each with an object (add) or `null` (remove).
    ///
    /// # Errors
    /// 400 naming what is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        #[derive(Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        struct Raw {
            phone_numbers: Option<BTreeMap<String, Option<Object<Item>>>>,
        }
        #[derive(Deserialize)]
        struct Item {
            #[serde(flatten)]
            _any: BTreeMap<String, IgnoredAny>,
        }
        let raw: Raw = json::parse(body)?;
        let all = raw.phone_numbers.unwrap_or_default();
        if all.len() > MAX_RESERVATION_CHANGES {
            let rule = format!("A request may change {MAX_RESERVATION_CHANGES} numbers of a reservation.");
            return Err(ApiError::validation("phoneNumbers", rule));
        }
        let mut patch = Self::default();
        for (digits, item) in all {
            let number = PhoneNumber::lenient(&digits).map_err(|_| bad_number("phoneNumbers"))?;
            let into = if item.is_some() { &mut patch.add } else { &mut patch.remove };
            into.push(number);
        }
        if patch.add.iter().any(|number| patch.remove.contains(number)) {
            let rule = "A number is both added and removed.";
            return Err(ApiError::validation("phoneNumbers", rule));
        }
        Ok(patch)
    }
}

/// `POST /operatorInformation/:search`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorLookup {
    /// The numbers, 1 to [`MAX_LOOKUPS`].
    pub numbers: Vec<PhoneNumber>,
    /// Whether more is asked for than how a number is written.
    pub details: bool,
}

impl OperatorLookup {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 naming what is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw {
            phone_numbers: Vec<String>,
            options: Option<Object<Options>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Options {
            include_additional_operator_details: Option<bool>,
        }
        let raw: Raw = json::parse(body)?;
        if raw.phone_numbers.is_empty() || raw.phone_numbers.len() > MAX_LOOKUPS {
            let rule = format!("phoneNumbers must hold 1 to {MAX_LOOKUPS} numbers.");
            return Err(ApiError::validation("phoneNumbers", rule));
        }
        let numbers =
            raw.phone_numbers.iter().map(|text| text.parse().map_err(|_| bad_number("phoneNumbers")));
        let details = raw.options.and_then(|options| options.0.include_additional_operator_details);
        Ok(Self { numbers: numbers.collect::<Result<_, _>>()?, details: details.unwrap_or(false) })
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
