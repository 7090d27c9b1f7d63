//! What the chat tells of itself to webhooks: each event in the commit of what it tells, under the key of who is quoted
//! in it. Where nobody listens none of this is built.

use std::collections::BTreeMap;

use base::{MessageId, Personal, ThreadId, Timestamp, UserId};
use store::{Draft, Opened, Reader, Scope, ScopeHandle, StoreError};
use wire::events::{
    MessageChanged, MessageData, ParticipantChange, ParticipantChanged, ThreadCreated, ThreadDeleted,
    ThreadParticipant, ThreadUpdated,
};
use wire::{Identifier, thread_id};

use super::rows::{Body, LiveThread, MessageRow, Messages, ParticipantRow, Participants};
use super::view::pairs;
use super::{ChatError, Desk};
use crate::service::events::{Event, Fill, To};

/// The two types of event that tell one thing: to the thread, and to each user in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kinds {
    in_thread: &'static str,
    per_user: Option<&'static str>,
}

const fn both(in_thread: &'static str, per_user: &'static str) -> Kinds {
    Kinds { in_thread, per_user: Some(per_user) }
}

pub(super) const RECEIVED: Kinds = both("ChatMessageReceivedInThread", "ChatMessageReceived");
pub(super) const EDITED: Kinds = both("ChatMessageEditedInThread", "ChatMessageEdited");
pub(super) const DELETED: Kinds = both("ChatMessageDeletedInThread", "ChatMessageDeleted");
pub(super) const CREATED: Kinds = both("ChatThreadCreated", "ChatThreadCreatedWithUser");
pub(super) const UPDATED: Kinds = both("ChatThreadPropertiesUpdated", "ChatThreadPropertiesUpdatedPerUser");
pub(super) const ENDED: Kinds = both("ChatThreadDeleted", "ChatThreadWithUserDeleted");
pub(super) const ADDED: Kinds = both("ChatThreadParticipantAdded", "ChatParticipantAddedToThreadWithUser");
pub(super) const REMOVED: Kinds =
    both("ChatThreadParticipantRemoved", "ChatParticipantRemovedFromThreadWithUser");
pub(super) const TYPING: Kinds = Kinds { in_thread: "ChatTypingIndicatorReceivedInThread", per_user: None };

/// Who is to be told: made only where somebody listens.
#[derive(Clone, Debug)]
pub(super) struct Hearers {
    kinds: Kinds,
    /// Whether the thread's own event is wanted.
    in_thread: bool,
    /// The users in the thread besides the one who acts, where theirs are wanted.
    users: Vec<UserId>,
}

/// What is told.
#[derive(Debug)]
pub(super) struct Told {
    subject: String,
    data: Vec<u8>,
    /// Where each user is told otherwise than the thread: that subject, and that data.
    own: Option<(String, Vec<u8>)>,
    at: Timestamp,
    fill: Option<Fill>,
}

impl Desk<'_> {
    /// Which of the two is wanted; `None` when neither is.
    fn listens(&self, kinds: Kinds) -> Option<(bool, bool)> {
        let wants = |kind| self.events.wants(self.resource, kind);
        let found = (wants(kinds.in_thread), kinds.per_user.is_some_and(wants));
        (found.0 || found.1).then_some(found)
    }

    /// Who is to be told of what happens in `thread`. The users are those of this moment; the commit must be conditional
    /// on the thread, whose version changes with them.
    pub(super) async fn hearers(&self, thread: ThreadId, kinds: Kinds) -> Result<Option<Hearers>, ChatError> {
        match self.listens(kinds) {
            None => Ok(None),
            Some((in_thread, false)) => Ok(Some(Hearers { kinds, in_thread, users: Vec::new() })),
            Some((_, true)) => {
                let mut reader = self.reader().await?;
                self.hearers_in(&mut reader, thread, kinds).await
            }
        }
    }

    /// The same, for who has a reader already.
    pub(super) async fn hearers_in(
        &self,
        reader: &mut Reader,
        thread: ThreadId,
        kinds: Kinds,
    ) -> Result<Option<Hearers>, ChatError> {
        let Some((in_thread, per_user)) = self.listens(kinds) else { return Ok(None) };
        let mut users = Vec::new();
        if per_user {
            let present = self.participants(reader, thread).await?;
            users = present.into_iter().filter(|p| p.row.is_current()).map(|p| p.user).collect();
        }
        Ok(Some(self.heard(kinds, in_thread, users)))
    }

    /// The same, for who knows the users already.
    pub(super) fn hearers_of(&self, kinds: Kinds, users: impl FnOnce() -> Vec<UserId>) -> Option<Hearers> {
        let (in_thread, per_user) = self.listens(kinds)?;
        Some(self.heard(kinds, in_thread, if per_user { users() } else { Vec::new() }))
    }

    fn heard(&self, kinds: Kinds, in_thread: bool, mut users: Vec<UserId>) -> Hearers {
        users.retain(|user| *user != self.user());
        Hearers { kinds, in_thread, users }
    }

    /// Adds what is told to the commit of what it tells.
    pub(super) fn announce(
        &self,
        draft: &mut Draft,
        hearers: &Hearers,
        told: Told,
        scope: &ScopeHandle,
    ) -> Result<(), StoreError> {
        let Told { subject, data, own, at, fill } = told;
        let geography = self.cell.geography();
        let publish = |draft: &mut Draft, kind, subject: String, data: Vec<u8>, to: To| {
            let event = Event { kind, subject: subject.into(), data: Personal::new(data), at, id: None };
            self.events.publish_to(draft, geography, &event, scope, fill, &to)
        };
        if hearers.in_thread {
            publish(draft, hearers.kinds.in_thread, subject.clone(), data.clone(), To::All)?;
        }
        match hearers.kinds.per_user {
            Some(kind) if !hearers.users.is_empty() => {
                let (subject, data) = own.unwrap_or((subject, data));
                publish(draft, kind, subject, data, To::Each(hearers.users.clone()))
            }
            _ => Ok(()),
        }
    }

    fn identifier(&self, user: UserId) -> Identifier {
        Identifier::CommunicationUser { resource: self.resource, user }
    }

    /// `thread/{id}/{what}/{who}`.
    fn subject(&self, thread: ThreadId, what: &str, who: UserId) -> String {
        format!("thread/{}/{what}/{}", thread_id::format(thread), self.identifier(who).raw_id())
    }

    fn transaction(&self) -> String {
        base::hex(&self.rng.id())
    }

    /// A message that came, was edited or was deleted, as its row says.
    pub(super) fn told_message(&self, thread: ThreadId, id: MessageId, row: &MessageRow) -> Told {
        let (kind, said) = match &row.body {
            Body::Html(said) => ("Html", said.expose().as_str()),
            Body::Text(said) => ("Text", said.expose().as_str()),
            _ => ("Text", ""),
        };
        let metadata = pairs(&row.metadata);
        let change = match (row.deleted_on, row.edited_on) {
            (Some(delete_time), _) => MessageChanged::Deleted { delete_time },
            (None, Some(edit_time)) => {
                MessageChanged::Edited { message_body: said, metadata: &metadata, edit_time }
            }
            (None, None) => MessageChanged::Received { message_body: said, metadata: &metadata },
        };
        let compose_time = Timestamp::from_millis(id.0);
        let at = row.changed_on().unwrap_or(compose_time);
        let data = MessageData {
            transaction_id: &self.transaction(),
            thread_id: thread,
            message_id: id.to_string(),
            sender: self.identifier(self.user()),
            sender_display_name: row.sender_display_name.as_ref().map_or("", |name| name.expose()),
            compose_time,
            kind,
            version: at.as_millis(),
            change,
        };
        let subject = self.subject(thread, "sender", self.user());
        Told { subject, data: data.render(), own: None, at, fill: None }
    }

    /// Somebody types.
    pub(super) fn told_typing(
        &self,
        thread: ThreadId,
        name: Option<&Personal<String>>,
        at: Timestamp,
    ) -> Told {
        let metadata = BTreeMap::new();
        let data = MessageData {
            transaction_id: &self.transaction(),
            thread_id: thread,
            message_id: at.as_millis().to_string(),
            sender: self.identifier(self.user()),
            sender_display_name: name.map_or("", |name| name.expose()),
            compose_time: at,
            kind: "Control/Typing",
            version: at.as_millis(),
            change: MessageChanged::Received { message_body: "", metadata: &metadata },
        };
        let subject = self.subject(thread, "sender", self.user());
        Told { subject, data: data.render(), own: None, at, fill: None }
    }

    /// A thread was created. Who takes part is looked up when it is told, so that nobody is named by it whose identity was
    /// deleted since.
    pub(super) fn told_created(&self, thread: ThreadId, live: &LiveThread) -> Told {
        let at = live.created_on;
        let data = ThreadCreated {
            transaction_id: &self.transaction(),
            thread_id: thread,
            create_time: at,
            version: at.as_millis(),
            created_by: self.identifier(live.created_by),
            properties: BTreeMap::from([("topic", live.topic.expose().as_str())]),
            metadata: &pairs(&live.metadata),
        };
        let fill = Some(Fill::Added(thread, MessageId(at.as_millis())));
        let subject = self.subject(thread, "createdBy", self.user());
        Told { subject, data: data.render(), own: None, at, fill }
    }

    /// Topic, metadata or retention of a thread were changed.
    pub(super) fn told_updated(&self, thread: ThreadId, live: &LiveThread, at: Timestamp) -> Told {
        let data = ThreadUpdated {
            transaction_id: &self.transaction(),
            thread_id: thread,
            create_time: live.created_on,
            version: at.as_millis(),
            edited_by: self.identifier(self.user()),
            edit_time: at,
            properties: BTreeMap::from([("topic", live.topic.expose().as_str())]),
            metadata: &pairs(&live.metadata),
        };
        let subject = self.subject(thread, "editedBy", self.user());
        Told { subject, data: data.render(), own: None, at, fill: None }
    }

    /// A thread was deleted. Told under the resource's key, for its own is gone; it quotes nobody.
    pub(super) fn told_ended(&self, thread: ThreadId, created: Timestamp, at: Timestamp) -> Told {
        let data = ThreadDeleted {
            transaction_id: &self.transaction(),
            thread_id: thread,
            create_time: created,
            version: at.as_millis(),
            deleted_by: self.identifier(self.user()),
            delete_time: at,
        };
        let subject = self.subject(thread, "deletedBy", self.user());
        Told { subject, data: data.render(), own: None, at, fill: None }
    }

    /// Somebody came into a thread of `created`, or left it, with a message of `at`.
    pub(super) fn told_participant(
        &self,
        thread: ThreadId,
        (user, row): (UserId, &ParticipantRow),
        came: bool,
        (created, at): (Timestamp, Timestamp),
    ) -> Told {
        let who = self.named(user, row);
        let by = self.identifier(self.user());
        let change = || match came {
            true => ParticipantChange::Added { by: by.clone(), who: who.clone() },
            false => ParticipantChange::Removed { by: by.clone(), who: who.clone() },
        };
        let transaction = self.transaction();
        let data = |since| ParticipantChanged::new(&transaction, thread, since, at, change()).render();
        // The thread's own event is written in lower case, those of its users are not.
        let (lower, mixed) = if came {
            ("participantadded", "participantAdded")
        } else {
            ("participantremoved", "participantRemoved")
        };
        Told {
            subject: self.subject(thread, lower, user),
            data: data(None),
            own: Some((self.subject(thread, mixed, user), data(Some(created)))),
            at,
            fill: None,
        }
    }

    fn named(&self, user: UserId, row: &ParticipantRow) -> ThreadParticipant {
        ThreadParticipant {
            display_name: row.display_name.as_ref().map(|name| name.expose().clone()),
            participant: self.identifier(user),
            metadata: pairs(&row.metadata),
        }
    }

    /// The key of what outlives every narrower one of this resource.
    pub(super) async fn resource_key(&self, reader: &mut Reader) -> Result<ScopeHandle, ChatError> {
        reader.scope_key(&Scope::RESOURCE).await?.ok_or(ChatError::Forbidden)
    }
}

/// Those that `message` of `thread` says were added, as they are called now: who was deleted since has no name.
///
/// # Errors
/// Those of the store.
pub async fn added(
    reader: &mut Reader,
    thread: ThreadId,
    message: MessageId,
) -> Result<Vec<ThreadParticipant>, StoreError> {
    let Some(Opened::Value(row)) = reader.try_get::<Messages>(&(thread, message)).await? else {
        return Ok(Vec::new());
    };
    let Body::ParticipantsAdded { participants, .. } = row.value.body else { return Ok(Vec::new()) };
    let keys: Vec<_> = participants.iter().map(|(user, _)| (thread, *user)).collect();
    let rows = reader.multi_get::<Participants>(&keys).await?;
    let resource = reader.resource();
    let told = keys.into_iter().zip(rows).map(|((_, user), row)| {
        let known = row.and_then(Opened::value).map(|row| row.value).unwrap_or_default();
        ThreadParticipant {
            display_name: known.display_name.map(Personal::into_inner),
            participant: Identifier::CommunicationUser { resource, user },
            metadata: pairs(&known.metadata),
        }
    });
    Ok(told.collect())
}
