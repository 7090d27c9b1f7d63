//! An engine that watches what is asked of it: how many views are open, how often rows are looked for; and that can
//! stop a reader between what it saw and what it does with it. Beneath it is the engine in memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{ManualClock, ResourceId};
use store::engine::BoxFuture;
use store::engine::memory::MemoryEngine;
use store::{Commit, Engine, EngineError, Fates, KeyspaceDef, Row, RowKey, Scan, Snapshot};
use tokio::sync::Notify;

/// What the spy saw and does.
#[derive(Default)]
pub(crate) struct Seen {
    open: AtomicUsize,
    /// The most views that were open at once.
    pub(crate) most_open: AtomicUsize,
    /// The most views that were open while a batch was applied.
    pub(crate) open_at_commit: AtomicUsize,
    /// Ranges read.
    pub(crate) scans: AtomicUsize,
    /// Moved on by more than a key's lifetime with each view.
    pub(crate) hurried: Mutex<Option<Arc<ManualClock>>>,
    /// The next reader of a range of this keyspace waits once it has it.
    stop_after: Mutex<Option<&'static str>>,
    stopped: Notify,
    go_on: Notify,
}

impl Seen {
    /// Stops the next reader of a range of `keyspace`, and does `meanwhile` before it may go on. To be polled before that
    /// reader.
    pub(crate) async fn between(&self, keyspace: &'static str, meanwhile: impl Future<Output = ()>) {
        *self.stop_after.lock().unwrap() = Some(keyspace);
        tokio::time::timeout(Duration::from_secs(20), self.stopped.notified())
            .await
            .expect("nobody came to read");
        meanwhile.await;
        self.go_on.notify_one();
    }
}

pub(crate) struct SpyEngine {
    inner: MemoryEngine,
    pub(crate) seen: Arc<Seen>,
}

impl SpyEngine {
    pub(crate) fn new() -> Self {
        Self { inner: MemoryEngine::new(), seen: Arc::default() }
    }

    /// Keys of all rows of a keyspace that begin with `prefix`.
    pub(crate) async fn keys(&self, name: &str, resource: ResourceId, prefix: &[u8]) -> Vec<Vec<u8>> {
        self.rows(name, resource, prefix).await.into_iter().map(|row| row.key).collect()
    }

    /// All rows of a keyspace whose keys begin with `prefix`.
    pub(crate) async fn rows(&self, name: &str, resource: ResourceId, prefix: &[u8]) -> Vec<Row> {
        let scan =
            Scan::prefix(keyspace(name), resource, prefix.to_vec(), store::Direction::Forward, usize::MAX);
        self.inner.snapshot().await.unwrap().scan(&scan).await.unwrap()
    }
}

/// The keyspace of that name.
pub(crate) fn keyspace(name: &str) -> &'static KeyspaceDef {
    if name == "scope_key" {
        return &store::cell::SCOPE_KEY;
    }
    server::service::keyspaces().into_iter().find(|def| def.name == name).unwrap()
}

struct SpyView {
    inner: Box<dyn Snapshot>,
    seen: Arc<Seen>,
}

impl Drop for SpyView {
    fn drop(&mut self) {
        self.seen.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Snapshot for SpyView {
    fn get<'a>(&'a mut self, row: &'a RowKey) -> BoxFuture<'a, Result<Option<Row>, EngineError>> {
        self.inner.get(row)
    }

    fn multi_get<'a>(
        &'a mut self,
        rows: &'a [RowKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Row>>, EngineError>> {
        self.inner.multi_get(rows)
    }

    fn scan<'a>(&'a mut self, scan: &'a Scan) -> BoxFuture<'a, Result<Vec<Row>, EngineError>> {
        Box::pin(async move {
            self.seen.scans.fetch_add(1, Ordering::SeqCst);
            let found = self.inner.scan(scan).await;
            let stops =
                self.seen.stop_after.lock().unwrap().take_if(|name| *name == scan.keyspace.name).is_some();
            if stops {
                self.seen.stopped.notify_one();
                self.seen.go_on.notified().await;
            }
            found
        })
    }
}

impl Engine for SpyEngine {
    fn name(&self) -> &'static str {
        "spy"
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    fn prepare<'a>(
        &'a self,
        keyspaces: &'a [&'static KeyspaceDef],
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        self.inner.prepare(keyspaces)
    }

    fn get<'a>(&'a self, row: &'a RowKey) -> BoxFuture<'a, Result<Option<Row>, EngineError>> {
        self.inner.get(row)
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, EngineError>> {
        Box::pin(async move {
            let inner = self.inner.snapshot().await?;
            let open = self.seen.open.fetch_add(1, Ordering::SeqCst) + 1;
            self.seen.most_open.fetch_max(open, Ordering::SeqCst);
            if let Some(clock) = &*self.seen.hurried.lock().unwrap() {
                clock.advance(Duration::from_secs(61));
            }
            Ok(Box::new(SpyView { inner, seen: Arc::clone(&self.seen) }) as Box<dyn Snapshot>)
        })
    }

    fn apply(&self, batch: Vec<Commit>) -> BoxFuture<'_, Result<Fates, EngineError>> {
        self.seen.open_at_commit.fetch_max(self.seen.open.load(Ordering::SeqCst), Ordering::SeqCst);
        self.inner.apply(batch)
    }

    fn resources(&self) -> BoxFuture<'_, Result<Vec<ResourceId>, EngineError>> {
        self.inner.resources()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        self.inner.check()
    }

    fn size(&self) -> BoxFuture<'_, Result<u64, EngineError>> {
        self.inner.size()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        self.inner.close()
    }
}
