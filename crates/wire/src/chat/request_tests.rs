//! Tests of chat requests: what is read, and each limit at and past it.

use proptest::prelude::*;

use super::*;

const NEW: ApiVersion = ApiVersion::known("2025-03-15");
const OLD: ApiVersion = ApiVersion::known("2024-03-07");

fn limits() -> Limits {
    Limits::default()
}

fn create(body: &str) -> Result<CreateThread, ApiError> {
    CreateThread::parse(body.as_bytes(), NEW, &limits())
}

fn update(body: &str) -> Result<UpdateThread, ApiError> {
    UpdateThread::parse(body.as_bytes(), NEW, &limits())
}

fn send(body: &str) -> Result<SendMessage, ApiError> {
    SendMessage::parse(body.as_bytes(), &limits())
}

fn edit(body: &str) -> Result<UpdateMessage, ApiError> {
    UpdateMessage::parse(body.as_bytes(), &limits())
}

fn target<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.status(), 400, "{error:?}");
    error.target().unwrap_or("none").to_owned()
}

fn users(count: usize) -> String {
    let one = |n| format!(r#"{{"communicationIdentifier":{{"communicationUser":{{"id":"8:acs:r_{n}"}}}}}}"#);
    (0..count).map(one).collect::<Vec<_>>().join(",")
}

#[test]
fn a_thread_as_the_python_sdk_asks_for_it() {
    let body = r#"{"topic":"Lunch","participants":[{"communicationIdentifier":{"rawId":"8:acs:a_b","communicationUser":{"id":"8:acs:a_b"}},"displayName":"Bob","shareHistoryTime":"2026-11-23T08:00:00.000Z"},{"communicationIdentifier":{"rawId":"8:acs:a_b"},"displayName":"Bob again"}]}"#;
    let got = create(body).unwrap();
    assert_eq!(got.topic.expose(), "Lunch");
    assert_eq!((got.metadata, got.retention), (Metadata::default(), None));
    let [bob] = &got.participants[..] else { panic!("duplicates collapse into the first") };
    assert_eq!(bob.identifier.raw_id(), "8:acs:a_b");
    assert_eq!(bob.display_name.as_ref().map(|n| n.expose().as_str()), Some("Bob"));
    assert_eq!(bob.share_history_time.map(Timestamp::as_millis), Some(1_795_420_800_000));
}

#[test]
fn a_thread_as_the_javascript_sdk_asks_for_it() {
    let body = r#"{"topic":"Lunch","participants":[],"metadata":{"a":"1","b":null},"retentionPolicy":{"kind":"threadCreationDate","deleteThreadAfterDays":30}}"#;
    let got = create(body).unwrap();
    assert_eq!(got.metadata.pairs().iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(), ["a=1"]);
    assert_eq!(got.retention, Some(RetentionPolicy::ThreadCreationDate { days: 30 }));
    let nulls = r#"{"topic":"Lunch","participants":null,"metadata":null,"retentionPolicy":null,"newer":1}"#;
    assert!(create(nulls).unwrap().participants.is_empty());
}

#[test]
fn older_versions_do_not_know_metadata_and_retention() {
    let body = r#"{"topic":"t","metadata":{"a":"1"},"retentionPolicy":{"kind":"threadCreationDate","deleteThreadAfterDays":1},"participants":[{"communicationIdentifier":{"rawId":"x"},"metadata":{"a":"1"}}]}"#;
    let got = CreateThread::parse(body.as_bytes(), OLD, &limits()).unwrap();
    assert!(got.metadata.is_empty() && got.retention.is_none() && got.participants[0].metadata.is_empty());
    let body = r#"{"metadata":{"a":"1"},"retentionPolicy":null}"#;
    assert!(UpdateThread::parse(body.as_bytes(), OLD, &limits()).unwrap().is_empty());
    let body = r#"{"participants":[{"communicationIdentifier":{"rawId":"x"},"metadata":{"a":"1"}}]}"#;
    let old = AddParticipants::parse(body.as_bytes(), OLD, &limits()).unwrap();
    let new = AddParticipants::parse(body.as_bytes(), NEW, &limits()).unwrap();
    assert!(old.participants[0].metadata.is_empty() && !new.participants[0].metadata.is_empty());
}

#[test]
fn topics_at_and_past_their_limit() {
    for bad in ["{}", r#"{"topic":null}"#, r#"{"topic":""}"#, r#"{"topic":" \t\u00a0"}"#] {
        assert_eq!(target(create(bad)), "topic", "{bad}");
    }
    let of = |len| format!(r#"{{"topic":"{}"}}"#, "é".repeat(len));
    assert!(create(&of(250)).is_ok() && update(&of(250)).is_ok());
    assert_eq!(target(create(&of(251))), "topic");
    assert_eq!(target(update(&of(251))), "topic");
    assert_eq!(target(update(r#"{"topic":null}"#)), "topic", "a topic cannot be removed");
    assert_eq!(target(update(r#"{"topic":""}"#)), "topic");
}

#[test]
fn participants_at_and_past_their_limit() {
    let thread = |list: &str| create(&format!(r#"{{"topic":"t","participants":[{list}]}}"#));
    let add = |list: &str| {
        let body = format!(r#"{{"participants":[{list}]}}"#);
        AddParticipants::parse(body.as_bytes(), NEW, &limits())
    };
    assert_eq!(thread(&users(200)).unwrap().participants.len(), 200);
    assert_eq!(add(&users(200)).unwrap().participants.len(), 200);
    assert_eq!(target(thread(&users(201))), "participants");
    assert_eq!(target(add(&users(201))), "participants");
    assert_eq!(target(add("")), "participants");
    assert_eq!(target(AddParticipants::parse(b"{}", NEW, &limits())), "participants");
    for bad in [
        "{}",
        r#"{"communicationIdentifier":null}"#,
        r#"{"communicationIdentifier":{}}"#,
        r#"{"communicationIdentifier":{"communicationUser":{"id":"8:acs:a_b"},"phoneNumber":{"value":"+1"}}}"#,
    ] {
        assert_eq!(target(thread(bad)), "communicationIdentifier", "{bad}");
    }
    let dated = |time: &str| {
        add(&format!(r#"{{"communicationIdentifier":{{"rawId":"x"}},"shareHistoryTime":"{time}"}}"#))
    };
    assert_eq!(target(dated("soon")), "shareHistoryTime");
    let ever = dated("0001-01-01T00:00:00+00:00").unwrap();
    assert_eq!(ever.participants[0].share_history_time, Some(Timestamp::EPOCH));
    assert_eq!(dated("").unwrap().participants[0].share_history_time, None);
}

#[test]
fn display_names_at_and_past_their_limit() {
    let add = |name: &str| {
        let body = format!(
            r#"{{"participants":[{{"communicationIdentifier":{{"rawId":"x"}},"displayName":"{name}"}}]}}"#
        );
        AddParticipants::parse(body.as_bytes(), NEW, &limits())
    };
    let (fits, too_long) = ("é".repeat(256), "é".repeat(257));
    assert!(add(&fits).is_ok());
    assert_eq!(target(add(&too_long)), "displayName");
    assert_eq!(add("").unwrap().participants[0].display_name, None);
    let sent = |name: &str| send(&format!(r#"{{"content":"x","senderDisplayName":"{name}"}}"#));
    assert!(sent(&fits).is_ok());
    assert_eq!(target(sent(&too_long)), "senderDisplayName");
    let typing =
        |name: &str| Typing::parse(format!(r#"{{"senderDisplayName":"{name}"}}"#).as_bytes(), &limits());
    assert!(typing(&fits).is_ok());
    assert_eq!(target(typing(&too_long)), "senderDisplayName");
    for none in ["", "{}", "null", r#"{"senderDisplayName":null}"#] {
        assert_eq!(Typing::parse(none.as_bytes(), &limits()), Ok(Typing::default()));
    }
}

#[test]
fn metadata_at_and_past_its_limit() {
    let pairs = |bytes: usize| format!(r#"{{"key1":"{}","key2":""}}"#, "x".repeat(bytes - 8));
    let thread = |bytes| create(&format!(r#"{{"topic":"t","metadata":{}}}"#, pairs(bytes)));
    assert_eq!(thread(1024).unwrap().metadata.bytes(), 1024);
    assert_eq!(target(thread(1025)), "metadata");
    let patch = |bytes| update(&format!(r#"{{"metadata":{}}}"#, pairs(bytes)));
    assert!(patch(1024).is_ok());
    assert_eq!(target(patch(1025)), "metadata");
    let participant = |bytes| {
        let list = format!(r#"{{"communicationIdentifier":{{"rawId":"x"}},"metadata":{}}}"#, pairs(bytes));
        AddParticipants::parse(format!(r#"{{"participants":[{list}]}}"#).as_bytes(), NEW, &limits())
    };
    assert!(participant(1024).is_ok());
    assert_eq!(target(participant(1025)), "metadata");
    assert!(create(r#"{"topic":"t","metadata":{"a":1}}"#).is_err(), "values are strings");
    assert!(create(r#"{"topic":"t","metadata":["a"]}"#).is_err());
}

#[test]
fn retention_at_and_past_its_limits() {
    let policy = |days: &str| {
        create(&format!(
            r#"{{"topic":"t","retentionPolicy":{{"kind":"threadCreationDate","deleteThreadAfterDays":{days}}}}}"#
        ))
    };
    for (text, days) in [("30", 30), ("90", 90), ("60.0", 60)] {
        assert_eq!(policy(text).unwrap().retention, Some(RetentionPolicy::ThreadCreationDate { days }));
    }
    for bad in ["29", "91", "0", "-30", "30.5", "null", "1e9"] {
        assert_eq!(target(policy(bad)), "deleteThreadAfterDays", "{bad}");
    }
    let none = create(r#"{"topic":"t","retentionPolicy":{"kind":"none"}}"#).unwrap();
    assert_eq!(none.retention, Some(RetentionPolicy::None));
    for bad in ["{}", r#"{"kind":null}"#, r#"{"kind":"None"}"#, r#"{"kind":"forever"}"#] {
        let body = format!(r#"{{"topic":"t","retentionPolicy":{bad}}}"#);
        assert_eq!(target(create(&body)), "retentionPolicy", "{bad}");
        assert_eq!(target(update(&format!(r#"{{"retentionPolicy":{bad}}}"#))), "retentionPolicy");
    }
}

#[test]
fn a_thread_patch_tells_absent_from_null_from_value() {
    assert!(update("{}").unwrap().is_empty());
    assert_eq!(update(r#"{"metadata":null}"#).unwrap().metadata, Patch::Clear);
    assert_eq!(update(r#"{"metadata":{}}"#).unwrap().metadata, Patch::Set(Metadata::default()));
    assert_eq!(update(r#"{"retentionPolicy":null}"#).unwrap().retention, Some(RetentionPolicy::None));
    let all = update(r#"{"topic":"n","metadata":{"a":"b"},"retentionPolicy":{"kind":"none"}}"#).unwrap();
    assert_eq!(all.topic.map(Personal::into_inner).as_deref(), Some("n"));
    assert!(matches!(all.metadata, Patch::Set(m) if m.bytes() == 2));
    assert_eq!(all.retention, Some(RetentionPolicy::None));
    for bad in ["", "[]", "null", r#"{"topic":5}"#] {
        assert_eq!(update(bad).unwrap_err().status(), 400, "{bad}");
    }
}

#[test]
fn messages_as_the_sdks_send_them() {
    let got =
        send(r#"{"content":"Hello","senderDisplayName":"Bob","type":"html","metadata":{"a":"b"}}"#).unwrap();
    assert_eq!((got.content.expose().as_str(), got.kind), ("Hello", TextKind::Html));
    assert_eq!(got.metadata.bytes(), 2);
    let got = send(r#"{"content":"","senderDisplayName":null,"type":null,"metadata":null}"#).unwrap();
    assert_eq!(
        (got.content.expose().as_str(), got.kind, got.sender_display_name),
        ("", TextKind::Text, None)
    );
    assert_eq!(send(r#"{"content":"x","type":"text"}"#).unwrap().kind, TextKind::Text);
    for bad in ["topicUpdated", "participantAdded", "participantRemoved", "Text", "", "image"] {
        assert_eq!(target(send(&format!(r#"{{"content":"x","type":"{bad}"}}"#))), "type", "{bad}");
    }
    for bad in ["{}", r#"{"content":null}"#] {
        assert_eq!(target(send(bad)), "content", "{bad}");
    }
}

#[test]
fn messages_at_and_past_their_limit() {
    let max = limits().message_bytes;
    let of = |len: usize| format!(r#"{{"content":"{}","metadata":{{"k":"v"}}}}"#, "x".repeat(len));
    assert!(send(&of(max - 2)).is_ok() && edit(&of(max - 2)).is_ok());
    assert_eq!(target(send(&of(max - 1))), "content");
    assert_eq!(target(edit(&of(max - 1))), "content");
    let wide = format!(r#"{{"content":"{}"}}"#, "é".repeat(max / 2 + 1));
    assert_eq!(target(send(&wide)), "content", "bytes count, not characters");
    assert!(fits_message(&"x".repeat(max), &Metadata::default(), &limits()).is_ok());
    assert!(fits_message(&"x".repeat(max + 1), &Metadata::default(), &limits()).is_err());
}

#[test]
fn a_message_patch_tells_absent_from_null_from_value() {
    assert!(edit("{}").unwrap().is_empty());
    assert_eq!(target(edit(r#"{"content":null}"#)), "content");
    assert_eq!(edit(r#"{"metadata":null}"#).unwrap().metadata, Patch::Clear);
    let got = edit(r#"{"content":"","metadata":{"a":"b"}}"#).unwrap();
    assert_eq!(got.content.map(Personal::into_inner).as_deref(), Some(""));
    assert!(matches!(got.metadata, Patch::Set(m) if m.bytes() == 2));
}

#[test]
fn removing_and_reading() {
    let gone = RemoveParticipant::parse(br#"{"communicationUser":{"id":"8:acs:a_b"}}"#).unwrap();
    assert_eq!(gone.identifier.raw_id(), "8:acs:a_b");
    assert_eq!(target(RemoveParticipant::parse(b"{}")), "communicationIdentifier");
    assert_eq!(RemoveParticipant::parse(b"").unwrap_err().status(), 400);
    let read = ReadReceiptRequest::parse(br#"{"chatMessageId":"1795420800123"}"#).unwrap();
    assert_eq!(read.message, MessageId(1_795_420_800_123));
    for bad in ["{}", r#"{"chatMessageId":null}"#, r#"{"chatMessageId":""}"#, r#"{"chatMessageId":"x"}"#] {
        assert_eq!(target(ReadReceiptRequest::parse(bad.as_bytes())), "chatMessageId", "{bad}");
    }
    assert!(ReadReceiptRequest::parse(br#"{"chatMessageId":1795420800123}"#).is_err());
}

#[test]
fn nothing_read_prints_what_a_person_wrote() {
    let message =
        send(r#"{"content":"hunter2","senderDisplayName":"hunter2","metadata":{"hunter2":"hunter2"}}"#);
    let thread = create(
        r#"{"topic":"hunter2","metadata":{"hunter2":"hunter2"},"participants":[{"communicationIdentifier":{"rawId":"4:hunter2"},"displayName":"hunter2"}]}"#,
    );
    let shown = format!("{message:?} {thread:?} {:?}", update(r#"{"topic":"hunter2"}"#));
    assert!(message.is_ok() && thread.is_ok() && !shown.contains("hunter2"), "{shown}");
}

proptest! {
    #[test]
    fn no_body_panics(body in prop::collection::vec(any::<u8>(), 0..80)) {
        let limits = limits();
        let _ = CreateThread::parse(&body, NEW, &limits);
        let _ = UpdateThread::parse(&body, OLD, &limits);
        let _ = SendMessage::parse(&body, &limits);
        let _ = UpdateMessage::parse(&body, &limits);
        let _ = AddParticipants::parse(&body, NEW, &limits);
        let _ = (RemoveParticipant::parse(&body), ReadReceiptRequest::parse(&body), Typing::parse(&body, &limits));
    }

    #[test]
    fn any_text_is_carried_through(content in any::<String>(), name in any::<String>()) {
        let body = serde_json::json!({"content": content, "senderDisplayName": name, "metadata": {"n": name}});
        let got = send(&body.to_string()).unwrap();
        prop_assert_eq!(got.content.expose(), &content);
        prop_assert_eq!(got.metadata.pairs().get("n"), Some(&name));
        prop_assert_eq!(got.sender_display_name.map(Personal::into_inner).unwrap_or_default(), name);
    }
}
