//! Listening without a gap: who was away is told from the log what happened meanwhile, and who did not keep up reads on there.
//! What is read goes through the mailbox under the same lock as everything else, so that a right that is taken away takes it
//! back too (law 9).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, MessageId, ResourceId, ThreadId, Timestamp, UserId};
use guard::token::Claims;
use store::{Cell, StoreError};
use wire::push::cursor::{Cursor, Place, Short, short};

use super::mailbox::{End, Hearing, Letter, Mark, Occurrence, Replayed};
use super::watch::{Live, MAX_FOLLOWED};
use crate::service::chat::follow::{self, Happening, Parts, Position, Wanted};
use crate::service::chat::resume::{Standing, removal, standings};

/// Longer than a commit takes and clocks of nodes differ: what is older than this is in the log, or never will be.
pub const SETTLED: Duration = Duration::from_secs(60);
/// How long it waits that could not read.
const AGAIN: Duration = Duration::from_millis(500);

/// What came of waiting.
#[derive(Debug)]
pub enum Heard {
    /// Something happened.
    Letter(Letter),
    /// Nothing comes any more.
    Ended,
}

/// One who listens and can be told later where it stood.
pub struct Resumable {
    live: Arc<Live>,
    cell: Cell,
    resource: ResourceId,
    user: UserId,
    hearing: Hearing,
    /// Everything no later than this was told.
    since: Timestamp,
    /// And so far in these threads.
    told: HashMap<Short, Position>,
    /// Threads in whose logs there is more than was told.
    behind: VecDeque<ThreadId>,
    /// The thread that is being read from its log, and how far it will have been once what was put ready is taken.
    reading: Option<(ThreadId, Position)>,
    /// Whether the standings have to be looked at.
    is_unsure: bool,
    /// What will be `since` when there is nothing behind any more.
    settling: Option<Timestamp>,
}

impl Resumable {
    /// Listens as `hearing` from `cursor` on, or from now on.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn begin(
        live: &Arc<Live>,
        cell: &Cell,
        hearing: Hearing,
        cursor: Option<Cursor>,
    ) -> Result<Self, StoreError> {
        let Claims { user, .. } = *hearing.claims();
        let resource = hearing.resource();
        let now = cell.clock().now();
        let since = cursor.as_ref().map_or_else(|| now.minus(SETTLED), |cursor| cursor.since.min(now));
        let mut this = Self {
            live: Arc::clone(live),
            cell: cell.clone(),
            resource,
            user,
            hearing,
            since,
            told: HashMap::new(),
            behind: VecDeque::new(),
            reading: None,
            is_unsure: cursor.is_some(),
            settling: None,
        };
        let Some(cursor) = cursor else {
            // From now on: what there is counts as told.
            let mut reader = cell.read(resource).await?;
            for (thread, standing) in standings(&mut reader, user, MAX_FOLLOWED).await? {
                this.has_told(
                    thread,
                    match standing {
                        Standing::Present(end) => end,
                        Standing::Removed(with) => at(with),
                        Standing::Deleted(on) => at(MessageId(on.as_millis())),
                    },
                );
            }
            this.settle(since);
            return Ok(this);
        };
        let places = cursor.places.into_iter();
        this.told = places
            .map(|place| (place.thread, Position { message: place.message, change: place.change }))
            .collect();
        Ok(this)
    }

    fn start(&self) -> Position {
        Position { message: MessageId(self.since.as_millis()), change: (self.since, MessageId(u64::MAX)) }
    }

    fn position(&self, thread: ThreadId) -> Position {
        let start = self.start();
        self.told.get(&short(thread)).map_or(start, |told| furthest(start, *told))
    }

    /// It was told so far, if not further.
    fn has_told(&mut self, thread: ThreadId, position: Position) {
        let position = furthest(self.position(thread), position);
        self.told.insert(short(thread), position);
    }

    /// What was told up to now.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        let mut places: Vec<Place> = self
            .told
            .iter()
            .map(|(thread, told)| Place { thread: *thread, message: told.message, change: told.change })
            .collect();
        places.sort_unstable_by_key(|place| place.thread);
        Cursor { since: self.since, places }
    }

    /// Waits for the next that happened. Nothing is lost when it is not waited for.
    pub async fn next(&mut self) -> Heard {
        loop {
            if let Err(fault) = self.read_on().await {
                tracing::warn!(%fault, "who listens could not be told at once");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            let taken = self.hearing.next(1).await;
            if taken.end == Some(End::Revoked) {
                return Heard::Ended;
            }
            if taken.missed {
                // What was taken with it stands in the log as well, behind what was given up.
                self.is_unsure = true;
                continue;
            }
            for letter in taken.letters {
                if self.is_new(&letter) {
                    return Heard::Letter(letter);
                }
            }
        }
    }

    /// Whether it was not told before; from now on it was.
    fn is_new(&mut self, letter: &Letter) -> bool {
        let mut position = self.position(letter.thread);
        match letter.mark {
            None => return true,
            Some(Mark::Message(message)) if message > position.message => position.message = message,
            Some(Mark::Change(at, message)) if (at, message) > position.change => {
                position.change = (at, message);
            }
            Some(_) => return false,
        }
        self.has_told(letter.thread, position);
        true
    }

    /// Puts ready what is next in the logs, unless something of that lies ready still.
    async fn read_on(&mut self) -> Result<(), StoreError> {
        loop {
            match self.hearing.replayed() {
                Replayed::Ready => return Ok(()),
                Replayed::Taken => {}
                Replayed::Cut => {
                    self.reading = None;
                    self.is_unsure = true;
                }
            }
            if let Some((thread, position)) = self.reading.take() {
                self.has_told(thread, position);
            }
            if self.is_unsure {
                self.look_around().await?;
                self.is_unsure = false;
                continue;
            }
            let Some(thread) = self.behind.front().copied() else {
                if let Some(since) = self.settling.take() {
                    self.settle(since);
                }
                return Ok(());
            };
            let from = self.position(thread);
            let read = self.live.replay(&self.hearing, thread, from).await?;
            match read {
                Some((position, more)) => {
                    self.reading = Some((thread, position));
                    if !more {
                        self.behind.pop_front();
                    }
                }
                None => {
                    self.behind.pop_front();
                }
            }
        }
    }

    /// Finds the threads of which more stands in the log than was told.
    async fn look_around(&mut self) -> Result<(), StoreError> {
        let mut reader = self.cell.read(self.resource).await?;
        let found = standings(&mut reader, self.user, MAX_FOLLOWED).await?;
        let mut gone = Vec::new();
        self.behind.clear();
        for (thread, standing) in found {
            let told = self.position(thread);
            match standing {
                Standing::Present(end) if end.message > told.message || end.change > told.change => {
                    self.behind.push_back(thread);
                }
                Standing::Present(_) => {}
                Standing::Removed(with) if with > told.message => {
                    let what = removal(&mut reader, thread, self.user, with).await?;
                    gone.extend(what.map(|what| (thread, with, what)));
                }
                Standing::Deleted(on) if on.as_millis() > told.message.0 => {
                    // By whom was erased with it.
                    gone.push((thread, MessageId(on.as_millis()), Happening::Ended(None, on)));
                }
                Standing::Removed(_) | Standing::Deleted(_) => {}
            }
        }
        drop(reader);
        let letters = gone.into_iter().map(|(thread, with, what)| Letter {
            thread,
            what: Occurrence::of(what),
            mark: Some(Mark::Message(with)),
        });
        self.hearing.replay(letters.collect());
        Ok(())
    }

    /// Sees to it now and then that a cursor stays short: once what is settled by now is known to have been told.
    pub fn tidy(&mut self, clock: &dyn Clock) {
        let settled = clock.now().minus(SETTLED);
        let is_due = self.settling.is_none() && settled > self.since.plus(SETTLED);
        if is_due && !self.told.is_empty() && self.behind.is_empty() {
            self.is_unsure = true;
            self.settling = Some(settled);
        }
    }

    fn settle(&mut self, since: Timestamp) {
        self.since = since;
        let start = self.start();
        self.told.retain(|_, told| told.message > start.message || told.change > start.change);
    }
}

fn furthest(one: Position, other: Position) -> Position {
    Position { message: one.message.max(other.message), change: one.change.max(other.change) }
}

fn at(message: MessageId) -> Position {
    Position { message, change: Position::START.change }
}

impl Live {
    /// Puts what stands in `thread` after `from` before what lies ready for `hearing`, as far as it may hear of it; how far that
    /// is, and whether there is more. `None` when it does not follow the thread.
    async fn replay(
        &self,
        hearing: &Hearing,
        thread: ThreadId,
        from: Position,
    ) -> Result<Option<(Position, bool)>, StoreError> {
        let key = (hearing.resource(), thread);
        let user = hearing.claims().user;
        loop {
            let Some(watch) = self.watch(key) else { return Ok(None) };
            let (departures, losses) = (watch.state().departures, watch.losses());
            let mut reader = watch.cell.read(key.0).await?;
            let wanted = Wanted { hearers: &[user], also: &[], epochs: true };
            let look = follow::look(&mut reader, thread, from, wanted, &mut Parts::default()).await?;
            drop(reader);
            let Some(hearer) = look.hearers.get(&user).filter(|_| look.thread.is_some()) else {
                return Ok(None);
            };
            if !hearer.holds(hearing.claims().epoch) {
                hearing.end(End::Revoked);
                return Ok(None);
            }
            let state = watch.state();
            if !state.listeners.iter().any(|one| hearing.is_of(&one.listener)) {
                return Ok(None);
            }
            if state.departures != departures || watch.losses() != losses {
                continue; // What was read may be what somebody was meanwhile told to be none of theirs.
            }
            let is_seen = |entry: &follow::Entry| {
                let is_own = matches!(&entry.what, Happening::Removed(_, who, _) if who.user == user);
                is_own || hearer.sees(entry.at, entry.changed_on)
            };
            let letters = look.entries.into_iter().filter(is_seen).map(|entry| Letter::of(thread, entry));
            hearing.replay(letters.collect());
            return Ok(Some((look.position, look.more)));
        }
    }
}
