//! The edge of the stack: names, headers, credentials, and who keeps failing.

use std::time::Duration;

use base::{Limits, NetworkRules};
use serde_json::json;
use server::net::{Refusal, Service};
use server::testing::{Options, TestApp};

use crate::world::{ALL, World, encoded};

async fn few_failures(limit: u32) -> TestApp {
    let limits = Limits { auth_failures_per_minute: limit, ..Limits::default() };
    TestApp::with(Options { limits, ..Options::default() }).await
}

#[tokio::test]
async fn every_name_of_a_resource_leads_to_it() {
    let test = TestApp::new().await;
    let create = |host: &str| test.call("POST", "/identities").json(&json!({})).host(host);
    let id = |answer: server::testing::Answer| answer.json()["identity"]["id"].as_str().unwrap().to_owned();
    let contoso = test.resource();
    for host in ["contoso.localhost:8443", "CONTOSO.localhost", "localhost:8443", "127.0.0.1", "[::1]:8443"] {
        let made = create(host).signed().send().await.expect(201);
        assert!(id(made).starts_with(&format!("8:acs:{}_", contoso.id())), "{host}");
    }
    let fabrikam = test.neighbour();
    let made = create("fabrikam.localhost").signed_by(fabrikam, 0).send().await.expect(201);
    assert!(id(made).starts_with(&format!("8:acs:{}_", fabrikam.id())));
    for unknown in ["example.org", "contoso", "contoso.localhost.example.org", "10.0.0.1", "a b", ""] {
        let refused = create(unknown).signed().send().await.expect(404);
        assert_eq!(refused.code(), "ResourceNotFound", "{unknown}");
    }
}

/// Law 6: to who comes from elsewhere a private resource is a name that nobody has, in every answer there is.
#[tokio::test]
async fn a_private_resource_does_not_exist_outside_its_networks() {
    let network = NetworkRules {
        public: false,
        allow: vec!["10.0.0.0/8".parse().unwrap()],
        deny: vec!["10.66.0.0/16".parse().unwrap()],
    };
    let test = TestApp::with(Options { network, ..Options::default() }).await;
    let calls =
        [("POST", "/identities"), ("GET", "/identities"), ("GET", "/nowhere"), ("OPTIONS", "/identities")];
    for (method, target) in calls {
        let ask = async |host: &str, peer: &str| {
            let call = test.call(method, target).json(&json!({})).host(host).signed_by(test.resource(), 0);
            let answer = call.from(peer).send().await;
            (answer.status, answer.json())
        };
        let nobody = ask("nobody.localhost", "192.0.2.1").await;
        assert_eq!(nobody.0, 404, "{method} {target}");
        for peer in ["192.0.2.1", "8.8.8.8", "127.0.0.1", "10.66.0.1", "::ffff:10.66.0.1", "2001:db8::1"] {
            assert_eq!(ask("contoso.localhost", peer).await, nobody, "{method} {target} from {peer}");
            assert_eq!(ask("localhost", peer).await, nobody, "{method} {target} from {peer}");
        }
    }
    let create = |peer: &str| test.call("POST", "/identities").json(&json!({})).signed().from(peer);
    for peer in ["10.1.2.3", "::ffff:10.1.2.3"] {
        create(peer).send().await.expect(201);
    }
    let neighbour = test.call("POST", "/identities").json(&json!({})).host("fabrikam.localhost");
    neighbour.signed_by(test.neighbour(), 0).from("8.8.8.8").send().await.expect(201);
}

#[tokio::test]
async fn both_access_keys_are_good_and_no_other() {
    let test = TestApp::new().await;
    let create = || test.call("POST", "/identities").json(&json!({}));
    for index in [0, 1] {
        create().signed_by(test.resource(), index).send().await.expect(201);
    }
    let refused = create().signed_by(test.neighbour(), 0).send().await.expect(401);
    assert_eq!((refused.code().as_str(), refused.header("www-authenticate")), ("Denied", "HMAC-SHA256"));
    assert_eq!(refused.header("x-ms-error-code"), "Denied");
}

#[tokio::test]
async fn a_signature_is_good_for_its_own_request_and_time_only() {
    let test = TestApp::new().await;
    let create = || test.call("POST", "/identities").json(&json!({}));
    // A header that is not signed does no harm; one that is signed, given twice, does even with the same value.
    create().signed().header("x-custom", "1").send().await.expect(201);
    create().signed().header("x-ms-date", "Mon, 23 Nov 2026 08:00:00 GMT").send().await.expect(401);
    create().header("authorization", "HMAC-SHA256 x").signed().send().await.expect(401);
    let limit = Duration::from_secs(Limits::default().clock_skew_secs);
    for (late, status) in [(limit, 201), (limit + Duration::from_secs(1), 401)] {
        let signed = create().signed().frozen();
        test.clock.advance(late);
        signed.send().await.expect(status);
    }
}

#[tokio::test]
async fn several_credentials_are_as_good_as_none() {
    let world = World::new().await;
    let list = || world.test.call("GET", "/chat/threads");
    list().by(&world.owner).send().await.expect(200);
    let twice = format!("Bearer {}", world.member.token);
    list().header("authorization", &twice).by(&world.owner).send().await.expect(401);
    for bad in ["Bearer", "Bearer ", "Basic dTpw", "bearer x.y.z", ""] {
        let answer = list().header("authorization", bad).send().await.expect(401);
        assert_eq!((answer.code().as_str(), answer.header("www-authenticate")), ("Unauthorized", "Bearer"));
    }
}

#[tokio::test]
async fn every_answer_carries_the_headers_of_the_service() {
    let world = World::new().await;
    let list = || world.test.call("GET", "/chat/threads").header("x-ms-client-request-id", "abc-123");
    for answer in [
        list().by(&world.owner).send().await.expect(200),
        list().send().await.expect(401),
        list().host("example.org").send().await.expect(404),
        world
            .test
            .call("PUT", "/chat/threads")
            .header("x-ms-client-request-id", "abc-123")
            .send()
            .await
            .expect(405),
    ] {
        assert_eq!(answer.header("x-ms-client-request-id"), "abc-123");
        assert_eq!(answer.header("x-ms-request-id").len(), 36);
        assert!(answer.header("ms-cv").ends_with(".0"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.header("content-type").starts_with("application/json"));
        assert!(!answer.headers.contains_key("server"));
    }
    let answer = list().by(&world.owner).send().await;
    assert_eq!(answer.header("api-supported-versions"), "2021-09-07, 2023-11-07, 2024-03-07, 2025-03-15");
    assert_eq!(answer.header("x-ms-error-code"), "");
}

#[tokio::test]
async fn an_unsupported_version_is_named_in_the_words_of_acs() {
    let test = TestApp::new().await;
    let answer =
        test.call("POST", "/identities").version("2019-01-01").json(&json!({})).send().await.expect(400);
    assert_eq!(
        answer.json()["error"]["message"],
        "The HTTP resource that matches the request URI '/identities' does not support the API version '2019-01-01'."
    );
}

#[tokio::test]
async fn head_is_a_get_without_its_body_and_unknown_paths_are_unknown() {
    let world = World::new().await;
    world.test.call("HEAD", "/health/live").send().await.expect(200);
    world.test.call("HEAD", "/chat/threads").version("2025-03-15").by(&world.owner).send().await.expect(200);
    world.test.call("HEAD", "/chat/threads").version("2025-03-15").send().await.expect(401);
    world.test.call("HEAD", "/identities").send().await.expect(405);
    for unknown in ["/", "/chat", "/identities/", "/chat/threads/%", "/../etc/passwd", "/chat//threads"] {
        let answer = world.test.call("GET", unknown).by(&world.owner).send().await.expect(404);
        assert_eq!(answer.code(), "NotFound", "{unknown}");
    }
}

#[tokio::test]
async fn probes_and_keys_are_public() {
    let test = TestApp::new().await;
    for host in ["contoso.localhost", "10.0.0.1:8443", ""] {
        let live = test.call("GET", "/health/live").host(host).send().await.expect(200);
        assert_eq!(live.json(), json!({ "status": "live" }));
        test.call("GET", "/health/ready").host(host).send().await.expect(200);
    }
    let keys = |host: &'static str| test.call("GET", "/.well-known/jwks.json").host(host);
    let kid = |answer: server::testing::Answer| answer.json()["keys"][0]["kid"].as_str().unwrap().to_owned();
    let contoso = keys("contoso.localhost").send().await.expect(200);
    assert_eq!(contoso.json()["keys"][0]["alg"], "ES256");
    assert!(contoso.json()["keys"][0].get("d").is_none(), "no private part");
    let contoso = kid(contoso);
    assert_eq!(kid(keys("fabrikam.localhost").send().await.expect(200)), contoso, "one key for a cell");
    assert_ne!(
        kid(keys("northwind.localhost").send().await.expect(200)),
        contoso,
        "another for another cell"
    );
    keys("example.org").send().await.expect(404);
}

#[tokio::test]
async fn readiness_is_about_the_store() {
    let test = TestApp::new().await;
    test.engine.crash();
    test.call("GET", "/health/live").send().await.expect(200);
    test.call("GET", "/health/ready").send().await.expect(503);
}

#[tokio::test]
async fn who_keeps_failing_is_slowed_down() {
    let test = few_failures(3).await;
    let user = test.user(&ALL).await;
    let bad = |peer: &str| test.call("GET", "/chat/threads").bearer("not.a.token").from(peer);
    for _ in 0..3 {
        bad("192.0.2.1").send().await.expect(401);
    }
    test.clock.advance(Duration::from_secs(10));
    let slowed = bad("192.0.2.1").send().await.expect(429);
    assert_eq!((slowed.code().as_str(), slowed.header("retry-after")), ("TooManyRequests", "50"));
    // A good credential is good from anywhere, and takes nothing back.
    test.call("GET", "/chat/threads").by(&user).from("192.0.2.1").send().await.expect(200);
    bad("192.0.2.1").send().await.expect(429);
    bad("192.0.2.2").send().await.expect(401);
    test.clock.advance(Duration::from_secs(50));
    bad("192.0.2.1").send().await.expect(401);
}

#[tokio::test]
async fn both_kinds_of_credential_count_and_nothing_else_does() {
    let test = few_failures(2).await;
    let user = test.user(&["voip"]).await;
    for _ in 0..10 {
        test.call("GET", "/chat/threads").send().await.expect(401);
        test.call("GET", "/chat/threads").by(&user).send().await.expect(403);
        test.call("DELETE", "/identities/8%3Aacs%3Anobody").signed().send().await.expect(401);
        test.call("GET", "/nothing").bearer("x").send().await.expect(404);
    }
    test.call("GET", "/chat/threads").bearer("x").send().await.expect(401);
    test.call("DELETE", "/identities/x").signed_by(test.neighbour(), 0).send().await.expect(401);
    test.call("GET", "/chat/threads").bearer("x").send().await.expect(429);
    test.call("DELETE", "/identities/x").signed_by(test.neighbour(), 0).send().await.expect(429);
}

#[tokio::test]
async fn a_revoked_token_counts_as_a_failure() {
    let test = few_failures(1).await;
    let user = test.user(&ALL).await;
    let revoke = format!("/identities/{}/:revokeAccessTokens", encoded(&user.raw_id));
    test.call("POST", &revoke).signed().send().await.expect(204);
    test.call("GET", "/chat/threads").by(&user).send().await.expect(401);
    test.call("GET", "/chat/threads").by(&user).send().await.expect(429);
}

#[tokio::test]
async fn what_the_sockets_refuse_looks_like_any_other_error() {
    let test = TestApp::new().await;
    let (head, ()) = ::http::Request::post("/identities?api-version=2023-10-01")
        .header("host", "contoso.localhost")
        .header("content-type", "application/json")
        .header("x-ms-client-request-id", "abc")
        .body(())
        .unwrap()
        .into_parts();
    for (refusal, status, code) in [
        (Refusal::HeadTimeout, 408, "RequestTimeout"),
        (Refusal::BodyTimeout, 408, "RequestTimeout"),
        (Refusal::BodyTooLarge, 413, "PayloadTooLarge"),
        (Refusal::UriTooLong, 414, "UriTooLong"),
        (Refusal::HeadTooLarge, 431, "RequestHeadersTooLarge"),
        (Refusal::Malformed, 400, "BadRequest"),
        (Refusal::Overloaded, 503, "ServiceUnavailable"),
        (Refusal::TooSlow, 503, "ServiceUnavailable"),
        (Refusal::Panicked, 500, "InternalError"),
    ] {
        for head in [None, Some(&head)] {
            let answer = test.app.refuse(refusal, head);
            assert_eq!(
                (answer.status().as_u16(), &answer.headers()["x-ms-error-code"]),
                (status, &code.parse().unwrap())
            );
            assert_eq!(answer.headers().contains_key("retry-after"), status == 503);
            assert_eq!(answer.headers().contains_key("x-ms-client-request-id"), head.is_some());
            assert!(answer.headers().contains_key("x-ms-request-id"));
        }
    }
}

/// Pages of other origins may read every answer, those that refuse among them.
#[tokio::test]
async fn pages_are_told_what_they_may_ask_and_read() {
    let app = TestApp::new().await;
    let page = |method: &str, target: &str| app.call(method, target).header("origin", "https://page.example");
    for (method, target, status) in [
        ("GET", "/chat/threads", 401),
        ("GET", "/nothing", 404),
        ("GET", "/health/live", 200),
        ("PUT", "/chat/threads", 405),
    ] {
        let answer = page(method, target).send().await.expect(status);
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{method} {target}");
        assert!(answer.header("access-control-expose-headers").contains("Retry-After"));
        assert_eq!(answer.header("access-control-allow-methods"), "", "only a preflight asks for that");
    }
    let asked = "authorization,content-type,repeatability-request-id";
    let answer =
        page("OPTIONS", "/chat/threads").header("access-control-request-headers", asked).send().await;
    let answer = answer.expect(204);
    assert_eq!(answer.header("access-control-allow-methods"), "GET, POST");
    assert_eq!(answer.header("access-control-allow-headers"), asked);
    assert!(!answer.header("access-control-max-age").is_empty());
    let answer = app.call("GET", "/health/live").send().await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), "", "who is no page is told nothing of it");
    let elsewhere = page("GET", "/health/live").host("example.org").send().await;
    assert_eq!(elsewhere.header("access-control-allow-origin"), "");
}
