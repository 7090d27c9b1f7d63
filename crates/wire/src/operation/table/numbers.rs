//! Phone numbers and SIP routing: known, not built.

use super::family::Family;
use crate::operation::{Access, Area, Operation};

const NUMBERS: Family = Family {
    area: Area::PhoneNumbers,
    versions: &["2025-06-01"],
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

pub(super) const ROWS: &[Operation] = &[
    NUMBERS.get("numbers.list_area_codes", "/availablePhoneNumbers/countries/{countryCode}/areaCodes"),
    NUMBERS.get("numbers.list_available_countries", "/availablePhoneNumbers/countries"),
    NUMBERS.query(
        "numbers.browse_available_numbers",
        "/availablePhoneNumbers/countries/{countryCode}/:browse",
        200,
    ),
    NUMBERS.get(
        "numbers.list_available_localities",
        "/availablePhoneNumbers/countries/{countryCode}/localities",
    ),
    NUMBERS.get("numbers.list_offerings", "/availablePhoneNumbers/countries/{countryCode}/offerings"),
    NUMBERS.get("numbers.list_reservations", "/availablePhoneNumbers/reservations"),
    NUMBERS.patch(
        "numbers.create_or_update_reservation",
        "/availablePhoneNumbers/reservations/{reservationId}",
        200,
    ),
    NUMBERS.get("numbers.get_reservation", "/availablePhoneNumbers/reservations/{reservationId}"),
    NUMBERS.delete("numbers.delete_reservation", "/availablePhoneNumbers/reservations/{reservationId}", 204),
    NUMBERS.post(
        "numbers.purchase_reservation",
        "/availablePhoneNumbers/reservations/{reservationId}/:purchase",
        202,
    ),
    NUMBERS.query(
        "numbers.search_available_phone_numbers",
        "/availablePhoneNumbers/countries/{countryCode}/:search",
        202,
    ),
    NUMBERS.get("numbers.get_search_result", "/availablePhoneNumbers/searchResults/{searchId}"),
    NUMBERS.post("numbers.purchase_phone_numbers", "/availablePhoneNumbers/:purchase", 202),
    NUMBERS.get("numbers.get_operation", "/phoneNumbers/operations/{operationId}"),
    NUMBERS.delete("numbers.cancel_operation", "/phoneNumbers/operations/{operationId}", 204),
    NUMBERS.patch("numbers.update_capabilities", "/phoneNumbers/{phoneNumber}/capabilities", 202),
    NUMBERS.get("numbers.get_by_number", "/phoneNumbers/{phoneNumber}"),
    NUMBERS.delete("numbers.release_phone_number", "/phoneNumbers/{phoneNumber}", 202),
    NUMBERS.get("numbers.list_phone_numbers", "/phoneNumbers"),
    NUMBERS.query("numbers.operator_information_search", "/operatorInformation/:search", 200),
    SIP.get("sip.get", "/sip"),
    SIP.patch("sip.update", "/sip", 200),
];
