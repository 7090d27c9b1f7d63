//! The embedded engine: one SQLite file, one thread that writes whole batches, one that moves the journal into the
//! file, and a pool of connections that read. It must never see a value unsealed.
//!
//! Reads run inline, on the thread that polls them: each is bounded (one row, or at most `MAX_SCAN` rows by an index) and
//! takes microseconds from memory, less than handing it to another thread would. What is unbounded (`check`) is handed
//! over.

mod checkpoint;
mod connect;
mod fault;
mod lock;
mod reader;
mod schema;
mod seen;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use base::ResourceId;
use tokio::sync::oneshot;

use self::checkpoint::Checkpoints;
use self::reader::Readers;
use self::schema::Shared;
use self::writer::{Job, Writer};
use crate::commit::{Commit, Row, RowKey};
use crate::engine::{BoxFuture, Engine, EngineError, Fates, Snapshot};
use crate::keyspace::KeyspaceDef;

/// How a store file is opened.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The file. Its folder must exist; `-wal`, `-shm` and `.lock` files appear beside it.
    pub path: PathBuf,
    /// The most bytes the file may take, `None` for as many as the disk has. Past it commits fail until the limit is
    /// raised; the journal beside the file is not counted.
    pub max_bytes: Option<u64>,
    /// The most connections that read at once; further reads wait.
    pub readers: usize,
    /// How long a deleted key may lie in the journal before the journal is cut off, when no reader holds it back.
    pub erase_after: Duration,
}

impl SqliteOptions {
    /// The usual options for this file.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), max_bytes: None, readers: 32, erase_after: Duration::from_secs(5) }
    }
}

/// One open store file.
pub struct SqliteEngine {
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    checkpoints: Arc<Checkpoints>,
    jobs: Mutex<Option<std::sync::mpsc::Sender<Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl SqliteEngine {
    /// Opens the file, making it when it is new, and completes what a crash left in its journal.
    ///
    /// # Errors
    /// [`EngineError::Locked`] when another process has it, and one that says what to do for each other reason.
    pub fn open(options: &SqliteOptions) -> Result<Self, EngineError> {
        let shared = Arc::new(schema::open(options)?);
        let checkpoints = Arc::new(Checkpoints::new(options.erase_after));
        let readers = Arc::new(Readers::new(Arc::clone(&shared), options.readers));
        let (jobs, inbox) = std::sync::mpsc::channel();
        // Both connections are made here, so that what is wrong with the file is known to whoever opens it.
        let writing = connect::writer(options, &shared)?;
        let moving = connect::checkpointer(&shared.path)?;
        let (shared_too, checkpoints_too) = (Arc::clone(&shared), Arc::clone(&checkpoints));
        let writer =
            spawn("store-writer", move || Writer::run(&writing, shared_too, &checkpoints_too, &inbox))?;
        let (shared_too, checkpoints_too) = (Arc::clone(&shared), Arc::clone(&checkpoints));
        let checkpointer = spawn("store-checkpoint", move || checkpoints_too.run(&moving, &shared_too))?;
        Ok(Self {
            shared,
            readers,
            checkpoints,
            jobs: Mutex::new(Some(jobs)),
            threads: Mutex::new(vec![writer, checkpointer]),
        })
    }

    fn send(&self, job: Job) -> Result<(), EngineError> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.as_ref().ok_or(EngineError::Closed)?.send(job).map_err(|_| EngineError::Closed)
    }

    /// Ends both threads: the writer after the batches it was given, then the other after a last checkpoint.
    fn stop(&self) -> Vec<JoinHandle<()>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.readers.close();
        std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for both, then lets others open the store.
    fn join(
        threads: Vec<JoinHandle<()>>,
        checkpoints: &Checkpoints,
        shared: &Shared,
    ) -> Result<(), EngineError> {
        let mut whole = true;
        for (at, thread) in threads.into_iter().enumerate() {
            whole &= thread.join().is_ok();
            if at == 0 {
                // Only now, so that the last checkpoint finds everything the writer wrote.
                checkpoints.close();
            }
        }
        shared.unlock();
        if whole {
            Ok(())
        } else {
            Err(EngineError::Unavailable("a thread of the store panicked".to_owned()))
        }
    }
}

impl Drop for SqliteEngine {
    /// As [`Engine::close`], for whoever forgot it: waits for both threads.
    fn drop(&mut self) {
        let threads = self.stop();
        if !threads.is_empty() {
            // There is nobody to tell, and nothing acknowledged depends on it.
            let _ = Self::join(threads, &self.checkpoints, &self.shared);
        }
    }
}

impl Engine for SqliteEngine {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn prepare<'a>(
        &'a self,
        keyspaces: &'a [&'static KeyspaceDef],
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move {
            KeyspaceDef::check_all(keyspaces)?;
            let (reply, answer) = oneshot::channel();
            self.send(Job::Prepare(keyspaces.to_vec(), reply))?;
            answer.await.map_err(|_| EngineError::Closed)?
        })
    }

    fn get<'a>(&'a self, row: &'a RowKey) -> BoxFuture<'a, Result<Option<Row>, EngineError>> {
        Box::pin(async move { self.readers.lease().await?.get(row) })
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, EngineError>> {
        Box::pin(async move { Ok(Box::new(self.readers.lease().await?.view()) as Box<dyn Snapshot>) })
    }

    fn apply(&self, batch: Vec<Commit>) -> BoxFuture<'_, Result<Fates, EngineError>> {
        // Sent before the first poll, so that batches are in line in the order of the calls.
        let (reply, answer) = oneshot::channel();
        let sent = self.send(Job::Apply(batch, reply));
        Box::pin(async move {
            sent?;
            answer.await.map_err(|_| EngineError::Closed)?
        })
    }

    fn resources(&self) -> BoxFuture<'_, Result<Vec<ResourceId>, EngineError>> {
        Box::pin(async move { self.readers.lease().await?.resources() })
    }

    fn check(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async move {
            let lease = self.readers.lease().await?;
            let checked = tokio::task::spawn_blocking(move || lease.check()).await;
            checked.map_err(|_| EngineError::Unavailable("the check panicked".to_owned()))?
        })
    }

    fn size(&self) -> BoxFuture<'_, Result<u64, EngineError>> {
        Box::pin(async move { self.shared.size() })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async move {
            let threads = self.stop();
            let (checkpoints, shared) = (Arc::clone(&self.checkpoints), Arc::clone(&self.shared));
            let joined =
                tokio::task::spawn_blocking(move || Self::join(threads, &checkpoints, &shared)).await;
            joined.map_err(|_| EngineError::Unavailable("closing panicked".to_owned()))?
        })
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, EngineError> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    thread.map_err(|error| EngineError::Unavailable(format!("no thread could be started: {error}")))
}
