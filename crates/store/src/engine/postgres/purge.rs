//! Rewriting tables so that the bytes of what was deleted leave PostgreSQL's files: it leaves them where they are until it
//! needs their room (PostgreSQL 15, section 25.1.2), in tables and in its journal.

use super::connect::Lease;
use super::{PostgresEngine, schema};
use crate::engine::EngineError;

/// How long a rewrite waits until nobody uses the table.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '10s'";

/// A table that was rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// Bytes it took with its indexes.
    pub before: u64,
    /// Bytes it takes now.
    pub after: u64,
}

impl PostgresEngine {
    /// The keyspaces whose tables were prepared, those of keys first, each by its name.
    #[must_use]
    pub fn tables(&self) -> Vec<&'static str> {
        self.schema.names()
    }

    /// Writes a table anew, without what was deleted. Nobody can use it meanwhile; it waits 10 s for those who do.
    ///
    /// # Errors
    /// [`EngineError::UnknownKeyspace`]; [`EngineError::Unavailable`] when it is in use for too long; or when the database
    /// fails. The table is then as it was.
    pub async fn rewrite(&self, keyspace: &'static str) -> Result<Rewritten, EngineError> {
        if !self.tables().contains(&keyspace) {
            return Err(EngineError::UnknownKeyspace(keyspace));
        }
        let lease = self.alone().await?;
        schema::run(&lease, LOCK_TIMEOUT).await?;
        let size = format!("SELECT pg_total_relation_size('ks_{keyspace}')::text");
        let before = schema::text(&lease, &size).await?.parse().unwrap_or(0);
        schema::run(&lease, &format!("VACUUM (FULL) ks_{keyspace}")).await?;
        let after = schema::text(&lease, &size).await?.parse().unwrap_or(0);
        Ok(Rewritten { before, after })
    }

    /// Ends the present segment of the journal, and lets go of those before it. They are removed where `wal_recycle` is
    /// off, and otherwise written over in time.
    ///
    /// # Errors
    /// [`EngineError::Misconfigured`] when `wal_recycle` is on; when the user may not do it (a superuser may, or who has
    /// `pg_checkpoint` and may execute `pg_switch_wal`).
    pub async fn let_go_of_journal(&self) -> Result<(), EngineError> {
        let lease = self.alone().await?;
        schema::run(&lease, "SELECT pg_switch_wal()").await?;
        schema::run(&lease, "CHECKPOINT").await?;
        let found = schema::text(&lease, "SHOW wal_recycle").await?;
        if found != "off" {
            return Err(EngineError::Misconfigured { setting: "wal_recycle", found, wanted: "off" });
        }
        Ok(())
    }

    /// A connection that nobody has after it: its settings go with it.
    async fn alone(&self) -> Result<Lease, EngineError> {
        let mut lease = self.connections.reader().await?;
        lease.doubt();
        Ok(lease)
    }
}
