//! Which threads are followed, and for whom.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{MessageId, ResourceId, ThreadId, Timestamp, UserId};
use guard::token::Claims;
use store::{Cell, StoreError};
use tokio::sync::Notify;

use super::mailbox::{End, Hearing, Letter, Listener};
use super::polls::Polls;
use super::sessions::Sessions;
use super::{Joined, Passing};
use crate::service::chat::follow::{self, Happening, Position};
use crate::service::chat::view::ParticipantView;

/// How many threads are followed for one listener; of what happens in further ones it does not hear.
pub const MAX_FOLLOWED: usize = 2_000;
/// How many connections one user listens with at a time; past it 429.
pub const MAX_LISTENERS_PER_USER: usize = 32;
/// What is told in passing waits its turn; more than this of one thread is forgotten.
const MAX_PASSING: usize = 64;

pub(super) type Key = (ResourceId, ThreadId);

/// One thread that somebody on this node listens to.
pub(super) struct Watch {
    pub(super) cell: Cell,
    /// How far it was told of. Held while it is looked at, so that this is done by one at a time.
    pub(super) position: tokio::sync::Mutex<Position>,
    pub(super) state: Mutex<Followers>,
}

/// One for whom a thread is followed.
#[derive(Clone)]
pub(super) struct Follower {
    pub(super) listener: Arc<Listener>,
    /// Since this message: a removal before it is not one of this following.
    since: MessageId,
}

#[derive(Default)]
pub(super) struct Followers {
    pub(super) listeners: Vec<Follower>,
    pub(super) passing: Vec<Passing>,
    /// Whether it stands in the queue of those to be looked at.
    pub(super) queued: bool,
}

impl Watch {
    pub(super) fn state(&self) -> MutexGuard<'_, Followers> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Registry {
    threads: HashMap<Key, Arc<Watch>>,
    users: HashMap<(ResourceId, UserId), Vec<Arc<Listener>>>,
}

/// All who listen on this node.
#[derive(Default)]
pub struct Live {
    registry: Mutex<Registry>,
    /// How many listen: while nobody does, nothing is done.
    listening: AtomicUsize,
    pub(super) queue: Mutex<VecDeque<Key>>,
    pub(super) bell: Notify,
    /// Sockets that are about to open.
    pub sessions: Sessions,
    /// Those who listen without a socket.
    pub polls: Polls,
}

impl Live {
    /// Nobody listens yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many listen on this node.
    #[must_use]
    pub fn listening(&self) -> usize {
        self.listening.load(Ordering::Relaxed)
    }

    /// Listens for the user of `claims` from now on, in the place of an older connection of the same endpoint; `None` when as
    /// many listen as may. Whether the token still holds is to be judged after this: a revocation before that is seen then, and
    /// one after it ends what is listened with.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn listen(
        self: &Arc<Self>,
        cell: &Cell,
        resource: ResourceId,
        claims: &Arc<Claims>,
        endpoint: &str,
    ) -> Result<Option<Hearing>, StoreError> {
        let listener = Arc::new(Listener::new(resource, Arc::clone(claims), endpoint.to_owned()));
        {
            let mut registry = self.registry();
            let own = registry.users.entry((resource, claims.user)).or_default();
            if own.len() >= MAX_LISTENERS_PER_USER {
                return Ok(None);
            }
            own.push(Arc::clone(&listener));
            self.listening.fetch_add(1, Ordering::SeqCst);
        }
        // From here on it is taken out again whatever happens.
        let hearing = Hearing { live: Arc::clone(self), listener };
        let mut reader = cell.read(resource).await?;
        let now = MessageId(cell.clock().now().as_millis());
        for thread in follow::present_threads(&mut reader, claims.user, MAX_FOLLOWED).await? {
            let key = (resource, thread);
            let position = match self.watch(key) {
                Some(_) => None,
                None => Some(follow::end(&mut reader, thread).await?),
            };
            if self.follow(cell, key, &hearing.listener, now, position) {
                self.look_at(key);
            }
        }
        for older in self.connections((resource, claims.user)) {
            if older.endpoint == endpoint && !Arc::ptr_eq(&older, &hearing.listener) {
                older.end(End::Replaced);
            }
        }
        Ok(Some(hearing))
    }

    fn connections(&self, who: (ResourceId, UserId)) -> Vec<Arc<Listener>> {
        self.registry().users.get(&who).cloned().unwrap_or_default()
    }

    /// Follows a thread for a listener `since` a message, from `position` where nobody did. Whether nobody did.
    fn follow(
        &self,
        cell: &Cell,
        key: Key,
        listener: &Arc<Listener>,
        since: MessageId,
        position: Option<Position>,
    ) -> bool {
        // Always in this order: the registry, a watch, what a listener follows.
        let mut registry = self.registry();
        let own = registry.users.get(&(key.0, listener.user()));
        if !own.is_some_and(|own| own.iter().any(|one| Arc::ptr_eq(one, listener))) {
            return false; // It has left meanwhile.
        }
        {
            let mut follows = listener.follows();
            if follows.len() >= MAX_FOLLOWED || !follows.insert(key) {
                return false;
            }
        }
        let mut is_new = false;
        let watch = registry.threads.entry(key).or_insert_with(|| {
            is_new = true;
            let position = tokio::sync::Mutex::new(position.unwrap_or(Position::START));
            Arc::new(Watch { cell: cell.clone(), position, state: Mutex::default() })
        });
        watch.state().listeners.push(Follower { listener: Arc::clone(listener), since });
        is_new
    }

    pub(super) fn leave(&self, listener: &Arc<Listener>) {
        let mut registry = self.registry();
        let who = (listener.resource, listener.user());
        if let Some(own) = registry.users.get_mut(&who) {
            let before = own.len();
            own.retain(|other| !Arc::ptr_eq(other, listener));
            self.listening.fetch_sub(before - own.len(), Ordering::SeqCst);
            if own.is_empty() {
                registry.users.remove(&who);
            }
        }
        let follows = std::mem::take(&mut *listener.follows());
        for key in follows {
            drop_from(&mut registry, key, |other| Arc::ptr_eq(other, listener));
        }
    }

    pub(super) fn watch(&self, key: Key) -> Option<Arc<Watch>> {
        self.registry().threads.get(&key).cloned()
    }

    /// The threads that other nodes may write to.
    pub(super) fn shared(&self) -> Vec<Key> {
        let registry = self.registry();
        registry.threads.iter().filter(|(_, watch)| watch.cell.is_shared()).map(|(key, _)| *key).collect()
    }

    /// A thread changed, and the change is durable.
    pub fn changed(&self, key: (ResourceId, ThreadId)) {
        if self.listening() > 0 {
            self.look_at(key);
        }
    }

    /// Something of a thread is to be told in passing.
    pub fn pass(&self, key: (ResourceId, ThreadId), what: Passing) {
        if self.listening() == 0 {
            return;
        }
        if let Some(watch) = self.watch(key) {
            let mut state = watch.state();
            if state.passing.len() < MAX_PASSING {
                state.passing.push(what);
            }
            drop(state);
            self.look_at(key);
        }
    }

    /// Some came into a thread: whoever of them listens hears of it, beginning with the message they came with.
    pub fn joined(&self, cell: &Cell, key: (ResourceId, ThreadId), joined: &Joined) {
        if self.listening() == 0 {
            return;
        }
        let before = Position {
            message: MessageId(joined.with.0.saturating_sub(1)),
            change: (Timestamp::from_millis(joined.with.0), MessageId(0)),
        };
        for user in &joined.users {
            for listener in self.connections((key.0, *user)) {
                self.follow(cell, key, &listener, joined.with, Some(before));
            }
        }
        self.look_at(key);
    }

    /// Those of `members` who listen here and of whom a thread's followers do not know yet become followers. Whether there
    /// were any.
    pub(super) fn enlist(
        &self,
        watch: &Watch,
        key: Key,
        members: impl Iterator<Item = (MessageId, UserId)>,
    ) -> bool {
        let before = watch.state().listeners.len();
        for (with, user) in members {
            for listener in self.connections((key.0, user)) {
                self.follow(&watch.cell, key, &listener, with, None);
            }
        }
        watch.state().listeners.len() > before
    }

    /// Somebody was removed from a thread, and hears no more of it than that.
    pub fn left(
        &self,
        key: (ResourceId, ThreadId),
        by: ParticipantView,
        who: ParticipantView,
        at: Timestamp,
    ) {
        if self.listening() == 0 {
            return;
        }
        let user = who.user;
        let what = Arc::new(Happening::Removed(by, who, at));
        // Who was added again meanwhile stays.
        let message = MessageId(at.as_millis());
        let whom = |one: &Follower| one.listener.user() == user && one.since < message;
        self.let_go(key, whom, &what);
        self.look_at(key);
    }

    /// A thread was deleted: who listened hears no more of it than that.
    pub fn ended(&self, key: (ResourceId, ThreadId), by: ParticipantView, at: Timestamp) {
        if self.listening() > 0 {
            self.let_go(key, |_| true, &Arc::new(Happening::Ended(by, at)));
            self.look_at(key);
        }
    }

    /// Takes back what lies ready of a thread for those whom it is none of the business of any more, and tells them so.
    pub(super) fn let_go(&self, key: Key, whom: impl Fn(&Follower) -> bool, what: &Arc<Happening>) {
        let Some(watch) = self.watch(key) else { return };
        let mut state = watch.state();
        for Follower { listener, .. } in state.listeners.extract_if(.., |one| whom(one)) {
            listener.take_back(key.1);
            listener.put(Letter { thread: key.1, what: Arc::clone(what) });
            listener.follows().remove(&key);
        }
    }

    /// A user's tokens were revoked, or the user is deleted.
    pub fn revoked(&self, resource: ResourceId, user: UserId) {
        self.connections((resource, user)).iter().for_each(|listener| listener.end(End::Revoked));
    }

    /// Whether somebody listens to a thread at this node.
    #[must_use]
    pub fn is_followed(&self, key: (ResourceId, ThreadId)) -> bool {
        self.listening() > 0 && self.watch(key).is_some()
    }

    /// Puts a thread into the queue of those to be looked at, unless it stands there.
    pub(super) fn look_at(&self, key: Key) {
        let Some(watch) = self.watch(key) else { return };
        if !std::mem::replace(&mut watch.state().queued, true) {
            self.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(key);
            self.bell.notify_one();
        }
    }

    /// Forgets a thread that nobody listens to.
    pub(super) fn forget(&self, key: Key) {
        drop_from(&mut self.registry(), key, |_| false);
    }
}

fn drop_from(registry: &mut Registry, key: Key, whom: impl Fn(&Arc<Listener>) -> bool) {
    let Some(watch) = registry.threads.get(&key) else { return };
    let mut state = watch.state();
    state.listeners.retain(|one| !whom(&one.listener));
    let is_idle = state.listeners.is_empty();
    drop(state);
    if is_idle {
        registry.threads.remove(&key);
    }
}
