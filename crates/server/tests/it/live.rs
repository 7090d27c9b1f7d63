//! Who listens hears what happened, in its order, and only while it may (law 9).

use std::sync::Arc;

use base::Timestamp;
use serde_json::json;
use server::service::chat::follow::Happening;
use server::service::chat::view::ContentView;
use server::service::live::{End, Hearing, MAX_LETTERS, MAX_LISTENERS_PER_USER, Taken};
use server::testing::{TestApp, TestUser};

use crate::world::{encoded, participant};

async fn listen(app: &TestApp, user: &TestUser) -> Option<Hearing> {
    let resource = app.resource();
    let claims = resource.tokens().verify(&user.token, app.app.state().clock.now()).unwrap();
    let live = &app.app.state().chat.live;
    live.listen(resource.cell(), resource.id(), &claims).await.unwrap()
}

/// Looks at every thread that waits to be looked at.
async fn settle(app: &TestApp) {
    while app.app.state().chat.live.look_at_next().await {}
}

/// What lies ready; nothing when nothing does.
async fn taken(app: &TestApp, hearing: &Hearing) -> Taken {
    settle(app).await;
    tokio::select! {
        biased;
        taken = hearing.next(usize::MAX) => taken,
        () = std::future::ready(()) => Taken::default(),
    }
}

/// What lies ready, each in a word.
async fn words(app: &TestApp, hearing: &Hearing) -> Vec<String> {
    let taken = taken(app, hearing).await;
    taken.letters.iter().map(|letter| word(&letter.what)).collect()
}

fn word(what: &Happening) -> String {
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

struct Thread<'a> {
    app: &'a TestApp,
    owner: &'a TestUser,
    path: String,
}

impl<'a> Thread<'a> {
    async fn new(app: &'a TestApp, owner: &'a TestUser, with: &[&TestUser]) -> Self {
        let participants: Vec<_> = with.iter().map(|user| participant(user)).collect();
        let body = json!({ "topic": "t", "participants": participants });
        let made = app.call("POST", "/chat/threads").by(owner).json(&body).send().await.expect(201).json();
        let path = format!("/chat/threads/{}", encoded(made["chatThread"]["id"].as_str().unwrap()));
        Self { app, owner, path }
    }

    async fn send(&self, text: &str) -> String {
        let path = format!("{}/messages", self.path);
        let call = self.app.call("POST", &path).by(self.owner).json(&json!({ "content": text }));
        call.send().await.expect(201).json()["id"].as_str().unwrap().to_owned()
    }

    async fn add(&self, user: &TestUser) {
        let path = format!("{}/participants/:add", self.path);
        let body = json!({ "participants": [participant(user)] });
        self.app.call("POST", &path).by(self.owner).json(&body).send().await.expect(201);
    }

    async fn remove(&self, user: &TestUser) {
        let path = format!("{}/participants/:remove", self.path);
        let body = json!({ "communicationUser": { "id": user.raw_id } });
        self.app.call("POST", &path).by(self.owner).json(&body).send().await.expect(204);
    }
}

async fn two(app: &TestApp) -> (TestUser, TestUser) {
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
    thread.send("after").await;
    for hears in [&hears_bob, &hears_eve] {
        let taken = taken(&app, hears).await;
        assert_eq!((taken.letters.len(), taken.end), (0, Some(End::Revoked)));
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
        let heard: Vec<_> = taken.letters.iter().map(|letter| word(&letter.what)).collect();
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
async fn a_socket_is_opened_by_its_user_once_and_soon() {
    let app = TestApp::new().await;
    let (ada, _) = two(&app).await;
    let resource = app.resource();
    let state = Arc::clone(app.app.state());
    let claims = resource.tokens().verify(&ada.token, state.clock.now()).unwrap();
    let sessions = &state.chat.live.sessions;
    let ask =
        || sessions.ask(resource.id(), Arc::clone(&claims), "e".to_owned(), state.clock.now(), &*state.rng);
    let open = |id: &str, resource, at: Timestamp| sessions.open(id, resource, at).is_some();
    let now = state.clock.now();
    let id = ask();
    assert!(id.len() == 64 && ask() != id);
    for guess in ["", "0", &"0".repeat(64), &id.to_uppercase(), &format!("{id}0"), "é"] {
        assert!(!open(guess, resource.id(), now), "{guess}");
    }
    assert!(open(&id, resource.id(), now) && !open(&id, resource.id(), now), "once");
    assert!(!open(&ask(), app.neighbour().id(), now), "not at another resource");
    let late = now.plus(server::service::live::OPENING);
    assert!(open(&ask(), resource.id(), late));
    assert!(!open(&ask(), resource.id(), late.plus(std::time::Duration::from_millis(1))));
}

/// The push protocol without a socket, as its user and as another.
#[tokio::test]
async fn who_polls_hears_and_says_and_nobody_else_does_it_for_them() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let text = |answer: server::testing::Answer| String::from_utf8(answer.body.to_vec()).unwrap();
    let shaken = app.call("GET", "/socket.io/1/?epid=e&v=v4").version("").by(&ada).send().await.expect(200);
    let id = text(shaken).split(':').next().unwrap().to_owned();
    let path = format!("/socket.io/1/xhr-polling/{id}");
    let ask = |user| app.call("GET", &path).version("").by(user).send();
    let say = |user, frames: &str| {
        app.call("POST", &path).version("").by(user).body(frames.as_bytes().to_vec(), "text/plain").send()
    };
    ask(&bob).await.expect(404);
    say(&ada, "2::").await.expect(404);
    assert_eq!(text(ask(&ada).await.expect(200)), "1::");
    ask(&bob).await.expect(404);
    say(&bob, "0::").await.expect(404);
    assert!(text(ask(&ada).await.expect(200)).contains("trouter.connected"));
    say(&ada, r#"5:1+::{"name":"user.activity"}"#).await.expect(200);
    assert_eq!(text(ask(&ada).await.expect(200)), r#"6:::1+["pong"]"#);

    let thread = Thread::new(&app, &ada, &[]).await;
    thread.send("hello").await;
    settle(&app).await;
    let heard = text(ask(&ada).await.expect(200));
    let frames: Vec<_> = wire::push::unpack(&heard).map(Result::unwrap).collect();
    assert!(
        frames.len() == 2 && frames[1].starts_with("3:::{\"id\":2,") && frames[1].contains("hello"),
        "{heard}"
    );
    let outcomes = [1, 2].map(|id| format!("3:::{{\"id\":{id},\"status\":200}}"));
    say(&ada, &wire::push::pack(&outcomes)).await.expect(200);
    assert_eq!(app.app.state().chat.live.listening(), 1);
    say(&ada, "nonsense").await.expect(200);
    ask(&ada).await.expect(404);
    assert_eq!(app.app.state().chat.live.listening(), 0, "and hears nothing more");
}

#[tokio::test]
async fn who_polls_no_more_is_gone() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let begin = async |user: &TestUser| {
        let shaken = app.call("GET", "/socket.io/1").version("").by(user).send().await.expect(200);
        let id = String::from_utf8(shaken.body.to_vec()).unwrap().split(':').next().unwrap().to_owned();
        let path = format!("/socket.io/1/xhr-polling/{id}");
        app.call("GET", &path).version("").by(user).send().await.expect(200);
        path
    };
    let path = begin(&ada).await;
    app.clock.advance(server::service::live::GONE);
    begin(&bob).await;
    assert_eq!(app.app.state().chat.live.listening(), 2);
    app.clock.advance(std::time::Duration::from_millis(1));
    begin(&bob).await;
    assert_eq!(app.app.state().chat.live.listening(), 2, "the first is gone");
    app.call("GET", &path).version("").by(&ada).send().await.expect(404);
}
