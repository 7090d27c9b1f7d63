//! A cell: all that one geography owns, as typed records above an engine that sees them only sealed. It must never know
//! what a chat is.

mod draft;
mod holder;
mod index;
mod keys;
mod range;
mod reader;
mod record;
pub(crate) mod resource_keys;
mod rotation;
mod walk;

use std::sync::Arc;

use base::{Clock, Geography, Limits, ResourceId, Rng};
pub use draft::Draft;
use guard::holder::{ROOT, parsed};
pub use holder::KeyServices;
pub use range::KeyRange;
pub use reader::Reader;
pub use record::{Keyspace, Opened, Versioned};
pub use resource_keys::MAX_GENERATIONS;
pub use rotation::{KeyGeneration, Sweep};
pub use walk::{Census, STEP_ROWS, Walk};

use crate::codec::key_bytes;
use crate::commit::{Commit, Precondition, RowKey, Write};
use crate::engine::{Engine, Exchange};
use crate::error::StoreError;
use crate::group::GroupCommit;
use crate::keyspace::{Class, KeyspaceDef};
use crate::scope::{KeyCache, Scope, ScopeHandle};

/// Resource keys, each wrapped by a key service: the row's key is the generation (u32, big-endian); the newest seals.
pub static RESOURCE_KEY: KeyspaceDef = KeyspaceDef { name: "resource_key", class: Class::Key };
/// Scope keys, wrapped by their resource's key: the row's key is the scope. Deleting the row erases the scope.
pub static SCOPE_KEY: KeyspaceDef = KeyspaceDef { name: "scope_key", class: Class::Key };

/// All keyspaces of a cell: those of keys, and `used`.
#[must_use]
pub fn keyspaces(used: &[&'static KeyspaceDef]) -> Vec<&'static KeyspaceDef> {
    let own: [&'static KeyspaceDef; 3] = [&RESOURCE_KEY, &SCOPE_KEY, index::DEF];
    own.into_iter().chain(used.iter().copied()).collect()
}

/// What a cell is made of.
pub struct CellParts<'a> {
    /// Its geography, bound into every record.
    pub geography: Geography,
    /// Where rows rest.
    pub engine: Arc<dyn Engine>,
    /// Who holds the keys above the resource keys.
    pub kms: KeyServices,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for keys and nonces: [`guard::SystemRng`] in production.
    pub rng: Arc<dyn Rng>,
    /// Queue and batch sizes.
    pub limits: &'a Limits,
    /// Every keyspace that will be used, besides the two of keys.
    pub keyspaces: &'a [&'static KeyspaceDef],
}

/// One geography's records. Cheap to clone.
#[derive(Clone)]
pub struct Cell(Arc<Inner>);

struct Inner {
    geography: Geography,
    engine: Arc<dyn Engine>,
    group: GroupCommit,
    kms: KeyServices,
    keyspaces: Vec<&'static KeyspaceDef>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    keys: Arc<KeyCache>,
    indexes: index::Indexes,
    turns: keys::Turns,
}

impl Cell {
    /// Prepares the tables and makes the cell's own key (that of [`ResourceId::CELL`]) when it is new. Call it within a
    /// Tokio runtime that outlives the cell.
    ///
    /// # Errors
    /// When a keyspace is malformed, or the engine or the key service fails.
    pub async fn open(parts: CellParts<'_>) -> Result<Self, StoreError> {
        let keyspaces = keyspaces(parts.keyspaces);
        parts.engine.prepare(&keyspaces).await?;
        let cell = Self(Arc::new(Inner {
            geography: parts.geography,
            group: GroupCommit::new(Arc::clone(&parts.engine), parts.limits),
            engine: parts.engine,
            kms: parts.kms,
            keyspaces,
            clock: parts.clock,
            rng: parts.rng,
            keys: Arc::new(KeyCache::new()),
            indexes: index::Indexes::default(),
            turns: keys::Turns::default(),
        }));
        cell.create_resource_key(ResourceId::CELL).await?;
        Ok(cell)
    }

    /// Its geography.
    #[must_use]
    pub fn geography(&self) -> &Geography {
        &self.0.geography
    }

    /// The time, as this cell sees it.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// The randomness of this cell.
    #[must_use]
    pub fn rng(&self) -> &Arc<dyn Rng> {
        &self.0.rng
    }

    /// Gives `resource` its key, held by whoever holds the cell's own. Does nothing when it has one.
    ///
    /// # Errors
    /// When the engine or the key service fails.
    pub async fn create_resource_key(&self, resource: ResourceId) -> Result<(), StoreError> {
        if !self.stored_resource_keys(resource).await?.is_empty() {
            return Ok(());
        }
        let own = self.stored_resource_keys(ResourceId::CELL).await?.pop();
        let holder = own.as_ref().and_then(|row| parsed(&row.value)).map_or(ROOT, |(name, _)| name);
        self.create_resource_key_under(resource, holder).await
    }

    /// Gives `resource` its key, held by `holder`. Does nothing when it has one, whoever holds it.
    ///
    /// # Errors
    /// [`StoreError::UnknownKeyService`], or when the engine or the key service fails.
    pub async fn create_resource_key_under(
        &self,
        resource: ResourceId,
        holder: &str,
    ) -> Result<(), StoreError> {
        if !self.stored_resource_keys(resource).await?.is_empty() {
            return Ok(());
        }
        let (row, sealed) = self.new_resource_key(resource, holder).await?;
        let commit = Commit {
            preconditions: vec![Precondition::Absent(row.clone())],
            writes: vec![Write::Put(row, sealed)],
        };
        match self.0.group.submit(commit)?.await.map_err(StoreError::from) {
            Err(StoreError::Conflict) => Ok(()),
            fate => fate,
        }
    }

    /// Begins to read the records of `resource`: a view of one moment. Drop it soon (see [`crate::engine::Snapshot`] for
    /// why), and hold only one at a time: those who each hold one and wait for another could wait for ever.
    ///
    /// # Errors
    /// [`StoreError::UnknownResource`], or when the engine or the key service fails.
    pub async fn read(&self, resource: ResourceId) -> Result<Reader, StoreError> {
        let keys = self.resource_keys(resource).await?;
        // Taken before the snapshot, so that a key destroyed after it is not remembered from this view.
        let epoch = self.0.keys.epoch();
        let snapshot = self.0.engine.snapshot().await?;
        Ok(Reader::new(self.clone(), resource, keys, epoch, snapshot))
    }

    /// Begins a commit to the records of `resource`. While holding a reader, use [`Reader::draft`].
    ///
    /// # Errors
    /// [`StoreError::UnknownResource`], or when the engine or the key service fails.
    pub async fn draft(&self, resource: ResourceId) -> Result<Draft, StoreError> {
        let keys = self.resource_keys(resource).await?;
        Ok(Draft::new(self.clone(), resource, keys))
    }

    /// The scope's key, when it is in memory.
    #[must_use]
    pub fn cached_scope_key(&self, resource: ResourceId, scope: &Scope) -> Option<ScopeHandle> {
        self.0.keys.scope(resource, scope, self.0.clock.now())
    }

    /// The version of a record as it is now, `None` when there is none: one look, without opening it.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn version_of<K: Keyspace>(
        &self,
        resource: ResourceId,
        key: &K::Key,
    ) -> Result<Option<u64>, StoreError> {
        let name = RowKey { keyspace: K::DEF, resource, key: key_bytes(key) };
        Ok(self.0.engine.get(&name).await?.map(|row| row.version))
    }

    /// Whether other processes may change what is stored here.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.0.engine.is_shared()
    }

    /// Where the nodes of this cell hear each other; `None` where there is but one, or they cannot.
    #[must_use]
    pub fn exchange(&self) -> Option<Arc<dyn Exchange>> {
        self.0.engine.exchange()
    }

    /// Every resource that has a key or a record here.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn resources(&self) -> Result<Vec<ResourceId>, StoreError> {
        Ok(self.0.engine.resources().await?)
    }

    /// Whether the stored structures are whole. Reads everything.
    ///
    /// # Errors
    /// What is wrong, as the engine says it.
    pub async fn check(&self) -> Result<(), StoreError> {
        Ok(self.0.engine.check().await?)
    }

    /// Bytes taken on disk.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn size(&self) -> Result<u64, StoreError> {
        Ok(self.0.engine.size().await?)
    }

    /// How many commits wait, for metrics.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.group.waiting()
    }

    /// Lets commits in line finish, then lets go of the engine. Afterwards everything fails.
    ///
    /// # Errors
    /// When the engine could not be closed cleanly; nothing that was acknowledged is lost.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.0.group.close().await;
        Ok(self.0.engine.close().await?)
    }
}
