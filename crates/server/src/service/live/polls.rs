//! Listening without a socket: what is to be said waits until the client asks for it, and it asks again and again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Timestamp;

use super::allowance::Allowance;
use super::mailbox::Hearing;
use super::sessions::Opening;

/// How long a client may not ask before it is taken to be gone.
pub const GONE: Duration = Duration::from_secs(100);
/// How many frames of answers wait at most; with more the client is cut off.
pub const MAX_WAITING: usize = 256;

/// One that polls.
pub struct Poller {
    /// Whose it is.
    pub opening: Opening,
    /// What it hears.
    pub hearing: Hearing,
    /// Held while it is asked: by one request at a time.
    pub turn: tokio::sync::Mutex<()>,
    /// What it may send still, and how often it was told that it missed something.
    pub allowance: Mutex<(Allowance, u64)>,
    waiting: Mutex<Vec<String>>,
    seen: Mutex<Timestamp>,
}

impl Poller {
    /// Says this when it is next asked. Whether there is room.
    #[must_use]
    pub fn say(&self, frame: String) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MAX_WAITING {
            return false;
        }
        waiting.push(frame);
        true
    }

    /// What is to be said.
    #[must_use]
    pub fn waiting(&self) -> Vec<String> {
        std::mem::take(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// It was here.
    pub fn note(&self, now: Timestamp) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    fn is_gone(&self, now: Timestamp) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).plus(GONE) < now
    }
}

/// All that poll at this node, by the ids of their sessions.
#[derive(Default)]
pub struct Polls(Mutex<HashMap<String, Arc<Poller>>>);

impl Polls {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Poller>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one of this id, if it is there still.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<Poller>> {
        self.all().get(id).cloned()
    }

    /// One more.
    pub fn begin(&self, id: &str, opening: Opening, hearing: Hearing, now: Timestamp) -> Arc<Poller> {
        let poller = Arc::new(Poller {
            opening,
            hearing,
            turn: tokio::sync::Mutex::default(),
            allowance: Mutex::new((Allowance::new(), 0)),
            waiting: Mutex::default(),
            seen: Mutex::new(now),
        });
        self.all().insert(id.to_owned(), Arc::clone(&poller));
        poller
    }

    /// It is over.
    pub fn end(&self, id: &str) {
        let ended = self.all().remove(id);
        // Outside of the lock: with it go its mailbox and its place among those who listen.
        drop(ended);
    }

    /// Those who ask no more are gone.
    pub fn forget_gone(&self, now: Timestamp) {
        let gone: Vec<_> = self.all().extract_if(|_, poller| poller.is_gone(now)).collect();
        drop(gone);
    }
}
