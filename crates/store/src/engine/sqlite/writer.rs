//! The one thread that writes: each batch is one transaction. Preconditions are checked before anything of their commit
//! is written, so a commit that fails leaves nothing to undo and its neighbours stand; anything else that fails undoes
//! the batch.

use std::collections::HashMap;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError};

use base::ResourceId;
use guard::Sealed;
use rusqlite::{Connection, OptionalExtension, Statement};
use tokio::sync::oneshot;

use super::checkpoint::{self, Checkpoints};
use super::fault;
use super::schema::{Shared, Statements, find_resource};
use super::seen::{At, Seen};
use crate::commit::{Commit, CommitError, Precondition, RowKey, Write};
use crate::engine::{EngineError, Fates};
use crate::keyspace::{Class, KeyspaceDef};
use crate::scan::successor;

/// Work for the thread, with where to answer.
pub(super) enum Job {
    Prepare(Vec<&'static KeyspaceDef>, oneshot::Sender<Result<(), EngineError>>),
    Apply(Vec<Commit>, oneshot::Sender<Result<Fates, EngineError>>),
}

/// One keyspace with its statements, prepared for as long as the thread lives.
struct Space<'c> {
    def: &'static KeyspaceDef,
    version: Statement<'c>,
    value: Statement<'c>,
    put: Statement<'c>,
    delete: Statement<'c>,
    last: [Statement<'c>; 2],
}

pub(super) struct Writer<'c> {
    connection: &'c Connection,
    shared: Arc<Shared>,
    checkpoints: &'c Checkpoints,
    spaces: Vec<Space<'c>>,
    begin: Statement<'c>,
    commit: Statement<'c>,
    rollback: Statement<'c>,
    /// Resources first seen in the batch at hand; nobody else knows their numbers before it is durable.
    new_resources: HashMap<ResourceId, i64>,
    /// The resource last asked for: most batches are of few.
    recent: Option<(ResourceId, i64)>,
    seen: Seen,
    /// What the batch at hand did.
    wrote: bool,
    erased: bool,
    /// Set when the disk failed: what was last written is in doubt, so nothing more is acknowledged.
    failed: Option<String>,
}

/// Why a batch cannot go on.
type Fault = rusqlite::Error;

impl<'c> Writer<'c> {
    /// The thread's body: works until the other end of `inbox` is dropped.
    pub(super) fn run(
        connection: &'c Connection,
        shared: Arc<Shared>,
        checkpoints: &'c Checkpoints,
        inbox: &Receiver<Job>,
    ) {
        let sql = |sql| connection.prepare(sql);
        // Without these nothing can be done; whoever sends a job then hears that the store is closed.
        let (Ok(begin), Ok(commit), Ok(rollback)) = (sql("BEGIN IMMEDIATE"), sql("COMMIT"), sql("ROLLBACK"))
        else {
            return;
        };
        let mut writer = Self {
            connection,
            shared,
            checkpoints,
            spaces: Vec::new(),
            begin,
            commit,
            rollback,
            new_resources: HashMap::new(),
            recent: None,
            seen: Seen::new(),
            wrote: false,
            erased: false,
            failed: None,
        };
        while let Ok(job) = inbox.recv() {
            // Nobody waiting any more changes nothing about what was done.
            match job {
                Job::Prepare(keyspaces, reply) => drop(reply.send(writer.prepare(&keyspaces))),
                Job::Apply(batch, reply) => drop(reply.send(writer.apply(batch))),
            }
        }
    }

    fn prepare(&mut self, keyspaces: &[&'static KeyspaceDef]) -> Result<(), EngineError> {
        let shared = Arc::clone(&self.shared);
        let _held = shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
        for def in keyspaces {
            if self.spaces.iter().any(|space| space.def.name == def.name) {
                continue;
            }
            let statements = shared.add(self.connection, def)?;
            let space = self.space(&statements).map_err(|error| fault::of(&shared.path, &error))?;
            self.spaces.push(space);
        }
        Ok(())
    }

    fn space(&self, statements: &Statements) -> rusqlite::Result<Space<'c>> {
        let sql = |sql: &String| self.connection.prepare(sql);
        Ok(Space {
            def: statements.def,
            version: sql(&statements.version)?,
            value: sql(&statements.value)?,
            put: sql(&statements.put)?,
            delete: sql(&statements.delete)?,
            last: [sql(&statements.last[0])?, sql(&statements.last[1])?],
        })
    }

    fn apply(&mut self, batch: Vec<Commit>) -> Result<Fates, EngineError> {
        if let Some(detail) = &self.failed {
            return Err(EngineError::DiskFailed { path: self.shared.path.clone(), detail: detail.clone() });
        }
        let shared = Arc::clone(&self.shared);
        let _held = shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
        (self.wrote, self.erased) = (false, false);
        match self.transaction(batch) {
            Ok(fates) => {
                shared.publish(self.new_resources.drain());
                self.report();
                Ok(fates)
            }
            Err(error) => {
                self.undo();
                let error = fault::of(&shared.path, &error);
                if let EngineError::DiskFailed { detail, .. } = &error {
                    self.failed = Some(detail.clone());
                }
                Err(error)
            }
        }
    }

    fn transaction(&mut self, batch: Vec<Commit>) -> Result<Fates, Fault> {
        self.begin.execute([])?;
        let mut fates = Vec::with_capacity(batch.len());
        for commit in batch {
            fates.push(self.one(commit)?);
        }
        // One that wrote nothing has nothing to make durable.
        let end = if self.wrote { &mut self.commit } else { &mut self.rollback };
        end.execute([])?;
        Ok(fates)
    }

    /// Undoes what the transaction wrote, when there is one: some errors have undone it already.
    fn undo(&mut self) {
        self.new_resources.clear();
        self.recent = None;
        self.seen.forget();
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            self.failed = Some(error.to_string());
        }
    }

    /// Tells the checkpoint thread how the journal stands. Not knowing it is no reason to fail a durable batch.
    fn report(&self) {
        if let Ok(progress) = checkpoint::checkpoint(self.connection, checkpoint::LOOK) {
            self.checkpoints.wrote(progress, self.shared.page_size, self.erased);
        }
    }

    fn one(&mut self, commit: Commit) -> Result<Result<(), CommitError>, Fault> {
        if let Err(error) = commit.measure() {
            return Ok(Err(error));
        }
        if let Some(missing) = commit.keyspaces().find(|def| self.find(def).is_none()) {
            let error = EngineError::UnknownKeyspace(missing.name);
            return Ok(Err(CommitError::Unavailable(error.to_string())));
        }
        for (precondition, one) in commit.preconditions.iter().enumerate() {
            if !self.holds(one)? {
                return Ok(Err(CommitError::Conflict { precondition }));
            }
        }
        for write in commit.writes {
            self.write(write)?;
        }
        Ok(Ok(()))
    }

    fn holds(&mut self, one: &Precondition) -> Result<bool, Fault> {
        Ok(match one {
            Precondition::Absent(row) => self.version(row)?.is_none(),
            Precondition::Exists(row) => self.version(row)?.is_some(),
            Precondition::VersionIs(row, version) => {
                self.version(row)?.is_some_and(|found| u64::try_from(found) == Ok(*version))
            }
            Precondition::ValueIs(row, value) => self.value_is(row, value)?,
            Precondition::LastIs { keyspace, resource, prefix, last } => {
                self.last_is(keyspace, *resource, prefix, last.as_deref())?
            }
        })
    }

    fn version(&mut self, row: &RowKey) -> Result<Option<i64>, Fault> {
        let Some(resource) = self.resource(row.resource) else { return Ok(None) };
        let Some(space) = self.find(row.keyspace) else { return Ok(None) };
        let at = At { space, resource, key: &row.key };
        if let Some(known) = self.seen.version(at) {
            return Ok(known);
        }
        let statement = &mut self.spaces[space].version;
        let found = statement.query_row((resource, &row.key), |found| found.get(0)).optional()?;
        self.seen.learn_version(at, found);
        Ok(found)
    }

    fn value_is(&mut self, row: &RowKey, value: &Sealed) -> Result<bool, Fault> {
        let Some(resource) = self.resource(row.resource) else { return Ok(false) };
        let Some(space) = self.find(row.keyspace) else { return Ok(false) };
        let statement = &mut self.spaces[space].value;
        let found: Option<bool> =
            statement.query_row((resource, &row.key, value.as_bytes()), |found| found.get(0)).optional()?;
        Ok(found == Some(true))
    }

    fn last_is(
        &mut self,
        keyspace: &'static KeyspaceDef,
        resource: ResourceId,
        prefix: &[u8],
        last: Option<&[u8]>,
    ) -> Result<bool, Fault> {
        let Some(resource) = self.resource(resource) else { return Ok(last.is_none()) };
        let Some(space) = self.find(keyspace) else { return Ok(false) };
        let at = At { space, resource, key: prefix };
        if let Some(known) = self.seen.last_is(at, last) {
            return Ok(known);
        }
        let [bounded, unbounded] = &mut self.spaces[space].last;
        let found: Option<Vec<u8>> = match successor(prefix) {
            Some(high) => bounded.query_row((resource, prefix, high), |found| found.get(0)).optional()?,
            None => unbounded.query_row((resource, prefix), |found| found.get(0)).optional()?,
        };
        let holds = found.as_deref() == last;
        self.seen.learn_last(at, found);
        Ok(holds)
    }

    fn write(&mut self, write: Write) -> Result<(), Fault> {
        match write {
            Write::Put(row, value) => {
                let resource = self.make_resource(row.resource)?;
                let Some(space) = self.find(row.keyspace) else { return Ok(()) };
                self.spaces[space].put.execute((resource, &row.key, value.as_bytes()))?;
                self.seen.put(At { space, resource, key: &row.key });
                self.wrote = true;
            }
            Write::Delete(row) => {
                let Some(resource) = self.resource(row.resource) else { return Ok(()) };
                let Some(space) = self.find(row.keyspace) else { return Ok(()) };
                let gone = self.spaces[space].delete.execute((resource, &row.key))? > 0;
                self.seen.deleted(At { space, resource, key: &row.key });
                self.wrote |= gone;
                self.erased |= gone && row.keyspace.class == Class::Key;
            }
        }
        Ok(())
    }

    /// Where a keyspace is in the list. The definitions are statics, so that their addresses mostly tell.
    fn find(&self, def: &KeyspaceDef) -> Option<usize> {
        let same = |space: &Space<'_>| std::ptr::eq(space.def, def);
        let named = |space: &Space<'_>| space.def.name == def.name;
        self.spaces.iter().position(same).or_else(|| self.spaces.iter().position(named))
    }

    /// The number of a resource. This thread alone makes them, so what is not known here is not there.
    fn resource(&mut self, resource: ResourceId) -> Option<i64> {
        if let Some((_, number)) = self.recent.filter(|(recent, _)| *recent == resource) {
            return Some(number);
        }
        let number = self.new_resources.get(&resource).copied().or_else(|| self.shared.resource(resource))?;
        self.recent = Some((resource, number));
        Some(number)
    }

    fn make_resource(&mut self, resource: ResourceId) -> Result<i64, Fault> {
        if let Some(number) = self.resource(resource) {
            return Ok(number);
        }
        let mut insert = self.connection.prepare_cached("INSERT INTO resource (uuid) VALUES (?1)")?;
        insert.execute([&resource.as_bytes()[..]])?;
        let number = find_resource(self.connection, resource)?.ok_or(Fault::QueryReturnedNoRows)?;
        self.new_resources.insert(resource, number);
        Ok(number)
    }
}
