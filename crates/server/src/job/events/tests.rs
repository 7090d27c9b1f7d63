//! Tests of lanes: real rows on the memory engine, webhooks in memory, a clock that is moved by hand.

#[path = "tests/elsewhere.rs"]
mod elsewhere;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use ::http::HeaderMap;
use base::{Personal, Rng};
use bytes::Bytes;
use guard::BoxFuture;
use serde_json::{Value, json};
use store::{Direction, KeyRange, Opened};
use tokio::sync::Notify;

use super::*;
use crate::channel::webhook::{HookAnswer, HookFault, HookRequest};
use crate::service::events::{Dead, Queue};
use crate::testing::{TestApp, TestUser};

/// How a webhook of a test behaves, by the first segment of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Good,
    Status(u16),
    Hangs,
    /// Fails what names this text.
    FailsOn(&'static str),
}

#[derive(Default)]
struct Hooks {
    moods: Mutex<HashMap<&'static str, Mood>>,
    /// What each webhook was told, in order; those that answered well only.
    told: Mutex<Vec<(String, Value)>>,
    seen: AtomicUsize,
    news: Notify,
}

impl Hooks {
    fn mood(&self, name: &'static str, mood: Mood) {
        self.moods.lock().unwrap_or_else(PoisonError::into_inner).insert(name, mood);
    }

    fn of(&self, url: &str) -> (String, Mood) {
        let name = url.rsplit('/').next().unwrap_or_default().to_owned();
        let moods = self.moods.lock().unwrap();
        let mood = moods.get(name.as_str()).copied().unwrap_or(Mood::Good);
        (name, mood)
    }

    fn told(&self, name: &str) -> Vec<Value> {
        let told = self.told.lock().unwrap();
        told.iter().filter(|(to, _)| to == name).map(|(_, event)| event.clone()).collect()
    }

    /// Waits until the webhook called `name` was told so many events.
    async fn wait(&self, name: &str, count: usize) -> Vec<Value> {
        let enough = async {
            loop {
                let news = self.news.notified();
                if self.told(name).len() >= count {
                    return;
                }
                let soon = tokio::time::timeout(Duration::from_millis(200), news);
                drop(soon.await);
            }
        };
        let within = tokio::time::timeout(Duration::from_secs(20), enough).await;
        let told = self.told(name);
        assert!(within.is_ok(), "{name} was told {} of {count}", told.len());
        told
    }

    async fn wait_seen(&self, count: usize) {
        let enough = async {
            while self.seen.load(Ordering::SeqCst) < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(
            tokio::time::timeout(Duration::from_secs(20), enough).await.is_ok(),
            "not tried {count} times"
        );
    }
}

impl HookChannel for Hooks {
    fn send(&self, request: HookRequest) -> BoxFuture<'_, Result<HookAnswer, HookFault>> {
        let (name, mood) = self.of(request.url.expose());
        let body: Value = serde_json::from_slice(request.body.expose()).unwrap_or_default();
        let is_question = request.headers.contains(&("aeg-event-type", "SubscriptionValidation".to_owned()));
        let answer = |status, body: String, headers| {
            Ok(HookAnswer { status, headers, body: Personal::new(Bytes::from(body)) })
        };
        Box::pin(async move {
            if request.method == "OPTIONS" {
                let mut headers = HeaderMap::new();
                headers.insert("webhook-allowed-origin", ::http::HeaderValue::from_static("*"));
                return answer(200, String::new(), headers);
            }
            if is_question {
                let code = body[0]["data"]["validationCode"].clone();
                return answer(200, json!({ "validationResponse": code }).to_string(), HeaderMap::new());
            }
            self.seen.fetch_add(1, Ordering::SeqCst);
            let status = match mood {
                Mood::Good => 200,
                Mood::Status(status) => status,
                Mood::Hangs => {
                    std::future::pending::<()>().await;
                    0
                }
                Mood::FailsOn(text) if body.to_string().contains(text) => 500,
                Mood::FailsOn(_) => 200,
            };
            if status == 200 {
                let event = if body.is_array() { body[0].clone() } else { body };
                self.told.lock().unwrap().push((name, event));
                self.news.notify_waiters();
            }
            answer(status, String::new(), HeaderMap::new())
        })
    }
}

struct Node {
    test: TestApp,
    hooks: Arc<Hooks>,
    tasks: JoinSet<()>,
}

impl Node {
    async fn new() -> Self {
        let test = TestApp::new().await;
        let mut node = Self { test, hooks: Arc::new(Hooks::default()), tasks: JoinSet::new() };
        node.run();
        node
    }

    fn run(&mut self) {
        let (state, hooks) = (Arc::clone(self.test.app.state()), Arc::clone(&self.hooks));
        let id = self.test.rng.id();
        self.tasks.spawn(run(state, hooks, id, std::future::pending()));
    }

    async fn subscribe(&self, name: &str, filter: Value) {
        self.subscribe_with(name, json!({ "filter": filter })).await;
    }

    async fn subscribe_with(&self, name: &str, more: Value) {
        let mut properties = json!({
            "destination": {
                "endpointType": "WebHook",
                "properties": { "endpointUrl": format!("https://hooks.example/{name}") },
            },
        });
        properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let target = format!("/operator/resources/contoso/events/subscriptions/{name}");
        let body = json!({ "properties": properties });
        self.test.call("PUT", &target).operator().json(&body).send().await.expect(200);
        self.stands(name, "Succeeded").await;
    }

    async fn standing(&self, name: &str) -> String {
        let target = format!("/operator/resources/contoso/events/subscriptions/{name}");
        let said = self.test.call("GET", &target).operator().send().await.expect(200).json();
        said["properties"]["provisioningState"].as_str().unwrap().to_owned()
    }

    async fn stands(&self, name: &str, want: &str) {
        let reached = async {
            while self.standing(name).await != want {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(20), reached).await.is_ok(), "{name} is not {want}");
    }

    async fn thread(&self, by: &TestUser, with: &[&TestUser]) -> String {
        let participants: Vec<Value> = with
            .iter()
            .map(|user| json!({ "communicationIdentifier": { "communicationUser": { "id": user.raw_id } }, "displayName": "Bo" }))
            .collect();
        let new = json!({ "topic": "Plans", "participants": participants });
        let made = self.test.call("POST", "/chat/threads").by(by).json(&new).send().await.expect(201).json();
        made["chatThread"]["id"].as_str().unwrap().to_owned()
    }

    async fn say(&self, by: &TestUser, thread: &str, text: &str) -> String {
        let target = format!("/chat/threads/{}/messages", thread.replace(':', "%3A").replace('@', "%40"));
        let new = json!({ "content": text, "senderDisplayName": "Ada", "metadata": { "k": "v" } });
        let sent = self.test.call("POST", &target).by(by).json(&new).send().await.expect(201).json();
        sent["id"].as_str().unwrap().to_owned()
    }

    async fn queued(&self) -> usize {
        let resource = self.test.resource();
        let mut reader = resource.cell().read(resource.id()).await.unwrap();
        reader.scan_keys::<Queue>(KeyRange::all(), Direction::Forward, 1000).await.unwrap().len()
    }
}

fn only(kinds: &[&str]) -> Value {
    let kinds: Vec<String> = kinds.iter().map(|kind| format!("Microsoft.Communication.{kind}")).collect();
    json!({ "includedEventTypes": kinds })
}

fn bodies(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["data"]["messageBody"].as_str().unwrap_or_default()).collect()
}

#[tokio::test]
async fn a_message_is_told_to_the_thread_once_and_to_each_other_user() {
    let node = Node::new().await;
    node.subscribe("all", only(&["ChatMessageReceived", "ChatMessageReceivedInThread"])).await;
    let users =
        [node.test.user(&["chat"]).await, node.test.user(&["chat"]).await, node.test.user(&["chat"]).await];
    let thread = node.thread(&users[0], &[&users[1], &users[2]]).await;
    let id = node.say(&users[0], &thread, "hello").await;
    let told = node.hooks.wait("all", 3).await;
    let mut subjects: Vec<&str> = told.iter().map(|event| event["subject"].as_str().unwrap()).collect();
    subjects.sort_unstable();
    let base = format!("thread/{thread}/sender/{}", users[0].raw_id);
    let mut want = vec![base.clone()];
    want.extend(users[1..].iter().map(|user| format!("{base}/recipient/{}", user.raw_id)));
    want.sort_unstable();
    assert_eq!(subjects, want);
    for event in &told {
        let data = &event["data"];
        assert_eq!((&data["messageId"], &data["messageBody"]), (&json!(id), &json!("hello")));
        assert_eq!((&data["type"], &data["metadata"]), (&json!("Text"), &json!({ "k": "v" })));
        let is_own = event["eventType"] == "Microsoft.Communication.ChatMessageReceived";
        let recipient = data["recipientCommunicationIdentifier"]["rawId"].as_str();
        assert_eq!(
            recipient.map(|who| format!("{base}/recipient/{who}")),
            is_own.then(|| event["subject"].as_str().unwrap().to_owned())
        );
    }
    let ids: std::collections::HashSet<&str> =
        told.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn a_webhook_that_hangs_or_fails_or_redirects_never_delays_another() {
    let node = Node::new().await;
    for (name, mood) in [
        ("hangs", Mood::Hangs),
        ("fails", Mood::Status(500)),
        ("moves", Mood::Status(302)),
        ("good", Mood::Good),
    ] {
        node.hooks.mood(name, mood);
        node.subscribe(name, only(&["ChatMessageReceivedInThread"])).await;
    }
    let user = node.test.user(&["chat"]).await;
    let thread = node.thread(&user, &[]).await;
    let begun = tokio::time::Instant::now();
    for n in 0..20 {
        node.say(&user, &thread, &format!("{n}")).await;
    }
    let told = node.hooks.wait("good", 20).await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    let want: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    assert_eq!(bodies(&told), want.iter().map(String::as_str).collect::<Vec<_>>(), "in order");
    assert!(node.hooks.told("moves").is_empty() && node.hooks.told("hangs").is_empty());
}

#[tokio::test]
async fn a_subject_that_fails_holds_back_itself_only_and_is_told_in_order_later() {
    let node = Node::new().await;
    node.hooks.mood("all", Mood::FailsOn("stumble"));
    node.subscribe("all", only(&["ChatMessageReceivedInThread"])).await;
    let (one, two) = (node.test.user(&["chat"]).await, node.test.user(&["chat"]).await);
    let (first, second) = (node.thread(&one, &[]).await, node.thread(&two, &[]).await);
    node.say(&one, &first, "stumble").await;
    node.hooks.wait_seen(1).await;
    node.say(&one, &first, "behind").await;
    node.say(&two, &second, "beside").await;
    let told = node.hooks.wait("all", 1).await;
    assert_eq!(bodies(&told), ["beside"]);
    node.hooks.mood("all", Mood::Good);
    node.test.clock.advance(Duration::from_secs(12));
    let told = node.hooks.wait("all", 3).await;
    assert_eq!(bodies(&told), ["beside", "stumble", "behind"]);
    assert_eq!(node.hooks.seen.load(Ordering::SeqCst), 4, "what waited behind was not tried before its turn");
}

#[tokio::test]
async fn what_is_refused_for_good_becomes_a_dead_letter_and_is_shown() {
    let node = Node::new().await;
    node.hooks.mood("strict", Mood::Status(400));
    node.subscribe("strict", only(&["ChatMessageReceivedInThread"])).await;
    let user = node.test.user(&["chat"]).await;
    let thread = node.thread(&user, &[]).await;
    let canary = node.test.canary();
    node.say(&user, &thread, &canary).await;
    node.hooks.wait_seen(1).await;
    let target = "/operator/resources/contoso/events/subscriptions/strict/deadLetters";
    let shown = async {
        loop {
            let said = node.test.call("GET", target).operator().send().await.expect(200).json();
            if let Some(one) = said["value"].get(0) {
                return one.clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let dead = tokio::time::timeout(Duration::from_secs(20), shown).await.unwrap();
    assert_eq!(dead["data"]["messageBody"], canary.as_str());
    assert_eq!((&dead["lastDeliveryOutcome"], &dead["deliveryAttempts"]), (&json!("BadRequest"), &json!(1)));
    assert_eq!(dead["deadLetterReason"], "UndeliverableDueToClientError");
    assert_eq!(node.queued().await, 0);
    let removed = node.test.call("DELETE", target).operator().send().await.expect(200).json();
    assert_eq!(removed["removed"], 1);
}

#[tokio::test]
async fn an_event_too_old_is_given_up_at_its_next_attempt() {
    let node = Node::new().await;
    node.hooks.mood("down", Mood::Status(503));
    let more = json!({
        "filter": only(&["ChatMessageReceivedInThread"]), "retryPolicy": { "eventTimeToLiveInMinutes": 1 },
    });
    node.subscribe_with("down", more).await;
    let user = node.test.user(&["chat"]).await;
    let thread = node.thread(&user, &[]).await;
    node.say(&user, &thread, "late").await;
    node.hooks.wait_seen(1).await;
    node.test.clock.advance(Duration::from_secs(61));
    let gone = async {
        while node.queued().await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), gone).await.is_ok());
    assert_eq!(node.hooks.seen.load(Ordering::SeqCst), 1, "not tried again");
    let resource = node.test.resource();
    let mut reader = resource.cell().read(resource.id()).await.unwrap();
    let dead = reader.scan::<Dead>(KeyRange::all(), Direction::Forward, 10).await.unwrap();
    let Opened::Value(dead) = &dead[0].1 else { panic!("readable") };
    assert_eq!(dead.value.reason, "TimeToLiveExceeded");
}

#[tokio::test]
async fn who_is_deleted_is_not_told_of_any_more() {
    let node = Node::new().await;
    node.hooks.mood("down", Mood::Status(500));
    node.subscribe("down", only(&["ChatMessageReceivedInThread", "ChatThreadCreated"])).await;
    let (owner, member) = (node.test.user(&["chat"]).await, node.test.user(&["chat"]).await);
    let thread = node.thread(&owner, &[&member]).await;
    let canary = node.test.canary();
    node.say(&member, &thread, &canary).await;
    node.hooks.wait_seen(2).await;
    let path = format!("/identities/{}", member.raw_id.replace(':', "%3A"));
    node.test.call("DELETE", &path).signed().send().await.expect(204);
    node.hooks.mood("down", Mood::Good);
    node.test.clock.advance(Duration::from_secs(12));
    let told = node.hooks.wait("down", 1).await;
    assert_eq!(told[0]["eventType"], "Microsoft.Communication.ChatThreadCreated");
    let named: Vec<&Value> =
        told[0]["data"]["participants"].as_array().unwrap().iter().map(|one| &one["displayName"]).collect();
    assert_eq!(named.len(), 2);
    assert!(named.iter().all(|name| name.is_null()), "nobody is named who was deleted");
    let gone = async {
        while node.queued().await > 0 {
            node.test.clock.advance(Duration::from_secs(31));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), gone).await.is_ok(), "the erased row goes");
    assert_eq!(node.hooks.told("down").len(), 1);
}

#[tokio::test]
async fn cloud_events_are_asked_for_by_options_and_told_alone() {
    let node = Node::new().await;
    let more =
        json!({ "eventDeliverySchema": "CloudEventSchemaV1_0", "filter": only(&["ChatThreadCreated"]) });
    node.subscribe_with("cloud", more).await;
    let user = node.test.user(&["chat"]).await;
    let thread = node.thread(&user, &[]).await;
    let told = node.hooks.wait("cloud", 1).await;
    assert_eq!(
        (&told[0]["specversion"], &told[0]["type"]),
        (&json!("1.0"), &json!("Microsoft.Communication.ChatThreadCreated"))
    );
    assert_eq!(told[0]["data"]["threadId"], thread.as_str());
    assert_eq!(told[0]["data"]["properties"], json!({ "topic": "Plans" }));
    let topic = told[0]["source"].as_str().unwrap();
    assert!(topic.ends_with("/providers/microsoft.communication/communicationservices/contoso"), "{topic}");
}
