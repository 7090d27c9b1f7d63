//! The development outbox by its routes: what a program sends is captured, found by tests, shown, deleted; addresses
//! fail as the rules say.

use std::sync::Arc;
use std::time::Duration;

use guard::BoxFuture;
use serde_json::{Value, json};
use server::channel::capture::{Capture, Fate, Inboxes, Outbox, Verdict};
use server::channel::{MailChannel, MailOutcome, MailParcel, TextIn, TextInbox, TextParcel, TextReceipt};
use server::service::outbox::Keeper;
use server::testing::TestApp;

const OUTBOX: &str = "/operator/resources/contoso/outbox";
const MAIL: &str = "From: dev <a@dev.example>\r\nTo: ada@example.org\r\nSubject: Bill\r\nMIME-Version: 1.0\r\n\
    Content-Type: text/html; charset=utf-8\r\n\r\n<p>Please <b>pay</b>.</p>\r\n";

fn keeper(test: &TestApp) -> Keeper {
    Keeper::new(&test.app.state().directory, test.clock.clone(), test.rng.clone())
}

fn mail(test: &TestApp, id: u8, to: &[&str]) -> MailParcel {
    MailParcel {
        id: [id; 16],
        resource: test.resource().id(),
        return_path: "bounce-1@dev.example".to_owned().into(),
        recipients: to.iter().map(|to| (*to).to_owned().into()).collect(),
        destination: "outbox".to_owned().into(),
        message: MAIL.as_bytes().to_vec().into(),
    }
}

fn text(test: &TestApp, id: u8, says: &str) -> TextParcel {
    TextParcel {
        id: [id; 16],
        resource: test.resource().id(),
        from: "+18335550100".to_owned().into(),
        to: "+14255550100".to_owned().into(),
        text: says.to_owned().into(),
        receipt: true,
        validity: Duration::from_secs(60),
    }
}

/// Captures a text in the resource under test; its id in the outbox.
pub(crate) async fn captured(test: &TestApp) -> String {
    let verdict = Verdict { outcome: Fate::Accepted, rule: None };
    assert!(keeper(test).text(&text(test, 1, &test.canary()), &verdict).await);
    let answer = test.call("GET", "/operator/resources/contoso/outbox/state").operator().send().await;
    let mark = answer.expect(200).json()["mark"].as_str().unwrap().to_owned();
    // The mark begins with the newest item's id; looking at the list itself would leave an audit entry.
    mark.split('.').next().unwrap().to_owned()
}

/// Where texts go that come in: nowhere, and that is well.
struct Taken(tokio::sync::mpsc::UnboundedSender<TextIn>);

impl TextInbox for Taken {
    fn receipt(&self, _receipt: TextReceipt) -> BoxFuture<'_, bool> {
        Box::pin(async { true })
    }

    fn text(&self, text: TextIn) -> BoxFuture<'_, bool> {
        let _ = self.0.send(text);
        Box::pin(async { true })
    }
}

fn take(test: &TestApp) -> tokio::sync::mpsc::UnboundedReceiver<TextIn> {
    let (sender, taken) = tokio::sync::mpsc::unbounded_channel();
    let inbox: Arc<dyn TextInbox> = Arc::new(Taken(sender));
    let all = [test.resource(), test.neighbour()].map(|entry| (entry.id(), Arc::clone(&inbox)));
    test.app.state().outbox.attach(Arc::new(Inboxes::from(all)));
    taken
}

/// Lets texts come in that are made to.
pub(crate) fn take_texts(test: &TestApp) -> String {
    drop(take(test));
    String::new()
}

async fn get(test: &TestApp, target: &str) -> Value {
    test.call("GET", target).operator().send().await.expect(200).json()
}

#[tokio::test]
async fn what_is_captured_is_found_by_recipient_and_kind() {
    let test = TestApp::new().await;
    let (capture, _words) = Capture::new(Arc::new(keeper(&test)));
    let outcomes = capture.deliver(&mail(&test, 7, &["ada@example.org", "bounce@example.org"])).await;
    assert!(matches!(&outcomes[..], [MailOutcome::Accepted(_), MailOutcome::Refused(_)]));
    captured(&test).await;
    let all = get(&test, OUTBOX).await;
    assert_eq!(all["value"].as_array().unwrap().len(), 2);
    let mail = get(&test, &format!("{OUTBOX}?kind=mail&recipient=ADA%40example.org")).await;
    let item = &mail["value"][0];
    assert_eq!((&item["subject"], &item["preview"]), (&json!("Bill"), &json!("Please pay.")));
    assert_eq!(item["messageId"], "07070707-0707-0707-0707-070707070707");
    let refused =
        json!({ "address": "bounce@example.org", "outcome": "refused", "attempts": 1, "rule": "bounce" });
    assert_eq!(item["to"][1], refused);
    let none = get(&test, &format!("{OUTBOX}?kind=text&recipient=ada%40example.org")).await;
    assert_eq!(none, json!({ "value": [] }));
    let whole = get(&test, &format!("{OUTBOX}/{}", item["id"].as_str().unwrap())).await;
    assert_eq!(whole["mail"]["html"], "<p>Please <b>pay</b>.</p>\r\n");
    assert_eq!(whole["mail"]["returnPaths"], json!(["bounce-1@dev.example"]));
    assert_eq!(whole["mail"]["headers"][2], json!({ "name": "Subject", "value": "Bill" }));
    let raw = test.call("GET", &format!("{OUTBOX}/{}/raw", item["id"].as_str().unwrap())).operator();
    let raw = raw.send().await.expect(200);
    assert_eq!((&raw.body[..], raw.header("content-type")), (MAIL.as_bytes(), "message/rfc822"));
    assert!(raw.header("content-security-policy").contains("sandbox"));
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let test = TestApp::new().await;
    let verdict = Verdict { outcome: Fate::Accepted, rule: None };
    for id in 1..=5 {
        test.clock.advance(Duration::from_millis(1));
        assert!(keeper(&test).text(&text(&test, id, "x"), &verdict).await);
    }
    let mut target = format!("{OUTBOX}?maxPageSize=2&kind=text&recipient=%2B14255550100");
    let mut sizes = Vec::new();
    loop {
        let page = get(&test, &target).await;
        sizes.push(page["value"].as_array().unwrap().len());
        let Some(next) = page["nextLink"].as_str() else { break };
        target = next.split_once("8443").unwrap().1.to_owned();
    }
    assert_eq!(sizes, [2, 2, 1]);
    for bad in ["kind=fax", "before=x", "maxPageSize=0"] {
        let answer = test.call("GET", &format!("{OUTBOX}?{bad}")).operator().send().await;
        assert_eq!(answer.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn what_was_read_is_on_record_and_what_cannot_be_recorded_is_not_read() {
    let test = TestApp::new().await;
    let id = captured(&test).await;
    get(&test, OUTBOX).await;
    get(&test, &format!("{OUTBOX}/{id}")).await;
    let acts: Vec<_> = test.audit().await.into_iter().map(|entry| entry.act).collect();
    assert_eq!(acts, ["outbox.list", "outbox.read"], "asking for the state is no act");
}

#[tokio::test]
async fn unknown_items_resources_and_callers_get_nothing() {
    let test = TestApp::new().await;
    let id = captured(&test).await;
    for target in [
        format!("{OUTBOX}/{}", "0".repeat(32)),
        format!("{OUTBOX}/x"),
        format!("/operator/resources/fabrikam/outbox/{id}"),
        "/operator/resources/nobody/outbox".to_owned(),
    ] {
        test.call("GET", &target).operator().send().await.expect(404);
    }
    test.call("GET", OUTBOX).signed().send().await.expect(401);
    test.call("GET", OUTBOX).bearer("operator-token-of-another-0123456789abcdef").send().await.expect(401);
    test.call("DELETE", &format!("{OUTBOX}/{id}")).operator().send().await.expect(200);
    test.call("GET", &format!("{OUTBOX}/{id}")).operator().send().await.expect(404);
    let cleared = test.call("DELETE", OUTBOX).operator().send().await.expect(200);
    assert_eq!(cleared.json(), json!({ "deleted": 0 }));
}

#[tokio::test]
async fn rules_are_replaced_as_a_whole() {
    let test = TestApp::new().await;
    let rules = format!("{OUTBOX}/rules");
    let body = json!({ "rules": [{ "match": "Full@*", "action": "bounce", "code": 552 }] });
    let put = test.call("PUT", &rules).operator().json(&body).send().await.expect(200).json();
    let full = json!({ "match": "full@*", "action": "bounce", "seconds": 5, "times": 1, "code": 552 });
    assert_eq!(put["rules"], json!([full]));
    // What was told can be sent again as it is.
    let again = json!({ "rules": put["rules"] });
    assert_eq!(test.call("PUT", &rules).operator().json(&again).send().await.expect(200).json(), put);
    let (capture, _words) = Capture::new(Arc::new(keeper(&test)));
    let outcome = capture.deliver(&mail(&test, 1, &["full@example.org"])).await.remove(0);
    assert!(matches!(outcome, MailOutcome::Refused(reply) if reply.code == 552));
    let wrong = json!({ "rules": [{ "match": "x", "action": "explode" }] });
    test.call("PUT", &rules).operator().json(&wrong).send().await.expect(400);
    assert_eq!(get(&test, &rules).await, put, "a wrong list changes nothing");
}

#[tokio::test]
async fn texts_are_made_to_come_in() {
    let test = TestApp::new().await;
    let says = test.canary();
    let body = json!({ "from": "+14255550100", "to": "+18335550100", "text": says });
    let receive = || test.call("POST", "/operator/resources/contoso/outbox/receive").operator().json(&body);
    receive().send().await.expect(400);
    let mut taken = take(&test);
    receive().send().await.expect(200);
    let text = taken.recv().await.unwrap();
    assert_eq!((text.text.expose(), text.from.expose().as_str(), text.segments), (&says, "+14255550100", 1));
}

#[tokio::test]
async fn the_page_holds_nothing_and_may_load_nothing_from_elsewhere() {
    let test = TestApp::new().await;
    let page = test.call("GET", "/operator/outbox").send().await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "img-src data:",
        "frame-ancestors 'none'",
        "form-action 'none'",
    ] {
        assert!(policy.contains(part), "{part} in {policy}");
    }
    let script = policy.split(';').find(|part| part.trim().starts_with("script-src")).unwrap();
    assert!(!script.contains("unsafe") && !policy.contains('*') && !policy.contains("https:"), "{policy}");
    let html = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(!html.contains("http:") && !html.contains("https:") && !html.contains("<script>"), "{html}");
    for (target, media) in [("page.js", "text/javascript"), ("page.css", "text/css")] {
        let answer = test.call("GET", &format!("/operator/outbox/{target}")).send().await.expect(200);
        assert!(answer.header("content-type").starts_with(media), "{target}");
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        for bad in [
            "innerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "localStorage",
            "sessionStorage",
            "document.cookie",
        ] {
            assert!(!text.contains(bad), "{bad} in {target}");
        }
    }
}
