//! Which threads are followed, and for whom.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use base::{MessageId, ResourceId, ThreadId, UserId};
use guard::token::Claims;
use store::{Cell, StoreError};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Passing;
use super::mailbox::{End, Hearing, Listener};
use super::nodes::{Nodes, Presence};
use super::polls::Polls;
use super::sessions::Sessions;
use crate::service::chat::follow::{self, Parts, Position};

/// How many threads are followed for one listener; of what happens in further ones it does not hear.
pub const MAX_FOLLOWED: usize = 2_000;
/// In how many parts the threads are swept that other nodes speak of.
pub(super) const PARTS: u8 = 16;
/// How many connections one user listens with at a time; past it 429.
pub const MAX_LISTENERS_PER_USER: usize = 32;

pub(super) type Key = (ResourceId, ThreadId);

/// One thread that somebody on this node listens to.
pub(super) struct Watch {
    pub(super) cell: Cell,
    nodes: Option<Arc<Nodes>>,
    /// How far it was told of. Held while it is looked at, so that this is done by one at a time.
    pub(super) position: tokio::sync::Mutex<(Position, Parts)>,
    pub(super) state: Mutex<Followers>,
}

/// One for whom a thread is followed.
#[derive(Clone)]
pub(super) struct Follower {
    pub(super) listener: Arc<Listener>,
    /// Since this message: a removal before it is not one of this following.
    pub(super) since: MessageId,
}

#[derive(Default)]
pub(super) struct Followers {
    pub(super) listeners: Vec<Follower>,
    pub(super) passing: Vec<Passing>,
    /// Those who were removed by a message, and are yet to be told of that.
    pub(super) leaving: Vec<(Follower, MessageId)>,
    /// Users of whom some were taken out since the thread was last begun to be looked at: what is known of them is old.
    pub(super) gone: Vec<UserId>,
    /// How often some were taken out.
    pub(super) departures: u64,
    /// Since when it is known to be deleted, while nobody has said by whom.
    pub(super) over: Option<Instant>,
    /// Whether it stands in the queue of those to be looked at.
    pub(super) queued: bool,
}

impl Followers {
    /// Takes those out of whom it is true.
    pub(super) fn take(&mut self, whom: impl Fn(&Follower) -> bool) -> Vec<Follower> {
        let taken: Vec<_> = self.listeners.extract_if(.., |one| whom(one)).collect();
        self.departures += u64::from(!taken.is_empty());
        self.gone.extend(taken.iter().map(|one| one.listener.user()));
        taken
    }

    pub(super) fn is_idle(&self) -> bool {
        self.listeners.is_empty() && self.leaving.is_empty()
    }
}

impl Watch {
    /// How often this node was out of contact with those that share the thread.
    pub(super) fn losses(&self) -> u64 {
        self.nodes.as_ref().map_or(0, |nodes| nodes.contact.losses())
    }

    /// Whether other nodes write to it, and do not say so now.
    pub(super) fn is_out_of_contact(&self) -> bool {
        self.cell.is_shared() && !self.nodes.as_ref().is_some_and(|nodes| nodes.contact.holds())
    }

    fn is_of(&self, nodes: &Nodes) -> bool {
        self.nodes.as_deref().is_some_and(|own| std::ptr::eq(own, nodes))
    }

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
    nodes: RwLock<Vec<Arc<Nodes>>>,
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

    /// This node among those of `cell`; `None` where it has nobody to speak with.
    pub(super) fn nodes_of(&self, cell: &Cell) -> Option<Arc<Nodes>> {
        if !cell.is_shared() {
            return None;
        }
        let find = |all: &[Arc<Nodes>]| {
            all.iter().find(|nodes| nodes.cell.geography() == cell.geography()).map(Arc::clone)
        };
        if let Some(known) = find(&self.nodes.read().unwrap_or_else(PoisonError::into_inner)) {
            return Some(known);
        }
        let exchange = cell.exchange()?;
        let mut all = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        let known = find(&all);
        Some(known.unwrap_or_else(|| {
            let nodes = Arc::new(Nodes::new(cell, exchange));
            all.push(Arc::clone(&nodes));
            nodes
        }))
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
        let nodes = self.nodes_of(cell).map(Presence::of);
        if let Some(nodes) = &nodes {
            nodes.in_contact().await?;
        }
        let listener = Listener::new(resource, Arc::clone(claims), endpoint.to_owned(), nodes);
        let listener = Arc::new(listener);
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

    pub(super) fn connections(&self, who: (ResourceId, UserId)) -> Vec<Arc<Listener>> {
        self.registry().users.get(&who).cloned().unwrap_or_default()
    }

    pub(super) fn listeners_of(&self, resource: ResourceId) -> Vec<Arc<Listener>> {
        let registry = self.registry();
        registry
            .users
            .iter()
            .filter(|((of, _), _)| *of == resource)
            .flat_map(|(_, own)| own)
            .cloned()
            .collect()
    }

    /// Follows a thread for a listener `since` a message, from `position` where nobody did. Whether nobody did.
    pub(super) fn follow(
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
            let position = position.unwrap_or(Position::START);
            let position = tokio::sync::Mutex::new((position, Parts::default()));
            let nodes = self.nodes_of(cell);
            Arc::new(Watch { cell: cell.clone(), nodes, position, state: Mutex::default() })
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
            if own.len() < before {
                self.listening.fetch_sub(1, Ordering::SeqCst);
            }
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

    /// The threads that other nodes may have written to without saying so: all of those of which nothing is heard now, and
    /// one part of the rest, another each `round`.
    pub(super) fn to_be_swept(&self, round: u8) -> Vec<Key> {
        let registry = self.registry();
        let shared = registry.threads.iter().filter(|(_, watch)| watch.cell.is_shared());
        let due = shared.filter(|((_, thread), watch)| {
            watch.is_out_of_contact() || thread.as_bytes()[0] % PARTS == round % PARTS
        });
        due.map(|(key, _)| *key).collect()
    }

    /// What was judged so far for who listens to the cell of `nodes` may be overtaken: it is given up, which they are told,
    /// and everything is looked at anew.
    pub(super) async fn mistrust(&self, nodes: &Nodes) -> Result<(), StoreError> {
        nodes.contact.lose();
        let (watches, listeners) = {
            let registry = self.registry();
            let watches: Vec<_> = registry.threads.iter().filter(|(_, watch)| watch.is_of(nodes)).collect();
            let watches: Vec<_> = watches.into_iter().map(|(key, watch)| (*key, Arc::clone(watch))).collect();
            let listeners = registry.users.values().flatten().filter(|one| one.is_of(nodes));
            (watches, listeners.cloned().collect::<Vec<_>>())
        };
        // Who is telling something right now is done with it once this could be locked.
        watches.iter().for_each(|(_, watch)| drop(watch.state()));
        listeners.iter().for_each(|listener| listener.miss());
        self.judge(&nodes.cell, listeners).await?;
        watches.iter().for_each(|(key, _)| self.look_at(*key));
        Ok(())
    }

    /// Lets those who listen to the cell of `nodes` look into their mailboxes.
    pub(super) fn ring(&self, nodes: &Nodes) {
        let registry = self.registry();
        registry.users.values().flatten().filter(|one| one.is_of(nodes)).for_each(|one| one.ring());
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

    /// Takes back what lies ready of a thread for those whom it is none of the business of any more. They are told so
    /// when the removal is come to in the log, which has happened with message `with`.
    pub(super) fn let_go(&self, key: Key, with: MessageId, whom: impl Fn(&Follower) -> bool) {
        let Some(watch) = self.watch(key) else { return };
        let mut state = watch.state();
        for one in state.take(whom) {
            one.listener.take_back(key.1);
            one.listener.follows().remove(&key);
            let is_same = |(other, at): &(Follower, MessageId)| {
                *at == with && Arc::ptr_eq(&other.listener, &one.listener)
            };
            if !state.leaving.iter().any(is_same) {
                state.leaving.push((one, with));
            }
        }
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
    let is_idle = state.is_idle();
    drop(state);
    if is_idle {
        registry.threads.remove(&key);
    }
}
