//! Subscriptions to events as an operator and Azure's clients manage them, and agreeing by hand.

use std::time::Duration;

use serde_json::{Value, json};
use server::service::events::{Standing, Subscriptions};
use server::testing::{Answer, TestApp};
use store::{Direction, KeyRange};

const ARM: &str = "/subscriptions/7f3c0000-0000-0000-0000-000000000001/resourceGroups/talk/providers/Microsoft.Communication\
    /communicationServices/contoso/providers/Microsoft.EventGrid/eventSubscriptions";

/// Puts the only subscription of the resource under test where its webhook took the question. Returns the code.
pub(crate) async fn asked(test: &TestApp) -> String {
    let resource = test.resource();
    let mut reader = resource.cell().read(resource.id()).await.unwrap();
    let rows = reader.scan::<Subscriptions>(KeyRange::all(), Direction::Forward, 2).await.unwrap();
    let mut draft = reader.draft();
    drop(reader);
    let (key, row) = rows.into_iter().next().unwrap();
    let mut row = row.value().unwrap().value;
    (row.standing, row.asked) = (Standing::AwaitingManualAction, 1);
    draft.put_in_resource::<Subscriptions>(&key, &row, &[]).unwrap();
    draft.commit().await.unwrap();
    row.code.into_inner()
}

fn asks(url: &str) -> Value {
    json!({ "properties": {
        "destination": { "endpointType": "WebHook", "properties": { "endpointUrl": url } },
        "filter": { "includedEventTypes": ["Microsoft.Communication.SMSReceived"] },
    } })
}

async fn arm(test: &TestApp, method: &str, tail: &str, body: Option<&Value>) -> Answer {
    let call = test.call(method, &format!("{ARM}{tail}")).operator();
    match body {
        Some(body) => call.json(body).send().await,
        None => call.send().await,
    }
}

#[tokio::test]
async fn a_subscription_has_the_shape_of_azure() {
    let test = TestApp::new().await;
    let made = arm(&test, "PUT", "/first", Some(&asks("https://hooks.example/a?code=secret")))
        .await
        .expect(201)
        .json();
    assert_eq!(made["type"], "Microsoft.EventGrid/eventSubscriptions");
    assert_eq!(made["properties"]["provisioningState"], "Creating");
    assert_eq!(made["properties"]["destination"]["properties"]["endpointBaseUrl"], "https://hooks.example/a");
    let topic = made["properties"]["topic"].as_str().unwrap();
    assert_eq!(
        topic,
        "/subscriptions/7f3c0000-0000-0000-0000-000000000001/resourceGroups/talk/providers/microsoft.communication\
         /communicationservices/contoso"
    );
    let got = arm(&test, "GET", "/FIRST", None).await.expect(200).json();
    assert_eq!(got, made, "names are compared without regard to case");
    let listed = arm(&test, "GET", "", None).await.expect(200).json();
    assert_eq!(listed, json!({ "value": [made] }));
    let plain = "/operator/resources/contoso/events/subscriptions/first";
    assert_eq!(test.call("GET", plain).operator().send().await.expect(200).json(), made);
    let full = arm(&test, "POST", "/first/getFullUrl", None).await.expect(200).json();
    assert_eq!(full, json!({ "endpointUrl": "https://hooks.example/a?code=secret" }));
    let changed = arm(&test, "PATCH", "/first", Some(&json!({ "labels": ["one"] }))).await.expect(201).json();
    assert_eq!(
        (&changed["properties"]["labels"], &changed["properties"]["provisioningState"]),
        (&json!(["one"]), &json!("Updating"))
    );
    arm(&test, "DELETE", "/first", None).await.expect(200);
    arm(&test, "DELETE", "/first", None).await.expect(204);
    arm(&test, "GET", "/first", None).await.expect(404);
    // In one moment of the clock entries have no order.
    let mut acts: Vec<String> = test.audit().await.into_iter().map(|entry| entry.act).collect();
    acts.sort_unstable();
    let want = ["create_or_update", "delete", "get_full_url", "update"]
        .map(|act| format!("arm.event_subscriptions.{act}"));
    assert_eq!(acts, want);
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let test = TestApp::new().await;
    for name in ["/ab", "/a_b", &format!("/{}", "a".repeat(65))] {
        arm(&test, "PUT", name, Some(&asks("https://hooks.example/"))).await.expect(400);
    }
    arm(&test, "PUT", "/first", Some(&asks("gopher://hooks.example/"))).await.expect(400);
    arm(&test, "PATCH", "/first", Some(&json!({ "labels": [] }))).await.expect(404);
    let elsewhere = ARM.replace("contoso", "nobody");
    test.call("GET", &elsewhere).operator().send().await.expect(404);
    test.call("GET", ARM).signed().send().await.expect(401);
}

#[tokio::test]
async fn one_resource_does_not_see_the_subscriptions_of_another() {
    let test = TestApp::new().await;
    arm(&test, "PUT", "/first", Some(&asks("https://hooks.example/"))).await.expect(201);
    let other = ARM.replace("contoso", "fabrikam");
    assert_eq!(test.call("GET", &other).operator().send().await.expect(200).json(), json!({ "value": [] }));
    test.call("GET", &format!("{other}/first")).operator().send().await.expect(404);
}

#[tokio::test]
async fn agreeing_by_hand_needs_the_code_and_comes_in_time() {
    let test = TestApp::new().await;
    arm(&test, "PUT", "/first", Some(&asks("https://hooks.example/"))).await.expect(201);
    let link = |name: &str, code: &str| format!("/events/agree/contoso/{name}/{code}");
    let early = "0".repeat(32);
    test.call("GET", &link("first", &early)).send().await.expect(404);
    let code = asked(&test).await;
    for (name, code) in [("first", early.as_str()), ("other", &code), ("first", &code[1..])] {
        test.call("GET", &link(name, code)).send().await.expect(404);
    }
    test.clock.advance(Duration::from_secs(601));
    test.call("GET", &link("first", &code)).send().await.expect(404);
    test.clock.set(server::testing::START);
    test.call("GET", &link("first", &code)).send().await.expect(200);
    let got = arm(&test, "GET", "/first", None).await.expect(200).json();
    assert_eq!(got["properties"]["provisioningState"], "Succeeded");
    let resource = test.resource().id();
    assert!(test.app.state().events.wants(resource, "SMSReceived"));
    assert!(!test.app.state().events.wants(resource, "ChatThreadCreated"));
    assert!(!test.app.state().events.wants(test.neighbour().id(), "SMSReceived"));
}

#[tokio::test]
async fn the_keys_are_published_for_each_cell() {
    let test = TestApp::new().await;
    let path = "/.well-known/http-message-signatures-directory";
    let here = test.call("GET", path).send().await.expect(200);
    assert_eq!(here.header("content-type"), "application/http-message-signatures-directory+json");
    let keys = here.json()["keys"].clone();
    assert_eq!((&keys[0]["kty"], &keys[0]["crv"]), (&json!("OKP"), &json!("Ed25519")));
    let neighbour = test.call("GET", path).host("fabrikam.localhost").send().await.expect(200);
    assert_eq!(neighbour.json()["keys"], keys, "one cell, one key");
    let abroad = test.call("GET", path).host("northwind.localhost").send().await.expect(200);
    assert_ne!(abroad.json()["keys"], keys);
}
