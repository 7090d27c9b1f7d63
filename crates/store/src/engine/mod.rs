//! The narrow waist: ordered keys, sealed values, batches of commits. An engine must never know what a row means,
//! nor see a value unsealed.

mod error;
pub mod exchange;
pub mod memory;
mod overlay;
pub mod postgres;
pub mod sqlite;

use std::sync::Arc;

use base::ResourceId;
pub use error::EngineError;
pub use exchange::{Attendance, Exchange, NodeName};
pub use guard::BoxFuture;

use crate::commit::{Commit, CommitError, Row, RowKey};
use crate::keyspace::KeyspaceDef;
use crate::scan::Scan;

/// The fate of each commit of a batch, in its order.
pub type Fates = Vec<Result<(), CommitError>>;

/// Rows as they were at one moment, which lies between the call of [`Engine::snapshot`] and the first read.
/// It must not be held while waiting for anything but its own reads: it may hold back the engine's clean-up and one of
/// a bounded number of connections.
pub trait Snapshot: Send {
    /// One row, `None` when there is none.
    fn get<'a>(&'a mut self, row: &'a RowKey) -> BoxFuture<'a, Result<Option<Row>, EngineError>>;

    /// Several rows, in the order asked for.
    fn multi_get<'a>(
        &'a mut self,
        rows: &'a [RowKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Row>>, EngineError>>;

    /// The rows of a range, in its direction.
    fn scan<'a>(&'a mut self, scan: &'a Scan) -> BoxFuture<'a, Result<Vec<Row>, EngineError>>;
}

/// An ordered store of sealed rows with transactions.
pub trait Engine: Send + Sync + 'static {
    /// Its name in configuration and logs.
    fn name(&self) -> &'static str;

    /// Whether other processes may change what it holds.
    fn is_shared(&self) -> bool;

    /// Makes the tables of `keyspaces` where they are missing. Call it before anything else names them.
    fn prepare<'a>(&'a self, keyspaces: &'a [&'static KeyspaceDef])
    -> BoxFuture<'a, Result<(), EngineError>>;

    /// One row, as it is now.
    fn get<'a>(&'a self, row: &'a RowKey) -> BoxFuture<'a, Result<Option<Row>, EngineError>>;

    /// A view of one moment.
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, EngineError>>;

    /// Applies the commits in order; each sees the effects of those before it. A precondition that does not hold fails
    /// only its own commit. Returns when the effects are durable. On an error nothing of the batch is visible, except
    /// that a fault while committing leaves the outcome unknown: then all of it is there, or none.
    fn apply(&self, batch: Vec<Commit>) -> BoxFuture<'_, Result<Fates, EngineError>>;

    /// Every resource that has at least one row in a prepared keyspace, in order.
    fn resources(&self) -> BoxFuture<'_, Result<Vec<ResourceId>, EngineError>>;

    /// Whether the stored structures are whole. Reads everything: for operators, not for requests.
    fn check(&self) -> BoxFuture<'_, Result<(), EngineError>>;

    /// Bytes taken by tables, indexes and journals.
    fn size(&self) -> BoxFuture<'_, Result<u64, EngineError>>;

    /// Where the nodes of this store hear each other; `None` where they do not.
    fn exchange(&self) -> Option<Arc<dyn Exchange>> {
        None
    }

    /// Finishes what is under way and lets go of files and connections. Afterwards everything else fails.
    fn close(&self) -> BoxFuture<'_, Result<(), EngineError>>;
}
