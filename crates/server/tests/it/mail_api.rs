//! Sending mail through the API: what is answered, and what is refused with which words.

use base::Limits;
use serde_json::{Value, json};

use crate::mail_world::{MailWorld, SENDER, mail};

const ID: &str = "8540c0de-899f-5cce-acb5-3ec493af3800";

#[tokio::test]
async fn accepted_mail_is_an_operation_that_ends() {
    let mut world = MailWorld::new().await;
    let answer = world.send(&mail(&["ada@example.com"])).await.expect(202);
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.json(), json!({ "id": id, "status": "Running" }));
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(
        answer.header("operation-location"),
        format!("https://contoso.localhost:8443/emails/operations/{id}?api-version=2025-09-01")
    );
    assert_eq!(world.status(id.parse().unwrap()).await.0, "Running");
    assert_eq!(world.carry().await, 1);
    let ended = world.test.call("GET", &format!("/emails/operations/{id}")).signed().send().await.expect(200);
    assert_eq!(ended.json(), json!({ "id": id, "status": "Succeeded" }));
    assert_eq!(ended.header("retry-after"), "", "nothing more to wait for");
}

#[tokio::test]
async fn the_same_operation_id_sends_once() {
    let mut world = MailWorld::new().await;
    let body = mail(&["ada@example.com"]);
    let first = world.send_as(&body, ID).await.expect(202);
    assert_eq!(first.json()["id"], ID);
    // Another spelling of the id, another mail, another moment: still the first one.
    let again = world.send_as(&mail(&["b@example.com"]), &ID.to_uppercase()).await.expect(202);
    assert_eq!(again.json(), first.json());
    assert_eq!(world.carry().await, 1);
    let after = world.send_as(&body, ID).await.expect(202);
    assert_eq!(after.json(), json!({ "id": ID, "status": "Succeeded" }));
    assert_eq!(world.carry().await, 0);
    assert_eq!(world.parcels().len(), 1);
}

#[tokio::test]
async fn many_at_once_with_one_id_send_once() {
    let mut world = MailWorld::new().await;
    let body = mail(&["ada@example.com"]);
    let all = tokio::join!(
        world.send_as(&body, ID),
        world.send_as(&body, ID),
        world.send_as(&body, ID),
        world.send_as(&body, ID)
    );
    for answer in [all.0, all.1, all.2, all.3] {
        assert_eq!(answer.expect(202).json()["id"], ID);
    }
    assert_eq!(world.carry().await, 1);
}

#[tokio::test]
async fn an_id_is_of_one_resource() {
    let world = MailWorld::new().await;
    world.send_as(&mail(&["ada@example.com"]), ID).await.expect(202);
    let neighbour = world.test.neighbour();
    let call = world.test.call("GET", &format!("/emails/operations/{ID}")).host("fabrikam.localhost");
    let answer = call.signed_by(neighbour, 0).send().await.expect(404);
    assert_eq!(answer.code(), "NotFound");
}

#[tokio::test]
async fn operation_ids_are_uuids_and_unknown_ones_are_not_found() {
    let world = MailWorld::new().await;
    for bad in ["", "x", "8540c0de899f5cceacb53ec493af3800", "8540c0de-899f-5cce-acb5-3ec493af380g"] {
        let answer = world.send_as(&mail(&["ada@example.com"]), bad).await.expect(400);
        assert_eq!(answer.json()["error"]["target"], "Operation-Id", "{bad}");
    }
    for unknown in [ID, "x", "8540c0de-899f"] {
        let target = format!("/emails/operations/{unknown}");
        world.test.call("GET", &target).signed().send().await.expect(404);
    }
}

/// The answer to a mail with `change` made to it.
async fn refused(world: &MailWorld, change: impl FnOnce(&mut Value)) -> (u16, String, String) {
    let mut body = mail(&["ada@example.com"]);
    change(&mut body);
    let answer = world.send(&body).await;
    let text = |name: &str| answer.json()["error"][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(answer.header("x-ms-error-code"), text("code"));
    (answer.status, text("code"), text("message"))
}

#[tokio::test]
async fn who_may_not_send_is_told_so() {
    let world = MailWorld::new().await;
    for foreign in
        ["donotreply@example.com", "donotreply@fabrikam.chancery.test", "a@sub.contoso.chancery.test"]
    {
        let (status, code, message) = refused(&world, |body| body["senderAddress"] = json!(foreign)).await;
        assert_eq!((status, code.as_str()), (404, "DomainNotLinked"), "{foreign}");
        assert_eq!(message, "The specified sender domain has not been linked.");
    }
    let (status, code, _) =
        refused(&world, |body| body["senderAddress"] = json!("info@contoso.chancery.test")).await;
    assert_eq!((status, code.as_str()), (400, "InvalidSenderUserName"));
    for spelled in ["DoNotReply@contoso.chancery.test", "DONOTREPLY@Contoso.Chancery.Test"] {
        let mut body = mail(&["ada@example.com"]);
        body["senderAddress"] = json!(spelled);
        world.send(&body).await.expect(202);
    }
}

#[tokio::test]
async fn what_is_no_address_is_refused_and_not_repeated() {
    let world = MailWorld::new().await;
    for bad in
        ["secret", "secret@", "@example.com", "a b@example.com", "a@b\r\nBcc: x@example.com", "<a@b.c>"]
    {
        let (status, code, message) =
            refused(&world, |body| body["recipients"]["cc"] = json!([{ "address": bad }])).await;
        assert_eq!((status, code.as_str()), (400, "BadRequest"), "{bad}");
        assert!(
            message.contains("Invalid format for email address")
                && message.contains("recipients.cc[0].address")
        );
        assert!(!message.contains("secret"));
    }
    let (_, _, message) = refused(&world, |body| body["senderAddress"] = json!("nobody")).await;
    assert!(message.contains("senderAddress"));
    let (_, _, message) = refused(&world, |body| body["replyTo"] = json!([{ "address": "x" }])).await;
    assert!(message.contains("replyTo[0].address"));
}

fn file(name: &str, id: Option<&str>) -> Value {
    json!({ "name": name, "contentType": "text/plain", "contentInBase64": "aGVsbG8=", "contentId": id })
}

#[tokio::test]
async fn attachments_that_may_not_go_are_refused_or_left_out() {
    let mut world = MailWorld::new().await;
    for name in ["a.exe", "A.EXE", "a.txt.js", "a.ps1", "a.vbs.", "a.bat "] {
        let (status, _, message) =
            refused(&world, |body| body["attachments"] = json!([file("a.pdf", None), file(name, None)]))
                .await;
        assert_eq!((status, message.contains("attachments[1].name")), (400, true), "{name}");
    }
    let (status, _, message) = refused(&world, |body| {
        body["attachments"] = json!([{ "name": "a", "contentType": "none", "contentInBase64": "aGk=" }]);
    })
    .await;
    assert_eq!((status, message.contains("attachments[0].contentType")), (400, true));
    let mut body = mail(&["ada@example.com"]);
    body["attachments"] = json!([file("keep.txt", None), file("a.exe", None)]);
    body["headers"] = json!({ "x-ms-acsemail-suppress-invalid-attachment": "true" });
    world.send(&body).await.expect(202);
    world.carry().await;
    let message = String::from_utf8(world.parcels()[0].message.expose().clone()).unwrap();
    assert!(message.contains("keep.txt") && !message.contains("a.exe"));
    assert!(!message.to_lowercase().contains("x-ms-acsemail"), "what is for us is not sent on");
}

#[tokio::test]
async fn content_ids_are_unique_unless_asked_otherwise() {
    let world = MailWorld::new().await;
    let both = json!([file("a.png", Some("one")), file("b.png", Some("one"))]);
    let (status, _, message) = refused(&world, |body| body["attachments"] = both.clone()).await;
    assert_eq!((status, message.contains("attachments[1].contentId")), (400, true));
    let mut body = mail(&["ada@example.com"]);
    body["attachments"] = both;
    body["headers"] = json!({ "X-MS-ACSEmail-Ignore-Duplicate-Content-Id": "true" });
    world.send(&body).await.expect(202);
}

#[tokio::test]
async fn headers_are_the_senders_but_for_those_that_are_not() {
    let mut world = MailWorld::new().await;
    for bad in [
        json!({ "From": "x@example.com" }),
        json!({ "Subject": "other" }),
        json!({ "bad name": "v" }),
        json!({ "X-A": "1", "x-a": "2" }),
    ] {
        let (status, _, message) = refused(&world, |body| body["headers"] = bad.clone()).await;
        assert_eq!((status, message.contains("'headers'")), (400, true), "{bad}");
    }
    let mut body = mail(&["ada@example.com"]);
    body["headers"] = json!({ "Importance": "high", "Message-ID": "<mine@contoso.example>" });
    world.send(&body).await.expect(202);
    body["headers"] = json!({ "message-id": "not one" });
    world.send(&body).await.expect(202);
    let (status, _, _) = refused(&world, |body| {
        body["headers"] = json!({ "message-id": "no", "x-ms-acsemail-validate-message-id": "true" });
    })
    .await;
    assert_eq!(status, 400);
    world.carry().await;
    let texts: Vec<_> = world
        .parcels()
        .iter()
        .map(|one| String::from_utf8_lossy(one.message.expose()).into_owned())
        .collect();
    assert!(texts.iter().any(|text| text.contains("Importance: high\r\n")
        && text.contains("Message-ID: <mine@contoso.example>\r\n")));
    assert!(
        texts.iter().any(|text| text.contains("@contoso.chancery.test>\r\n") && !text.contains("not one"))
    );
}

#[tokio::test]
async fn only_this_request_may_be_long_and_not_too_long() {
    let limits = Limits { mail_request_bytes: 700_000, ..Limits::default() };
    let options = server::testing::Options { limits, ..Default::default() };
    let world = MailWorld::over(server::testing::TestApp::with(options).await);
    let mut body = mail(&["ada@example.com"]);
    body["content"]["plainText"] = json!("");
    let rest = body.to_string().len();
    body["content"]["plainText"] = json!("a".repeat(700_000 - rest));
    assert_eq!(body.to_string().len(), 700_000);
    world.send(&body).await.expect(202);
    body["content"]["plainText"] = json!("a".repeat(700_001 - rest));
    let answer = world.send(&body).await.expect(413);
    assert_eq!(answer.code(), "PayloadTooLarge");
}

#[tokio::test]
async fn the_most_recipients_are_taken_and_one_more_is_not() {
    let mut world = MailWorld::new().await;
    let addresses: Vec<String> = (0..51).map(|n| format!("a{n}@example.com")).collect();
    let all: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let (status, _, _) = refused(&world, |body| *body = mail(&all)).await;
    assert_eq!(status, 400);
    let id = world.accept(&mail(&all[..50])).await;
    assert_eq!(world.carry().await, 1, "one destination, one errand");
    assert_eq!(world.fates(id).await.len(), 50);
}

#[tokio::test]
async fn an_address_given_twice_gets_one() {
    let mut world = MailWorld::new().await;
    let mut body = mail(&["ada@example.com", "Ada@Example.com"]);
    body["recipients"]["bcc"] = json!([{ "address": "ada@example.com" }]);
    world.accept(&body).await;
    world.carry().await;
    let parcel = world.parcels().remove(0);
    assert_eq!(parcel.recipients.len(), 1);
}

#[tokio::test]
async fn hidden_recipients_are_in_the_envelope_alone() {
    let mut world = MailWorld::new().await;
    let mut body = mail(&["ada@example.com"]);
    body["recipients"]["cc"] = json!([{ "address": "cc@example.com", "displayName": "See Copy" }]);
    body["recipients"]["bcc"] = json!([{ "address": "hidden@example.com" }]);
    body["replyTo"] = json!([{ "address": "help@contoso.example" }]);
    world.accept(&body).await;
    world.carry().await;
    let parcel = world.parcels().remove(0);
    let to: Vec<_> = parcel.recipients.iter().map(|one| one.expose().as_str()).collect();
    assert_eq!(to, ["ada@example.com", "cc@example.com", "hidden@example.com"]);
    let text = String::from_utf8(parcel.message.into_inner()).unwrap();
    assert!(!text.contains("hidden"));
    for part in ["cc@example.com", "See Copy", "Reply-To: ", "Subject: Hello", SENDER, "a text"] {
        assert!(text.contains(part), "{part}");
    }
    assert!(text.starts_with("DKIM-Signature: "));
}

#[tokio::test]
async fn what_the_store_cannot_take_is_not_accepted() {
    let mut world = MailWorld::new().await;
    world.send(&mail(&["ada@example.com"])).await.expect(202);
    let plan = store::engine::memory::FaultPlan {
        before: 1000,
        ..store::engine::memory::FaultPlan::none(world.test.rng.clone())
    };
    world.test.engine.set_faults(Some(plan));
    let answer = world.send(&mail(&["b@example.com"])).await.expect(503);
    assert_ne!(answer.header("retry-after"), "");
    world.test.engine.set_faults(None);
    assert_eq!(world.carry().await, 1);
}
