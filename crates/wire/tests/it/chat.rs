//! Chat responses, once for each API version. Folders name the version and the SDK that sends it, or the public
//! specification where no SDK of that version was at hand.

use std::collections::BTreeMap;

use base::{MessageId, ThreadId, Timestamp};
use wire::chat::{
    AddedParticipants, CreatedThread, InvalidParticipant, Message, MessageContent, Metadata, Page,
    Participant, ReadReceipt, Render, RetentionPolicy, SentMessage, TextKind, Thread, ThreadItem,
};
use wire::{ApiVersion, Identifier, identifier};

use crate::golden;

const VERSIONS: [(&str, &str); 4] = [
    ("2021-09-07", "chat/2021-09-07.spec"),
    ("2023-11-07", "chat/2023-11-07.spec"),
    ("2024-03-07", "chat/2024-03-07.python-1.3.0"),
    ("2025-03-15", "chat/2025-03-15.js-1.6.0"),
];

const NOON: u64 = 1_795_420_800_123;

fn each(name: &str, render: impl Fn(ApiVersion) -> Vec<u8>) {
    for (version, folder) in VERSIONS {
        golden::json(&format!("{folder}/{name}.json"), &render(ApiVersion::known(version)));
    }
}

fn at(offset: u64) -> Timestamp {
    Timestamp::from_millis(NOON + offset)
}

fn user(last: char) -> Identifier {
    let id = format!("aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeee{last}");
    Identifier::CommunicationUser {
        resource: "11111111-2222-4333-8444-555555555555".parse().unwrap(),
        user: id.parse().unwrap(),
    }
}

fn metadata() -> Metadata {
    Metadata::new(BTreeMap::from([("colour".into(), "green".into()), ("size".into(), "5".into())]))
}

fn thread(retention: Option<RetentionPolicy>) -> Thread {
    Thread {
        id: ThreadId::from_bytes([0xAB; 16]),
        topic: "Lunch".to_owned().into(),
        created_on: at(0),
        created_by: user('1'),
        deleted_on: None,
        metadata: metadata(),
        retention,
    }
}

fn participant(last: char) -> Participant {
    Participant {
        identifier: user(last),
        display_name: Some("Bob".to_owned().into()),
        share_history_time: Some(at(1000)),
        metadata: metadata(),
    }
}

fn message(content: MessageContent) -> Message {
    Message {
        id: MessageId(NOON),
        sequence: 3,
        version: NOON,
        content,
        sender_display_name: Some("Bob".to_owned().into()),
        sender: Some(user('1')),
        created_on: at(0),
        edited_on: None,
        deleted_on: None,
        metadata: metadata(),
    }
}

fn service_message(content: MessageContent) -> Message {
    Message { sender: None, sender_display_name: None, metadata: Metadata::default(), ..message(content) }
}

fn text() -> MessageContent {
    MessageContent::Text(TextKind::Text, Some("Let's go for lunch.".to_owned().into()))
}

#[test]
fn threads() {
    each("thread", |v| thread(None).render(v));
    let kept = thread(Some(RetentionPolicy::ThreadCreationDate { days: 40 }));
    each("thread-with-retention", |v| kept.render(v));
    let bare = Thread {
        metadata: Metadata::default(),
        deleted_on: Some(at(5000)),
        ..thread(Some(RetentionPolicy::None))
    };
    each("thread-deleted", |v| bare.render(v));
}

#[test]
fn created_threads() {
    let invalid = vec![
        InvalidParticipant::NotPermitted(identifier::parse_raw("8:orgid:someone").unwrap()),
        InvalidParticipant::NotFound(user('9')),
    ];
    each("created-thread", |v| CreatedThread { thread: thread(None), invalid: vec![] }.render(v));
    let some = CreatedThread { thread: thread(None), invalid: invalid.clone() };
    each("created-thread-with-invalid", |v| some.render(v));
    each("added-participants", |v| AddedParticipants { invalid: vec![] }.render(v));
    let some = AddedParticipants { invalid };
    each("added-participants-with-invalid", |v| some.render(v));
}

#[test]
fn thread_lists() {
    let item = |deleted_on, last_message_received_on| ThreadItem {
        id: ThreadId::from_bytes([0xAB; 16]),
        topic: "Lunch".to_owned().into(),
        deleted_on,
        last_message_received_on,
    };
    let page = Page {
        value: vec![item(None, Some(at(2000))), item(Some(at(3000)), None)],
        next_link: Some("https://contoso.example/chat/threads?syncState=abc&api-version=2025-03-15".into()),
    };
    each("threads", |v| page.render(v));
    each("threads-empty", |v| Page::<ThreadItem> { value: vec![], next_link: None }.render(v));
}

#[test]
fn participant_lists() {
    let bare = Participant {
        display_name: None,
        share_history_time: None,
        metadata: Metadata::default(),
        identifier: user('2'),
    };
    let page = Page { value: vec![participant('1'), bare], next_link: None };
    each("participants", |v| page.render(v));
}

#[test]
fn messages() {
    each("message-text", |v| message(text()).render(v));
    let html = MessageContent::Text(TextKind::Html, Some("<b>Lunch</b>".to_owned().into()));
    let edited = Message { edited_on: Some(at(7000)), version: NOON + 7000, ..message(html) };
    each("message-html-edited", |v| edited.render(v));
    let deleted = Message {
        deleted_on: Some(at(9000)),
        version: NOON + 9000,
        metadata: Metadata::default(),
        ..message(MessageContent::Text(TextKind::Text, None))
    };
    each("message-deleted", |v| deleted.render(v));
}

#[test]
fn service_messages() {
    let initiator = Some(user('1'));
    let topic =
        MessageContent::TopicUpdated { topic: "Lunch".to_owned().into(), initiator: initiator.clone() };
    each("message-topic-updated", |v| service_message(topic.clone()).render(v));
    let added = MessageContent::ParticipantAdded {
        participants: vec![participant('1'), participant('2')],
        initiator: initiator.clone(),
    };
    each("message-participant-added", |v| service_message(added.clone()).render(v));
    let removed = MessageContent::ParticipantRemoved { participants: vec![participant('2')], initiator };
    each("message-participant-removed", |v| service_message(removed.clone()).render(v));
    let page = Page { value: vec![message(text()), service_message(topic)], next_link: None };
    each("messages", |v| page.render(v));
}

#[test]
fn receipts_and_the_rest() {
    let receipt = ReadReceipt { sender: user('1'), message: MessageId(NOON), read_on: at(100) };
    let page = Page { value: vec![receipt], next_link: None };
    each("read-receipts", |v| page.render(v));
    each("sent-message", |v| SentMessage { id: MessageId(NOON) }.render(v));
}

/// What a version must not show, stated apart from the files.
#[test]
fn no_version_shows_what_it_does_not_know() {
    for (version, _) in VERSIONS {
        let v = ApiVersion::known(version);
        let kept = thread(Some(RetentionPolicy::ThreadCreationDate { days: 40 }));
        let read = |body: Vec<u8>| serde_json::from_slice::<serde_json::Value>(&body).unwrap();
        let (thread, participant, message) =
            (read(kept.render(v)), read(participant('1').render(v)), read(message(text()).render(v)));
        let newest = version == "2025-03-15";
        for value in [&thread["metadata"], &thread["retentionPolicy"], &participant["metadata"]] {
            assert_eq!(!value.is_null(), newest, "{version}");
        }
        assert!(message["metadata"].is_object(), "messages had metadata from the first");
        let kind = &message["senderCommunicationIdentifier"]["kind"];
        assert_eq!(kind.is_null(), version == "2021-09-07", "{version}");
    }
}
