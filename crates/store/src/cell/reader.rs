//! Reads typed records of one resource at one moment, fetching the scope keys they need.

use std::collections::HashMap;
use std::sync::Arc;

use base::ResourceId;
use guard::OpenError;

use super::keys::resource_rows;
use super::record::{Keyspace, Opened, Versioned, unframe};
use super::resource_keys::ResourceKeys;
use super::{Cell, Draft, KeyRange};
use crate::codec::{KeyCodec, key_bytes};
use crate::commit::{Row, RowKey};
use crate::engine::Snapshot;
use crate::error::StoreError;
use crate::scan::{Direction, Scan};
use crate::scope::{Epoch, Scope, ScopeHandle};

/// A view of one resource's records at one moment.
pub struct Reader {
    cell: Cell,
    resource: ResourceId,
    keys: Arc<ResourceKeys>,
    epoch: Epoch,
    snapshot: Box<dyn Snapshot>,
    /// Keys this view has looked up; `None` for those that are not there.
    scopes: HashMap<Scope, Option<ScopeHandle>>,
}

/// A row, and whose key seals it.
struct Found<K: Keyspace> {
    key: K::Key,
    row: Row,
    hint: Vec<u8>,
    scope: Scope,
    /// Of the key that sealed it.
    generation: u32,
}

impl Reader {
    pub(super) fn new(
        cell: Cell,
        resource: ResourceId,
        keys: Arc<ResourceKeys>,
        epoch: Epoch,
        snapshot: Box<dyn Snapshot>,
    ) -> Self {
        Self { cell, resource, keys, epoch, snapshot, scopes: HashMap::new() }
    }

    /// Begins a commit to the records of the same resource, with the key this view was opened with: asking for the key
    /// again could need a second view while this one is held, and many who do so at once would wait for each other.
    #[must_use]
    pub fn draft(&self) -> Draft {
        Draft::new(self.cell.clone(), self.resource, Arc::clone(&self.keys))
    }

    /// Whose records it reads.
    #[must_use]
    pub const fn resource(&self) -> ResourceId {
        self.resource
    }

    /// One record, `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError::Shredded`] when its scope's key was destroyed; or when the engine fails or the record is damaged.
    pub async fn get<K: Keyspace>(
        &mut self,
        key: &K::Key,
    ) -> Result<Option<Versioned<K::Value>>, StoreError> {
        match self.try_get::<K>(key).await? {
            None => Ok(None),
            Some(Opened::Value(value)) => Ok(Some(value)),
            Some(Opened::Shredded { .. }) => Err(StoreError::Shredded),
        }
    }

    /// One record as far as it can be read, `None` when there is none.
    ///
    /// # Errors
    /// When the engine fails or the record is damaged.
    pub async fn try_get<K: Keyspace>(
        &mut self,
        key: &K::Key,
    ) -> Result<Option<Opened<K::Value>>, StoreError> {
        let name = self.name::<K>(key);
        let Some(row) = self.snapshot.get(&name).await? else { return Ok(None) };
        let found = Found::<K>::new(row)?;
        self.fetch(std::slice::from_ref(&found)).await?;
        self.open(found).map(|(_, opened)| Some(opened))
    }

    /// Several records, in the order asked for.
    ///
    /// # Errors
    /// When the engine fails or a record is damaged.
    pub async fn multi_get<K: Keyspace>(
        &mut self,
        keys: &[K::Key],
    ) -> Result<Vec<Option<Opened<K::Value>>>, StoreError> {
        let names: Vec<RowKey> = keys.iter().map(|key| self.name::<K>(key)).collect();
        let rows = self.snapshot.multi_get(&names).await?;
        let there: Vec<bool> = rows.iter().map(Option::is_some).collect();
        let mut opened = self.open_all::<K>(rows.into_iter().flatten().collect()).await?.into_iter();
        Ok(there
            .into_iter()
            .map(|there| there.then(|| opened.next()).flatten().map(|(_, one)| one))
            .collect())
    }

    /// The records of a range, at most `limit` of them.
    ///
    /// # Errors
    /// When the engine fails or a record is damaged.
    pub async fn scan<K: Keyspace>(
        &mut self,
        range: KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(K::Key, Opened<K::Value>)>, StoreError> {
        let rows = self.rows::<K>(range, direction, limit).await?;
        self.open_all::<K>(rows).await
    }

    /// The keys, versions and hints of a range, without opening the records. Hints are not authenticated this way.
    ///
    /// # Errors
    /// When the engine fails or a record is damaged.
    pub async fn scan_keys<K: Keyspace>(
        &mut self,
        range: KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(K::Key, u64, Vec<u8>)>, StoreError> {
        let rows = self.rows::<K>(range, direction, limit).await?;
        rows.into_iter()
            .map(|row| Found::<K>::new(row).map(|found| (found.key, found.row.version, found.hint)))
            .collect()
    }

    /// The greatest key that begins with `prefix` and its hint, without opening the record.
    ///
    /// # Errors
    /// When the engine fails or the record is damaged.
    pub async fn last_key<K: Keyspace>(
        &mut self,
        prefix: &impl KeyCodec,
    ) -> Result<Option<(K::Key, Vec<u8>)>, StoreError> {
        let found = self.scan_keys::<K>(KeyRange::prefix(prefix), Direction::Backward, 1).await?;
        Ok(found.into_iter().next().map(|(key, _, hint)| (key, hint)))
    }

    /// The scope's key; `None` when it was never made or has been destroyed. [`Scope::RESOURCE`] gives the resource's.
    ///
    /// # Errors
    /// When the engine fails or the stored key is damaged.
    pub async fn scope_key(&mut self, scope: &Scope) -> Result<Option<ScopeHandle>, StoreError> {
        self.fetch_scopes(std::iter::once(scope)).await?;
        Ok(self.handle(scope))
    }

    fn name<K: Keyspace>(&self, key: &K::Key) -> RowKey {
        RowKey { keyspace: K::DEF, resource: self.resource, key: key_bytes(key) }
    }

    async fn rows<K: Keyspace>(
        &mut self,
        range: KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let scan = Scan {
            keyspace: K::DEF,
            resource: self.resource,
            from: range.from,
            to: range.to,
            direction,
            limit,
        };
        Ok(self.snapshot.scan(&scan).await?)
    }

    async fn open_all<K: Keyspace>(
        &mut self,
        rows: Vec<Row>,
    ) -> Result<Vec<(K::Key, Opened<K::Value>)>, StoreError> {
        let found = rows.into_iter().map(Found::<K>::new).collect::<Result<Vec<_>, _>>()?;
        self.fetch(&found).await?;
        found.into_iter().map(|one| self.open(one)).collect()
    }

    async fn fetch<K: Keyspace>(&mut self, found: &[Found<K>]) -> Result<(), StoreError> {
        let own = found.iter().filter(|one| one.scope == Scope::RESOURCE);
        self.know(own.map(|one| one.generation)).await?;
        self.fetch_scopes(found.iter().map(|one| &one.scope)).await
    }

    /// Sees to it that the resource's keys of these generations are known, as far as this view has them: another node may
    /// have begun a new one since this node asked.
    async fn know(&mut self, mut generations: impl Iterator<Item = u32> + Send) -> Result<(), StoreError> {
        if generations.all(|generation| self.keys.of(generation).is_some()) {
            return Ok(());
        }
        let rows = self.snapshot.scan(&resource_rows(self.resource)).await?;
        let keys = self.cell.unwrap_resource(self.resource, rows, Some(&self.keys)).await?;
        // A damaged row names a generation that never was; for that nothing is forgotten.
        if keys.newest().generation() != self.keys.newest().generation() {
            self.cell.0.keys.forget_resource(self.resource);
        }
        self.keys = Arc::new(keys);
        Ok(())
    }

    /// Looks up every scope's key that this view has not seen, all in one read. Memory saves the unwrapping, never the
    /// look: another node may have destroyed a key that this one remembers.
    async fn fetch_scopes(&mut self, scopes: impl Iterator<Item = &Scope> + Send) -> Result<(), StoreError> {
        let unseen = |scope: &&Scope| **scope != Scope::RESOURCE && !self.scopes.contains_key(*scope);
        let mut wanted: Vec<Scope> = scopes.filter(unseen).cloned().collect();
        if wanted.is_empty() {
            return Ok(());
        }
        wanted.sort_unstable();
        wanted.dedup();
        let now = self.cell.0.clock.now();
        let names: Vec<RowKey> = wanted.iter().map(|scope| Cell::scope_row(self.resource, scope)).collect();
        let rows = self.snapshot.multi_get(&names).await?;
        let headers = rows.iter().flatten().filter_map(|row| row.value.header().ok());
        let wrapping: Vec<u32> = headers.map(|header| header.generation).collect();
        self.know(wrapping.into_iter()).await?;
        let keys = &self.cell.0.keys;
        for (scope, row) in wanted.into_iter().zip(rows) {
            let handle = match (row, keys.scope(self.resource, &scope, now)) {
                (None, _) => {
                    keys.forget(self.resource, &scope);
                    None
                }
                (Some(_), Some(remembered)) => Some(remembered),
                (Some(row), None) => {
                    let handle = self.cell.unwrap_scope(self.resource, &self.keys, &scope, &row.value)?;
                    keys.put_scope(&handle, self.epoch, now);
                    Some(handle)
                }
            };
            self.scopes.insert(scope, handle);
        }
        Ok(())
    }

    /// The key of a scope that was fetched.
    fn handle(&self, scope: &Scope) -> Option<ScopeHandle> {
        if *scope == Scope::RESOURCE {
            return Some(ScopeHandle::new(self.resource, Scope::RESOURCE, Arc::clone(self.keys.newest())));
        }
        self.scopes.get(scope).cloned().flatten()
    }

    fn open<K: Keyspace>(&self, found: Found<K>) -> Result<(K::Key, Opened<K::Value>), StoreError> {
        let Found { key, row, hint, scope, generation } = found;
        let version = row.version;
        let damaged = StoreError::Corrupt { keyspace: K::DEF.name };
        let sealing = match self.scopes.get(&scope) {
            _ if scope == Scope::RESOURCE => self.keys.of(generation).ok_or_else(|| damaged.clone())?,
            Some(Some(handle)) => handle.key(),
            Some(None) | None => return Ok((key, Opened::Shredded { version, hint })),
        };
        let place = self.cell.place(self.resource, K::DEF.name, &row.key, scope.as_bytes());
        match sealing.open(&place, &row.value) {
            Ok(plain) => Ok((key, Opened::Value(Versioned { value: unframe::<K>(&plain)?, version, hint }))),
            // The scope was destroyed and made again since: this record belongs to its former life.
            Err(OpenError::WrongGeneration) if scope != Scope::RESOURCE => {
                Ok((key, Opened::Shredded { version, hint }))
            }
            Err(_) => Err(damaged),
        }
    }
}

impl<K: Keyspace> Found<K> {
    fn new(row: Row) -> Result<Self, StoreError> {
        let damaged = StoreError::Corrupt { keyspace: K::DEF.name };
        let key = K::Key::decode(&row.key).map_err(|_| damaged.clone())?;
        let header = row.value.header().map_err(|_| damaged)?;
        let (hint, generation) = (header.hint.to_vec(), header.generation);
        let scope = K::scope(&key, &hint);
        Ok(Self { key, row, hint, scope, generation })
    }
}
