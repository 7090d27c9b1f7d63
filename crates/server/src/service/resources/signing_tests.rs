//! Signing keys: made once, followed by others, ended when no token of theirs can be alive.

use std::time::Duration;

use base::{Clock, UserId};
use guard::token::Scopes;

use super::*;
use crate::testing::{START, TestApp};

fn claims(test: &TestApp) -> Claims {
    Claims {
        resource: test.resource().id(),
        geography: test.resource().geography().clone(),
        user: UserId::mint(&*test.rng),
        scopes: Scopes::CHAT,
        issued_at: START,
        expires_at: START.plus(Duration::from_secs(60)),
        epoch: 3,
    }
}

#[tokio::test]
async fn every_node_of_a_cell_verifies_what_another_signed() {
    let test = TestApp::new().await;
    let (one, other) = (test.resource().tokens(), CellTokens::open(test.resource().cell()).await.unwrap());
    let claims = claims(&test);
    let token = one.sign(&claims);
    assert_eq!(*other.verify(&token, test.clock.now()).unwrap(), claims);
    assert_eq!(one.jwks(), other.jwks());
    assert!(test.abroad().tokens().verify(&token, test.clock.now()).is_err(), "another cell does not");
}

const ACT: Act = Act { name: Some("cell.rotate_signing_key"), by: Actor::Operator };

#[tokio::test]
async fn a_new_key_is_known_everywhere_before_it_signs() {
    let test = TestApp::new().await;
    let another = test.another_node().await;
    let (here, there) = (test.resource().tokens(), another.resource().tokens());
    let mut claims = claims(&test);
    claims.expires_at = START.plus(LONGEST_TOKEN);
    // The first segment names the key, and nothing else that differs.
    let kid = |token: &str| token.split('.').next().map(str::to_owned);
    let before = here.sign(&claims);
    here.rotate(ACT).await.unwrap();
    assert_eq!(kid(&here.sign(&claims)), kid(&before), "nobody else knows the new one yet");
    assert!(there.refresh().await.unwrap() && !there.refresh().await.unwrap());
    assert_eq!(here.jwks(), there.jwks());
    let set: serde_json::Value = serde_json::from_slice(&here.jwks()).unwrap();
    assert_eq!(set["keys"].as_array().map(Vec::len), Some(2));
    claims.issued_at = START.plus(LEAD);
    for node in [here, there] {
        let after = node.sign(&claims);
        assert_ne!(kid(&after), kid(&before));
        assert!(
            here.verify(&after, claims.issued_at).is_ok() && there.verify(&after, claims.issued_at).is_ok()
        );
        assert!(node.verify(&before, claims.issued_at).is_ok(), "older ones are accepted");
    }
    claims.issued_at = START.minus(Duration::from_secs(1));
    assert_eq!(kid(&here.sign(&claims)), kid(&before), "a clock that went back signs with what all know");
}

#[tokio::test]
async fn a_former_key_ends_when_no_token_of_it_can_be_alive() {
    let test = TestApp::new().await;
    let tokens = test.resource().tokens();
    let claims = claims(&test);
    let old = tokens.sign(&claims);
    assert_eq!(tokens.ages().iter().map(|key| key.verifies_until).collect::<Vec<_>>(), [None]);
    tokens.rotate(ACT).await.unwrap();
    let until = START.plus(LEAD).plus(LONGEST_TOKEN).plus(LEAD);
    let ages = tokens.ages();
    assert_eq!(ages.iter().map(|key| key.verifies_until).collect::<Vec<_>>(), [None, Some(until)]);
    assert_eq!((ages[0].number, ages[0].signs_from), (2, START.plus(LEAD)));
    test.clock.set(until.minus(Duration::from_millis(1)));
    assert_eq!(tokens.end_former().await.unwrap(), 0);
    test.clock.set(until);
    assert_eq!(tokens.end_former().await.unwrap(), 1);
    assert_eq!(tokens.ages().len(), 1);
    assert!(matches!(tokens.verify(&old, START), Err(TokenError::UnknownKey)));
    let reopened = CellTokens::open(test.resource().cell()).await.unwrap();
    assert_eq!(reopened.ages().len(), 1, "it is gone from the store");
}

#[tokio::test]
async fn there_are_only_so_many_keys_at_once() {
    let test = TestApp::new().await;
    let tokens = test.resource().tokens();
    for _ in 1..MOST {
        tokens.rotate(ACT).await.unwrap();
    }
    assert_eq!(tokens.ages().len(), MOST);
    assert!(matches!(tokens.rotate(ACT).await, Err(ResourceError::TooManyKeys)));
    let row = SigningKeyRow { created_on: START, pkcs8: vec![1] };
    assert!(!format!("{row:?} {tokens:?}").contains("pkcs8"));
}

#[tokio::test]
async fn two_nodes_that_rotate_at_once_make_two_keys() {
    let test = TestApp::new().await;
    let another = test.another_node().await;
    let (here, there) = (test.resource().tokens(), another.resource().tokens());
    let (one, other) = tokio::join!(here.rotate(ACT), there.rotate(ACT));
    assert!(one.is_ok() && other.is_ok());
    here.refresh().await.unwrap();
    there.refresh().await.unwrap();
    assert_eq!((here.ages().len(), here.jwks()), (3, there.jwks()));
}

#[tokio::test]
async fn two_first_starts_at_once_agree_on_one_key() {
    let test = TestApp::new().await;
    let cell = test.abroad().cell();
    let mut draft = cell.draft(ResourceId::CELL).await.unwrap();
    draft.delete::<SigningKeys>(&1);
    draft.commit().await.unwrap();
    let (one, other) = tokio::join!(CellTokens::open(cell), CellTokens::open(cell));
    assert_eq!(one.unwrap().jwks(), other.unwrap().jwks());
}

/// Law 9: here from the answer on, elsewhere before a lease is over, whether that node looks by itself or not.
#[tokio::test]
async fn keys_that_are_replaced_at_once_take_every_token_with_them() {
    let test = TestApp::new().await;
    let another = test.another_node().await;
    let ada = test.user(&["chat"]).await;
    let list = async |node: &TestApp| node.call("GET", "/chat/threads").by(&ada).send().await.status;
    assert_eq!((list(&test).await, list(&another).await), (200, 200));
    let body = serde_json::json!({ "atOnce": true });
    let call = test.call("POST", "/operator/cells/europe/signingKeys:rotate").operator().json(&body);
    let told = call.send().await.expect(200).json();
    assert_eq!(told["signingKeys"].as_array().map(Vec::len), Some(1));
    assert_eq!(told["refusedEverywhereFrom"], START.plus(LEASE).to_iso());
    assert_eq!(list(&test).await, 401, "here at once");
    test.clock.advance(LEASE - Duration::from_millis(1));
    assert_eq!(list(&another).await, 200, "elsewhere by what it knew, and no longer than that");
    test.clock.advance(Duration::from_millis(1));
    assert_eq!(list(&another).await, 401);
    let bob = another.user(&["chat"]).await;
    let call = test.call("GET", "/chat/threads").by(&bob);
    call.send().await.expect(200);
}

#[tokio::test]
async fn a_token_of_a_new_key_is_taken_by_a_node_that_did_not_know_it() {
    let test = TestApp::new().await;
    let another = test.another_node().await;
    test.clock.advance(LOOK_AGAIN);
    test.resource().tokens().replace(ACT).await.unwrap();
    let ada = test.user(&["chat"]).await;
    another.call("GET", "/chat/threads").by(&ada).send().await.expect(200);
    // A key that nobody has is not looked for at every request.
    let token = TokenSigner::generate().unwrap().sign(&claims(&test));
    let mut plan = store::engine::memory::FaultPlan::none(std::sync::Arc::new(base::SeededRng::new(1)));
    plan.read = 1000;
    another.engine.set_faults(Some(plan));
    assert!(!another.resource().tokens().learn(test.clock.now()).await.unwrap(), "nothing is read");
    test.clock.advance(LOOK_AGAIN);
    assert!(another.resource().tokens().learn(test.clock.now()).await.is_err(), "and now it would be");
    another.engine.set_faults(None);
    assert_eq!(another.resource().tokens().verify(&token, START), Err(TokenError::UnknownKey));
}

#[tokio::test]
async fn a_node_that_cannot_look_lets_nobody_in_when_its_lease_is_over() {
    let test = TestApp::new().await;
    let ada = test.user(&["chat"]).await;
    test.clock.advance(LEASE);
    let mut plan = store::engine::memory::FaultPlan::none(std::sync::Arc::new(base::SeededRng::new(1)));
    plan.read = 1000;
    test.engine.set_faults(Some(plan));
    test.call("GET", "/chat/threads").by(&ada).send().await.expect(503);
    test.engine.set_faults(None);
    test.call("GET", "/chat/threads").by(&ada).send().await.expect(200);
}
