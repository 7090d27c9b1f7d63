//! Requests of texts: what is taken, and what is refused and why.

use serde_json::{Value, json};

use super::*;

const OLD: ApiVersion = ApiVersion::known("2021-03-07");
const NEW: ApiVersion = ApiVersion::known("2026-01-23");
const DATE: &str = "Mon, 23 Nov 2026 08:00:00 GMT";

fn send(change: impl FnOnce(&mut Value), version: ApiVersion) -> Result<SendText, ApiError> {
    let mut body = json!({
        "from": "+18335550100",
        "smsRecipients": [{ "to": "+14255550100" }],
        "message": "hello",
        "smsSendOptions": { "enableDeliveryReport": true },
    });
    change(&mut body);
    SendText::parse(body.to_string().as_bytes(), version)
}

fn refused(change: impl FnOnce(&mut Value)) -> String {
    let error = send(change, NEW).unwrap_err();
    assert_eq!((error.status(), error.code()), (400, "ValidationError"));
    error.target().unwrap().to_owned()
}

#[test]
fn what_the_sdks_send_is_read() {
    let got = send(
        |body| {
            body["smsRecipients"] = json!([
                { "to": "+1", "repeatabilityRequestId": "ABC", "repeatabilityFirstSent": DATE },
                { "to": "+2", "repeatabilityRequestId": null, "repeatabilityFirstSent": DATE },
            ]);
            body["smsSendOptions"]["tag"] = json!("blue");
        },
        OLD,
    )
    .unwrap();
    assert_eq!(got.recipients[0].repeat, Repeat::Under("abc".to_owned()));
    assert_eq!(got.recipients[1].repeat, Repeat::Never);
    assert_eq!((got.report, got.tag.unwrap().expose().as_str()), (true, "blue"));
    let plain = send(|body| drop(body.as_object_mut().unwrap().remove("smsSendOptions")), OLD).unwrap();
    assert!(!plain.report && plain.tag.is_none() && plain.report_timeout.is_none());
}

#[test]
fn a_repeatable_text_says_when_it_was_first_sent() {
    for date in [Value::Null, json!(""), json!("yesterday"), json!("2026-11-23T08:00:00Z")] {
        let got = send(
            |body| {
                body["smsRecipients"][0]["repeatabilityRequestId"] = json!("x");
                body["smsRecipients"][0]["repeatabilityFirstSent"] = date.clone();
            },
            NEW,
        );
        assert_eq!(got.unwrap().recipients[0].repeat, Repeat::BadDate, "{date}");
    }
    for (length, good) in [(MAX_REPEAT_ID, true), (MAX_REPEAT_ID + 1, false), (0, false)] {
        let got = send(
            |body| {
                body["smsRecipients"][0]["repeatabilityRequestId"] = json!("x".repeat(length));
                body["smsRecipients"][0]["repeatabilityFirstSent"] = json!(DATE);
            },
            NEW,
        );
        assert_eq!(got.is_ok(), good, "{length}");
    }
}

#[test]
fn what_is_required_is_required() {
    for name in ["from", "message"] {
        assert_eq!(refused(|body| drop(body.as_object_mut().unwrap().remove(name))), name);
        assert_eq!(refused(|body| body[name] = Value::Null), name);
    }
    assert_eq!(refused(|body| body["from"] = json!("")), "from");
    assert_eq!(refused(|body| body["smsRecipients"] = json!([{}])), "smsRecipients.to");
    let options = "smsSendOptions.enableDeliveryReport";
    assert_eq!(refused(|body| body["smsSendOptions"] = json!({})), options);
    assert!(send(|body| body["smsSendOptions"] = json!([true]), NEW).is_err(), "a list is no object");
}

#[test]
fn each_limit_holds_at_it_and_refuses_past_it() {
    let many = |n: usize| send(|body| body["smsRecipients"] = json!(vec![json!({"to": "+1"}); n]), NEW);
    assert!(many(1).is_ok() && many(MAX_RECIPIENTS).is_ok());
    assert!(many(0).is_err() && many(MAX_RECIPIENTS + 1).is_err());
    let long = |letter: &str, n: usize| send(|body| body["message"] = json!(letter.repeat(n)), NEW);
    assert!(long("a", 0).is_ok() && long("a", MAX_MESSAGE).is_ok() && long("\u{20ac}", MAX_MESSAGE).is_ok());
    assert!(long("a", MAX_MESSAGE + 1).is_err() && long("\u{20ac}", MAX_MESSAGE + 1).is_err());
    assert!(long("\u{1f600}", MAX_MESSAGE / 2).is_ok() && long("\u{1f600}", MAX_MESSAGE / 2 + 1).is_err());
    let tag = |n: usize| send(|body| body["smsSendOptions"]["tag"] = json!("t".repeat(n)), NEW);
    assert!(tag(MAX_TAG).is_ok() && tag(MAX_TAG + 1).is_err());
    let from = |n: usize| send(|body| body["from"] = json!("1".repeat(n)), NEW);
    assert!(from(MAX_PARTY).is_ok() && from(MAX_PARTY + 1).is_err());
    let to = send(|body| body["smsRecipients"][0]["to"] = json!("1".repeat(MAX_PARTY + 1)), NEW).unwrap();
    assert_eq!(to.recipients[0].to.expose(), "", "refused for itself, not with the whole request");
}

#[test]
fn the_wait_for_a_report_has_bounds() {
    let wait = |value: Value, version| {
        send(|body| body["smsSendOptions"]["deliveryReportTimeoutInSeconds"] = value, version)
            .map(|sent| sent.report_timeout)
    };
    assert_eq!(wait(json!(60), NEW), Ok(Some(Duration::from_secs(60))));
    assert_eq!(wait(json!(43_200.0), NEW), Ok(Some(Duration::from_secs(43_200))));
    for bad in [json!(59), json!(43_201), json!(60.5), json!(-60), json!(1e300)] {
        assert!(wait(bad.clone(), NEW).is_err(), "{bad}");
    }
    assert_eq!(wait(json!(5), OLD), Ok(None), "unknown to the version, so not looked at");
}

#[test]
fn a_partner_is_named_whole() {
    let partner = |value: Value, version| {
        send(|body| body["smsSendOptions"]["messagingConnect"] = value, version).map(|sent| sent.partner)
    };
    assert_eq!(partner(json!({ "apiKey": "k", "partner": "p" }), NEW), Ok(true));
    assert_eq!(partner(Value::Null, NEW), Ok(false));
    assert!(partner(json!({ "apiKey": "k" }), NEW).is_err());
    assert!(partner(json!({ "partner": "p", "apiKey": "" }), NEW).is_err());
    assert_eq!(partner(json!({ "apiKey": "k" }), OLD), Ok(false));
}

#[test]
fn opt_outs_name_a_sender_and_some_recipients() {
    let parse = |body: Value| OptOutRequest::parse(body.to_string().as_bytes());
    let got = parse(json!({ "from": "+1", "recipients": [{ "to": "x" }, { "to": "y" }] })).unwrap();
    assert_eq!(got.recipients.len(), 2);
    for bad in [
        json!({}),
        json!({ "from": "+1" }),
        json!({ "from": "+1", "recipients": [] }),
        json!({ "from": "", "recipients": [{ "to": "x" }] }),
        json!({ "from": "+1", "recipients": [{ "to": "" }] }),
        json!({ "from": "+1", "recipients": vec![json!({ "to": "x" }); MAX_RECIPIENTS + 1] }),
    ] {
        assert_eq!(parse(bad.clone()).unwrap_err().status(), 400, "{bad}");
    }
    assert!(parse(json!({ "from": "+1", "recipients": vec![json!({ "to": "x" }); MAX_RECIPIENTS] })).is_ok());
}
