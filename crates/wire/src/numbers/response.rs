//! What phone numbers answer. Absent values are left out, never `null`.

use std::collections::BTreeMap;

use base::phone::{Assignment, Capabilities, NumberType};
use base::{EntryId, PhoneNumber, Timestamp};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::json;

fn name_of_kind<S: Serializer>(kind: &NumberType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

fn name_of_assignment<S: Serializer>(assignment: &Assignment, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(assignment.name())
}

fn instant<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_iso())
}

fn id<S: Serializer>(id: &EntryId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

fn plain<S: Serializer>(number: &PhoneNumber, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(number.expose())
}

fn all_plain<S: Serializer>(numbers: &[PhoneNumber], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(numbers.iter().map(PhoneNumber::expose))
}

/// What can be done with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct NumberCapabilities {
    calling: &'static str,
    sms: &'static str,
}

impl From<Capabilities> for NumberCapabilities {
    fn from(from: Capabilities) -> Self {
        Self { calling: from.calling.name(), sms: from.sms.name() }
    }
}

/// A monthly price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// In hundredths of the currency.
    pub cents: u32,
    /// ISO 4217.
    pub currency: String,
}

impl Serialize for Cost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("amount", &(f64::from(self.cents) / 100.0))?;
        map.serialize_entry("currencyCode", &self.currency)?;
        map.serialize_entry("billingFrequency", "monthly")?;
        map.end()
    }
}

/// `PhoneNumberCountry`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CountryItem {
    /// Its name for people.
    pub localized_name: String,
    /// ISO 3166.
    pub country_code: String,
}

/// `PhoneNumberAreaCode`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AreaCode {
    /// Its digits.
    pub area_code: String,
}

/// `PhoneNumberLocality`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Locality {
    /// The name of the place.
    pub localized_name: String,
    /// Its state or province.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub administrative_division: Option<Division>,
}

/// `PhoneNumberAdministrativeDivision`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Division {
    /// Its name.
    pub localized_name: String,
    /// Its short name.
    pub abbreviated_name: String,
}

/// `PhoneNumberOffering`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Offering {
    /// What kind of numbers.
    #[serde(serialize_with = "name_of_kind")]
    pub phone_number_type: NumberType,
    /// Who they are for.
    #[serde(serialize_with = "name_of_assignment")]
    pub assignment_type: Assignment,
    /// What can be done with them.
    pub available_capabilities: NumberCapabilities,
    /// What one costs.
    pub cost: Cost,
}

/// `PurchasedPhoneNumber`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Purchased {
    /// Its digits.
    pub id: String,
    /// The number.
    #[serde(serialize_with = "plain")]
    pub phone_number: PhoneNumber,
    /// ISO 3166.
    pub country_code: String,
    /// What kind of number.
    #[serde(serialize_with = "name_of_kind")]
    pub phone_number_type: NumberType,
    /// What it is set up for.
    pub capabilities: NumberCapabilities,
    /// Who it is for.
    #[serde(serialize_with = "name_of_assignment")]
    pub assignment_type: Assignment,
    /// When it was bought.
    #[serde(serialize_with = "instant")]
    pub purchase_date: Timestamp,
    /// What it costs.
    pub cost: Cost,
}

/// `PhoneNumberSearchResult`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchResult {
    /// The search.
    #[serde(serialize_with = "id")]
    pub search_id: EntryId,
    /// What it found.
    #[serde(serialize_with = "all_plain")]
    pub phone_numbers: Vec<PhoneNumber>,
    /// What kind of numbers.
    #[serde(serialize_with = "name_of_kind")]
    pub phone_number_type: NumberType,
    /// Who they are for.
    #[serde(serialize_with = "name_of_assignment")]
    pub assignment_type: Assignment,
    /// What can be done with them.
    pub capabilities: NumberCapabilities,
    /// What one costs, when one was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Until when they are kept.
    #[serde(serialize_with = "instant")]
    pub search_expires_by: Timestamp,
    /// Whether the buyer must promise not to sell them on.
    pub is_agreement_to_not_resell_required: bool,
    /// 0, or why there are fewer than asked for.
    pub error_code: u32,
    /// The name of that.
    pub error: &'static str,
}

/// `AvailablePhoneNumber`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Available {
    /// Its digits.
    pub id: String,
    /// The number.
    #[serde(serialize_with = "plain")]
    pub phone_number: PhoneNumber,
    /// ISO 3166.
    pub country_code: String,
    /// What can be done with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<NumberCapabilities>,
    /// What kind of number.
    #[serde(serialize_with = "name_of_kind")]
    pub phone_number_type: NumberType,
    /// Who it is for.
    #[serde(serialize_with = "name_of_assignment")]
    pub assignment_type: Assignment,
    /// What it costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// `available`, `reserved`, `expired`, `error` or `purchased`.
    pub status: &'static str,
    /// Whether the buyer must promise not to sell it on.
    pub is_agreement_to_not_resell_required: bool,
    /// Why it could not be reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<NumberError>,
}

/// A code and a text for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct NumberError {
    /// What kind of fault.
    pub code: &'static str,
    /// What is wrong.
    pub message: &'static str,
}

/// `PhoneNumbersReservation`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// Its id, chosen by who reserves.
    #[serde(serialize_with = "id")]
    pub id: EntryId,
    /// When it ends.
    #[serde(serialize_with = "instant")]
    pub expires_at: Timestamp,
    /// Its numbers by their digits; a list of reservations leaves them out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_numbers: Option<BTreeMap<String, Available>>,
    /// `active`, `submitted`, `completed` or `expired`.
    pub status: &'static str,
}

/// `PhoneNumberOperation`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// `search`, `purchase`, ...
    pub operation_type: &'static str,
    /// `notStarted`, `running`, `succeeded` or `failed`.
    pub status: &'static str,
    /// Where its result is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_location: Option<String>,
    /// When it was accepted.
    #[serde(serialize_with = "instant")]
    pub created_date_time: Timestamp,
    /// When it last went on.
    #[serde(serialize_with = "instant")]
    pub last_action_date_time: Timestamp,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<NumberError>,
    /// Its id.
    pub id: String,
}

/// `OperatorInformation`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorInformation {
    /// The number that was asked for.
    #[serde(serialize_with = "plain")]
    pub phone_number: PhoneNumber,
    /// As written within its country.
    pub national_format: String,
    /// As written abroad.
    pub international_format: String,
    /// `unknown`, `other`, `geographic` or `mobile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_type: Option<&'static str>,
    /// ISO 3166.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iso_country_code: Option<String>,
    /// Whose network it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator_details: Option<OperatorDetails>,
}

/// `OperatorDetails`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorDetails {
    /// Its name.
    pub name: String,
    /// ITU-T E.212.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mobile_network_code: Option<String>,
    /// ITU-T E.212.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mobile_country_code: Option<String>,
}

/// A page of a list under the name that the service gives it: `phoneNumbers`, `countries`, `reservations`, ...
#[must_use]
pub fn list<T: Serialize>(name: &'static str, items: &[T], next_link: Option<&str>) -> Vec<u8> {
    struct Page<'a, T>(&'static str, &'a [T], Option<&'a str>);
    impl<T: Serialize> Serialize for Page<'_, T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            map.serialize_entry(self.0, self.1)?;
            if let Some(link) = self.2 {
                map.serialize_entry("nextLink", link)?;
            }
            map.end()
        }
    }
    json::write(&Page(name, items, next_link))
}

/// `PhoneNumbersBrowseResult`.
#[must_use]
pub fn browsed(numbers: &[Available]) -> Vec<u8> {
    list("phoneNumbers", numbers, None)
}

/// `OperatorInformationResult`.
#[must_use]
pub fn lookups(values: &[OperatorInformation]) -> Vec<u8> {
    list("values", values, None)
}

#[cfg(test)]
mod tests {
    use base::phone::Capability;

    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_purchased_number_as_acs_writes_it() {
        let capabilities = Capabilities { calling: Capability::Both, sms: Capability::None };
        let number = Purchased {
            id: "14255550123".into(),
            phone_number: "+14255550123".parse().unwrap(),
            country_code: "US".into(),
            phone_number_type: NumberType::TollFree,
            capabilities: capabilities.into(),
            assignment_type: Assignment::Application,
            purchase_date: Timestamp::EPOCH,
            cost: Cost { cents: 250, currency: "USD".into() },
        };
        assert_eq!(
            text(list("phoneNumbers", &[number], Some("https://x/y"))),
            r#"{"phoneNumbers":[{"id":"14255550123","phoneNumber":"+14255550123","countryCode":"US","phoneNumberType":"tollFree","capabilities":{"calling":"inbound+outbound","sms":"none"},"assignmentType":"application","purchaseDate":"1970-01-01T00:00:00.0000000Z","cost":{"amount":2.5,"currencyCode":"USD","billingFrequency":"monthly"}}],"nextLink":"https://x/y"}"#
        );
    }

    #[test]
    fn what_is_absent_is_left_out() {
        let operation = Operation {
            operation_type: "purchase",
            status: "failed",
            resource_location: None,
            created_date_time: Timestamp::EPOCH,
            last_action_date_time: Timestamp::EPOCH,
            error: Some(NumberError { code: "ReservationExpired", message: "Too late." }),
            id: "purchase_1".into(),
        };
        let written = text(json::write(&operation));
        assert!(
            written.contains(r#""error":{"code":"ReservationExpired","message":"Too late."}"#),
            "{written}"
        );
        assert!(!written.contains("resourceLocation") && !written.contains("null"));
        assert_eq!(text(list::<AreaCode>("areaCodes", &[], None)), r#"{"areaCodes":[]}"#);
    }

    #[test]
    fn numbers_do_not_print() {
        let found = OperatorInformation {
            phone_number: "+14255550123".parse().unwrap(),
            national_format: String::new(),
            international_format: String::new(),
            number_type: None,
            iso_country_code: None,
            operator_details: None,
        };
        assert!(!format!("{found:?}").contains("425"));
        assert!(text(lookups(&[found])).starts_with(r#"{"values":[{"phoneNumber":"+14255550123","#));
    }
}
