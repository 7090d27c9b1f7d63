//! How a connection of the push protocol begins, and how it is held without a socket.

use std::sync::Arc;

use base::Timestamp;
use server::service::live::End;
use server::testing::{TestApp, TestUser};

use crate::live::{Thread, listen_at, settle, taken, two, words};
use crate::world::encoded;

#[tokio::test]
async fn a_socket_is_opened_by_its_user_once_and_soon() {
    let app = TestApp::new().await;
    let (ada, _) = two(&app).await;
    let resource = app.resource();
    let state = Arc::clone(app.app.state());
    let claims = resource.tokens().verify(&ada.token, state.clock.now()).unwrap();
    let sessions = &state.chat.live.sessions;
    let ask = || {
        sessions.ask(
            resource.id(),
            Arc::clone(&claims),
            ("e".to_owned(), false),
            state.clock.now(),
            &*state.rng,
        )
    };
    let open = |id: &str, resource, at: Timestamp| sessions.open(id, resource, at, None).is_some();
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
    let live = &app.app.state().chat.live;
    live.polls.forget_gone(app.app.state().clock.now());
    assert_eq!(live.listening(), 2);
    app.clock.advance(std::time::Duration::from_millis(1));
    begin(&bob).await;
    live.polls.forget_gone(app.app.state().clock.now());
    assert_eq!(app.app.state().chat.live.listening(), 2, "the first is gone");
    app.call("GET", &path).version("").by(&ada).send().await.expect(404);
}

pub(crate) async fn handshake(app: &TestApp, user: &TestUser) -> String {
    let shaken = app.call("GET", "/socket.io/1/").version("").by(user).send().await.expect(200);
    String::from_utf8(shaken.body.to_vec()).unwrap().split(':').next().unwrap().to_owned()
}

fn connect<'a>(app: &'a TestApp, id: &str) -> server::testing::Call<'a> {
    app.call("GET", &format!("/socket.io/1/websocket/{id}"))
        .version("")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

#[tokio::test]
async fn a_socket_is_refused_who_was_revoked_since_the_handshake() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let (kept, lost) = (handshake(&app, &ada).await, handshake(&app, &bob).await);
    let revoke = format!("/identities/{}/:revokeAccessTokens", encoded(&bob.raw_id));
    app.call("POST", &revoke).version("2023-10-01").signed().send().await.expect(204);
    connect(&app, &lost).send().await.expect(401);
    connect(&app, &kept).send().await.expect(101);
    connect(&app, &kept).send().await.expect(404);
}

#[tokio::test]
async fn a_refused_upgrade_leaves_the_session_to_poll_with() {
    let app = TestApp::new().await;
    let (ada, _) = two(&app).await;
    let id = handshake(&app, &ada).await;
    app.call("GET", &format!("/socket.io/1/websocket/{id}")).version("").send().await.expect(400);
    let path = format!("/socket.io/1/xhr-polling/{id}");
    app.call("GET", &path).version("").by(&ada).send().await.expect(200);
}

#[tokio::test]
async fn an_endpoint_has_a_longest_id() {
    let app = TestApp::new().await;
    let (ada, _) = two(&app).await;
    let ask = |length: usize| {
        let target = format!("/socket.io/1/?epid={}", "e".repeat(length));
        app.call("GET", &target).version("").by(&ada).send()
    };
    ask(server::service::live::MAX_ENDPOINT_ID).await.expect(200);
    ask(server::service::live::MAX_ENDPOINT_ID + 1).await.expect(400);
}

#[tokio::test]
async fn of_one_endpoint_the_newest_connection_hears() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let thread = Thread::new(&app, &ada, &[&bob]).await;
    let older = listen_at(&app, &bob, "tab").await.unwrap();
    let (other_tab, other_user) =
        (listen_at(&app, &bob, "two").await.unwrap(), listen_at(&app, &ada, "tab").await.unwrap());
    let newer = listen_at(&app, &bob, "tab").await.unwrap();
    thread.send("one").await;
    assert_eq!(taken(&app, &older).await.end, Some(End::Replaced));
    for hears in [&other_tab, &other_user, &newer] {
        assert_eq!(words(&app, hears).await, ["received one"]);
    }
    drop(older);
    thread.send("two").await;
    assert_eq!(words(&app, &newer).await, ["received two"]);
}

/// Nothing is kept for who is away: who comes back is told that something may be missing, who comes for the first time is not.
#[tokio::test]
async fn who_comes_back_is_told_of_the_gap() {
    let app = TestApp::new().await;
    let (ada, _) = two(&app).await;
    for (attempt, is_told) in
        [("", false), ("1795420800000_1", false), ("1795420800000_2", true), ("x_y", false)]
    {
        let target = format!("/socket.io/1/?epid=e&con_num={attempt}");
        let shaken = app.call("GET", &target).version("").by(&ada).send().await.expect(200);
        let shaken = String::from_utf8(shaken.body.to_vec()).unwrap();
        let path = format!("/socket.io/1/xhr-polling/{}", shaken.split(':').next().unwrap());
        app.call("GET", &path).version("").by(&ada).send().await.expect(200);
        let said = app.call("GET", &path).version("").by(&ada).send().await.expect(200);
        let said = String::from_utf8(said.body.to_vec()).unwrap();
        assert!(said.contains("trouter.connected"), "{said}");
        assert_eq!(said.contains("trouter.message_loss"), is_told, "{attempt}: {said}");
    }
}
