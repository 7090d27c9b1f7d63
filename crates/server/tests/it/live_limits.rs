//! Each limit of listening, at it and just past it. Those of a mailbox and of one user's connections are in `live.rs`.

use std::sync::Arc;

use server::service::live::{MAX_FOLLOWED, MAX_OPENING, MAX_PASSING, MAX_WAITING, Sessions};
use server::testing::TestApp;

use crate::live::{Thread, listen, settle, two, words};
use crate::live_push::handshake;

/// As many threads as are followed for one, and one more.
#[tokio::test]
async fn so_many_threads_are_followed_for_one_who_listens() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let mut threads = Vec::new();
    for _ in 0..=MAX_FOLLOWED {
        threads.push(Thread::new(&app, &ada, &[&bob]).await);
    }
    let hears = listen(&app, &bob).await.unwrap();
    let mut heard = 0;
    for thread in &threads {
        thread.send("x").await;
        heard += words(&app, &hears).await.len();
    }
    assert_eq!(heard, MAX_FOLLOWED);
}

/// As much as is told in passing of one thread at a time, and one more.
#[tokio::test]
async fn so_much_is_told_in_passing() {
    let app = TestApp::new().await;
    let (ada, bob) = two(&app).await;
    let thread = Thread::new(&app, &ada, &[&bob]).await;
    let hears = listen(&app, &bob).await.unwrap();
    for _ in 0..=MAX_PASSING {
        app.call("POST", &format!("{}/typing", thread.path)).by(&ada).send().await.expect(200);
    }
    assert_eq!(words(&app, &hears).await, vec!["typing"; MAX_PASSING]);
}

/// With one more than may be about to open, the older half is given up.
#[tokio::test]
async fn so_many_may_be_about_to_open() {
    let app = TestApp::new().await;
    let (ada, _) = two(&app).await;
    let (state, resource) = (app.app.state(), app.resource());
    let claims = resource.tokens().verify(&ada.token, state.clock.now()).unwrap();
    for (many, is_there) in [(MAX_OPENING, true), (MAX_OPENING + 1, false)] {
        let sessions = Sessions::default();
        let ask = || {
            let asked = ("e".to_owned(), false);
            sessions.ask(resource.id(), Arc::clone(&claims), asked, state.clock.now(), &*state.rng)
        };
        let all: Vec<String> = (0..many).map(|_| ask()).collect();
        let is_open = |id: &str| sessions.open(id, resource.id(), state.clock.now(), None).is_some();
        assert_eq!(is_open(&all[0]), is_there, "{many}");
        assert!(all[many - MAX_OPENING / 2..].iter().all(|id| is_open(id)), "{many}");
    }
}

#[tokio::test]
async fn so_much_waits_for_one_who_polls() {
    let app = TestApp::new().await;
    let (ada, _) = two(&app).await;
    let id = handshake(&app, &ada).await;
    let path = format!("/socket.io/1/xhr-polling/{id}");
    app.call("GET", &path).version("").by(&ada).send().await.expect(200);
    let poller = app.app.state().chat.live.polls.get(&id).unwrap();
    drop(poller.waiting());
    assert!((0..MAX_WAITING).all(|_| poller.say("2::".to_owned())));
    assert!(!poller.say("2::".to_owned()));
    assert_eq!(poller.waiting().len(), MAX_WAITING);
}

/// As many outcomes as one request may bring, and one more.
#[tokio::test]
async fn one_request_brings_so_many_frames() {
    const MAX_FRAMES: usize = 256;
    for (count, is_there) in [(MAX_FRAMES, true), (MAX_FRAMES + 1, false)] {
        let app = TestApp::new().await;
        let (ada, _) = two(&app).await;
        let thread = Thread::new(&app, &ada, &[]).await;
        let id = handshake(&app, &ada).await;
        let path = format!("/socket.io/1/xhr-polling/{id}");
        let mut heard = 0;
        app.call("GET", &path).version("").by(&ada).send().await.expect(200);
        for number in 0..count {
            thread.send(&number.to_string()).await;
        }
        settle(&app).await;
        while heard < count {
            let said = app.call("GET", &path).version("").by(&ada).send().await.expect(200);
            heard += String::from_utf8(said.body.to_vec()).unwrap().matches("3:::").count();
        }
        let outcomes: Vec<_> = (1..=count).map(|id| format!("3:::{{\"id\":{id},\"status\":200}}")).collect();
        let body = wire::push::pack(&outcomes).into_bytes();
        app.call("POST", &path).version("").by(&ada).body(body, "text/plain").send().await.expect(200);
        assert_eq!(app.app.state().chat.live.polls.get(&id).is_some(), is_there, "{count}");
    }
}
