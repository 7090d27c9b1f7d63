//! Where a cell's keys come from: memory, else the stored row unwrapped by the key above it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::ResourceId;
use guard::{KeyContext, Place, ScopeKey, Sealed};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::resource_keys::{Generation, MAX_GENERATIONS, ResourceKeys};
use super::{Cell, RESOURCE_KEY, SCOPE_KEY};
use crate::codec::{KeyCodec, key_bytes};
use crate::commit::{Row, RowKey};
use crate::error::StoreError;
use crate::scan::{Direction, Scan};
use crate::scope::{Scope, ScopeHandle};

/// The generation of a resource's first key.
const FIRST_GENERATION: u32 = 1;
/// How many turns at key services are remembered before those that nobody waits for are forgotten.
const MAX_TURNS: usize = 1_024;

/// Keeps many requests that miss the same resource's keys from asking its key service all at once, and those of one
/// resource from waiting for another's.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<ResourceId, Arc<AsyncMutex<()>>>>);

impl Turns {
    async fn take(&self, resource: ResourceId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if turns.len() >= MAX_TURNS {
                turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            }
            Arc::clone(turns.entry(resource).or_default())
        };
        turn.lock_owned().await
    }
}

impl Cell {
    /// The keys of a resource, from memory or from its key service.
    pub(super) async fn resource_keys(&self, resource: ResourceId) -> Result<Arc<ResourceKeys>, StoreError> {
        if let Some(keys) = self.0.keys.resource(resource, self.0.clock.now()) {
            return Ok(keys);
        }
        let _turn = self.0.turns.take(resource).await;
        // Whoever had the turn before may have brought them, or been refused.
        let now = self.0.clock.now();
        if let Some(keys) = self.0.keys.resource(resource, now) {
            return Ok(keys);
        }
        if let Some(why) = self.0.keys.refusal(resource, now) {
            return Err(why.into());
        }
        let rows = self.stored_resource_keys(resource).await?;
        let keys = match self.unwrap_resource(resource, rows, None).await {
            Err(StoreError::Kms(why)) => {
                self.0.keys.put_refusal(resource, why.clone(), self.0.clock.now());
                return Err(why.into());
            }
            other => Arc::new(other?),
        };
        // Its lifetime began before the key service was asked, so that a disabled key bites in time.
        self.0.keys.put_resource(resource, Arc::clone(&keys), now);
        Ok(keys)
    }

    /// The rows of a resource's keys, from the oldest generation on.
    pub(super) async fn stored_resource_keys(&self, resource: ResourceId) -> Result<Vec<Row>, StoreError> {
        Ok(self.0.engine.snapshot().await?.scan(&resource_rows(resource)).await?)
    }

    /// The keys of these rows. Those that `known` has too are not asked for.
    pub(super) async fn unwrap_resource(
        &self,
        resource: ResourceId,
        rows: Vec<Row>,
        known: Option<&ResourceKeys>,
    ) -> Result<ResourceKeys, StoreError> {
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let generation = generation_of(&row)?;
            let key = match known.and_then(|known| known.of(generation)) {
                Some(key) => Arc::clone(key),
                None => Arc::new(self.unwrap_one(resource, &row).await?),
            };
            all.push(Generation { key, version: row.version });
        }
        ResourceKeys::new(all).ok_or(StoreError::UnknownResource)
    }

    /// The key of one row.
    pub(super) async fn unwrap_one(&self, resource: ResourceId, row: &Row) -> Result<ScopeKey, StoreError> {
        let (holder, wrapped) = guard::holder::parsed(&row.value).ok_or(DAMAGED)?;
        let context = self.key_context(resource, generation_of(row)?);
        Ok(self.0.kms.of(holder)?.unwrap(&context, &wrapped).await?)
    }

    /// A key, wrapped by `holder`, as it is stored.
    pub(super) async fn wrap_one(
        &self,
        resource: ResourceId,
        holder: &str,
        key: &ScopeKey,
    ) -> Result<Sealed, StoreError> {
        let context = self.key_context(resource, key.generation());
        let wrapped = self.0.kms.of(holder)?.wrap(&context, key).await?;
        guard::holder::stored(holder, wrapped).ok_or(StoreError::TooLarge)
    }

    fn key_context(&self, resource: ResourceId, generation: u32) -> KeyContext {
        KeyContext { geography: self.0.geography.clone(), resource, generation }
    }

    /// A new key for a resource, wrapped, and the row it belongs in.
    pub(super) async fn new_resource_key(
        &self,
        resource: ResourceId,
        holder: &str,
    ) -> Result<(RowKey, Sealed), StoreError> {
        let key = ScopeKey::generate(&*self.0.rng, FIRST_GENERATION);
        let sealed = self.wrap_one(resource, holder, &key).await?;
        Ok((resource_row(resource, FIRST_GENERATION), sealed))
    }

    /// Where a record rests. A stored scope key rests in the scope of the resource, whose bytes are empty.
    pub(super) fn place<'a>(
        &'a self,
        resource: ResourceId,
        keyspace: &'static str,
        key: &'a [u8],
        scope: &'a [u8],
    ) -> Place<'a> {
        Place { geography: &self.0.geography, resource, keyspace, key, scope }
    }

    pub(super) fn scope_row(resource: ResourceId, scope: &Scope) -> RowKey {
        RowKey { keyspace: &SCOPE_KEY, resource, key: scope.as_bytes().to_vec() }
    }

    pub(super) fn unwrap_scope(
        &self,
        resource: ResourceId,
        resource_keys: &ResourceKeys,
        scope: &Scope,
        sealed: &Sealed,
    ) -> Result<ScopeHandle, StoreError> {
        let damaged = StoreError::Corrupt { keyspace: SCOPE_KEY.name };
        let place = self.place(resource, SCOPE_KEY.name, scope.as_bytes(), &[]);
        let generation = sealed.header().map_err(|_| damaged.clone())?.generation;
        let resource_key = resource_keys.of(generation).ok_or_else(|| damaged.clone())?;
        let key = ScopeKey::unwrap(resource_key, &place, sealed).map_err(|_| damaged)?;
        Ok(ScopeHandle::new(resource, scope.clone(), Arc::new(key)))
    }

    /// A new key for a scope, and its wrapped form. Its generation is drawn at random: a scope that is destroyed and
    /// made again must not take the records of its former life for damaged ones.
    pub(super) fn new_scope(
        &self,
        resource: ResourceId,
        resource_key: &ScopeKey,
        scope: Scope,
    ) -> Result<(ScopeHandle, Sealed), StoreError> {
        let mut generation = [0; 4];
        self.0.rng.fill(&mut generation);
        let key = ScopeKey::generate(&*self.0.rng, u32::from_be_bytes(generation).max(1));
        let place = self.place(resource, SCOPE_KEY.name, scope.as_bytes(), &[]);
        let sealed = key.wrap(&*self.0.rng, resource_key, &place)?;
        Ok((ScopeHandle::new(resource, scope, Arc::new(key)), sealed))
    }
}

const DAMAGED: StoreError = StoreError::Corrupt { keyspace: RESOURCE_KEY.name };

/// Where a generation of a resource's key is stored.
pub(super) fn resource_row(resource: ResourceId, generation: u32) -> RowKey {
    RowKey { keyspace: &RESOURCE_KEY, resource, key: key_bytes(&generation) }
}

/// Finds all of a resource's generations.
pub(super) fn resource_rows(resource: ResourceId) -> Scan {
    Scan::prefix(&RESOURCE_KEY, resource, Vec::new(), Direction::Forward, MAX_GENERATIONS)
}

/// The generation that is stored in a row.
pub(super) fn generation_of(row: &Row) -> Result<u32, StoreError> {
    u32::decode(&row.key).map_err(|_| DAMAGED)
}
