//! Walks the operation table (design, section 10): every row, in every way a caller can be wrong.
//!
//! `exceptions.txt` beside this file lists what is excused, one `check operation` per line. It may only shrink: a line
//! that is not needed any more fails the test, and so does a line more than there were.

use std::collections::BTreeSet;

use policy::{Door, Permission, Scope};
use serde_json::json;
use wire::operation::{Access, Area, Audit, Body, OPERATIONS, Operation};

use crate::world::{ALL, World, built, fill, guarded};

/// How many lines `exceptions.txt` has. Lower it with each that goes; raising it needs a reason that convinces a reviewer.
const EXCEPTIONS: usize = 0;

/// Collects what is wrong in one check, so that one run shows all of it.
struct Check {
    name: &'static str,
    wrong: BTreeSet<&'static str>,
}

impl Check {
    fn new(name: &'static str) -> Self {
        Self { name, wrong: BTreeSet::new() }
    }

    fn that(&mut self, good: bool, operation: &Operation) {
        if !good {
            self.wrong.insert(operation.name);
        }
    }

    fn done(self) {
        let lines: Vec<&str> = include_str!("exceptions.txt")
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect();
        assert_eq!(lines.len(), EXCEPTIONS, "exceptions may only become fewer");
        let excused = lines.iter().filter_map(|line| line.split_once(' '));
        let excused: BTreeSet<_> = excused.filter(|(check, _)| *check == self.name).map(|(_, o)| o).collect();
        assert_eq!(self.wrong, excused, "{}: what is wrong, and what is excused", self.name);
    }
}

#[tokio::test]
async fn nobody_is_let_in() {
    let world = World::new().await;
    let mut check = Check::new("nobody");
    for operation in guarded() {
        let answer = world.call(operation).send().await;
        let challenged = !answer.header("www-authenticate").is_empty();
        check.that(answer.status == 401 && challenged, operation);
    }
    check.done();
}

#[tokio::test]
async fn the_wrong_kind_of_caller_is_not_let_in() {
    let world = World::new().await;
    let mut check = Check::new("wrong-kind");
    for operation in guarded() {
        let call = world.call(operation);
        let call = match operation.access {
            Access::AccessKey => call.by(&world.owner),
            Access::UserToken(_) | Access::Operator => call.signed(),
            Access::Public | Access::Directory => continue,
        };
        check.that(call.send().await.status == 401, operation);
    }
    check.done();
}

#[tokio::test]
async fn credentials_of_another_resource_are_worth_nothing() {
    let world = World::new().await;
    let mut check = Check::new("wrong-resource");
    for elsewhere in [world.test.neighbour(), world.test.abroad()] {
        let foreigner = world.test.user_of(elsewhere, &ALL).await;
        // Not even for a user of this resource that the other resource's token names.
        let forged = world.test.token(elsewhere, world.owner.id, &ALL);
        for operation in guarded() {
            for token in [&foreigner.token, &forged] {
                let call = world.call(operation);
                let call = match operation.access {
                    Access::AccessKey => call.signed_by(elsewhere, 0),
                    _ => call.bearer(token),
                };
                check.that(call.send().await.status == 401, operation);
            }
        }
    }
    check.done();
}

#[tokio::test]
async fn a_token_reaches_as_far_as_its_scopes() {
    let world = World::new().await;
    let mut check = Check::new("missing-scope");
    for operation in built() {
        let Access::UserToken(allowed) = operation.access else { continue };
        for scope in ALL.into_iter().filter(|scope| !allowed.contains(scope)) {
            let token = world.test.token(world.test.resource(), world.owner.id, &[scope]);
            let answer = world.call(operation).bearer(&token).send().await;
            check.that(answer.status == 403 && answer.code() == "Forbidden", operation);
        }
        let none = world.test.token(world.test.resource(), world.owner.id, &[]);
        let answer = world.call(operation).bearer(&none).send().await;
        check.that(matches!(answer.status, 401 | 403), operation);
    }
    check.done();
}

#[tokio::test]
async fn who_was_deleted_or_revoked_or_expired_is_let_in_nowhere() {
    let world = World::new().await;
    let mut check = Check::new("gone");
    let revoked = world.test.user(&ALL).await;
    let deleted = world.test.user(&ALL).await;
    let never = world.test.token(world.test.resource(), base::UserId::mint(&*world.test.rng), &ALL);
    // Each is known to this node before, so that what it remembers is put to the test.
    for user in [&revoked, &deleted] {
        world.test.call("GET", "/chat/threads").by(user).send().await.expect(200);
    }
    let path =
        |user: &server::testing::TestUser| format!("/identities/{}", crate::world::encoded(&user.raw_id));
    world
        .test
        .call("POST", &format!("{}/:revokeAccessTokens", path(&revoked)))
        .signed()
        .send()
        .await
        .expect(204);
    world.test.call("DELETE", &path(&deleted)).signed().send().await.expect(204);
    for operation in guarded().filter(|o| o.access != Access::AccessKey) {
        for token in [&revoked.token, &deleted.token, &never] {
            check.that(world.call(operation).bearer(token).send().await.status == 401, operation);
        }
    }
    world.test.clock.advance(std::time::Duration::from_secs(3600));
    for operation in guarded().filter(|o| o.access != Access::AccessKey) {
        check.that(world.call(operation).by(&world.owner).send().await.status == 401, operation);
    }
    check.done();
}

#[tokio::test]
async fn each_operation_has_its_versions_and_no_others() {
    let world = World::new().await;
    let mut check = Check::new("version");
    for operation in built().filter(|o| !o.versions.is_empty()) {
        for bad in ["1999-01-01", "2025-03-15-preview-x", ""] {
            let answer = world.call(operation).version(bad).send().await;
            let code = if bad.is_empty() { "ApiVersionUnspecified" } else { "UnsupportedApiVersion" };
            check.that(answer.status == 400 && answer.code() == code, operation);
            let supported = operation.versions.join(", ");
            check.that(answer.header("api-supported-versions") == supported, operation);
        }
        for good in operation.versions {
            check.that(world.call(operation).version(good).send().await.status == 401, operation);
        }
    }
    check.done();
}

#[tokio::test]
async fn other_methods_are_refused_with_the_list_of_those_there_are() {
    let world = World::new().await;
    let mut check = Check::new("method");
    for operation in OPERATIONS {
        let target = fill(operation.path, |name| name.to_owned());
        let answer = world.test.call("PROPFIND", &target).send().await;
        let listed = answer.header("allow").split(", ").any(|method| method == operation.method.as_str());
        check.that(answer.status == 405 && answer.code() == "MethodNotAllowed" && listed, operation);
        let options = world.test.call("OPTIONS", &target).send().await;
        check.that(options.status == 204 && options.header("allow") == answer.header("allow"), operation);
    }
    check.done();
}

#[tokio::test]
async fn bodies_of_another_kind_are_refused() {
    let world = World::new().await;
    let mut check = Check::new("media-type");
    for operation in built().filter(|o| matches!(o.body, Body::Json { .. })) {
        for media in ["text/plain", "application/xml", "application/json; charset=utf-16"] {
            let target = world.target(operation);
            let call = world.test.call(operation.method.as_str(), &target).body(b"{}".to_vec(), media);
            let answer = world.admitted(operation, call, &world.owner).send().await;
            check.that(answer.status == 415 && answer.code() == "UnsupportedMediaType", operation);
        }
    }
    check.done();
}

#[tokio::test]
async fn bodies_are_read_up_to_their_limit_and_no_further() {
    let world = World::new().await;
    let limits = base::Limits::default();
    let mut check = Check::new("body-limit");
    for operation in guarded() {
        let limit = match operation.body {
            Body::None => 1024,
            Body::Json { .. } | Body::Text(_) => operation.body.max_bytes(&limits),
        };
        for announced in [true, false] {
            for (length, too_long) in [(limit, false), (limit + 1, true)] {
                let mut body = b"{}".to_vec();
                body.resize(length, b' ');
                let call = world.test.call(operation.method.as_str(), &world.target(operation));
                let call = call.body(body, "application/json");
                let call = if announced { call } else { call.chunked() };
                // Nobody gets past the door, and the length is looked at before it where it is announced.
                let answer = if announced && too_long {
                    call.send().await
                } else {
                    world.admitted(operation, call, &world.member).send().await
                };
                check.that((answer.status == 413) == too_long, operation);
                check.that(!too_long || answer.header("retry-after").is_empty(), operation);
            }
        }
    }
    check.done();
}

#[tokio::test]
async fn what_is_not_built_says_so() {
    let world = World::new().await;
    let mut check = Check::new("unbuilt");
    for operation in OPERATIONS.iter().filter(|operation| !operation.built) {
        let target = fill(operation.path, |name| name.to_owned());
        let answer = world.test.call(operation.method.as_str(), &target).send().await;
        check.that(answer.status == 501 && answer.code() == "NotImplemented", operation);
        check.that(answer.header("retry-after").is_empty(), operation);
    }
    check.done();
}

#[tokio::test]
async fn malformed_bodies_are_refused() {
    let world = World::new().await;
    let mut check = Check::new("malformed");
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    let bad: [&[u8]; 6] = [b"{", b"[]", b"{\"a\":1,\"a\":2}", b"{} x", b"{\"a\":\"\xff\"}", deep.as_bytes()];
    for operation in built().filter(|o| matches!(o.body, Body::Json { .. })) {
        for body in bad {
            let call = world.test.call(operation.method.as_str(), &world.target(operation));
            let call = call.body(body.to_vec(), "application/json");
            let answer = world.admitted(operation, call, &world.owner).send().await;
            check.that(answer.status == 400, operation);
        }
    }
    check.done();
}

#[tokio::test]
async fn each_operation_works_for_who_may() {
    let mut check = Check::new("works");
    for operation in built() {
        let world = World::for_operation(operation).await;
        let answer = world.perform(operation).await;
        // Those of a session are tried with one in `live.rs`; here there is none.
        let expected = match operation.name {
            "push.connect" => 400,
            "push.poll" | "push.say" => 404,
            _ => operation.success,
        };
        check.that(answer.status == expected, operation);
    }
    check.done();
}

#[tokio::test]
async fn each_privileged_act_leaves_one_entry() {
    let mut check = Check::new("audit");
    for operation in built() {
        let world = World::for_operation(operation).await;
        let before = world.test.audit().await;
        world.perform(operation).await;
        // Entries of one instant stand in no order, so those that were there are taken out one by one.
        let mut entries = world.test.audit().await;
        for known in &before {
            let at = entries.iter().position(|entry| entry == known).unwrap();
            entries.remove(at);
        }
        let acts: Vec<&str> = entries.iter().map(|entry| entry.act.as_str()).collect();
        let expected: &[&str] = match &operation.audit {
            Audit::None => &[],
            Audit::Act(name) => &[name],
        };
        check.that(acts == expected, operation);
    }
    check.done();
}

#[tokio::test]
async fn an_act_that_cannot_be_recorded_does_not_happen() {
    let mut check = Check::new("audit-fails");
    for operation in built().filter(|o| o.audit != Audit::None) {
        let world = World::for_operation(operation).await;
        let before = world.test.audit().await;
        world.refuse_commits(true);
        let answer = world.perform(operation).await;
        check.that(answer.status >= 500, operation);
        world.refuse_commits(false);
        check.that(world.test.audit().await == before, operation);
        let again = world.perform(operation).await;
        check.that(again.status == operation.success, operation);
    }
    check.done();
}

/// The row and the rule say the same of who gets past the door.
#[test]
fn rows_and_policy_agree() {
    let mut check = Check::new("policy");
    for operation in built() {
        let door = Permission::named(operation.permission).map(Permission::door);
        let expected = match operation.access {
            Access::Public => Some(Door::Open),
            Access::AccessKey => Some(Door::Key),
            Access::UserToken(names) => {
                let scopes: Option<Vec<_>> = names.iter().map(|name| Scope::named(name)).collect();
                scopes.map(|scopes| Door::Scopes(scopes.into_iter().collect()))
            }
            Access::Operator => Some(Door::Operator),
            Access::Directory => None,
        };
        check.that(door.is_some() && door == expected, operation);
    }
    check.done();
    for permission in Permission::all() {
        let used = built().any(|operation| operation.permission == permission.name());
        assert!(used, "no operation asks for {}", permission.name());
    }
}

#[test]
fn each_row_names_a_known_log_table() {
    let mut check = Check::new("log-table");
    for operation in OPERATIONS {
        let known = |name| lake::TABLES.iter().any(|table: &&lake::LogTable| table.name == name);
        let good = match operation.log_table {
            Some(name) => !operation.built || known(name),
            // What an operator does is in the audit log; ACS has no table for it.
            // Nor has it one for numbers, SIP routing and push.
            None => {
                !operation.built
                    || matches!(operation.access, Access::Public | Access::Operator)
                    || matches!(operation.area, Area::PhoneNumbers | Area::SipRouting | Area::Push)
            }
        };
        check.that(good, operation);
    }
    check.done();
}

#[tokio::test]
async fn an_unknown_host_learns_nothing() {
    let world = World::new().await;
    let stranger = |method: &str, target: &str| world.test.call(method, target).host("example.org");
    let first = stranger("GET", "/nothing").version("").send().await.expect(404).without_ids();
    assert_eq!(first.code(), "ResourceNotFound");
    for operation in OPERATIONS.iter().filter(|o| !o.name.starts_with("health.")) {
        let target = fill(operation.path, |name| name.to_owned());
        for method in [operation.method.as_str(), "PROPFIND", "OPTIONS"] {
            let answer = stranger(method, &target).json(&json!({})).send().await.without_ids();
            assert_eq!(answer, first, "{method} {target}");
        }
    }
}
