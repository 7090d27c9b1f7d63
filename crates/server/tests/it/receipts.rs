//! Receipts of deletions: what they say, that they are right after faults anywhere and beside another node, and that they can
//! be checked by others.

use std::sync::Arc;

use base::SeededRng;
use guard::token::{PublicKey, read_statement};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use server::service::receipts::TYPE;
use server::testing::{TestApp, TestUser};
use store::engine::memory::FaultPlan;

fn segment(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

async fn thread(app: &TestApp, owner: &TestUser, others: &[&TestUser], topic: &str) -> String {
    let participants: Vec<Value> = others
        .iter()
        .map(|user| json!({ "communicationIdentifier": { "rawId": user.raw_id }, "displayName": topic }))
        .collect();
    let body = json!({ "topic": topic, "participants": participants });
    let made = app.call("POST", "/chat/threads").by(owner).json(&body).send().await.expect(201).json();
    made["chatThread"]["id"].as_str().unwrap().to_owned()
}

async fn say(app: &TestApp, who: &TestUser, thread: &str, text: &str) {
    let path = format!("/chat/threads/{}/messages", segment(thread));
    app.call("POST", &path).by(who).json(&json!({ "content": text })).send().await.expect(201);
}

async fn delete(app: &TestApp, who: &TestUser, thread: &str) {
    app.call("DELETE", &format!("/chat/threads/{}", segment(thread))).by(who).send().await.expect(204);
}

async fn receipts(app: &TestApp) -> Vec<Value> {
    let told = app.call("GET", "/operator/resources/contoso/receipts").operator().send().await;
    told.expect(200).json()["value"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_receipt_says_what_when_by_whom_and_how_much() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.user(&["chat"]).await, app.user(&["chat"]).await);
    let topic = app.canary();
    let id = thread(&app, &ada, &[&bob], &topic).await;
    for _ in 0..5 {
        say(&app, &bob, &id, &topic).await;
    }
    let kept = thread(&app, &ada, &[&bob], &topic).await;
    say(&app, &bob, &kept, &topic).await;
    delete(&app, &bob, &id).await;
    assert_eq!(receipts(&app).await, Vec::<Value>::new(), "not before the bytes are gone");
    server::job::run_once(app.app.state()).await;
    let path = format!("/identities/{}", segment(&bob.raw_id));
    app.call("DELETE", &path).signed().send().await.expect(204);
    server::job::run_once(app.app.state()).await;

    let told = receipts(&app).await;
    assert_eq!(told.len(), 2);
    let (first, second) = (&told[0], &told[1]);
    assert_eq!(first["deleted"], json!({ "kind": "chatThread", "id": id }));
    assert_eq!(first["askedBy"], json!({ "kind": "user", "id": bob.raw_id }));
    assert_eq!(first["resource"], app.resource().id().to_string());
    assert_eq!((&first["geography"], &first["reason"]), (&json!("europe"), &json!("request")));
    assert_eq!(first["keysDestroyed"], 3, "the thread's and those of two who took part");
    // Two who took part, five messages and what was said of the beginning.
    assert!(first["rowsRemoved"].as_u64().unwrap() >= 8, "{first}");
    assert_eq!(second["deleted"], json!({ "kind": "identity", "id": bob.raw_id }));
    assert_eq!(second["askedBy"], json!({ "kind": "accessKey", "index": 0 }));
    assert_eq!(second["operation"], "identity.delete");
    let all = serde_json::to_string(&told).unwrap();
    assert!(!all.contains(&topic), "no content");

    let keys =
        app.call("GET", "/operator/cells/europe/receiptKeys").operator().send().await.expect(200).json();
    let keys: Vec<_> =
        keys["keys"].as_array().unwrap().iter().map(|jwk| PublicKey::from_jwk(jwk).unwrap()).collect();
    for one in &told {
        let mut said = read_statement(&keys, TYPE, one["statement"].as_str().unwrap()).unwrap();
        said["statement"] = one["statement"].clone();
        assert_eq!(&said, one, "what is shown is what was signed");
    }
}

#[tokio::test]
async fn receipts_come_in_pages() {
    let app = TestApp::new().await;
    let ada = app.user(&["chat"]).await;
    for _ in 0..5 {
        let id = thread(&app, &ada, &[], "x").await;
        delete(&app, &ada, &id).await;
        app.clock.advance(std::time::Duration::from_millis(1));
    }
    server::job::run_once(app.app.state()).await;
    let (mut target, mut seen) =
        ("/operator/resources/contoso/receipts?maxPageSize=2".to_owned(), Vec::new());
    loop {
        let page = app.call("GET", &target).operator().send().await.expect(200).json();
        let value = page["value"].as_array().unwrap();
        assert!(value.len() <= 2);
        seen.extend(value.iter().map(|one| one["askedOn"].as_str().unwrap().to_owned()));
        let Some(next) = page["nextLink"].as_str() else { break };
        target = next
            .split_once("://")
            .and_then(|(_, rest)| rest.find('/').map(|at| rest[at..].to_owned()))
            .unwrap();
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted());
    let wrong = app.call("GET", "/operator/resources/contoso/receipts?after=x").operator().send().await;
    assert_eq!(wrong.expect(400).code(), "ValidationError");
    let other = app.call("GET", "/operator/resources/fabrikam/receipts").operator().send().await.expect(200);
    assert_eq!(other.json()["value"], json!([]), "each resource has its own");
}

/// The same deletion, with commits and reads that fail, and commits that happen and say that they failed.
#[tokio::test]
async fn a_receipt_is_right_whatever_fails_on_the_way() {
    let mut expected = None;
    for seed in 0..8 {
        let app = TestApp::new().await;
        let other = app.another_node().await;
        let (ada, bob) = (app.user(&["chat"]).await, app.user(&["chat"]).await);
        let id = thread(&app, &ada, &[&bob], "x").await;
        // More than one commit takes.
        for _ in 0..300 {
            say(&app, &bob, &id, "x").await;
        }
        delete(&app, &ada, &id).await;
        if seed > 0 {
            let mut plan = FaultPlan::none(Arc::new(SeededRng::new(seed)));
            (plan.before, plan.after, plan.read) = (250, 250, 100);
            app.engine.set_faults(Some(plan));
        }
        for _ in 0..200 {
            tokio::join!(server::job::run_once(app.app.state()), server::job::run_once(other.app.state()),);
        }
        app.engine.set_faults(None);
        server::job::run_once(app.app.state()).await;
        let told = receipts(&app).await;
        assert_eq!(told.len(), 1, "seed {seed}");
        let counts = (told[0]["keysDestroyed"].clone(), told[0]["rowsRemoved"].clone());
        assert_eq!(&counts, expected.get_or_insert(counts.clone()), "seed {seed}");
        assert!(counts.1.as_u64().unwrap() > 300);
    }
}
