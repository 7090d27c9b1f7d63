//! Every limit of the chat, at it and just past it.

use base::Limits;
use serde_json::{Value, json};
use server::testing::{Options, TestApp, TestUser};

use crate::chat_calls::{add, create, list, send, thread_path};

async fn app_with(limits: Limits) -> TestApp {
    TestApp::with(Options { limits, ..Options::default() }).await
}

async fn users(app: &TestApp, count: usize) -> Vec<TestUser> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(app.user(&["chat"]).await);
    }
    all
}

fn refs(users: &[TestUser]) -> Vec<&TestUser> {
    users.iter().collect()
}

async fn participants(app: &TestApp, by: &TestUser, thread: &str, query: &str) -> Value {
    let path = format!("{}/participants{query}", thread_path(thread));
    app.call("GET", &path).by(by).send().await.expect(200).json()
}

#[tokio::test]
async fn participants_of_a_thread() {
    let app = app_with(Limits { participants_per_thread: 5, ..Limits::default() }).await;
    let all = users(&app, 7).await;
    let id = create(&app, &all[0], &refs(&all[1..4])).await;
    let both = [all[4].raw_id.as_str(), all[5].raw_id.as_str()];
    let refused = add(&app, &all[0], &id, &both).await.expect(400);
    assert_eq!(refused.json()["error"]["target"], "participants");
    assert_eq!(
        participants(&app, &all[0], &id, "").await["value"].as_array().unwrap().len(),
        4,
        "none of them"
    );
    add(&app, &all[0], &id, &both[..1]).await.expect(201);
    add(&app, &all[0], &id, &both[1..]).await.expect(400);
    add(&app, &all[0], &id, &both[..1]).await.expect(201);
    let remove = format!("{}/participants/:remove", thread_path(&id));
    app.call("POST", &remove).by(&all[0]).json(&json!({"rawId": all[1].raw_id})).send().await.expect(204);
    add(&app, &all[0], &id, &both[1..]).await.expect(201);
    let too_many: Vec<Value> =
        all[1..6].iter().map(|u| json!({"communicationIdentifier": {"rawId": u.raw_id}})).collect();
    let body = json!({"topic": "t", "participants": too_many});
    app.call("POST", "/chat/threads").by(&all[0]).json(&body).send().await.expect(400);
}

#[tokio::test]
async fn participants_of_a_request_and_of_a_thread_as_acs_has_them() {
    let app = TestApp::new().await;
    let all = users(&app, 252).await;
    let raw =
        |range: std::ops::Range<usize>| all[range].iter().map(|u| u.raw_id.as_str()).collect::<Vec<_>>();
    let id = create(&app, &all[0], &[]).await;
    add(&app, &all[0], &id, &raw(1..202)).await.expect(400);
    add(&app, &all[0], &id, &raw(1..201)).await.expect(201);
    add(&app, &all[0], &id, &raw(201..251)).await.expect(400);
    add(&app, &all[0], &id, &raw(201..250)).await.expect(201);
    add(&app, &all[0], &id, &raw(250..251)).await.expect(400);
    let first = participants(&app, &all[250 - 1], &id, "").await;
    assert_eq!(first["value"].as_array().unwrap().len(), 200);
    let next = first["nextLink"].as_str().unwrap().replace("https://contoso.localhost:8443", "");
    let rest = app.call("GET", &next).version("").by(&all[0]).send().await.expect(200).json();
    assert_eq!(rest["value"].as_array().unwrap().len(), 50);
    assert!(rest.get("nextLink").is_none());
}

#[tokio::test]
async fn bytes_of_a_message() {
    let app = TestApp::new().await;
    let ada = app.user(&["chat"]).await;
    let id = create(&app, &ada, &[]).await;
    let path = format!("{}/messages", thread_path(&id));
    let most = Limits::default().message_bytes;
    let sized = |n: usize| json!({"content": "x".repeat(n), "metadata": {"k": "v"}});
    let sent = app.call("POST", &path).by(&ada).json(&sized(most - 2)).send().await.expect(201).json();
    app.call("POST", &path).by(&ada).json(&sized(most - 1)).send().await.expect(400);
    let one = format!("{path}/{}", sent["id"].as_str().unwrap());
    let longer = json!({"metadata": {"k": "vv"}});
    let refused = app.call("PATCH", &one).by(&ada).json(&longer).send().await.expect(400);
    assert_eq!(refused.json()["error"]["target"], "content", "old content and new metadata together");
    app.call("PATCH", &one).by(&ada).json(&json!({"metadata": {"k": "w"}})).send().await.expect(204);
    let most_html = json!({"content": format!("<p>{}</p>", "&".repeat(most / 5)), "type": "html"});
    app.call("POST", &path).by(&ada).json(&most_html).send().await.expect(400);
}

#[tokio::test]
async fn items_of_a_page() {
    let app = app_with(Limits { page_size: 3, ..Limits::default() }).await;
    let ada = app.user(&["chat"]).await;
    let id = create(&app, &ada, &[]).await;
    for n in 0..4 {
        send(&app, &ada, &id, &n.to_string()).await;
    }
    for (query, length) in [("", 3), ("?maxPageSize=3", 3), ("?maxPageSize=4", 3), ("?maxPageSize=1", 1)] {
        assert_eq!(list(&app, &ada, &id, query).await.len(), length, "{query}");
    }
    for query in ["?maxPageSize=0", "?maxPageSize=-1", "?maxPageSize=x", "?startTime=yesterday"] {
        let path = format!("{}/messages{query}", thread_path(&id));
        app.call("GET", &path).by(&ada).send().await.expect(400);
    }
}

#[tokio::test]
async fn characters_of_a_topic_and_a_name_and_bytes_of_metadata() {
    let app =
        app_with(Limits { topic_chars: 10, display_name_chars: 5, metadata_bytes: 8, ..Limits::default() })
            .await;
    let (ada, bob) = (app.user(&["chat"]).await, app.user(&["chat"]).await);
    let create =
        async |body: Value| app.call("POST", "/chat/threads").by(&ada).json(&body).send().await.status;
    assert_eq!(create(json!({"topic": "ü".repeat(10)})).await, 201);
    assert_eq!(create(json!({"topic": "ü".repeat(11)})).await, 400);
    assert_eq!(create(json!({"topic": ""})).await, 400);
    assert_eq!(create(json!({})).await, 400);
    let named = |name: &str| json!({"topic": "t", "participants": [{"communicationIdentifier": {"rawId": bob.raw_id}, "displayName": name}]});
    assert_eq!(create(named("abcde")).await, 201);
    assert_eq!(create(named("abcdef")).await, 400);
    assert_eq!(create(json!({"topic": "t", "metadata": {"abcd": "1234"}})).await, 201);
    assert_eq!(create(json!({"topic": "t", "metadata": {"abcd": "12345"}})).await, 400);
}

#[tokio::test]
async fn days_of_retention() {
    let app = TestApp::new().await;
    let ada = app.user(&["chat"]).await;
    for (days, status) in [(29, 400), (30, 201), (90, 201), (91, 400)] {
        let body = json!({"topic": "t", "retentionPolicy": {"kind": "threadCreationDate", "deleteThreadAfterDays": days}});
        let answer = app.call("POST", "/chat/threads").by(&ada).json(&body).send().await;
        assert_eq!(answer.status, status, "{days} days");
    }
}

#[tokio::test]
async fn participants_up_to_which_receipts_are_kept() {
    let app = app_with(Limits { receipts_participants: 3, ..Limits::default() }).await;
    let all = users(&app, 4).await;
    let id = create(&app, &all[0], &refs(&all[1..3])).await;
    let message = send(&app, &all[0], &id, "x").await;
    let path = format!("{}/readReceipts", thread_path(&id));
    let read = json!({"chatMessageId": message});
    app.call("POST", &path).by(&all[1]).json(&read).send().await.expect(200);
    add(&app, &all[0], &id, &[&all[3].raw_id]).await.expect(201);
    app.call("POST", &path).by(&all[2]).json(&read).send().await.expect(200);
    let listed = app.call("GET", &path).by(&all[0]).send().await.expect(200).json();
    assert_eq!(listed["value"].as_array().unwrap().len(), 1, "the fourth participant ended receipts");
}
