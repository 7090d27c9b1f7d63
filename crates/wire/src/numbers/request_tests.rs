//! Tests of what is asked of phone numbers: each property at and past its rule.

use super::*;

fn search(body: &str) -> Result<Search, ApiError> {
    Search::parse(body.as_bytes())
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, ApiError>, target: &str) {
    let error = outcome.unwrap_err();
    assert_eq!((error.status(), error.target()), (400, Some(target)), "{error}");
}

#[test]
fn a_search_as_the_sdks_write_it() {
    let read = search(
        r#"{"phoneNumberType":"tollFree","assignmentType":"application","capabilities":{"calling":"inbound","sms":"inbound+outbound"},"areaCode":"833","quantity":2}"#,
    );
    let capabilities = Capabilities { calling: Capability::Inbound, sms: Capability::Both };
    let want = Search {
        kind: NumberType::TollFree,
        assignment: Assignment::Application,
        capabilities: Some(capabilities),
        area_code: Some("833".into()),
        quantity: 2,
    };
    assert_eq!(read, Ok(want));
    let least = search(r#"{"phoneNumberType":"mobile","assignmentType":"person","areaCode":""}"#).unwrap();
    assert_eq!((least.quantity, least.capabilities, least.area_code), (1, None, None));
}

#[test]
fn searches_that_are_refused() {
    let with =
        |more: &str| search(&format!(r#"{{"phoneNumberType":"mobile","assignmentType":"person"{more}}}"#));
    assert!(with("").is_ok());
    refused(search(r#"{"assignmentType":"person"}"#), "phoneNumberType");
    refused(search(r#"{"phoneNumberType":"mobile"}"#), "assignmentType");
    refused(search(r#"{"phoneNumberType":"pager","assignmentType":"person"}"#), "phoneNumberType");
    refused(search(r#"{"phoneNumberType":"mobile","assignmentType":"user"}"#), "assignmentType");
    refused(with(r#","capabilities":{"calling":"none","sms":"none"}"#), "capabilities");
    refused(with(r#","capabilities":{}"#), "capabilities");
    refused(with(r#","capabilities":{"calling":"both"}"#), "calling");
    refused(with(r#","capabilities":{"sms":"inbound_outbound"}"#), "sms");
    refused(with(r#","areaCode":"4 2"}"#.trim_end_matches('}')), "areaCode");
    refused(with(r#","areaCode":"123456789""#), "areaCode");
    for (quantity, good) in [
        ("1", true),
        ("500", true),
        ("2.0", true),
        ("0", false),
        ("501", false),
        ("1.5", false),
        ("-1", false),
        ("1e99", false),
    ] {
        let read = with(&format!(r#","quantity":{quantity}"#));
        if good {
            assert!(read.is_ok(), "{quantity}");
        } else {
            refused(read, "quantity");
        }
    }
}

#[test]
fn purchases() {
    let read = |body: &str| Purchase::parse(body.as_bytes());
    let id = EntryId::from_bytes([7; 16]);
    let body = format!(r#"{{"searchId":"{id}","agreeToNotResell":true}}"#);
    assert_eq!(read(&body), Ok(Purchase { search: Some(id), agrees: true }));
    assert_eq!(read(r#"{"searchId":"none of ours"}"#), Ok(Purchase { search: None, agrees: false }));
    refused(read(r#"{"searchId":""}"#), "searchId");
    refused(read("{}"), "searchId");
    for body in ["", "{}", "null", r#"{"agreeToNotResell":false}"#] {
        assert_eq!(PurchaseReservation::parse(body.as_bytes()), Ok(PurchaseReservation { agrees: false }));
    }
    assert!(PurchaseReservation::parse(br#"{"agreeToNotResell":true}"#).unwrap().agrees);
}

#[test]
fn capabilities_are_a_merge_patch() {
    let read = |body: &str| ChangeCapabilities::parse(body.as_bytes());
    assert_eq!(read("{}"), Ok(ChangeCapabilities { calling: None, sms: None }));
    let change = read(r#"{"calling":"none","sms":null}"#).unwrap();
    assert_eq!(change, ChangeCapabilities { calling: Some(Capability::None), sms: None });
    refused(read(r#"{"sms":"fax"}"#), "sms");
}

#[test]
fn browsing() {
    let read = |body: &str| Browse::parse(body.as_bytes());
    let least = read(r#"{"phoneNumberType":"geographic"}"#).unwrap();
    assert_eq!((least.capabilities, least.assignment, least.prefixes.len()), (Capabilities::NONE, None, 0));
    let all = read(
        r#"{"phoneNumberType":"geographic","capabilities":{"calling":"inbound"},"assignmentType":"person","phoneNumberPrefixes":["1425","+1206"]}"#,
    );
    assert_eq!(all.unwrap().prefixes, ["1425", "1206"]);
    refused(read(r#"{"phoneNumberType":"geographic","phoneNumberPrefixes":["x"]}"#), "phoneNumberPrefixes");
    refused(read(r#"{"phoneNumberType":"geographic","phoneNumberPrefixes":[""]}"#), "phoneNumberPrefixes");
    let prefixes = |count: usize| {
        let list = vec!["\"1\""; count].join(",");
        read(&format!(r#"{{"phoneNumberType":"geographic","phoneNumberPrefixes":[{list}]}}"#))
    };
    assert!(prefixes(MAX_PREFIXES).is_ok());
    refused(prefixes(MAX_PREFIXES + 1), "phoneNumberPrefixes");
}

#[test]
fn reservations_add_objects_and_remove_nulls() {
    let read = |body: &str| ReservationPatch::parse(body.as_bytes());
    let patch = read(
        r#"{"phoneNumbers":{"14255550123":{"id":"14255550123","countryCode":"US"},"14255550124":null}}"#,
    )
    .unwrap();
    assert_eq!((patch.add.len(), patch.remove.len()), (1, 1));
    assert_eq!(patch.add[0].expose(), "+14255550123");
    assert_eq!(read("{}"), Ok(ReservationPatch::default()));
    assert_eq!(read(r#"{"phoneNumbers":null}"#), Ok(ReservationPatch::default()));
    refused(read(r#"{"phoneNumbers":{"x":null}}"#), "phoneNumbers");
    refused(read(r#"{"phoneNumbers":{"14255550123":{},"+14255550123":null}}"#), "phoneNumbers");
    assert_eq!(read(r#"{"phoneNumbers":{"14255550123":[]}}"#).unwrap_err().status(), 400);
    let many = |count: usize| {
        let list: Vec<_> = (0..count).map(|n| format!(r#""1425555{n:04}":null"#)).collect();
        read(&format!(r#"{{"phoneNumbers":{{{}}}}}"#, list.join(",")))
    };
    assert!(many(MAX_RESERVATION_CHANGES).is_ok());
    refused(many(MAX_RESERVATION_CHANGES + 1), "phoneNumbers");
}

#[test]
fn lookups() {
    let read = |body: &str| OperatorLookup::parse(body.as_bytes());
    let one =
        read(r#"{"phoneNumbers":["+14255550123"],"options":{"includeAdditionalOperatorDetails":true}}"#)
            .unwrap();
    assert!(one.details && one.numbers.len() == 1);
    assert!(!read(r#"{"phoneNumbers":["+14255550123"],"options":{}}"#).unwrap().details);
    assert!(!read(r#"{"phoneNumbers":["+14255550123"]}"#).unwrap().details);
    refused(read(r#"{"phoneNumbers":[]}"#), "phoneNumbers");
    refused(read(r#"{"phoneNumbers":["14255550123"]}"#), "phoneNumbers");
    let many = |count: usize| {
        read(&format!(r#"{{"phoneNumbers":[{}]}}"#, vec!["\"+14255550123\""; count].join(",")))
    };
    assert!(many(MAX_LOOKUPS).is_ok());
    refused(many(MAX_LOOKUPS + 1), "phoneNumbers");
}

#[test]
fn countries_and_numbers_in_paths() {
    assert_eq!(country("us"), Ok("US".into()));
    for bad in ["", "USA", "1"] {
        refused(country(bad), "countryCode");
    }
    assert_eq!(number("14255550123"), number("+14255550123"));
    refused(number("contoso"), "phoneNumber");
}
