//! The data of chat events. `version` is a number in all of them; times are written as everywhere in ACS.

use std::collections::BTreeMap;

use base::{ThreadId, Timestamp};
use serde::{Serialize, Serializer};

use crate::identifier::IdentifierModel;
use crate::{Identifier, json, thread_id};

/// Pairs that programs attached.
pub type Metadata = BTreeMap<String, String>;

fn model<S: Serializer>(who: &Identifier, out: S) -> Result<S::Ok, S::Error> {
    named(who).serialize(out)
}

/// A communication user is told with its kind left out, as in the published samples.
pub(super) fn named(who: &Identifier) -> IdentifierModel {
    who.to_model().without_kind()
}

fn thread<S: Serializer>(id: &ThreadId, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&thread_id::format(*id))
}

fn time<S: Serializer>(at: &Timestamp, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&at.to_iso())
}

fn some_time<S: Serializer>(at: &Option<Timestamp>, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_some(&at.map(Timestamp::to_iso))
}

fn some_model<S: Serializer>(who: &Option<Identifier>, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_some(&who.as_ref().map(named))
}

/// A message: received, edited or deleted, or a sign of typing.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageData<'a> {
    /// Groups the events of one act.
    pub transaction_id: &'a str,
    /// In which thread.
    #[serde(serialize_with = "thread")]
    pub thread_id: ThreadId,
    /// Which message.
    pub message_id: String,
    /// Who wrote it.
    #[serde(rename = "senderCommunicationIdentifier", serialize_with = "model")]
    pub sender: Identifier,
    /// What the sender wanted to be called.
    pub sender_display_name: &'a str,
    /// When it was written.
    #[serde(serialize_with = "time")]
    pub compose_time: Timestamp,
    /// `Text` or `Html`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The instant of its latest version, in milliseconds.
    pub version: u64,
    /// What became of it.
    #[serde(flatten)]
    pub change: MessageChanged<'a>,
}

/// What a message event tells beside who and when.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum MessageChanged<'a> {
    /// It came.
    #[serde(rename_all = "camelCase")]
    Received {
        /// What it says.
        message_body: &'a str,
        /// Pairs that programs attached.
        metadata: &'a Metadata,
    },
    /// It was edited.
    #[serde(rename_all = "camelCase")]
    Edited {
        /// What it says now.
        message_body: &'a str,
        /// Pairs that programs attached.
        metadata: &'a Metadata,
        /// When.
        #[serde(serialize_with = "time")]
        edit_time: Timestamp,
    },
    /// It was deleted.
    #[serde(rename_all = "camelCase")]
    Deleted {
        /// When.
        #[serde(serialize_with = "time")]
        delete_time: Timestamp,
    },
}

/// A participant as events tell of one.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadParticipant {
    /// What the participant is called in the thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Who.
    #[serde(rename = "participantCommunicationIdentifier", serialize_with = "model")]
    pub participant: Identifier,
    /// Pairs that programs attached.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: Metadata,
}

/// A thread was created. Its participants are filled in when it is delivered.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadCreated<'a> {
    /// Groups the events of one act.
    pub transaction_id: &'a str,
    /// Which thread.
    #[serde(serialize_with = "thread")]
    pub thread_id: ThreadId,
    /// When.
    #[serde(serialize_with = "time")]
    pub create_time: Timestamp,
    /// The instant of its latest version, in milliseconds.
    pub version: u64,
    /// By whom.
    #[serde(rename = "createdByCommunicationIdentifier", serialize_with = "model")]
    pub created_by: Identifier,
    /// Its topic, under `topic`.
    pub properties: BTreeMap<&'static str, &'a str>,
    /// Pairs that programs attached.
    pub metadata: &'a Metadata,
}

/// Topic or metadata of a thread were changed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadUpdated<'a> {
    /// Groups the events of one act.
    pub transaction_id: &'a str,
    /// Which thread.
    #[serde(serialize_with = "thread")]
    pub thread_id: ThreadId,
    /// When it was created.
    #[serde(serialize_with = "time")]
    pub create_time: Timestamp,
    /// The instant of its latest version, in milliseconds.
    pub version: u64,
    /// By whom it was changed.
    #[serde(rename = "editedByCommunicationIdentifier", serialize_with = "model")]
    pub edited_by: Identifier,
    /// When it was changed.
    #[serde(serialize_with = "time")]
    pub edit_time: Timestamp,
    /// Its topic, under `topic`.
    pub properties: BTreeMap<&'static str, &'a str>,
    /// Pairs that programs attached.
    pub metadata: &'a Metadata,
}

/// A thread was deleted.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadDeleted<'a> {
    /// Groups the events of one act.
    pub transaction_id: &'a str,
    /// Which thread.
    #[serde(serialize_with = "thread")]
    pub thread_id: ThreadId,
    /// When it was created.
    #[serde(serialize_with = "time")]
    pub create_time: Timestamp,
    /// The instant of its latest version, in milliseconds.
    pub version: u64,
    /// By whom it was deleted.
    #[serde(rename = "deletedByCommunicationIdentifier", serialize_with = "model")]
    pub deleted_by: Identifier,
    /// When it was deleted.
    #[serde(serialize_with = "time")]
    pub delete_time: Timestamp,
}

/// Whether a participant came or went.
#[derive(Clone, Debug)]
pub enum ParticipantChange {
    /// Came.
    Added {
        /// By whom.
        by: Identifier,
        /// Who.
        who: ThreadParticipant,
    },
    /// Went.
    Removed {
        /// By whom.
        by: Identifier,
        /// Who.
        who: ThreadParticipant,
    },
}

/// A participant was added to a thread or removed from it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantChanged<'a> {
    /// Groups the events of one act.
    pub transaction_id: &'a str,
    /// Which thread.
    #[serde(serialize_with = "thread")]
    pub thread_id: ThreadId,
    /// When the thread was created; only where each user is told.
    #[serde(serialize_with = "some_time", skip_serializing_if = "Option::is_none")]
    pub create_time: Option<Timestamp>,
    /// The instant of the thread's latest version, in milliseconds.
    pub version: u64,
    /// When it happened.
    #[serde(serialize_with = "time")]
    pub time: Timestamp,
    #[serde(
        rename = "addedByCommunicationIdentifier",
        serialize_with = "some_model",
        skip_serializing_if = "Option::is_none"
    )]
    added_by: Option<Identifier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    participant_added: Option<ThreadParticipant>,
    #[serde(
        rename = "removedByCommunicationIdentifier",
        serialize_with = "some_model",
        skip_serializing_if = "Option::is_none"
    )]
    removed_by: Option<Identifier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    participant_removed: Option<ThreadParticipant>,
}

impl<'a> ParticipantChanged<'a> {
    /// The event data of `change` at `time`; `create_time` is told where each user is told.
    #[must_use]
    pub fn new(
        transaction_id: &'a str,
        thread_id: ThreadId,
        create_time: Option<Timestamp>,
        time: Timestamp,
        change: ParticipantChange,
    ) -> Self {
        let (added, removed) = match change {
            ParticipantChange::Added { by, who } => (Some((by, who)), None),
            ParticipantChange::Removed { by, who } => (None, Some((by, who))),
        };
        let (added_by, participant_added) = added.unzip();
        let (removed_by, participant_removed) = removed.unzip();
        let version = time.as_millis();
        Self {
            transaction_id,
            thread_id,
            create_time,
            version,
            time,
            added_by,
            participant_added,
            removed_by,
            participant_removed,
        }
    }
}

macro_rules! render {
    ($($name:ty),+) => {
        $(impl $name {
            /// The JSON of the event's `data`.
            #[must_use]
            pub fn render(&self) -> Vec<u8> {
                json::write(self)
            }
        })+
    };
}

render!(MessageData<'_>, ThreadCreated<'_>, ThreadUpdated<'_>, ThreadDeleted<'_>, ParticipantChanged<'_>);

#[cfg(test)]
mod tests;
