//! Moves the journal into the file on a thread of its own, so that no commit waits for it. It sleeps until the writer
//! says that there is enough to move, or that a deleted key still lies in the journal.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::schema::Shared;

/// From this many bytes that are in the journal only, they are moved beside the writer.
pub(super) const PASSIVE_AT: u64 = 32 * 1024 * 1024;
/// From this size of the journal the writer is held for a moment, so that it begins anew.
pub(super) const RESTART_AT: u64 = 192 * 1024 * 1024;

/// What the writer tells the checkpoint thread.
pub(super) struct Checkpoints {
    state: Mutex<State>,
    wake: Condvar,
    erase_after: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Bytes of the journal.
    journal: u64,
    /// Bytes of it that are not in the file yet.
    waiting: u64,
    /// How many batches deleted keys.
    erasing: u64,
    /// How many of those are no longer in the journal.
    erased: u64,
    closed: bool,
    /// Where the next attempts begin: past their usual places while readers keep them from succeeding.
    passive_at: u64,
    restart_at: u64,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Passive,
    Restart,
    Erase,
    Last,
}

impl State {
    fn due(&self) -> Due {
        let restart = self.journal >= self.restart_at.max(RESTART_AT);
        let passive = self.waiting >= self.passive_at.max(PASSIVE_AT);
        if self.closed {
            Due::Last
        } else if (restart || passive) && self.erasing > self.erased {
            // Otherwise a busy writer could put it off for ever.
            Due::Erase
        } else if restart {
            Due::Restart
        } else if passive {
            Due::Passive
        } else {
            Due::Nothing
        }
    }

    fn settle(&mut self, due: Due, done: Option<Progress>, erased: u64, page_size: u32) {
        let bytes = |pages: u64| pages * u64::from(page_size);
        let busy = done.is_none_or(|done| done.busy);
        self.waiting = done.map_or(self.waiting, |done| bytes(done.pages.saturating_sub(done.moved)));
        self.passive_at = self.waiting + PASSIVE_AT;
        if matches!(due, Due::Restart | Due::Erase) {
            self.restart_at = if busy { self.journal + PASSIVE_AT } else { 0 };
            self.journal = if busy { self.journal } else { 0 };
        }
        if due == Due::Erase && !busy {
            self.erased = erased;
        }
    }
}

/// How far a checkpoint came, in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// It could not do all it was asked.
    pub(super) busy: bool,
    /// Pages in the journal.
    pub(super) pages: u64,
    /// Those of them that are in the file.
    pub(super) moved: u64,
}

/// Asks SQLite for a checkpoint of this kind; `NOOP` only looks.
pub(super) fn checkpoint(connection: &Connection, kind: &str) -> rusqlite::Result<Progress> {
    let mut statement = connection.prepare_cached(kind)?;
    statement.query_row([], |row| {
        let pages = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(Progress {
            busy: row.get::<_, i64>(0)? != 0,
            pages: pages(row.get(1)?),
            moved: pages(row.get(2)?),
        })
    })
}

/// Only looks at the journal.
pub(super) const LOOK: &str = "PRAGMA wal_checkpoint(NOOP)";
const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";
const RESTART: &str = "PRAGMA wal_checkpoint(RESTART)";
const TRUNCATE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

impl Checkpoints {
    pub(super) fn new(erase_after: Duration) -> Self {
        Self { state: Mutex::default(), wake: Condvar::new(), erase_after }
    }

    /// From the writer, after each batch and before it lets go of the gate.
    pub(super) fn wrote(&self, progress: Progress, page_size: u32, erased: bool) {
        let mut state = self.lock();
        state.journal = progress.pages * u64::from(page_size);
        state.waiting = progress.pages.saturating_sub(progress.moved) * u64::from(page_size);
        state.erasing += u64::from(erased);
        if erased || state.due() != Due::Nothing {
            self.wake.notify_one();
        }
    }

    /// Ends the thread, after a last checkpoint.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    /// The thread's body.
    pub(super) fn run(&self, connection: &Connection, shared: &Shared) {
        loop {
            let due = self.wait();
            let (done, erased) = match due {
                Due::Passive | Due::Nothing => (checkpoint(connection, PASSIVE), 0),
                Due::Restart => self.hold_writer(connection, shared, RESTART),
                Due::Erase | Due::Last => self.hold_writer(connection, shared, TRUNCATE),
            };
            if let Err(error) = &done {
                tracing::warn!(%error, "a checkpoint failed; the journal is kept");
            }
            if due == Due::Last {
                return;
            }
            self.lock().settle(due, done.ok(), erased, shared.page_size);
        }
    }

    fn wait(&self) -> Due {
        let mut state = self.lock();
        loop {
            if state.due() != Due::Nothing {
                return state.due();
            }
            if state.erasing > state.erased {
                let idle = |state: &mut State| state.due() == Due::Nothing;
                let waited = self.wake.wait_timeout_while(state, self.erase_after, idle);
                let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                return if timeout.timed_out() { Due::Erase } else { state.due() };
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Moves most of the journal beside the writer, then the little that came meanwhile with the writer held. Also says
    /// how many batches with deleted keys the journal can have held.
    fn hold_writer(
        &self,
        connection: &Connection,
        shared: &Shared,
        kind: &str,
    ) -> (rusqlite::Result<Progress>, u64) {
        if let Err(error) = checkpoint(connection, PASSIVE) {
            return (Err(error), 0);
        }
        let _held = shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let erasing = self.lock().erasing;
        (checkpoint(connection, kind), erasing)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u32 = 4096;

    fn progress(bytes: u64, moved: u64) -> Progress {
        Progress { busy: false, pages: bytes / u64::from(PAGE), moved: moved / u64::from(PAGE) }
    }

    fn state_after(bytes: u64, moved: u64, erased: bool) -> State {
        let checkpoints = Checkpoints::new(Duration::ZERO);
        checkpoints.wrote(progress(bytes, moved), PAGE, erased);
        let state = *checkpoints.lock();
        state
    }

    #[test]
    fn what_is_due_follows_the_journal() {
        assert_eq!(state_after(PASSIVE_AT - 4096, 0, false).due(), Due::Nothing);
        assert_eq!(state_after(PASSIVE_AT, 0, false).due(), Due::Passive);
        assert_eq!(state_after(PASSIVE_AT, 4096, false).due(), Due::Nothing, "some of it is moved already");
        assert_eq!(state_after(RESTART_AT, RESTART_AT, false).due(), Due::Restart);
        assert_eq!(state_after(4096, 0, true).due(), Due::Nothing, "a deleted key may wait a little");
        assert_eq!(state_after(PASSIVE_AT, 0, true).due(), Due::Erase, "but is not put off by others");
    }

    #[test]
    fn an_attempt_that_readers_held_back_is_not_repeated_at_once() {
        let mut state = state_after(PASSIVE_AT, 0, false);
        state.settle(Due::Passive, Some(progress(PASSIVE_AT, 0)), 0, PAGE);
        assert_eq!(state.due(), Due::Nothing);
        state.waiting = 2 * PASSIVE_AT;
        assert_eq!(state.due(), Due::Passive);
        let mut state = state_after(RESTART_AT, RESTART_AT, false);
        state.settle(
            Due::Restart,
            Some(Progress { busy: true, ..progress(RESTART_AT, RESTART_AT) }),
            0,
            PAGE,
        );
        assert_eq!(state.due(), Due::Nothing);
        state.journal = RESTART_AT + PASSIVE_AT;
        assert_eq!(state.due(), Due::Restart);
    }

    #[test]
    fn a_key_deleted_during_an_erasure_is_erased_by_the_next() {
        let mut state = state_after(4096, 0, true);
        state.erasing = 2;
        state.settle(Due::Erase, Some(progress(0, 0)), 1, PAGE);
        assert!(state.erasing > state.erased);
        state.settle(Due::Erase, Some(Progress { busy: true, ..progress(0, 0) }), 2, PAGE);
        assert!(state.erasing > state.erased, "not done while a reader looks back");
        state.settle(Due::Erase, None, 2, PAGE);
        assert!(state.erasing > state.erased, "nor when it failed");
        state.settle(Due::Erase, Some(progress(0, 0)), 2, PAGE);
        assert_eq!(state.erasing, state.erased);
    }
}
