//! Nodes hear each other over LISTEN and NOTIFY. Promises are rows of a table, judged by the server's clock.

use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Connection, Socket, tls::NoTlsStream};

use super::connect::Connections;
use super::fault;
use super::types::Uuid;
use crate::engine::exchange::{Attendance, Exchange, NodeName};
use crate::engine::{BoxFuture, EngineError};

/// How many texts lie ready; with one more the attendance ends, for then its node does not keep up.
const MAX_READY: usize = 16 * 1024;
/// How long a statement of who attends may take.
const IN_TIME: Duration = Duration::from_secs(5);
/// When a row is forgotten of a node that went without a word.
const GONE: &str = "1 hour";

const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS chancery_node (name uuid PRIMARY KEY, until timestamptz NOT NULL);";
/// One channel for each schema: names of channels hold for the whole database, and are no longer than 63 bytes.
const CHANNEL: &str = "SELECT 'chancery_' || md5(current_schema())";
/// A notice is nothing that must outlive the server; a promise is.
const SAY: &str = "WITH hasty AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)) \
    SELECT pg_notify($1, text) FROM hasty, unnest($2::text[]) AS text";
const PLEDGE: &str = "WITH gone AS (DELETE FROM chancery_node WHERE until < clock_timestamp() - $3::text::interval) \
    INSERT INTO chancery_node VALUES ($1, clock_timestamp() + make_interval(secs => $2)) \
    ON CONFLICT (name) DO UPDATE SET until = excluded.until";
const RETRACT: &str = "DELETE FROM chancery_node WHERE left(name::text, 18) = left($1::uuid::text, 18)";
const PLEDGED: &str = "SELECT name, extract(epoch FROM until - clock_timestamp())::float8 FROM chancery_node \
    WHERE until > clock_timestamp()";

/// Makes the table of promises where it is missing.
pub(super) const fn schema() -> &'static str {
    SCHEMA
}

/// The exchange of one schema.
pub(super) struct Channel {
    connections: Connections,
    name: String,
}

impl Channel {
    pub(super) async fn open(connections: Connections) -> Result<Self, EngineError> {
        let lease = connections.reader().await?;
        let name = super::schema::text(&lease, CHANNEL).await?;
        drop(lease);
        Ok(Self { connections, name })
    }
}

impl Exchange for Channel {
    fn attend(&self, name: NodeName) -> BoxFuture<'_, Result<Box<dyn Attendance>, EngineError>> {
        Box::pin(async move {
            let begun = async {
                let (client, connection) = self.connections.alone().await?;
                let (sender, heard) = channel(MAX_READY);
                let mut driver = JoinSet::new();
                driver.spawn(drive(connection, sender));
                self.connections.begin(&client).await?;
                let listen = format!("LISTEN {}", self.name);
                client.batch_execute(&listen).await.map_err(|error| fault::of(&error))?;
                Ok(Box::new(Present { name, client, heard, _driver: driver }) as Box<dyn Attendance>)
            };
            in_time(begun).await
        })
    }

    fn say(&self, texts: Vec<String>) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async move {
            let lease = self.connections.reader().await?;
            let client = lease.client()?;
            let statement = client.prepare_cached(SAY).await.map_err(|error| fault::of(&error))?;
            client.query(&statement, &[&self.name, &texts]).await.map_err(|error| fault::of(&error))?;
            Ok(())
        })
    }

    fn pledged(&self) -> BoxFuture<'_, Result<Vec<(NodeName, Duration)>, EngineError>> {
        Box::pin(async move {
            let lease = self.connections.reader().await?;
            let client = lease.client()?;
            let statement = client.prepare_cached(PLEDGED).await.map_err(|error| fault::of(&error))?;
            let rows = client.query(&statement, &[]).await.map_err(|error| fault::of(&error))?;
            let read = |row: &tokio_postgres::Row| {
                let left = Duration::try_from_secs_f64(row.try_get(1)?).unwrap_or_default();
                Ok((NodeName::from_bytes(*row.try_get::<_, Uuid>(0)?.0.as_bytes()), left))
            };
            rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| fault::of(&error))
        })
    }
}

/// Keeps the connection going, and passes on what is heard for as long as there is room.
async fn drive(mut connection: Connection<Socket, NoTlsStream>, heard: Sender<String>) {
    loop {
        match std::future::poll_fn(|cx| connection.poll_message(cx)).await {
            Some(Ok(AsyncMessage::Notification(said))) => {
                if heard.try_send(said.payload().to_owned()).is_err() {
                    return;
                }
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return,
        }
    }
}

async fn in_time<T>(doing: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
    let late = || EngineError::Unavailable("postgresql: no answer in time".to_owned());
    tokio::time::timeout(IN_TIME, doing).await.map_err(|_| late())?
}

struct Present {
    name: NodeName,
    client: Client,
    heard: Receiver<String>,
    _driver: JoinSet<()>,
}

impl Present {
    fn uuid(&self) -> Uuid {
        Uuid(base::ResourceId::from_bytes(*self.name.as_bytes()))
    }

    async fn execute(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<(), EngineError> {
        let done = self.client.execute(sql, values);
        in_time(async { done.await.map(drop).map_err(|error| fault::of(&error)) }).await
    }
}

impl Attendance for Present {
    fn next(&mut self) -> BoxFuture<'_, Result<String, EngineError>> {
        let ended = || EngineError::Unavailable("postgresql: the connection that listens ended".to_owned());
        Box::pin(async move { self.heard.recv().await.ok_or_else(ended) })
    }

    fn pledge(&mut self, term: Duration) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async move {
            let (name, term) = (self.uuid(), term.as_secs_f64());
            self.execute(PLEDGE, &[&name, &term, &GONE]).await
        })
    }

    fn retract(&mut self) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async move {
            let name = self.uuid();
            self.execute(RETRACT, &[&name]).await
        })
    }
}
