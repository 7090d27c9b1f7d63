//! The end of each thread's log, and how a message gets there: ids rise, sequence numbers count 1, 2, 3 without a gap,
//! and many senders need not wait for each other's disk.
//!
//! The end is remembered per thread. A sender takes the next place and hands its commit to the store's queue under one
//! short lock, so commits enter the queue in the order of their places; each is conditional on the one before it
//! (`LastIs`). When one fails, those behind it fail too, forget the end they built on, read it again and retry.
//! Another node that appends to the same thread makes them fail in the same way, so nothing here needs to be told.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::{BoundedCache, MessageId, ResourceId, ThreadId, Timestamp};
use store::{Draft, Pending, Reader, StoreError};

use super::rows::{Hint, Messages};

/// How many threads' ends are remembered; the rest is read again.
const REMEMBERED: usize = 65_536;
const SHARDS: usize = 64;

type Thread = (ResourceId, ThreadId);

/// The ends of the threads in use.
pub(crate) struct Ends {
    shards: Vec<Mutex<BoundedCache<Thread, End>>>,
    readings: AtomicU64,
}

/// The end of one thread as far as this node knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    last: Option<MessageId>,
    sequence: u32,
    /// Which reading of the store it goes back to: a failed append forgets only what it built on.
    reading: u64,
}

/// A place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) id: MessageId,
    pub(crate) sequence: u32,
    reading: u64,
}

impl Ends {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(BoundedCache::new(REMEMBERED / SHARDS))).collect(),
            readings: AtomicU64::new(0),
        }
    }

    /// Whether the end of `thread` is known without reading.
    pub(crate) fn knows(&self, thread: Thread) -> bool {
        self.shard(thread).get_mut(&thread).is_some()
    }

    /// Learns the end of `thread` from a snapshot, unless it is known already.
    pub(crate) async fn learn(&self, thread: Thread, reader: &mut Reader) -> Result<(), StoreError> {
        if self.knows(thread) {
            return Ok(());
        }
        let found = reader.last_key::<Messages>(&thread.1).await?;
        let reading = self.readings.fetch_add(1, Ordering::Relaxed);
        let end = match found {
            None => End { last: None, sequence: 0, reading },
            Some(((_, id), hint)) => {
                let hint = Hint::parse(&hint).ok_or(StoreError::Corrupt { keyspace: "chat_message" })?;
                End { last: Some(id), sequence: hint.sequence, reading }
            }
        };
        let mut shard = self.shard(thread);
        if shard.get_mut(&thread).is_none() {
            shard.insert(thread, end);
        }
        Ok(())
    }

    /// Takes the next place of `thread`, lets `fill` write what stands there, and queues the commit. `None` when the
    /// end is not known (any more): learn it first.
    pub(crate) fn append(
        &self,
        thread: Thread,
        now: Timestamp,
        mut draft: Draft,
        fill: impl FnOnce(Place, &mut Draft) -> Result<(), StoreError>,
    ) -> Result<Option<(Place, Pending)>, StoreError> {
        let mut shard = self.shard(thread);
        let Some(end) = shard.get_mut(&thread) else { return Ok(None) };
        let place = end.next(now)?;
        let last = end.last.map(|id| (thread.1, id));
        draft.expect_last::<Messages>(thread.1.as_bytes().to_vec(), last.as_ref());
        fill(place, &mut draft)?;
        let pending = draft.submit()?;
        *end = End { last: Some(place.id), sequence: place.sequence, reading: place.reading };
        Ok(Some((place, pending)))
    }

    /// Forgets what a failed append was built on.
    pub(crate) fn forget(&self, thread: Thread, place: Place) {
        let mut shard = self.shard(thread);
        if shard.get_mut(&thread).is_some_and(|end| end.reading == place.reading) {
            shard.remove(&thread);
        }
    }

    fn shard(&self, thread: Thread) -> MutexGuard<'_, BoundedCache<Thread, End>> {
        let mut hasher = DefaultHasher::new();
        thread.1.hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or(0);
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl End {
    /// The place after this end: the present millisecond, pushed on where it is taken or the clock went back.
    fn next(self, now: Timestamp) -> Result<Place, StoreError> {
        let after = self.last.map_or(0, |id| id.0.saturating_add(1));
        let sequence = self.sequence.checked_add(1).ok_or(StoreError::TooLarge)?;
        Ok(Place { id: MessageId(now.as_millis().max(after)), sequence, reading: self.reading })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: End = End { last: Some(MessageId(1000)), sequence: 4, reading: 9 };

    #[test]
    fn ids_follow_the_clock_and_never_repeat() {
        let at = |ms| END.next(Timestamp::from_millis(ms)).unwrap();
        assert_eq!(at(2000).id, MessageId(2000));
        assert_eq!(at(1000).id, MessageId(1001), "two in one millisecond");
        assert_eq!(at(1).id, MessageId(1001), "a clock that was set back");
        assert_eq!(at(5000).sequence, 5);
    }

    #[test]
    fn an_empty_thread_begins_at_one() {
        let place = End { last: None, sequence: 0, reading: 0 }.next(Timestamp::from_millis(7)).unwrap();
        assert_eq!((place.id, place.sequence), (MessageId(7), 1));
    }

    #[test]
    fn numbering_ends_rather_than_wraps() {
        let full = End { sequence: u32::MAX, ..END };
        assert!(matches!(full.next(Timestamp::EPOCH), Err(StoreError::TooLarge)));
    }

    #[test]
    fn forgetting_spares_a_newer_reading() {
        let ends = Ends::new();
        let rng = base::SeededRng::new(1);
        let thread = (ResourceId::mint(&rng), ThreadId::mint(&rng));
        ends.shard(thread).insert(thread, END);
        let older = Place { id: MessageId(1), sequence: 1, reading: 8 };
        ends.forget(thread, older);
        assert!(ends.knows(thread));
        ends.forget(thread, Place { reading: 9, ..older });
        assert!(!ends.knows(thread));
    }
}
