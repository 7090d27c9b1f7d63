//! Events of the chat as Event Grid has them.

use base::{ResourceId, UserId};
use serde_json::{Value, json};

use super::*;

const AT: Timestamp = Timestamp::from_millis(1_795_420_800_123);

fn user(n: u8) -> Identifier {
    Identifier::CommunicationUser { resource: ResourceId::CELL, user: UserId::from_bytes([n; 16]) }
}

fn raw(n: u8) -> Value {
    let id = user(n).raw_id();
    json!({ "rawId": id, "communicationUser": { "id": id } })
}

fn read(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn message<'a>(change: MessageChanged<'a>) -> MessageData<'a> {
    MessageData {
        transaction_id: "t",
        thread_id: ThreadId::from_bytes([0xAB; 16]),
        message_id: "1795420800123".to_owned(),
        sender: user(1),
        sender_display_name: "Ada",
        compose_time: AT,
        kind: "Text",
        version: 1_795_420_800_123,
        change,
    }
}

#[test]
fn a_message_received_is_as_in_the_sample() {
    let metadata = Metadata::from([("k".to_owned(), "v".to_owned())]);
    let data = message(MessageChanged::Received { message_body: "hi", metadata: &metadata });
    let want = json!({
        "transactionId": "t",
        "threadId": "19:abababababababababababababababab@thread.v2",
        "messageId": "1795420800123",
        "senderCommunicationIdentifier": raw(1),
        "senderDisplayName": "Ada",
        "composeTime": "2026-11-23T08:00:00.1230000Z",
        "type": "Text",
        "version": 1_795_420_800_123_u64,
        "messageBody": "hi",
        "metadata": { "k": "v" },
    });
    assert_eq!(read(&data.render()), want);
}

#[test]
fn a_deleted_message_tells_no_body() {
    let said = read(&message(MessageChanged::Deleted { delete_time: AT }).render());
    assert_eq!(said["deleteTime"], "2026-11-23T08:00:00.1230000Z");
    assert!(said.get("messageBody").is_none() && said.get("metadata").is_none());
    let none = Metadata::new();
    let edited = MessageChanged::Edited { message_body: "x", metadata: &none, edit_time: AT };
    let said = read(&message(edited).render());
    assert_eq!((&said["editTime"], &said["metadata"]), (&json!("2026-11-23T08:00:00.1230000Z"), &json!({})));
}

#[test]
fn participants_come_and_go_under_their_own_names() {
    let who = ThreadParticipant {
        display_name: Some("Bo".into()),
        participant: user(2),
        metadata: Metadata::new(),
    };
    let thread = ThreadId::from_bytes([1; 16]);
    let added = ParticipantChange::Added { by: user(1), who: who.clone() };
    let said = read(&ParticipantChanged::new("t", thread, None, AT, added).render());
    assert_eq!(said["addedByCommunicationIdentifier"], raw(1));
    assert_eq!(
        said["participantAdded"],
        json!({ "displayName": "Bo", "participantCommunicationIdentifier": raw(2) })
    );
    assert!(said.get("createTime").is_none() && said.get("participantRemoved").is_none());
    let removed = ParticipantChange::Removed { by: user(1), who };
    let said = read(&ParticipantChanged::new("t", thread, Some(AT), AT, removed).render());
    assert_eq!(said["removedByCommunicationIdentifier"], raw(1));
    assert_eq!(said["createTime"], "2026-11-23T08:00:00.1230000Z");
    assert_eq!(said["version"], json!(AT.as_millis()));
    assert!(said.get("participantAdded").is_none());
}

#[test]
fn threads_are_created_changed_and_deleted() {
    let (metadata, thread_id) = (Metadata::new(), ThreadId::from_bytes([1; 16]));
    let properties = BTreeMap::from([("topic", "Plans")]);
    let created = ThreadCreated {
        transaction_id: "t",
        thread_id,
        create_time: AT,
        version: 1,
        created_by: user(1),
        properties: properties.clone(),
        metadata: &metadata,
    };
    assert_eq!(read(&created.render())["properties"], json!({ "topic": "Plans" }));
    let updated = ThreadUpdated {
        transaction_id: "t",
        thread_id,
        create_time: AT,
        version: 2,
        edited_by: user(1),
        edit_time: AT,
        properties,
        metadata: &metadata,
    };
    assert_eq!(read(&updated.render())["editedByCommunicationIdentifier"], raw(1));
    let deleted = ThreadDeleted {
        transaction_id: "t",
        thread_id,
        create_time: AT,
        version: 3,
        deleted_by: user(1),
        delete_time: AT,
    };
    assert_eq!(read(&deleted.render())["deletedByCommunicationIdentifier"], raw(1));
}
