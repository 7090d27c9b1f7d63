//! The other nodes of a cell. What happens here is told to those who listen there, and what is taken from somebody is only
//! answered for once every node that delivers to anyone has acted on it, or delivers no more.

use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::ResourceId;
use store::{Attendance, Cell, Exchange, NodeName, StoreError};
use thiserror::Error;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::contact::Contact;
use super::notice::{Notice, Said, Unclear, Word, pack};
use super::watch::{Key, Live};

/// For how long a node promises to act on what it hears. A node that was killed holds removals up for so long at most.
pub const TERM: Duration = Duration::from_secs(4);
/// How often it renews its promise.
const RENEW: Duration = Duration::from_secs(1);
/// How long it waits after it lost the others.
const AGAIN: Duration = Duration::from_millis(500);
/// How many attempts in vain there are between two words about it.
const SAID: u32 = 60;
/// How long somebody who begins to listen waits for this node to be in contact.
const CONTACT: Duration = Duration::from_secs(10);
/// How long an answer waits for the other nodes; past it the answer is that it is not known.
pub const ASKED: Duration = Duration::from_secs(15);
/// How many notices wait to be told; further ones are left to the others' own looks.
const MAX_POSTED: usize = 16 * 1024;

/// Why the others were lost.
#[derive(Debug, Error)]
enum Lost {
    #[error("{0}")]
    Exchange(#[from] store::EngineError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Unclear(#[from] Unclear),
    #[error("the promise to the other nodes could not be renewed in time")]
    Late,
}

#[derive(Default)]
struct Posted {
    changed: HashSet<Key>,
    others: Vec<(ResourceId, Notice)>,
    done: Vec<Word>,
    here: bool,
}

/// This node among those of one cell.
pub(super) struct Nodes {
    pub(super) cell: Cell,
    exchange: Arc<dyn Exchange>,
    node: [u8; 8],
    times: AtomicU64,
    pub(super) contact: Contact,
    /// How many listen to the cell at this node.
    listening: AtomicUsize,
    parting: AtomicBool,
    changes: Notify,
    posted: Mutex<Posted>,
    bell: Notify,
    /// Until when some listen at another node, as far as was heard.
    others: Mutex<Option<Instant>>,
    asked: Mutex<HashMap<u64, HashSet<NodeName>>>,
    next: AtomicU64,
    done: Notify,
}

impl Nodes {
    pub(super) fn new(cell: &Cell, exchange: Arc<dyn Exchange>) -> Self {
        let random = cell.rng().id();
        let mut node = [0; 8];
        node.copy_from_slice(&random[..8]);
        Self {
            cell: cell.clone(),
            exchange,
            node,
            times: AtomicU64::new(0),
            contact: Contact::default(),
            listening: AtomicUsize::new(0),
            parting: AtomicBool::new(false),
            changes: Notify::new(),
            posted: Mutex::default(),
            bell: Notify::new(),
            others: Mutex::default(),
            asked: Mutex::default(),
            next: AtomicU64::new(0),
            done: Notify::new(),
        }
    }

    fn name(&self) -> NodeName {
        NodeName::new(self.node, self.times.load(Ordering::SeqCst))
    }

    /// This node stops: nothing is delivered any more, and nobody needs to wait for it.
    pub(super) fn part(&self) {
        self.parting.store(true, Ordering::SeqCst);
        self.changes.notify_one();
    }

    fn is_wanted(&self) -> bool {
        self.listening.load(Ordering::SeqCst) > 0 && !self.parting.load(Ordering::SeqCst)
    }

    /// Waits until what is delivered here may be delivered.
    pub(super) async fn in_contact(&self) -> Result<(), StoreError> {
        let late = || StoreError::Unavailable("the other nodes are out of reach".to_owned());
        timeout(CONTACT, self.contact.held()).await.map_err(|_| late())
    }

    fn posted(&self) -> MutexGuard<'_, Posted> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether some listen at another node, as far as is known here.
    pub(super) fn others_listen(&self) -> bool {
        let others = *self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.is_some_and(|until| Instant::now() < until)
    }

    fn heard_of_others(&self) {
        *self.others.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + TERM);
    }

    /// Tells the other nodes soon. To be done where some listen there.
    pub(super) fn post(&self, resource: ResourceId, notice: Notice) {
        let mut posted = self.posted();
        if posted.changed.len() + posted.others.len() >= MAX_POSTED {
            return;
        }
        match notice {
            Notice::Changed(thread) => {
                posted.changed.insert((resource, thread));
            }
            other => posted.others.push((resource, other)),
        }
        drop(posted);
        self.bell.notify_one();
    }

    /// Returns once each of the other nodes has acted on it, or delivers nothing any more.
    pub(super) async fn ask(&self, resource: ResourceId, notice: Notice) -> Result<(), StoreError> {
        let others = |pledged: Vec<(NodeName, Duration)>| {
            pledged.into_iter().filter(|(name, _)| !name.is_same_node(&self.name())).collect::<Vec<_>>()
        };
        let mut open = others(self.exchange.pledged().await?);
        if open.is_empty() {
            return Ok(());
        }
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        self.asked().insert(number, HashSet::new());
        let _forget = Forget(self, number);
        let late = Instant::now() + ASKED;
        self.exchange.say(vec![self.said(Word::Ask(number, resource, notice))]).await?;
        loop {
            let soonest = open.iter().map(|(_, left)| *left).min().unwrap_or_default();
            let until = (Instant::now() + soonest).min(late);
            if timeout_at(until, self.acknowledged(number, &mut open)).await.is_ok() {
                return Ok(());
            }
            // A promise that was renewed holds on; one that was not is over, and with it all that its node delivers.
            let still = others(self.exchange.pledged().await?);
            open.retain_mut(|(name, left)| match still.iter().find(|(other, _)| other == name) {
                Some((_, longer)) => {
                    *left = *longer;
                    true
                }
                None => false,
            });
            if open.is_empty() {
                return Ok(());
            }
            if Instant::now() >= late {
                return Err(StoreError::Unavailable("another node did not say that it has heard".to_owned()));
            }
        }
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<u64, HashSet<NodeName>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all of `open` have acted on what was asked under this number.
    async fn acknowledged(&self, number: u64, open: &mut Vec<(NodeName, Duration)>) {
        loop {
            let done = self.done.notified();
            tokio::pin!(done);
            done.as_mut().enable();
            if let Some(by) = self.asked().get(&number) {
                open.retain(|(name, _)| !by.contains(name));
            }
            if open.is_empty() {
                return;
            }
            done.await;
        }
    }

    fn said(&self, word: Word) -> String {
        Said { by: self.node, word }.encode()
    }

    /// Speaks with the others for as long as it is polled.
    pub(super) async fn run(&self, live: &Live) {
        let mut in_vain = 0;
        loop {
            let began = Instant::now();
            let lost = match self.attend(live).await {
                Ok(never) => match never {},
                Err(lost) => lost,
            };
            self.contact.end();
            in_vain = if began.elapsed() > RENEW { 0 } else { in_vain + 1 };
            // When it happens, and then now and then.
            if in_vain % SAID == 0 {
                tracing::warn!(%lost, "out of contact with the other nodes: nothing is told to who listens until it is back");
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn attend(&self, live: &Live) -> Result<std::convert::Infallible, Lost> {
        self.contact.end();
        self.times.fetch_add(1, Ordering::SeqCst);
        let mut attendance = self.exchange.attend(self.name()).await?;
        // From here on nothing is missed. What was judged before may have been overtaken by something that was.
        live.mistrust(self).await?;
        attendance.retract().await?;
        if !self.exchange.pledged().await?.is_empty() {
            self.heard_of_others();
        }
        let never = tokio::select! {
            never = self.listen(live, &mut *attendance) => never?,
            never = self.speak() => never?,
        };
        Ok(never)
    }

    async fn listen(
        &self,
        live: &Live,
        attendance: &mut dyn Attendance,
    ) -> Result<std::convert::Infallible, Lost> {
        let mut renewed: Option<Instant> = None;
        loop {
            let is_wanted = self.is_wanted();
            if self.contact.has_lapsed() {
                return Err(Lost::Late);
            }
            if is_wanted && renewed.is_none_or(|at| at.elapsed() >= RENEW) {
                let began = Instant::now();
                attendance.pledge(TERM).await?;
                if self.contact.has_lapsed() {
                    return Err(Lost::Late);
                }
                let was_held_back = !self.contact.is_promised();
                self.contact.promise(began + TERM);
                renewed = Some(began);
                if was_held_back {
                    live.ring(self);
                }
                self.posted().here = true;
                self.bell.notify_one();
            } else if !is_wanted && self.contact.is_promised() {
                self.contact.end();
                renewed = None;
                attendance.retract().await?;
            }
            let due = renewed.map_or_else(|| Instant::now() + RENEW, |at| at + RENEW);
            tokio::select! {
                text = attendance.next() => self.hear(live, &text?)?,
                () = self.changes.notified() => {}
                () = sleep_until(due) => {}
            }
        }
    }

    fn hear(&self, live: &Live, text: &str) -> Result<(), Unclear> {
        let said = Said::decode(text)?;
        match said.word {
            Word::Done(asker, number, by) if asker == self.node => {
                if let Some(done) = self.asked().get_mut(&number) {
                    done.insert(NodeName::from_bytes(by));
                }
                self.done.notify_waiters();
            }
            _ if said.by == self.node => {}
            Word::Done(..) => {}
            Word::Here => self.heard_of_others(),
            Word::Tell(notices) => {
                for (resource, notice) in notices {
                    live.heard(self, resource, notice);
                }
            }
            Word::Ask(number, resource, notice) => {
                live.heard(self, resource, notice);
                self.posted().done.push(Word::Done(said.by, number, *self.name().as_bytes()));
                self.bell.notify_one();
            }
        }
        Ok(())
    }

    async fn speak(&self) -> Result<std::convert::Infallible, Lost> {
        loop {
            let Posted { changed, others, done, here } = std::mem::take(&mut *self.posted());
            let mut texts: Vec<String> = done.into_iter().map(|word| self.said(word)).collect();
            if here {
                texts.push(self.said(Word::Here));
            }
            let changed = changed.into_iter().map(|(resource, thread)| (resource, Notice::Changed(thread)));
            let notices: Vec<_> = others.into_iter().chain(changed).collect();
            if !notices.is_empty() {
                texts.extend(pack(self.node, notices));
            }
            if texts.is_empty() {
                self.bell.notified().await;
            } else {
                self.exchange.say(texts).await?;
            }
        }
    }
}

/// One who listens to the cell at this node.
pub(super) struct Presence(Arc<Nodes>);

impl Presence {
    /// One more.
    pub(super) fn of(nodes: Arc<Nodes>) -> Self {
        nodes.listening.fetch_add(1, Ordering::SeqCst);
        nodes.changes.notify_one();
        Self(nodes)
    }
}

impl Deref for Presence {
    type Target = Nodes;

    fn deref(&self) -> &Nodes {
        &self.0
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.listening.fetch_sub(1, Ordering::SeqCst);
        self.0.changes.notify_one();
    }
}

/// What was asked is not waited for any more.
struct Forget<'a>(&'a Nodes, u64);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.asked().remove(&self.1);
    }
}
