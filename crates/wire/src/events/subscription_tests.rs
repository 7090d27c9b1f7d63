//! Tests of subscriptions as they are asked for and told.

use super::*;

fn asked(properties: &Value) -> Result<SubscriptionBody, ApiError> {
    SubscriptionBody::parse(json!({ "properties": properties }).to_string().as_bytes())
}

fn hook(url: &str) -> Value {
    json!({ "destination": { "endpointType": "WebHook", "properties": { "endpointUrl": url } } })
}

fn with(name: &str, value: Value) -> Result<SubscriptionBody, ApiError> {
    let mut all = hook("https://hooks.example/a?code=secret");
    all[name] = value;
    asked(&all)
}

#[test]
fn the_least_that_can_be_asked() {
    let body = asked(&hook("https://hooks.example/a?code=secret")).unwrap();
    assert_eq!(
        (body.schema, body.kinds.as_ref(), body.max_attempts, body.ttl_minutes),
        (EventSchema::EventGrid, None, 30, 1440)
    );
    assert!(body.wants("ChatMessageReceived", "anything") && body.wants("SMSReceived", ""));
    assert!(!format!("{body:?}").contains("hooks.example"));
}

#[test]
fn endpoints_that_cannot_be_are_refused() {
    let long = format!("https://hooks.example/{}", "a".repeat(MAX_URL));
    for bad in [
        "",
        "hooks.example",
        "/a",
        "ftp://hooks.example/",
        "https://",
        "https://user@hooks.example/",
        "https://u:p@hooks.example/",
        "https://hooks.example/#a",
        "https://hooks.example/ a",
        &long,
    ] {
        let error = asked(&hook(bad)).unwrap_err();
        assert_eq!(error.status(), 400, "{bad}");
        assert!(!error.to_string().contains("hooks"), "what was sent is not repeated");
    }
    let at_limit = format!("https://h/{}", "a".repeat(MAX_URL - 10));
    assert_eq!(at_limit.len(), MAX_URL);
    assert!(asked(&hook(&at_limit)).is_ok());
    assert!(asked(&hook(&format!("{at_limit}a"))).is_err());
    assert!(asked(&json!({})).is_err());
    let queue = json!({ "destination": { "endpointType": "StorageQueue", "properties": {} } });
    assert_eq!(asked(&queue).unwrap_err().target(), Some("properties.destination.endpointType"));
}

#[test]
fn filters_choose_by_type_and_subject() {
    let body = with(
        "filter",
        json!({
            "includedEventTypes": ["microsoft.communication.smsreceived", "Microsoft.Communication.SMSReceived"],
            "subjectBeginsWith": "/PhoneNumber/", "subjectEndsWith": "00",
        }),
    )
    .unwrap();
    assert_eq!(body.kinds.as_deref(), Some(&["SMSReceived".to_owned()][..]));
    assert!(body.wants("SMSReceived", "/phonenumber/1500"));
    assert!(!body.wants("SMSReceived", "/phonenumber/1501"));
    assert!(!body.wants("SMSReceived", "x/phonenumber/00"));
    assert!(!body.wants("SMSReceived", "") && !body.wants("SMSReceived", "é"));
    assert!(!body.wants("SMSDeliveryReportReceived", "/phonenumber/1500"));
    let strict = with("filter", json!({ "subjectBeginsWith": "A", "isSubjectCaseSensitive": true })).unwrap();
    assert!(strict.wants("SMSReceived", "Abc") && !strict.wants("SMSReceived", "abc"));
    let all = with("filter", json!({ "includedEventTypes": ["All"] })).unwrap();
    assert_eq!(all.kinds, None);
}

#[test]
fn what_is_not_done_here_is_refused_and_not_left_out() {
    let refused = |name: &str, value: Value| with(name, value).unwrap_err().status();
    assert_eq!(refused("filter", json!({ "advancedFilters": [{ "operatorType": "StringIn" }] })), 400);
    assert_eq!(refused("filter", json!({ "includedEventTypes": ["Microsoft.Storage.BlobCreated"] })), 400);
    assert_eq!(refused("expirationTimeUtc", json!("2027-01-01T00:00:00Z")), 400);
    assert_eq!(refused("eventDeliverySchema", json!("CustomInputSchema")), 400);
    let batched = json!({ "endpointType": "WebHook", "properties": { "endpointUrl": "https://h/", "maxEventsPerBatch": 5 } });
    assert_eq!(refused("destination", batched), 400);
}

#[test]
fn limits_hold_at_and_just_past_them() {
    let filter = |length: usize| with("filter", json!({ "subjectBeginsWith": "a".repeat(length) }));
    assert!(filter(MAX_FILTER).is_ok() && filter(MAX_FILTER + 1).is_err());
    let labels = |count: usize| with("labels", json!(vec!["a"; count]));
    assert!(labels(MAX_LABELS).is_ok() && labels(MAX_LABELS + 1).is_err());
    assert!(with("labels", json!(["a".repeat(65)])).is_err());
    let attempts = |n: i64| with("retryPolicy", json!({ "maxDeliveryAttempts": n }));
    assert!(attempts(1).is_ok() && attempts(30).is_ok() && attempts(0).is_err() && attempts(31).is_err());
    let ttl = |n: i64| with("retryPolicy", json!({ "eventTimeToLiveInMinutes": n }));
    assert!(ttl(1440).is_ok() && ttl(1441).is_err() && ttl(-1).is_err());
    for good in ["abc", &"a".repeat(MAX_NAME), "A-1"] {
        assert!(check_name(good).is_ok(), "{good}");
    }
    for bad in ["ab", &"a".repeat(MAX_NAME + 1), "a_b", "a b", "äbc", ""] {
        assert!(check_name(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_patch_changes_what_it_names() {
    let body = with("labels", json!(["one"])).unwrap();
    let patch = SubscriptionPatch::parse(br#"{"retryPolicy":{"maxDeliveryAttempts":3}}"#).unwrap();
    let changed = body.patched(&patch).unwrap();
    assert_eq!((changed.max_attempts, changed.labels.len()), (3, 1));
    assert_eq!(changed.endpoint, body.endpoint);
    assert!(SubscriptionPatch::parse(b"[]").is_err());
}

#[test]
fn what_is_told_holds_no_query() {
    let body =
        with("filter", json!({ "includedEventTypes": ["Microsoft.Communication.SMSReceived"] })).unwrap();
    let told = SubscriptionView { name: "one", topic: "/t", state: "Succeeded", body: &body }.value();
    let properties = &told["properties"];
    assert_eq!(properties["destination"]["properties"]["endpointBaseUrl"], "https://hooks.example/a");
    assert_eq!(properties["filter"]["includedEventTypes"], json!(["Microsoft.Communication.SMSReceived"]));
    assert_eq!(told["id"], "/t/providers/Microsoft.EventGrid/eventSubscriptions/one");
    assert!(!told.to_string().contains("secret"));
}
