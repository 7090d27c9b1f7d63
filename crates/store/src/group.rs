//! Merges concurrent commits into batches of one engine transaction each, with one wait for the disk. It knows sizes
//! and order, never what a commit does.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use base::Limits;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;

use crate::commit::{Commit, CommitError};
use crate::engine::{Engine, EngineError};

/// The most bytes of keys and values merged into one transaction; a greater commit goes alone.
pub const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;
/// The most bytes that wait; past it [`CommitError::Full`].
pub const MAX_QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// Told the fate of a commit by the committing task, in commit order and before the [`Pending`] is.
pub(crate) type Observer = Box<dyn FnOnce(&Result<(), CommitError>) + Send>;

/// The queue above an engine. [`GroupCommit::submit`] puts a commit in line without waiting; commits take effect in the
/// order they were submitted.
pub struct GroupCommit {
    shared: Arc<Shared>,
    runner: Mutex<JoinSet<()>>,
}

/// The fate of a submitted commit, to come. Dropping it does not undo or cancel the commit.
#[derive(Debug)]
#[must_use = "the commit's fate is known only by waiting for it"]
pub struct Pending(oneshot::Receiver<Result<(), CommitError>>);

struct Shared {
    queue: Mutex<Queue>,
    wake: Notify,
    most_waiting: usize,
    most_merged: usize,
    commits: AtomicU64,
    batches: AtomicU64,
}

/// What a queue has done since it began, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupStats {
    /// Commits that were given to the engine.
    pub commits: u64,
    /// Batches they were merged into.
    pub batches: u64,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Entry>,
    bytes: usize,
    closed: bool,
}

struct Entry {
    commit: Commit,
    bytes: usize,
    waiter: Waiter,
}

struct Waiter {
    fate: oneshot::Sender<Result<(), CommitError>>,
    observer: Option<Observer>,
}

impl GroupCommit {
    /// Starts merging for `engine`. It must be called within a Tokio runtime, whose task runs until
    /// [`GroupCommit::close`]; dropped without it, commits still waiting fail.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>, limits: &Limits) -> Self {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue::default()),
            wake: Notify::new(),
            most_waiting: limits.commit_queue.max(1),
            most_merged: limits.commit_batch.max(1),
            commits: AtomicU64::new(0),
            batches: AtomicU64::new(0),
        });
        let mut runner = JoinSet::new();
        runner.spawn(run(Arc::clone(&shared), engine));
        Self { shared, runner: Mutex::new(runner) }
    }

    /// Puts `commit` in line behind every commit submitted before it.
    ///
    /// # Errors
    /// [`CommitError::Full`], [`CommitError::TooLarge`] or [`CommitError::Closed`]; then it will not happen.
    pub fn submit(&self, commit: Commit) -> Result<Pending, CommitError> {
        self.submit_observed(commit, None)
    }

    pub(crate) fn submit_observed(
        &self,
        commit: Commit,
        observer: Option<Observer>,
    ) -> Result<Pending, CommitError> {
        let bytes = commit.measure()?;
        let (fate, pending) = oneshot::channel();
        let first = {
            let mut queue = self.shared.lock();
            if queue.closed {
                return Err(CommitError::Closed);
            }
            let full =
                queue.entries.len() >= self.shared.most_waiting || queue.bytes + bytes > MAX_QUEUE_BYTES;
            if full && !queue.entries.is_empty() {
                return Err(CommitError::Full);
            }
            queue.bytes += bytes;
            queue.entries.push_back(Entry { commit, bytes, waiter: Waiter { fate, observer } });
            queue.entries.len() == 1
        };
        if first {
            self.shared.wake.notify_one();
        }
        Ok(Pending(pending))
    }

    /// How many commits wait, for metrics.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.lock().entries.len()
    }

    /// What it has done so far, for metrics.
    #[must_use]
    pub fn stats(&self) -> GroupStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        GroupStats { commits: read(&self.shared.commits), batches: read(&self.shared.batches) }
    }

    /// Takes no more commits, and returns when every one already in line has its fate.
    pub async fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_one();
        let mut runner = std::mem::take(&mut *self.runner.lock().unwrap_or_else(PoisonError::into_inner));
        while runner.join_next().await.is_some() {}
    }
}

impl Future for Pending {
    type Output = Result<(), CommitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|fate| {
            fate.unwrap_or_else(|_| Err(CommitError::Unavailable("the committing task ended".to_owned())))
        })
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next commits to merge; `None` when closed and drained.
    async fn next(&self) -> Option<(Vec<Commit>, Vec<Waiter>)> {
        loop {
            {
                let mut queue = self.lock();
                if !queue.entries.is_empty() {
                    return Some(queue.take(self.most_merged));
                }
                if queue.closed {
                    return None;
                }
            }
            self.wake.notified().await;
        }
    }
}

impl Queue {
    fn take(&mut self, most: usize) -> (Vec<Commit>, Vec<Waiter>) {
        let many = self.entries.len().min(most);
        let (mut commits, mut waiters) = (Vec::with_capacity(many), Vec::with_capacity(many));
        let mut bytes = 0;
        while let Some(entry) = self.entries.front() {
            let fits = commits.len() < most && bytes + entry.bytes <= MAX_BATCH_BYTES;
            if !fits && !commits.is_empty() {
                break;
            }
            let Some(entry) = self.entries.pop_front() else { break };
            bytes += entry.bytes;
            commits.push(entry.commit);
            waiters.push(entry.waiter);
        }
        self.bytes -= bytes;
        (commits, waiters)
    }
}

impl Waiter {
    fn tell(self, fate: Result<(), CommitError>) {
        if let Some(observer) = self.observer {
            observer(&fate);
        }
        // The waiter may have gone away; the commit stands all the same.
        let _ = self.fate.send(fate);
    }
}

/// Closes the queue when the committing task ends for any reason, so that nobody waits for a task that is gone.
struct CloseOnExit(Arc<Shared>);

impl Drop for CloseOnExit {
    fn drop(&mut self) {
        let left = {
            let mut queue = self.0.lock();
            queue.closed = true;
            queue.bytes = 0;
            std::mem::take(&mut queue.entries)
        };
        for entry in left {
            entry.waiter.tell(Err(CommitError::Closed));
        }
    }
}

async fn run(shared: Arc<Shared>, engine: Arc<dyn Engine>) {
    let exit = CloseOnExit(shared);
    while let Some((commits, waiters)) = exit.0.next().await {
        exit.0.commits.fetch_add(commits.len() as u64, Ordering::Relaxed);
        exit.0.batches.fetch_add(1, Ordering::Relaxed);
        match engine.apply(commits).await {
            Ok(fates) => {
                let mut fates = fates.into_iter();
                for waiter in waiters {
                    waiter.tell(fates.next().unwrap_or_else(|| {
                        Err(CommitError::Unavailable("the engine gave no answer".to_owned()))
                    }));
                }
            }
            Err(error) => {
                let fate = Err(fate_of(&error));
                tracing::warn!(engine = engine.name(), commits = waiters.len(), %error, "a batch failed");
                for waiter in waiters {
                    waiter.tell(fate.clone());
                }
            }
        }
    }
}

fn fate_of(error: &EngineError) -> CommitError {
    match error {
        EngineError::Closed => CommitError::Closed,
        other => CommitError::Unavailable(other.to_string()),
    }
}
