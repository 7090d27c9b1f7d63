//! Sending, reading, editing and deleting one message. Only its sender may edit or delete it.

use std::time::Duration;

use base::{MessageId, Personal, ThreadId, Timestamp};
use store::{Opened, Reader, StoreError, Versioned};

use super::access::{Member, Standing};
use super::append::Place;
use super::rows::{Body, Changes, HINT_RESOURCE, Hint, MessageRow, Messages, Metadata, author_scope};
use super::view::MessageView;
use super::{ChatError, Desk, html, tell};

/// A message as its sender wrote it, within the limits of the API.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// What it says.
    pub content: Personal<String>,
    /// Whether the content is HTML, to be cleaned, rather than plain text.
    pub is_html: bool,
    /// What the sender wants to be called in this message.
    pub sender_display_name: Option<Personal<String>>,
    /// Pairs that programs attach, sorted by key.
    pub metadata: Vec<(Personal<String>, Personal<String>)>,
}

/// What an edit changes; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct MessageEdit {
    /// The new content, of the type the message had.
    pub content: Option<Personal<String>>,
    /// All metadata from now on.
    pub metadata: Option<Vec<(Personal<String>, Personal<String>)>>,
}

/// A message that the caller wrote and may change, with what its change has to be conditional on.
struct Own {
    member: Member,
    row: MessageRow,
    hint: Hint,
    version: u64,
    /// When the change counts as made: after every other change of the thread and never before anything in its log.
    at: Timestamp,
    /// The change before it, whosever: who follows the thread goes by the order of changes.
    last: Option<(ThreadId, Timestamp, MessageId)>,
}

impl Desk<'_> {
    /// Adds a message to the end of `thread` and answers once it is durable.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] to who is not a participant; [`ChatError::NothingLeft`] and
    /// [`ChatError::MessageTooLarge`] after the cleaning of HTML.
    pub async fn send_message(&self, thread: ThreadId, message: NewMessage) -> Result<MessageId, ChatError> {
        let row = MessageRow {
            body: self.body(message.content, message.is_html)?,
            sender_display_name: message.sender_display_name,
            metadata: message.metadata,
            edited_on: None,
            deleted_on: None,
        };
        self.check_size(&row)?;
        retry!(hasty, self, thread, lost, {
            let (member, key) = self.sender(thread, lost == 0).await?;
            let hearers = self.hearers(thread, tell::RECEIVED).await?;
            let mut draft = self.draft().await?;
            self.expect(&mut draft, &member);
            let placed =
                self.state.ends.append(self.key(thread), self.clock.now(), draft, |place, draft| {
                    let hint = Hint { author: Some(self.user()), sequence: place.sequence };
                    draft.put::<Messages>(&(thread, place.id), &row, &hint.to_bytes(), &key)?;
                    match &hearers {
                        Some(hearers) => {
                            self.announce(draft, hearers, self.told_message(thread, place.id, &row), &key)
                        }
                        None => Ok(()),
                    }
                })?;
            let Some((place, pending)) = placed else { return Err(StoreError::Conflict.into()) };
            let id = self.settle(thread, place, pending.await.map_err(StoreError::from))?;
            self.state.live.changed(self.cell, self.key(thread));
            Ok(id)
        })
    }

    /// The sender's membership and key: remembered ones on the first attempt, where both are; else read.
    async fn sender(
        &self,
        thread: ThreadId,
        trust_memory: bool,
    ) -> Result<(Member, store::ScopeHandle), ChatError> {
        let mut allowed = Ok(());
        if trust_memory
            && self.state.ends.knows(self.key(thread))
            && let Some(member) = self.known_member(thread)
            && let Some(key) = self.cell.cached_scope_key(self.resource, &author_scope(thread, self.user()))
        {
            allowed = self.count(thread);
            if allowed.is_ok() {
                return Ok((member, key));
            }
            // A commit would have judged what is remembered and there will be none. Unless it is judged now, who was
            // removed would go on using up what the thread may take, and be told so.
            self.forget_member(thread);
        }
        let mut reader = self.reader().await?;
        let (member, _) = self.member(&mut reader, thread).await?;
        allowed?;
        let key = self.author_key(&mut reader, thread).await?;
        self.state.ends.learn(self.key(thread), &mut reader).await?;
        Ok((member, key))
    }

    /// What became of an append; a lost one makes everything it was built on be read again.
    pub(super) fn settle(
        &self,
        thread: ThreadId,
        place: Place,
        outcome: Result<(), StoreError>,
    ) -> Result<MessageId, ChatError> {
        match outcome {
            Ok(()) => {
                self.events.wake();
                Ok(place.id)
            }
            Err(error) => {
                self.state.ends.forget(self.key(thread), place);
                self.forget_member(thread);
                Err(error.into())
            }
        }
    }

    /// One message the caller may see.
    ///
    /// # Errors
    /// [`ChatError::MessageUnknown`] also for one outside what the caller may see.
    pub async fn message(&self, thread: ThreadId, id: MessageId) -> Result<MessageView, ChatError> {
        let mut reader = self.reader().await?;
        let standing = self.standing(&mut reader, thread).await?;
        let (row, hint, _) = self.visible(&mut reader, &standing, id).await?;
        let mut views = self.views(&mut reader, &standing, vec![(id, hint, row)]).await?;
        views.pop().ok_or(ChatError::MessageUnknown)
    }

    /// Changes a message of the caller's own.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] for another's message or the service's; [`ChatError::MessageUnknown`] for a deleted
    /// one.
    pub async fn edit_message(
        &self,
        thread: ThreadId,
        id: MessageId,
        edit: MessageEdit,
    ) -> Result<(), ChatError> {
        retry!(self, thread, _lost, {
            let mut reader = self.reader().await?;
            let mut own = self.own(&mut reader, thread, id).await?;
            if own.row.deleted_on.is_some() {
                return Err(ChatError::MessageUnknown);
            }
            let before = own.row.changed_on();
            if let Some(content) = edit.content.clone() {
                own.row.body = self.body(content, matches!(own.row.body, Body::Html(_)))?;
            }
            if let Some(metadata) = edit.metadata.clone() {
                own.row.metadata = metadata;
            }
            self.check_size(&own.row)?;
            own.row.edited_on = Some(own.at);
            self.change(reader, thread, id, own, before).await
        })
    }

    /// Deletes a message of the caller's own: its content and metadata are gone, the fact that it was remains. Deleting
    /// it again changes nothing.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] for another's message or the service's.
    pub async fn delete_message(&self, thread: ThreadId, id: MessageId) -> Result<(), ChatError> {
        retry!(self, thread, _lost, {
            let mut reader = self.reader().await?;
            let mut own = self.own(&mut reader, thread, id).await?;
            if own.row.deleted_on.is_some() {
                return Ok(());
            }
            let before = own.row.changed_on();
            own.row.body = match own.row.body {
                Body::Html(_) => Body::Html(Personal::default()),
                _ => Body::Text(Personal::default()),
            };
            own.row.metadata = Metadata::new();
            own.row.deleted_on = Some(own.at);
            self.change(reader, thread, id, own, before).await
        })
    }

    /// The row of a message that `standing` may see.
    async fn visible(
        &self,
        reader: &mut Reader,
        standing: &Standing,
        id: MessageId,
    ) -> Result<(MessageRow, Hint, u64), ChatError> {
        match reader.try_get::<Messages>(&(standing.thread, id)).await? {
            Some(Opened::Value(Versioned { value, version, hint }))
                if value.body != Body::Erased && standing.sees(id, value.changed_on()) =>
            {
                let hint = Hint::parse(&hint).ok_or(StoreError::Corrupt { keyspace: "chat_message" })?;
                Ok((value, hint, version))
            }
            _ => Err(ChatError::MessageUnknown),
        }
    }

    async fn own(&self, reader: &mut Reader, thread: ThreadId, id: MessageId) -> Result<Own, ChatError> {
        let (member, standing) = self.member(reader, thread).await?;
        let (row, hint, version) = self.visible(reader, &standing, id).await?;
        if hint.author != Some(self.user()) {
            return Err(ChatError::Forbidden);
        }
        let last = reader.last_key::<Messages>(&thread).await?;
        let end = last.map_or(Timestamp::EPOCH, |((_, id), _)| Timestamp::from_millis(id.0));
        let last = reader.last_key::<Changes>(&thread).await?.map(|(key, _)| key);
        let next = last.map_or(Timestamp::EPOCH, |(_, at, _)| at.plus(Duration::from_millis(1)));
        Ok(Own { member, row, hint, version, at: self.clock.now().max(end).max(next), last })
    }

    async fn change(
        &self,
        mut reader: Reader,
        thread: ThreadId,
        id: MessageId,
        own: Own,
        before: Option<Timestamp>,
    ) -> Result<(), ChatError> {
        let key = self.author_key(&mut reader, thread).await?;
        let kinds = if own.row.deleted_on.is_some() { tell::DELETED } else { tell::EDITED };
        let hearers = self.hearers_in(&mut reader, thread, kinds).await?;
        let mut draft = reader.draft();
        drop(reader);
        self.expect(&mut draft, &own.member);
        draft.expect_version::<Messages>(&(thread, id), own.version);
        draft.expect_last::<Changes>(thread.as_bytes().to_vec(), own.last.as_ref());
        if let Some(before) = before {
            draft.delete::<Changes>(&(thread, before, id));
        }
        draft.put_in_resource::<Changes>(&(thread, own.at, id), &(), HINT_RESOURCE)?;
        draft.put::<Messages>(&(thread, id), &own.row, &own.hint.to_bytes(), &key)?;
        if let Some(hearers) = hearers {
            self.announce(&mut draft, &hearers, self.told_message(thread, id, &own.row), &key)?;
        }
        draft.commit().await?;
        self.events.wake();
        self.state.live.changed(self.cell, self.key(thread));
        Ok(())
    }

    fn body(&self, content: Personal<String>, is_html: bool) -> Result<Body, ChatError> {
        if !is_html {
            return Ok(Body::Text(content));
        }
        let clean = html::sanitise(content.expose()).ok_or(ChatError::TooIntricate)?;
        if clean.trim().is_empty() && !content.expose().trim().is_empty() {
            return Err(ChatError::NothingLeft);
        }
        Ok(Body::Html(clean.into()))
    }

    /// Content and metadata together must fit: cleaning can lengthen the one, an edit brings a new half to an old one.
    fn check_size(&self, row: &MessageRow) -> Result<(), ChatError> {
        let content = match &row.body {
            Body::Text(content) | Body::Html(content) => content.expose().len(),
            _ => 0,
        };
        let metadata: usize = row.metadata.iter().map(|(k, v)| k.expose().len() + v.expose().len()).sum();
        let limit = self.limits.message_bytes;
        if content + metadata <= limit { Ok(()) } else { Err(ChatError::MessageTooLarge { limit }) }
    }
}
