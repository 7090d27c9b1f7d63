//! A chat message as callers see it.

use base::{MessageId, Personal, Timestamp};
use serde::Serialize;

use super::response::{Participant, ParticipantBody, View, identifier, iso, metadata};
use super::{Metadata, TextKind};
use crate::identifier::IdentifierModel;
use crate::{ApiVersion, Identifier};

/// A message, in its latest version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which.
    pub id: MessageId,
    /// Its number in the thread, from one.
    pub sequence: u64,
    /// Its id, or the time of its latest change in milliseconds.
    pub version: u64,
    /// What it says. Without the text when it was deleted.
    pub content: MessageContent,
    /// The name its sender gave.
    pub sender_display_name: Option<Personal<String>>,
    /// Who sent it; nobody, when the service did.
    pub sender: Option<Identifier>,
    /// When it came.
    pub created_on: Timestamp,
    /// When it was edited last.
    pub edited_on: Option<Timestamp>,
    /// When it was deleted.
    pub deleted_on: Option<Timestamp>,
    /// Left out when empty.
    pub metadata: Metadata,
}

/// What a message says; decides its `type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageContent {
    /// A user's text. `None` when it was deleted.
    Text(TextKind, Option<Personal<String>>),
    /// The service tells of a new topic.
    TopicUpdated {
        /// The topic.
        topic: Personal<String>,
        /// Who set it.
        initiator: Option<Identifier>,
    },
    /// The service tells who was added.
    ParticipantAdded {
        /// Whom.
        participants: Vec<Participant>,
        /// By whom.
        initiator: Option<Identifier>,
    },
    /// The service tells who was removed.
    ParticipantRemoved {
        /// Whom.
        participants: Vec<Participant>,
        /// By whom.
        initiator: Option<Identifier>,
    },
}

/// `ChatMessage`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageBody<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    sequence_id: String,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<ContentBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_display_name: Option<&'a str>,
    created_on: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_communication_identifier: Option<IdentifierModel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Metadata>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct ContentBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    participants: Option<Vec<ParticipantBody<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initiator_communication_identifier: Option<IdentifierModel>,
}

impl MessageContent {
    /// The message's `type`.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Text(TextKind::Text, _) => "text",
            Self::Text(TextKind::Html, _) => "html",
            Self::TopicUpdated { .. } => "topicUpdated",
            Self::ParticipantAdded { .. } => "participantAdded",
            Self::ParticipantRemoved { .. } => "participantRemoved",
        }
    }

    fn view(&self, version: ApiVersion) -> Option<ContentBody<'_>> {
        let by = |who: &Option<Identifier>| who.as_ref().map(|who| identifier(who, version));
        Some(match self {
            Self::Text(_, text) => {
                ContentBody { message: Some(text.as_ref()?.expose()), ..ContentBody::default() }
            }
            Self::TopicUpdated { topic, initiator } => ContentBody {
                topic: Some(topic.expose()),
                initiator_communication_identifier: by(initiator),
                ..ContentBody::default()
            },
            Self::ParticipantAdded { participants, initiator }
            | Self::ParticipantRemoved { participants, initiator } => ContentBody {
                participants: Some(participants.iter().map(|one| one.view(version)).collect()),
                initiator_communication_identifier: by(initiator),
                ..ContentBody::default()
            },
        })
    }
}

impl View for Message {
    type Body<'a> = MessageBody<'a>;

    fn view(&self, version: ApiVersion) -> MessageBody<'_> {
        MessageBody {
            id: self.id.to_string(),
            kind: self.content.type_name(),
            sequence_id: self.sequence.to_string(),
            version: self.version.to_string(),
            content: self.content.view(version),
            sender_display_name: self.sender_display_name.as_ref().map(|name| name.expose().as_str()),
            created_on: self.created_on.to_iso(),
            sender_communication_identifier: self.sender.as_ref().map(|who| identifier(who, version)),
            deleted_on: iso(self.deleted_on),
            edited_on: iso(self.edited_on),
            metadata: metadata(&self.metadata),
        }
    }
}
