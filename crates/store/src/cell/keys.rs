//! Where a cell's keys come from: memory, else the stored row unwrapped by the key above it.

use std::sync::Arc;

use base::ResourceId;
use guard::{KeyContext, Place, ScopeKey, Sealed};

use super::{Cell, RESOURCE_KEY, SCOPE_KEY};
use crate::codec::{KeyCodec, key_bytes};
use crate::commit::{Row, RowKey};
use crate::error::StoreError;
use crate::scan::{Direction, Scan};
use crate::scope::{Scope, ScopeHandle};

/// The generation of a resource's first key.
const FIRST_GENERATION: u32 = 1;

impl Cell {
    /// The key of a resource, from memory or from the key service.
    pub(super) async fn resource_key(&self, resource: ResourceId) -> Result<Arc<ScopeKey>, StoreError> {
        if let Some(key) = self.0.keys.resource(resource, self.0.clock.now()) {
            return Ok(key);
        }
        let lane = usize::from(resource.as_bytes()[0]) % self.0.lanes.len();
        let _turn = self.0.lanes[lane].lock().await;
        // Whoever had the lane before may have brought it.
        let now = self.0.clock.now();
        if let Some(key) = self.0.keys.resource(resource, now) {
            return Ok(key);
        }
        let row = self.stored_resource_key(resource).await?.ok_or(StoreError::UnknownResource)?;
        let generation =
            u32::decode(&row.key).map_err(|_| StoreError::Corrupt { keyspace: RESOURCE_KEY.name })?;
        let context = KeyContext { geography: self.0.geography.clone(), resource, generation };
        let key = Arc::new(self.0.kms.unwrap(&context, &row.value).await?);
        // Its lifetime began before the key service was asked, so that a disabled key bites in time.
        self.0.keys.put_resource(resource, Arc::clone(&key), now);
        Ok(key)
    }

    /// The row of a resource's newest key.
    pub(super) async fn stored_resource_key(&self, resource: ResourceId) -> Result<Option<Row>, StoreError> {
        let scan = Scan::prefix(&RESOURCE_KEY, resource, Vec::new(), Direction::Backward, 1);
        let mut snapshot = self.0.engine.snapshot().await?;
        Ok(snapshot.scan(&scan).await?.pop())
    }

    /// A new key for a resource, wrapped, and the row it belongs in.
    pub(super) async fn new_resource_key(
        &self,
        resource: ResourceId,
    ) -> Result<(RowKey, Sealed), StoreError> {
        let generation = FIRST_GENERATION;
        let key = ScopeKey::generate(&*self.0.rng, generation);
        let context = KeyContext { geography: self.0.geography.clone(), resource, generation };
        let sealed = self.0.kms.wrap(&context, &key).await?;
        Ok((RowKey { keyspace: &RESOURCE_KEY, resource, key: key_bytes(&generation) }, sealed))
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
        resource_key: &ScopeKey,
        scope: &Scope,
        sealed: &Sealed,
    ) -> Result<ScopeHandle, StoreError> {
        let place = self.place(resource, SCOPE_KEY.name, scope.as_bytes(), &[]);
        let key = ScopeKey::unwrap(resource_key, &place, sealed)
            .map_err(|_| StoreError::Corrupt { keyspace: SCOPE_KEY.name })?;
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
