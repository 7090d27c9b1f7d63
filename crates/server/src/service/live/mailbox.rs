//! What lies ready for one listener: a bounded queue, filled by whoever reads the log, emptied by the connection.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use base::{MessageId, ResourceId, ThreadId, Timestamp, UserId};
use guard::token::Claims;
use tokio::sync::Notify;
use wire::push::frame::Body;

use super::nodes::{Nodes, Presence};
use super::watch::{Key, Live};
use crate::service::chat::follow::{Entry, Happening};

/// How many letters lie ready at most; with one more all of them are given up, and the listener is told that it missed some.
pub const MAX_LETTERS: usize = 1_024;

/// Something for one listener to hear.
#[derive(Clone, Debug)]
pub struct Letter {
    /// In which thread it happened.
    pub thread: ThreadId,
    /// What; shared with the others who hear of it.
    pub what: Arc<Occurrence>,
    /// Where it stands in the log; `None` for what is told in passing.
    pub mark: Option<Mark>,
}

/// What happened, and how it is told to all who hear of it by the same protocol.
#[derive(Debug)]
pub struct Occurrence {
    /// What.
    pub what: Happening,
    /// Made by the first who is told, for all of them; `None` in it for what is not told.
    pub push: OnceLock<Option<Body>>,
}

impl Occurrence {
    /// Told to nobody yet.
    #[must_use]
    pub fn of(what: Happening) -> Arc<Self> {
        Arc::new(Self { what, push: OnceLock::new() })
    }
}

/// A place in the log of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A message of this id.
    Message(MessageId),
    /// An edit or a deletion of that instant, of this message.
    Change(Timestamp, MessageId),
}

impl Letter {
    /// Of something in `thread`.
    #[must_use]
    pub fn of(thread: ThreadId, Entry { at, changed_on, what }: Entry) -> Self {
        let mark = match (&what, changed_on) {
            (Happening::Typing(..) | Happening::Read(_), _) => None,
            (Happening::Updated(_, _, on), _) if on.as_millis() != at.0 => None,
            (_, Some(on)) => Some(Mark::Change(on, at)),
            (_, None) => Some(Mark::Message(at)),
        };
        Self { thread, what: Occurrence::of(what), mark }
    }
}

/// Why nothing comes any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The token was revoked, or its user deleted.
    Revoked,
    /// A newer connection of the same client takes its place.
    Replaced,
}

/// What became of what was put first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replayed {
    /// It lies ready still, or some of it.
    Ready,
    /// All of it was taken, or taken back.
    Taken,
    /// Some of it was given up.
    Cut,
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
    /// What its owner has read in the log, to be taken first.
    replayed: VecDeque<Letter>,
    /// Whether some of that was given up.
    is_cut: bool,
    letters: VecDeque<Letter>,
    missed: bool,
    end: Option<End>,
}

/// One who listens.
pub(super) struct Listener {
    pub(super) resource: ResourceId,
    pub(super) claims: Arc<Claims>,
    /// What the client calls its end, which it keeps over connections.
    pub(super) endpoint: String,
    /// The nodes by which it is told what others take back; nothing is delivered while they are out of contact.
    pub(super) nodes: Option<Presence>,
    inside: Mutex<Box>,
    bell: Notify,
    /// Threads that are followed for it. Locked last, and for a moment.
    follows: Mutex<HashSet<Key>>,
}

impl Listener {
    pub(super) fn new(
        resource: ResourceId,
        claims: Arc<Claims>,
        endpoint: String,
        nodes: Option<Presence>,
    ) -> Self {
        Self {
            resource,
            claims,
            endpoint,
            nodes,
            inside: Mutex::default(),
            bell: Notify::new(),
            follows: Mutex::default(),
        }
    }

    pub(super) fn follows(&self) -> MutexGuard<'_, HashSet<Key>> {
        self.follows.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Something may have been missed: what lies ready is given up.
    pub(super) fn miss(&self) {
        let mut inside = self.inside();
        if inside.end.is_none() {
            inside.letters.clear();
            inside.is_cut |= !inside.replayed.is_empty();
            inside.replayed.clear();
            inside.missed = true;
        }
        drop(inside);
        self.bell.notify_one();
    }

    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    pub(super) fn is_of(&self, nodes: &Nodes) -> bool {
        self.nodes.as_ref().is_some_and(|own| std::ptr::eq(&raw const **own, nodes))
    }

    /// Takes back what lies ready of `thread`.
    pub(super) fn take_back(&self, thread: ThreadId) {
        let mut inside = self.inside();
        inside.letters.retain(|letter| letter.thread != thread);
        inside.replayed.retain(|letter| letter.thread != thread);
    }

    /// Takes everything back; nothing comes any more.
    pub(super) fn end(&self, why: End) {
        let mut inside = self.inside();
        inside.letters.clear();
        inside.replayed.clear();
        inside.end.get_or_insert(why);
        drop(inside);
        self.bell.notify_one();
    }

    fn take(&self, most: usize) -> Taken {
        let mut inside = self.inside();
        if self.nodes.as_ref().is_some_and(|nodes| !nodes.contact.holds()) {
            return Taken { end: inside.end, ..Taken::default() };
        }
        let first = inside.replayed.len().min(most);
        let count = inside.letters.len().min(most - first);
        let mut letters: Vec<Letter> = inside.replayed.drain(..first).collect();
        letters.extend(inside.letters.drain(..count));
        Taken { letters, missed: std::mem::take(&mut inside.missed), end: inside.end }
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
            let taken = self.next_or_rung(most).await;
            if !taken.is_nothing() {
                return taken;
            }
        }
    }

    /// Lets [`Self::next_or_rung`] come back with nothing.
    pub fn ring(&self) {
        self.listener.ring();
    }

    /// The same as [`Self::next`], but comes back with nothing when it is rung for.
    pub async fn next_or_rung(&self, most: usize) -> Taken {
        let taken = self.listener.take(most);
        if !taken.is_nothing() {
            return taken;
        }
        self.listener.bell.notified().await;
        self.listener.take(most)
    }

    /// Puts these before everything that lies ready.
    pub(super) fn replay(&self, letters: Vec<Letter>) {
        let mut inside = self.listener.inside();
        if inside.end.is_none() {
            inside.replayed.extend(letters);
        }
    }

    /// What became of that.
    pub(super) fn replayed(&self) -> Replayed {
        let mut inside = self.listener.inside();
        match (std::mem::take(&mut inside.is_cut), inside.replayed.is_empty()) {
            (true, _) => Replayed::Cut,
            (false, true) => Replayed::Taken,
            (false, false) => Replayed::Ready,
        }
    }

    /// Nothing comes any more.
    pub(super) fn end(&self, why: End) {
        self.listener.end(why);
    }

    pub(super) fn is_of(&self, listener: &Arc<Listener>) -> bool {
        Arc::ptr_eq(&self.listener, listener)
    }

    /// In which resource.
    #[must_use]
    pub fn resource(&self) -> ResourceId {
        self.listener.resource
    }

    /// Whose token it listens with.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.listener.claims
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.live.leave(&self.listener);
    }
}
