//! Who listens at one node hears at once what happened at another, and nothing of what another took away (law 9).

use std::time::Duration;

use serde_json::json;
use server::service::live::{ASKED, End, Hearing, TERM};
use server::testing::{TestApp, TestUser};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::live::{Thread, listen, two, word};
use crate::world::encoded;

/// Less than the time after which a node looks by itself at what others may have written.
const SOON: Duration = Duration::from_millis(500);

/// Two nodes of one store that hear each other.
struct Pair {
    here: TestApp,
    there: TestApp,
    /// What makes the first listen and speak, and the second.
    running: [JoinSet<()>; 2],
}

impl Pair {
    async fn new() -> Self {
        let here = TestApp::new().await;
        here.engine.let_nodes_talk();
        let there = here.another_node().await;
        let running = [run(&here), run(&there)];
        Self { here, there, running }
    }
}

fn run(app: &TestApp) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let (state, clock) = (app.app.state().clone(), app.clock.clone());
    tasks.spawn(async move {
        state.chat.live.run(state.directory.resources(), &*clock, std::future::pending()).await;
    });
    tasks
}

/// What is heard within so long of silence, each in a word; "missed" for what was given up, "revoked" for the end.
async fn heard_for(hearing: &Hearing, silence: Duration) -> Vec<String> {
    let mut words = Vec::new();
    while let Ok(taken) = timeout(silence, hearing.next(usize::MAX)).await {
        if taken.missed {
            words.push("missed".to_owned());
        }
        words.extend(taken.letters.iter().map(|letter| word(&letter.what.what)));
        if taken.end == Some(End::Revoked) {
            words.push("revoked".to_owned());
            break;
        }
    }
    words
}

async fn heard(hearing: &Hearing) -> Vec<String> {
    heard_for(hearing, SOON).await
}

async fn revoke(app: &TestApp, user: &TestUser) {
    let path = format!("/identities/{}/:revokeAccessTokens", encoded(&user.raw_id));
    app.call("POST", &path).version("2023-10-01").signed().send().await.expect(204);
}

#[tokio::test(start_paused = true)]
async fn what_happens_at_one_node_is_heard_at_the_other() {
    let pair = Pair::new().await;
    let (ada, bob) = two(&pair.here).await;
    let hears = listen(&pair.there, &bob).await.unwrap();
    assert!(heard(&hears).await.is_empty());
    let thread = Thread::new(&pair.here, &ada, &[&bob]).await;
    let id = thread.send("one").await;
    assert_eq!(heard(&hears).await, ["created 2", "received one"]);
    let path = format!("{}/typing", thread.path);
    let typing = json!({ "senderDisplayName": "Ada" });
    pair.here.call("POST", &path).by(&ada).json(&typing).send().await.expect(200);
    let path = format!("{}/readReceipts", thread.path);
    let read = json!({ "chatMessageId": id });
    pair.here.call("POST", &path).by(&ada).json(&read).send().await.expect(200);
    let more = json!({ "metadata": { "a": "b" } });
    pair.here.call("PATCH", &thread.path).by(&ada).json(&more).send().await.expect(204);
    assert_eq!(heard(&hears).await, ["typing", "read", "updated t"]);
    pair.here.clock.advance(Duration::from_secs(1));
    let path = format!("{}/messages/{id}", thread.path);
    pair.here.call("PATCH", &path).by(&ada).json(&json!({ "content": "two" })).send().await.expect(204);
    thread.remove(&bob).await;
    thread.send("not for bob").await;
    assert_eq!(heard(&hears).await, ["removed"], "what was not taken is taken back");
    thread.add(&bob).await;
    pair.here.call("DELETE", &thread.path).by(&ada).send().await.expect(204);
    assert_eq!(heard(&hears).await, ["ended"]);
    server::job::run_once(pair.here.app.state()).await;
}

/// Only ids go from node to node: not what was said, not what anybody is called.
#[tokio::test(start_paused = true)]
async fn nodes_tell_each_other_no_content() {
    let pair = Pair::new().await;
    let exchange = pair.here.resource().cell().exchange().unwrap();
    let mut ear = exchange.attend(store::NodeName::new([9; 8], 1)).await.unwrap();
    let (ada, bob) = two(&pair.here).await;
    let _hears = listen(&pair.there, &bob).await.unwrap();
    let thread = Thread::new(&pair.here, &ada, &[&bob]).await;
    thread.send("Tachykardie").await;
    let path = format!("{}/typing", thread.path);
    let typing = json!({ "senderDisplayName": "Tachykardie" });
    pair.here.call("POST", &path).by(&ada).json(&typing).send().await.expect(200);
    thread.remove(&bob).await;
    let mut said = 0;
    while let Ok(text) = timeout(SOON, ear.next()).await {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::STANDARD_NO_PAD.decode(text.unwrap()).unwrap();
        assert!(!bytes.windows(4).any(|four| four == b"Tach"));
        said += 1;
    }
    assert!(said >= 4, "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_revocation_at_one_node_ends_who_listens_at_the_other() {
    let pair = Pair::new().await;
    let (ada, bob) = two(&pair.here).await;
    let thread = Thread::new(&pair.here, &ada, &[&bob]).await;
    let (hears_ada, hears_bob) =
        (listen(&pair.there, &ada).await.unwrap(), listen(&pair.there, &bob).await.unwrap());
    thread.send("ready").await;
    tokio::time::sleep(SOON).await;
    revoke(&pair.here, &bob).await;
    let path = format!("/identities/{}", encoded(&ada.raw_id));
    pair.here.call("DELETE", &path).version("2023-10-01").signed().send().await.expect(204);
    // With the answer: nothing has to be waited for.
    for hears in [&hears_ada, &hears_bob] {
        let taken = timeout(Duration::ZERO, hears.next(usize::MAX)).await.unwrap();
        assert_eq!((taken.letters.len(), taken.end), (0, Some(End::Revoked)));
    }
    server::job::run_once(pair.here.app.state()).await;
}

/// Law 9 between nodes, often: with the answer nothing lies ready any more, whatever lay there before.
#[tokio::test]
async fn nothing_is_heard_at_the_other_node_after_a_removal() {
    const ROUNDS: usize = 500;
    let pair = Pair::new().await;
    let (ada, bob) = two(&pair.here).await;
    let thread = Thread::new(&pair.here, &ada, &[]).await;
    let hears = listen(&pair.there, &bob).await.unwrap();
    for round in 0..ROUNDS {
        thread.add(&bob).await;
        thread.send("may be heard").await;
        for _ in 0..round % 7 {
            tokio::task::yield_now().await;
        }
        thread.remove(&bob).await;
        let ready = timeout(Duration::ZERO, hears.next(usize::MAX)).await.unwrap_or_default();
        thread.send("must not be heard").await;
        let mut words: Vec<_> = ready.letters.iter().map(|letter| word(&letter.what.what)).collect();
        while words.last().is_none_or(|last| last != "removed") {
            let taken = timeout(Duration::from_secs(10), hears.next(usize::MAX)).await.unwrap();
            words.extend(taken.letters.iter().map(|letter| word(&letter.what.what)));
        }
        assert_eq!(words, ["removed"], "round {round}");
        pair.here.clock.advance(Duration::from_millis(1));
    }
}

/// A node that was killed answers nothing: whoever removes waits until nothing can come from it any more.
#[tokio::test(start_paused = true)]
async fn a_node_that_died_delays_a_removal_until_it_can_deliver_nothing() {
    let mut pair = Pair::new().await;
    let (ada, bob) = two(&pair.here).await;
    let thread = Thread::new(&pair.here, &ada, &[&bob]).await;
    let hears = listen(&pair.there, &bob).await.unwrap();
    thread.send("ready").await;
    tokio::time::sleep(SOON).await;
    pair.running[1].shutdown().await;
    let begun = Instant::now();
    thread.remove(&bob).await;
    let took = begun.elapsed();
    assert!(took > TERM - Duration::from_secs(2) && took <= TERM + Duration::from_millis(10), "{took:?}");
    assert!(heard_for(&hears, 4 * TERM).await.is_empty(), "it lay ready, and is held back");
    let begun = Instant::now();
    thread.add(&bob).await;
    thread.remove(&bob).await;
    assert!(begun.elapsed() < SOON, "the dead are waited for once");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_is_waited_for_by_nobody() {
    let pair = Pair::new().await;
    let (ada, bob) = two(&pair.here).await;
    let thread = Thread::new(&pair.here, &ada, &[&bob]).await;
    let third = pair.here.another_node().await;
    let state = third.app.state().clone();
    let stop = std::sync::Arc::new(tokio::sync::Notify::new());
    let (clock, stopped) = (third.clock.clone(), stop.clone());
    let mut running = JoinSet::new();
    running.spawn(async move {
        state.chat.live.run(state.directory.resources(), &*clock, stopped.notified()).await;
    });
    let hears = listen(&third, &bob).await.unwrap();
    thread.send("one").await;
    assert_eq!(heard(&hears).await, ["received one"]);
    stop.notify_one();
    running.join_next().await.unwrap().unwrap();
    let begun = Instant::now();
    thread.remove(&bob).await;
    assert!(begun.elapsed() < SOON);
    assert!(heard(&hears).await.is_empty());
}

/// A node that renews its promise but hears nothing: whether it has acted is not known, and that is the answer.
#[tokio::test(start_paused = true)]
async fn where_it_is_not_known_the_answer_says_so() {
    let pair = Pair::new().await;
    let (ada, bob) = two(&pair.here).await;
    let thread = Thread::new(&pair.here, &ada, &[&bob]).await;
    let _hears = listen(&pair.there, &bob).await.unwrap();
    pair.here.engine.deafen_nodes(true);
    let begun = Instant::now();
    let path = format!("{}/participants/:remove", thread.path);
    let body = json!({ "communicationUser": { "id": bob.raw_id } });
    let answer = pair.here.call("POST", &path).by(&ada).json(&body).send().await;
    answer.expect(503);
    assert!(begun.elapsed() >= ASKED && begun.elapsed() < ASKED + TERM + TERM);
    pair.here.engine.deafen_nodes(false);
    pair.here.call("POST", &path).by(&ada).json(&body).send().await.expect(204);
}

/// While a database is away nothing is delivered; afterwards nobody hears what was taken away meanwhile, and everyone is
/// told that some of it may be missing.
#[tokio::test(start_paused = true)]
async fn after_an_outage_everything_is_judged_anew() {
    let mut pair = Pair::new().await;
    let (ada, bob) = two(&pair.here).await;
    let eve = pair.here.user(&["chat"]).await;
    let thread = Thread::new(&pair.here, &ada, &[&bob, &eve]).await;
    let (hears_bob, hears_eve) =
        (listen(&pair.there, &bob).await.unwrap(), listen(&pair.there, &eve).await.unwrap());
    let hears_ada = listen(&pair.there, &ada).await.unwrap();
    thread.send("ready").await;
    tokio::time::sleep(SOON).await;
    // The other node hears nothing while this happens, and is in contact again after it.
    pair.running[1].shutdown().await;
    pair.here.engine.part_nodes();
    tokio::time::sleep(2 * TERM).await;
    thread.remove(&bob).await;
    revoke(&pair.here, &eve).await;
    thread.send("after").await;
    assert!(heard(&hears_ada).await.is_empty());
    pair.running[1] = run(&pair.there);
    assert_eq!(heard(&hears_bob).await, ["missed", "removed"]);
    assert_eq!(heard(&hears_eve).await, ["missed", "revoked"]);
    let words = heard(&hears_ada).await;
    assert_eq!(words, ["missed", "removed", "received after"]);
    thread.send("on").await;
    assert_eq!(heard(&hears_ada).await, ["received on"]);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_restarted_loses_nothing_of_the_log() {
    let pair = Pair::new().await;
    let (ada, bob) = two(&pair.here).await;
    let thread = Thread::new(&pair.here, &ada, &[&bob]).await;
    let hears = listen(&pair.there, &bob).await.unwrap();
    thread.send("one").await;
    assert_eq!(heard(&hears).await, ["received one"]);
    pair.here.engine.part_nodes();
    thread.send("two").await;
    let mut words = heard_for(&hears, Duration::from_secs(3)).await;
    words.retain(|word| word != "missed");
    assert_eq!(words, ["received two"]);
}

/// Nobody can listen through a node that the others cannot reach.
#[tokio::test(start_paused = true)]
async fn out_of_contact_nobody_begins_to_listen() {
    let mut pair = Pair::new().await;
    let (_, bob) = two(&pair.here).await;
    pair.running[1].shutdown().await;
    let begun = Instant::now();
    let resource = pair.there.resource();
    let claims = resource.tokens().verify(&bob.token, base::Clock::now(&*pair.there.clock)).unwrap();
    let live = &pair.there.app.state().chat.live;
    let fault = live.listen(resource.cell(), resource.id(), &claims, "end").await.unwrap_err();
    assert!(matches!(fault, store::StoreError::Unavailable(_)), "{fault}");
    assert!(begun.elapsed() >= Duration::from_secs(10));
    assert_eq!(live.listening(), 0, "nothing is left of it");
}

/// An emergency end of the keys that sign tokens ends who listens with one: here with the answer, at other nodes in time.
#[tokio::test(start_paused = true)]
async fn keys_that_are_ended_at_once_end_who_listens_with_their_tokens() {
    let pair = Pair::new().await;
    let (ada, bob) = two(&pair.here).await;
    let (here, there) = (listen(&pair.here, &ada).await.unwrap(), listen(&pair.there, &bob).await.unwrap());
    pair.here.clock.advance(Duration::from_secs(1));
    let at_once = json!({ "atOnce": true });
    let path = "/operator/cells/europe/signingKeys:rotate";
    pair.here.call("POST", path).operator().json(&at_once).send().await.expect(200);
    let taken = timeout(Duration::ZERO, here.next(usize::MAX)).await.unwrap();
    assert_eq!(taken.end, Some(End::Revoked));
    pair.there.clock.advance(Duration::from_secs(1));
    assert_eq!(heard_for(&there, Duration::from_secs(5)).await, ["revoked"]);
    // With a token of the new key one listens again.
    pair.there.clock.advance(Duration::from_secs(1));
    let eve = pair.there.user(&["chat"]).await;
    let again = listen(&pair.there, &eve).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(heard(&again).await.is_empty());
}

/// A node that dies between a revocation and its word about it has given no answer; the revocation stands all the same.
#[tokio::test(start_paused = true)]
async fn what_a_node_ended_and_did_not_say_is_found_by_the_others() {
    let pair = Pair::new().await;
    let (ada, bob) = two(&pair.here).await;
    let thread = Thread::new(&pair.here, &ada, &[&bob]).await;
    let hears = listen(&pair.there, &bob).await.unwrap();
    pair.here.engine.deafen_nodes(true);
    timeout(Duration::from_secs(1), revoke(&pair.here, &bob)).await.unwrap_err();
    pair.here.engine.deafen_nodes(false);
    let begun = Instant::now();
    assert_eq!(heard_for(&hears, Duration::from_secs(60)).await, ["revoked"]);
    assert!(begun.elapsed() < Duration::from_secs(35), "{:?}", begun.elapsed());
    thread.send("after").await;
}
