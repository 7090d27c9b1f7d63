//! What dies together: a scope's name, the handle to its key, and the bounded memory of keys. It must never know what
//! a scope stands for.

use std::fmt;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::limits::MAX_KEY;
use base::{BoundedCache, ResourceId, Timestamp};
use guard::{KmsError, ScopeKey};

use crate::cell::resource_keys::ResourceKeys;

/// The most scope keys held in memory by one cell.
pub const MAX_CACHED_SCOPES: usize = 65_536;
/// The most resource keys held in memory by one cell.
pub const MAX_CACHED_RESOURCES: usize = 4_096;
/// How long a key may be used from memory before it is read, and unwrapped, again: how soon a disabled key bites.
pub const KEY_LIFETIME: Duration = Duration::from_secs(60);
/// How long a key service is not asked again about a resource whose key it did not give: how soon a key that was enabled
/// again is seen.
pub const REFUSAL_LIFETIME: Duration = Duration::from_secs(2);

/// The name of a scope: the smallest thing whose content dies together. Opaque ids only; it is the key of the scope's
/// row in the keyspace `scope_key`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Vec<u8>);

impl Scope {
    /// The resource itself: sealed under the resource's own key, and dying with it.
    pub const RESOURCE: Self = Self(Vec::new());

    /// A scope of `kind`, named by `parts`. Kinds are chosen by the layer above, once and for ever. Different parts
    /// never give the same scope. Together with one byte for each part they should stay below [`MAX_KEY`] bytes: past
    /// it no key can be made for the scope.
    #[must_use]
    pub fn new(kind: u8, parts: &[&[u8]]) -> Self {
        let mut bytes = Vec::with_capacity(1 + parts.iter().map(|part| part.len() + 1).sum::<usize>());
        bytes.push(kind);
        for part in parts {
            // A length that does not fit a byte makes the scope longer than any key, which is refused where it matters.
            bytes.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(part);
        }
        Self(bytes)
    }

    /// The scope that [`Scope::as_bytes`] gave, kept in a hint by rows that rest under whatever scope they tell of.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// Its bytes: bound into what is sealed under it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn fits(&self) -> bool {
        self.0.len() <= MAX_KEY
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scope:")?;
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// A scope with its key, unwrapped. Cheap to clone. Its key is wiped when the last handle is dropped.
#[derive(Clone)]
pub struct ScopeHandle(Arc<Held>);

struct Held {
    resource: ResourceId,
    scope: Scope,
    key: Arc<ScopeKey>,
}

impl ScopeHandle {
    pub(crate) fn new(resource: ResourceId, scope: Scope, key: Arc<ScopeKey>) -> Self {
        Self(Arc::new(Held { resource, scope, key }))
    }

    /// Whose scope it is.
    #[must_use]
    pub fn resource(&self) -> ResourceId {
        self.0.resource
    }

    /// The scope.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.0.scope
    }

    pub(crate) fn key(&self) -> &ScopeKey {
        &self.0.key
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for ScopeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScopeHandle({:?}, {:?})", self.0.resource, self.0.scope)
    }
}

/// A moment in the history of destroyed keys: a key read from a snapshot taken before a destruction may not be
/// remembered after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

/// The keys in memory, bounded in number and time. A key past its time is never given out, and is dropped within one
/// more lifetime of any use of the cache.
pub(crate) struct KeyCache(Mutex<Keys>);

struct Keys {
    resources: BoundedCache<ResourceId, (Arc<ResourceKeys>, Timestamp)>,
    /// Why a resource's keys could not be had a moment ago.
    refusals: BoundedCache<ResourceId, (KmsError, Timestamp)>,
    scopes: BoundedCache<Box<[u8]>, (ScopeHandle, Timestamp)>,
    epoch: u64,
    swept: Timestamp,
}

impl KeyCache {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Keys {
            resources: BoundedCache::new(MAX_CACHED_RESOURCES),
            refusals: BoundedCache::new(MAX_CACHED_RESOURCES),
            scopes: BoundedCache::new(MAX_CACHED_SCOPES),
            epoch: 0,
            swept: Timestamp::EPOCH,
        }))
    }

    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.lock().epoch)
    }

    pub(crate) fn resource(&self, resource: ResourceId, now: Timestamp) -> Option<Arc<ResourceKeys>> {
        self.swept(now).resource(resource, now)
    }

    pub(crate) fn put_resource(&self, resource: ResourceId, held: Arc<ResourceKeys>, now: Timestamp) {
        let mut keys = self.lock();
        keys.refusals.remove(&resource);
        keys.resources.insert(resource, (held, now));
    }

    /// Forgets a resource's keys, which another node may have replaced.
    pub(crate) fn forget_resource(&self, resource: ResourceId) {
        let mut keys = self.lock();
        keys.resources.remove(&resource);
        keys.refusals.remove(&resource);
    }

    pub(crate) fn forget_refusal(&self, resource: ResourceId) {
        self.lock().refusals.remove(&resource);
    }

    /// Why its keys could not be had, when that was a moment ago.
    pub(crate) fn refusal(&self, resource: ResourceId, now: Timestamp) -> Option<KmsError> {
        let mut keys = self.lock();
        let (why, since) = keys.refusals.get_mut(&resource)?;
        (*since <= now && now.distance(*since) < REFUSAL_LIFETIME).then(|| why.clone())
    }

    pub(crate) fn put_refusal(&self, resource: ResourceId, why: KmsError, now: Timestamp) {
        self.lock().refusals.insert(resource, (why, now));
    }

    /// The scope's key, when it and the resource key above it were both unwrapped within the lifetime.
    pub(crate) fn scope(&self, resource: ResourceId, scope: &Scope, now: Timestamp) -> Option<ScopeHandle> {
        let mut keys = self.swept(now);
        keys.resource(resource, now)?;
        let (handle, since) =
            with_name(resource, scope, |name| keys.scopes.get_mut(name).map(|one| &*one).cloned())?;
        fresh(since, now).then_some(handle)
    }

    /// Remembers a key that was read at `epoch`, unless a key was destroyed since.
    pub(crate) fn put_scope(&self, handle: &ScopeHandle, epoch: Epoch, now: Timestamp) {
        let mut keys = self.lock();
        if keys.epoch == epoch.0 {
            keys.insert(handle, now);
        }
    }

    /// Remembers a key whose creation was just committed.
    pub(crate) fn put_new(&self, handle: &ScopeHandle, now: Timestamp) {
        self.lock().insert(handle, now);
    }

    /// Forgets a key that may still exist.
    pub(crate) fn forget(&self, resource: ResourceId, scope: &Scope) {
        let mut keys = self.lock();
        with_name(resource, scope, |name| keys.scopes.remove(name));
    }

    /// Forgets keys that were destroyed, and keeps readers of an older moment from bringing them back.
    pub(crate) fn destroyed(&self, resource: ResourceId, scopes: &[Scope]) {
        let mut keys = self.lock();
        keys.epoch += 1;
        for scope in scopes {
            with_name(resource, scope, |name| keys.scopes.remove(name));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn swept(&self, now: Timestamp) -> MutexGuard<'_, Keys> {
        let mut keys = self.lock();
        if !fresh(keys.swept, now) {
            keys.resources.retain(|_, (_, since)| fresh(*since, now));
            keys.scopes.retain(|_, (_, since)| fresh(*since, now));
            keys.swept = now;
        }
        keys
    }
}

impl Keys {
    fn resource(&mut self, resource: ResourceId, now: Timestamp) -> Option<Arc<ResourceKeys>> {
        let (key, since) = self.resources.get_mut(&resource)?;
        fresh(*since, now).then(|| Arc::clone(key))
    }

    fn insert(&mut self, handle: &ScopeHandle, now: Timestamp) {
        let name = with_name(handle.resource(), handle.scope(), |name| Box::<[u8]>::from(name));
        self.scopes.insert(name, (handle.clone(), now));
    }
}

/// Within its lifetime; a clock that went back ends it too.
fn fresh(since: Timestamp, now: Timestamp) -> bool {
    since <= now && now.distance(since) < KEY_LIFETIME
}

/// Names a scope for a look-up without allocating.
fn with_name<T>(resource: ResourceId, scope: &Scope, use_it: impl FnOnce(&[u8]) -> T) -> T {
    let mut name = [0; 16 + MAX_KEY];
    let bytes = scope.as_bytes();
    let len = bytes.len().min(MAX_KEY);
    name[..16].copy_from_slice(resource.as_bytes());
    name[16..16 + len].copy_from_slice(&bytes[..len]);
    use_it(&name[..16 + len])
}

#[cfg(test)]
mod tests {
    use base::SeededRng;

    use super::*;
    use crate::cell::resource_keys::Generation;

    const START: Timestamp = Timestamp::from_millis(1_795_420_800_000);

    fn key(seed: u64) -> Arc<ScopeKey> {
        Arc::new(ScopeKey::generate(&SeededRng::new(seed), 1))
    }

    fn keys() -> Arc<ResourceKeys> {
        Arc::new(ResourceKeys::new(vec![Generation { key: key(1), version: 1 }]).unwrap())
    }

    fn handle(scope: &Scope) -> ScopeHandle {
        ScopeHandle::new(ResourceId::CELL, scope.clone(), key(2))
    }

    fn cache() -> KeyCache {
        let cache = KeyCache::new();
        cache.put_resource(ResourceId::CELL, keys(), START);
        cache
    }

    #[test]
    fn scopes_of_different_parts_differ() {
        let all = [
            Scope::RESOURCE,
            Scope::new(1, &[]),
            Scope::new(2, &[]),
            Scope::new(1, &[b""]),
            Scope::new(1, &[b"ab"]),
            Scope::new(1, &[b"a", b"b"]),
            Scope::new(1, &[b"", b"ab"]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[..at].iter().all(|other| other != one), "{one:?}");
            assert!(one.fits());
        }
        for one in &all {
            assert_eq!(Scope::from_bytes(one.as_bytes()), *one);
        }
        assert!(!Scope::new(1, &[&[0; 300]]).fits());
        assert!(Scope::new(1, &[&[0; MAX_KEY - 2]]).fits());
        assert!(!Scope::new(1, &[&[0; MAX_KEY - 1]]).fits());
    }

    #[test]
    fn a_key_lives_for_its_lifetime_and_not_longer() {
        let (cache, scope) = (cache(), Scope::new(1, &[b"x"]));
        cache.put_scope(&handle(&scope), cache.epoch(), START);
        let last = START.plus(KEY_LIFETIME).minus(Duration::from_millis(1));
        assert!(cache.scope(ResourceId::CELL, &scope, last).is_some());
        assert!(cache.resource(ResourceId::CELL, last).is_some());
        assert!(cache.scope(ResourceId::CELL, &scope, START.plus(KEY_LIFETIME)).is_none());
        assert!(cache.resource(ResourceId::CELL, START.plus(KEY_LIFETIME)).is_none());
        let swept = START.plus(KEY_LIFETIME).plus(KEY_LIFETIME);
        assert!(cache.resource(ResourceId::CELL, swept).is_none());
        assert!(cache.lock().scopes.is_empty() && cache.lock().resources.is_empty(), "they were dropped");
    }

    #[test]
    fn a_clock_that_goes_back_ends_lifetimes() {
        let (cache, scope) = (cache(), Scope::new(1, &[b"x"]));
        cache.put_scope(&handle(&scope), cache.epoch(), START);
        assert!(cache.scope(ResourceId::CELL, &scope, START.minus(Duration::from_millis(1))).is_none());
    }

    #[test]
    fn a_scope_key_is_no_use_when_its_resource_key_has_ended() {
        let (cache, scope) = (cache(), Scope::new(1, &[b"x"]));
        let later = START.plus(Duration::from_secs(40));
        cache.put_scope(&handle(&scope), cache.epoch(), later);
        assert!(cache.scope(ResourceId::CELL, &scope, later).is_some());
        let end = START.plus(KEY_LIFETIME);
        assert!(
            cache.scope(ResourceId::CELL, &scope, end).is_none(),
            "unwrapped 20 s ago, but its parent 60 s ago"
        );
        cache.put_resource(ResourceId::CELL, keys(), end);
        assert!(cache.scope(ResourceId::CELL, &scope, end).is_some());
    }

    #[test]
    fn a_destroyed_key_is_not_brought_back_by_an_older_reader() {
        let (cache, scope) = (cache(), Scope::new(1, &[b"x"]));
        let before = cache.epoch();
        cache.put_scope(&handle(&scope), before, START);
        cache.destroyed(ResourceId::CELL, std::slice::from_ref(&scope));
        assert!(cache.scope(ResourceId::CELL, &scope, START).is_none());
        cache.put_scope(&handle(&scope), before, START);
        assert!(cache.scope(ResourceId::CELL, &scope, START).is_none());
        cache.put_new(&handle(&scope), START);
        assert!(cache.scope(ResourceId::CELL, &scope, START).is_some(), "made anew");
        cache.forget(ResourceId::CELL, &scope);
        assert!(cache.scope(ResourceId::CELL, &scope, START).is_none());
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = cache();
        for n in 0..(MAX_CACHED_SCOPES as u64 + 1000) {
            cache.put_new(
                &ScopeHandle::new(ResourceId::CELL, Scope::new(1, &[&n.to_be_bytes()]), key(1)),
                START,
            );
            if n == 0 {
                assert_eq!(cache.lock().scopes.len(), 1);
            }
        }
        assert!(cache.lock().scopes.len() <= MAX_CACHED_SCOPES);
    }

    #[test]
    fn handles_print_no_key() {
        let shown = format!("{:?}", handle(&Scope::new(1, &[b"x"])));
        assert_eq!(shown, "ScopeHandle(resource:00000000-0000-0000-0000-000000000000, scope:010178)");
    }
}
