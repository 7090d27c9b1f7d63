//! The tables of a store file and the statements upon them (`docs/formats/store.md`). It must never see a value.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use base::ResourceId;
use rusqlite::{Connection, OptionalExtension};

use super::lock::StoreLock;
use super::{SqliteOptions, connect, fault};
use crate::engine::EngineError;
use crate::keyspace::KeyspaceDef;

/// Marks a file as ours: `CHNC`.
const APPLICATION: i64 = 0x4348_4E43;
/// The format of the tables.
const FORMAT: i64 = 1;

/// What the threads and the readers of one store share.
pub(super) struct Shared {
    pub(super) path: PathBuf,
    pub(super) page_size: u32,
    spaces: RwLock<HashMap<&'static str, Arc<Statements>>>,
    /// The numbers of resources whose creation is durable.
    resources: RwLock<HashMap<ResourceId, i64>>,
    /// Held by the writer during a batch, and by a checkpoint that must stop it: SQLite's own way to wait is to sleep.
    pub(super) gate: Mutex<()>,
    lock: Mutex<Option<StoreLock>>,
}

/// The statements of one keyspace, made once.
pub(super) struct Statements {
    pub(super) def: &'static KeyspaceDef,
    pub(super) get: String,
    pub(super) version: String,
    pub(super) value: String,
    pub(super) put: String,
    pub(super) delete: String,
    pub(super) any: String,
    /// The greatest key from a smallest one on: below a bound, and without one.
    pub(super) last: [String; 2],
    /// Forward below a bound, forward without one, backward below a bound, backward without one.
    pub(super) scan: [String; 4],
}

impl Statements {
    fn new(def: &'static KeyspaceDef) -> Self {
        let table = format!("ks_{}", def.name);
        let scan = |order: &str, bound: &str| {
            format!(
                "SELECT key, value, version FROM {table} WHERE resource=?1 AND key>=?2{bound} \
                 ORDER BY key {order} LIMIT ?3"
            )
        };
        let last = |bound: &str| {
            format!("SELECT key FROM {table} WHERE resource=?1 AND key>=?2{bound} ORDER BY key DESC LIMIT 1")
        };
        Self {
            def,
            get: format!("SELECT value, version FROM {table} WHERE resource=?1 AND key=?2"),
            version: format!("SELECT version FROM {table} WHERE resource=?1 AND key=?2"),
            value: format!("SELECT value=?3 FROM {table} WHERE resource=?1 AND key=?2"),
            put: format!(
                "INSERT INTO {table} (resource, key, version, value) VALUES (?1, ?2, 1, ?3) \
                 ON CONFLICT (resource, key) DO UPDATE SET version=version+1, value=excluded.value"
            ),
            delete: format!("DELETE FROM {table} WHERE resource=?1 AND key=?2"),
            any: format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE resource=?1)"),
            last: [last(" AND key<?3"), last("")],
            scan: [
                scan("ASC", " AND key<?4"),
                scan("ASC", ""),
                scan("DESC", " AND key<?4"),
                scan("DESC", ""),
            ],
        }
    }

    /// Rows in the order they arrived, found by an index: clustering on the key would rewrite a page for each row.
    fn create(&self) -> String {
        let name = self.def.name;
        format!(
            "CREATE TABLE IF NOT EXISTS ks_{name} (resource INTEGER NOT NULL, key BLOB NOT NULL, \
             version INTEGER NOT NULL, value BLOB NOT NULL); \
             CREATE UNIQUE INDEX IF NOT EXISTS ix_{name} ON ks_{name} (resource, key);"
        )
    }
}

impl Shared {
    /// The statements of a prepared keyspace.
    pub(super) fn space(&self, def: &KeyspaceDef) -> Result<Arc<Statements>, EngineError> {
        let spaces = self.spaces.read().unwrap_or_else(PoisonError::into_inner);
        spaces.get(def.name).cloned().ok_or(EngineError::UnknownKeyspace(def.name))
    }

    /// Every prepared keyspace.
    pub(super) fn spaces(&self) -> Vec<Arc<Statements>> {
        self.spaces.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Makes the tables of a keyspace and remembers its statements.
    pub(super) fn add(
        &self,
        connection: &Connection,
        def: &'static KeyspaceDef,
    ) -> Result<Arc<Statements>, EngineError> {
        let statements = Arc::new(Statements::new(def));
        connection.execute_batch(&statements.create()).map_err(|error| fault::of(&self.path, &error))?;
        let mut spaces = self.spaces.write().unwrap_or_else(PoisonError::into_inner);
        spaces.insert(def.name, Arc::clone(&statements));
        Ok(statements)
    }

    /// The number of a resource, when it is known to be durable.
    pub(super) fn resource(&self, resource: ResourceId) -> Option<i64> {
        self.resources.read().unwrap_or_else(PoisonError::into_inner).get(&resource).copied()
    }

    /// Every known resource.
    pub(super) fn resources(&self) -> Vec<(ResourceId, i64)> {
        let resources = self.resources.read().unwrap_or_else(PoisonError::into_inner);
        resources.iter().map(|(resource, number)| (*resource, *number)).collect()
    }

    /// Tells everybody of resources whose numbers were committed.
    pub(super) fn publish(&self, new: impl Iterator<Item = (ResourceId, i64)>) {
        self.resources.write().unwrap_or_else(PoisonError::into_inner).extend(new);
    }

    /// Lets others open the store.
    pub(super) fn unlock(&self) {
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Bytes of the file and its journal.
    pub(super) fn size(&self) -> Result<u64, EngineError> {
        let file = std::fs::metadata(&self.path).map_err(|error| fault::of_io(&self.path, &error))?;
        Ok(file.len() + std::fs::metadata(journal(&self.path)).map_or(0, |journal| journal.len()))
    }
}

/// The name of the journal.
pub(super) fn journal(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Looks up a resource in the tables; a reader does so within its own view, for one it does not know.
pub(super) fn find_resource(connection: &Connection, resource: ResourceId) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT id FROM resource WHERE uuid=?1")?;
    statement.query_row([&resource.as_bytes()[..]], |row| row.get(0)).optional()
}

/// Takes the lock, makes or checks the file, and reads the resources' numbers.
pub(super) fn open(options: &SqliteOptions) -> Result<Shared, EngineError> {
    let path = &options.path;
    let lock = StoreLock::take(path)?;
    create_file(path).map_err(|error| fault::of_io(path, &error))?;
    let connection = connect::first(path)?;
    let sql = |error: rusqlite::Error| fault::of(path, &error);
    let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0)).map_err(sql);
    let application = number("PRAGMA application_id")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    if application == 0 && tables == 0 {
        let make = format!(
            "BEGIN IMMEDIATE; \
             CREATE TABLE resource (id INTEGER PRIMARY KEY, uuid BLOB NOT NULL UNIQUE); \
             PRAGMA application_id={APPLICATION}; PRAGMA user_version={FORMAT}; COMMIT;"
        );
        connection.execute_batch(&make).map_err(sql)?;
    } else {
        let found = if application == APPLICATION { number("PRAGMA user_version")? } else { 0 };
        if found != FORMAT {
            return Err(EngineError::Format { path: path.clone(), found, expected: FORMAT });
        }
    }
    let page_size = u32::try_from(number("PRAGMA page_size")?).unwrap_or(connect::PAGE_SIZE);
    let resources = read_resources(&connection).map_err(sql)?;
    Ok(Shared {
        path: path.clone(),
        page_size,
        spaces: RwLock::default(),
        resources: RwLock::new(resources),
        gate: Mutex::new(()),
        lock: Mutex::new(Some(lock)),
    })
}

fn read_resources(connection: &Connection) -> rusqlite::Result<HashMap<ResourceId, i64>> {
    let mut statement = connection.prepare("SELECT uuid, id FROM resource")?;
    let rows = statement.query_map([], |row| Ok((ResourceId::from_bytes(row.get(0)?), row.get(1)?)))?;
    rows.collect()
}

/// Makes the file readable to its owner only, which SQLite extends to the files beside it, and its name durable.
fn create_file(path: &Path) -> std::io::Result<()> {
    let new = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path);
    match new {
        Ok(file) => file.sync_all()?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::Class;

    static DEF: KeyspaceDef = KeyspaceDef { name: "t", class: Class::Content };

    #[test]
    fn every_statement_uses_the_index() {
        let connection = Connection::open_in_memory().unwrap();
        let statements = Statements::new(&DEF);
        connection.execute_batch(&statements.create()).unwrap();
        let mut looked_at =
            vec![(&statements.get, false), (&statements.version, false), (&statements.any, true)];
        looked_at.extend(statements.last.iter().map(|sql| (sql, true)));
        looked_at.extend(statements.scan.iter().map(|sql| (sql, false)));
        looked_at.push((&statements.delete, false));
        for (sql, covering) in looked_at {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let plan: Vec<String> =
                plan.raw_query().mapped(|row| row.get(3)).collect::<Result<_, _>>().unwrap();
            let plan = plan.join("; ");
            let index = if covering {
                "USING COVERING INDEX ix_t (resource=?"
            } else {
                "USING INDEX ix_t (resource=?"
            };
            assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        }
    }

    #[test]
    fn a_file_of_another_program_or_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(folder.path().join("s"));
        drop(open(&options).unwrap());
        drop(open(&options).unwrap());
        let connection = Connection::open(&options.path).unwrap();
        connection.execute_batch("PRAGMA user_version=7").unwrap();
        let later = open(&options).err().unwrap();
        assert!(matches!(later, EngineError::Format { found: 7, expected: 1, .. }), "{later}");
        connection.execute_batch("PRAGMA user_version=1; PRAGMA application_id=99").unwrap();
        assert!(matches!(open(&options).err().unwrap(), EngineError::Format { found: 0, .. }));
    }

    #[test]
    fn the_file_is_its_owners_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(folder.path().join("s"));
        let shared = open(&options).unwrap();
        for path in [shared.path.clone(), super::super::lock::beside(&shared.path)] {
            assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(shared.size().unwrap() > 0);
    }
}
