//! The engine for tests and simulation: everything in memory, with faults that are injected from a seed. It keeps the
//! same promises as the others as long as no fault is asked for, and never more.

mod exchange;
mod fault;
mod image;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::ResourceId;
use exchange::MemoryExchange;
use fault::Fault;
pub use fault::FaultPlan;
use image::Image;

use crate::commit::{Commit, CommitError, Row, RowKey};
use crate::engine::overlay::{Change, Overlay};
use crate::engine::{BoxFuture, Engine, EngineError, Exchange, Fates, Snapshot};
use crate::keyspace::KeyspaceDef;
use crate::scan::Scan;

/// Rows in memory above a durable image that outlives the engine: [`MemoryEngine::reopen`] is a restart.
pub struct MemoryEngine {
    image: Arc<Mutex<Image>>,
    faults: Mutex<Option<FaultPlan>>,
    down: Arc<AtomicBool>,
    exchange: Mutex<Option<MemoryExchange>>,
}

impl Default for MemoryEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryEngine {
    /// Empty, without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::over(Arc::new(Mutex::new(Image::default())))
    }

    /// Empty, failing as `plan` says.
    #[must_use]
    pub fn with_faults(plan: FaultPlan) -> Self {
        let engine = Self::new();
        engine.set_faults(Some(plan));
        engine
    }

    /// Replaces the faults, or ends them.
    pub fn set_faults(&self, plan: Option<FaultPlan>) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = plan;
    }

    /// Lets those who share this engine hear each other, as nodes of one database do.
    pub fn let_nodes_talk(&self) {
        self.talk().get_or_insert_default();
    }

    /// Ends the attendance of every node, as a database that is restarted does.
    pub fn part_nodes(&self) {
        self.talk().iter().for_each(MemoryExchange::part);
    }

    /// Whether what nodes say is swallowed without anyone noticing.
    pub fn deafen_nodes(&self, is_deaf: bool) {
        self.talk().iter().for_each(|exchange| exchange.deafen(is_deaf));
    }

    fn talk(&self) -> MutexGuard<'_, Option<MemoryExchange>> {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops at once, as a process that is killed: what was acknowledged is in the image, half-written batches are
    /// noticed and dropped when it is opened again.
    pub fn crash(&self) {
        self.down.store(true, Ordering::SeqCst);
    }

    /// Whether it was closed or has crashed.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.down.load(Ordering::SeqCst)
    }

    /// A new engine over the same durable image, without faults; this one is down from now on.
    #[must_use]
    pub fn reopen(&self) -> Self {
        self.crash();
        lock(&self.image).recover();
        Self::over(Arc::clone(&self.image))
    }

    fn over(image: Arc<Mutex<Image>>) -> Self {
        let (down, exchange) = (Arc::new(AtomicBool::new(false)), Mutex::new(None));
        Self { image, faults: Mutex::new(None), down, exchange }
    }

    fn up(&self) -> Result<(), EngineError> {
        if self.is_down() { Err(EngineError::Closed) } else { Ok(()) }
    }

    fn fault(&self) -> Fault {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.as_ref().map_or(Fault::None, FaultPlan::draw)
    }

    async fn delay(&self) {
        let turns = {
            let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
            faults.as_ref().map_or(0, FaultPlan::draw_delay)
        };
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }

    async fn read_gate(&self) -> Result<(), EngineError> {
        self.delay().await;
        self.up()?;
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.as_ref().is_some_and(FaultPlan::draw_read) { Err(injected("read")) } else { Ok(()) }
    }

    async fn commit(&self, batch: Vec<Commit>) -> Result<Fates, EngineError> {
        self.delay().await;
        self.up()?;
        let fault = self.fault();
        if fault == Fault::Before {
            return Err(injected("write"));
        }
        {
            let mut image = lock(&self.image);
            let mut overlay = Overlay::default();
            let mut fates = Vec::with_capacity(batch.len());
            for commit in batch {
                if let Some(missing) = commit.keyspaces().find(|one| !image.has(one)) {
                    let error = EngineError::UnknownKeyspace(missing.name);
                    fates.push(Err(CommitError::Unavailable(error.to_string())));
                    continue;
                }
                match overlay.take(&*image, commit) {
                    Ok(fate) => fates.push(fate),
                    Err(_) => {
                        return Err(EngineError::Unavailable("the memory engine lost a row".to_owned()));
                    }
                }
            }
            let changes: Vec<(RowKey, Change)> = overlay.into_changes().collect();
            match fault {
                Fault::Torn | Fault::Crash => {
                    let written = if fault == Fault::Torn { changes.len() / 2 } else { 0 };
                    image.tear(changes.into_iter().take(written));
                    self.crash();
                    return Err(injected("crash"));
                }
                Fault::None | Fault::Before | Fault::After => image.commit(changes),
            }
            if fault != Fault::After {
                return Ok(fates);
            }
        }
        Err(injected("acknowledgement"))
    }
}

impl Engine for MemoryEngine {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn prepare<'a>(
        &'a self,
        keyspaces: &'a [&'static KeyspaceDef],
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move {
            self.up()?;
            KeyspaceDef::check_all(keyspaces)?;
            lock(&self.image).prepare(keyspaces);
            Ok(())
        })
    }

    fn get<'a>(&'a self, row: &'a RowKey) -> BoxFuture<'a, Result<Option<Row>, EngineError>> {
        Box::pin(async move {
            self.read_gate().await?;
            let image = lock(&self.image);
            image.known(row.keyspace)?;
            Ok(image.get(row, u64::MAX))
        })
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, EngineError>> {
        Box::pin(async move {
            self.read_gate().await?;
            let at = lock(&self.image).pin();
            let (image, down) = (Arc::clone(&self.image), Arc::clone(&self.down));
            Ok(Box::new(View { image, down, at }) as Box<dyn Snapshot>)
        })
    }

    fn apply(&self, batch: Vec<Commit>) -> BoxFuture<'_, Result<Fates, EngineError>> {
        Box::pin(self.commit(batch))
    }

    fn resources(&self) -> BoxFuture<'_, Result<Vec<ResourceId>, EngineError>> {
        Box::pin(async move {
            self.read_gate().await?;
            Ok(lock(&self.image).resources())
        })
    }

    fn exchange(&self) -> Option<Arc<dyn Exchange>> {
        self.talk().clone().map(|exchange| Arc::new(exchange) as _)
    }

    fn check(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async move { self.up() })
    }

    fn size(&self) -> BoxFuture<'_, Result<u64, EngineError>> {
        Box::pin(async move {
            self.up()?;
            Ok(lock(&self.image).size())
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async move {
            self.down.store(true, Ordering::SeqCst);
            Ok(())
        })
    }
}

struct View {
    image: Arc<Mutex<Image>>,
    down: Arc<AtomicBool>,
    at: u64,
}

impl View {
    fn image(&self, keyspace: &'static KeyspaceDef) -> Result<MutexGuard<'_, Image>, EngineError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(EngineError::Closed);
        }
        let image = lock(&self.image);
        image.known(keyspace)?;
        Ok(image)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // After a restart the image counts its readers anew; a view of before must not be taken from that count.
        if !self.down.load(Ordering::SeqCst) {
            lock(&self.image).unpin(self.at);
        }
    }
}

impl Snapshot for View {
    fn get<'a>(&'a mut self, row: &'a RowKey) -> BoxFuture<'a, Result<Option<Row>, EngineError>> {
        let found = self.image(row.keyspace).map(|image| image.get(row, self.at));
        Box::pin(std::future::ready(found))
    }

    fn multi_get<'a>(
        &'a mut self,
        rows: &'a [RowKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Row>>, EngineError>> {
        let found =
            rows.iter().map(|row| self.image(row.keyspace).map(|image| image.get(row, self.at))).collect();
        Box::pin(std::future::ready(found))
    }

    fn scan<'a>(&'a mut self, scan: &'a Scan) -> BoxFuture<'a, Result<Vec<Row>, EngineError>> {
        let found = self.image(scan.keyspace).map(|image| image.scan(scan, self.at));
        Box::pin(std::future::ready(found))
    }
}

fn lock(image: &Mutex<Image>) -> MutexGuard<'_, Image> {
    image.lock().unwrap_or_else(PoisonError::into_inner)
}

fn injected(what: &str) -> EngineError {
    EngineError::Unavailable(format!("injected fault: {what}"))
}
