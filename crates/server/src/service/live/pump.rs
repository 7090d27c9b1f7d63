//! Looks at threads that changed and tells those who may hear what happened.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use base::{Clock, MessageId, UserId};
use futures_util::future::join_all;
use store::StoreError;
use tokio::time::Instant;

use super::Passing;
use super::mailbox::{End, Letter};
use super::watch::{Follower, Key, Live, Watch};
use crate::directory::ResourceEntry;
use crate::service::chat::follow::{self, Entry, Happening, Look, Wanted};

/// How long a thread waits that could not be looked at.
const AGAIN: Duration = Duration::from_millis(500);
/// How often what other nodes may have written to is looked at.
const SWEEP: Duration = Duration::from_secs(2);
/// How long this node takes leave of the others.
const FAREWELL: Duration = Duration::from_millis(200);
/// How many threads are looked at at a time.
const AT_ONCE: usize = 4;

impl Live {
    /// Tells what happens in `resources` until `stop` is done.
    pub async fn run(
        &self,
        resources: &[Arc<ResourceEntry>],
        clock: &dyn Clock,
        stop: impl Future<Output = ()> + Send,
    ) {
        let one = || async {
            loop {
                let rung = self.bell.notified();
                if !self.look_at_next().await {
                    rung.await;
                }
            }
        };
        let mut nodes: Vec<_> = resources.iter().filter_map(|entry| self.nodes_of(entry.cell())).collect();
        nodes.sort_unstable_by_key(Arc::as_ptr);
        nodes.dedup_by(|one, other| Arc::ptr_eq(one, other));
        let speaking = join_all(nodes.iter().map(|nodes| nodes.run(self)));
        let all = async { tokio::join!(one(), one(), one(), one(), self.sweep(resources, clock), speaking) };
        const { assert!(AT_ONCE == 4, "as many as are joined above") };
        tokio::pin!(all);
        tokio::select! {
            _ = &mut all => {}
            () = stop => {}
        }
        nodes.iter().for_each(|nodes| nodes.part());
        if !nodes.is_empty() {
            let _ = tokio::time::timeout(FAREWELL, all).await;
        }
    }

    /// What other nodes may have written without saying so is looked at again and again: often while they are out of reach,
    /// now and then otherwise, for one may have died before it could say it; so are the tokens of who listens. Keys of tokens
    /// that another node ended at once are heard of. And who polls no more is forgotten.
    async fn sweep(&self, resources: &[Arc<ResourceEntry>], clock: &dyn Clock) {
        for round in (0..=u8::MAX).cycle() {
            tokio::time::sleep(SWEEP).await;
            self.polls.forget_gone(clock.now());
            for entry in resources.iter().filter(|entry| self.listening() > 0 && entry.cell().is_shared()) {
                if let Err(fault) = entry.tokens().learn(clock.now()).await {
                    tracing::warn!(%fault, "whether the keys of tokens still hold could not be asked");
                }
                self.disown(entry.id(), entry.tokens().ended());
                if let Err(fault) = self.judge_some(entry.cell(), entry.id(), round).await {
                    tracing::warn!(%fault, "whether the tokens of who listens still hold could not be asked");
                }
            }
            self.to_be_swept(round).into_iter().for_each(|key| self.look_at(key));
        }
    }

    /// Looks at the thread that waits longest. Whether one did.
    pub async fn look_at_next(&self) -> bool {
        let (next, is_last) = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            (queue.pop_front(), queue.is_empty())
        };
        let Some(key) = next else { return false };
        if !is_last {
            self.bell.notify_one();
        }
        let Some(watch) = self.watch(key) else { return true };
        if let Err(fault) = self.look(key, &watch).await {
            tracing::warn!(%fault, "listeners could not be told at once");
            tokio::time::sleep(AGAIN).await;
            self.look_at(key);
        }
        true
    }

    async fn look(&self, key: Key, watch: &Watch) -> Result<(), StoreError> {
        let mut held = watch.position.lock().await;
        let (position, parts) = &mut *held;
        loop {
            let losses;
            let (listeners, passing) = {
                let mut state = watch.state();
                state.queued = false;
                state.gone.clear();
                losses = watch.losses();
                if state.is_idle() {
                    drop(state);
                    self.forget(key);
                    return Ok(());
                }
                (state.listeners.clone(), std::mem::take(&mut state.passing))
            };
            let mut users: Vec<UserId> = listeners.iter().map(|one| one.listener.user()).collect();
            users.sort_unstable();
            users.dedup();
            let also: Vec<UserId> = passing.iter().map(who).collect();
            let looked = async {
                let mut reader = watch.cell.read(key.0).await?;
                // A revocation ends who it concerns when it happens; where that is not said, each look asks.
                let epochs = watch.is_out_of_contact();
                let wanted = Wanted { hearers: &users, also: &also, epochs };
                follow::look(&mut reader, key.1, *position, wanted, parts).await
            };
            let mut look = match looked.await {
                Ok(look) => look,
                Err(fault) => {
                    watch.state().passing.splice(..0, passing);
                    return Err(fault);
                }
            };
            let Some(thread) = look.thread.take() else {
                self.is_no_more(key, watch);
                return Ok(());
            };
            let members = look.entries.iter().flat_map(joins);
            if self.enlist(watch, key, members) {
                // They hear of it too: looked at anew with them.
                watch.state().passing.splice(..0, passing);
                continue;
            }
            let at = look.position.message;
            let entries = std::mem::take(&mut look.entries);
            let passed = passing.into_iter().map(|passing| match passing {
                Passing::Typing(user, name, on) => {
                    let name = name.or_else(|| look.called(user).display_name);
                    Entry::new(at, Happening::Typing(user, name, on))
                }
                // Who may not see a message does not learn who has read it either.
                Passing::Read(receipt) => Entry::new(receipt.message, Happening::Read(receipt)),
                Passing::Updated(by, on) => {
                    Entry::new(at, Happening::Updated(thread.clone(), look.called(by), on))
                }
            });
            for entry in entries.into_iter().chain(passed) {
                self.tell((key, watch), &look, entry, losses);
            }
            *position = look.position;
            if !look.more {
                self.have_gone(key, watch, position.message);
                return Ok(());
            }
        }
    }

    /// Puts one thing that happened before those who may hear of it and still listen.
    fn tell(&self, (key, watch): (Key, &Watch), look: &Look, entry: Entry, losses: u64) {
        let (at, changed_on) = (entry.at, entry.changed_on);
        let letter = Letter::of(key.1, entry);
        let what = Arc::clone(&letter.what);
        let mut told = Vec::new();
        if let Happening::Removed(_, gone, _) = &what.what {
            // On the node where it was done this has happened already, before the answer.
            let is_gone = !look.hearers.get(&gone.user).is_some_and(follow::Hearer::is_present);
            self.let_go(key, at, |one| is_gone && one.listener.user() == gone.user);
            let is_meant = |one: &Follower| one.listener.user() == gone.user && one.since < at;
            let mut state = watch.state();
            told.extend(state.leaving.extract_if(.., |(one, _)| is_meant(one)).map(|(one, _)| one.listener));
            told.iter().for_each(|listener| listener.put(letter.clone()));
        }
        // Under the lock with which who is removed is taken out: after that nothing is put into its mailbox.
        let state = watch.state();
        if watch.losses() != losses {
            state.listeners.iter().for_each(|one| one.listener.miss());
            return;
        }
        for Follower { listener, .. } in &state.listeners {
            let user = listener.user();
            let Some(hearer) = look.hearers.get(&user).filter(|_| !state.gone.contains(&user)) else {
                continue;
            };
            if !hearer.holds(listener.claims.epoch) {
                listener.end(End::Revoked);
            } else if hearer.sees(at, changed_on)
                && !is_own(&what.what, user)
                && !told.iter().any(|other| Arc::ptr_eq(other, listener))
            {
                listener.put(letter.clone());
            }
        }
    }

    /// The thread was looked at up to message `up_to`: who was removed before it is told by now.
    fn have_gone(&self, key: Key, watch: &Watch, up_to: MessageId) {
        let mut state = watch.state();
        state.leaving.retain(|(_, with)| *with > up_to);
        let is_idle = state.is_idle();
        drop(state);
        if is_idle {
            self.forget(key);
        }
    }

    /// The thread was deleted. By whom is said soon by who did it; if not, those who listened have missed that.
    fn is_no_more(&self, key: Key, watch: &Watch) {
        let mut state = watch.state();
        if state.over.get_or_insert_with(Instant::now).elapsed() < SWEEP {
            return;
        }
        state.leaving.clear();
        for Follower { listener, .. } in state.take(|_| true) {
            listener.take_back(key.1);
            listener.follows().remove(&key);
            listener.miss();
        }
        drop(state);
        self.forget(key);
    }
}

/// Nobody is told of their own typing and reading.
fn is_own(what: &Happening, user: UserId) -> bool {
    match what {
        Happening::Typing(by, ..) => *by == user,
        Happening::Read(receipt) => receipt.reader == user,
        _ => false,
    }
}

/// Those who came into the thread with it.
fn joins(entry: &Entry) -> impl Iterator<Item = (MessageId, UserId)> {
    let members = match &entry.what {
        Happening::Created(_, _, members) | Happening::Added(_, members, _) => members.as_slice(),
        _ => &[],
    };
    members.iter().map(|member| (entry.at, member.user))
}

const fn who(passing: &Passing) -> UserId {
    match passing {
        Passing::Typing(user, ..) | Passing::Updated(user, _) => *user,
        Passing::Read(receipt) => receipt.reader,
    }
}
