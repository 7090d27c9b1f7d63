//! Access keys made anew, on one node and on two.

use std::time::Duration;

use base::Clock;

use super::*;
use crate::service::audit::Actor;
use crate::testing::{Answer, START, TestApp};

const ACT: Act = Act { name: Some("resource.regenerate_key"), by: Actor::Operator };

async fn create(on: &TestApp, signed_by: &TestApp, index: usize) -> Answer {
    on.call("POST", "/identities").signed_by(signed_by.resource(), index).send().await
}

async fn regenerate(test: &TestApp, index: usize) -> AccessKey {
    let fresh = test.resource().access_keys().regenerate(index, ACT).await.unwrap();
    test.hide(fresh.to_base64().expose());
    fresh
}

#[tokio::test]
async fn an_ended_key_is_of_no_use_from_the_next_request_on_on_every_node() {
    let test = TestApp::new().await;
    let another = test.another_node().await;
    create(&another, &another, 0).await.expect(201);
    regenerate(&test, 0).await;
    // The other node signs with what it knows: the former key.
    create(&another, &another, 0).await.expect(401);
    create(&another, &another, 0).await.expect(201);
    create(&another, &another, 1).await.expect(201);
}

#[tokio::test]
async fn a_new_key_works_at_once_on_every_node() {
    let test = TestApp::new().await;
    let another = test.another_node().await;
    let former = test.resource().access_keys().current();
    let fresh = regenerate(&test, 1).await;
    let now_are = test.resource().access_keys().current();
    assert_eq!(now_are.keys()[1].to_base64().expose(), fresh.to_base64().expose());
    assert_eq!(now_are.keys()[0].to_base64().expose(), former.keys()[0].to_base64().expose());
    create(&another, &test, 1).await.expect(201);
}

#[tokio::test]
async fn wrong_signatures_do_not_make_a_node_ask_the_store_each_time() {
    let test = TestApp::new().await;
    let another = test.another_node().await;
    let keys = another.resource().access_keys();
    assert!(!keys.look_again(test.clock.now()).await.unwrap(), "nothing changed");
    regenerate(&test, 0).await;
    assert!(!keys.look_again(test.clock.now()).await.unwrap(), "it looked a moment ago");
    test.clock.advance(LOOK_AGAIN.checked_sub(Duration::from_millis(1)).unwrap());
    assert!(!keys.look_again(test.clock.now()).await.unwrap());
    test.clock.advance(Duration::from_millis(1));
    assert!(keys.look_again(test.clock.now()).await.unwrap());
    test.clock.set(START.minus(Duration::from_secs(5)));
    assert!(!keys.look_again(test.clock.now()).await.unwrap(), "a clock that went back does not stop it");
}

#[tokio::test]
async fn no_key_is_taken_when_the_store_cannot_tell_whether_it_holds() {
    let test = TestApp::new().await;
    let plan = store::engine::memory::FaultPlan {
        read: 1000,
        ..store::engine::memory::FaultPlan::none(test.rng.clone())
    };
    test.engine.set_faults(Some(plan));
    let refused = create(&test, &test, 0).await;
    test.engine.set_faults(None);
    assert_eq!(refused.status, 503, "{refused:?}");
    create(&test, &test, 0).await.expect(201);
}

#[tokio::test]
async fn age_and_last_use_are_known_on_every_node() {
    let test = TestApp::new().await;
    let another = test.another_node().await;
    let age = |since, last_used| KeyAge { since, last_used };
    let keys = test.resource().access_keys();
    assert_eq!(keys.ages().await.unwrap(), [age(START, None), age(START, None)]);
    test.clock.advance(Duration::from_secs(10));
    let used = test.clock.now();
    create(&another, &another, 1).await.expect(201);
    another.resource().access_keys().write_uses(USE_STEP).await.unwrap();
    assert_eq!(keys.ages().await.unwrap(), [age(START, None), age(START, Some(used))]);
    // Within a step of the last one it is not written again, and known where it was used.
    test.clock.advance(Duration::from_secs(10));
    create(&another, &another, 1).await.expect(201);
    another.resource().access_keys().write_uses(USE_STEP).await.unwrap();
    assert_eq!(keys.ages().await.unwrap()[1], age(START, Some(used)));
    let there = another.resource().access_keys();
    assert_eq!(there.ages().await.unwrap()[1], age(START, Some(test.clock.now())));
    there.write_uses(Duration::ZERO).await.unwrap();
    assert_eq!(keys.ages().await.unwrap()[1], age(START, Some(test.clock.now())));
    test.clock.advance(Duration::from_secs(10));
    regenerate(&test, 1).await;
    assert_eq!(keys.ages().await.unwrap()[1], age(test.clock.now(), None), "a new one was never used");
}

#[tokio::test]
async fn there_are_two_keys_and_no_third() {
    let test = TestApp::new().await;
    let refused = test.resource().access_keys().regenerate(ACCESS_KEYS, ACT).await;
    assert!(matches!(refused, Err(ResourceError::Unknown)));
}

#[tokio::test]
async fn two_nodes_that_make_keys_anew_at_once_agree() {
    let test = TestApp::new().await;
    let another = test.another_node().await;
    let (one, other) = tokio::join!(
        test.resource().access_keys().regenerate(0, ACT),
        another.resource().access_keys().regenerate(0, ACT)
    );
    let made = [one.unwrap(), other.unwrap()].map(|key| key.to_base64().expose().clone());
    let mut stands = Vec::new();
    for node in [&test, &another] {
        node.resource().access_keys().ages().await.unwrap();
        stands.push(node.resource().access_keys().primary().unwrap().expose().clone());
    }
    assert_eq!(stands[0], stands[1]);
    assert!(made.contains(&stands[0]));
}

#[tokio::test]
async fn a_first_key_of_the_configuration_is_not_made_anew_behind_its_back() {
    let test = TestApp::new().await;
    let given = AccessKey::generate(&*test.rng);
    let wanted = crate::service::resources::Wanted { name: "set", id: None, first_key: Some(&given) };
    let made = crate::service::resources::ensure(test.resource().cell(), wanted).await.unwrap();
    assert!(matches!(made.access_keys.regenerate(0, ACT).await, Err(ResourceError::Configured)));
    test.hide(made.access_keys.regenerate(1, ACT).await.unwrap().to_base64().expose());
}
