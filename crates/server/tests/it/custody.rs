//! Keys that a customer holds: taken away they take the content with them, and nobody else's.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Clock, ResourceId, Secret};
use guard::{BoxFuture, KmsError};
use serde_json::{Value, json};
use server::channel::webhook::{HookAnswer, HookChannel, HookFault, HookRequest};
use server::job::custody::{Alerts, look};
use server::service::audit::{Actor, Entries};
use server::service::resources::custody::{Custody, Reach, standing};
use server::testing::{Answer, CUSTOMER, TestApp, TestUser};
use store::{Direction, KeyRange, MAX_SCAN};

/// A moment after which no key is remembered.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// Whom alerts are told, and how it answers.
#[derive(Default)]
struct Pager {
    told: Mutex<Vec<(String, Value)>>,
    is_down: Mutex<bool>,
}

impl HookChannel for Pager {
    fn send(&self, request: HookRequest) -> BoxFuture<'_, Result<HookAnswer, HookFault>> {
        if *self.is_down.lock().unwrap() {
            return Box::pin(async { Err(HookFault::Socket) });
        }
        let token = request.headers.iter().find(|(name, _)| *name == "authorization");
        let token = token.map(|(_, value)| value.clone()).unwrap_or_default();
        let body = serde_json::from_slice(request.body.expose()).unwrap();
        self.told.lock().unwrap().push((token, body));
        let (headers, body) = (http::HeaderMap::new(), base::Personal::new(bytes::Bytes::new()));
        Box::pin(async { Ok(HookAnswer { status: 204, headers, body }) })
    }
}

impl Pager {
    fn alerts(self: &Arc<Self>) -> Arc<Alerts> {
        let hooks = Arc::clone(self) as _;
        let token = Some(Secret::new("pager".to_owned()));
        Arc::new(Alerts { hooks, webhook: "https://pager.example.org/".to_owned(), token })
    }

    fn told(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

async fn hand_over(test: &TestApp) {
    let custody = Custody::new(Some(CUSTOMER.to_owned()));
    let handed = custody.ensure(test.resource().cell(), test.resource().id()).await.unwrap();
    assert_eq!((handed, custody.is_settled()), (1, true));
}

async fn thread_of(test: &TestApp, user: &TestUser) -> Answer {
    test.call("POST", "/chat/threads").by(user).json(&json!({ "topic": "plans" })).send().await
}

async fn acts(test: &TestApp) -> Vec<String> {
    let mut reader = test.resource().cell().read(ResourceId::CELL).await.unwrap();
    let entries = reader.scan::<Entries>(KeyRange::all(), Direction::Forward, MAX_SCAN).await.unwrap();
    let entries = entries.into_iter().filter_map(|(_, entry)| entry.value()).map(|entry| entry.value);
    let about_keys: Vec<_> = entries.filter(|entry| entry.act.starts_with("resource.key_")).collect();
    assert!(about_keys.iter().all(|entry| entry.by == Actor::Server), "nobody asked for it");
    about_keys.into_iter().map(|entry| entry.act).collect()
}

#[tokio::test]
async fn what_a_customer_took_the_key_of_is_neither_read_nor_written_until_it_is_back() {
    let test = TestApp::new().await;
    let another = test.another_node().await;
    let (user, neighbour) = (test.user(&["chat"]).await, test.user_of(test.neighbour(), &["chat"]).await);
    thread_of(&test, &user).await.expect(201);
    hand_over(&test).await;
    thread_of(&test, &user).await.expect(201);
    test.customer().refuse(Some(KmsError::Disabled));
    test.clock.advance(FORGOTTEN);
    for node in [&test, &another] {
        for refused in [
            thread_of(node, &user).await,
            node.call("GET", "/chat/threads").by(&user).send().await,
            node.call("POST", "/identities").signed().send().await,
        ] {
            assert_eq!((refused.status, refused.code().as_str()), (403, "CustomerKeyUnavailable"));
            assert!(refused.headers.get("retry-after").is_none());
        }
        // Whoever may not know is told nothing of it.
        node.call("GET", "/chat/threads").send().await.expect(401);
        let host = format!("{}.localhost", test.neighbour().name());
        node.call("GET", "/chat/threads").host(&host).by(&neighbour).send().await.expect(200);
    }
    test.customer().refuse(None);
    test.clock.advance(Duration::from_secs(2));
    for node in [&test, &another] {
        let found = node.call("GET", "/chat/threads").by(&user).send().await.expect(200).json();
        assert_eq!(found["value"].as_array().map(Vec::len), Some(2), "all of it is back");
    }
    thread_of(&another, &user).await.expect(201);
}

#[tokio::test]
async fn one_node_writes_it_down_and_tells_of_it_once() {
    let test = TestApp::new().await;
    let another = test.another_node().await;
    let pager = Arc::new(Pager::default());
    let alerts = pager.alerts();
    hand_over(&test).await;
    let looks = async |is_first_down: bool| {
        *pager.is_down.lock().unwrap() = is_first_down;
        look(test.app.state(), Some(&alerts)).await;
        *pager.is_down.lock().unwrap() = false;
        for _ in 0..2 {
            look(another.app.state(), Some(&alerts)).await;
            look(test.app.state(), Some(&alerts)).await;
        }
    };
    looks(false).await;
    assert!(acts(&test).await.is_empty() && pager.told().is_empty());

    test.customer().refuse(Some(KmsError::Disabled));
    looks(false).await;
    assert!(pager.told().is_empty(), "what is remembered holds still");
    test.clock.advance(FORGOTTEN);
    looks(true).await;
    let told = pager.told();
    assert_eq!(told.len(), 1, "{told:?}");
    let (token, event) = &told[0];
    assert_eq!((token.as_str(), &event["type"]), ("Bearer pager", &json!("Chancery.CustomerKeyUnavailable")));
    assert_eq!((&event["subject"], &event["data"]["isFinal"]), (&json!("contoso"), &json!(false)));
    assert_eq!(event["data"]["severity"], "critical");
    let (cell, id) = (test.resource().cell(), test.resource().id());
    let stands = standing(cell, id).await.unwrap().unwrap();
    assert_eq!((stands.reach, stands.since), (Reach::Disabled, test.clock.now()));

    test.clock.advance(Duration::from_secs(2));
    test.customer().refuse(Some(KmsError::Deleted));
    looks(false).await;
    assert_eq!(pager.told()[0].1["data"]["isFinal"], json!(true));
    test.customer().refuse(Some(KmsError::Unavailable));
    looks(false).await;
    assert!(pager.told().is_empty(), "a key service that is down says nothing of the key");
    test.clock.advance(Duration::from_secs(2));
    test.customer().refuse(None);
    looks(false).await;
    assert_eq!(pager.told()[0].1["type"], json!("Chancery.CustomerKeyAvailable"));
    let all = ["resource.key_disabled", "resource.key_deleted", "resource.key_available"];
    assert_eq!(acts(&test).await, all);
}

#[tokio::test]
async fn keys_go_to_whom_the_configuration_wants_as_soon_as_that_can_be() {
    let test = TestApp::new().await;
    let (cell, id) = (test.resource().cell(), test.resource().id());
    test.customer().refuse(Some(KmsError::Unavailable));
    let custody = Custody::new(Some(CUSTOMER.to_owned()));
    assert!(custody.ensure(cell, id).await.is_err());
    assert!(!custody.is_settled());
    let holders = async || cell.key_generations(id).await.unwrap().remove(0).holder;
    assert_eq!(holders().await, "root", "nothing was lost");
    test.customer().refuse(None);
    assert_eq!(custody.ensure(cell, id).await.unwrap(), 1);
    assert_eq!(holders().await, CUSTOMER);
    assert_eq!(Custody::new(Some("root".to_owned())).ensure(cell, id).await.unwrap(), 1);
    assert_eq!(holders().await, "root");
    assert_eq!(Custody::default().ensure(cell, id).await.unwrap(), 0, "who wants nothing changes nothing");
    let unknown = Custody::new(Some("nobody".to_owned()));
    assert!(unknown.ensure(cell, id).await.is_err() && !unknown.is_settled());
}

#[tokio::test]
async fn who_looks_after_many_resources_does_not_wait_for_one_whose_key_service_hangs() {
    let test = TestApp::new().await;
    hand_over(&test).await;
    let (sick, well) = (test.resource(), test.neighbour());
    assert!(sick.is_within_reach().await && well.is_within_reach().await);
    test.customer().hang(true);
    test.clock.advance(FORGOTTEN);
    assert!(!sick.is_within_reach().await && well.is_within_reach().await);
    let jobs = async {
        server::job::run_once(test.app.state()).await;
        server::job::events::learn(test.app.state()).await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(5), jobs).await.expect("they go on without it");
    let listing = test.call("GET", "/operator/queue").operator().send().await.expect(200).json();
    let lines = listing["value"].as_array().unwrap();
    let unreadable = lines.iter().filter(|line| line["unreadable"] == json!(true));
    assert!(unreadable.clone().count() == 2 && unreadable.clone().all(|line| line["resource"] == "contoso"));
    test.customer().hang(false);
}

/// A hundred messages a second, for a minute and a half: keys are asked for as often as they are forgotten.
#[tokio::test]
async fn a_key_service_is_not_asked_for_each_message() {
    let test = TestApp::new().await;
    let target = "/operator/resources/contoso/keys:handOver";
    test.call("POST", target).operator().json(&json!({ "to": CUSTOMER })).send().await.expect(200);
    let ada = test.user(&["chat"]).await;
    let made = test.call("POST", "/chat/threads").by(&ada).json(&json!({ "topic": "x" })).send().await;
    let id = made.expect(201).json()["chatThread"]["id"].as_str().unwrap().replace('@', "%40");
    let path = format!("/chat/threads/{}/messages", id.replace(':', "%3A"));
    test.customer().calls();
    const MESSAGES: usize = 9_000;
    for _ in 0..MESSAGES {
        test.clock.advance(Duration::from_millis(10));
        test.call("POST", &path).by(&ada).json(&json!({ "content": "x" })).send().await.expect(201);
    }
    let calls = test.customer().calls();
    assert!(calls > 0, "it is asked again when keys are forgotten");
    assert!(calls * 1_000 < MESSAGES, "{calls} calls for {MESSAGES} messages");
}
