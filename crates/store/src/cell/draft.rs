//! Builds one commit of typed records: what must hold, and what is sealed and written when it does.

use std::sync::Arc;

use base::{Clock, ResourceId};
use guard::ScopeKey;

use super::Cell;
use super::keys::resource_row;
use super::record::{Keyspace, frame};
use super::resource_keys::ResourceKeys;
use crate::codec::key_bytes;
use crate::commit::{Commit, CommitError, Precondition, RowKey, Write};
use crate::error::StoreError;
use crate::group::{Observer, Pending};
use crate::scope::{KeyCache, Scope, ScopeHandle};

/// How often a commit is sealed anew when keys are superseded meanwhile.
const RESEALS: usize = 8;

/// A commit being built. Dropping it writes nothing.
pub struct Draft {
    cell: Cell,
    resource: ResourceId,
    keys: Arc<ResourceKeys>,
    commit: Commit,
    /// Resources whose own keys were sealed under, at which version: none may have been superseded when the commit happens.
    own: Vec<(ResourceId, u32, u64)>,
    /// Scopes sealed under: their keys must still exist when the commit happens.
    used: Vec<ScopeHandle>,
    created: Vec<ScopeHandle>,
    destroyed: Vec<Scope>,
}

impl Draft {
    pub(super) fn new(cell: Cell, resource: ResourceId, keys: Arc<ResourceKeys>) -> Self {
        Self {
            cell,
            resource,
            keys,
            commit: Commit::default(),
            own: Vec::new(),
            used: Vec::new(),
            created: Vec::new(),
            destroyed: Vec::new(),
        }
    }

    /// Whose records it changes.
    #[must_use]
    pub const fn resource(&self) -> ResourceId {
        self.resource
    }

    /// The resource's own scope, for who seals under whichever scope it is given.
    #[must_use]
    pub fn resource_scope(&self) -> ScopeHandle {
        ScopeHandle::new(self.resource, Scope::RESOURCE, Arc::clone(self.keys.newest()))
    }

    /// The cell it is a commit of.
    #[must_use]
    pub const fn cell(&self) -> &Cell {
        &self.cell
    }

    /// There must be no such record.
    pub fn expect_absent<K: Keyspace>(&mut self, key: &K::Key) {
        self.commit.preconditions.push(Precondition::Absent(self.name::<K>(key)));
    }

    /// There must be such a record, of exactly this version.
    pub fn expect_version<K: Keyspace>(&mut self, key: &K::Key, version: u64) {
        self.commit.preconditions.push(Precondition::VersionIs(self.name::<K>(key), version));
    }

    /// There must be such a record.
    pub fn expect_exists<K: Keyspace>(&mut self, key: &K::Key) {
        self.commit.preconditions.push(Precondition::Exists(self.name::<K>(key)));
    }

    /// The scope must have a key when the commit happens: what is written of it is not written of something erased.
    pub fn expect_scope_key(&mut self, scope: &Scope) {
        self.commit.preconditions.push(Precondition::Exists(Cell::scope_row(self.resource, scope)));
    }

    /// The greatest key that begins with `prefix` (see [`key_bytes`]) must be `last`; with `None` there must be none.
    pub fn expect_last<K: Keyspace>(&mut self, prefix: Vec<u8>, last: Option<&K::Key>) {
        let (keyspace, resource) = (K::DEF, self.resource);
        let last = last.map(key_bytes);
        self.commit.preconditions.push(Precondition::LastIs { keyspace, resource, prefix, last });
    }

    /// Seals `value` under the scope's key and puts it. `hint` stays readable without the key. The commit will fail as
    /// a conflict when the scope's key is destroyed before it happens.
    ///
    /// # Errors
    /// [`StoreError::WrongScope`] when `scope` is not the record's; [`StoreError::TooLarge`].
    pub fn put<K: Keyspace>(
        &mut self,
        key: &K::Key,
        value: &K::Value,
        hint: &[u8],
        scope: &ScopeHandle,
    ) -> Result<(), StoreError> {
        if scope.resource() != self.resource || *scope.scope() != K::scope(key, hint) {
            return Err(StoreError::WrongScope);
        }
        if *scope.scope() == Scope::RESOURCE {
            return self.put_in_resource::<K>(key, value, hint);
        }
        self.seal_and_put::<K>(key, value, hint, scope.scope(), scope.key())?;
        let new = self.created.iter().chain(&self.used).all(|known| !known.same(scope));
        if new {
            self.used.push(scope.clone());
        }
        Ok(())
    }

    /// Seals `value` under the resource's own key and puts it.
    ///
    /// # Errors
    /// [`StoreError::WrongScope`] when the record's scope is not [`Scope::RESOURCE`]; [`StoreError::TooLarge`].
    pub fn put_in_resource<K: Keyspace>(
        &mut self,
        key: &K::Key,
        value: &K::Value,
        hint: &[u8],
    ) -> Result<(), StoreError> {
        if K::scope(key, hint) != Scope::RESOURCE {
            return Err(StoreError::WrongScope);
        }
        let sealing = self.own_key();
        self.seal_and_put::<K>(key, value, hint, &Scope::RESOURCE, &sealing)
    }

    /// Removes a record; nothing happens when there is none.
    pub fn delete<K: Keyspace>(&mut self, key: &K::Key) {
        let name = self.name::<K>(key);
        self.commit.writes.push(Write::Delete(name));
    }

    /// Makes a key for a scope that has none. The commit conflicts when it has one by then.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] when the scope's name is; [`StoreError::WrongScope`] for [`Scope::RESOURCE`].
    pub fn new_scope_key(&mut self, scope: Scope) -> Result<ScopeHandle, StoreError> {
        if scope == Scope::RESOURCE {
            return Err(StoreError::WrongScope);
        }
        if !scope.fits() {
            return Err(StoreError::TooLarge);
        }
        let name = Cell::scope_row(self.resource, &scope);
        let wrapping = self.own_key();
        let (handle, sealed) = self.cell.new_scope(self.resource, &wrapping, scope)?;
        self.commit.preconditions.push(Precondition::Absent(name.clone()));
        self.commit.writes.push(Write::Put(name, sealed));
        self.created.push(handle.clone());
        Ok(handle)
    }

    /// Destroys a scope's key, and with it everything sealed under it. When the commit has happened nothing can be read
    /// under it any more, also by readers that had the key in memory.
    pub fn destroy_scope_key(&mut self, scope: &Scope) {
        if *scope != Scope::RESOURCE && scope.fits() {
            self.commit.writes.push(Write::Delete(Cell::scope_row(self.resource, scope)));
            self.destroyed.push(scope.clone());
        }
    }

    /// Takes the steps of another draft of the same cell along, so that both happen or neither. For records of two
    /// resources that must agree, such as a cell's register and what a tenant sees of it.
    ///
    /// # Errors
    /// [`StoreError::WrongScope`] when `other` is of another cell, or seals under or ends scope keys of its own.
    pub fn join(&mut self, other: Self) -> Result<(), StoreError> {
        let plain = other.used.is_empty() && other.created.is_empty() && other.destroyed.is_empty();
        if !plain || !Arc::ptr_eq(&self.cell.0, &other.cell.0) {
            return Err(StoreError::WrongScope);
        }
        self.commit.preconditions.extend(other.commit.preconditions);
        self.commit.writes.extend(other.commit.writes);
        self.own.extend(other.own);
        Ok(())
    }

    /// Puts the commit in line, behind every one submitted before it, without waiting. Preconditions are numbered in the
    /// order they were expected; those past them are of scope keys that were sealed under.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::TooLarge`] or [`StoreError::Closed`]; then it will not happen.
    pub fn submit(self) -> Result<Pending, StoreError> {
        let Self { cell, resource, mut commit, own, used, created, destroyed, .. } = self;
        let asked = commit.preconditions.len();
        for handle in &used {
            commit.preconditions.push(Precondition::Exists(Cell::scope_row(resource, handle.scope())));
        }
        for (owner, generation, version) in &own {
            commit.preconditions.push(Precondition::VersionIs(resource_row(*owner, *generation), *version));
        }
        let plain = own.is_empty() && used.is_empty() && created.is_empty() && destroyed.is_empty();
        let observer = (!plain).then(|| {
            let (keys, clock) = (Arc::clone(&cell.0.keys), Arc::clone(&cell.0.clock));
            let after = After { keys, clock, resource, asked, used, own, created, destroyed };
            Box::new(move |fate: &Result<(), CommitError>| after.settle(fate)) as Observer
        });
        Ok(cell.0.group.submit_observed(commit, observer)?)
    }

    /// Submits, and waits until the commit is durable. When a resource's own key was superseded in this very moment, what
    /// was sealed under it is sealed under the newest, and submitted again.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when something expected did not hold, and those of [`Draft::submit`];
    /// [`StoreError::Unavailable`] when it cannot be said whether it happened.
    pub async fn commit(self) -> Result<(), StoreError> {
        let mut draft = self;
        for _ in 0..RESEALS {
            if draft.own.is_empty() {
                break;
            }
            let again = draft.again();
            let first_own = draft.commit.preconditions.len() + draft.used.len();
            match draft.submit()?.await {
                Err(CommitError::Conflict { precondition }) if precondition >= first_own => {
                    draft = again.resealed().await?;
                }
                fate => return Ok(fate?),
            }
        }
        Ok(draft.submit()?.await?)
    }

    /// The same steps once more.
    fn again(&self) -> Self {
        Self {
            cell: self.cell.clone(),
            resource: self.resource,
            keys: Arc::clone(&self.keys),
            commit: self.commit.clone(),
            own: self.own.clone(),
            used: self.used.clone(),
            created: self.created.clone(),
            destroyed: self.destroyed.clone(),
        }
    }

    /// The same steps under the newest keys of the resources themselves.
    async fn resealed(mut self) -> Result<Self, StoreError> {
        let former = std::mem::take(&mut self.own);
        for (owner, generation, _) in former {
            let keys = self.cell.resource_keys(owner).await?;
            let own = (owner, keys.newest().generation(), keys.version());
            if !self.own.contains(&own) {
                self.own.push(own);
            }
            if own.1 == generation {
                // Only its holder changed.
                continue;
            }
            let old = keys.of(generation).ok_or(StoreError::Conflict)?;
            for write in &mut self.commit.writes {
                if let Write::Put(name, sealed) = write
                    && name.resource == owner
                    && let Some(anew) = self.cell.renewed(name, sealed, old, keys.newest())?
                {
                    *sealed = anew;
                }
            }
        }
        Ok(self)
    }

    fn name<K: Keyspace>(&self, key: &K::Key) -> RowKey {
        RowKey { keyspace: K::DEF, resource: self.resource, key: key_bytes(key) }
    }

    /// The resource's newest key, for sealing: it must still be the newest when the commit happens.
    fn own_key(&mut self) -> Arc<ScopeKey> {
        let key = Arc::clone(self.keys.newest());
        let own = (self.resource, key.generation(), self.keys.version());
        if !self.own.contains(&own) {
            self.own.push(own);
        }
        key
    }

    fn seal_and_put<K: Keyspace>(
        &mut self,
        key: &K::Key,
        value: &K::Value,
        hint: &[u8],
        scope: &Scope,
        sealing: &ScopeKey,
    ) -> Result<(), StoreError> {
        let name = self.name::<K>(key);
        let plain = frame::<K>(value)?;
        let place = self.cell.place(self.resource, K::DEF.name, &name.key, scope.as_bytes());
        let sealed = sealing.seal(&*self.cell.0.rng, &place, hint, &plain)?;
        self.commit.writes.push(Write::Put(name, sealed));
        Ok(())
    }
}

/// What the memory of keys must learn from a commit's fate, before anyone else learns it.
struct After {
    keys: Arc<KeyCache>,
    clock: Arc<dyn Clock>,
    resource: ResourceId,
    /// How many preconditions the caller asked for; those after them are of `used` and then of `own`, in order.
    asked: usize,
    used: Vec<ScopeHandle>,
    own: Vec<(ResourceId, u32, u64)>,
    created: Vec<ScopeHandle>,
    destroyed: Vec<Scope>,
}

impl After {
    fn settle(self, fate: &Result<(), CommitError>) {
        let keys = &self.keys;
        match fate {
            Ok(()) => {
                let now = self.clock.now();
                for handle in &self.created {
                    keys.put_new(handle, now);
                }
            }
            // A key in memory that is no longer stored: without forgetting it, trying again could never succeed.
            Err(CommitError::Conflict { precondition }) => {
                let Some(at) = precondition.checked_sub(self.asked) else { return };
                if let Some(handle) = self.used.get(at) {
                    keys.forget(self.resource, handle.scope());
                } else if let Some((owner, ..)) = self.own.get(at - self.used.len()) {
                    keys.forget_resource(*owner);
                }
            }
            Err(_) => {}
        }
        let happened = matches!(fate, Ok(()) | Err(CommitError::Unavailable(_)));
        if happened && !self.destroyed.is_empty() {
            keys.destroyed(self.resource, &self.destroyed);
        }
    }
}
