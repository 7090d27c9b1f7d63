//! The list of a user's threads, most recent activity first, stable while messages arrive.
//!
//! The first page fixes an instant, and every later page judges activity as of it: messages are never taken out of the
//! log, so the last message before that instant is the same for ever, and no thread moves between pages.

use std::cmp::Reverse;

use base::{MessageId, Personal, ThreadId, Timestamp, UserId};
use store::{Direction, KeyRange, Opened, Reader, StoreError, Versioned};

use super::rows::{LiveThread, Memberships, Messages, ParticipantRow, Participants, ThreadRow, Threads};
use super::{ChatError, Desk};

/// Threads of one user that are read at a time.
const AT_ONCE: usize = 512;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct ThreadQuery {
    /// Threads of one page.
    pub page_size: usize,
    /// Only threads with activity at or after this.
    pub start: Option<Timestamp>,
    /// Where the page before ended.
    pub cursor: Option<ThreadCursor>,
}

/// Where a listing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadCursor {
    /// The instant of the first page.
    pub as_of: Timestamp,
    /// The activity of the last thread given.
    pub activity: Timestamp,
    /// That thread.
    pub thread: ThreadId,
}

/// One thread of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadItem {
    /// Its id.
    pub id: ThreadId,
    /// What it is about; to who was removed, what it was about then.
    pub topic: Personal<String>,
    /// When the last message came that the user may see.
    pub last_message_received_on: Option<Timestamp>,
}

/// One page.
#[derive(Clone, Debug)]
pub struct ThreadPage {
    /// The threads.
    pub threads: Vec<ThreadItem>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<ThreadCursor>,
}

impl Desk<'_> {
    /// One page of the threads the caller is or was in, deleted ones left out.
    ///
    /// # Errors
    /// Only those of the caller's token and of the store.
    pub async fn list_threads(&self, query: ThreadQuery) -> Result<ThreadPage, ChatError> {
        let mut reader = self.reader().await?;
        self.caller(&mut reader).await?;
        let as_of = query.cursor.map_or_else(|| self.clock.now(), |cursor| cursor.as_of);
        let mut items = Vec::new();
        for threads in memberships(&mut reader, self.user()).await?.chunks(AT_ONCE) {
            self.items(&mut reader, threads, as_of, &mut items).await?;
        }
        let activity = |item: &ThreadItem| item.last_message_received_on.unwrap_or(Timestamp::EPOCH);
        items.retain(|item| query.start.is_none_or(|start| activity(item) >= start));
        items.sort_unstable_by_key(|item| Reverse((activity(item), item.id)));
        if let Some(cursor) = query.cursor {
            items.retain(|item| (activity(item), item.id) < (cursor.activity, cursor.thread));
        }
        let more = items.len() > query.page_size.max(1);
        items.truncate(query.page_size.max(1));
        let next = items.last().filter(|_| more).map(|last| ThreadCursor {
            as_of,
            activity: activity(last),
            thread: last.id,
        });
        Ok(ThreadPage { threads: items, next })
    }

    /// Of these threads the ones that are not deleted and existed at `as_of`, as the caller may see them.
    async fn items(
        &self,
        reader: &mut Reader,
        threads: &[ThreadId],
        as_of: Timestamp,
        items: &mut Vec<ThreadItem>,
    ) -> Result<(), ChatError> {
        let rows = reader.multi_get::<Threads>(threads).await?;
        let live: Vec<(ThreadId, LiveThread)> = threads
            .iter()
            .zip(rows)
            .filter_map(|(thread, row)| match row {
                Some(Opened::Value(Versioned { value: ThreadRow::Live(live), .. })) => Some((*thread, live)),
                _ => None,
            })
            .filter(|(_, live)| live.created_on <= as_of)
            .collect();
        let parts: Vec<_> = live.iter().map(|(thread, _)| (*thread, self.user())).collect();
        let parts = reader.multi_get::<Participants>(&parts).await?;
        for ((thread, live), part) in live.into_iter().zip(parts) {
            let Some(Opened::Value(Versioned { value: participant, .. })) = part else { continue };
            let last = last_activity(reader, thread, &participant, as_of).await?;
            let topic = participant
                .topic_at_removal
                .filter(|_| participant.periods.last().is_none_or(|p| p.until.is_some()));
            items.push(ThreadItem {
                id: thread,
                topic: topic.unwrap_or(live.topic),
                last_message_received_on: last,
            });
        }
        Ok(())
    }
}

/// The threads `user` is or was in.
pub(super) async fn memberships(reader: &mut Reader, user: UserId) -> Result<Vec<ThreadId>, StoreError> {
    let mut found: Vec<ThreadId> = Vec::new();
    let mut range = KeyRange::prefix(&user);
    loop {
        let keys = reader.scan_keys::<Memberships>(range.clone(), Direction::Forward, AT_ONCE).await?;
        let exhausted = keys.len() < AT_ONCE;
        found.extend(keys.into_iter().map(|((_, thread), ..)| thread));
        if let Some(last) = found.last() {
            range = range.after(&(user, *last));
        }
        if exhausted {
            return Ok(found);
        }
    }
}

/// When the last message came that `participant` may see, as of an instant.
async fn last_activity(
    reader: &mut Reader,
    thread: ThreadId,
    participant: &ParticipantRow,
    as_of: Timestamp,
) -> Result<Option<Timestamp>, ChatError> {
    for period in participant.periods.iter().rev() {
        let end = period.until.unwrap_or(u64::MAX).min(as_of.as_millis().saturating_add(1));
        let range =
            KeyRange::all().starting_at(&(thread, MessageId(period.from))).before(&(thread, MessageId(end)));
        let last = reader.scan_keys::<Messages>(range, Direction::Backward, 1).await?;
        if let Some(((_, id), ..)) = last.first() {
            return Ok(Some(Timestamp::from_millis(id.0)));
        }
    }
    Ok(None)
}
