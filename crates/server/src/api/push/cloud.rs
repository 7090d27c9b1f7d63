//! From what happened to the CloudEvents that tell it, with the types and the data of Event Grid.

use std::collections::BTreeMap;

use base::{Personal, ResourceId, Rng, ThreadId, Timestamp, UserId};
use serde::Serialize;
use serde_json::{Value, json};
use wire::events::{
    Envelope, MessageChanged, MessageData, ParticipantChange, ParticipantChanged, ThreadCreated,
    ThreadDeleted, ThreadParticipant, ThreadUpdated, cloud_event,
};
use wire::{Identifier, thread_id};

use crate::service::chat::follow::Happening;
use crate::service::chat::view::{ContentView, MessageView, ParticipantView, ThreadView, pairs};
use crate::service::live::{Letter, Mark};

/// Where events come from, and to whom they are told.
pub(super) struct Source {
    /// `https://` and the host of the resource.
    pub(super) url: String,
    pub(super) resource: ResourceId,
    pub(super) user: UserId,
}

/// One event before it is put into its envelope.
struct Told {
    kind: &'static str,
    what: &'static str,
    who: Option<UserId>,
    at: Timestamp,
    data: Value,
}

/// That listening has begun, and from where it would be resumed.
pub(super) fn ready(source: &Source, rng: &dyn Rng, cursor: Option<&str>) -> String {
    let event = json!({
        "specversion": "1.0",
        "id": base::hex(&rng.id()),
        "source": source.url,
        "type": "chancery.stream.ready",
        "cursor": cursor,
    });
    event.to_string()
}

/// The events that tell a letter, each as JSON, with `cursor` in the last of them. An event that stands in the log has the
/// same id whenever it is told.
pub(super) fn events(source: &Source, letter: &Letter, rng: &dyn Rng, cursor: Option<&str>) -> Vec<String> {
    let thread = thread_id::format(letter.thread);
    let place = match letter.mark {
        Some(Mark::Message(message)) => format!("{message}"),
        Some(Mark::Change(at, message)) => format!("{message}-{}", at.as_millis()),
        None => base::hex(&rng.id()),
    };
    let id = format!("{}-{place}", base::hex(letter.thread.as_bytes()));
    let told = source.told(letter.thread, &letter.what.what, &id);
    let recipient = source.identifier(source.user);
    let count = told.len();
    let told = told.into_iter().enumerate().map(|(number, told)| {
        let id = if count == 1 { id.clone() } else { format!("{id}-{number}") };
        let who = told.who.map(|who| format!("/{}/{}", told.what, source.identifier(who).raw_id()));
        let subject = format!("thread/{thread}{}", who.unwrap_or_default());
        let envelope = Envelope {
            id: &id,
            topic: &source.url,
            subject: &subject,
            kind: told.kind,
            data: &[],
            participants: None,
            recipient: Some(&recipient),
            at: told.at,
        };
        cloud_event(&envelope, told.data, cursor.filter(|_| number + 1 == count))
    });
    told.collect()
}

impl Source {
    fn identifier(&self, user: UserId) -> Identifier {
        Identifier::CommunicationUser { resource: self.resource, user }
    }

    fn told(&self, thread: ThreadId, what: &Happening, id: &str) -> Vec<Told> {
        match what {
            Happening::Received(view) | Happening::Changed(view) => {
                self.message(thread, view, id).into_iter().collect()
            }
            Happening::Typing(by, name, at) => vec![self.typing(thread, *by, name.as_ref(), *at)],
            Happening::Read(receipt) => {
                let data = json!({
                    "threadId": thread_id::format(thread),
                    "messageId": receipt.message.to_string(),
                    "senderCommunicationIdentifier": self.identifier(receipt.reader).to_model().without_kind(),
                    "readOn": receipt.read_on.to_iso(),
                });
                let (kind, who, at) = ("ChatReadReceiptReceived", Some(receipt.reader), receipt.read_on);
                vec![Told { kind, what: "reader", who, at, data }]
            }
            Happening::Created(view, by, who) => vec![self.created(view, by.user, who, id)],
            Happening::Updated(view, by, at) => vec![self.updated(view, by.user, *at, id)],
            Happening::Ended(by, at) => {
                let data = ThreadDeleted {
                    transaction_id: id,
                    thread_id: thread,
                    create_time: *at,
                    version: at.as_millis(),
                    deleted_by: self.identifier(by.as_ref().map_or(self.user, |by| by.user)),
                    delete_time: *at,
                };
                let mut data = value(&data);
                // What is not known any more is not told.
                let unknown = by.is_none().then_some("deletedByCommunicationIdentifier");
                if let Some(data) = data.as_object_mut() {
                    ["createTime"].into_iter().chain(unknown).for_each(|name| drop(data.remove(name)));
                }
                let (kind, who) = ("ChatThreadWithUserDeleted", by.as_ref().map(|by| by.user));
                vec![Told { kind, what: "deletedBy", who, at: *at, data }]
            }
            Happening::Added(by, who, at) => who
                .iter()
                .map(|who| {
                    let change =
                        ParticipantChange::Added { by: self.identifier(by.user), who: self.participant(who) };
                    let data = value(&ParticipantChanged::new(id, thread, None, *at, change));
                    let kind = "ChatParticipantAddedToThreadWithUser";
                    Told { kind, what: "participantAdded", who: Some(who.user), at: *at, data }
                })
                .collect(),
            Happening::Removed(by, who, at) => {
                let change =
                    ParticipantChange::Removed { by: self.identifier(by.user), who: self.participant(who) };
                let data = value(&ParticipantChanged::new(id, thread, None, *at, change));
                let kind = "ChatParticipantRemovedFromThreadWithUser";
                vec![Told { kind, what: "participantRemoved", who: Some(who.user), at: *at, data }]
            }
        }
    }

    fn typing(&self, thread: ThreadId, by: UserId, name: Option<&Personal<String>>, at: Timestamp) -> Told {
        let metadata = BTreeMap::new();
        let instant = at.as_millis().to_string();
        let data = MessageData {
            transaction_id: &instant,
            thread_id: thread,
            message_id: instant.clone(),
            sender: self.identifier(by),
            sender_display_name: name.map_or("", |name| name.expose()),
            compose_time: at,
            kind: "Control/Typing",
            version: at.as_millis(),
            change: MessageChanged::Received { message_body: "", metadata: &metadata },
        };
        let kind = "ChatTypingIndicatorReceivedInThread";
        Told { kind, what: "sender", who: Some(by), at, data: value(&data) }
    }

    fn message(&self, thread: ThreadId, view: &MessageView, id: &str) -> Option<Told> {
        let (said, kind) = match &view.content {
            ContentView::Text(said) => (said.expose().as_str(), "Text"),
            ContentView::Html(said) => (said.expose().as_str(), "Html"),
            _ => return None,
        };
        let (who, metadata) = (view.author?, pairs(&view.metadata));
        let compose_time = Timestamp::from_millis(view.id.0);
        let (event, at, change) = match (view.deleted_on, view.edited_on) {
            (Some(delete_time), _) => {
                ("ChatMessageDeleted", delete_time, MessageChanged::Deleted { delete_time })
            }
            (None, Some(edit_time)) => (
                "ChatMessageEdited",
                edit_time,
                MessageChanged::Edited { message_body: said, metadata: &metadata, edit_time },
            ),
            (None, None) => {
                let change = MessageChanged::Received { message_body: said, metadata: &metadata };
                ("ChatMessageReceived", compose_time, change)
            }
        };
        let data = MessageData {
            transaction_id: id,
            thread_id: thread,
            message_id: view.id.to_string(),
            sender: self.identifier(who),
            sender_display_name: view.sender_display_name.as_ref().map_or("", |name| name.expose()),
            compose_time,
            kind,
            version: view.version,
            change,
        };
        Some(Told { kind: event, what: "sender", who: Some(who), at, data: value(&data) })
    }

    fn created(&self, view: &ThreadView, by: UserId, who: &[ParticipantView], id: &str) -> Told {
        let at = view.created_on;
        let data = ThreadCreated {
            transaction_id: id,
            thread_id: view.id,
            create_time: at,
            version: at.as_millis(),
            created_by: self.identifier(by),
            properties: BTreeMap::from([("topic", view.topic.expose().as_str())]),
            metadata: &pairs(&view.metadata),
        };
        let mut data = value(&data);
        if let Some(data) = data.as_object_mut() {
            let participants: Vec<_> = who.iter().map(|who| self.participant(who)).collect();
            data.insert("participants".to_owned(), value(&participants));
        }
        Told { kind: "ChatThreadCreatedWithUser", what: "createdBy", who: Some(by), at, data }
    }

    fn updated(&self, view: &ThreadView, by: UserId, at: Timestamp, id: &str) -> Told {
        let data = ThreadUpdated {
            transaction_id: id,
            thread_id: view.id,
            create_time: view.created_on,
            version: at.as_millis(),
            edited_by: self.identifier(by),
            edit_time: at,
            properties: BTreeMap::from([("topic", view.topic.expose().as_str())]),
            metadata: &pairs(&view.metadata),
        };
        let (kind, data) = ("ChatThreadPropertiesUpdatedPerUser", value(&data));
        Told { kind, what: "editedBy", who: Some(by), at, data }
    }

    fn participant(&self, view: &ParticipantView) -> ThreadParticipant {
        ThreadParticipant {
            display_name: view.display_name.as_ref().map(|name| name.expose().clone()),
            participant: self.identifier(view.user),
            metadata: pairs(&view.metadata),
        }
    }
}

fn value(of: &impl Serialize) -> Value {
    serde_json::to_value(of).unwrap_or_default()
}
