//! Following a thread: what happened in it after a position, read from the log itself, and who may hear of it at that moment.
//! Nothing is written for it: messages stand in the order of their ids, changes in the order of their instants, and both
//! only ever get longer at their ends.

use std::collections::HashMap;
use std::sync::Arc;

use base::{MessageId, Personal, ThreadId, Timestamp, UserId};
use store::{Direction, KeyRange, Opened, Reader, StoreError, Versioned};

use super::rows::{
    Body, Changes, Hint, Memberships, MessageRow, Messages, ParticipantRow, Participants, ThreadRow, Threads,
};
use super::thread::thread_view;
use super::view::{self, ContentView, MessageView, ParticipantView, ReceiptView, ThreadView};
use crate::service::identity::Identities;

/// How many messages, and how many changes, are read at once.
pub const AT_ONCE: usize = 128;

/// How far a thread was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The last message.
    pub message: MessageId,
    /// The last edit or deletion, and of which message.
    pub change: (Timestamp, MessageId),
}

impl Position {
    /// Before everything.
    pub const START: Self = Self { message: MessageId(0), change: (Timestamp::EPOCH, MessageId(0)) };
}

/// Something that happened in a thread.
#[derive(Debug)]
pub enum Happening {
    /// A message came.
    Received(MessageView),
    /// One was edited or deleted, as it says itself.
    Changed(MessageView),
    /// The thread was created with these participants.
    Created(ThreadView, ParticipantView, Vec<ParticipantView>),
    /// Topic, metadata or retention are new, by this participant since then.
    Updated(ThreadView, ParticipantView, Timestamp),
    /// These were added.
    Added(ParticipantView, Vec<ParticipantView>, Timestamp),
    /// This one was removed, or went.
    Removed(ParticipantView, ParticipantView, Timestamp),
    /// The thread was deleted; by whom may not be known any more.
    Ended(Option<ParticipantView>, Timestamp),
    /// Somebody has read up to a message.
    Read(ReceiptView),
    /// Somebody types, and wants to be called so.
    Typing(UserId, Option<Personal<String>>, Timestamp),
}

/// One thing that happened, and the message by whose id it is judged who may hear of it.
#[derive(Debug)]
pub struct Entry {
    /// Judged by this.
    pub at: MessageId,
    /// And by when it was changed, where the change is what is told.
    pub changed_on: Option<Timestamp>,
    /// What happened.
    pub what: Happening,
}

impl Entry {
    /// Of something that is judged by message `at` alone.
    #[must_use]
    pub const fn new(at: MessageId, what: Happening) -> Self {
        Self { at, changed_on: None, what }
    }
}

/// Somebody who wants to hear, as the store knows them at that moment.
#[derive(Clone, Debug)]
pub struct Hearer {
    epoch: Epoch,
    part: Option<Arc<ParticipantRow>>,
}

/// The generation of somebody's tokens that hold.
#[derive(Clone, Copy, Debug)]
enum Epoch {
    /// Not looked at: who is told of every revocation when it happens need not.
    Unasked,
    /// As found; `None` for who is not there.
    Found(Option<u32>),
}

/// Who takes part in a thread, by the version of the thread, which changes with them.
#[derive(Debug, Default)]
pub struct Parts {
    version: u64,
    known: HashMap<UserId, Option<Arc<ParticipantRow>>>,
}

/// What is wanted of a look.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Who wants to hear.
    pub hearers: &'a [UserId],
    /// Of whom else the names are wanted.
    pub also: &'a [UserId],
    /// Whether the tokens of those who want to hear are looked at.
    pub epochs: bool,
}

impl Hearer {
    /// Whether a token of this generation still holds.
    #[must_use]
    pub fn holds(&self, epoch: u32) -> bool {
        match self.epoch {
            Epoch::Unasked => true,
            Epoch::Found(found) => found == Some(epoch),
        }
    }

    /// Whether this one is in the thread.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.part.as_ref().is_some_and(|part| part.is_current())
    }

    /// Whether this one may hear of what is judged by message `at`, or by its change.
    #[must_use]
    pub fn sees(&self, at: MessageId, changed_on: Option<Timestamp>) -> bool {
        self.part.as_ref().is_some_and(|part| part.is_current() && part.sees_as_changed(at, changed_on))
    }
}

/// What [`look`] found.
#[derive(Debug)]
pub struct Look {
    /// What happened, in the order in which it did.
    pub entries: Vec<Entry>,
    /// How far that is.
    pub position: Position,
    /// Whether there is more.
    pub more: bool,
    /// The thread as it is; `None` when it is deleted.
    pub thread: Option<ThreadView>,
    /// Those who were asked about.
    pub hearers: HashMap<UserId, Hearer>,
    /// What those are called who are spoken of.
    names: view::Known,
}

impl Look {
    /// How somebody is to be spoken of.
    #[must_use]
    pub fn called(&self, user: UserId) -> ParticipantView {
        let (display_name, metadata) = self.names.get(&user).cloned().unwrap_or_default();
        ParticipantView { user, display_name, share_history_from: None, metadata }
    }
}

/// The threads that `user` is in, of the first `most` that the user is or was in.
///
/// # Errors
/// Those of the store.
pub async fn present_threads(
    reader: &mut Reader,
    user: UserId,
    most: usize,
) -> Result<Vec<ThreadId>, StoreError> {
    let found = reader.scan_keys::<Memberships>(KeyRange::prefix(&user), Direction::Forward, most).await?;
    let keys: Vec<_> = found.into_iter().map(|((_, thread), ..)| (thread, user)).collect();
    let parts = reader.multi_get::<Participants>(&keys).await?;
    let threads = keys.into_iter().zip(parts).filter_map(|((thread, _), row)| {
        row.and_then(Opened::value).filter(|row| row.value.is_current()).map(|_| thread)
    });
    Ok(threads.collect())
}

/// The generation of the tokens of each of `users` that hold now; `None` for who is not there.
///
/// # Errors
/// Those of the store.
pub async fn epochs(reader: &mut Reader, users: &[UserId]) -> Result<Vec<Option<u32>>, StoreError> {
    let rows = reader.multi_get::<Identities>(users).await?;
    Ok(rows.into_iter().map(|row| row.and_then(Opened::value).map(|row| row.value.epoch)).collect())
}

/// Where `thread` ends now.
///
/// # Errors
/// Those of the store.
pub async fn end(reader: &mut Reader, thread: ThreadId) -> Result<Position, StoreError> {
    let message = reader.last_key::<Messages>(&thread).await?;
    let change = reader.last_key::<Changes>(&thread).await?;
    Ok(Position {
        message: message.map_or(MessageId(0), |((_, id), _)| id),
        change: change.map_or(Position::START.change, |((_, at, id), _)| (at, id)),
    })
}

/// What happened in `thread` after `from`, with what is known of those in `wanted`, all of one moment. `parts` is what an
/// earlier look found, and is what this one did.
///
/// # Errors
/// Those of the store.
pub async fn look(
    reader: &mut Reader,
    thread: ThreadId,
    from: Position,
    wanted: Wanted<'_>,
    parts: &mut Parts,
) -> Result<Look, StoreError> {
    let found = reader.try_get::<Threads>(&thread).await?;
    let Some(Versioned { value: ThreadRow::Live(live), version, .. }) = found.and_then(Opened::value) else {
        return Ok(Look::gone(from));
    };
    if parts.version != version {
        *parts = Parts { version, known: HashMap::new() };
    }
    let range = KeyRange::prefix(&thread).after(&(thread, from.message));
    let messages = reader.scan::<Messages>(range, Direction::Forward, AT_ONCE).await?;
    let range = KeyRange::prefix(&thread).after(&(thread, from.change.0, from.change.1));
    let changes = reader.scan_keys::<Changes>(range, Direction::Forward, AT_ONCE).await?;
    let keys: Vec<_> = changes.iter().map(|((thread, _, id), ..)| (*thread, *id)).collect();
    let changed = reader.multi_get::<Messages>(&keys).await?;
    let more = messages.len() == AT_ONCE || changes.len() == AT_ONCE;
    let position = Position {
        message: messages.last().map_or(from.message, |((_, id), _)| *id),
        change: changes.last().map_or(from.change, |((_, at, id), ..)| (*at, *id)),
    };

    let mut came = Vec::new();
    for ((_, id), row) in messages {
        let Opened::Value(Versioned { value, hint, .. }) = row else { continue };
        came.push((id, Hint::parse(&hint).ok_or(StoreError::Corrupt { keyspace: "chat_message" })?, value));
    }
    let mut altered = Vec::new();
    for (((_, at, id), ..), row) in changes.into_iter().zip(changed) {
        let Some(Opened::Value(Versioned { value, hint, .. })) = row else { continue };
        // Changed again since, which stands further on.
        if value.changed_on() == Some(at) {
            let hint = Hint::parse(&hint).ok_or(StoreError::Corrupt { keyspace: "chat_message" })?;
            altered.push((at, (id, hint, value)));
        }
    }
    let mut spoken_of: Vec<UserId> = came.iter().flat_map(|(_, _, row)| named(&row.body)).collect();
    spoken_of.extend(wanted.also);
    let mut look = Look {
        entries: Vec::new(),
        position,
        more,
        thread: Some(thread_view(thread, live)),
        hearers: HashMap::new(),
        names: HashMap::new(),
    };
    look.learn(reader, thread, &spoken_of, wanted, parts).await?;
    look.enter(came, altered);
    Ok(look)
}

impl Look {
    fn gone(position: Position) -> Self {
        Self {
            entries: Vec::new(),
            position,
            more: false,
            thread: None,
            hearers: HashMap::new(),
            names: HashMap::new(),
        }
    }

    /// Names are read anew: somebody who was deleted is not named by what is remembered.
    async fn learn(
        &mut self,
        reader: &mut Reader,
        thread: ThreadId,
        spoken_of: &[UserId],
        wanted: Wanted<'_>,
        parts: &mut Parts,
    ) -> Result<(), StoreError> {
        let unknown = wanted.hearers.iter().filter(|user| !parts.known.contains_key(*user));
        let mut asked: Vec<UserId> = spoken_of.iter().chain(unknown).copied().collect();
        asked.sort_unstable();
        asked.dedup();
        if !asked.is_empty() {
            let keys: Vec<_> = asked.iter().map(|user| (thread, *user)).collect();
            let rows = reader.multi_get::<Participants>(&keys).await?;
            for (user, row) in asked.into_iter().zip(rows) {
                let part = row.and_then(Opened::value).map(|row| Arc::new(row.value));
                if let Some(part) = part.as_ref().filter(|_| spoken_of.contains(&user)) {
                    self.names.insert(user, (part.display_name.clone(), part.metadata.clone()));
                }
                parts.known.insert(user, part);
            }
        }
        let found = if wanted.epochs { epochs(reader, wanted.hearers).await? } else { Vec::new() };
        for (number, user) in wanted.hearers.iter().enumerate() {
            let epoch = found.get(number).map_or(Epoch::Unasked, |epoch| Epoch::Found(*epoch));
            let part = parts.known.get(user).cloned().flatten();
            self.hearers.insert(*user, Hearer { epoch, part });
        }
        Ok(())
    }

    /// Messages and changes become one sequence, by the instants of which they are.
    fn enter(
        &mut self,
        came: Vec<(MessageId, Hint, MessageRow)>,
        altered: Vec<(Timestamp, (MessageId, Hint, MessageRow))>,
    ) {
        let mut entries: Vec<(u64, Entry)> = Vec::new();
        for (id, hint, row) in came {
            let creates = hint.author.is_none() && hint.sequence <= 2;
            let Some(message) = view::view(id, hint, row, &self.names) else { continue };
            let Some(what) = self.happening(message, creates) else { continue };
            entries.push((id.0, Entry::new(id, what)));
        }
        for (at, (id, hint, row)) in altered {
            if let Some(message) = view::view(id, hint, row, &self.names) {
                let entry = Entry { at: id, changed_on: Some(at), what: Happening::Changed(message) };
                entries.push((at.as_millis(), entry));
            }
        }
        entries.sort_by_key(|(at, _)| *at);
        self.entries = entries.into_iter().map(|(_, entry)| entry).collect();
    }

    /// What a message tells; a thread's first two, that it was `create`d, tell that once.
    fn happening(&self, message: MessageView, creates: bool) -> Option<Happening> {
        let at = Timestamp::from_millis(message.id.0);
        let thread = || self.thread.clone();
        match message.content {
            // Deleted before it was told of: the deletion stands further on, and says all there is to say.
            ContentView::Text(_) | ContentView::Html(_) if message.deleted_on.is_some() => None,
            // Edited before it was told of: it comes as it is now, and the edit, which stands further on, after it.
            ContentView::Text(_) | ContentView::Html(_) => {
                let version = message.id.0;
                Some(Happening::Received(MessageView { version, edited_on: None, ..message }))
            }
            ContentView::TopicUpdated(..) if creates => None,
            ContentView::TopicUpdated(_, by) => Some(Happening::Updated(thread()?, self.called(by), at)),
            ContentView::ParticipantsAdded(members, by) if creates => {
                Some(Happening::Created(thread()?, self.called(by), members))
            }
            ContentView::ParticipantsAdded(members, by) => {
                Some(Happening::Added(self.called(by), members, at))
            }
            ContentView::ParticipantRemoved(who, by) => Some(Happening::Removed(self.called(by), who, at)),
        }
    }
}

/// Those whom a message names, and who did what it tells.
fn named(body: &Body) -> Vec<UserId> {
    let by = match body {
        Body::ParticipantsAdded { initiator, .. }
        | Body::ParticipantRemoved { initiator, .. }
        | Body::TopicUpdated { initiator, .. } => Some(*initiator),
        Body::Text(_) | Body::Html(_) | Body::Erased => None,
    };
    view::spoken_of(body).into_iter().chain(by).collect()
}
