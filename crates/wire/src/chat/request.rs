//! What callers ask of chat. Each type is read by its `parse` and cannot hold what the rules forbid. Properties a
//! version does not know are ignored like any unknown property; `null` counts as absent, except in merge patches.

use base::{Limits, MessageId, Personal, Timestamp};
use serde::Deserialize;

use super::rules::{
    RawMetadata, RawParticipant, RawRetention, display_name, fits_message, metadata_patch, participants,
    required, retention, text_kind, topic,
};
use super::{KNOWS_THREAD_METADATA, Metadata, RetentionPolicy};
use crate::identifier::IdentifierModel;
use crate::json::Object;
use crate::{ApiError, ApiVersion, Identifier, json};

/// `POST /chat/threads`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateThread {
    /// Not empty, within the limit.
    pub topic: Personal<String>,
    /// Each identifier once, in the order given.
    pub participants: Vec<NewParticipant>,
    /// Within the limit.
    pub metadata: Metadata,
    /// `None` when nothing was said.
    pub retention: Option<RetentionPolicy>,
}

/// Somebody to add to a thread. Whether the identifier can be added at all is not yet known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewParticipant {
    /// Who.
    pub identifier: Identifier,
    /// Under which name.
    pub display_name: Option<Personal<String>>,
    /// From when on the participant may read; `None` when nothing was said.
    pub share_history_time: Option<Timestamp>,
    /// Within the limit.
    pub metadata: Metadata,
}

/// `PATCH /chat/threads/{id}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateThread {
    /// A new topic, not empty; `None` keeps the old one.
    pub topic: Option<Personal<String>>,
    /// All metadata anew, or none.
    pub metadata: Patch<Metadata>,
    /// A new policy; clearing it is [`RetentionPolicy::None`].
    pub retention: Option<RetentionPolicy>,
}

/// One property of a merge patch (RFC 7396).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patch<T> {
    /// Absent: as it was.
    Keep,
    /// `null`: gone.
    Clear,
    /// A new value.
    Set(T),
}

/// What kind of text a message holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextKind {
    /// Plain.
    #[default]
    Text,
    /// HTML, to be sanitised.
    Html,
}

/// `POST /chat/threads/{id}/messages`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendMessage {
    /// May be empty: clients send messages that hold only metadata.
    pub content: Personal<String>,
    /// What the content is.
    pub kind: TextKind,
    /// The name to show, for this message only.
    pub sender_display_name: Option<Personal<String>>,
    /// Within the limit, together with the content.
    pub metadata: Metadata,
}

/// `PATCH /chat/threads/{id}/messages/{id}`. The stored half of a message counts towards its limit too, so the writer
/// must ask [`fits_message`](super::fits_message) once more with both halves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateMessage {
    /// New content; `None` keeps the old.
    pub content: Option<Personal<String>>,
    /// All metadata anew, or none.
    pub metadata: Patch<Metadata>,
}

/// `POST /chat/threads/{id}/participants/:add`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddParticipants {
    /// At least one; each identifier once.
    pub participants: Vec<NewParticipant>,
}

/// `POST /chat/threads/{id}/participants/:remove`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveParticipant {
    /// Who.
    pub identifier: Identifier,
}

/// `POST /chat/threads/{id}/readReceipts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadReceiptRequest {
    /// The latest message read.
    pub message: MessageId,
}

/// `POST /chat/threads/{id}/typing`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typing {
    /// The name to show.
    pub sender_display_name: Option<Personal<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCreateThread {
    topic: Option<String>,
    participants: Option<Vec<Object<RawParticipant>>>,
    metadata: Option<RawMetadata>,
    retention_policy: Option<Object<RawRetention>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct RawUpdateThread {
    #[serde(deserialize_with = "json::present")]
    topic: Option<Option<String>>,
    #[serde(deserialize_with = "json::present")]
    metadata: Option<Option<RawMetadata>>,
    #[serde(deserialize_with = "json::present")]
    retention_policy: Option<Option<Object<RawRetention>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSendMessage {
    content: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    sender_display_name: Option<String>,
    metadata: Option<RawMetadata>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawUpdateMessage {
    #[serde(deserialize_with = "json::present")]
    content: Option<Option<String>>,
    #[serde(deserialize_with = "json::present")]
    metadata: Option<Option<RawMetadata>>,
}

#[derive(Deserialize)]
struct RawAddParticipants {
    participants: Option<Vec<Object<RawParticipant>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReadReceipt {
    chat_message_id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawTyping {
    sender_display_name: Option<String>,
}

impl CreateThread {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 when it is not JSON of the right shape or a value breaks a rule or limit.
    pub fn parse(body: &[u8], version: ApiVersion, limits: &Limits) -> Result<Self, ApiError> {
        let raw: RawCreateThread = json::parse(body)?;
        let known = version >= KNOWS_THREAD_METADATA;
        let retention = raw.retention_policy.filter(|_| known).map(retention).transpose()?;
        Ok(Self {
            topic: topic(raw.topic, limits)?,
            participants: participants(raw.participants.unwrap_or_default(), known, limits)?,
            metadata: Metadata::from_request(raw.metadata.filter(|_| known)).within(limits)?,
            retention,
        })
    }
}

impl UpdateThread {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 when it is not JSON of the right shape, a value breaks a rule or limit, or the topic is to be removed.
    pub fn parse(body: &[u8], version: ApiVersion, limits: &Limits) -> Result<Self, ApiError> {
        let raw: RawUpdateThread = json::parse(body)?;
        let known = version >= KNOWS_THREAD_METADATA;
        let metadata = metadata_patch(raw.metadata.filter(|_| known));
        Ok(Self {
            topic: raw.topic.map(|asked| topic(asked, limits)).transpose()?,
            metadata: match metadata {
                Patch::Set(metadata) => Patch::Set(metadata.within(limits)?),
                other => other,
            },
            retention: match raw.retention_policy.filter(|_| known) {
                None => None,
                Some(None) => Some(RetentionPolicy::None),
                Some(Some(asked)) => Some(retention(asked)?),
            },
        })
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.topic.is_none() && self.metadata == Patch::Keep && self.retention.is_none()
    }
}

impl SendMessage {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 when it is not JSON of the right shape or a value breaks a rule or limit.
    pub fn parse(body: &[u8], limits: &Limits) -> Result<Self, ApiError> {
        let raw: RawSendMessage = json::parse(body)?;
        let content = raw.content.ok_or_else(|| required("content"))?;
        let metadata = Metadata::from_request(raw.metadata);
        fits_message(&content, &metadata, limits)?;
        Ok(Self {
            kind: text_kind(raw.kind.as_deref())?,
            sender_display_name: display_name("senderDisplayName", raw.sender_display_name, limits)?,
            content: content.into(),
            metadata,
        })
    }
}

impl UpdateMessage {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 when it is not JSON of the right shape, too large, or the content is to be removed.
    pub fn parse(body: &[u8], limits: &Limits) -> Result<Self, ApiError> {
        let raw: RawUpdateMessage = json::parse(body)?;
        if raw.content == Some(None) {
            return Err(ApiError::validation("content", "The content of a message cannot be removed."));
        }
        let content = raw.content.flatten();
        let metadata = metadata_patch(raw.metadata);
        let none = Metadata::default();
        let new = if let Patch::Set(new) = &metadata { new } else { &none };
        fits_message(content.as_deref().unwrap_or_default(), new, limits)?;
        Ok(Self { content: content.map(Personal::new), metadata })
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.content.is_none() && self.metadata == Patch::Keep
    }
}

impl AddParticipants {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 when it is not JSON of the right shape, names nobody, or a value breaks a rule or limit.
    pub fn parse(body: &[u8], version: ApiVersion, limits: &Limits) -> Result<Self, ApiError> {
        let raw: RawAddParticipants = json::parse(body)?;
        let raw = raw.participants.filter(|list| !list.is_empty());
        let raw =
            raw.ok_or_else(|| ApiError::validation("participants", "At least one participant is required."))?;
        Ok(Self { participants: participants(raw, version >= KNOWS_THREAD_METADATA, limits)? })
    }
}

impl RemoveParticipant {
    /// Reads the body, an identifier model.
    ///
    /// # Errors
    /// 400 when it is not JSON of the right shape or no identifier.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let model: IdentifierModel = json::parse(body)?;
        let identifier =
            Identifier::from_model(&model).map_err(|e| e.into_error("communicationIdentifier"))?;
        Ok(Self { identifier })
    }
}

impl ReadReceiptRequest {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 when it is not JSON of the right shape, or the id is not of the form of a message id.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let raw: RawReadReceipt = json::parse(body)?;
        let id = raw.chat_message_id.ok_or_else(|| required("chatMessageId"))?;
        let message = id
            .parse()
            .map_err(|_| ApiError::validation("chatMessageId", "chatMessageId is not a message id."))?;
        Ok(Self { message })
    }
}

impl Typing {
    /// Reads the body, which may be left out.
    ///
    /// # Errors
    /// 400 when it is not JSON of the right shape or the name is too long.
    pub fn parse(body: &[u8], limits: &Limits) -> Result<Self, ApiError> {
        let raw: RawTyping = json::parse_optional(body)?;
        Ok(Self { sender_display_name: display_name("senderDisplayName", raw.sender_display_name, limits)? })
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
