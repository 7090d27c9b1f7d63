//! The two access keys of a resource while it is served. A key that was ended is of no use from the next request on, on
//! every node (law 9): a node that shares its store looks at the version of the register's row with each request.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use base::{ResourceId, Secret, Timestamp};
use guard::signature::AccessKey;
use store::{Cell, Draft, StoreError};

use super::ResourceError;
use super::rows::{KeyRow, Place, Register, ResourceRow, Uses};
use crate::service::audit::{self, Act, Target};

/// How many access keys a resource has.
pub const ACCESS_KEYS: usize = 2;
/// When requests do not fit the known keys, another node's change is looked for at most this often.
pub const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// A use is written down when the one that was written before is this old.
pub const USE_STEP: Duration = Duration::from_secs(60);
/// How often a change that lost a race is tried again.
const ATTEMPTS: usize = 8;

/// The keys of one version of the register's row.
pub struct KeySet {
    keys: Vec<AccessKey>,
    since: Vec<Timestamp>,
    version: u64,
}

impl KeySet {
    fn open(row: &ResourceRow, version: u64) -> Result<Self, ResourceError> {
        let keys: Result<Vec<_>, _> = row.keys.iter().map(|key| AccessKey::parse(&key.text)).collect();
        let keys = keys.map_err(|_| ResourceError::Key { keyspace: "resource_register" })?;
        Ok(Self { keys, since: row.keys.iter().map(|key| key.since).collect(), version })
    }

    /// The keys, the first one first.
    #[must_use]
    pub fn keys(&self) -> &[AccessKey] {
        &self.keys
    }
}

/// An access key, as far as it may be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyAge {
    /// When it was made or set.
    pub since: Timestamp,
    /// When it was last used, to within [`USE_STEP`]; `None` when it never was.
    pub last_used: Option<Timestamp>,
}

/// The access keys of one resource.
pub struct AccessKeys {
    cell: Cell,
    place: Place,
    current: RwLock<Arc<KeySet>>,
    looked: Mutex<Timestamp>,
    /// When each was last used here, in milliseconds; 0 when it was not.
    used: [AtomicU64; ACCESS_KEYS],
    noted: [AtomicU64; ACCESS_KEYS],
    /// Whether the configuration says what the first one is.
    is_first_configured: bool,
}

impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKeys").field("version", &self.current().version).finish_non_exhaustive()
    }
}

impl AccessKeys {
    pub(super) fn open(
        cell: Cell,
        place: Place,
        row: &ResourceRow,
        version: u64,
    ) -> Result<Self, ResourceError> {
        let current = RwLock::new(Arc::new(KeySet::open(row, version)?));
        let looked = Mutex::new(Timestamp::EPOCH);
        let none = || [AtomicU64::new(0), AtomicU64::new(0)];
        Ok(Self { cell, place, current, looked, used: none(), noted: none(), is_first_configured: false })
    }

    /// The same, where the configuration says what the first key is.
    pub(super) const fn with_first_configured(mut self, is_configured: bool) -> Self {
        self.is_first_configured = is_configured;
        self
    }

    /// The keys as far as this node knows.
    #[must_use]
    pub fn current(&self) -> Arc<KeySet> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The first key in the form of a connection string.
    #[must_use]
    pub fn primary(&self) -> Option<Secret<String>> {
        self.current().keys.first().map(AccessKey::to_base64)
    }

    /// Whether `known` are the keys still. When they are not, [`Self::current`] gives the new ones.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn hold(&self, known: &Arc<KeySet>) -> Result<bool, ResourceError> {
        if !Arc::ptr_eq(known, &self.current()) {
            return Ok(false);
        }
        if !self.cell.is_shared() {
            return Ok(true);
        }
        let version = self.cell.version_of::<Register>(ResourceId::CELL, &self.place).await?;
        if version == Some(known.version) {
            return Ok(true);
        }
        self.reload().await?;
        Ok(false)
    }

    /// Looks whether another node changed the keys, unless that was looked for a moment ago. Gives whether it had.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn look_again(&self, now: Timestamp) -> Result<bool, ResourceError> {
        {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            if !self.cell.is_shared() || (*looked <= now && now.distance(*looked) < LOOK_AGAIN) {
                return Ok(false);
            }
            *looked = now;
        }
        let known = self.current();
        Ok(!self.hold(&known).await?)
    }

    async fn reload(&self) -> Result<Arc<KeySet>, ResourceError> {
        let mut reader = self.cell.read(ResourceId::CELL).await?;
        let found = reader.get::<Register>(&self.place).await?.ok_or(ResourceError::Unknown)?;
        drop(reader);
        Ok(self.keep(KeySet::open(&found.value, found.version)?))
    }

    fn keep(&self, set: KeySet) -> Arc<KeySet> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.version < set.version {
            *current = Arc::new(set);
        }
        Arc::clone(&current)
    }

    /// Makes the key `index` anew. The former one is of no use from here on. Gives the new one.
    ///
    /// # Errors
    /// [`ResourceError::Unknown`] when there is no such key; [`ResourceError::Configured`]; or those of the store.
    pub async fn regenerate(&self, index: usize, act: Act) -> Result<AccessKey, ResourceError> {
        if index == 0 && self.is_first_configured {
            return Err(ResourceError::Configured);
        }
        for _ in 0..ATTEMPTS {
            match self.regenerate_once(index, act).await {
                Err(ResourceError::Store(StoreError::Conflict)) => {}
                done => return done,
            }
        }
        Err(StoreError::Conflict.into())
    }

    async fn regenerate_once(&self, index: usize, act: Act) -> Result<AccessKey, ResourceError> {
        let (now, rng) = (self.cell.clock().now(), &**self.cell.rng());
        let mut reader = self.cell.read(ResourceId::CELL).await?;
        let found = reader.get::<Register>(&self.place).await?.ok_or(ResourceError::Unknown)?;
        let mut draft = reader.draft();
        drop(reader);
        let mut row = found.value;
        let fresh = AccessKey::generate(rng);
        let key = row.keys.get_mut(index).ok_or(ResourceError::Unknown)?;
        *key = KeyRow { text: fresh.to_base64().expose().clone(), since: now };
        draft.expect_version::<Register>(&self.place, found.version);
        draft.put_in_resource::<Register>(&self.place, &row, &[])?;
        forget_use(&mut draft, self.place, index);
        audit::record(&mut draft, act, Target::Resource(row.id), now, rng)?;
        draft.commit().await?;
        self.keep(KeySet::open(&row, found.version + 1)?);
        if let (Some(used), Some(noted)) = (self.used.get(index), self.noted.get(index)) {
            used.store(0, Ordering::Relaxed);
            noted.store(0, Ordering::Relaxed);
        }
        Ok(fresh)
    }

    /// Remembers that the key `index` was used.
    pub fn note_use(&self, index: usize, now: Timestamp) {
        if let Some(used) = self.used.get(index) {
            used.store(now.as_millis(), Ordering::Relaxed);
        }
    }

    /// Writes down uses that are newer by `step` than those that are written.
    ///
    /// # Errors
    /// Those of the store; the next call tries again.
    pub async fn write_uses(&self, step: Duration) -> Result<(), StoreError> {
        let step = u64::try_from(step.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut draft = None;
        let mut written = Vec::new();
        for (index, (used, noted)) in self.used.iter().zip(&self.noted).enumerate() {
            let (used, before) = (used.load(Ordering::Relaxed), noted.load(Ordering::Relaxed));
            if used == 0 || used.saturating_sub(before) < step {
                continue;
            }
            let draft = match &mut draft {
                Some(draft) => draft,
                none => none.insert(self.cell.draft(ResourceId::CELL).await?),
            };
            draft.put_in_resource::<Uses>(&use_of(self.place, index), &Timestamp::from_millis(used), &[])?;
            written.push((noted, used));
        }
        if let Some(draft) = draft {
            draft.commit().await?;
        }
        written.into_iter().for_each(|(noted, used)| noted.store(used, Ordering::Relaxed));
        Ok(())
    }

    /// How old each key is, and when it was last used on any node.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn ages(&self) -> Result<Vec<KeyAge>, ResourceError> {
        let set = if self.cell.is_shared() { self.reload().await? } else { self.current() };
        let mut reader = self.cell.read(ResourceId::CELL).await?;
        let mut ages = Vec::new();
        for (index, since) in set.since.iter().enumerate() {
            let stored = reader.get::<Uses>(&use_of(self.place, index)).await?.map(|row| row.value);
            let here = self.used.get(index).map_or(0, |used| used.load(Ordering::Relaxed));
            let here = (here > 0).then(|| Timestamp::from_millis(here));
            // Another node may write late that the former key was used.
            let last_used = stored.max(here).filter(|used| used >= since);
            ages.push(KeyAge { since: *since, last_used });
        }
        Ok(ages)
    }
}

fn use_of(place: Place, index: usize) -> (Place, u32) {
    (place, u32::try_from(index).unwrap_or(u32::MAX))
}

fn forget_use(draft: &mut Draft, place: Place, index: usize) {
    draft.delete::<Uses>(&use_of(place, index));
}

#[cfg(test)]
#[path = "access_keys_tests.rs"]
mod tests;
