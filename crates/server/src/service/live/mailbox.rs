//! What lies ready for one listener: a bounded queue, filled by whoever reads the log, emptied by the connection.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{ResourceId, ThreadId, UserId};
use guard::token::Claims;
use tokio::sync::Notify;

use super::watch::{Key, Live};
use crate::service::chat::follow::Happening;

/// How many letters lie ready at most; with one more all of them are given up, and the listener is told that it missed some.
pub const MAX_LETTERS: usize = 1_024;

/// Something for one listener to hear.
#[derive(Clone, Debug)]
pub struct Letter {
    /// In which thread it happened.
    pub thread: ThreadId,
    /// What; shared with the others who hear of it.
    pub what: Arc<Happening>,
}

/// Why nothing comes any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The token was revoked, or its user deleted.
    Revoked,
    /// A newer connection of the same client takes its place.
    Replaced,
}

/// What a listener takes out of its mailbox.
#[derive(Debug, Default)]
pub struct Taken {
    /// In the order in which it happened.
    pub letters: Vec<Letter>,
    /// Whether letters before these were given up.
    pub missed: bool,
    /// Nothing comes any more.
    pub end: Option<End>,
}

impl Taken {
    fn is_nothing(&self) -> bool {
        self.letters.is_empty() && !self.missed && self.end.is_none()
    }
}

#[derive(Debug, Default)]
struct Box {
    letters: VecDeque<Letter>,
    missed: bool,
    end: Option<End>,
}

/// One who listens.
pub(super) struct Listener {
    pub(super) resource: ResourceId,
    pub(super) claims: Arc<Claims>,
    inside: Mutex<Box>,
    bell: Notify,
    /// Threads that are followed for it.
    pub(super) follows: Mutex<Vec<Key>>,
}

impl Listener {
    pub(super) fn new(resource: ResourceId, claims: Arc<Claims>) -> Self {
        Self { resource, claims, inside: Mutex::default(), bell: Notify::new(), follows: Mutex::default() }
    }

    pub(super) fn user(&self) -> UserId {
        self.claims.user
    }

    fn inside(&self) -> MutexGuard<'_, Box> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, letter: Letter) {
        let mut inside = self.inside();
        if inside.end.is_some() {
            return;
        }
        if inside.letters.len() >= MAX_LETTERS {
            inside.letters.clear();
            inside.missed = true;
        }
        inside.letters.push_back(letter);
        drop(inside);
        self.bell.notify_one();
    }

    /// Takes back what lies ready of `thread`.
    pub(super) fn take_back(&self, thread: ThreadId) {
        self.inside().letters.retain(|letter| letter.thread != thread);
    }

    /// Takes everything back; nothing comes any more.
    pub(super) fn end(&self, why: End) {
        let mut inside = self.inside();
        inside.letters.clear();
        inside.end.get_or_insert(why);
        drop(inside);
        self.bell.notify_one();
    }

    fn take(&self, most: usize) -> Taken {
        let mut inside = self.inside();
        let count = inside.letters.len().min(most);
        Taken {
            letters: inside.letters.drain(..count).collect(),
            missed: std::mem::take(&mut inside.missed),
            end: inside.end,
        }
    }
}

/// A listener's own end. Whoever drops it listens no more.
pub struct Hearing {
    pub(super) live: Arc<Live>,
    pub(super) listener: Arc<Listener>,
}

impl fmt::Debug for Hearing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hearing").finish_non_exhaustive()
    }
}

impl Hearing {
    /// Waits until there is something, and takes at most `most` letters. Nothing is lost when it is not waited for.
    pub async fn next(&self, most: usize) -> Taken {
        loop {
            let rung = self.listener.bell.notified();
            let taken = self.listener.take(most);
            if !taken.is_nothing() {
                return taken;
            }
            rung.await;
        }
    }

    /// Lets [`Self::next_or_rung`] come back with nothing.
    pub fn ring(&self) {
        self.listener.bell.notify_one();
    }

    /// The same as [`Self::next`], but comes back with nothing when it is rung for.
    pub async fn next_or_rung(&self, most: usize) -> Taken {
        let taken = self.listener.take(most);
        if taken.is_nothing() {
            self.listener.bell.notified().await;
            return self.listener.take(most);
        }
        taken
    }

    /// Whose token it listens with.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.listener.claims
    }

    /// Ends another connection's listening, of which this one takes the place.
    pub fn replace(&self, other: &Replaceable) {
        if let Some(other) = other.0.upgrade()
            && !Arc::ptr_eq(&other, &self.listener)
        {
            other.end(End::Replaced);
        }
    }

    /// What another connection needs to take the place of this one.
    #[must_use]
    pub fn replaceable(&self) -> Replaceable {
        Replaceable(Arc::downgrade(&self.listener))
    }
}

/// See [`Hearing::replaceable`].
#[derive(Clone)]
pub struct Replaceable(std::sync::Weak<Listener>);

impl Replaceable {
    /// Whether it still listens.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.live.leave(&self.listener);
    }
}
