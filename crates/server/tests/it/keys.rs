//! The operator's plane: keys handed over, renewed, counted; signing keys and access keys made anew.

use guard::KmsError;
use serde_json::{Value, json};
use server::service::resources::renewal;
use server::testing::{Answer, CUSTOMER, TestApp};
use store::StoreError;

async fn post(test: &TestApp, target: &str, body: Value) -> Answer {
    test.call("POST", target).operator().json(&body).send().await
}

async fn line(test: &TestApp, resource: Option<&str>) -> Value {
    let listing = test.call("GET", "/operator/keys").operator().send().await.expect(200).json();
    let lines = listing["value"].as_array().unwrap();
    let is = |line: &&Value| line["resource"].as_str() == resource && line["dataLocation"] == "europe";
    lines.iter().find(is).cloned().unwrap()
}

async fn count(test: &TestApp, target: &str) -> Value {
    let mut answer = test.call("GET", target).operator().send().await.expect(200).json();
    while let Some(next) = answer["next"].as_str() {
        let target = format!("{target}?cursor={next}");
        answer = test.call("GET", &target).operator().send().await.expect(200).json();
    }
    answer
}

async fn acts(test: &TestApp) -> Vec<String> {
    test.audit().await.into_iter().map(|entry| entry.act).collect()
}

#[tokio::test]
async fn a_resource_changes_hands_and_back_without_stopping() {
    let test = TestApp::new().await;
    let target = "/operator/resources/contoso/keys:handOver";
    assert_eq!(line(&test, Some("contoso")).await["keyService"], "root");
    let handed = post(&test, target, json!({ "to": CUSTOMER })).await.expect(200).json();
    assert_eq!(handed, json!({ "handed": 1, "left": 0 }));
    assert_eq!(post(&test, target, json!({ "to": CUSTOMER })).await.expect(200).json()["handed"], 0);
    assert_eq!(line(&test, Some("contoso")).await["keyService"], CUSTOMER);
    assert_eq!(line(&test, Some("fabrikam")).await["keyService"], "root");
    test.call("POST", "/identities").signed().send().await.expect(201);
    post(&test, target, json!({ "to": "root" })).await.expect(200);
    test.call("POST", "/identities").signed().send().await.expect(201);
    assert_eq!(acts(&test).await.iter().filter(|act| *act == "operator.keys.hand_over_resource").count(), 3);

    let unknown = post(&test, target, json!({ "to": "nobody" })).await.expect(400);
    assert!(unknown.json()["error"]["message"].as_str().unwrap().contains("[[cell.key_service]]"));
    post(&test, target, json!({ "to": "root", "from": "root" })).await.expect(400);
    post(&test, target, json!({})).await.expect(400);
    post(&test, "/operator/resources/nobody/keys:handOver", json!({ "to": "root" })).await.expect(404);
    test.customer().refuse(Some(KmsError::Disabled));
    let refused = post(&test, target, json!({ "to": CUSTOMER })).await.expect(409);
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("Nothing was changed"));
    test.customer().refuse(Some(KmsError::Unavailable));
    post(&test, target, json!({ "to": CUSTOMER })).await.expect(409);
    assert_eq!(line(&test, Some("contoso")).await["keyService"], "root");
}

#[tokio::test]
async fn a_cell_gets_another_root() {
    let test = TestApp::new().await;
    let target = "/operator/cells/europe/keys:handOver";
    post(&test, "/operator/resources/fabrikam/keys:handOver", json!({ "to": CUSTOMER })).await.expect(200);
    let handed = post(&test, target, json!({ "to": CUSTOMER })).await.expect(200).json();
    assert_eq!(handed, json!({ "handed": 2, "left": 0 }), "the cell's own and one resource's");
    for resource in [None, Some("contoso"), Some("fabrikam")] {
        assert_eq!(line(&test, resource).await["keyService"], CUSTOMER);
    }
    let another = test.another_node().await;
    another.call("POST", "/identities").signed().send().await.expect(201);
    let back = post(&test, target, json!({ "from": CUSTOMER, "to": "root" })).await.expect(200).json();
    assert_eq!(back["handed"], 3);
    post(&test, target, json!({ "to": "nobody" })).await.expect(400);
    post(&test, "/operator/cells/nowhere/keys:handOver", json!({ "to": "root" })).await.expect(404);
}

#[tokio::test]
async fn a_rotation_is_asked_for_shown_and_counted_down_to_zero() {
    let test = TestApp::new().await;
    let (cell, id) = (test.resource().cell(), test.resource().id());
    for _ in 0..3 {
        test.user(&["chat"]).await;
    }
    let wish = json!({ "rowsPerSecond": 0 });
    let asked = post(&test, "/operator/resources/contoso/keys:rotate", wish.clone()).await.expect(200).json();
    assert_eq!((&asked["renewal"]["state"], &asked["renewal"]["pass"]), (&json!("running"), &json!(0)));
    post(&test, "/operator/resources/contoso/keys:rotate", wish).await.expect(409);
    let mut held = renewal::take(cell, id, [1; 16]).await.unwrap().unwrap();
    held.step().await.unwrap();
    let target = "/operator/resources/contoso/keys/count";
    let before = count(&test, target).await;
    assert_eq!(before["generations"][1], json!({ "generation": 2, "rows": 0 }));
    let rows = before["generations"][0]["rows"].as_u64().unwrap();
    assert!(rows >= 3, "{before}");
    while !held.is_over() {
        held.step().await.unwrap();
    }
    held.keep().await.unwrap();
    let after = count(&test, target).await;
    assert_eq!(after["generations"], json!([{ "generation": 2, "rows": rows }]));
    let shown = line(&test, Some("contoso")).await;
    assert_eq!(shown["renewal"]["state"], "done");
    assert_eq!(shown["renewal"]["generationsEnded"], 1);
    assert_eq!(shown["generations"], json!([{ "generation": 2, "keyService": "root" }]));
    test.call("GET", &format!("{target}?cursor=nonsense")).operator().send().await.expect(400);
    assert!(
        count(&test, "/operator/cells/europe/keys/count").await["generations"][0]["rows"].as_u64() > Some(0)
    );
    post(&test, "/operator/cells/europe/keys:rotate", json!({ "keepFormer": true })).await.expect(200);
    assert_eq!(line(&test, None).await["renewal"]["state"], "running");
    post(&test, "/operator/cells/europe/keys:rotate", json!({ "rows": 1 })).await.expect(400);
    let acts = acts(&test).await;
    for act in ["operator.keys.rotate_resource", "operator.keys.rotate_cell"] {
        assert_eq!(acts.iter().filter(|one| *one == act).count(), 1, "{act}");
    }
}

#[tokio::test]
async fn there_are_only_so_many_generations_that_are_kept() {
    let test = TestApp::new().await;
    let (cell, id) = (test.resource().cell(), test.resource().id());
    let keep = json!({ "keepFormer": true });
    for _ in 1..store::cell::MAX_GENERATIONS {
        post(&test, "/operator/resources/contoso/keys:rotate", keep.clone()).await.expect(200);
        let mut held = renewal::take(cell, id, [1; 16]).await.unwrap().unwrap();
        held.step().await.unwrap();
        held.keep().await.unwrap();
    }
    let refused = post(&test, "/operator/resources/contoso/keys:rotate", keep.clone()).await.expect(409);
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("without keeping"));
    assert_eq!(cell.begin_generation(id).await, Err(StoreError::Generations));
}

#[tokio::test]
async fn signing_keys_are_followed_by_others() {
    let test = TestApp::new().await;
    let another = test.another_node().await;
    let user = test.user(&["chat"]).await;
    let rotated =
        post(&test, "/operator/cells/europe/signingKeys:rotate", json!({})).await.expect(200).json();
    let keys = rotated["signingKeys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    assert!(keys[0]["verifiesUntil"].is_null() && keys[1]["verifiesUntil"].is_string(), "{rotated}");
    server::job::custody::look(another.app.state(), None).await;
    assert_eq!(another.resource().tokens().ages().len(), 2, "other nodes learn of it");
    test.clock.advance(server::service::resources::LEAD);
    let new = test.user(&["chat"]).await;
    for node in [&test, &another] {
        for user in [&user, &new] {
            node.call("GET", "/chat/threads").by(user).send().await.expect(200);
        }
    }
}

#[tokio::test]
async fn access_keys_show_their_age_and_are_made_anew() {
    let test = TestApp::new().await;
    test.call("POST", "/identities").signed_by(test.resource(), 1).send().await.expect(201);
    test.clock.advance(std::time::Duration::from_secs(3 * 24 * 3600));
    let listing =
        test.call("GET", "/operator/resources/contoso/accessKeys").operator().send().await.expect(200);
    let key = test.resource().access_keys().primary().unwrap();
    assert!(!String::from_utf8_lossy(&listing.body).contains(key.expose().as_str()));
    let keys = listing.json()["value"].clone();
    assert_eq!(
        (&keys[0]["key"], &keys[0]["ageDays"], &keys[0]["lastUsed"]),
        (&json!("primary"), &json!(3), &json!(null))
    );
    assert!(keys[1]["lastUsed"].is_string());
    let target = "/operator/resources/contoso/accessKeys:regenerate";
    let made = post(&test, target, json!({ "key": "secondary" })).await.expect(200);
    assert_eq!(made.header("cache-control"), "no-store");
    let value = made.json()["value"].as_str().unwrap().to_owned();
    test.hide(&value);
    let stands = test.resource().access_keys().current().keys()[1].to_base64();
    assert_eq!(*stands.expose(), value);
    post(&test, target, json!({ "key": "third" })).await.expect(400);
    post(&test, "/operator/resources/nobody/accessKeys:regenerate", json!({ "key": "primary" }))
        .await
        .expect(404);
    let signed = test.call("POST", target).signed().json(&json!({ "key": "primary" })).send().await;
    signed.expect(401);
    assert!(acts(&test).await.contains(&"operator.access_keys.regenerate".to_owned()));
}

/// The key set is published where receivers look, on the other node too once it has looked.
#[tokio::test]
async fn a_new_webhook_key_is_published_everywhere() {
    let test = TestApp::new().await;
    let another = test.another_node().await;
    let published = async |node: &TestApp| {
        let told =
            node.call("GET", "/.well-known/http-message-signatures-directory").send().await.expect(200);
        let kids: Vec<String> =
            told.json()["keys"].as_array().unwrap().iter().map(|key| key["kid"].to_string()).collect();
        kids
    };
    let first = published(&test).await;
    assert_eq!(published(&another).await, first);
    let rotate = |body: serde_json::Value| {
        test.call("POST", "/operator/cells/europe/webhookKeys:rotate").operator().json(&body)
    };
    let told = rotate(json!({})).send().await.expect(200).json();
    assert_eq!(told["signingKeys"].as_array().map(Vec::len), Some(2));
    let both = published(&test).await;
    assert_eq!((both.len(), &both[1]), (2, &first[0]));
    let cell = another.resource().cell();
    assert!(another.app.state().events.look_at_signer(cell).await.unwrap());
    assert!(!another.app.state().events.look_at_signer(cell).await.unwrap());
    assert_eq!(published(&another).await, both);
    rotate(json!({ "atOnce": true })).send().await.expect(200);
    let only = published(&test).await;
    assert!(only.len() == 1 && !both.contains(&only[0]));
    assert!(acts(&test).await.contains(&"operator.keys.rotate_webhook".to_owned()));
}
