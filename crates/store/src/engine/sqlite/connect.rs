//! Connections to the store file, each with the settings of its work.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::schema::Shared;
use super::{SqliteOptions, fault};
use crate::engine::EngineError;

/// The size of a page of a new file, in bytes.
pub(super) const PAGE_SIZE: u32 = 4096;
/// How long the writer waits for a lock that only another program could hold: those of this one are coordinated.
const FOREIGN_LOCK: Duration = Duration::from_secs(10);
/// How long a checkpoint holds up writers for readers of an old moment, before it gives up until the next time.
const READERS_LEAVE: Duration = Duration::from_millis(50);
/// Room for every statement of every keyspace in a connection's cache.
const STATEMENTS: usize = 256;

fn open(path: &Path, readonly: bool) -> Result<Connection, EngineError> {
    let access = if readonly { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| fault::of(path, &error))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without this SQLite prepares a statement with a range anew for each value that is bound to it (sqlite3_prepare_v2,
    // "Goofy Interface Alert", point 3): a fifteenth of all work of a server whose threads are listened to.
    let is_stable = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true);
    is_stable.map_err(|error| fault::of(path, &error))?;
    Ok(connection)
}

fn set(connection: &Connection, path: &Path, pragmas: &str) -> Result<(), EngineError> {
    connection.execute_batch(pragmas).map_err(|error| fault::of(path, &error))
}

/// The first connection: makes a new file's pages of the right size, and turns on the journal.
pub(super) fn first(path: &Path) -> Result<Connection, EngineError> {
    let connection = open(path, false)?;
    connection.busy_timeout(FOREIGN_LOCK).map_err(|error| fault::of(path, &error))?;
    set(&connection, path, &format!("PRAGMA page_size={PAGE_SIZE}; PRAGMA journal_mode=WAL;"))?;
    Ok(connection)
}

/// The one connection that writes. `synchronous=FULL` makes each commit durable before it is acknowledged;
/// `secure_delete` overwrites what is deleted; checkpoints are another thread's work. The cache is kept small because SQLite
/// walks its whole table at the end of each transaction that split a page: 64 MiB cost a tenth of the processor time.
pub(super) fn writer(options: &SqliteOptions, shared: &Shared) -> Result<Connection, EngineError> {
    let path = &options.path;
    let connection = open(path, false)?;
    connection.busy_timeout(FOREIGN_LOCK).map_err(|error| fault::of(path, &error))?;
    set(
        &connection,
        path,
        "PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA wal_autocheckpoint=0;
         PRAGMA cache_size=-16384; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;",
    )?;
    if let Some(bytes) = options.max_bytes {
        let pages = (bytes / u64::from(shared.page_size)).max(1);
        set(&connection, path, &format!("PRAGMA max_page_count={pages};"))?;
    }
    Ok(connection)
}

/// The connection that moves the journal into the file.
pub(super) fn checkpointer(path: &Path) -> Result<Connection, EngineError> {
    let connection = open(path, false)?;
    connection.busy_timeout(READERS_LEAVE).map_err(|error| fault::of(path, &error))?;
    set(
        &connection,
        path,
        "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA trusted_schema=OFF;",
    )?;
    Ok(connection)
}

/// A connection that reads.
pub(super) fn reader(path: &Path) -> Result<Connection, EngineError> {
    let connection = open(path, true)?;
    // Readers wait for nobody in this mode, except for a moment while the journal starts anew.
    connection.busy_timeout(FOREIGN_LOCK).map_err(|error| fault::of(path, &error))?;
    set(
        &connection,
        path,
        "PRAGMA query_only=ON; PRAGMA cache_size=-8192; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;",
    )?;
    Ok(connection)
}
