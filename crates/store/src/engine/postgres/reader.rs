//! Reading: single statements, and views of one moment (a repeatable-read transaction).

use std::sync::Arc;

use guard::Sealed;
use tokio_postgres::Row as Found;
use tokio_postgres::types::{FromSql, ToSql};

use super::connect::Lease;
use super::fault;
use super::schema::{Schema, Statements};
use super::types::{Sending, Uuid, pipelined, send, version};
use crate::commit::{Row, RowKey};
use crate::engine::{BoxFuture, EngineError, Snapshot};
use crate::keyspace::KeyspaceDef;
use crate::scan::{Direction, Scan};

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A view of one moment, which begins with its first read.
pub(super) struct View {
    lease: Lease,
    schema: Schema,
    begun: bool,
}

impl View {
    pub(super) fn new(lease: Lease, schema: Schema) -> Self {
        Self { lease, schema, begun: false }
    }

    /// One row, without a transaction around it.
    pub(super) async fn get_now(&mut self, row: &RowKey) -> Result<Option<Row>, EngineError> {
        let space = self.schema.space(row.keyspace)?;
        let found = self.query(&space.get, &[&Uuid(row.resource), &row.key], false).await?;
        found.first().map(|found| as_row(row.key.clone(), found, 0)).transpose()
    }

    async fn get_here(&mut self, row: &RowKey) -> Result<Option<Row>, EngineError> {
        let space = self.schema.space(row.keyspace)?;
        let found = self.query(&space.get, &[&Uuid(row.resource), &row.key], true).await?;
        found.first().map(|found| as_row(row.key.clone(), found, 0)).transpose()
    }

    /// One statement for each keyspace asked for.
    async fn multi_get_here(&mut self, rows: &[RowKey]) -> Result<Vec<Option<Row>>, EngineError> {
        let mut answers: Vec<Option<Row>> = rows.iter().map(|_| None).collect();
        let mut spaces: Vec<(&'static KeyspaceDef, Vec<usize>)> = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            match spaces.iter_mut().find(|(def, _)| *def == row.keyspace) {
                Some((_, places)) => places.push(at),
                None => spaces.push((row.keyspace, vec![at])),
            }
        }
        for (def, places) in spaces {
            let space: Arc<Statements> = self.schema.space(def)?;
            let resources: Vec<Uuid> = places.iter().map(|at| Uuid(rows[*at].resource)).collect();
            let keys: Vec<&[u8]> = places.iter().map(|at| &rows[*at].key[..]).collect();
            for found in self.query(&space.multi_get, &[&resources, &keys], true).await? {
                let place = usize::try_from(column::<i64>(&found, 0)? - 1).unwrap_or(usize::MAX);
                if let Some(at) = places.get(place) {
                    answers[*at] = Some(as_row(rows[*at].key.clone(), &found, 1)?);
                }
            }
        }
        Ok(answers)
    }

    async fn scan_here(&mut self, scan: &Scan) -> Result<Vec<Row>, EngineError> {
        let space = self.schema.space(scan.keyspace)?;
        let (low, high) = scan.half_open();
        let (resource, limit) = (Uuid(scan.resource), i64::try_from(scan.capped()).unwrap_or(i64::MAX));
        let which = usize::from(scan.direction == Direction::Backward) * 2 + usize::from(high.is_none());
        let mut values: Vec<&(dyn ToSql + Sync)> = vec![&resource, &low, &limit];
        values.extend(high.as_ref().map(|high| high as &(dyn ToSql + Sync)));
        let found = self.query(&space.scan[which], &values, true).await?;
        found.iter().map(|row| as_row(column(row, 0)?, row, 1)).collect()
    }

    /// Sends a statement, the first one together with the beginning of the transaction.
    async fn query(
        &mut self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
        within: bool,
    ) -> Result<Vec<Found>, EngineError> {
        let client = self.lease.client()?;
        let statement = client.prepare_cached(sql).await.map_err(|error| fault::of(&error))?;
        let begin = within && !self.begun;
        self.begun |= begin;
        let mut sending: Vec<Sending<'_>> = Vec::with_capacity(2);
        if begin {
            sending.push(Box::pin(async move { client.batch_execute(BEGIN).await.map(|()| Vec::new()) }));
        }
        sending.push(Box::pin(async { client.query(&statement, values).await }));
        let mut answers = pipelined(sending).await.map_err(|error| fault::of(&error))?;
        Ok(answers.pop().unwrap_or_default())
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if self.begun
            && let Ok(client) = self.lease.client()
        {
            // In line before whatever the connection's next user sends.
            send(client.batch_execute("ROLLBACK"));
        }
    }
}

impl Snapshot for View {
    fn get<'a>(&'a mut self, row: &'a RowKey) -> BoxFuture<'a, Result<Option<Row>, EngineError>> {
        Box::pin(self.get_here(row))
    }

    fn multi_get<'a>(
        &'a mut self,
        rows: &'a [RowKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Row>>, EngineError>> {
        Box::pin(self.multi_get_here(rows))
    }

    fn scan<'a>(&'a mut self, scan: &'a Scan) -> BoxFuture<'a, Result<Vec<Row>, EngineError>> {
        Box::pin(self.scan_here(scan))
    }
}

fn column<'a, T: FromSql<'a>>(row: &'a Found, at: usize) -> Result<T, EngineError> {
    row.try_get(at).map_err(|error| fault::of(&error))
}

/// A row whose value and version are the columns from `at` on.
fn as_row(key: Vec<u8>, found: &Found, at: usize) -> Result<Row, EngineError> {
    Ok(Row { key, value: Sealed::from_stored(column(found, at)?), version: version(column(found, at + 1)?) })
}
