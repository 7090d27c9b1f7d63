//! The tables and the statements upon them (`docs/formats/store.md`), and what operators ask of the whole of them.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use base::ResourceId;
use base::limits::MAX_KEY;
use tokio_postgres::Row;

use super::connect::Lease;
use super::types::Uuid;
use super::{exchange, fault};
use crate::engine::EngineError;
use crate::keyspace::{Class, KeyspaceDef};

/// The format of the tables.
const FORMAT: i64 = 1;

/// The prepared keyspaces of one schema. Cheap to clone.
#[derive(Clone)]
pub(super) struct Schema {
    spaces: Arc<RwLock<HashMap<&'static str, Arc<Statements>>>>,
    /// Begins a batch: no other node's batch runs at the same time in this schema.
    pub(super) begin: Arc<str>,
}

/// The statements of one keyspace, made once.
pub(super) struct Statements {
    pub(super) def: &'static KeyspaceDef,
    pub(super) get: String,
    pub(super) multi_get: String,
    /// Forward below a bound, forward without one, backward below a bound, backward without one.
    pub(super) scan: [String; 4],
    pub(super) versions: String,
    pub(super) lasts: String,
    pub(super) put: String,
    pub(super) delete: String,
}

/// Greater than every key, for ranges without an end.
pub(super) fn past_every_key() -> Vec<u8> {
    vec![0xFF; MAX_KEY + 1]
}

impl Statements {
    fn new(def: &'static KeyspaceDef) -> Self {
        let table = format!("ks_{}", def.name);
        let scan = |order: &str, bound: &str| {
            format!(
                "SELECT key, value, version FROM {table} WHERE resource = $1 AND key >= $2{bound} \
                 ORDER BY key {order} LIMIT $3"
            )
        };
        Self {
            def,
            get: format!("SELECT value, version FROM {table} WHERE resource = $1 AND key = $2"),
            multi_get: format!(
                "SELECT t.n, s.value, s.version FROM unnest($1::uuid[], $2::bytea[]) WITH ORDINALITY AS t (r, k, n) \
                 JOIN {table} s ON s.resource = t.r AND s.key = t.k"
            ),
            scan: [
                scan("ASC", " AND key < $4"),
                scan("ASC", ""),
                scan("DESC", " AND key < $4"),
                scan("DESC", ""),
            ],
            versions: format!(
                "SELECT t.n, s.version FROM unnest($1::uuid[], $2::bytea[]) WITH ORDINALITY AS t (r, k, n) \
                 JOIN {table} s ON s.resource = t.r AND s.key = t.k"
            ),
            lasts: format!(
                "SELECT t.n, l.key FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) \
                 WITH ORDINALITY AS t (r, low, high, n) CROSS JOIN LATERAL \
                 (SELECT key FROM {table} WHERE resource = t.r AND key >= t.low AND key < t.high \
                 ORDER BY key DESC LIMIT 1) l"
            ),
            put: format!(
                "INSERT INTO {table} (resource, key, value, version) \
                 SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bigint[]) \
                 ON CONFLICT (resource, key) DO UPDATE SET value = excluded.value, version = excluded.version"
            ),
            delete: format!(
                "DELETE FROM {table} s USING unnest($1::uuid[], $2::bytea[]) AS t (r, k) \
                 WHERE s.resource = t.r AND s.key = t.k"
            ),
        }
    }

    /// Values are noise: trying to compress them would be wasted. Deleted keys are vacuumed soon.
    fn create(&self) -> String {
        let name = self.def.name;
        let eager = match self.def.class {
            Class::Content => "",
            Class::Key => " WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1)",
        };
        format!(
            "CREATE TABLE IF NOT EXISTS ks_{name} (resource uuid NOT NULL, key bytea NOT NULL, \
             value bytea NOT NULL, version bigint NOT NULL, PRIMARY KEY (resource, key)){eager}; \
             ALTER TABLE ks_{name} ALTER COLUMN value SET STORAGE EXTERNAL;"
        )
    }
}

pub(super) async fn text(lease: &Lease, sql: &str) -> Result<String, EngineError> {
    let row = lease.client()?.query_one(sql, &[]).await.map_err(|error| fault::of(&error))?;
    row.try_get(0).map_err(|error| fault::of(&error))
}

async fn rows(lease: &Lease, sql: &str) -> Result<Vec<Row>, EngineError> {
    lease.client()?.query(sql, &[]).await.map_err(|error| fault::of(&error))
}

pub(super) async fn run(lease: &Lease, sql: &str) -> Result<(), EngineError> {
    lease.client()?.batch_execute(sql).await.map_err(|error| fault::of(&error))
}

impl Schema {
    /// Checks the server's settings and the format of the tables, and marks a new schema with the format.
    pub(super) async fn open(lease: &mut Lease) -> Result<Self, EngineError> {
        for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
            let found = text(lease, &format!("SHOW {setting}")).await?;
            if found != "on" {
                return Err(EngineError::Misconfigured { setting, found, wanted: "on" });
            }
        }
        let schema = "SELECT hashtextextended('chancery ' || current_schema(), 0)::text";
        let begin = format!("BEGIN; SELECT pg_advisory_xact_lock({});", text(lease, schema).await?);
        run(
            lease,
            &format!(
                "{begin} CREATE TABLE IF NOT EXISTS chancery_store (format bigint NOT NULL); \
                 INSERT INTO chancery_store SELECT {FORMAT} WHERE NOT EXISTS (SELECT 1 FROM chancery_store); \
                 {} COMMIT;",
                exchange::schema()
            ),
        )
        .await?;
        let found = text(lease, "SELECT format::text FROM chancery_store").await?.parse().unwrap_or(0);
        if found != FORMAT {
            return Err(EngineError::Format { path: fault::DATABASE.into(), found, expected: FORMAT });
        }
        Ok(Self { spaces: Arc::default(), begin: begin.into() })
    }

    /// The statements of a prepared keyspace.
    pub(super) fn space(&self, def: &KeyspaceDef) -> Result<Arc<Statements>, EngineError> {
        let spaces = self.spaces.read().unwrap_or_else(PoisonError::into_inner);
        spaces.get(def.name).cloned().ok_or(EngineError::UnknownKeyspace(def.name))
    }

    /// The names of the prepared keyspaces, those of keys first.
    pub(super) fn names(&self) -> Vec<&'static str> {
        let mut all = self.all();
        all.sort_by_key(|space| (matches!(space.def.class, Class::Content), space.def.name));
        all.iter().map(|space| space.def.name).collect()
    }

    fn all(&self) -> Vec<Arc<Statements>> {
        self.spaces.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Makes the tables that are missing.
    pub(super) async fn prepare(
        &self,
        lease: &mut Lease,
        keyspaces: &[&'static KeyspaceDef],
    ) -> Result<(), EngineError> {
        run(lease, &self.begin).await?;
        for def in keyspaces {
            let statements = Statements::new(def);
            let there =
                text(lease, &format!("SELECT (to_regclass('ks_{}') IS NOT NULL)::text", def.name)).await?;
            if there != "true" {
                run(lease, &statements.create()).await?;
            }
        }
        run(lease, "COMMIT").await?;
        let mut spaces = self.spaces.write().unwrap_or_else(PoisonError::into_inner);
        spaces.extend(keyspaces.iter().map(|def| (def.name, Arc::new(Statements::new(def)))));
        Ok(())
    }

    /// Every resource with a row: hops from one to the next along each primary key.
    pub(super) async fn resources(&self, lease: &Lease) -> Result<Vec<ResourceId>, EngineError> {
        let mut found = BTreeSet::new();
        for space in self.all() {
            let name = space.def.name;
            let hop = format!(
                "WITH RECURSIVE hop (r) AS ( \
                   (SELECT resource FROM ks_{name} ORDER BY resource LIMIT 1) UNION ALL \
                   SELECT (SELECT resource FROM ks_{name} WHERE resource > hop.r ORDER BY resource LIMIT 1) \
                   FROM hop WHERE hop.r IS NOT NULL) \
                 SELECT r FROM hop WHERE r IS NOT NULL"
            );
            for row in rows(lease, &hop).await? {
                found.insert(row.try_get::<_, Uuid>(0).map_err(|error| fault::of(&error))?.0);
            }
        }
        Ok(found.into_iter().collect())
    }

    /// Bytes of all tables with their indexes.
    pub(super) async fn size(&self, lease: &Lease) -> Result<u64, EngineError> {
        let mut bytes = 0;
        for space in self.all() {
            let sql = format!("SELECT pg_total_relation_size('ks_{}')::text", space.def.name);
            bytes += text(lease, &sql).await?.parse().unwrap_or(0);
        }
        Ok(bytes)
    }

    /// Reads every value. What the server finds damaged is its error.
    pub(super) async fn check(&self, lease: &Lease) -> Result<(), EngineError> {
        run(lease, "BEGIN READ ONLY; SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on;")
            .await?;
        for space in self.all() {
            // A digest makes the server fetch each value; lengths alone it knows without.
            rows(lease, &format!("SELECT count(md5(value)) FROM ks_{}", space.def.name)).await?;
        }
        run(lease, "COMMIT").await
    }
}
