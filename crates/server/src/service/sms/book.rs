//! What a node remembers of texts under way, so that neither carrying one nor its receipt has to read the store, and so
//! that a receipt that overtakes the answer it belongs to meets it here. Everything in it can be forgotten at any time:
//! commits are conditional on what was remembered, and a receipt that is not met is kept in the store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{BoundedCache, ResourceId};
use tokio::sync::{Mutex as Gate, OwnedMutexGuard, oneshot};

use super::rows::{Head, TextId, Verdict};

/// How many texts are remembered from acceptance until they are carried.
const REMEMBERED_ACCEPTED: usize = 8_192;
/// How many texts are remembered from being handed to a carrier until their receipts.
const REMEMBERED_SENT: usize = 65_536;
/// How many receipts may wait for the answer they overtook; the others are kept in the store at once.
const MAX_EARLY: usize = 4_096;

/// The hash under which a carrier's id of a segment is known.
pub(super) type Mark = [u8; 16];

/// A text just accepted.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub(super) head: Arc<Head>,
    pub(super) text: base::Personal<String>,
    /// The version of its row.
    pub(super) version: u64,
}

/// A text of one segment that a carrier has.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) resource: ResourceId,
    pub(super) id: TextId,
    pub(super) head: Arc<Head>,
    /// The version of its row.
    pub(super) version: u64,
}

/// A receipt that waits for the answer it overtook. Whoever takes it answers whether it is kept.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) verdict: Verdict,
    pub(super) answer: oneshot::Sender<bool>,
}

/// What is known of a mark.
pub(super) enum Known {
    /// Nothing here.
    Nothing,
    /// It is being recorded: look again when this gate opens.
    Recording(Arc<Gate<()>>),
    /// The text, as recorded.
    Sent(Sent),
}

enum Entry {
    Recording(Arc<Gate<()>>),
    Sent(Sent),
}

struct Pages {
    accepted: BoundedCache<TextId, Accepted>,
    sent: BoundedCache<Mark, Entry>,
    early: HashMap<Mark, Early>,
}

/// See the head of the module.
pub(super) struct Book {
    pages: Mutex<Pages>,
    carrying: AtomicUsize,
}

/// A text is being handed to a carrier while this lives.
pub(super) struct Carrying<'a>(&'a AtomicUsize);

impl Drop for Carrying<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Book {
    pub(super) fn new() -> Self {
        let pages = Pages {
            accepted: BoundedCache::new(REMEMBERED_ACCEPTED),
            sent: BoundedCache::new(REMEMBERED_SENT),
            early: HashMap::new(),
        };
        Self { pages: Mutex::new(pages), carrying: AtomicUsize::new(0) }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a text until it is carried.
    pub(super) fn accept(&self, id: TextId, accepted: Accepted) {
        self.pages().accepted.insert(id, accepted);
    }

    /// The text, forgotten here: what follows may change its row.
    pub(super) fn take(&self, id: &TextId) -> Option<Accepted> {
        self.pages().accepted.remove(id)
    }

    /// Says that a text is being handed over.
    pub(super) fn carry(&self) -> Carrying<'_> {
        self.carrying.fetch_add(1, Ordering::Relaxed);
        Carrying(&self.carrying)
    }

    /// Whether any text is being handed over by this node, so that a receipt may have overtaken its answer.
    pub(super) fn is_carrying(&self) -> bool {
        self.carrying.load(Ordering::Relaxed) > 0
    }

    /// Takes the receipts that wait for these marks, and says of the others that they are being recorded: who asks for
    /// them waits until what is returned is dropped.
    pub(super) fn claim(&self, marks: &[Mark]) -> (Vec<Option<Early>>, Option<OwnedMutexGuard<()>>) {
        let gate = Arc::new(Gate::new(()));
        // A new gate is open: nobody else knows it.
        let held = Arc::clone(&gate).try_lock_owned().ok();
        let mut pages = self.pages();
        let mut early = Vec::with_capacity(marks.len());
        for mark in marks {
            let waiting = pages.early.remove(mark).filter(|early| !early.answer.is_closed());
            if waiting.is_none() {
                pages.sent.insert(*mark, Entry::Recording(Arc::clone(&gate)));
            }
            early.push(waiting);
        }
        drop(pages);
        (early, held)
    }

    /// Remembers what a mark stands for.
    pub(super) fn record(&self, mark: Mark, sent: Sent) {
        self.pages().sent.insert(mark, Entry::Sent(sent));
    }

    /// Forgets marks.
    pub(super) fn forget(&self, marks: &[Mark]) {
        let mut pages = self.pages();
        for mark in marks {
            pages.sent.remove(mark);
        }
    }

    /// What is known of a mark.
    pub(super) fn look(&self, mark: &Mark) -> Known {
        match self.pages().sent.get_mut(mark) {
            None => Known::Nothing,
            Some(Entry::Recording(gate)) => Known::Recording(Arc::clone(gate)),
            Some(Entry::Sent(sent)) => Known::Sent(sent.clone()),
        }
    }

    /// Leaves a receipt for who is about to record its mark. `None` when it cannot wait here: look again, or keep it.
    pub(super) fn leave(&self, mark: Mark, verdict: Verdict) -> Option<oneshot::Receiver<bool>> {
        let mut pages = self.pages();
        let known = pages.sent.get_mut(&mark).is_some();
        if known || pages.early.contains_key(&mark) || pages.early.len() >= MAX_EARLY {
            return None;
        }
        let (answer, told) = oneshot::channel();
        pages.early.insert(mark, Early { verdict, answer });
        Some(told)
    }

    /// Takes a receipt back. `false` when somebody took it: their answer will come.
    pub(super) fn take_back(&self, mark: &Mark) -> bool {
        self.pages().early.remove(mark).is_some()
    }
}
