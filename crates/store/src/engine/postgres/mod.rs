//! The engine over PostgreSQL, for any number of equal nodes: one table for each keyspace, each batch one transaction of
//! multi-row statements with two waits for the server. It must never see a value unsealed.
//!
//! Connections are not encrypted yet: use a local socket, loopback, or a tunnel. Values are sealed all the same; what an
//! eavesdropper would learn are keys (opaque ids) and sizes.

mod batch;
mod connect;
mod exchange;
mod fault;
mod purge;
mod reader;
mod schema;
mod types;

use std::sync::Arc;

use base::{ResourceId, Secret};

use self::connect::Connections;
use self::exchange::Channel;
pub use self::purge::Rewritten;
use self::schema::Schema;
use crate::commit::{Commit, Row, RowKey};
use crate::engine::{BoxFuture, Engine, EngineError, Exchange, Fates, Snapshot};
use crate::keyspace::KeyspaceDef;

/// How a database is used.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// A connection string as libpq takes it: `postgresql://...` or `host=... user=...`.
    pub url: Secret<String>,
    /// The schema that holds the tables, made when it is missing: 1 to 63 of a-z, 0-9 and _, not beginning with a
    /// digit. `None` for the one the database chooses. Two cells must never share one.
    pub schema: Option<String>,
    /// The most connections that read at once; further reads wait. One more connection writes.
    pub readers: usize,
}

impl PostgresOptions {
    /// The usual options for this database.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: Secret::new(url.into()), schema: None, readers: 16 }
    }
}

/// A cell's tables in a PostgreSQL database.
pub struct PostgresEngine {
    connections: Connections,
    schema: Schema,
    channel: Arc<Channel>,
}

impl PostgresEngine {
    /// Connects, and refuses a database that could lose what it acknowledged.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] when it cannot be reached, [`EngineError::Misconfigured`] when a setting is unsafe,
    /// [`EngineError::Format`] when another version of this program made the tables.
    pub async fn open(options: &PostgresOptions) -> Result<Self, EngineError> {
        let connections = Connections::new(options)?;
        let mut lease = connections.writer().await?;
        let schema = Schema::open(&mut lease).await?;
        lease.done();
        drop(lease);
        let channel = Arc::new(Channel::open(connections.clone()).await?);
        Ok(Self { connections, schema, channel })
    }

    async fn read(&self) -> Result<reader::View, EngineError> {
        Ok(reader::View::new(self.connections.reader().await?, self.schema.clone()))
    }
}

impl Engine for PostgresEngine {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn prepare<'a>(
        &'a self,
        keyspaces: &'a [&'static KeyspaceDef],
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move {
            KeyspaceDef::check_all(keyspaces)?;
            let mut lease = self.connections.writer().await?;
            self.schema.prepare(&mut lease, keyspaces).await?;
            lease.done();
            Ok(())
        })
    }

    fn get<'a>(&'a self, row: &'a RowKey) -> BoxFuture<'a, Result<Option<Row>, EngineError>> {
        Box::pin(async move { self.read().await?.get_now(row).await })
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, EngineError>> {
        Box::pin(async move { Ok(Box::new(self.read().await?) as Box<dyn Snapshot>) })
    }

    fn apply(&self, batch: Vec<Commit>) -> BoxFuture<'_, Result<Fates, EngineError>> {
        Box::pin(async move {
            if batch.is_empty() {
                return Ok(Vec::new());
            }
            let mut lease = self.connections.writer().await?;
            let fates = connect::in_time(batch::apply(&lease, &self.schema, batch)).await?;
            lease.done();
            Ok(fates)
        })
    }

    fn resources(&self) -> BoxFuture<'_, Result<Vec<ResourceId>, EngineError>> {
        Box::pin(async move { self.schema.resources(&self.connections.reader().await?).await })
    }

    /// Reads every value through the server, which verifies its pages when the cluster was made with checksums.
    fn check(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async move {
            let mut lease = self.connections.reader().await?;
            lease.doubt();
            self.schema.check(&lease).await?;
            lease.done();
            Ok(())
        })
    }

    fn size(&self) -> BoxFuture<'_, Result<u64, EngineError>> {
        Box::pin(async move { self.schema.size(&self.connections.reader().await?).await })
    }

    fn exchange(&self) -> Option<Arc<dyn Exchange>> {
        Some(Arc::clone(&self.channel) as _)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async move {
            self.connections.close().await;
            Ok(())
        })
    }
}
