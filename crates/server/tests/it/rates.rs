//! The rate limits of the table, at and past each of them.

use std::time::Duration;

use serde_json::json;
use server::http::rates::Profile;
use server::testing::Options;
use wire::operation::{Operation, Per};

use crate::world::{World, built, of_a_thread};

async fn limited() -> World {
    World::with(Options { rates: Profile::Acs, ..Options::default() }).await
}

/// Waits until no window holds what was done before.
fn rest(world: &World) {
    world.test.clock.advance(Duration::from_secs(61));
}

#[tokio::test]
async fn each_operation_stops_at_its_own_limit() {
    for operation in built().filter(|operation| !operation.rates.is_empty()) {
        let world = limited().await;
        rest(&world);
        let least = operation.rates.iter().map(|rate| rate.max).min().unwrap();
        for nth in 0..least {
            let answer = world.perform(operation).await;
            assert_ne!(answer.status, 429, "{} at {nth} of {least}", operation.name);
        }
        let refused = world.perform(operation).await;
        assert_eq!(refused.status, 429, "{} past {least}", operation.name);
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&wait), "{} {wait}", operation.name);
        // The refused request counts; after the stated wait the next one is let in.
        world.test.clock.advance(Duration::from_secs(wait));
        let after = world.perform(operation).await;
        assert_ne!(after.status, 429, "{} after {wait} s", operation.name);
    }
}

#[tokio::test]
async fn a_stranger_uses_up_nothing_of_a_thread_and_sees_no_limit_of_it() {
    let world = limited().await;
    let stranger = world.test.user(&["chat"]).await;
    rest(&world);
    let of_thread = |o: &&Operation| o.rates.iter().any(|rate| rate.per == Per::Thread);
    for operation in of_a_thread().filter(of_thread) {
        let per_user =
            operation.rates.iter().filter(|rate| rate.per == Per::UserAndThread).map(|rate| rate.max).min();
        for _ in 0..per_user.unwrap_or(60).min(60) {
            let answer = world.call(operation).by(&stranger).send().await;
            assert_eq!(answer.status, 403, "{}", operation.name);
        }
        let answer = world.perform(operation).await;
        assert_ne!(answer.status, 429, "{}", operation.name);
        rest(&world);
    }
}

#[tokio::test]
async fn nothing_is_limited_unless_the_operator_says_so() {
    let world = World::new().await;
    for _ in 0..200 {
        world.say().await;
    }
}

/// Texts are counted by their sender, each recipient for itself.
#[tokio::test]
async fn senders_of_texts_stop_at_their_own_limit() {
    let world = limited().await;
    rest(&world);
    let ask = |from: &str, count: usize| {
        let to: Vec<_> = (0..count).map(|n| json!({ "to": format!("+1425555{n:04}") })).collect();
        let body = json!({ "from": from, "smsRecipients": to, "message": "hello" });
        world.test.call("POST", "/sms").signed().json(&body).send()
    };
    for _ in 0..6 {
        let _ = ask("CONTOSO", 100).await.expect(202);
    }
    let refused = ask("FABRIKAM", 1).await.expect(429);
    assert!(
        (1..=60).contains(&refused.header("retry-after").parse::<u64>().unwrap()),
        "names share one limit"
    );
    let _ = ask("55555", 100).await.expect(202);
    rest(&world);
    let _ = ask("CONTOSO", 1).await.expect(202);
}
