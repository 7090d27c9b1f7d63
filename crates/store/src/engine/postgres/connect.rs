//! Connections: one that writes, a bounded number that read. A connection whose state is in doubt is never used again.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts,
};
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{Client, Config, Connection, NoTls, Socket};

use super::{PostgresOptions, fault};
use crate::engine::EngineError;

/// How long to wait for a free connection, and for a new one.
const CONNECT: Duration = Duration::from_secs(5);
/// When a silent server counts as lost.
const SILENT: Duration = Duration::from_secs(30);
/// The longest a batch may take before its outcome counts as unknown. Longer than the server's own limit.
const BATCH: Duration = Duration::from_secs(45);

/// Settings of every session. Plans are made once and always by the index: all access is by primary key, and a plan made
/// while a table was small must not read it whole when it has grown. A node that hangs lets go of its locks in time.
/// The search path is quoted by the caller.
const SESSION: &str = "SET synchronous_commit = on; SET plan_cache_mode = force_generic_plan; \
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; \
    SET statement_timeout = '30s'; SET lock_timeout = '20s'; \
    SET idle_in_transaction_session_timeout = '30s';";

/// The pools. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connections {
    writer: Pool,
    readers: Pool,
    config: Arc<Config>,
    session: Arc<str>,
}

/// A connection, lent. It goes back only after [`Lease::done`], or when reading left nothing open.
pub(super) struct Lease {
    object: Option<Object>,
    keep: bool,
}

impl Connections {
    pub(super) fn new(options: &PostgresOptions) -> Result<Self, EngineError> {
        let mut config: Config = options.url.expose().parse().map_err(|_| {
            EngineError::Unavailable(
                "the PostgreSQL connection string is malformed: see libpq's documentation".into(),
            )
        })?;
        config.connect_timeout(CONNECT).keepalives_idle(SILENT / 2).tcp_user_timeout(SILENT);
        if config.get_application_name().is_none() {
            config.application_name("chancery");
        }
        let session = match &options.schema {
            None => SESSION.to_owned(),
            Some(schema) if fits(schema) => {
                format!("CREATE SCHEMA IF NOT EXISTS {schema}; SET search_path = {schema}; {SESSION}")
            }
            Some(_) => {
                return Err(EngineError::Unavailable(
                    "the schema's name must be 1 to 63 of a-z, 0-9 and _, not beginning with a digit".into(),
                ));
            }
        };
        Ok(Self {
            writer: pool(&config, &session, 1)?,
            readers: pool(&config, &session, options.readers.max(1))?,
            config: Arc::new(config),
            session: session.into(),
        })
    }

    /// The connection that writes; batches take turns on it.
    pub(super) async fn writer(&self) -> Result<Lease, EngineError> {
        let object = self.writer.get().await.map_err(|error| fault::of_pool(&error))?;
        Ok(Lease { object: Some(object), keep: false })
    }

    /// One that reads. Single statements leave nothing open, so it goes back by itself.
    pub(super) async fn reader(&self) -> Result<Lease, EngineError> {
        let object = self.readers.get().await.map_err(|error| fault::of_pool(&error))?;
        Ok(Lease { object: Some(object), keep: true })
    }

    /// One beside the pools, with who keeps it going; [`Self::begin`] has yet to be done.
    pub(super) async fn alone(&self) -> Result<(Client, Connection<Socket, NoTlsStream>), EngineError> {
        self.config.connect(NoTls).await.map_err(|error| fault::of(&error))
    }

    /// Settings of every session.
    pub(super) async fn begin(&self, client: &Client) -> Result<(), EngineError> {
        client.batch_execute(&self.session).await.map_err(|error| fault::of(&error))
    }

    /// Waits for the batch under way, then lets go of everything.
    pub(super) async fn close(&self) {
        let last = self.writer.get().await;
        self.writer.close();
        self.readers.close();
        drop(last);
    }
}

impl Lease {
    /// The client.
    pub(super) fn client(&self) -> Result<&Object, EngineError> {
        self.object.as_ref().ok_or(EngineError::Closed)
    }

    /// Nothing is open on it and nothing in doubt.
    pub(super) fn done(&mut self) {
        self.keep = true;
    }

    /// What happens on it next must end with [`Lease::done`].
    pub(super) fn doubt(&mut self) {
        self.keep = false;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(object) = self.object.take().filter(|_| !self.keep) {
            // Taken out of the pool, it is closed; the server undoes what was not committed.
            drop(Object::take(object));
        }
    }
}

/// Gives up waiting for a batch; its connection is then closed, and whether it happened is unknown.
pub(super) async fn in_time<T>(
    batch: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, EngineError> {
    let late =
        || EngineError::Unavailable("postgresql: no answer in time; the outcome is unknown".to_owned());
    tokio::time::timeout(BATCH, batch).await.map_err(|_| late())?
}

fn fits(schema: &str) -> bool {
    let part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=63).contains(&schema.len())
        && schema.bytes().all(part)
        && !schema.starts_with(|first: char| first.is_ascii_digit())
}

fn pool(config: &Config, session: &str, most: usize) -> Result<Pool, EngineError> {
    let recycling_method = RecyclingMethod::Fast;
    let manager = Manager::from_config(config.clone(), NoTls, ManagerConfig { recycling_method });
    let session = session.to_owned();
    let begin = Hook::async_fn(move |client: &mut deadpool_postgres::ClientWrapper, _| {
        let session = session.clone();
        Box::pin(async move { client.batch_execute(&session).await.map_err(HookError::Backend) })
    });
    let timeouts = Timeouts { wait: Some(SILENT), create: Some(CONNECT), recycle: Some(CONNECT) };
    Pool::builder(manager)
        .max_size(most)
        .timeouts(timeouts)
        .runtime(Runtime::Tokio1)
        .post_create(begin)
        .build()
        .map_err(|error| EngineError::Unavailable(format!("postgresql: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_names_cannot_carry_sql() {
        for good in ["a", "cell_europe", "_x9", &"a".repeat(63)] {
            assert!(fits(good), "{good}");
        }
        for bad in ["", "9a", "A", "a b", "a;drop", "a\"", "é", &"a".repeat(64)] {
            assert!(!fits(bad), "{bad}");
        }
    }

    #[test]
    fn a_malformed_address_is_refused_without_being_repeated() {
        let options = PostgresOptions::new("host=x password=hunter2 nonsense");
        let error = Connections::new(&options).err().unwrap().to_string();
        assert!(error.contains("malformed") && !error.contains("hunter2"), "{error}");
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
