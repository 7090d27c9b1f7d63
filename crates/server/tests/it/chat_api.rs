//! The chat through the whole stack: shapes, headers, error codes, paging links, idempotent creation, erasure.

use std::time::Duration;

use serde_json::{Value, json};
use server::testing::{Answer, START, TestApp, TestUser};

use crate::chat_calls::{add, create, list, percent, send, thread_path};

#[tokio::test]
async fn a_new_thread_begins_with_who_is_in_it_and_what_it_is_called() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.user(&["chat"]).await, app.user(&["chat"]).await);
    let (topic, name) = (app.canary(), app.canary());
    let body = json!({
        "topic": topic,
        "participants": [{"communicationIdentifier": {"rawId": bob.raw_id}, "displayName": name}],
        "metadata": {"ward": "7"},
        "retentionPolicy": {"kind": "threadCreationDate", "deleteThreadAfterDays": 60},
    });
    let made = app.call("POST", "/chat/threads").by(&ada).json(&body).send().await.expect(201);
    let thread = &made.json()["chatThread"];
    let id = thread["id"].as_str().unwrap();
    assert!(id.starts_with("19:") && id.ends_with("@thread.v2"), "{id}");
    assert_eq!(thread["topic"], topic.as_str());
    assert_eq!(thread["createdOn"], START.to_iso());
    assert_eq!(thread["createdByCommunicationIdentifier"]["rawId"], ada.raw_id);
    assert_eq!(thread["metadata"], json!({"ward": "7"}));
    assert_eq!(thread["retentionPolicy"], json!({"kind": "threadCreationDate", "deleteThreadAfterDays": 60}));
    assert!(made.header("location").starts_with("https://contoso.localhost:8443/chat/threads/19%3A"));
    assert!(made.json().get("invalidParticipants").is_none());

    let messages = list(&app, &bob, id, "").await;
    let kinds: Vec<_> = messages.iter().map(|m| m["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["topicUpdated", "participantAdded"], "newest first");
    assert_eq!(messages[1]["sequenceId"], "1");
    assert_eq!(messages[0]["content"]["topic"], topic.as_str());
    assert_eq!(messages[0]["content"]["initiatorCommunicationIdentifier"]["rawId"], ada.raw_id);
    let added = messages[1]["content"]["participants"].as_array().unwrap();
    let ids: Vec<_> = added.iter().map(|p| p["communicationIdentifier"]["rawId"].as_str().unwrap()).collect();
    assert_eq!(ids, [ada.raw_id.as_str(), bob.raw_id.as_str()]);
    assert_eq!(added[1]["displayName"], name.as_str());
    assert!(messages.iter().all(|m| m.get("senderCommunicationIdentifier").is_none()));
}

#[tokio::test]
async fn older_versions_do_not_meet_what_they_do_not_know() {
    let app = TestApp::new().await;
    let ada = app.user(&["chat"]).await;
    let id = create(&app, &ada, &[]).await;
    let patch = json!({"metadata": {"k": "v"}, "retentionPolicy": {"kind": "none"}});
    app.call("PATCH", &thread_path(&id)).by(&ada).json(&patch).send().await.expect(204);
    for (version, knows) in
        [("2021-09-07", false), ("2023-11-07", false), ("2024-03-07", false), ("2025-03-15", true)]
    {
        let got =
            app.call("GET", &thread_path(&id)).version(version).by(&ada).send().await.expect(200).json();
        assert_eq!(got.get("metadata").is_some(), knows, "{version}");
        assert_eq!(got.get("retentionPolicy").is_some(), knows, "{version}");
    }
}

#[tokio::test]
async fn a_message_is_sent_read_edited_and_deleted() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.user(&["chat"]).await, app.user(&["chat.join.limited"]).await);
    let id = create(&app, &ada, &[&bob]).await;
    let (text, name, edited) = (app.canary(), app.canary(), app.canary());
    let path = format!("{}/messages", thread_path(&id));
    let body = json!({"content": text, "type": "text", "senderDisplayName": name, "metadata": {"a": "1"}});
    app.clock.advance(Duration::from_secs(1));
    let sent = app.call("POST", &path).by(&bob).json(&body).send().await.expect(201);
    let message = sent.json()["id"].as_str().unwrap().to_owned();
    assert!(sent.header("location").ends_with(&format!("/messages/{message}")));

    let one = format!("{path}/{message}");
    let got = app.call("GET", &one).by(&ada).send().await.expect(200).json();
    assert_eq!(got["content"], json!({"message": text}));
    assert_eq!(got["senderDisplayName"], name.as_str());
    assert_eq!(got["senderCommunicationIdentifier"]["rawId"], bob.raw_id);
    assert_eq!((&got["version"], &got["sequenceId"]), (&json!(message), &json!("3")));
    assert_eq!(got["metadata"], json!({"a": "1"}));

    let patch = json!({"content": edited});
    assert_eq!(app.call("PATCH", &one).by(&ada).json(&patch).send().await.expect(403).code(), "Forbidden");
    app.call("DELETE", &one).by(&ada).send().await.expect(403);
    app.clock.advance(Duration::from_secs(1));
    app.call("PATCH", &one).by(&bob).json(&patch).send().await.expect(204);
    let got = app.call("GET", &one).by(&ada).send().await.expect(200).json();
    assert_eq!(got["content"]["message"], edited.as_str());
    assert_eq!(got["metadata"], json!({"a": "1"}), "what the patch does not name stays");
    assert!(got["version"].as_str().unwrap() > message.as_str());
    assert!(got.get("editedOn").is_some() && got.get("deletedOn").is_none());

    for _ in 0..2 {
        app.call("DELETE", &one).by(&bob).send().await.expect(204);
    }
    let got = app.call("GET", &one).by(&ada).send().await.expect(200).json();
    assert!(got.get("deletedOn").is_some() && got.get("content").is_none() && got.get("metadata").is_none());
    assert_eq!(got["senderDisplayName"], name.as_str());
    app.call("PATCH", &one).by(&bob).json(&patch).send().await.expect(404);
    app.call("GET", &format!("{path}/12345")).by(&bob).send().await.expect(404);
    app.call("GET", &format!("{path}/not-a-number")).by(&bob).send().await.expect(404);
}

#[tokio::test]
async fn what_the_service_wrote_nobody_changes() {
    let app = TestApp::new().await;
    let ada = app.user(&["chat"]).await;
    let id = create(&app, &ada, &[]).await;
    let system = list(&app, &ada, &id, "").await[0]["id"].as_str().unwrap().to_owned();
    let one = format!("{}/messages/{system}", thread_path(&id));
    app.call("PATCH", &one).by(&ada).json(&json!({"content": "x"})).send().await.expect(403);
    app.call("DELETE", &one).by(&ada).send().await.expect(403);
    for kind in ["topicUpdated", "participantAdded", "participantRemoved", "RichText/Media_Card"] {
        let body = json!({"content": "x", "type": kind});
        let path = format!("{}/messages", thread_path(&id));
        app.call("POST", &path).by(&ada).json(&body).send().await.expect(400);
    }
}

#[tokio::test]
async fn html_is_cleaned_and_plain_text_is_not_touched() {
    let app = TestApp::new().await;
    let ada = app.user(&["chat"]).await;
    let id = create(&app, &ada, &[]).await;
    let dirty = "<p onclick=\"x()\">a<script>alert(1)</script></p>";
    let path = format!("{}/messages", thread_path(&id));
    for (kind, kept) in [("html", "<p>a</p>"), ("text", dirty)] {
        let body = json!({"content": dirty, "type": kind});
        let sent = app.call("POST", &path).by(&ada).json(&body).send().await.expect(201).json();
        let one = format!("{path}/{}", sent["id"].as_str().unwrap());
        let got = app.call("GET", &one).by(&ada).send().await.expect(200).json();
        assert_eq!((&got["type"], &got["content"]["message"]), (&json!(kind), &json!(kept)));
    }
    let nothing = json!({"content": "<script>alert(1)</script>", "type": "html"});
    app.call("POST", &path).by(&ada).json(&nothing).send().await.expect(400);
}

#[tokio::test]
async fn pages_follow_their_links_and_stay_stable_while_messages_arrive() {
    let app = TestApp::new().await;
    let ada = app.user(&["chat"]).await;
    let id = create(&app, &ada, &[]).await;
    for n in 0..11 {
        send(&app, &ada, &id, &format!("m{n}")).await;
    }
    let mut target = format!("{}/messages?maxPageSize=4", thread_path(&id));
    let mut seen = Vec::new();
    loop {
        let page = app.call("GET", &target).version("").by(&ada);
        let page = if target.contains("api-version") { page } else { page.version("2025-03-15") };
        let page = page.send().await.expect(200).json();
        seen.extend(
            page["value"].as_array().unwrap().iter().map(|m| m["sequenceId"].as_str().unwrap().to_owned()),
        );
        send(&app, &ada, &id, "meanwhile").await;
        let Some(next) = page.get("nextLink") else { break };
        let next = next.as_str().unwrap();
        target =
            next.strip_prefix("https://contoso.localhost:8443").expect("the host that was asked").to_owned();
        assert!(target.contains("maxPageSize=4") && target.contains("api-version=2025-03-15"), "{target}");
    }
    let expected: Vec<String> = (1..=13).rev().map(|n| n.to_string()).collect();
    assert_eq!(seen, expected, "each once, and nothing that came later");
    let damaged = format!("{}/messages?syncState=AAAA", thread_path(&id));
    app.call("GET", &damaged).by(&ada).send().await.expect(400);
}

#[tokio::test]
async fn the_same_creation_twice_makes_one_thread() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.user(&["chat"]).await, app.user(&["chat"]).await);
    let body = json!({"topic": "once"});
    let again = async |who: &TestUser, body: &Value| {
        let call = app.call("POST", "/chat/threads").by(who).json(body);
        call.header("repeatability-request-id", "9bb7f8c5-6f3d-4b1e-8a86-0f1d5e1f6a10").send().await
    };
    let id = |answer: Answer| answer.expect(201).json()["chatThread"]["id"].clone();
    let first = id(again(&ada, &body).await);
    assert_eq!(id(again(&ada, &body).await), first);
    assert_ne!(id(again(&bob, &body).await), first, "another user's id is another id");
    let differs = again(&ada, &json!({"topic": "other"})).await.expect(400);
    assert_eq!(differs.json()["error"]["target"], "repeatability-request-id");
    app.clock.advance(Duration::from_secs(24 * 3600 + 1));
    let late = TestUser { token: app.token(app.resource(), ada.id, &["chat"]), ..ada };
    assert_ne!(id(again(&late, &body).await), first, "forgotten after a day");
}

#[tokio::test]
async fn who_cannot_be_added_is_named_and_the_others_are_added() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.user(&["chat"]).await, app.user(&["chat"]).await);
    let stranger = app.user_of(app.neighbour(), &["chat"]).await;
    let unknown = bob.raw_id.replace(&bob.raw_id[bob.raw_id.len() - 4..], "0000");
    let who = |raw: &str| json!({"communicationIdentifier": {"rawId": raw}});
    let everyone = [
        bob.raw_id.as_str(),
        &stranger.raw_id,
        &unknown,
        "4:+14255550123",
        "8:orgid:5a1d8ecb-6c85-4e5b-9c51-7f3a0d0e3c11",
    ];
    let body = json!({"topic": "t", "participants": everyone.map(who)});
    let made = app.call("POST", "/chat/threads").by(&ada).json(&body).send().await.expect(201).json();
    let refused = |body: &Value| -> Vec<(String, String)> {
        let all = body["invalidParticipants"].as_array().unwrap();
        all.iter()
            .map(|e| (e["target"].as_str().unwrap().into(), e["code"].as_str().unwrap().into()))
            .collect()
    };
    let mut got = refused(&made);
    got.sort();
    let mut want: Vec<(String, String)> = everyone[1..]
        .iter()
        .map(|raw| ((*raw).into(), if *raw == unknown { "404".into() } else { "403".into() }))
        .collect();
    want.sort();
    assert_eq!(got, want);
    let id = made["chatThread"]["id"].as_str().unwrap();
    let path = format!("{}/participants", thread_path(id));
    let listed = app.call("GET", &path).by(&bob).send().await.expect(200).json();
    assert_eq!(listed["value"].as_array().unwrap().len(), 2);
    let added = add(&app, &ada, id, &[&bob.raw_id, &stranger.raw_id]).await.expect(201).json();
    assert_eq!(refused(&added), [(stranger.raw_id, "403".to_owned())]);
    assert_eq!(list(&app, &ada, id, "").await.len(), 2, "who is there already is not announced again");
}

#[tokio::test]
async fn removed_means_the_past_can_be_read_and_nothing_else() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.user(&["chat"]).await, app.user(&["chat"]).await);
    let id = create(&app, &ada, &[&bob]).await;
    let before = send(&app, &ada, &id, "before").await;
    let remove = format!("{}/participants/:remove", thread_path(&id));
    app.call("POST", &remove).by(&ada).json(&json!({"rawId": bob.raw_id})).send().await.expect(204);
    let after = send(&app, &ada, &id, "after").await;
    let seen = list(&app, &bob, &id, "").await;
    assert_eq!(seen[0]["id"], before, "up to the removal");
    let messages = format!("{}/messages", thread_path(&id));
    app.call("GET", &format!("{messages}/{before}")).by(&bob).send().await.expect(200);
    app.call("GET", &format!("{messages}/{after}")).by(&bob).send().await.expect(404);
    for (method, path, body) in [
        ("POST", messages.clone(), json!({"content": "x"})),
        ("GET", format!("{}/participants", thread_path(&id)), Value::Null),
        ("POST", format!("{}/typing", thread_path(&id)), json!({})),
        ("GET", format!("{}/readReceipts", thread_path(&id)), Value::Null),
        ("POST", format!("{}/readReceipts", thread_path(&id)), json!({"chatMessageId": before})),
        ("PATCH", thread_path(&id), json!({"topic": "x"})),
        ("DELETE", thread_path(&id), Value::Null),
        ("GET", thread_path(&id), Value::Null),
    ] {
        let call = app.call(method, &path).by(&bob);
        let call = if body.is_null() { call } else { call.json(&body) };
        assert_eq!(call.send().await.expect(403).code(), "Forbidden", "{method} {path}");
    }
    app.call("PATCH", &thread_path(&id)).by(&ada).json(&json!({"topic": "later"})).send().await.expect(204);
    let threads = app.call("GET", "/chat/threads").by(&bob).send().await.expect(200).json();
    assert_eq!(threads["value"][0]["topic"], "about", "the name it had when bob was removed");
    app.call("POST", &remove).by(&ada).json(&json!({"rawId": bob.raw_id})).send().await.expect(204);
    app.call("POST", &remove).by(&ada).json(&json!({"rawId": "4:+14255550123"})).send().await.expect(404);
}

#[tokio::test]
async fn a_deleted_thread_is_gone_for_its_members_and_never_was_for_others() {
    let app = TestApp::new().await;
    let (ada, bob, eve) = (app.user(&["chat"]).await, app.user(&["chat"]).await, app.user(&["chat"]).await);
    let id = create(&app, &ada, &[&bob]).await;
    send(&app, &bob, &id, "x").await;
    app.call("DELETE", &thread_path(&id)).by(&bob).send().await.expect(204);
    for sweep in [false, true] {
        if sweep {
            assert_eq!(server::job::run_once(app.app.state()).await, 1);
        }
        for who in [&ada, &bob] {
            let gone = app.call("GET", &thread_path(&id)).by(who).send().await.expect(404);
            assert_eq!(gone.code(), "NotFound");
            app.call("DELETE", &thread_path(&id)).by(who).send().await.expect(404);
            app.call("GET", &format!("{}/messages", thread_path(&id))).by(who).send().await.expect(404);
            let threads = app.call("GET", "/chat/threads").by(who).send().await.expect(200).json();
            assert_eq!(threads["value"], json!([]));
        }
        app.call("GET", &thread_path(&id)).by(&eve).send().await.expect(403);
    }
}

#[tokio::test]
async fn an_identity_takes_its_messages_and_name_along() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.user(&["chat"]).await, app.user(&["chat"]).await);
    let id = create(&app, &ada, &[]).await;
    let name = app.canary();
    let path = format!("{}/participants/:add", thread_path(&id));
    let body =
        json!({"participants": [{"communicationIdentifier": {"rawId": bob.raw_id}, "displayName": name}]});
    app.call("POST", &path).by(&ada).json(&body).send().await.expect(201);
    let mine = send(&app, &ada, &id, "mine").await;
    let theirs = send(&app, &bob, &id, "theirs").await;
    app.call("DELETE", &format!("/identities/{}", percent(&bob.raw_id))).signed().send().await.expect(204);
    app.call("GET", &thread_path(&id)).by(&bob).send().await.expect(401);
    for sweep in [false, true] {
        if sweep {
            server::job::run_once(app.app.state()).await;
        }
        let seen = list(&app, &ada, &id, "").await;
        assert_eq!(seen[0]["id"], mine, "what bob wrote is gone");
        assert!(!Value::from(seen).to_string().contains(&name), "and what bob was called");
        app.call("GET", &format!("{}/messages/{theirs}", thread_path(&id))).by(&ada).send().await.expect(404);
        let listed =
            app.call("GET", &format!("{}/participants", thread_path(&id))).by(&ada).send().await.json();
        assert_eq!(listed["value"].as_array().unwrap().len(), 1);
    }
    let next = send(&app, &ada, &id, "next").await;
    let newest = &list(&app, &ada, &id, "").await[0];
    assert_eq!((&newest["id"], &newest["sequenceId"]), (&json!(next), &json!("6")), "the numbering goes on");
}

#[tokio::test]
async fn receipts_say_how_far_each_has_read() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.user(&["chat"]).await, app.user(&["chat"]).await);
    let id = create(&app, &ada, &[&bob]).await;
    let (first, second) = (send(&app, &ada, &id, "1").await, send(&app, &ada, &id, "2").await);
    let path = format!("{}/readReceipts", thread_path(&id));
    for (who, message) in [(&bob, &second), (&bob, &first), (&ada, &first)] {
        app.call("POST", &path).by(who).json(&json!({"chatMessageId": message})).send().await.expect(200);
    }
    let listed = app.call("GET", &path).by(&ada).send().await.expect(200).json();
    let mut read: Vec<(String, String)> = listed["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| {
            let who = r["senderCommunicationIdentifier"]["rawId"].as_str().unwrap();
            (who.to_owned(), r["chatMessageId"].as_str().unwrap().to_owned())
        })
        .collect();
    read.sort();
    let mut want = vec![(bob.raw_id.clone(), second), (ada.raw_id.clone(), first)];
    want.sort();
    assert_eq!(read, want, "one each, and never back");
    app.call("POST", &path).by(&ada).json(&json!({"chatMessageId": "1"})).send().await.expect(404);
    app.call("POST", &path).by(&ada).json(&json!({"chatMessageId": "x"})).send().await.expect(400);
    app.call("POST", &format!("{}/typing", thread_path(&id)))
        .by(&ada)
        .json(&json!({}))
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn a_revoked_token_ends_with_the_next_request_also_on_the_path_that_reads_nothing() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.user(&["chat"]).await, app.user(&["chat"]).await);
    let id = create(&app, &ada, &[&bob]).await;
    send(&app, &bob, &id, "remembered now").await;
    let path = format!("/identities/{}/:revokeAccessTokens", percent(&bob.raw_id));
    app.call("POST", &path).signed().send().await.expect(204);
    let messages = format!("{}/messages", thread_path(&id));
    let refused = app.call("POST", &messages).by(&bob).json(&json!({"content": "x"})).send().await;
    assert_eq!(refused.expect(401).code(), "Unauthorized");
    assert_eq!(list(&app, &ada, &id, "").await.len(), 3);
}
