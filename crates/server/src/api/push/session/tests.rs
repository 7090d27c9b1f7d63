//! Sockets of clients that keep to the protocol, and of some that do not.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use wire::push::frame::{MAX_CLIENT_FRAME, UNAUTHORIZED};

use super::*;
use crate::http::SocketPeer;
use crate::service::live::SPARE_FRAMES;
use crate::testing::{Options, TestApp, TestUser};

struct Client {
    app: TestApp,
    user: TestUser,
    peer: SocketPeer,
    served: JoinHandle<()>,
}

impl Client {
    async fn new() -> Self {
        let app = TestApp::with(Options::default()).await;
        let user = app.user(&["chat"]).await;
        let state = Arc::clone(app.app.state());
        let resource = app.resource();
        let claims = resource.tokens().verify(&user.token, state.clock.now()).unwrap();
        let live = &state.chat.live;
        let id = live.sessions.ask(
            resource.id(),
            Arc::clone(&claims),
            ("e".into(), false),
            state.clock.now(),
            &*state.rng,
        );
        let opening = live.sessions.open(&id, resource.id(), state.clock.now(), None).unwrap();
        let hearing =
            live.listen(resource.cell(), resource.id(), &claims, &opening.endpoint).await.unwrap().unwrap();
        let (socket, peer) = Socket::pair().await;
        let session = Session { state, opening, path: "/v4/f/x/".to_owned() };
        let served = tokio::task::spawn_local(session.serve(socket, hearing));
        let mut client = Self { app, user, peer, served };
        assert_eq!(client.next().await.as_deref(), Some("1::"));
        assert!(client.next().await.unwrap().contains("trouter.connected"));
        client
    }

    /// What comes next; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        match self.peer.next().await {
            Some(Ok(Message::Text(text))) => Some(text.as_str().to_owned()),
            _ => None,
        }
    }

    async fn say(&mut self, text: &str) {
        let _ = self.peer.send(Message::text(text.to_owned())).await;
    }

    /// Somebody sends `count` messages that the client hears of.
    async fn hear(&mut self, count: u64) {
        let body = serde_json::json!({ "topic": "t" });
        let made = self.app.call("POST", "/chat/threads").by(&self.user).json(&body).send().await.expect(201);
        let id = made.json()["chatThread"]["id"].as_str().unwrap().replace(':', "%3A").replace('@', "%40");
        let path = format!("/chat/threads/{id}/messages");
        for _ in 1..count {
            let body = serde_json::json!({ "content": "x" });
            self.app.call("POST", &path).by(&self.user).json(&body).send().await.expect(201);
        }
        let live = Arc::clone(&self.app.app.state().chat.live);
        while live.look_at_next().await {}
        for number in 1..=count {
            let push = self.next().await.unwrap();
            assert!(push.starts_with(&format!("3:::{{\"id\":{number},")), "{push}");
        }
    }

    async fn ends(mut self) -> bool {
        let ended = self.next().await.is_none();
        self.served.await.unwrap();
        ended && self.app.app.state().chat.live.listening() == 0
    }
}

/// Runs a test with tasks of its own, time standing still while nothing else is to be done.
macro_rules! alone {
    ($body:block) => {
        tokio::task::LocalSet::new().run_until(async move $body).await
    };
}

#[tokio::test(start_paused = true)]
async fn every_event_with_an_id_is_acknowledged() {
    alone!({
        let mut client = Client::new().await;
        client.say(r#"5:1+::{"name":"user.activity","args":[{"state":"active"}]}"#).await;
        assert_eq!(client.next().await.as_deref(), Some(r#"6:::1+["pong"]"#));
        client.say(r#"5:::{"name":"unasked"}"#).await;
        client.say(r#"5:2+::{"name":"ping"}"#).await;
        assert_eq!(client.next().await.as_deref(), Some(r#"6:::2+["pong"]"#));
        client.say("0::").await;
        assert!(client.ends().await);
    });
}

#[tokio::test(start_paused = true)]
async fn outcomes_are_taken_once_each() {
    alone!({
        let mut client = Client::new().await;
        client.hear(3).await;
        for id in [2, 1, 3] {
            client.say(&format!(r#"3:::{{"id":{id},"status":200}}"#)).await;
        }
        client.say(r#"5:1+::{"name":"ping"}"#).await;
        assert!(client.next().await.is_some(), "all is well");
        client.say(r#"3:::{"id":1,"status":200}"#).await;
        assert!(client.ends().await, "one more outcome than there were pushes");
    });
}

#[tokio::test(start_paused = true)]
async fn what_was_never_sent_cannot_be_acknowledged() {
    alone!({
        for id in ["0", "2", "18446744073709551615"] {
            let mut client = Client::new().await;
            client.hear(1).await;
            client.say(&format!(r#"3:::{{"id":{id},"status":200}}"#)).await;
            assert!(client.ends().await, "{id}");
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_flood_ends_and_pings_are_none() {
    alone!({
        let mut client = Client::new().await;
        for number in 0..80 {
            tokio::time::sleep(Duration::from_secs(40)).await;
            client.say(&format!(r#"5:{number}+::{{"name":"ping"}}"#)).await;
            assert!(client.next().await.is_some());
        }
        for _ in 0..SPARE_FRAMES {
            client.say("2::").await;
        }
        client.say("2::").await;
        assert!(client.ends().await);
    });
}

#[tokio::test(start_paused = true)]
async fn nonsense_and_too_much_of_it_ends_the_connection() {
    alone!({
        for bad in ["", "hello", "9::", &"2".repeat(MAX_CLIENT_FRAME + 1)] {
            let mut client = Client::new().await;
            client.say(bad).await;
            assert!(client.ends().await, "{bad:.20}");
        }
    });
}

#[tokio::test(start_paused = true)]
async fn who_is_silent_for_long_is_dropped_and_who_half_closes_at_once() {
    alone!({
        let client = Client::new().await;
        let begun = Instant::now();
        assert!(client.ends().await);
        assert_eq!(begun.elapsed().as_secs(), QUIET.as_secs());
        let mut client = Client::new().await;
        client.peer.close(None).await.unwrap();
        assert!(client.ends().await);
    });
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_token_is_the_end_of_its_socket() {
    alone!({
        let mut client = Client::new().await;
        let live = &client.app.app.state().chat.live;
        let resource = client.app.resource();
        live.revoked(resource.cell(), resource.id(), client.user.id).await.unwrap();
        assert_eq!(client.next().await.as_deref(), Some(UNAUTHORIZED));
        assert!(client.ends().await);

        // A token lives for a day: pinged through, it ends when the token does.
        let mut client = Client::new().await;
        let begun = Instant::now();
        let word = loop {
            client.say(r#"5:1+::{"name":"ping"}"#).await;
            match client.next().await {
                Some(word) if word.starts_with("6:::") => tokio::time::sleep(Duration::from_secs(60)).await,
                other => break other,
            }
        };
        assert_eq!(word.as_deref(), Some(UNAUTHORIZED));
        assert!(begun.elapsed() <= Duration::from_secs(24 * 60 * 60 + 60), "{:?}", begun.elapsed());
    });
}
