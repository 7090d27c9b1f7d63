//! A batch as one transaction: everything its commits look at is read at once, they are evaluated in memory, and what
//! they change is written at once. Two waits for the server, except when a commit asks for the last key of a prefix that
//! a commit before it has just deleted: then what is there so far is written and read again.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use base::ResourceId;
use guard::Sealed;
use tokio_postgres::{Error as Fault, Row as Found, Statement};

use super::connect::Lease;
use super::fault;
use super::schema::{Schema, Statements, past_every_key};
use super::types::{Sending, Uuid, pipelined, version};
use crate::commit::{Commit, CommitError, Precondition, RowKey, Write};
use crate::engine::overlay::{Base, Change, Overlay, Reload};
use crate::engine::{EngineError, Fates};
use crate::keyspace::KeyspaceDef;
use crate::scan::successor;

type Name = &'static str;

/// A prefix whose last key is asked for.
type Prefix = (Name, ResourceId, Vec<u8>);

/// What was read beforehand.
#[derive(Default)]
struct Loaded {
    versions: HashMap<RowKey, u64>,
    lasts: HashMap<Prefix, Vec<u8>>,
    values: HashMap<RowKey, Vec<u8>>,
}

impl Base for Loaded {
    fn version(&self, row: &RowKey) -> Option<u64> {
        self.versions.get(row).copied()
    }

    fn value_is(&self, row: &RowKey, value: &Sealed) -> bool {
        self.values.get(row).is_some_and(|found| found == value.as_bytes())
    }

    fn last(
        &self,
        keyspace: &'static KeyspaceDef,
        resource: ResourceId,
        prefix: &[u8],
        gone: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Option<Vec<u8>>, Reload> {
        match self.lasts.get(&(keyspace.name, resource, prefix.to_vec())) {
            Some(last) if gone(last) => Err(Reload),
            last => Ok(last.cloned()),
        }
    }
}

/// What the commits look at, in one keyspace.
struct Wanted<'b> {
    statements: Arc<Statements>,
    rows: BTreeSet<&'b RowKey>,
    /// Those whose values are asked for.
    values: BTreeSet<&'b RowKey>,
    prefixes: BTreeSet<(ResourceId, &'b [u8])>,
}

/// Applies a batch and commits it. On an error the connection must be closed: what it was doing is unknown.
pub(super) async fn apply(lease: &Lease, schema: &Schema, batch: Vec<Commit>) -> Result<Fates, EngineError> {
    let mut fates: Fates = Vec::with_capacity(batch.len());
    let mut queue: VecDeque<Commit> = batch.into();
    let mut begin = Some(&*schema.begin);
    loop {
        let loaded = load(lease, schema, &queue, begin.take()).await?;
        let mut overlay = Overlay::default();
        while let Some(commit) = queue.pop_front() {
            if let Some(missing) = commit.keyspaces().find(|def| schema.space(def).is_err()) {
                let error = EngineError::UnknownKeyspace(missing.name);
                fates.push(Err(CommitError::Unavailable(error.to_string())));
                continue;
            }
            match overlay.take(&loaded, commit) {
                Ok(fate) => fates.push(fate),
                Err((commit, Reload)) => {
                    queue.push_front(commit);
                    break;
                }
            }
        }
        write(lease, schema, overlay, queue.is_empty()).await?;
        if queue.is_empty() {
            return Ok(fates);
        }
    }
}

async fn load(
    lease: &Lease,
    schema: &Schema,
    batch: &VecDeque<Commit>,
    begin: Option<&str>,
) -> Result<Loaded, EngineError> {
    let client = lease.client()?;
    let wanted = wanted(schema, batch);
    // Statements are prepared before the transaction begins, mostly found in the connection's memory.
    let mut asked = Vec::new();
    for one in &wanted {
        if !one.rows.is_empty() {
            asked.push((one, What::Versions, prepared(lease, &one.statements.versions).await?));
        }
        if !one.values.is_empty() {
            asked.push((one, What::Values, prepared(lease, &one.statements.multi_get).await?));
        }
        if !one.prefixes.is_empty() {
            asked.push((one, What::Lasts, prepared(lease, &one.statements.lasts).await?));
        }
    }
    let mut sending: Vec<Sending<'_>> = Vec::new();
    if let Some(begin) = begin {
        sending.push(Box::pin(async move { client.batch_execute(begin).await.map(|()| Vec::new()) }));
    }
    let control = sending.len();
    for (one, what, statement) in &asked {
        sending.push(match what {
            What::Versions => ask_rows(lease, &one.rows, statement)?,
            What::Values => ask_rows(lease, &one.values, statement)?,
            What::Lasts => ask_lasts(lease, one, statement)?,
        });
    }
    let answers = pipelined(sending).await.map_err(|error| fault::of(&error))?;
    let mut loaded = Loaded::default();
    for ((one, what, _), answer) in asked.iter().zip(answers.into_iter().skip(control)) {
        loaded.learn(one, *what, answer).map_err(|error| fault::of(&error))?;
    }
    Ok(loaded)
}

/// What a statement asks for.
#[derive(Clone, Copy)]
enum What {
    Versions,
    Values,
    Lasts,
}

impl Loaded {
    /// Takes in an answer: in each row the place of what was asked for, from 1, and what was found there.
    fn learn(&mut self, one: &Wanted<'_>, what: What, answer: Vec<Found>) -> Result<(), Fault> {
        let rows: Vec<&RowKey> = match what {
            What::Versions => one.rows.iter().copied().collect(),
            What::Values => one.values.iter().copied().collect(),
            What::Lasts => Vec::new(),
        };
        let prefixes: Vec<&(ResourceId, &[u8])> = one.prefixes.iter().collect();
        for found in answer {
            let at = usize::try_from(found.try_get::<_, i64>(0)? - 1).unwrap_or(usize::MAX);
            match (what, rows.get(at), prefixes.get(at)) {
                (What::Versions, Some(row), _) => {
                    self.versions.insert((*row).clone(), version(found.try_get(1)?));
                }
                (What::Values, Some(row), _) => {
                    self.values.insert((*row).clone(), found.try_get(1)?);
                }
                (What::Lasts, _, Some((resource, prefix))) => {
                    let name = (one.statements.def.name, *resource, prefix.to_vec());
                    self.lasts.insert(name, found.try_get(1)?);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Everything the commits look at. Deletes look at nothing; commits over a limit or on unknown keyspaces will fail
/// without being looked into.
fn wanted<'b>(schema: &Schema, batch: &'b VecDeque<Commit>) -> Vec<Wanted<'b>> {
    let mut wanted: HashMap<Name, Wanted<'b>> = HashMap::new();
    let mut of = |def: &'static KeyspaceDef, add: &mut dyn FnMut(&mut Wanted<'b>)| {
        if let Some(known) = wanted.get_mut(def.name) {
            add(known);
        } else if let Ok(statements) = schema.space(def) {
            let mut new = Wanted {
                statements,
                rows: BTreeSet::new(),
                values: BTreeSet::new(),
                prefixes: BTreeSet::new(),
            };
            add(&mut new);
            wanted.insert(def.name, new);
        }
    };
    for commit in batch.iter().filter(|commit| commit.measure().is_ok()) {
        for need in &commit.preconditions {
            match need {
                Precondition::Absent(row) | Precondition::Exists(row) | Precondition::VersionIs(row, _) => {
                    of(row.keyspace, &mut |space| {
                        space.rows.insert(row);
                    });
                }
                Precondition::ValueIs(row, _) => {
                    of(row.keyspace, &mut |space| {
                        space.values.insert(row);
                    });
                }
                Precondition::LastIs { keyspace, resource, prefix, .. } => {
                    of(keyspace, &mut |space| {
                        space.prefixes.insert((*resource, prefix));
                    });
                }
            }
        }
        for write in &commit.writes {
            if let Write::Put(row, _) = write {
                of(row.keyspace, &mut |space| {
                    space.rows.insert(row);
                });
            }
        }
    }
    wanted.into_values().collect()
}

async fn prepared(lease: &Lease, sql: &str) -> Result<Statement, EngineError> {
    lease.client()?.prepare_cached(sql).await.map_err(|error| fault::of(&error))
}

fn ask_rows<'l>(
    lease: &'l Lease,
    rows: &BTreeSet<&'l RowKey>,
    statement: &'l Statement,
) -> Result<Sending<'l>, EngineError> {
    let client = lease.client()?;
    let resources: Vec<Uuid> = rows.iter().map(|row| Uuid(row.resource)).collect();
    let keys: Vec<&[u8]> = rows.iter().map(|row| &row.key[..]).collect();
    Ok(Box::pin(async move { client.query(statement, &[&resources, &keys]).await }))
}

fn ask_lasts<'l>(
    lease: &'l Lease,
    wanted: &Wanted<'l>,
    statement: &'l Statement,
) -> Result<Sending<'l>, EngineError> {
    let client = lease.client()?;
    let resources: Vec<Uuid> = wanted.prefixes.iter().map(|(resource, _)| Uuid(*resource)).collect();
    let low: Vec<&[u8]> = wanted.prefixes.iter().map(|(_, prefix)| *prefix).collect();
    let high: Vec<Vec<u8>> =
        low.iter().map(|prefix| successor(prefix).unwrap_or_else(past_every_key)).collect();
    Ok(Box::pin(async move { client.query(statement, &[&resources, &low, &high]).await }))
}

/// What a batch makes of one keyspace, in columns.
struct Columns {
    statements: Arc<Statements>,
    put_resources: Vec<Uuid>,
    put_keys: Vec<Vec<u8>>,
    put_values: Vec<Vec<u8>>,
    put_versions: Vec<i64>,
    gone_resources: Vec<Uuid>,
    gone_keys: Vec<Vec<u8>>,
}

impl Columns {
    fn new(statements: Arc<Statements>) -> Self {
        Self {
            statements,
            put_resources: Vec::new(),
            put_keys: Vec::new(),
            put_values: Vec::new(),
            put_versions: Vec::new(),
            gone_resources: Vec::new(),
            gone_keys: Vec::new(),
        }
    }

    fn put(&mut self, row: RowKey, value: Sealed, version: u64) {
        self.put_resources.push(Uuid(row.resource));
        self.put_keys.push(row.key);
        self.put_values.push(value.into_bytes());
        self.put_versions.push(i64::try_from(version).unwrap_or(i64::MAX));
    }

    fn gone(&mut self, row: RowKey) {
        self.gone_resources.push(Uuid(row.resource));
        self.gone_keys.push(row.key);
    }
}

/// Writes the changes, and commits when they are the last. A keyspace's changes are neighbours in the overlay's order.
async fn write(lease: &Lease, schema: &Schema, overlay: Overlay, last: bool) -> Result<(), EngineError> {
    let client = lease.client()?;
    let mut columns: Vec<Columns> = Vec::new();
    for (row, change) in overlay.into_changes() {
        if columns.last().is_none_or(|last| last.statements.def.name != row.keyspace.name) {
            columns.push(Columns::new(schema.space(row.keyspace)?));
        }
        let Some(columns) = columns.last_mut() else { continue };
        match change {
            Change::Put(value, version) => columns.put(row, value, version),
            Change::Gone => columns.gone(row),
        }
    }
    let mut statements = Vec::new();
    for one in &columns {
        let put = prepared(lease, &one.statements.put).await?;
        let delete = prepared(lease, &one.statements.delete).await?;
        statements.push((one, put, delete));
    }
    let mut sending: Vec<Sending<'_>> = Vec::new();
    for (one, put, delete) in &statements {
        if !one.put_keys.is_empty() {
            sending.push(Box::pin(async move {
                client
                    .query(put, &[&one.put_resources, &one.put_keys, &one.put_values, &one.put_versions])
                    .await
            }));
        }
        if !one.gone_keys.is_empty() {
            sending.push(Box::pin(async move {
                client.query(delete, &[&one.gone_resources, &one.gone_keys]).await
            }));
        }
    }
    if last {
        // Behind a statement that failed the server answers this as a rollback; that statement's error is returned.
        sending.push(Box::pin(async move { client.batch_execute("COMMIT").await.map(|()| Vec::new()) }));
    }
    pipelined(sending).await.map(drop).map_err(|error| fault::of(&error))
}
