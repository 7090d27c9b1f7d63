//! The three engines, each new and empty, for tests that must hold on all of them.

use std::sync::Arc;

use base::{Clock, Limits, Rng};
use guard::LocalKms;
use store::engine::memory::MemoryEngine;
use store::engine::postgres::PostgresEngine;
use store::engine::sqlite::SqliteEngine;
use store::{Cell, CellParts, Engine, KeyspaceDef};
use tempfile::TempDir;

/// The variable that names the PostgreSQL server for tests, as libpq would read it.
const POSTGRES: &str = "CHANCERY_TEST_POSTGRES";

/// An engine, and what it rests on, for as long as it is needed.
pub(crate) struct Opened {
    engine: Arc<dyn Engine>,
    _folder: Option<TempDir>,
}

/// Nothing on disk.
pub(crate) fn memory() -> Opened {
    Opened { engine: Arc::new(MemoryEngine::new()), _folder: None }
}

/// One that the test has made.
pub(crate) fn of(engine: Arc<dyn Engine>) -> Opened {
    Opened { engine, _folder: None }
}

/// A file in a folder of its own.
pub(crate) fn sqlite() -> Opened {
    let folder = TempDir::new().unwrap();
    let engine = SqliteEngine::open(&folder.path().join("store.sqlite")).unwrap();
    Opened { engine: Arc::new(engine), _folder: Some(folder) }
}

/// A schema of its own in the test server.
pub(crate) async fn postgres() -> Opened {
    let server = std::env::var(POSTGRES)
        .unwrap_or_else(|_| panic!("set {POSTGRES} to a PostgreSQL connection string; scripts/test starts a server and does so"));
    let engine = PostgresEngine::open_fresh_schema(&server).await.unwrap();
    Opened { engine: Arc::new(engine), _folder: None }
}

impl Opened {
    /// A cell on this engine.
    pub(crate) async fn cell(
        &self,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
        keyspaces: &[&'static KeyspaceDef],
    ) -> Cell {
        let kms = Arc::new(LocalKms::in_memory(&*rng));
        let geography = "europe".parse().unwrap();
        let limits = Limits::default();
        let parts =
            CellParts { geography, engine: Arc::clone(&self.engine), kms, clock, rng, limits: &limits, keyspaces };
        Cell::open(parts).await.unwrap()
    }
}
