//! Tests of the request to send.

use serde_json::{Value, json};

use super::*;

const NEWEST: ApiVersion = ApiVersion::known("2025-09-01");

fn whole() -> Value {
    json!({
        "senderAddress": "donotreply@contoso.example",
        "content": { "subject": "Hello", "plainText": "text", "html": "<p>text</p>" },
        "recipients": {
            "to": [{ "address": "ada@example.com", "displayName": "Ada" }, { "address": "b@example.com" }],
            "cc": [{ "address": "c@example.com", "displayName": "" }],
            "bcc": [{ "address": "d@example.com" }]
        },
        "replyTo": [{ "address": "help@contoso.example" }],
        "headers": { "X-Order": "17" },
        "attachments": [
            { "name": "a.txt", "contentType": "text/plain", "contentInBase64": "aGVsbG8=", "contentId": "one" }
        ],
        "userEngagementTrackingDisabled": true
    })
}

fn parse(body: &Value) -> Result<SendEmail, ApiError> {
    SendEmail::parse(body.to_string().as_bytes(), NEWEST, &Limits::default())
}

/// The message about `body` with the value at `pointer` set to `value`.
fn fault(pointer: &str, value: Value) -> String {
    let mut body = whole();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match body.pointer_mut(parent).unwrap() {
        Value::Object(object) => drop(object.insert(name.to_owned(), value)),
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        _ => unreachable!(),
    }
    let error = parse(&body).unwrap_err();
    assert_eq!((error.status(), error.code()), (400, "BadRequest"), "{pointer}");
    error.message().to_owned()
}

fn see(path: &str) -> String {
    format!("Request body validation error. See property '{path}'")
}

#[test]
fn a_whole_request_is_read() {
    let mail = parse(&whole()).unwrap();
    assert_eq!(mail.sender.expose(), "donotreply@contoso.example");
    assert_eq!(mail.content.subject.expose(), "Hello");
    assert_eq!(mail.content.html.as_ref().unwrap().expose(), "<p>text</p>");
    assert_eq!((mail.to.len(), mail.cc.len(), mail.bcc.len(), mail.reply_to.len()), (2, 1, 1, 1));
    assert_eq!(mail.to[0].name.as_ref().unwrap().expose(), "Ada");
    assert_eq!(mail.cc[0].name, None, "an empty name is none");
    assert_eq!(mail.headers[0].0.expose(), "X-Order");
    assert_eq!(mail.attachments[0].content.expose(), b"hello");
    assert_eq!(mail.attachments[0].content_id.as_ref().unwrap().expose(), "one");
    assert!(mail.tracking_disabled);
}

#[test]
fn the_least_request_is_enough() {
    let least = json!({
        "senderAddress": "a@b.example",
        "content": { "subject": "s", "plainText": "t" },
        "recipients": { "to": [{ "address": "c@d.example" }] }
    });
    let mail = parse(&least).unwrap();
    assert!(mail.content.html.is_none() && mail.attachments.is_empty() && !mail.tracking_disabled);
    let nulls = json!({
        "senderAddress": "a@b.example",
        "content": { "subject": "s", "html": "t", "plainText": null },
        "recipients": { "to": [{ "address": "c@d.example" }], "cc": null, "bcc": null },
        "replyTo": null, "headers": null, "attachments": null, "userEngagementTrackingDisabled": null
    });
    assert!(parse(&nulls).unwrap().content.plain.is_none(), "null counts as absent");
}

#[test]
fn what_is_missing_is_named_by_its_path() {
    for (pointer, path) in [
        ("/senderAddress", "senderAddress"),
        ("/content", "content"),
        ("/content/subject", "content.subject"),
        ("/recipients", "recipients"),
        ("/recipients/to", "recipients.to"),
        ("/recipients/to/1/address", "recipients.to[1].address"),
        ("/recipients/to/0/displayName", "recipients.to[0].displayName"),
        ("/recipients/bcc/0/address", "recipients.bcc[0].address"),
        ("/replyTo/0/address", "replyTo[0].address"),
        ("/headers/X-Order", "headers"),
        ("/attachments/0/name", "attachments[0].name"),
        ("/attachments/0/contentType", "attachments[0].contentType"),
        ("/attachments/0/contentInBase64", "attachments[0].contentInBase64"),
    ] {
        assert_eq!(fault(pointer, Value::Null), see(path));
    }
    for (pointer, path) in [
        ("/senderAddress", "senderAddress"),
        ("/content/subject", "content.subject"),
        ("/recipients/cc/0/address", "recipients.cc[0].address"),
        ("/attachments/0/contentInBase64", "attachments[0].contentInBase64"),
    ] {
        assert_eq!(fault(pointer, json!("")), see(path), "empty is as good as missing");
    }
    assert_eq!(fault("/recipients/to", json!([])), see("recipients.to"));
    assert_eq!(fault("/content", json!({ "subject": "s" })), see("content"));
    assert_eq!(fault("/content", json!({ "subject": "s", "plainText": "", "html": "" })), see("content"));
}

#[test]
fn what_is_not_base64_is_refused_as_acs_does() {
    for bad in ["*", "aGVsbG8", "aGVsbG8=\n", "aGVs bG8="] {
        let said = fault("/attachments/0/contentInBase64", json!(bad));
        assert_eq!(said, "Request body validation error. ContentBytes invalid. Should be base64.", "{bad}");
    }
}

#[test]
fn wrong_types_are_refused_without_being_repeated() {
    for (pointer, value) in [
        ("/senderAddress", json!(["secret"])),
        ("/recipients/to", json!("secret@example.com")),
        ("/recipients/to/0", json!("secret@example.com")),
        ("/userEngagementTrackingDisabled", json!("secret")),
        ("/headers", json!(["secret"])),
    ] {
        assert!(!fault(pointer, value).contains("secret"), "{pointer}");
    }
}

#[test]
fn recipients_are_counted_together() {
    let mut body = whole();
    let boxes =
        |n: usize| (0..n).map(|i| json!({ "address": format!("a{i}@example.com") })).collect::<Vec<_>>();
    body["recipients"] = json!({ "to": boxes(20), "cc": boxes(20), "bcc": boxes(10) });
    assert!(parse(&body).is_ok());
    body["recipients"] = json!({ "to": boxes(20), "cc": boxes(20), "bcc": boxes(11) });
    assert_eq!(parse(&body).unwrap_err().message(), see("recipients"));
}

#[test]
fn lists_have_limits() {
    let attachment = json!({ "name": "a", "contentType": "b/c", "contentInBase64": "aGk=" });
    let mut body = whole();
    body["attachments"] = json!(vec![attachment.clone(); MAX_MAIL_ATTACHMENTS]);
    assert!(parse(&body).is_ok());
    body["attachments"] = json!(vec![attachment; MAX_MAIL_ATTACHMENTS + 1]);
    assert_eq!(parse(&body).unwrap_err().message(), see("attachments"));
    let headers = |n: usize| -> Value {
        (0..n).map(|i| (format!("X-{i}"), json!("v"))).collect::<serde_json::Map<_, _>>().into()
    };
    let mut body = whole();
    body["headers"] = headers(MAX_MAIL_HEADERS);
    assert!(parse(&body).is_ok());
    body["headers"] = headers(MAX_MAIL_HEADERS + 1);
    assert_eq!(parse(&body).unwrap_err().message(), see("headers"));
}

#[test]
fn the_older_version_knows_no_inline_attachments() {
    let old = ApiVersion::known("2023-03-31");
    let mail = SendEmail::parse(whole().to_string().as_bytes(), old, &Limits::default()).unwrap();
    assert_eq!(mail.attachments[0].content_id, None);
}

#[test]
fn it_prints_nothing_of_what_it_holds() {
    let shown = format!("{:?}", parse(&whole()).unwrap());
    for part in ["example", "Hello", "Ada", "a.txt", "hello", "X-Order"] {
        assert!(!shown.contains(part), "{part}");
    }
}
