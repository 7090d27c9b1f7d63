//! The three engines, each new and empty, for tests that must hold on all of them.

use std::sync::Arc;

use base::{Clock, Rng};
use store::engine::memory::MemoryEngine;
use store::engine::postgres::{PostgresEngine, PostgresOptions};
use store::engine::sqlite::{SqliteEngine, SqliteOptions};
use store::{Cell, Engine, KeyspaceDef};
use tempfile::TempDir;

/// The variable that names the PostgreSQL server for tests, as libpq would read it.
const POSTGRES: &str = "CHANCERY_TEST_POSTGRES";

/// An engine, and what it rests on, for as long as it is needed.
pub(crate) struct Opened {
    engine: Arc<dyn Engine>,
    folder: Option<TempDir>,
}

/// Nothing on disk.
pub(crate) fn memory() -> Opened {
    Opened { engine: Arc::new(MemoryEngine::new()), folder: None }
}

/// One that the test has made.
pub(crate) fn of(engine: Arc<dyn Engine>) -> Opened {
    Opened { engine, folder: None }
}

/// A file in a folder of its own.
pub(crate) fn sqlite() -> Opened {
    let folder = TempDir::new().unwrap();
    let engine = SqliteEngine::open(&SqliteOptions::new(folder.path().join("store.sqlite"))).unwrap();
    Opened { engine: Arc::new(engine), folder: Some(folder) }
}

/// A schema of this name, new at each run of the tests, in the server for tests.
pub(crate) async fn postgres(name: &str) -> Opened {
    let url = std::env::var(POSTGRES).unwrap_or_else(|_| {
        panic!("set {POSTGRES} to a PostgreSQL connection string; scripts/test starts a server and does so")
    });
    let schema = Some(format!("server_{name}_{}", std::process::id()));
    let options = PostgresOptions { schema, ..PostgresOptions::new(url) };
    let engine = PostgresEngine::open(&options).await.unwrap();
    Opened { engine: Arc::new(engine), folder: None }
}

impl Opened {
    /// A cell on this engine.
    pub(crate) async fn cell(
        &self,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
        keyspaces: &[&'static KeyspaceDef],
    ) -> Cell {
        assert_eq!(self.folder.is_some(), self.engine.name() == "sqlite");
        store::testing::cell_on(Arc::clone(&self.engine), clock, rng, keyspaces).await
    }
}
