//! What chat answers. Each `render` writes exactly the properties its API version knows; absent values are left out,
//! never `null`.

use base::{MessageId, Personal, ThreadId, Timestamp};
use serde::Serialize;

use super::{KNOWS_KIND, KNOWS_THREAD_METADATA, Metadata, RetentionPolicy};
use crate::identifier::IdentifierModel;
use crate::{ApiVersion, Identifier, json, thread_id};

/// A thread, as `ChatThreadProperties`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Which.
    pub id: ThreadId,
    /// Its topic.
    pub topic: Personal<String>,
    /// When it was created.
    pub created_on: Timestamp,
    /// By whom.
    pub created_by: Identifier,
    /// When it was deleted.
    pub deleted_on: Option<Timestamp>,
    /// Left out when empty.
    pub metadata: Metadata,
    /// Left out when nothing was ever said.
    pub retention: Option<RetentionPolicy>,
}

/// The answer to the creation of a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedThread {
    /// The thread.
    pub thread: Thread,
    /// Who could not be added.
    pub invalid: Vec<InvalidParticipant>,
}

/// The answer to the addition of participants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedParticipants {
    /// Who could not be added.
    pub invalid: Vec<InvalidParticipant>,
}

/// Somebody who could not be added, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidParticipant {
    /// Of a kind or resource that may not be added.
    NotPermitted(Identifier),
    /// No such identity.
    NotFound(Identifier),
}

/// A thread in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadItem {
    /// Which.
    pub id: ThreadId,
    /// Its topic.
    pub topic: Personal<String>,
    /// When it was deleted.
    pub deleted_on: Option<Timestamp>,
    /// When its latest message came.
    pub last_message_received_on: Option<Timestamp>,
}

/// A participant of a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Who.
    pub identifier: Identifier,
    /// Under which name.
    pub display_name: Option<Personal<String>>,
    /// From when on it may read.
    pub share_history_time: Option<Timestamp>,
    /// Left out when empty.
    pub metadata: Metadata,
}

/// Until where somebody has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadReceipt {
    /// Who.
    pub sender: Identifier,
    /// The latest message read.
    pub message: MessageId,
    /// When.
    pub read_on: Timestamp,
}

/// The answer to a sent message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentMessage {
    /// The new message.
    pub id: MessageId,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Its items.
    pub value: Vec<T>,
    /// The absolute URL of the next page; `None` at the end.
    pub next_link: Option<String>,
}

/// A value that is written as JSON for an API version.
pub trait Render {
    /// The body.
    fn render(&self, version: ApiVersion) -> Vec<u8>;
}

impl<T: View> Render for T {
    fn render(&self, version: ApiVersion) -> Vec<u8> {
        json::write(&self.view(version))
    }
}

impl<T: View> Page<T> {
    /// The body of the collection.
    #[must_use]
    pub fn render(&self, version: ApiVersion) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a, V> {
            value: Vec<V>,
            #[serde(skip_serializing_if = "Option::is_none")]
            next_link: Option<&'a str>,
        }
        json::write(&Body {
            value: self.value.iter().map(|item| item.view(version)).collect(),
            next_link: self.next_link.as_deref(),
        })
    }
}

/// How a value looks to an API version.
pub trait View {
    /// The serialised form, borrowing from the value.
    type Body<'a>: Serialize
    where
        Self: 'a;
    /// Builds it.
    fn view(&self, version: ApiVersion) -> Self::Body<'_>;
}

pub(super) fn identifier(identifier: &Identifier, version: ApiVersion) -> IdentifierModel {
    let model = identifier.to_model();
    if version >= KNOWS_KIND { model } else { model.without_kind() }
}

pub(super) fn metadata(metadata: &Metadata) -> Option<&Metadata> {
    (!metadata.is_empty()).then_some(metadata)
}

pub(super) fn iso(time: Option<Timestamp>) -> Option<String> {
    time.map(Timestamp::to_iso)
}

/// `ChatThreadProperties`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadBody<'a> {
    id: String,
    topic: &'a str,
    created_on: String,
    created_by_communication_identifier: IdentifierModel,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_policy: Option<RetentionBody>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RetentionBody {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_thread_after_days: Option<u8>,
}

impl View for Thread {
    type Body<'a> = ThreadBody<'a>;

    fn view(&self, version: ApiVersion) -> ThreadBody<'_> {
        let known = version >= KNOWS_THREAD_METADATA;
        ThreadBody {
            id: thread_id::format(self.id),
            topic: self.topic.expose(),
            created_on: self.created_on.to_iso(),
            created_by_communication_identifier: identifier(&self.created_by, version),
            deleted_on: iso(self.deleted_on),
            metadata: metadata(&self.metadata).filter(|_| known),
            retention_policy: self.retention.filter(|_| known).map(|policy| match policy {
                RetentionPolicy::None => RetentionBody { kind: "none", delete_thread_after_days: None },
                RetentionPolicy::ThreadCreationDate { days } => {
                    RetentionBody { kind: "threadCreationDate", delete_thread_after_days: Some(days) }
                }
            }),
        }
    }
}

/// An item of `invalidParticipants`: a `ChatError` whose code is a number as text.
#[derive(Serialize)]
pub struct InvalidBody {
    code: &'static str,
    message: &'static str,
    target: String,
}

impl View for InvalidParticipant {
    type Body<'a> = InvalidBody;

    fn view(&self, _version: ApiVersion) -> InvalidBody {
        match self {
            Self::NotPermitted(who) => {
                InvalidBody { code: "403", message: "Permissions check failed", target: who.raw_id() }
            }
            Self::NotFound(who) => InvalidBody { code: "404", message: "Not found", target: who.raw_id() },
        }
    }
}

/// `CreateChatThreadResult` and, without the thread, `AddChatParticipantsResult`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    chat_thread: Option<ThreadBody<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    invalid_participants: Vec<InvalidBody>,
}

impl View for CreatedThread {
    type Body<'a> = ResultBody<'a>;

    fn view(&self, version: ApiVersion) -> ResultBody<'_> {
        ResultBody {
            chat_thread: Some(self.thread.view(version)),
            invalid_participants: self.invalid.iter().map(|one| one.view(version)).collect(),
        }
    }
}

impl View for AddedParticipants {
    type Body<'a> = ResultBody<'a>;

    fn view(&self, version: ApiVersion) -> ResultBody<'_> {
        ResultBody {
            chat_thread: None,
            invalid_participants: self.invalid.iter().map(|one| one.view(version)).collect(),
        }
    }
}

/// `ChatThreadItem`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadItemBody<'a> {
    id: String,
    topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_message_received_on: Option<String>,
}

impl View for ThreadItem {
    type Body<'a> = ThreadItemBody<'a>;

    fn view(&self, _version: ApiVersion) -> ThreadItemBody<'_> {
        ThreadItemBody {
            id: thread_id::format(self.id),
            topic: self.topic.expose(),
            deleted_on: iso(self.deleted_on),
            last_message_received_on: iso(self.last_message_received_on),
        }
    }
}

/// `ChatParticipant`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantBody<'a> {
    communication_identifier: IdentifierModel,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_history_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Metadata>,
}

impl View for Participant {
    type Body<'a> = ParticipantBody<'a>;

    fn view(&self, version: ApiVersion) -> ParticipantBody<'_> {
        ParticipantBody {
            communication_identifier: identifier(&self.identifier, version),
            display_name: self.display_name.as_ref().map(|name| name.expose().as_str()),
            share_history_time: iso(self.share_history_time),
            metadata: metadata(&self.metadata).filter(|_| version >= KNOWS_THREAD_METADATA),
        }
    }
}

/// `ChatMessageReadReceipt`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadReceiptBody {
    sender_communication_identifier: IdentifierModel,
    chat_message_id: String,
    read_on: String,
}

impl View for ReadReceipt {
    type Body<'a> = ReadReceiptBody;

    fn view(&self, version: ApiVersion) -> ReadReceiptBody {
        ReadReceiptBody {
            sender_communication_identifier: identifier(&self.sender, version),
            chat_message_id: self.message.to_string(),
            read_on: self.read_on.to_iso(),
        }
    }
}

/// `SendChatMessageResult`.
#[derive(Serialize)]
pub struct SentMessageBody {
    id: String,
}

impl View for SentMessage {
    type Body<'a> = SentMessageBody;

    fn view(&self, _version: ApiVersion) -> SentMessageBody {
        SentMessageBody { id: self.id.to_string() }
    }
}
