//! Calls that tests of the chat make again and again.

use serde_json::{Value, json};
use server::testing::{Answer, TestApp, TestUser};

/// A text as one segment of a path.
pub(crate) fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b == b'-' {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

/// The path of a thread.
pub(crate) fn thread_path(id: &str) -> String {
    format!("/chat/threads/{}", percent(id))
}

/// Makes a thread called `about`; returns its id.
pub(crate) async fn create(app: &TestApp, by: &TestUser, with: &[&TestUser]) -> String {
    let participants: Vec<Value> =
        with.iter().map(|user| json!({"communicationIdentifier": {"rawId": user.raw_id}})).collect();
    let body = json!({"topic": "about", "participants": participants});
    let made = app.call("POST", "/chat/threads").by(by).json(&body).send().await.expect(201);
    made.json()["chatThread"]["id"].as_str().unwrap().to_owned()
}

/// Sends plain text; returns the message's id.
pub(crate) async fn send(app: &TestApp, by: &TestUser, thread: &str, text: &str) -> String {
    let path = format!("{}/messages", thread_path(thread));
    let sent = app.call("POST", &path).by(by).json(&json!({"content": text})).send().await.expect(201);
    sent.json()["id"].as_str().unwrap().to_owned()
}

/// The first page of messages.
pub(crate) async fn list(app: &TestApp, by: &TestUser, thread: &str, query: &str) -> Vec<Value> {
    let path = format!("{}/messages{query}", thread_path(thread));
    let page = app.call("GET", &path).by(by).send().await.expect(200).json();
    page["value"].as_array().unwrap().clone()
}

/// Adds participants by raw id.
pub(crate) async fn add(app: &TestApp, by: &TestUser, thread: &str, raw_ids: &[&str]) -> Answer {
    let participants: Vec<Value> =
        raw_ids.iter().map(|raw| json!({"communicationIdentifier": {"rawId": raw}})).collect();
    let path = format!("{}/participants/:add", thread_path(thread));
    app.call("POST", &path).by(by).json(&json!({"participants": participants})).send().await
}
