//! Reservations of phone numbers, and the operator's inventory.

use std::time::Duration;

use base::EntryId;
use serde_json::{Value, json};
use server::testing::{Answer, TestApp};

use crate::numbers::stocked;

const ID: &str = "6f7a2f0e-0b52-4d7e-9a3c-3a2b1c0d9e8f";

fn target(id: &str) -> String {
    format!("/availablePhoneNumbers/reservations/{id}")
}

async fn patch(test: &TestApp, id: &str, numbers: Value) -> Answer {
    let body = json!({ "phoneNumbers": numbers });
    test.call("PATCH", &target(id)).signed().json(&body).send().await
}

async fn get(test: &TestApp, id: &str) -> Answer {
    test.call("GET", &target(id)).signed().send().await
}

async fn purchase(test: &TestApp, id: &str, agrees: bool) -> Answer {
    let call = test.call("POST", &format!("{}/:purchase", target(id))).signed();
    call.json(&json!({ "agreeToNotResell": agrees })).send().await
}

fn add() -> Value {
    json!({ "countryCode": "US", "phoneNumberType": "tollFree", "assignmentType": "application" })
}

#[tokio::test]
async fn numbers_are_added_removed_and_bought_together() {
    let test = stocked().await;
    let made =
        patch(&test, ID, json!({ "18335550100": add(), "493023125000": add() })).await.expect(201).json();
    assert_eq!((&made["id"], &made["status"]), (&ID.into(), &"active".into()));
    assert_eq!(made["phoneNumbers"]["18335550100"]["status"], "reserved");
    assert_eq!(made["phoneNumbers"]["493023125000"]["isAgreementToNotResellRequired"], true);
    let changed =
        patch(&test, ID, json!({ "18335550100": null, "18335550101": add(), "493023125000": add() })).await;
    let changed = changed.expect(200).json();
    let digits: Vec<_> = changed["phoneNumbers"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(digits, ["18335550101", "493023125000"]);
    assert_eq!(get(&test, ID).await.expect(200).json(), changed);
    let listed =
        test.call("GET", "/availablePhoneNumbers/reservations").signed().send().await.expect(200).json();
    assert_eq!(listed["reservations"][0]["id"], ID);
    assert_eq!(listed["reservations"][0].get("phoneNumbers"), None, "a list leaves the numbers out");
    let refused = purchase(&test, ID, false).await.expect(400);
    assert_eq!(refused.json()["error"]["target"], "agreeToNotResell");
    let bought = purchase(&test, ID, true).await.expect(202);
    assert!(!bought.header("reservation-purchase-id").is_empty());
    let held = test.numbers().list(0, 10).await.unwrap().0;
    assert_eq!(held.len(), 2);
    let done = get(&test, ID).await.expect(200).json();
    assert_eq!(
        (&done["status"], &done["phoneNumbers"]["18335550101"]["status"]),
        (&"completed".into(), &"purchased".into())
    );
    for answer in [purchase(&test, ID, true).await, patch(&test, ID, json!({})).await] {
        assert_eq!(answer.expect(409).code(), "Conflict");
    }
    test.call("DELETE", &target(ID)).signed().send().await.expect(409);
}

#[tokio::test]
async fn what_cannot_be_had_is_told_and_the_rest_is_kept() {
    let test = stocked().await;
    test.hold_number(test.neighbour(), "+18335550105").await;
    let partly =
        patch(&test, ID, json!({ "18335550105": add(), "18335550106": add(), "33199000000": add() })).await;
    let partly = partly.expect(207).json();
    for digits in ["18335550105", "33199000000"] {
        let item = &partly["phoneNumbers"][digits];
        assert_eq!(
            (&item["status"], &item["error"]["code"]),
            (&"error".into(), &"FailedToReserveNumber".into())
        );
    }
    assert_eq!(partly["phoneNumbers"]["33199000000"]["countryCode"], "FR");
    assert_eq!(partly["phoneNumbers"]["18335550106"]["status"], "reserved");
    let kept = get(&test, ID).await.expect(200).json();
    assert_eq!(kept["phoneNumbers"].as_object().unwrap().len(), 1);
    let other = EntryId::from_bytes([7; 16]).to_string();
    patch(&test, &other, json!({ "18335550106": add() })).await.expect(207);
    test.call("DELETE", &target(ID)).signed().send().await.expect(204);
    get(&test, ID).await.expect(404);
    patch(&test, &other, json!({ "18335550106": add() })).await.expect(200);
}

#[tokio::test]
async fn each_change_prolongs_it_up_to_two_hours() {
    let test = stocked().await;
    let made = patch(&test, ID, json!({ "18335550100": add() })).await.expect(201).json();
    assert_eq!(made["expiresAt"], "2026-11-23T08:15:00.0000000Z");
    for _ in 0..8 {
        test.clock.advance(Duration::from_secs(14 * 60));
        patch(&test, ID, json!({})).await.expect(200);
    }
    let last = get(&test, ID).await.expect(200).json();
    assert_eq!(last["expiresAt"], "2026-11-23T10:00:00.0000000Z", "two hours after it was made");
    assert_eq!(last["phoneNumbers"]["18335550100"]["status"], "reserved");
    test.clock.advance(Duration::from_secs(8 * 60));
    let over = get(&test, ID).await.expect(200).json();
    assert_eq!(
        (&over["status"], &over["phoneNumbers"]["18335550100"]["status"]),
        (&"expired".into(), &"expired".into())
    );
    patch(&test, ID, json!({})).await.expect(409);
    purchase(&test, ID, true).await.expect(409);
    let other = EntryId::from_bytes([7; 16]).to_string();
    patch(&test, &other, json!({ "18335550100": add() })).await.expect(201);
    test.clock.advance(Duration::from_secs(31 * 24 * 3600));
    patch(&test, &EntryId::from_bytes([8; 16]).to_string(), json!({})).await.expect(201);
    get(&test, ID).await.expect(404);
}

#[tokio::test]
async fn an_empty_one_cannot_be_bought_nor_anothers_seen() {
    let test = stocked().await;
    patch(&test, ID, json!({})).await.expect(201);
    assert_eq!(purchase(&test, ID, true).await.expect(400).json()["error"]["target"], "reservationId");
    let stranger = test.call("GET", &target(ID)).host("fabrikam.localhost").signed_by(test.neighbour(), 0);
    stranger.send().await.expect(404);
    purchase(&test, "nothing", true).await.expect(404);
    get(&test, "nothing").await.expect(404);
    patch(&test, "nothing", json!({})).await.expect(400);
    test.call("DELETE", &target(&EntryId::from_bytes([1; 16]).to_string())).signed().send().await.expect(404);
}

#[tokio::test]
async fn a_reservation_at_and_past_its_numbers() {
    let test = stocked().await;
    let head = "number,country,type,calling,sms\n";
    test.load_numbers(&format!("{head}+15005550000..+15005550100,US,mobile,inbound,none")).await;
    let some = |range: std::ops::Range<u64>| {
        let all = range.map(|n| ((15_005_550_000 + n).to_string(), add()));
        Value::Object(all.collect())
    };
    patch(&test, ID, some(0..100)).await.expect(201);
    let past = patch(&test, ID, some(100..101)).await.expect(400);
    assert_eq!(past.json()["error"]["target"], "phoneNumbers");
    let kept = get(&test, ID).await.expect(200).json();
    assert_eq!(kept["phoneNumbers"].as_object().unwrap().len(), 100, "nothing is half done");
}

async fn import(test: &TestApp, csv: &str) -> Answer {
    let call = test.call("POST", "/operator/cells/europe/numbers:import").operator();
    call.json(&json!({ "csv": csv })).send().await
}

#[tokio::test]
async fn the_operator_fills_the_inventory_and_sees_who_has_what() {
    let test = TestApp::new().await;
    let csv =
        "number,country,type,calling,sms,cost\n+18335550100..+18335550104,US,tollFree,inbound,inbound,1.50\n";
    let counts = |answer: Answer| {
        let body = answer.expect(200).json();
        ["added", "changed", "known", "busy"].map(|name| body[name].as_u64().unwrap())
    };
    assert_eq!(counts(import(&test, csv).await), [5, 0, 0, 0]);
    assert_eq!(counts(import(&test, csv).await), [0, 0, 5, 0], "the same again changes nothing");
    test.hold_number(test.neighbour(), "+18335550104").await;
    assert_eq!(counts(import(&test, &csv.replace("1.50", "2.50")).await), [0, 4, 0, 1]);
    let call = test.call("GET", "/operator/cells/europe/numbers?maxPageSize=3").operator();
    let page = call.send().await.expect(200).json();
    assert_eq!(page["value"].as_array().unwrap().len(), 3);
    let next = page["nextLink"].as_str().unwrap().strip_prefix("https://contoso.localhost:8443").unwrap();
    let rest = test.call("GET", next).operator().send().await.expect(200).json();
    let all: Vec<_> =
        page["value"].as_array().unwrap().iter().chain(rest["value"].as_array().unwrap()).collect();
    assert_eq!(all.len(), 5);
    let held = all.iter().find(|one| one["number"] == "+18335550104").unwrap();
    assert_eq!((&held["status"], &held["resource"]), (&"held".into(), &"fabrikam".into()));
    let offers =
        test.call("GET", "/operator/cells/europe/numbers/offers").operator().send().await.expect(200).json();
    let free: Vec<_> = offers["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["cost"].clone(), one["free"].clone()))
        .collect();
    assert!(free.contains(&("2.50".into(), 4.into())), "{offers}");
    let acts: Vec<_> = test.audit().await.into_iter().map(|entry| entry.act).collect();
    assert_eq!(acts, ["operator.numbers.import"; 3]);
}

#[tokio::test]
async fn a_file_with_a_fault_is_told_line_by_line_and_nothing_is_loaded() {
    let test = TestApp::new().await;
    let csv = "number,country,type,calling,sms\n+18335550100,US,tollFree,inbound,none\n18335550101,US,tollFree,inbound,none\n+18335550102,US,fax,inbound,none\n";
    let refused = import(&test, csv).await.expect(400);
    let details = refused.json()["error"]["details"].as_array().unwrap().clone();
    let targets: Vec<_> = details.iter().map(|one| one["target"].as_str().unwrap().to_owned()).collect();
    assert_eq!(targets, ["line 3", "line 4"]);
    assert!(!String::from_utf8_lossy(&refused.body).contains("18335550101"), "numbers are not repeated");
    let none = test.call("GET", "/operator/cells/europe/numbers").operator().send().await.expect(200).json();
    assert_eq!(none["value"], json!([]));
    let nowhere = test.call("GET", "/operator/cells/atlantis/numbers").operator().send().await;
    nowhere.expect(404);
}

#[tokio::test]
async fn inventories_of_two_geographies_know_nothing_of_each_other() {
    let test = stocked().await;
    let abroad =
        test.call("GET", "/operator/cells/unitedstates/numbers").operator().send().await.expect(200).json();
    assert_eq!(abroad["value"], json!([]));
    let number = "+18335550100".parse().unwrap();
    assert!(server::service::numbers::holder(test.abroad().cell(), &number).await.unwrap().is_none());
}
