//! The bodies of pushed events, field by field as the SDK reads them. Recipient ids differ, so a body is written for one
//! recipient. Thread events carry their parts as JSON in strings, which the SDK passes through the legacy `unescape`
//! first: each `%` in them is written `%25`.

use std::collections::BTreeMap;

use base::{ThreadId, Timestamp};
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::{Identifier, thread_id};

/// A message that came, was edited or was deleted.
#[derive(Debug)]
pub struct Message<'a> {
    /// The thread it is in.
    pub thread: ThreadId,
    /// Its id, a number in digits.
    pub id: String,
    /// Who wrote it.
    pub sender: Identifier,
    /// What the sender wanted to be called; may be empty.
    pub sender_display_name: &'a str,
    /// `Text` or `RichText/Html`.
    pub is_html: bool,
    /// When it was sent.
    pub sent_on: Timestamp,
    /// Milliseconds of its newest version.
    pub version: u64,
    /// Pairs that programs attached.
    pub metadata: BTreeMap<&'a str, &'a str>,
    /// What happened to it.
    pub change: MessageChange<'a>,
}

/// See [`Message::change`].
#[derive(Debug)]
pub enum MessageChange<'a> {
    /// It came, with this content.
    Received(&'a str),
    /// It has this content since then.
    Edited(&'a str, Timestamp),
    /// It was deleted then.
    Deleted(Timestamp),
}

/// Somebody in a thread, as told of in its events.
#[derive(Debug)]
pub struct Member<'a> {
    /// Who.
    pub who: Identifier,
    /// What the member is called; may be empty.
    pub display_name: &'a str,
    /// From when on the history is seen; `None` for all of it.
    pub share_history_from: Option<Timestamp>,
    /// Pairs that programs attached.
    pub metadata: BTreeMap<&'a str, &'a str>,
}

/// What a thread is like.
#[derive(Debug)]
pub struct Properties<'a> {
    /// What it is about.
    pub topic: &'a str,
    /// Pairs that programs attached.
    pub metadata: BTreeMap<&'a str, &'a str>,
    /// After how many days it is deleted; `None` when it is kept.
    pub delete_after_days: Option<u8>,
}

/// What happened to a thread.
#[derive(Debug)]
pub enum ThreadChange<'a> {
    /// It was created with these members.
    Created {
        /// What it is like.
        properties: Properties<'a>,
        /// Who is in it.
        members: Vec<Member<'a>>,
    },
    /// It has these properties now.
    Updated(Properties<'a>),
    /// It was deleted.
    Deleted,
    /// These came in.
    Added(Vec<Member<'a>>),
    /// These went, or were made to go.
    Removed(Vec<Member<'a>>),
}

/// One event.
#[derive(Debug)]
pub enum Event<'a> {
    /// 200, 247 and 248.
    Message(Message<'a>),
    /// 245: somebody types.
    Typing {
        /// Where.
        thread: ThreadId,
        /// Who.
        sender: Identifier,
        /// What the sender wants to be called; may be empty.
        sender_display_name: &'a str,
        /// When it came in.
        at: Timestamp,
    },
    /// 246: somebody has read up to a message.
    Receipt {
        /// Where.
        thread: ThreadId,
        /// Who.
        reader: Identifier,
        /// The last message read.
        message: u64,
        /// When.
        read_on: Timestamp,
    },
    /// 257 to 261.
    Thread {
        /// Which.
        thread: ThreadId,
        /// Who did it.
        by: Member<'a>,
        /// When; the version is the same in milliseconds.
        at: Timestamp,
        /// What.
        change: ThreadChange<'a>,
    },
}

impl Event<'_> {
    /// The event as JSON. Whom it is told to, where that is a part of it, is left empty: see [`super::frame::Body`].
    #[must_use]
    pub fn body(&self) -> String {
        match self {
            Self::Message(message) => message.body(),
            Self::Typing { thread, sender, sender_display_name, at } => write(&MessageBody {
                event_id: 245,
                sender_display_name: Some(sender_display_name),
                original_arrival_time: Some(at.to_iso()),
                version: Some(at.as_millis().to_string()),
                ..MessageBody::of(*thread, sender)
            }),
            Self::Receipt { thread, reader, message, read_on } => {
                let horizon = format!("{message};{};{message}", read_on.as_millis());
                let said = json!({ "user": reader.raw_id(), "consumptionhorizon": horizon }).to_string();
                write(&MessageBody {
                    event_id: 246,
                    message_id: Some(message.to_string()),
                    message_body: Some(&said),
                    ..MessageBody::of(*thread, reader)
                })
            }
            Self::Thread { thread, by, at, change } => thread_body(*thread, by, *at, change),
        }
    }
}

impl Message<'_> {
    fn body(&self) -> String {
        let (event_id, said, edited, deleted) = match self.change {
            MessageChange::Received(said) => (200, Some(said), None, None),
            MessageChange::Edited(said, at) => (247, Some(said), Some(at.to_iso()), None),
            MessageChange::Deleted(at) => (248, None, None, Some(at.to_iso())),
        };
        let metadata = said.map(|_| json!(self.metadata).to_string());
        write(&MessageBody {
            event_id,
            sender_display_name: Some(self.sender_display_name),
            message_id: Some(self.id.clone()),
            message_type: Some(if self.is_html { "RichText/Html" } else { "Text" }),
            message_body: said,
            original_arrival_time: Some(self.sent_on.to_iso()),
            version: Some(self.version.to_string()),
            acs_chat_message_metadata: metadata,
            edittime: edited,
            deletetime: deleted,
            ..MessageBody::of(self.thread, &self.sender)
        })
    }
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageBody<'a> {
    event_id: u16,
    group_id: String,
    sender_id: String,
    /// Before anything that somebody wrote.
    recipient_mri: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_display_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_arrival_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acs_chat_message_metadata: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edittime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletetime: Option<String>,
}

impl MessageBody<'_> {
    fn of(thread: ThreadId, sender: &Identifier) -> Self {
        Self { group_id: thread_id::format(thread), sender_id: sender.raw_id(), ..Self::default() }
    }
}

fn thread_body(thread: ThreadId, by: &Member<'_>, at: Timestamp, change: &ThreadChange<'_>) -> String {
    let mut body = json!({ "threadId": thread_id::format(thread), "version": at.as_millis().to_string() });
    let by = Escaped(by);
    let when = at.to_iso();
    let (event_id, parts) = match change {
        ThreadChange::Created { properties, members } => (
            257,
            json!({ "createTime": when, "createdBy": by, "members": Escaped(members), "properties": Escaped(properties) }),
        ),
        ThreadChange::Updated(properties) => {
            (258, json!({ "editTime": when, "editedBy": by, "properties": Escaped(properties) }))
        }
        ThreadChange::Deleted => {
            (259, json!({ "deleteTime": when, "deletedBy": by, "reason": "deletedByUser" }))
        }
        ThreadChange::Added(members) => {
            (260, json!({ "time": when, "addedBy": by, "participantsAdded": Escaped(members) }))
        }
        ThreadChange::Removed(members) => {
            (261, json!({ "time": when, "removedBy": by, "participantsRemoved": Escaped(members) }))
        }
    };
    body["eventId"] = event_id.into();
    if let (Some(body), serde_json::Value::Object(parts)) = (body.as_object_mut(), parts) {
        body.extend(parts);
    }
    body.to_string()
}

/// JSON in a string that comes whole out of `unescape`.
struct Escaped<'a, T>(&'a T);

impl<T: Serialize> Serialize for Escaped<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&write(self.0).replace('%', "%25"))
    }
}

impl Serialize for Member<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Fields<'a> {
            participant_id: String,
            display_name: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            share_history_time: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            member_meta_data: Option<String>,
        }
        let metadata = (!self.metadata.is_empty()).then(|| json!(self.metadata).to_string());
        Fields {
            participant_id: self.who.raw_id(),
            display_name: self.display_name,
            share_history_time: self.share_history_from.map(Timestamp::to_iso),
            member_meta_data: metadata,
        }
        .serialize(serializer)
    }
}

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Fields<'a> {
            topic: &'a str,
            acs_chat_thread_metadata: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            retention_policy: Option<String>,
        }
        let policy = |days: u8| {
            json!({ "retentionPolicyType": "DeleteAfterCreationTime", "executeAfter": format!("{days}.00:00:00") })
                .to_string()
        };
        Fields {
            topic: self.topic,
            acs_chat_thread_metadata: json!(self.metadata).to_string(),
            retention_policy: self.delete_after_days.map(policy),
        }
        .serialize(serializer)
    }
}

fn write(value: &impl Serialize) -> String {
    // Strings, numbers and maps with strings for names: none of it can fail.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
