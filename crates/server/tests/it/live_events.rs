//! The stream of CloudEvents: what it tells, and that it can be cut anywhere and resumed without a gap or a repetition.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use server::net::Pieces;
use server::service::live::{MAX_LETTERS, SETTLED};
use server::testing::{TestApp, TestUser};
use tokio::time::timeout;

use crate::live::{Thread, settle, two};
use crate::world::encoded;

const PATH: &str = "/chat/events";

/// A client of server-sent events.
struct Client {
    pieces: Pieces,
    /// The last id that came.
    id: Option<String>,
}

impl Client {
    async fn open(app: &TestApp, user: &TestUser, after: Option<&str>) -> Self {
        let mut call = app.call("GET", PATH).version("").by(user);
        if let Some(after) = after {
            call = call.header("last-event-id", after);
        }
        let mut client = Self { pieces: call.open().await, id: None };
        assert_eq!(client.next(app).await.as_deref(), Some("ready"));
        client
    }

    /// Goes away and comes back.
    async fn again(self, app: &TestApp, user: &TestUser) -> Self {
        let id = self.id.clone();
        drop(self);
        Self::open(app, user, id.as_deref()).await
    }

    /// The next event, told or, by its name, of the stream itself; `None` when nothing comes.
    async fn next(&mut self, app: &TestApp) -> Option<String> {
        settle(app).await;
        let piece = timeout(Duration::from_millis(200), self.pieces.next()).await.ok()??;
        let text = std::str::from_utf8(&piece).unwrap().to_owned();
        assert!(text.ends_with("\n\n"), "{text}");
        let mut name = None;
        for line in text.lines() {
            match line.split_once(": ") {
                Some(("id", id)) => self.id = Some(id.to_owned()),
                Some(("event", event)) => name = Some(event.to_owned()),
                Some(("data", data)) if name.is_none() => name = Some(data.to_owned()),
                _ => {}
            }
        }
        name
    }

    /// All that comes now.
    async fn events(&mut self, app: &TestApp) -> Vec<Value> {
        let mut events = Vec::new();
        while let Some(event) = self.next(app).await {
            events.push(serde_json::from_str(&event).unwrap_or(Value::String(event)));
        }
        events
    }

    /// All that comes now, each in a word and what it says.
    async fn words(&mut self, app: &TestApp) -> Vec<String> {
        self.events(app).await.iter().map(word).collect()
    }
}

fn word(event: &Value) -> String {
    let kind = event["type"].as_str().unwrap_or_default().trim_start_matches("Microsoft.Communication.");
    match event["data"]["messageBody"].as_str().filter(|said| !said.is_empty()) {
        Some(said) => format!("{} {said}", kind.trim_start_matches("ChatMessage")),
        None => kind.to_owned(),
    }
}

#[tokio::test]
async fn each_thing_that_happens_is_one_cloud_event() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let eve = app.user(&["chat"]).await;
    let mut client = Client::open(&app, &bob, None).await;
    let thread = Thread::new(&app, &ada, &[&bob]).await;
    let id = thread.send("one").await;
    let mut all = client.events(&app).await;
    app.clock.advance(Duration::from_secs(1));
    let message = format!("{}/messages/{id}", thread.path);
    app.call("PATCH", &message).by(&ada).json(&json!({ "content": "two" })).send().await.expect(204);
    all.extend(client.events(&app).await);
    app.call("DELETE", &message).by(&ada).send().await.expect(204);
    app.clock.advance(Duration::from_secs(1));
    app.call("PATCH", &thread.path).by(&ada).json(&json!({ "topic": "new" })).send().await.expect(204);
    thread.add(&eve).await;
    thread.remove(&eve).await;
    let typing = json!({ "senderDisplayName": "Ada" });
    app.call("POST", &format!("{}/typing", thread.path)).by(&ada).json(&typing).send().await.expect(200);
    let last = thread.send("last").await;
    let read = json!({ "chatMessageId": last });
    app.call("POST", &format!("{}/readReceipts", thread.path)).by(&ada).json(&read).send().await.expect(200);
    all.extend(client.events(&app).await);
    thread.remove(&bob).await;
    all.extend(client.events(&app).await);
    let words: Vec<_> = all.iter().map(word).collect();
    let told = [
        "ChatThreadCreatedWithUser",
        "Received one",
        "Edited two",
        "ChatMessageDeleted",
        "ChatThreadPropertiesUpdatedPerUser",
        "ChatParticipantAddedToThreadWithUser",
        "ChatParticipantRemovedFromThreadWithUser",
        "Received last",
        "ChatTypingIndicatorReceivedInThread",
        "ChatReadReceiptReceived",
        "ChatParticipantRemovedFromThreadWithUser",
    ];
    assert_eq!(words, told);
    for event in &all {
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["source"], "https://contoso.localhost:8443");
        assert_eq!(event["data"]["recipientCommunicationIdentifier"]["rawId"], json!(bob.raw_id));
        assert!(event["time"].is_string() && event["subject"].as_str().unwrap().starts_with("thread/19:"));
        assert!(event["data"]["threadId"].as_str().unwrap().ends_with("@thread.v2"));
    }
    let mut ids: Vec<_> = all.iter().map(|event| event["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len(), "each has an id of its own");
    assert_eq!(all[1]["subject"], json!(format!("{}/sender/{}", subject(&all[1]), ada.raw_id)));
    assert_eq!(all[0]["data"]["participants"].as_array().unwrap().len(), 2);
    assert_eq!(all[8]["data"]["senderDisplayName"], "Ada");
    assert_eq!(all[9]["data"]["messageId"], json!(last));
}

fn subject(event: &Value) -> String {
    format!("thread/{}", event["data"]["threadId"].as_str().unwrap())
}

#[tokio::test]
async fn who_comes_back_is_told_what_happened_meanwhile_and_nothing_twice() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let (one, other) = (Thread::new(&app, &ada, &[&bob]).await, Thread::new(&app, &ada, &[&bob]).await);
    one.send("before").await;
    let mut client = Client::open(&app, &bob, None).await;
    assert!(client.words(&app).await.is_empty(), "without an id from now on");
    let edited = one.send("one").await;
    other.send("two").await;
    assert_eq!(client.words(&app).await, ["Received one", "Received two"]);
    let id = client.id.clone();
    drop(client);
    app.clock.advance(Duration::from_secs(5));
    one.send("three").await;
    other.send("four").await;
    let path = format!("{}/messages/{edited}", one.path);
    app.call("PATCH", &path).by(&ada).json(&json!({ "content": "uno" })).send().await.expect(204);
    let third = Thread::new(&app, &ada, &[&bob]).await;
    third.send("five").await;
    let mut client = Client::open(&app, &bob, id.as_deref()).await;
    let mut words = client.words(&app).await;
    words.sort();
    let missed =
        ["ChatThreadCreatedWithUser", "Edited uno", "Received five", "Received four", "Received three"];
    assert_eq!(words, missed);
    one.send("six").await;
    assert_eq!(client.words(&app).await, ["Received six"]);
    let mut client = client.again(&app, &bob).await;
    assert!(client.words(&app).await.is_empty());
    // The same id again tells the same again: it is the client's to say where it stood.
    let mut again = Client::open(&app, &bob, id.as_deref()).await;
    assert_eq!(again.words(&app).await.len(), 6);
}

#[tokio::test]
async fn who_was_removed_meanwhile_is_told_that_and_no_more() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let (one, other) = (Thread::new(&app, &ada, &[&bob]).await, Thread::new(&app, &ada, &[&bob]).await);
    let client = Client::open(&app, &bob, None).await;
    let id = client.id.clone();
    drop(client);
    app.clock.advance(Duration::from_secs(1));
    one.send("not heard").await;
    one.remove(&bob).await;
    one.send("after").await;
    app.call("DELETE", &other.path).by(&ada).send().await.expect(204);
    let mut client = Client::open(&app, &bob, id.as_deref()).await;
    let events = client.events(&app).await;
    let mut words: Vec<_> = events.iter().map(word).collect();
    words.sort();
    assert_eq!(words, ["ChatParticipantRemovedFromThreadWithUser", "ChatThreadWithUserDeleted"]);
    let ended = events.iter().find(|event| word(event) == "ChatThreadWithUserDeleted").unwrap();
    assert_eq!(ended["data"].get("deletedByCommunicationIdentifier"), None, "that was erased with it");
    let mut client = client.again(&app, &bob).await;
    assert!(client.words(&app).await.is_empty(), "once");
    one.add(&bob).await;
    assert_eq!(client.words(&app).await, ["ChatParticipantAddedToThreadWithUser"]);
    server::job::run_once(app.app.state()).await;
}

/// Law 9: what was read in the log for who came back, and was not taken yet, is taken back as well.
#[tokio::test]
async fn what_lies_ready_from_the_log_is_taken_back_by_a_removal() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let thread = Thread::new(&app, &ada, &[&bob]).await;
    let id = Client::open(&app, &bob, None).await.id;
    for number in 0..10 {
        thread.send(&number.to_string()).await;
    }
    let mut client = Client::open(&app, &bob, id.as_deref()).await;
    assert_eq!(word(&serde_json::from_str(&client.next(&app).await.unwrap()).unwrap()), "Received 0");
    thread.remove(&bob).await;
    assert_eq!(client.words(&app).await, ["ChatParticipantRemovedFromThreadWithUser"]);
    let revoke = format!("/identities/{}/:revokeAccessTokens", encoded(&bob.raw_id));
    app.call("POST", &revoke).version("2023-10-01").signed().send().await.expect(204);
    assert_eq!(client.events(&app).await, ["unauthorized"]);
    assert!(client.pieces.next().await.is_none());
    app.call("GET", PATH).version("").by(&bob).send().await.expect(401);
}

#[tokio::test]
async fn who_does_not_keep_up_reads_on_in_the_log() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let thread = Thread::new(&app, &ada, &[&bob]).await;
    let mut client = Client::open(&app, &bob, None).await;
    let many = MAX_LETTERS + 300;
    for number in 0..many {
        thread.send(&number.to_string()).await;
    }
    let words = client.words(&app).await;
    let told: Vec<_> = (0..many).map(|number| format!("Received {number}")).collect();
    assert_eq!(words, told, "nothing is lost, nothing comes twice, all in its order");
}

/// Cut at every event: each is told once.
#[tokio::test]
async fn a_stream_that_is_cut_again_and_again_tells_everything_once() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let threads = [
        Thread::new(&app, &ada, &[&bob]).await,
        Thread::new(&app, &ada, &[&bob]).await,
        Thread::new(&app, &ada, &[&bob]).await,
    ];
    let mut client = Client::open(&app, &bob, None).await;
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut sent = 0;
    for round in 0..60_usize {
        for _ in 0..round % 4 {
            threads[sent % 3].send(&sent.to_string()).await;
            sent += 1;
        }
        app.clock.advance(Duration::from_secs(if round % 10 == 0 { 200 } else { 1 }));
        if round % 3 == 1 {
            client = client.again(&app, &bob).await;
        }
        for _ in 0..round % 3 {
            let Some(event) = client.next(&app).await else { break };
            let event: Value = serde_json::from_str(&event).unwrap();
            let thread = event["data"]["threadId"].as_str().unwrap().to_owned();
            told.entry(thread).or_default().push(event["data"]["messageBody"].as_str().unwrap().to_owned());
        }
    }
    for event in client.again(&app, &bob).await.events(&app).await {
        let thread = event["data"]["threadId"].as_str().unwrap().to_owned();
        told.entry(thread).or_default().push(event["data"]["messageBody"].as_str().unwrap().to_owned());
    }
    let mut all: Vec<usize> = told.values().flatten().map(|said| said.parse().unwrap()).collect();
    for in_thread in told.values() {
        let numbers: Vec<usize> = in_thread.iter().map(|said| said.parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "in order: {numbers:?}");
    }
    all.sort_unstable();
    assert_eq!(all, (0..sent).collect::<Vec<_>>());
}

/// What an id names grows with what happened lately, not with what ever happened.
#[tokio::test]
async fn an_id_stays_short() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let mut threads = Vec::new();
    for _ in 0..20 {
        threads.push(Thread::new(&app, &ada, &[&bob]).await);
    }
    app.clock.advance(2 * SETTLED);
    let mut client = Client::open(&app, &bob, None).await;
    let empty = client.id.clone().unwrap().len();
    for thread in &threads {
        thread.send("x").await;
    }
    assert_eq!(client.events(&app).await.len(), 20);
    let full = client.id.clone().unwrap().len();
    assert!(full > 200 && empty < 50, "{empty} {full}");
    app.clock.advance(2 * SETTLED + Duration::from_secs(1));
    threads[0].send("y").await;
    assert_eq!(client.events(&app).await.len(), 1);
    threads[0].send("z").await;
    assert_eq!(client.events(&app).await.len(), 1);
    assert!(client.id.clone().unwrap().len() < 50, "{:?}", client.id);
    let mut client = client.again(&app, &bob).await;
    assert!(client.events(&app).await.is_empty());
}

#[tokio::test]
async fn what_is_no_id_is_refused() {
    let app = TestApp::new().await;
    let (ada, _) = two(&app).await;
    for bad in ["x", "Last", "AQGA", "AQD_"] {
        let target = format!("{PATH}?after={bad}");
        app.call("GET", &target).version("").by(&ada).send().await.expect(400);
        app.call("GET", PATH).version("").by(&ada).header("last-event-id", bad).send().await.expect(400);
    }
    app.call("GET", PATH).version("").send().await.expect(401);
    assert_eq!(app.app.state().chat.live.listening(), 0);
}
