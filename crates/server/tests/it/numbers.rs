//! Phone numbers: searching, keeping, buying, releasing, on one node and on several.

use std::collections::BTreeSet;
use std::time::Duration;

use base::PhoneNumber;
use serde_json::{Value, json};
use server::service::numbers::{self, MayText};
use server::testing::{Answer, TestApp};

const HEAD: &str =
    "number,country,type,calling,sms,cost,currency,area_code,locality,division,not_for_resale\n";
const TOLL_FREE: &str =
    "+18335550100..+18335550109,US,tollFree,inbound+outbound,inbound+outbound,2,USD,833,,,\n";
const SEATTLE: &str =
    "+12065550100..+12065550104,US,geographic,inbound+outbound,none,1,USD,206,Seattle,WA,\n";
const BERLIN: &str = "+493023125000..+493023125001,DE,geographic,inbound,none,1,EUR,30,Berlin,,true\n";

pub(crate) async fn stocked() -> TestApp {
    let test = TestApp::new().await;
    test.load_numbers(&[HEAD, TOLL_FREE, SEATTLE, BERLIN].concat()).await;
    test
}

pub(crate) fn asked(kind: &str, quantity: usize) -> Value {
    json!({
        "phoneNumberType": kind, "assignmentType": "application", "quantity": quantity,
        "capabilities": { "calling": "inbound", "sms": "none" },
    })
}

pub(crate) async fn post(test: &TestApp, target: &str, body: &Value) -> Answer {
    test.call("POST", target).signed().json(body).send().await
}

pub(crate) async fn get(test: &TestApp, target: &str) -> Answer {
    test.call("GET", target).signed().send().await
}

/// What an accepted operation leads to.
async fn finished(test: &TestApp, accepted: &Answer) -> Value {
    assert_eq!(accepted.status, 202);
    let location = accepted.header("operation-location").to_owned();
    assert!(location.starts_with("https://contoso.localhost:8443/phoneNumbers/operations/"), "{location}");
    assert!(location.contains(accepted.header("operation-id")) && location.contains("api-version="));
    get(test, &path(&location)).await.expect(200).json()
}

fn path(location: &str) -> String {
    let path = location.strip_prefix("https://contoso.localhost:8443").unwrap();
    path.split('?').next().unwrap().to_owned()
}

pub(crate) async fn search(test: &TestApp, country: &str, body: &Value) -> Value {
    let target = format!("/availablePhoneNumbers/countries/{country}/:search");
    let accepted = post(test, &target, body).await;
    let operation = finished(test, &accepted).await;
    assert_eq!((&operation["status"], &operation["operationType"]), (&"succeeded".into(), &"search".into()));
    let location = accepted.header("location");
    assert_eq!(operation["resourceLocation"], location);
    let found = get(test, &path(location)).await.expect(200).json();
    assert_eq!(found["searchId"], accepted.header("search-id"));
    found
}

async fn buy(test: &TestApp, search: &Value, agrees: bool) -> Answer {
    let body = json!({ "searchId": search["searchId"], "agreeToNotResell": agrees });
    post(test, "/availablePhoneNumbers/:purchase", &body).await
}

fn list(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

fn parsed(number: &str) -> PhoneNumber {
    number.parse().unwrap()
}

async fn mine(test: &TestApp) -> BTreeSet<String> {
    let page = get(test, "/phoneNumbers").await.expect(200).json();
    page["phoneNumbers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["phoneNumber"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn from_a_search_to_a_released_number() {
    let test = stocked().await;
    let found = search(&test, "us", &asked("tollFree", 2)).await;
    let numbers = list(&found["phoneNumbers"]);
    assert_eq!((numbers.len(), &found["errorCode"], &found["error"]), (2, &0.into(), &"NoError".into()));
    assert_eq!(found["cost"], json!({ "amount": 2.0, "currencyCode": "USD", "billingFrequency": "monthly" }));
    assert_eq!(found["searchExpiresBy"], "2026-11-23T08:15:00.0000000Z");
    assert!(mine(&test).await.is_empty());
    let bought = buy(&test, &found, false).await;
    assert!(!bought.header("purchase-id").is_empty());
    assert_eq!(finished(&test, &bought).await["status"], "succeeded");
    assert_eq!(mine(&test).await, numbers.iter().cloned().collect());
    let one = get(&test, &format!("/phoneNumbers/%2B{}", &numbers[0][1..])).await.expect(200).json();
    assert_eq!(one["capabilities"], json!({ "calling": "inbound", "sms": "none" }), "as searched for");
    assert_eq!((&one["id"], &one["phoneNumberType"]), (&numbers[0][1..].into(), &"tollFree".into()));
    test.clock.advance(Duration::from_secs(1));
    let released = test.call("DELETE", &format!("/phoneNumbers/{}", numbers[0])).signed().send().await;
    assert!(!released.header("release-id").is_empty());
    assert_eq!(finished(&test, &released).await["operationType"], "releasePhoneNumber");
    assert_eq!(mine(&test).await, BTreeSet::from([numbers[1].clone()]));
    let gone = get(&test, &format!("/phoneNumbers/{}", numbers[0])).await.expect(404);
    assert_eq!(
        (gone.code(), gone.json()["error"]["target"].as_str()),
        ("NotFound".into(), Some("phonenumber"))
    );
    // In one moment of the clock entries have no order.
    let mut acts: Vec<_> = test.audit().await.into_iter().map(|entry| entry.act).collect();
    acts.sort_unstable();
    assert_eq!(acts, ["numbers.purchase_phone_numbers", "numbers.release_phone_number"]);
}

#[tokio::test]
async fn what_is_short_says_so_and_what_is_not_there_too() {
    let test = stocked().await;
    let found = search(&test, "US", &asked("geographic", 9)).await;
    assert_eq!(list(&found["phoneNumbers"]).len(), 5);
    assert_eq!((&found["errorCode"], &found["error"]), (&1000.into(), &"OutOfStock".into()));
    let none = search(&test, "US", &asked("geographic", 1)).await;
    assert!(list(&none["phoneNumbers"]).is_empty(), "the others are kept");
    assert_eq!(none["error"], "OutOfStock");
    let failed = finished(&test, &buy(&test, &none, true).await).await;
    assert_eq!(
        (&failed["status"], &failed["error"]["code"]),
        (&"failed".into(), &"AllNumbersNotAcquired".into())
    );
    let nowhere = search(&test, "FR", &asked("mobile", 1)).await;
    assert_eq!(nowhere["error"], "OutOfStock");
    let sms = json!({
        "phoneNumberType": "geographic", "assignmentType": "application", "areaCode": "206",
        "capabilities": { "calling": "none", "sms": "outbound" },
    });
    assert_eq!(search(&test, "US", &sms).await["error"], "OutOfStock", "not offered with texts");
}

#[tokio::test]
async fn keeping_ends_by_the_clock() {
    let test = stocked().await;
    let found = search(&test, "US", &asked("geographic", 5)).await;
    test.clock.advance(Duration::from_millis(15 * 60 * 1000 - 1));
    assert_eq!(search(&test, "US", &asked("geographic", 1)).await["error"], "OutOfStock");
    test.clock.advance(Duration::from_millis(1));
    let again = search(&test, "US", &asked("geographic", 5)).await;
    assert_eq!(list(&again["phoneNumbers"]).len(), 5, "free again");
    let late = finished(&test, &buy(&test, &found, true).await).await;
    assert_eq!((&late["status"], &late["error"]["code"]), (&"failed".into(), &"ReservationExpired".into()));
    assert_eq!(finished(&test, &buy(&test, &again, true).await).await["status"], "succeeded");
    assert_eq!(mine(&test).await.len(), 5);
}

#[tokio::test]
async fn what_was_bought_late_but_by_nobody_else_has_expired_all_the_same() {
    let test = stocked().await;
    let found = search(&test, "US", &asked("tollFree", 1)).await;
    test.clock.advance(Duration::from_secs(15 * 60));
    let late = finished(&test, &buy(&test, &found, true).await).await;
    assert_eq!(late["error"]["code"], "ReservationExpired");
    assert!(mine(&test).await.is_empty());
}

#[tokio::test]
async fn a_search_is_bought_once_by_its_own_resource() {
    let test = stocked().await;
    let found = search(&test, "US", &asked("tollFree", 1)).await;
    let body = json!({ "searchId": found["searchId"] });
    let stranger = test.call("POST", "/availablePhoneNumbers/:purchase").host("fabrikam.localhost");
    let stranger = stranger.signed_by(test.neighbour(), 0).json(&body).send().await.expect(404);
    let unknown = json!({ "searchId": base::EntryId::from_bytes([9; 16]).to_string() });
    let unknown = post(&test, "/availablePhoneNumbers/:purchase", &unknown).await.expect(404);
    assert_eq!(stranger.json(), unknown.json(), "another's search is as one that is not there");
    assert_eq!(buy(&test, &found, false).await.status, 202);
    assert_eq!(buy(&test, &found, false).await.expect(409).code(), "Conflict");
    assert_eq!(mine(&test).await.len(), 1);
}

#[tokio::test]
async fn who_does_not_promise_gets_nothing() {
    let test = stocked().await;
    let found = search(&test, "DE", &asked("geographic", 1)).await;
    assert_eq!(found["isAgreementToNotResellRequired"], true);
    let refused = buy(&test, &found, false).await.expect(400);
    assert_eq!(refused.json()["error"]["target"], "agreeToNotResell");
    assert!(mine(&test).await.is_empty());
    assert_eq!(finished(&test, &buy(&test, &found, true).await).await["status"], "succeeded");
}

/// Two resources never hold one number, on any number of nodes.
#[tokio::test]
async fn many_who_want_the_same_numbers_get_different_ones() {
    let test = stocked().await;
    let other = test.another_node().await;
    let body = asked("tollFree", 1);
    let take = async |node: &TestApp, neighbour: bool| {
        let call = |target: &str, body: &Value| {
            let call = node.call("POST", target).json(body);
            match neighbour {
                true => call.host("fabrikam.localhost").signed_by(node.neighbour(), 0),
                false => call.signed(),
            }
        };
        let found = call("/availablePhoneNumbers/countries/US/:search", &body).send().await;
        if found.status != 202 {
            return found.status;
        }
        let buy = json!({ "searchId": found.header("search-id") });
        call("/availablePhoneNumbers/:purchase", &buy).send().await.status
    };
    let mut tries = Vec::new();
    for round in 0..4 {
        for node in [&test, &other] {
            for neighbour in [false, true] {
                tries.push((round, take(node, neighbour)));
            }
        }
    }
    let mut tries: Vec<_> = tries.into_iter().map(|(_, one)| Box::pin(one)).collect();
    // All of them step by step, so that they meet.
    let mut statuses = Vec::new();
    std::future::poll_fn(|cx| {
        let mut at = 0;
        while at < tries.len() {
            match tries[at].as_mut().poll(cx) {
                std::task::Poll::Ready(status) => {
                    statuses.push(status);
                    drop(tries.swap_remove(at));
                }
                std::task::Poll::Pending => at += 1,
            }
        }
        if tries.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    assert_eq!(statuses.len(), 16);
    assert!(statuses.iter().all(|status| matches!(status, 202 | 503)), "{statuses:?}");
    let ours = test.numbers().list(0, 100).await.unwrap().0;
    let theirs = test.numbers_of(test.neighbour()).list(0, 100).await.unwrap().0;
    let all: BTreeSet<_> = ours.iter().chain(&theirs).map(|held| held.number.expose().to_owned()).collect();
    assert_eq!(all.len(), ours.len() + theirs.len(), "no number twice");
    assert!(!all.is_empty() && all.len() <= 10);
    for (held, resource) in [(&ours, test.resource()), (&theirs, test.neighbour())] {
        for one in held {
            let holder = numbers::holder(resource.cell(), &one.number).await.unwrap();
            assert_eq!(holder, Some(resource.id()), "the register agrees");
        }
    }
}

#[tokio::test]
async fn other_services_learn_who_holds_a_number_and_may_text() {
    let test = stocked().await;
    test.hold_number(test.resource(), "+18335550100").await;
    let (cell, ours, theirs) = (test.resource().cell(), test.resource().id(), test.neighbour().id());
    let number = parsed("+18335550100");
    assert_eq!(numbers::holder(cell, &number).await, Ok(Some(ours)));
    assert!(matches!(numbers::may_text(cell, ours, &number).await, Ok(MayText::Yes(_))));
    assert_eq!(numbers::may_text(cell, theirs, &number).await, Ok(MayText::NotHeld));
    for nobodys in ["+18335550101", "+4915112345678"] {
        assert_eq!(numbers::holder(cell, &parsed(nobodys)).await, Ok(None));
        assert_eq!(numbers::may_text(cell, ours, &parsed(nobodys)).await, Ok(MayText::NotHeld));
    }
    let Ok(MayText::Yes(sender)) = numbers::may_text(cell, ours, &number).await else { panic!() };
    let patch = test.call("PATCH", "/phoneNumbers/18335550100/capabilities").signed();
    let changed = patch.json(&json!({ "sms": "inbound" })).send().await;
    assert!(!changed.header("capabilities-id").is_empty());
    assert!(matches!(numbers::may_text(cell, ours, &number).await, Ok(MayText::NotEnabled(_))));
    let mut draft = cell.draft(ours).await.unwrap();
    numbers::expect_held(&mut draft, &sender);
    assert_eq!(
        draft.commit().await,
        Err(store::StoreError::Conflict),
        "what rests on the former state is lost"
    );
}

#[tokio::test]
async fn releasing_destroys_the_key_of_what_belongs_to_the_number() {
    let test = stocked().await;
    test.hold_number(test.resource(), "+18335550100").await;
    let (cell, ours) = (test.resource().cell(), test.resource().id());
    let holding = async || numbers::holding(cell, ours, &parsed("+18335550100")).await.unwrap();
    let first = holding().await.unwrap();
    let there = async || {
        let mut reader = cell.read(ours).await.unwrap();
        reader.scope_key(&first.scope()).await.unwrap().is_some()
    };
    assert!(there().await);
    test.call("DELETE", "/phoneNumbers/%2B18335550100").signed().send().await.expect(202);
    assert!(!there().await);
    test.call("DELETE", "/phoneNumbers/%2B18335550100").signed().send().await.expect(404);
    assert_eq!(numbers::holder(cell, &parsed("+18335550100")).await, Ok(None));
    test.hold_number(test.neighbour(), "+18335550100").await;
    assert!(!there().await, "it is another's now");
    assert_eq!(holding().await, None);
    test.hold_number(test.resource(), "+18335550101").await;
    test.call("DELETE", "/phoneNumbers/%2B18335550101").signed().send().await.expect(202);
    test.hold_number(test.resource(), "+18335550101").await;
    let again = numbers::holding(cell, ours, &parsed("+18335550101")).await.unwrap().unwrap();
    assert!(
        again.number != first.number && again.id != again.number,
        "each purchase is a holding of its own"
    );
}

#[tokio::test]
async fn capabilities_change_within_what_is_offered() {
    let test = stocked().await;
    let found = search(&test, "US", &asked("geographic", 1)).await;
    finished(&test, &buy(&test, &found, false).await).await;
    let number = list(&found["phoneNumbers"])[0].clone();
    let target = format!("/phoneNumbers/{number}/capabilities");
    let patch = async |body: Value| test.call("PATCH", &target).signed().json(&body).send().await;
    let accepted = patch(json!({ "calling": "inbound+outbound" })).await;
    let operation = finished(&test, &accepted).await;
    assert_eq!(operation["operationType"], "updatePhoneNumberCapabilities");
    let changed = get(&test, &path(accepted.header("location"))).await.expect(200).json();
    assert_eq!(changed["capabilities"], json!({ "calling": "inbound+outbound", "sms": "none" }));
    assert_eq!(
        patch(json!({ "sms": "outbound" })).await.expect(400).json()["error"]["target"],
        "capabilities"
    );
    let gone = test.call("PATCH", "/phoneNumbers/+19995550100/capabilities").signed();
    gone.json(&json!({ "sms": "none" })).send().await.expect(404);
}

#[tokio::test]
async fn older_versions_name_a_missing_number_otherwise() {
    let test = stocked().await;
    let missing = |version| test.call("GET", "/phoneNumbers/%2B14155550100").signed().version(version).send();
    assert_eq!(missing("2021-03-07").await.expect(404).code(), "PhoneNumberNotFound");
    for version in ["2022-12-01", "2025-04-01", "2025-06-01"] {
        assert_eq!(missing(version).await.expect(404).code(), "NotFound");
    }
}

#[tokio::test]
async fn operations_are_known_to_their_resource_by_their_whole_name() {
    let test = stocked().await;
    let target = "/availablePhoneNumbers/countries/US/:search";
    let accepted = post(&test, target, &asked("tollFree", 1)).await;
    let name = accepted.header("operation-id").to_owned();
    let at = |name: &str| format!("/phoneNumbers/operations/{name}");
    assert_eq!(get(&test, &at(&name)).await.expect(200).header("location"), accepted.header("location"));
    let stranger = test.call("GET", &at(&name)).host("fabrikam.localhost").signed_by(test.neighbour(), 0);
    stranger.send().await.expect(404);
    for bad in [name.replace("search_", "purchase_"), name.replace("search_", ""), "search_x".to_owned()] {
        get(&test, &at(&bad)).await.expect(404);
    }
    test.call("DELETE", &at(&name)).signed().send().await.expect(204);
    test.call("DELETE", &at("search_x")).signed().send().await.expect(404);
    get(&test, "/availablePhoneNumbers/searchResults/nothing").await.expect(404);
}
