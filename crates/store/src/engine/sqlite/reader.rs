//! Reading connections: a bounded pool, and views of one moment upon them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base::ResourceId;
use guard::Sealed;
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::schema::{Shared, find_resource};
use super::{connect, fault};
use crate::commit::{Row, RowKey};
use crate::engine::{BoxFuture, EngineError, Snapshot};
use crate::scan::{Direction, Scan};

/// The pool.
pub(super) struct Readers {
    shared: Arc<Shared>,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

/// One connection, lent. It goes back when dropped.
pub(super) struct Lease {
    readers: Arc<Readers>,
    connection: Option<Connection>,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    pub(super) fn new(shared: Arc<Shared>, most: usize) -> Self {
        Self { shared, idle: Mutex::default(), permits: Arc::new(Semaphore::new(most.max(1))) }
    }

    /// Waits for a connection.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, EngineError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| EngineError::Closed)?;
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect::reader(&self.shared.path)?,
        };
        Ok(Lease { readers: Arc::clone(self), connection: Some(connection), _permit: permit })
    }

    /// Lends nothing more, and drops what is idle.
    pub(super) fn close(&self) {
        self.permits.close();
        self.idle().clear();
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take().filter(|_| !self.readers.permits.is_closed()) {
            self.readers.idle().push(connection);
        }
    }
}

impl Lease {
    /// A view of one moment, which begins with its first read.
    pub(super) fn view(self) -> View {
        View { lease: self, begun: false }
    }

    pub(super) fn get(&self, row: &RowKey) -> Result<Option<Row>, EngineError> {
        let space = self.readers.shared.space(row.keyspace)?;
        let Some(resource) = self.resource(row.resource)? else { return Ok(None) };
        let mut statement = self.sql(self.connection()?.prepare_cached(&space.get))?;
        let found = statement.query_row((resource, &row.key), |found| {
            Ok(Row {
                key: row.key.clone(),
                value: Sealed::from_stored(found.get(0)?),
                version: version(found.get(1)?),
            })
        });
        self.sql(found.optional())
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Row>, EngineError> {
        let space = self.readers.shared.space(scan.keyspace)?;
        let Some(resource) = self.resource(scan.resource)? else { return Ok(Vec::new()) };
        let (low, high) = scan.half_open();
        let limit = i64::try_from(scan.capped()).unwrap_or(i64::MAX);
        let which = usize::from(scan.direction == Direction::Backward) * 2 + usize::from(high.is_none());
        let mut statement = self.sql(self.connection()?.prepare_cached(&space.scan[which]))?;
        let mut values: Vec<&dyn ToSql> = vec![&resource, &low, &limit];
        values.extend(high.as_ref().map(|high| high as &dyn ToSql));
        let rows = self.sql(statement.query_map(&values[..], |found| {
            Ok(Row {
                key: found.get(0)?,
                value: Sealed::from_stored(found.get(1)?),
                version: version(found.get(2)?),
            })
        }))?;
        self.sql(rows.collect())
    }

    /// Every resource with a row.
    pub(super) fn resources(&self) -> Result<Vec<ResourceId>, EngineError> {
        let spaces = self.readers.shared.spaces();
        let mut found = Vec::new();
        for (resource, number) in self.readers.shared.resources() {
            for space in &spaces {
                let mut statement = self.sql(self.connection()?.prepare_cached(&space.any))?;
                if self.sql(statement.query_row([number], |row| row.get(0)))? {
                    found.push(resource);
                    break;
                }
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Reads the whole file, and says the first thing that is wrong.
    pub(super) fn check(&self) -> Result<(), EngineError> {
        let asked =
            self.connection()?.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
        match self.sql(asked)?.as_str() {
            "ok" => Ok(()),
            other => Err(EngineError::Corrupt { path: self.path(), detail: other.to_owned() }),
        }
    }

    /// A resource nobody has announced may still be in this view: its commit may be durable and not yet acknowledged.
    fn resource(&self, resource: ResourceId) -> Result<Option<i64>, EngineError> {
        match self.readers.shared.resource(resource) {
            Some(number) => Ok(Some(number)),
            None => self.sql(find_resource(self.connection()?, resource)),
        }
    }

    fn connection(&self) -> Result<&Connection, EngineError> {
        self.connection.as_ref().ok_or(EngineError::Closed)
    }

    fn path(&self) -> PathBuf {
        self.readers.shared.path.clone()
    }

    fn sql<T>(&self, result: rusqlite::Result<T>) -> Result<T, EngineError> {
        result.map_err(|error| fault::of(&self.readers.shared.path, &error))
    }
}

/// A read transaction.
pub(super) struct View {
    lease: Lease,
    begun: bool,
}

impl View {
    fn begin(&mut self) -> Result<&Lease, EngineError> {
        if !self.begun {
            let mut statement = self.lease.sql(self.lease.connection()?.prepare_cached("BEGIN"))?;
            self.lease.sql(statement.execute([]))?;
            self.begun = true;
        }
        Ok(&self.lease)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if !self.begun {
            return;
        }
        let ended = self.lease.connection().is_ok_and(|connection| {
            connection.prepare_cached("ROLLBACK").is_ok_and(|mut statement| statement.execute([]).is_ok())
        });
        if !ended {
            // A connection that may still be in its transaction must not be lent again.
            self.lease.connection = None;
        }
    }
}

impl Snapshot for View {
    fn get<'a>(&'a mut self, row: &'a RowKey) -> BoxFuture<'a, Result<Option<Row>, EngineError>> {
        let found = self.begin().and_then(|lease| lease.get(row));
        Box::pin(std::future::ready(found))
    }

    fn multi_get<'a>(
        &'a mut self,
        rows: &'a [RowKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Row>>, EngineError>> {
        let found = self.begin().and_then(|lease| rows.iter().map(|row| lease.get(row)).collect());
        Box::pin(std::future::ready(found))
    }

    fn scan<'a>(&'a mut self, scan: &'a Scan) -> BoxFuture<'a, Result<Vec<Row>, EngineError>> {
        let found = self.begin().and_then(|lease| lease.scan(scan));
        Box::pin(std::future::ready(found))
    }
}

/// SQLite keeps signed numbers; versions begin at 1 and never come near the end of either.
fn version(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}
