//! Who listens hears what happened, in its order, and only while it may (law 9).

use serde_json::json;
use server::service::chat::follow::Happening;
use server::service::chat::view::ContentView;
use server::service::live::{End, Hearing, MAX_LETTERS, MAX_LISTENERS_PER_USER, Taken};
use server::testing::{TestApp, TestUser};

use crate::world::{encoded, participant};

pub(crate) async fn listen(app: &TestApp, user: &TestUser) -> Option<Hearing> {
    listen_at(app, user, "").await
}

/// As `endpoint`, or, where that is empty, as one like no other.
pub(crate) async fn listen_at(app: &TestApp, user: &TestUser, endpoint: &str) -> Option<Hearing> {
    let own = format!("{endpoint}{}", if endpoint.is_empty() { app.canary() } else { String::new() });
    let resource = app.resource();
    let claims = resource.tokens().verify(&user.token, app.app.state().clock.now()).unwrap();
    let live = &app.app.state().chat.live;
    live.listen(resource.cell(), resource.id(), &claims, &own).await.unwrap()
}

/// Looks at every thread that waits to be looked at.
pub(crate) async fn settle(app: &TestApp) {
    while app.app.state().chat.live.look_at_next().await {}
}

/// What lies ready; nothing when nothing does.
pub(crate) async fn taken(app: &TestApp, hearing: &Hearing) -> Taken {
    settle(app).await;
    tokio::select! {
        biased;
        taken = hearing.next(usize::MAX) => taken,
        () = std::future::ready(()) => Taken::default(),
    }
}

/// What lies ready, each in a word.
pub(crate) async fn words(app: &TestApp, hearing: &Hearing) -> Vec<String> {
    let taken = taken(app, hearing).await;
    taken.letters.iter().map(|letter| word(&letter.what.what)).collect()
}

pub(crate) fn word(what: &Happening) -> String {
    match what {
        Happening::Received(view) | Happening::Changed(view) => {
            match (&view.content, view.edited_on, view.deleted_on) {
                (_, _, Some(_)) => "deleted".to_owned(),
                (ContentView::Text(text), Some(_), _) => format!("edited {}", text.expose()),
                (ContentView::Text(text), None, _) => format!("received {}", text.expose()),
                _ => "other".to_owned(),
            }
        }
        Happening::Created(_, _, who) => format!("created {}", who.len()),
        Happening::Updated(view, ..) => format!("updated {}", view.topic.expose()),
        Happening::Added(_, who, _) => format!("added {}", who.len()),
        Happening::Removed(..) => "removed".to_owned(),
        Happening::Ended(..) => "ended".to_owned(),
        Happening::Read(_) => "read".to_owned(),
        Happening::Typing(..) => "typing".to_owned(),
    }
}

pub(crate) struct Thread<'a> {
    app: &'a TestApp,
    owner: &'a TestUser,
    pub(crate) path: String,
}

impl<'a> Thread<'a> {
    pub(crate) async fn new(app: &'a TestApp, owner: &'a TestUser, with: &[&TestUser]) -> Self {
        let participants: Vec<_> = with.iter().map(|user| participant(user)).collect();
        let body = json!({ "topic": "t", "participants": participants });
        let made = app.call("POST", "/chat/threads").by(owner).json(&body).send().await.expect(201).json();
        let path = format!("/chat/threads/{}", encoded(made["chatThread"]["id"].as_str().unwrap()));
        Self { app, owner, path }
    }

    pub(crate) async fn send(&self, text: &str) -> String {
        let path = format!("{}/messages", self.path);
        let call = self.app.call("POST", &path).by(self.owner).json(&json!({ "content": text }));
        call.send().await.expect(201).json()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn add(&self, user: &TestUser) {
        let path = format!("{}/participants/:add", self.path);
        let body = json!({ "participants": [participant(user)] });
        self.app.call("POST", &path).by(self.owner).json(&body).send().await.expect(201);
    }

    pub(crate) async fn remove(&self, user: &TestUser) {
        let path = format!("{}/participants/:remove", self.path);
        let body = json!({ "communicationUser": { "id": user.raw_id } });
        self.app.call("POST", &path).by(self.owner).json(&body).send().await.expect(204);
    }
}

pub(crate) async fn two(app: &TestApp) -> (TestUser, TestUser) {
    (app.user(&["chat"]).await, app.user(&["chat"]).await)
}

#[tokio::test]
async fn everything_is_heard_in_its_order() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let (hears_ada, hears_bob) = (listen(&app, &ada).await.unwrap(), listen(&app, &bob).await.unwrap());
    let thread = Thread::new(&app, &ada, &[&bob]).await;
    let one = thread.send("one").await;
    thread.send("two").await;
    let message = format!("{}/messages/{one}", thread.path);
    app.clock.advance(std::time::Duration::from_secs(1));
    app.call("PATCH", &message).by(&ada).json(&json!({ "content": "ONE" })).send().await.expect(204);
    settle(&app).await;
    app.call("DELETE", &message).by(&ada).send().await.expect(204);
    app.clock.advance(std::time::Duration::from_secs(1));
    app.call("PATCH", &thread.path).by(&ada).json(&json!({ "topic": "new" })).send().await.expect(204);
    app.call("PATCH", &thread.path)
        .by(&ada)
        .json(&json!({ "metadata": { "a": "b" } }))
        .send()
        .await
        .expect(204);
    app.call("POST", &format!("{}/typing", thread.path)).by(&ada).send().await.expect(200);
    let read = json!({ "chatMessageId": one });
    app.call("POST", &format!("{}/readReceipts", thread.path)).by(&ada).json(&read).send().await.expect(200);
    let heard = words(&app, &hears_bob).await;
    let told = ["created 2", "received ONE", "received two", "edited ONE", "deleted", "updated new"];
    assert_eq!(heard[..6], told, "the first was edited before it was looked at");
    assert_eq!(heard[6..], ["updated new", "typing", "read"]);
    let own = words(&app, &hears_ada).await;
    assert_eq!(own[..], heard[..7], "nobody is told of their own typing and reading");
}

#[tokio::test]
async fn one_who_comes_in_hears_from_then_on_and_one_who_goes_no_more() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let hears = listen(&app, &bob).await.unwrap();
    let thread = Thread::new(&app, &ada, &[]).await;
    thread.send("before").await;
    assert!(words(&app, &hears).await.is_empty());
    thread.add(&bob).await;
    thread.send("with").await;
    assert_eq!(words(&app, &hears).await, ["added 1", "received with"]);
    // What lies ready and was not taken is taken back; what was not looked at is not told.
    thread.send("ready").await;
    settle(&app).await;
    thread.send("unseen").await;
    thread.remove(&bob).await;
    thread.send("after").await;
    assert_eq!(words(&app, &hears).await, ["removed"]);
    thread.add(&bob).await;
    assert_eq!(words(&app, &hears).await, ["added 1"]);
}

#[tokio::test]
async fn one_who_comes_in_while_others_listen_hears_of_it_too() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let (hears_ada, hears_bob) = (listen(&app, &ada).await.unwrap(), listen(&app, &bob).await.unwrap());
    let thread = Thread::new(&app, &ada, &[]).await;
    settle(&app).await;
    thread.add(&bob).await;
    assert_eq!(words(&app, &hears_bob).await, ["added 1"]);
    assert_eq!(words(&app, &hears_ada).await, ["created 1", "added 1"]);
}

#[tokio::test]
async fn a_deleted_thread_ends_with_that() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let thread = Thread::new(&app, &ada, &[&bob]).await;
    let hears = listen(&app, &bob).await.unwrap();
    thread.send("unseen").await;
    app.call("DELETE", &thread.path).by(&ada).send().await.expect(204);
    assert_eq!(words(&app, &hears).await, ["ended"]);
    server::job::run_once(app.app.state()).await;
}

#[tokio::test]
async fn a_revoked_or_deleted_user_hears_nothing() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let eve = app.user(&["chat"]).await;
    let thread = Thread::new(&app, &ada, &[&bob, &eve]).await;
    let (hears_bob, hears_eve) = (listen(&app, &bob).await.unwrap(), listen(&app, &eve).await.unwrap());
    thread.send("ready").await;
    settle(&app).await;
    let revoke = format!("/identities/{}/:revokeAccessTokens", encoded(&bob.raw_id));
    app.call("POST", &revoke).version("2023-10-01").signed().send().await.expect(204);
    let delete = format!("/identities/{}", encoded(&eve.raw_id));
    app.call("DELETE", &delete).version("2023-10-01").signed().send().await.expect(204);
    for hears in [&hears_bob, &hears_eve] {
        // With the answer, and not only when something happens that they might have heard of.
        let taken = taken(&app, hears).await;
        assert_eq!((taken.letters.len(), taken.end), (0, Some(End::Revoked)));
    }
    thread.send("after").await;
    for hears in [&hears_bob, &hears_eve] {
        assert!(words(&app, hears).await.is_empty());
    }
    server::job::run_once(app.app.state()).await;
}

/// Even where nobody said so to this node: each look judges anew.
#[tokio::test]
async fn what_another_node_took_away_is_gone_here() {
    let app = TestApp::new().await;
    let other = app.another_node().await;
    let (ada, bob) = two(&app).await;
    let eve = app.user(&["chat"]).await;
    let thread = Thread::new(&app, &ada, &[&bob, &eve]).await;
    let (hears_bob, hears_eve) = (listen(&other, &bob).await.unwrap(), listen(&other, &eve).await.unwrap());
    thread.remove(&bob).await;
    let revoke = format!("/identities/{}/:revokeAccessTokens", encoded(&eve.raw_id));
    app.call("POST", &revoke).version("2023-10-01").signed().send().await.expect(204);
    let there = Thread { app: &other, owner: &ada, path: thread.path.clone() };
    there.send("after").await;
    assert_eq!(words(&other, &hears_bob).await, ["removed"]);
    assert_eq!(taken(&other, &hears_eve).await.end, Some(End::Revoked));
}

/// Law 9, often: what is sent after the answer to a removal is heard by nobody who was removed, wherever the looking stands.
#[tokio::test]
async fn nothing_is_heard_after_a_removal() {
    const ROUNDS: usize = 2_000;
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let thread = Thread::new(&app, &ada, &[]).await;
    let hears = listen(&app, &bob).await.unwrap();
    for round in 0..ROUNDS {
        thread.add(&bob).await;
        thread.send("may be heard").await;
        if round % 3 == 0 {
            settle(&app).await;
        }
        let looking = settle(&app);
        let removing = thread.remove(&bob);
        if round % 2 == 0 {
            tokio::join!(removing, looking);
        } else {
            removing.await;
            drop(looking);
        }
        // From here on: nothing but that it was removed.
        let taken = taken(&app, &hears).await;
        let heard: Vec<_> = taken.letters.iter().map(|letter| word(&letter.what.what)).collect();
        assert_eq!(heard, ["removed"], "round {round}");
        thread.send("must not be heard").await;
        assert!(words(&app, &hears).await.is_empty(), "round {round}");
        app.clock.advance(std::time::Duration::from_millis(1));
    }
}

#[tokio::test]
async fn who_takes_nothing_misses_some_and_is_told_so() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let thread = Thread::new(&app, &ada, &[&bob]).await;
    let (slow, quick) = (listen(&app, &bob).await.unwrap(), listen(&app, &bob).await.unwrap());
    for number in 0..MAX_LETTERS {
        thread.send(&number.to_string()).await;
    }
    let all = taken(&app, &quick).await;
    assert_eq!((all.letters.len(), all.missed), (MAX_LETTERS, false), "as many as may lie ready");
    thread.send("one more").await;
    assert_eq!(words(&app, &quick).await, ["received one more"], "nobody else is slowed");
    let some = taken(&app, &slow).await;
    assert_eq!((some.letters.len(), some.missed), (1, true));
    thread.send("and on").await;
    let on = taken(&app, &slow).await;
    assert_eq!((on.letters.len(), on.missed), (1, false), "told once");
}

#[tokio::test]
async fn one_user_listens_with_so_many_connections_at_most() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let mut all = Vec::new();
    for _ in 0..MAX_LISTENERS_PER_USER {
        all.push(listen(&app, &ada).await.unwrap());
    }
    assert!(listen(&app, &ada).await.is_none());
    assert!(listen(&app, &bob).await.is_some(), "another may");
    all.pop();
    assert!(listen(&app, &ada).await.is_some());
    drop(all);
    assert_eq!(app.app.state().chat.live.listening(), 0);
}

#[tokio::test]
async fn a_store_that_fails_delays_and_loses_nothing() {
    use store::engine::memory::FaultPlan;
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let thread = Thread::new(&app, &ada, &[&bob]).await;
    let hears = listen(&app, &bob).await.unwrap();
    thread.send("one").await;
    app.engine.set_faults(Some(FaultPlan { read: 1000, ..FaultPlan::none(app.rng.clone()) }));
    app.app.state().chat.live.look_at_next().await;
    app.engine.set_faults(None);
    assert_eq!(words(&app, &hears).await, ["received one"]);
}

#[tokio::test]
async fn nobody_learns_who_has_read_what_they_may_not_see() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let eve = app.user(&["chat"]).await;
    let thread = Thread::new(&app, &ada, &[&bob]).await;
    let before = thread.send("before").await;
    app.clock.advance(std::time::Duration::from_secs(1));
    thread.add(&eve).await;
    let (hears_ada, hears_eve) = (listen(&app, &ada).await.unwrap(), listen(&app, &eve).await.unwrap());
    let path = format!("{}/readReceipts", thread.path);
    let read = async |message: &str| {
        let body = json!({ "chatMessageId": message });
        app.call("POST", &path).by(&bob).json(&body).send().await.expect(200);
    };
    read(&before).await;
    assert_eq!(words(&app, &hears_ada).await, ["read"]);
    assert!(words(&app, &hears_eve).await.is_empty());
    let after = thread.send("after").await;
    read(&after).await;
    assert_eq!(words(&app, &hears_eve).await, ["received after", "read"]);
}

/// As in lists: what was changed while somebody was not in the thread is not theirs to see.
#[tokio::test]
async fn an_edit_made_while_somebody_was_away_is_not_heard_by_them() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let thread = Thread::new(&app, &ada, &[&bob]).await;
    let hears = listen(&app, &ada).await.unwrap();
    let id = thread.send("one").await;
    words(&app, &hears).await;
    let step = || app.clock.advance(std::time::Duration::from_secs(1));
    step();
    thread.remove(&bob).await;
    step();
    let path = format!("{}/messages/{id}", thread.path);
    app.call("PATCH", &path).by(&ada).json(&json!({ "content": "two" })).send().await.expect(204);
    let hears_bob = listen(&app, &bob).await.unwrap();
    step();
    thread.add(&bob).await;
    assert_eq!(words(&app, &hears_bob).await, ["added 1"]);
    assert_eq!(words(&app, &hears).await, ["removed", "edited two", "added 1"]);
    step();
    app.call("PATCH", &path).by(&ada).json(&json!({ "content": "three" })).send().await.expect(204);
    assert_eq!(words(&app, &hears_bob).await, ["edited three"]);
}

/// Many come and go at once while threads are joined and left: nothing waits for ever, and nothing is left behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn coming_and_going_at_once_leaves_nothing_behind() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let thread = Thread::new(&app, &ada, &[]).await;
    let comes_and_goes = async || {
        for _ in 0..200 {
            let hearing = listen(&app, &bob).await;
            tokio::task::yield_now().await;
            drop(hearing);
        }
    };
    let joins_and_leaves = async {
        for _ in 0..100 {
            thread.add(&bob).await;
            thread.send("x").await;
            thread.remove(&bob).await;
        }
    };
    let looks = async {
        for _ in 0..2_000 {
            settle(&app).await;
            tokio::task::yield_now().await;
        }
    };
    let all = async { tokio::join!(comes_and_goes(), comes_and_goes(), joins_and_leaves, looks) };
    tokio::time::timeout(std::time::Duration::from_secs(60), all).await.unwrap();
    assert_eq!(app.app.state().chat.live.listening(), 0);
    let hears = listen(&app, &bob).await.unwrap();
    thread.add(&bob).await;
    assert_eq!(words(&app, &hears).await, ["added 1"]);
}
