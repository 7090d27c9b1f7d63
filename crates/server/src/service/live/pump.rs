//! Looks at threads that changed and tells those who may hear what happened.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use base::{Clock, MessageId, UserId};
use store::StoreError;

use super::Passing;
use super::mailbox::{End, Letter};
use super::watch::{Follower, Key, Live, Watch};
use crate::service::chat::follow::{self, Entry, Happening, Look};

/// How long a thread waits that could not be looked at.
const AGAIN: Duration = Duration::from_millis(500);
/// How often what other nodes may have written to is looked at.
const SWEEP: Duration = Duration::from_secs(2);
/// How many threads are looked at at a time.
const AT_ONCE: usize = 4;

impl Live {
    /// Tells what happens until `stop` is done.
    pub async fn run(&self, clock: &dyn Clock, stop: impl Future<Output = ()> + Send) {
        let one = || async {
            loop {
                let rung = self.bell.notified();
                if !self.look_at_next().await {
                    rung.await;
                }
            }
        };
        let all = async { tokio::join!(one(), one(), one(), one(), self.sweep(clock)) };
        const { assert!(AT_ONCE == 4, "as many as are joined above") };
        tokio::select! {
            _ = all => {}
            () = stop => {}
        }
    }

    /// Where other nodes write to the same store, they do not say so yet: what is followed is looked at again and again.
    /// And who polls no more is forgotten.
    async fn sweep(&self, clock: &dyn Clock) {
        loop {
            tokio::time::sleep(SWEEP).await;
            self.polls.forget_gone(clock.now());
            self.shared().into_iter().for_each(|key| self.look_at(key));
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
        let mut position = watch.position.lock().await;
        loop {
            let (listeners, passing) = {
                let mut state = watch.state();
                state.queued = false;
                (state.listeners.clone(), std::mem::take(&mut state.passing))
            };
            if listeners.is_empty() {
                self.forget(key);
                return Ok(());
            }
            let mut users: Vec<UserId> = listeners.iter().map(|one| one.listener.user()).collect();
            users.sort_unstable();
            users.dedup();
            let also: Vec<UserId> = passing.iter().map(who).collect();
            let looked = async {
                let mut reader = watch.cell.read(key.0).await?;
                follow::look(&mut reader, key.1, *position, &users, &also).await
            };
            let mut look = match looked.await {
                Ok(look) => look,
                Err(fault) => {
                    watch.state().passing.splice(..0, passing);
                    return Err(fault);
                }
            };
            let Some(thread) = look.thread.take() else { return Ok(()) };
            let members = look.entries.iter().flat_map(joins);
            if self.enlist(watch, key, members) {
                // They hear of it too: looked at anew with them.
                watch.state().passing.splice(..0, passing);
                continue;
            }
            let at = look.position.message;
            let entries = std::mem::take(&mut look.entries);
            let passed = passing.into_iter().map(|passing| match passing {
                Passing::Typing(user, name, on) => Entry::new(at, Happening::Typing(user, name, on)),
                // Who may not see a message does not learn who has read it either.
                Passing::Read(receipt) => Entry::new(receipt.message, Happening::Read(receipt)),
                Passing::Updated(by, on) => {
                    Entry::new(at, Happening::Updated(thread.clone(), look.called(by), on))
                }
            });
            for entry in entries.into_iter().chain(passed) {
                self.tell(key, watch, &look, entry);
            }
            *position = look.position;
            if !look.more {
                return Ok(());
            }
        }
    }

    /// Puts one thing that happened before those who may hear of it and still listen.
    fn tell(&self, key: Key, watch: &Watch, look: &Look, entry: Entry) {
        let (at, changed_on) = (entry.at, entry.changed_on);
        let what = Arc::new(entry.what);
        if let Happening::Removed(_, gone, _) = &*what {
            // On the node where it was done this has happened already, before the answer.
            let is_gone = !look.hearers.get(&gone.user).is_some_and(follow::Hearer::is_present);
            self.let_go(key, |one| is_gone && one.listener.user() == gone.user, &what);
        }
        // Under the lock with which who is removed is taken out: after that nothing is put into its mailbox.
        let state = watch.state();
        for Follower { listener, .. } in &state.listeners {
            let user = listener.user();
            let Some(hearer) = look.hearers.get(&user) else { continue };
            if !hearer.holds(listener.claims.epoch) {
                listener.end(End::Revoked);
            } else if hearer.sees(at, changed_on) && !is_own(&what, user) {
                listener.put(Letter { thread: key.1, what: Arc::clone(&what) });
            }
        }
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
