//! What PostgreSQL says, turned into errors that say what to do. Only the server's code and message are taken over, never
//! its detail, which may quote a row.

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

use crate::engine::EngineError;

/// How errors name the place.
pub(super) const DATABASE: &str = "the PostgreSQL database";

/// From a statement or a connection.
pub(super) fn of(error: &tokio_postgres::Error) -> EngineError {
    let Some(said) = error.as_db_error() else {
        return EngineError::Unavailable(format!("postgresql: {error}"));
    };
    let detail = format!("{} {}", said.code().code(), said.message());
    let code = said.code();
    if *code == SqlState::DISK_FULL {
        EngineError::DiskFull { path: DATABASE.into() }
    } else if *code == SqlState::DATA_CORRUPTED || *code == SqlState::INDEX_CORRUPTED {
        EngineError::Corrupt { path: DATABASE.into(), detail }
    } else if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        EngineError::Unavailable(
            "postgresql: the server is a read-only standby: connect to the primary".to_owned(),
        )
    } else {
        EngineError::Unavailable(format!("postgresql: {detail}"))
    }
}

/// From the pool.
pub(super) fn of_pool(error: &PoolError) -> EngineError {
    match error {
        PoolError::Closed => EngineError::Closed,
        PoolError::Backend(error) => of(error),
        PoolError::Timeout(_) => {
            EngineError::Unavailable("postgresql: no connection became free in time".to_owned())
        }
        other => EngineError::Unavailable(format!("postgresql: {other}")),
    }
}
