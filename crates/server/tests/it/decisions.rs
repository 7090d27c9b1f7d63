//! The stack decides as the policy does: every operation of a thread, by every scope, for everyone one can be to it.

use policy::{Decision, Facts, Permission, Refusal, Scope, ScopeSet, Standing, Who, decide};
use serde_json::json;
use server::testing::TestUser;

use crate::world::{World, encoded, of_a_thread};

/// One of each kind, to the thread of the world and its message.
async fn people(world: &World) -> Vec<(Facts, TestUser)> {
    let stranger = world.test.user(&[]).await;
    let former = world.member.clone();
    let member = world.test.user(&[]).await;
    let at = |verb: &str| format!("/chat/threads/{}/participants/{verb}", encoded(&world.thread));
    let join = json!({ "participants": [{ "communicationIdentifier": { "rawId": member.raw_id }, "shareHistoryTime": "1970-01-01T00:00:00Z" }] });
    world.test.call("POST", &at(":add")).by(&world.owner).json(&join).send().await.expect(201);
    let leave = json!({ "rawId": former.raw_id });
    world.test.call("POST", &at(":remove")).by(&world.owner).json(&leave).send().await.expect(204);
    let facts = |standing, author| Facts { standing, author };
    vec![
        (facts(Standing::Stranger, false), stranger),
        (facts(Standing::Former, false), former),
        (facts(Standing::Member, false), member),
        (facts(Standing::Member, true), world.owner.clone()),
    ]
}

#[tokio::test]
async fn every_operation_of_a_thread_is_decided_as_the_matrix_says() {
    for operation in of_a_thread() {
        let permission = Permission::named(operation.permission).unwrap();
        for scope in Scope::ALL {
            // What is allowed changes the world, so each scope has one of its own.
            for nth in 0..4 {
                let world = World::new().await;
                let (facts, user) = people(&world).await.swap_remove(nth);
                let token = world.test.token(world.test.resource(), user.id, &[scope.name()]);
                let answer = world.call(operation).bearer(&token).send().await;
                let expected = match decide(Who::User(ScopeSet::of(&[scope])), facts, permission) {
                    Decision::Allow | Decision::AllowPast => operation.success,
                    Decision::Refuse(Refusal::Unauthenticated) => 401,
                    Decision::Refuse(Refusal::Forbidden) => 403,
                };
                assert_eq!(answer.status, expected, "{} {} {facts:?}", operation.name, scope.name());
            }
        }
    }
}
