//! The engines under test, each with a way to be opened again upon what it stored.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base::{ResourceId, Rng};
use guard::{Sealed, SystemRng};
use store::engine::memory::MemoryEngine;
use store::engine::postgres::{PostgresEngine, PostgresOptions};
use store::engine::sqlite::{SqliteEngine, SqliteOptions};
use store::{
    BoxFuture, Class, Commit, CommitError, Direction, Engine, KeyspaceDef, Precondition, RowKey, Scan, Write,
};

pub(crate) static ALPHA: KeyspaceDef = KeyspaceDef { name: "alpha", class: Class::Content };
pub(crate) static BETA: KeyspaceDef = KeyspaceDef { name: "beta", class: Class::Key };
pub(crate) static SPACES: [&KeyspaceDef; 2] = [&ALPHA, &BETA];

/// Two resources that differ in their last bit.
pub(crate) const ONE: ResourceId = ResourceId::from_bytes([1; 16]);
pub(crate) const TWO: ResourceId = ResourceId::from_bytes([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);

/// An engine, and how to open it again.
pub(crate) trait Subject: Send {
    fn engine(&self) -> &Arc<dyn Engine>;
    /// Lets go of the engine and opens another upon what it stored. Keyspaces are prepared.
    fn reopen(&mut self) -> BoxFuture<'_, ()>;
}

/// The memory engine.
pub(crate) struct Memory {
    memory: Arc<MemoryEngine>,
    engine: Arc<dyn Engine>,
}

impl Memory {
    pub(crate) async fn new() -> Self {
        let memory = Arc::new(MemoryEngine::new());
        memory.prepare(&SPACES).await.unwrap();
        Self { engine: Arc::clone(&memory) as _, memory }
    }
}

impl Subject for Memory {
    fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    fn reopen(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.memory = Arc::new(self.memory.reopen());
            self.engine = Arc::clone(&self.memory) as _;
        })
    }
}

/// The SQLite engine, on a file of its own.
pub(crate) struct Sqlite {
    folder: tempfile::TempDir,
    engine: Arc<dyn Engine>,
}

impl Sqlite {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Self::open(&folder).await;
        Self { folder, engine }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("store.sqlite")
    }

    async fn open(folder: &tempfile::TempDir) -> Arc<dyn Engine> {
        let engine = SqliteEngine::open(&SqliteOptions::new(folder.path().join("store.sqlite"))).unwrap();
        engine.prepare(&SPACES).await.unwrap();
        Arc::new(engine)
    }
}

impl Subject for Sqlite {
    fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    fn reopen(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.engine.close().await.unwrap();
            self.engine = Self::open(&self.folder).await;
        })
    }
}

/// The PostgreSQL engine, in a schema of its own.
pub(crate) struct Postgres {
    options: PostgresOptions,
    engine: Arc<dyn Engine>,
}

/// Where the tests find a server.
pub(crate) fn postgres_url() -> String {
    std::env::var("CHANCERY_TEST_POSTGRES").expect(
        "set CHANCERY_TEST_POSTGRES to a PostgreSQL that tests may write to, such as \
         `host=127.0.0.1 port=55432 user=postgres dbname=postgres`; scripts/test starts one",
    )
}

impl Postgres {
    pub(crate) async fn new() -> Self {
        let schema = format!("test_{}", ResourceId::from_bytes(SystemRng.id()).to_hex());
        let options = PostgresOptions { schema: Some(schema), ..PostgresOptions::new(postgres_url()) };
        let engine = Self::open(&options).await;
        Self { options, engine }
    }

    pub(crate) fn options(&self) -> &PostgresOptions {
        &self.options
    }

    async fn open(options: &PostgresOptions) -> Arc<dyn Engine> {
        let engine = PostgresEngine::open(options).await.unwrap();
        engine.prepare(&SPACES).await.unwrap();
        Arc::new(engine)
    }
}

impl Subject for Postgres {
    fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    fn reopen(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.engine.close().await.unwrap();
            self.engine = Self::open(&self.options).await;
        })
    }
}

/// Bytes that stand for a sealed value. Engines never look inside.
pub(crate) fn sealed(bytes: impl Into<Vec<u8>>) -> Sealed {
    Sealed::from_stored(bytes.into())
}

pub(crate) fn row(key: impl Into<Vec<u8>>) -> RowKey {
    RowKey { keyspace: &ALPHA, resource: ONE, key: key.into() }
}

pub(crate) fn put(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Write {
    Write::Put(row(key), sealed(value))
}

pub(crate) fn delete(key: impl Into<Vec<u8>>) -> Write {
    Write::Delete(row(key))
}

pub(crate) fn last_is(prefix: impl Into<Vec<u8>>, last: Option<&[u8]>) -> Precondition {
    let last = last.map(<[u8]>::to_vec);
    Precondition::LastIs { keyspace: &ALPHA, resource: ONE, prefix: prefix.into(), last }
}

pub(crate) fn writes(writes: impl Into<Vec<Write>>) -> Commit {
    Commit { preconditions: vec![], writes: writes.into() }
}

pub(crate) fn when(needs: impl Into<Vec<Precondition>>, writes: impl Into<Vec<Write>>) -> Commit {
    Commit { preconditions: needs.into(), writes: writes.into() }
}

pub(crate) const fn conflict(precondition: usize) -> Result<(), CommitError> {
    Err(CommitError::Conflict { precondition })
}

/// Applies one commit.
pub(crate) async fn one(engine: &dyn Engine, commit: Commit) -> Result<(), CommitError> {
    engine.apply(vec![commit]).await.unwrap().pop().unwrap()
}

/// The value and version of a row.
pub(crate) async fn seen(engine: &dyn Engine, row: &RowKey) -> Option<(Vec<u8>, u64)> {
    engine.get(row).await.unwrap().map(|found| {
        assert_eq!(found.key, row.key);
        (found.value.into_bytes(), found.version)
    })
}

/// Every row of a keyspace and resource, in order.
pub(crate) async fn all(
    engine: &dyn Engine,
    keyspace: &'static KeyspaceDef,
    resource: ResourceId,
) -> Vec<(Vec<u8>, Vec<u8>, u64)> {
    let scan = Scan::prefix(keyspace, resource, vec![], Direction::Forward, usize::MAX);
    let rows = engine.snapshot().await.unwrap().scan(&scan).await.unwrap();
    rows.into_iter().map(|row| (row.key, row.value.into_bytes(), row.version)).collect()
}

/// A number that grows, for tests that need distinct ones.
pub(crate) fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
