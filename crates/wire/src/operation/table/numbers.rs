//! Phone numbers (phonenumbers 2025-06-01) and SIP routing (siprouting 2023-03-01). ACS has no log table for either.

use super::family::Family;
use crate::operation::{Access, Area, Audit, Body, BodyLimit, Operation};

/// Numbers that are held, searched for and bought: since the first version.
const FIRST: &[&str] = &["2021-03-07", "2022-12-01", "2025-04-01", "2025-06-01"];
/// What can be had: since the second.
const SECOND: &[&str] = &["2022-12-01", "2025-04-01", "2025-06-01"];
/// Browsing, reservations and operator information.
const LATER: &[&str] = &["2025-04-01", "2025-06-01"];

const NUMBERS: Family = Family {
    area: Area::PhoneNumbers,
    versions: FIRST,
    access: Access::AccessKey,
    read: "numbers/read",
    write: "numbers/write",
    delete: "numbers/delete",
    log_table: None,
};

const SIP: Family = Family {
    area: Area::SipRouting,
    versions: &["2023-03-01"],
    access: Access::AccessKey,
    read: "sip/read",
    write: "sip/write",
    delete: "sip/delete",
    log_table: None,
};

/// A body that may be missing.
const OPTIONAL: Body = Body::Json { max: BodyLimit::Standard, required: false, merge_patch: false };
/// A merge patch that may be missing, so that ACS's own words tell of it.
const OPTIONAL_PATCH: Body = Body::Json { max: BodyLimit::Standard, required: false, merge_patch: true };

const fn built(mut operation: Operation, versions: &'static [&'static str]) -> Operation {
    operation.versions = versions;
    operation.built = true;
    operation
}

/// One that costs money, ends something, or redirects calls.
const fn audited(mut operation: Operation) -> Operation {
    operation.audit = Audit::Act(operation.name);
    operation
}

const fn with_body(mut operation: Operation, body: Body) -> Operation {
    operation.body = body;
    operation
}

pub(super) const ROWS: &[Operation] = &[
    built(
        NUMBERS.get("numbers.list_area_codes", "/availablePhoneNumbers/countries/{countryCode}/areaCodes"),
        SECOND,
    ),
    built(NUMBERS.get("numbers.list_available_countries", "/availablePhoneNumbers/countries"), SECOND),
    built(
        NUMBERS.query(
            "numbers.browse_available_numbers",
            "/availablePhoneNumbers/countries/{countryCode}/:browse",
            200,
        ),
        LATER,
    ),
    built(
        NUMBERS.get(
            "numbers.list_available_localities",
            "/availablePhoneNumbers/countries/{countryCode}/localities",
        ),
        SECOND,
    ),
    built(
        NUMBERS.get("numbers.list_offerings", "/availablePhoneNumbers/countries/{countryCode}/offerings"),
        SECOND,
    ),
    built(NUMBERS.get("numbers.list_reservations", "/availablePhoneNumbers/reservations"), LATER),
    built(
        NUMBERS.patch(
            "numbers.create_or_update_reservation",
            "/availablePhoneNumbers/reservations/{reservationId}",
            200,
        ),
        LATER,
    ),
    built(
        NUMBERS.get("numbers.get_reservation", "/availablePhoneNumbers/reservations/{reservationId}"),
        LATER,
    ),
    built(
        NUMBERS.delete(
            "numbers.delete_reservation",
            "/availablePhoneNumbers/reservations/{reservationId}",
            204,
        ),
        LATER,
    ),
    audited(with_body(
        built(
            NUMBERS.post(
                "numbers.purchase_reservation",
                "/availablePhoneNumbers/reservations/{reservationId}/:purchase",
                202,
            ),
            LATER,
        ),
        OPTIONAL,
    )),
    built(
        NUMBERS.post(
            "numbers.search_available_phone_numbers",
            "/availablePhoneNumbers/countries/{countryCode}/:search",
            202,
        ),
        FIRST,
    ),
    built(NUMBERS.get("numbers.get_search_result", "/availablePhoneNumbers/searchResults/{searchId}"), FIRST),
    audited(built(
        NUMBERS.post("numbers.purchase_phone_numbers", "/availablePhoneNumbers/:purchase", 202),
        FIRST,
    )),
    built(NUMBERS.get("numbers.get_operation", "/phoneNumbers/operations/{operationId}"), FIRST),
    built(NUMBERS.delete("numbers.cancel_operation", "/phoneNumbers/operations/{operationId}", 204), FIRST),
    built(
        NUMBERS.patch("numbers.update_capabilities", "/phoneNumbers/{phoneNumber}/capabilities", 202),
        FIRST,
    ),
    built(NUMBERS.get("numbers.get_by_number", "/phoneNumbers/{phoneNumber}"), FIRST),
    audited(built(NUMBERS.delete("numbers.release_phone_number", "/phoneNumbers/{phoneNumber}", 202), FIRST)),
    built(NUMBERS.get("numbers.list_phone_numbers", "/phoneNumbers"), FIRST),
    built(NUMBERS.query("numbers.operator_information_search", "/operatorInformation/:search", 200), LATER),
    built(SIP.get("sip.get", "/sip"), SIP.versions),
    audited(with_body(built(SIP.patch("sip.update", "/sip", 200), SIP.versions), OPTIONAL_PATCH)),
];
