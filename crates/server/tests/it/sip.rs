//! SIP routing: the configuration of a resource and the merge patch that changes it.

use serde_json::{Value, json};
use server::testing::{Answer, TestApp};

async fn patch(test: &TestApp, body: Value) -> Answer {
    test.call("PATCH", "/sip").signed().json(&body).send().await
}

async fn configuration(test: &TestApp) -> Value {
    test.call("GET", "/sip").signed().send().await.expect(200).json()
}

fn inner(answer: &Answer) -> (u16, String, String) {
    let error = answer.json()["error"].clone();
    assert_eq!(answer.header("x-ms-error-code"), "UnprocessableConfiguration");
    (answer.status, answer.code(), error["innererror"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn patches_are_merged_and_routes_keep_their_order() {
    let test = TestApp::new().await;
    assert_eq!(configuration(&test).await, json!({ "trunks": {}, "routes": [] }));
    let trunks = json!({ "sbs2.contoso.com": { "sipSignalingPort": 5062 }, "sbs1.contoso.com": { "sipSignalingPort": 5061 } });
    let routes = json!([
        { "name": "second", "numberPattern": "\\+1[0-9]+", "trunks": ["sbs2.contoso.com", "sbs1.contoso.com"] },
        { "description": "the rest", "name": "first", "numberPattern": "^+[1-9][0-9]{3,23}$", "trunks": [] },
    ]);
    let both = patch(&test, json!({ "trunks": trunks, "routes": routes })).await.expect(200).json();
    assert_eq!(both, json!({ "trunks": trunks, "routes": routes }));
    patch(&test, json!({ "trunks": { "sbs1.contoso.com": { "sipSignalingPort": 1 } } })).await.expect(200);
    let now = configuration(&test).await;
    assert_eq!(now["trunks"]["sbs1.contoso.com"]["sipSignalingPort"], 1);
    assert_eq!((&now["trunks"]["sbs2.contoso.com"], &now["routes"]), (&trunks["sbs2.contoso.com"], &routes));
    let gone = patch(&test, json!({ "trunks": { "sbs2.contoso.com": null }, "routes": [] }))
        .await
        .expect(200)
        .json();
    assert_eq!(gone, json!({ "trunks": { "sbs1.contoso.com": { "sipSignalingPort": 1 } }, "routes": [] }));
    let neighbour = test.call("GET", "/sip").host("fabrikam.localhost").signed_by(test.neighbour(), 0);
    assert_eq!(neighbour.send().await.expect(200).json(), json!({ "trunks": {}, "routes": [] }));
    assert_eq!(test.audit().await.len(), 3);
}

#[tokio::test]
async fn what_breaks_a_rule_changes_nothing() {
    let test = TestApp::new().await;
    let route = json!([{ "name": "one", "numberPattern": "x", "trunks": ["sbs1.contoso.com"] }]);
    let start = json!({ "trunks": { "sbs1.contoso.com": { "sipSignalingPort": 5061 } }, "routes": route });
    let start = patch(&test, start).await.expect(200).json();
    let missing = json!([{ "name": "one", "numberPattern": "x", "trunks": ["sbs9.contoso.com"] }]);
    for (body, told) in [
        (json!({ "trunks": { "sbs1.contoso.com": null } }), "MissingTrunk"),
        (json!({ "routes": missing }), "MissingTrunk"),
        (json!({}), "EmptyPatch"),
        (json!({ "trunks": { "new.contoso.com": {} } }), "InvalidTrunkSipSignalingPort"),
        (
            json!({ "trunks": { "a.b": { "sipSignalingPort": 1 }, "-1": { "sipSignalingPort": 1 } } }),
            "InvalidTrunkFqdn",
        ),
    ] {
        let refused = patch(&test, body).await;
        assert_eq!(inner(&refused), (422, "UnprocessableConfiguration".into(), told.into()));
        assert_eq!(configuration(&test).await, start);
    }
    let twice =
        json!({ "routes": [{ "name": "n", "numberPattern": "x" }, { "name": "n", "numberPattern": "y" }] });
    assert_eq!(
        inner(&patch(&test, twice).await),
        (400, "UnprocessableConfiguration".into(), "DuplicatedRoute".into())
    );
    assert_eq!(test.audit().await.len(), 1);
}

#[tokio::test]
async fn many_who_change_it_at_once_each_do() {
    let test = TestApp::new().await;
    let one = |name: &str| patch(&test, json!({ "trunks": { name: { "sipSignalingPort": 1 } } }));
    let (a, b, c, d) = tokio::join!(one("a.x.com"), one("b.x.com"), one("c.x.com"), one("d.x.com"));
    assert_eq!([a, b, c, d].map(|answer| answer.status), [200; 4]);
    assert_eq!(configuration(&test).await["trunks"].as_object().unwrap().len(), 4);
}
