//! Identities and tokens as ACS documents them (behaviour of ACS, section 1), and what is chosen where it does not say.

use std::time::Duration;

use base::{Clock, Timestamp, UserId};
use serde_json::{Value, json};
use server::service::audit::{Actor, Target};
use server::testing::{Answer, Options, TestApp, TestUser, raw_id};
use store::engine::memory::FaultPlan;

use crate::world::{ALL, World, encoded};

fn at(raw: &str, verb: &str) -> String {
    format!("/identities/{}{verb}", encoded(raw))
}

async fn create(test: &TestApp, body: &Value) -> Answer {
    let answer = test.call("POST", "/identities").signed().json(body).send().await;
    if let Some(token) = answer.json()["accessToken"]["token"].as_str() {
        test.hide(token);
    }
    answer
}

async fn issue(test: &TestApp, raw: &str, body: &Value) -> Answer {
    let answer = test.call("POST", &at(raw, "/:issueAccessToken")).signed().json(body).send().await;
    if let Some(token) = answer.json()["token"].as_str() {
        test.hide(token);
    }
    answer
}

async fn threads(test: &TestApp, token: &str) -> u16 {
    test.call("GET", "/chat/threads").bearer(token).send().await.status
}

fn token(answer: &Answer) -> String {
    answer.json()["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_identity_alone_has_no_token() {
    let test = TestApp::new().await;
    for body in [json!({}), json!({ "createTokenWithScopes": [] }), json!({ "createTokenWithScopes": null })]
    {
        let made = create(&test, &body).await.expect(201).json();
        assert_eq!(made.as_object().unwrap().len(), 1, "{made}");
        let id = made["identity"]["id"].as_str().unwrap();
        assert!(wire::identifier::parse_raw(id).is_ok(), "{id}");
    }
    test.call("POST", "/identities").signed().send().await.expect(201);
}

#[tokio::test]
async fn an_identity_with_a_token_can_act_at_once() {
    let test = TestApp::new().await;
    let made = create(&test, &json!({ "createTokenWithScopes": ["chat", "voip"] })).await.expect(201).json();
    let token = made["accessToken"]["token"].as_str().unwrap();
    assert_eq!(threads(&test, token).await, 200);
    let expires = Timestamp::parse_iso(made["accessToken"]["expiresOn"].as_str().unwrap()).unwrap();
    assert_eq!(expires, test.clock.now().plus(Duration::from_secs(86_400)), "a day unless asked otherwise");
}

#[tokio::test]
async fn a_token_lives_as_long_as_asked_within_the_limits() {
    let test = TestApp::new().await;
    let user = test.user(&[]).await;
    for minutes in [60, 61, 1440] {
        let body = json!({ "scopes": ["chat"], "expiresInMinutes": minutes });
        let token = token(&issue(&test, &user.raw_id, &body).await.expect(200));
        test.clock.advance(Duration::from_millis(minutes * 60_000 - 1));
        assert_eq!(threads(&test, &token).await, 200, "{minutes}: to its last moment");
        test.clock.advance(Duration::from_millis(1));
        assert_eq!(threads(&test, &token).await, 401, "{minutes}: and no longer");
    }
    for minutes in [json!(0), json!(59), json!(1441), json!(-60), json!(60.5), json!("60")] {
        let body = json!({ "scopes": ["chat"], "expiresInMinutes": minutes });
        issue(&test, &user.raw_id, &body).await.expect(400);
        let body = json!({ "createTokenWithScopes": ["chat"], "expiresInMinutes": minutes });
        create(&test, &body).await.expect(400);
    }
}

#[tokio::test]
async fn a_token_needs_a_scope_that_exists() {
    let test = TestApp::new().await;
    let user = test.user(&[]).await;
    for body in [json!({}), json!({ "scopes": null }), json!({ "scopes": [] }), json!({ "scopes": ["all"] })]
    {
        issue(&test, &user.raw_id, &body).await.expect(400);
    }
    create(&test, &json!({ "createTokenWithScopes": ["chat", "root"] })).await.expect(400);
}

#[tokio::test]
async fn issuing_leaves_older_tokens_good() {
    let test = TestApp::new().await;
    let user = test.user(&["chat"]).await;
    let newer = token(&issue(&test, &user.raw_id, &json!({ "scopes": ["voip"] })).await.expect(200));
    assert_eq!(threads(&test, &user.token).await, 200);
    assert_eq!(threads(&test, &newer).await, 403, "each by its own scopes");
}

#[tokio::test]
async fn revoking_ends_all_tokens_at_once_and_none_made_later() {
    let world = World::new().await;
    let test = &world.test;
    let send = format!("/chat/threads/{}/messages", encoded(&world.thread));
    let say = |token: String| test.call("POST", &send).bearer(&token).json(&json!({ "content": "x" })).send();
    // Sent once before, so that the next message would need no reading.
    say(world.owner.token.clone()).await.expect(201);
    for _ in 0..2 {
        test.call("POST", &at(&world.owner.raw_id, "/:revokeAccessTokens")).signed().send().await.expect(204);
        say(world.owner.token.clone()).await.expect(401);
    }
    assert_eq!(threads(test, &world.owner.token).await, 401);
    let body = json!({ "scopes": ["chat"] });
    let fresh = token(&issue(test, &world.owner.raw_id, &body).await.expect(200));
    say(fresh).await.expect(201);
    say(world.member.token.clone()).await.expect(201);
}

#[tokio::test]
async fn deleting_ends_the_user_and_may_be_asked_again() {
    let test = TestApp::new().await;
    let user = test.user(&["chat"]).await;
    assert_eq!(threads(&test, &user.token).await, 200);
    for _ in 0..2 {
        test.call("DELETE", &at(&user.raw_id, "")).signed().send().await.expect(204);
        assert_eq!(threads(&test, &user.token).await, 401);
    }
    let gone = issue(&test, &user.raw_id, &json!({ "scopes": ["chat"] })).await.expect(401);
    assert_eq!(gone.code(), "IdentityNotOwned");
    let gone = test.call("POST", &at(&user.raw_id, "/:revokeAccessTokens")).signed().send().await.expect(401);
    assert_eq!(gone.code(), "IdentityNotOwned");
    assert_eq!(test.audit().await.len(), 1, "what was not there was not deleted again");
}

#[tokio::test]
async fn deleting_takes_what_the_user_wrote_along() {
    let world = World::new().await;
    let list = format!("/chat/threads/{}/messages", encoded(&world.thread));
    let contents = async || {
        let page = world.test.call("GET", &list).by(&world.member).send().await.expect(200).json();
        let items = page["value"].as_array().unwrap().clone();
        items
            .iter()
            .filter(|m| m["type"] == "text")
            .filter_map(|m| m["content"]["message"].as_str().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(contents().await.len(), 1);
    world.test.call("DELETE", &at(&world.owner.raw_id, "")).signed().send().await.expect(204);
    assert_eq!(contents().await.iter().filter(|text| !text.is_empty()).count(), 0);
}

#[tokio::test]
async fn what_is_not_owned_gets_the_same_answer_whatever_it_is() {
    let test = TestApp::new().await;
    let neighbour = test.user_of(test.neighbour(), &ALL).await;
    let never = raw_id(test.resource().id(), UserId::mint(&*test.rng));
    let foreign = [neighbour.raw_id.as_str(), "8:acs:x", "4:+14255550123", "28:orgid:x", "nobody"];
    for (verb, body) in
        [("/:issueAccessToken", json!({ "scopes": ["chat"] })), ("/:revokeAccessTokens", json!({}))]
    {
        for raw in foreign.iter().copied().chain([never.as_str()]) {
            let call = test.call("POST", &at(raw, verb)).signed();
            let call = if verb.contains("issue") { call.json(&body) } else { call };
            let answer = call.send().await.expect(401);
            assert_eq!(answer.code(), "IdentityNotOwned", "{raw}");
            assert_eq!(
                answer.json()["error"]["message"],
                "Provided identity doesn't belong to the resource."
            );
        }
    }
    for raw in foreign {
        let answer = test.call("DELETE", &at(raw, "")).signed().send().await.expect(401);
        assert_eq!(answer.code(), "IdentityNotOwned", "{raw}");
    }
    test.call("DELETE", &at(&never, "")).signed().send().await.expect(204);
    let status =
        test.call("GET", "/chat/threads").host("fabrikam.localhost").by(&neighbour).send().await.status;
    assert_eq!(status, 200, "the neighbour's user is untouched");
}

#[tokio::test]
async fn the_audit_log_says_who_did_what_to_whom() {
    let test = TestApp::new().await;
    let user: TestUser = test.user(&[]).await;
    issue(&test, &user.raw_id, &json!({ "scopes": ["chat"] })).await.expect(200);
    test.clock.advance(Duration::from_secs(1));
    let revoke = test.call("POST", &at(&user.raw_id, "/:revokeAccessTokens"));
    revoke.signed_by(test.resource(), 1).send().await.expect(204);
    test.clock.advance(Duration::from_secs(1));
    test.call("DELETE", &at(&user.raw_id, "")).signed().send().await.expect(204);
    let entries = test.audit().await;
    let told: Vec<_> = entries.iter().map(|e| (e.act.as_str(), e.by)).collect();
    assert_eq!(
        told,
        [
            ("identity.issue_token", Actor::AccessKey(0)),
            ("identity.revoke_tokens", Actor::AccessKey(1)),
            ("identity.delete", Actor::AccessKey(0)),
        ]
    );
    assert!(entries.iter().all(|entry| entry.target == Target::User(user.id)));
    assert_eq!(entries[2].at, test.clock.now());
}

/// Law 9: a revoked right is gone on the next request, on every node.
#[tokio::test]
async fn revoking_and_deleting_bite_on_every_node_at_once() {
    let world = World::new().await;
    let other = world.test.another_node().await;
    let send = format!("/chat/threads/{}/messages", encoded(&world.thread));
    let say = async |test: &TestApp, user: &TestUser| {
        test.call("POST", &send).by(user).json(&json!({ "content": "x" })).send().await.status
    };
    // Both nodes know both users well enough to write without reading.
    for user in [&world.owner, &world.member] {
        for test in [&world.test, &other, &world.test, &other] {
            assert_eq!(say(test, user).await, 201);
        }
    }
    let revoke = at(&world.owner.raw_id, "/:revokeAccessTokens");
    world.test.call("POST", &revoke).signed().send().await.expect(204);
    assert_eq!(say(&other, &world.owner).await, 401);
    assert_eq!(threads(&other, &world.owner.token).await, 401);
    assert_eq!(say(&other, &world.member).await, 201);
    other.call("DELETE", &at(&world.member.raw_id, "")).signed().send().await.expect(204);
    assert_eq!(say(&world.test, &world.member).await, 401);
    assert_eq!(threads(&world.test, &world.member.token).await, 401);
}

#[tokio::test]
async fn many_at_once_each_happen_and_each_leave_an_entry() {
    let test = TestApp::new().await;
    let user = test.user(&["chat"]).await;
    let revoke = at(&user.raw_id, "/:revokeAccessTokens");
    let one = || test.call("POST", &revoke).signed().send();
    let statuses = tokio::join!(one(), one(), one(), one(), one());
    let statuses = [statuses.0, statuses.1, statuses.2, statuses.3, statuses.4].map(|answer| answer.status);
    assert_eq!(statuses, [204; 5]);
    assert_eq!(test.audit().await.len(), 5);
}

#[tokio::test]
async fn who_loses_every_race_is_told_to_come_back() {
    let limits = base::Limits { commit_attempts: 1, ..base::Limits::default() };
    let test = TestApp::with(Options { limits, ..Options::default() }).await;
    let user = test.user(&["chat"]).await;
    let revoke = at(&user.raw_id, "/:revokeAccessTokens");
    let one = || test.call("POST", &revoke).signed().send();
    let (first, second) = tokio::join!(one(), one());
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 503]);
    let told: Vec<_> = [&first, &second].map(|answer| answer.header("retry-after")).into_iter().collect();
    assert_eq!(told.iter().filter(|text| !text.is_empty()).count(), 1);
    assert_eq!(test.audit().await.len(), 1, "what did not happen left no entry");
}

/// The store did it and could not say so: the client asks again, and is not told that it failed.
#[tokio::test]
async fn a_deletion_whose_answer_was_lost_can_be_asked_again() {
    let test = TestApp::new().await;
    let user = test.user(&["chat"]).await;
    let delete = || test.call("DELETE", &format!("/identities/{}", encoded(&user.raw_id))).signed().send();
    let plan = FaultPlan { after: 1000, ..FaultPlan::none(test.rng.clone()) };
    test.engine.set_faults(Some(plan));
    let lost = delete().await.expect(503);
    assert!(!lost.header("retry-after").is_empty());
    test.engine.set_faults(None);
    assert_eq!(threads(&test, &user.token).await, 401);
    delete().await.expect(204);
    assert_eq!(test.audit().await.len(), 1);
}
