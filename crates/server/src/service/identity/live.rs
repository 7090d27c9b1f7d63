//! Whether the user that a token names still exists and the token is not revoked, judged on every request (law 9).
//!
//! Two ways, both exact on every node. A read confirms against the identity's row in the same snapshot that it reads
//! from. A write may rest on what this node saw before, without reading, because its commit is conditional on the
//! version of that row: revoking or deleting changes the row, so a commit that rests on the former one fails, the
//! caller forgets what it remembered and judges anew by reading.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::{BoundedCache, ResourceId, UserId};
use guard::token::{Claims, Scopes};
use store::{Draft, Reader};
use wire::ApiError;

use super::rows::Identities;
use crate::service::turns::Turns;

/// Identities remembered by one node; at about 60 bytes each a few megabytes.
const REMEMBERED: usize = 65_536;
const SHARDS: usize = 16;

type Key = (ResourceId, UserId);

/// A user who existed, with a token that was not revoked, at the moment of a snapshot. Only [`IdentityCache`] makes one.
#[derive(Clone, Debug)]
pub struct LiveUser {
    user: UserId,
    scopes: Scopes,
    version: u64,
}

impl LiveUser {
    /// The user.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// What the token allows.
    #[must_use]
    pub const fn scopes(&self) -> Scopes {
        self.scopes
    }
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    epoch: u32,
    version: u64,
}

/// Identities this node saw lately. Losing an entry costs a read; keeping one too long costs a retry, never a right.
pub struct IdentityCache {
    shards: Vec<Mutex<BoundedCache<Key, Seen>>>,
    turns: Turns,
}

impl IdentityCache {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(BoundedCache::new(REMEMBERED / SHARDS))).collect(),
            turns: Turns::new(),
        }
    }

    /// Judges the token by the snapshot of `reader`, which must be one of the token's own resource.
    ///
    /// # Errors
    /// 401 when the user is deleted or the token revoked: one answer for both. 5xx when the store cannot tell.
    pub async fn confirm(&self, reader: &mut Reader, claims: &Claims) -> Result<LiveUser, ApiError> {
        let found =
            reader.get::<Identities>(&claims.user).await.map_err(|e| crate::service::unavailable(&e))?;
        let key = (claims.resource, claims.user);
        match found {
            Some(row) if row.value.epoch == claims.epoch => {
                let seen = Seen { epoch: row.value.epoch, version: row.version };
                self.shard(key).insert(key, seen);
                Ok(live(claims, seen))
            }
            Some(_) | None => {
                self.shard(key).remove(&key);
                Err(ApiError::unauthorized())
            }
        }
    }

    /// Judges the token by what was seen before, without reading. Good only for a commit that [`Self::expect`]s it.
    #[must_use]
    pub fn cached(&self, claims: &Claims) -> Option<LiveUser> {
        let key = (claims.resource, claims.user);
        let seen = *self.shard(key).get_mut(&key)?;
        (seen.epoch == claims.epoch).then(|| live(claims, seen))
    }

    /// Makes a commit conditional on the identity being as it was when `user` was judged.
    pub fn expect(&self, draft: &mut Draft, user: &LiveUser) {
        draft.expect_version::<Identities>(&user.user, user.version);
    }

    /// Forgets what was seen of the token's user, after a commit that rested on it lost.
    pub fn forget(&self, claims: &Claims) {
        self.forget_user(claims.resource, claims.user);
    }

    /// Forgets what was seen of `user`, after it was changed here.
    pub fn forget_user(&self, resource: ResourceId, user: UserId) {
        let key = (resource, user);
        self.shard(key).remove(&key);
    }

    /// Turns at identities that several change at once.
    pub(super) const fn turns(&self) -> &Turns {
        &self.turns
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, BoundedCache<Key, Seen>> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key.1);
        let index = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for IdentityCache {
    fn default() -> Self {
        Self::new()
    }
}

fn live(claims: &Claims, seen: Seen) -> LiveUser {
    LiveUser { user: claims.user, scopes: claims.scopes, version: seen.version }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base::Rng;
    use store::StoreError;

    use super::*;
    use crate::service::identity::IdentityRow;
    use crate::testing::{START, TestApp};

    async fn claims(test: &TestApp) -> Arc<Claims> {
        let user = test.user(&["chat"]).await;
        test.resource().tokens().verify(&user.token, START).unwrap()
    }

    async fn set(test: &TestApp, user: UserId, row: Option<IdentityRow>) {
        let resource = test.resource();
        let mut draft = resource.cell().draft(resource.id()).await.unwrap();
        match row {
            Some(row) => draft.put_in_resource::<Identities>(&user, &row, &[]).unwrap(),
            None => draft.delete::<Identities>(&user),
        }
        draft.commit().await.unwrap();
    }

    async fn confirm(test: &TestApp, cache: &IdentityCache, claims: &Claims) -> Result<LiveUser, ApiError> {
        let resource = test.resource();
        let mut reader = resource.cell().read(resource.id()).await.unwrap();
        cache.confirm(&mut reader, claims).await
    }

    /// A commit that rests on `user` and writes something else.
    async fn commit_as(test: &TestApp, cache: &IdentityCache, user: &LiveUser) -> Result<(), StoreError> {
        let resource = test.resource();
        let mut draft = resource.cell().draft(resource.id()).await?;
        cache.expect(&mut draft, user);
        let other = UserId::from_bytes(test.rng.id());
        draft.put_in_resource::<Identities>(&other, &IdentityRow { created_on: START, epoch: 0 }, &[])?;
        draft.commit().await
    }

    #[tokio::test]
    async fn what_was_confirmed_is_remembered_and_what_was_not_is_not() {
        let test = TestApp::new().await;
        let (cache, claims) = (IdentityCache::new(), claims(&test).await);
        assert!(cache.cached(&claims).is_none());
        let user = confirm(&test, &cache, &claims).await.unwrap();
        assert_eq!((user.user(), user.scopes()), (claims.user, Scopes::CHAT));
        assert!(cache.cached(&claims).is_some());
        cache.forget(&claims);
        assert!(cache.cached(&claims).is_none());
    }

    #[tokio::test]
    async fn a_commit_on_what_is_remembered_fails_once_it_is_no_longer_so() {
        for change in [Some(IdentityRow { created_on: START, epoch: 1 }), None] {
            let test = TestApp::new().await;
            let (cache, claims) = (IdentityCache::new(), claims(&test).await);
            confirm(&test, &cache, &claims).await.unwrap();
            let user = cache.cached(&claims).unwrap();
            assert_eq!(commit_as(&test, &cache, &user).await, Ok(()));
            set(&test, claims.user, change).await;
            let user = cache.cached(&claims).unwrap();
            assert_eq!(commit_as(&test, &cache, &user).await, Err(StoreError::Conflict), "{change:?}");
            assert_eq!(confirm(&test, &cache, &claims).await.unwrap_err().status(), 401);
            assert!(cache.cached(&claims).is_none(), "and forgets it");
        }
    }

    #[tokio::test]
    async fn a_token_of_another_epoch_is_judged_by_itself() {
        let test = TestApp::new().await;
        let (cache, claims) = (IdentityCache::new(), claims(&test).await);
        confirm(&test, &cache, &claims).await.unwrap();
        for epoch in [1, u32::MAX] {
            let other = Claims { epoch, ..(*claims).clone() };
            assert!(cache.cached(&other).is_none());
            assert_eq!(confirm(&test, &cache, &other).await.unwrap_err().status(), 401, "{epoch}");
        }
        confirm(&test, &cache, &claims).await.unwrap();
        let elsewhere = Claims { resource: test.neighbour().id(), ..(*claims).clone() };
        assert!(cache.cached(&elsewhere).is_none(), "the same user id in another resource is another user");
    }
}
