//! Communication users: an id each, and the right to act as one for a while. Nothing else about a user is kept here.

mod live;
mod rows;

use std::time::Duration;

use base::{Clock, ResourceId, Rng, Timestamp, UserId};
use guard::token::{Claims, Scopes};
use store::{Cell, Draft, StoreError, Versioned};
use thiserror::Error;

pub use live::{IdentityCache, LiveUser};
pub use rows::{Identities, IdentityRow, keyspaces};

use super::audit::{self, Act, Target};
use super::chat::erasure;
use super::receipts::Order;
use super::resources::CellTokens;
use crate::service::live::Live;

/// Why an identity operation did not happen.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// No such user in this resource: never made here, of another resource, or deleted. One answer for all three.
    #[error("the identity does not belong to the resource")]
    NotOwned,
    /// Too many tries lost a race against others.
    #[error("too many concurrent changes of one identity")]
    Busy,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A token just made.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    /// The JWT.
    pub token: base::Secret<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What a token shall allow, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    /// The scopes, at least one.
    pub scopes: Scopes,
    /// For how long.
    pub lifetime: Duration,
}

/// The identities of one resource, at the service of one caller.
pub struct IdentityDesk<'a> {
    /// The cell that the resource lives in.
    pub cell: &'a Cell,
    /// The resource.
    pub resource: ResourceId,
    /// The keys that sign tokens.
    pub tokens: &'a CellTokens,
    /// Who listens, until its token ends.
    pub live: &'a Live,
    /// Who is known to live.
    pub cache: &'a IdentityCache,
    /// The time.
    pub clock: &'a dyn Clock,
    /// The dice.
    pub rng: &'a dyn Rng,
    /// Who does what.
    pub act: Act,
    /// How often a commit that lost a race is built anew.
    pub attempts: usize,
}

/// Builds a commit anew for as long as it loses against others, within the limit.
macro_rules! retry {
    ($desk:expr, $user:expr, $attempt:expr) => {{
        let mut turn = None;
        for _ in 0..$desk.attempts.max(1) {
            match $attempt.await {
                Err(IdentityError::Store(StoreError::Conflict)) => {}
                done => return done,
            }
            if turn.is_none() {
                turn = Some($desk.cache.turns().take(*$user.as_bytes()).await);
            }
        }
        Err(IdentityError::Busy)
    }};
}

impl IdentityDesk<'_> {
    /// Makes a user, with a token when one is asked for.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn create(&self, grant: Option<Grant>) -> Result<(UserId, Option<IssuedToken>), IdentityError> {
        let user = UserId::mint(self.rng);
        let now = self.clock.now();
        let row = IdentityRow { created_on: now, epoch: 0 };
        let mut draft = self.cell.draft(self.resource).await?;
        draft.expect_absent::<Identities>(&user);
        draft.put_in_resource::<Identities>(&user, &row, &[])?;
        self.audit(&mut draft, user)?;
        draft.commit().await?;
        Ok((user, grant.map(|grant| self.sign(user, &row, grant))))
    }

    /// Makes another token for `user`. Older ones stay good: each is judged by itself.
    ///
    /// The entry in the audit log is conditional on the identity as it was read, so no token is handed out for one
    /// that was deleted or revoked in between.
    ///
    /// # Errors
    /// [`IdentityError::NotOwned`] for an identity that is not there.
    pub async fn issue(&self, user: UserId, grant: Grant) -> Result<IssuedToken, IdentityError> {
        retry!(self, user, self.issue_once(user, grant))
    }

    /// Ends all tokens of `user` made so far, on every node with the next request.
    ///
    /// # Errors
    /// [`IdentityError::NotOwned`] for an identity that is not there.
    pub async fn revoke(&self, user: UserId) -> Result<(), IdentityError> {
        retry!(self, user, self.revoke_once(user))
    }

    /// Deletes `user`: ends its tokens, and destroys the keys of what it wrote before this returns.
    ///
    /// Deleting one that is not there succeeds. A client whose first answer was lost asks again and must not be told
    /// that it failed; and to tell "deleted" from "never made" a trace of every deleted user would have to be kept,
    /// which is what deleting is meant to end. Who may ask owns the resource and learns nothing from it.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn delete(&self, user: UserId) -> Result<(), IdentityError> {
        retry!(self, user, self.delete_once(user))
    }

    async fn issue_once(&self, user: UserId, grant: Grant) -> Result<IssuedToken, IdentityError> {
        let (found, mut draft) = self.owned(user).await?;
        if self.act.name.is_some() {
            draft.expect_version::<Identities>(&user, found.version);
            self.audit(&mut draft, user)?;
            draft.commit().await?;
        }
        Ok(self.sign(user, &found.value, grant))
    }

    async fn revoke_once(&self, user: UserId) -> Result<(), IdentityError> {
        let (found, mut draft) = self.owned(user).await?;
        let epoch = found.value.epoch.checked_add(1).ok_or(StoreError::TooLarge)?;
        draft.expect_version::<Identities>(&user, found.version);
        draft.put_in_resource::<Identities>(&user, &IdentityRow { epoch, ..found.value }, &[])?;
        self.audit(&mut draft, user)?;
        draft.commit().await?;
        self.cache.forget_user(self.resource, user);
        self.live.revoked(self.cell, self.resource, user).await?;
        Ok(())
    }

    async fn delete_once(&self, user: UserId) -> Result<(), IdentityError> {
        let mut reader = self.cell.read(self.resource).await?;
        let mut forgotten = Vec::new();
        if let Some(found) = reader.get::<Identities>(&user).await? {
            let mut draft = reader.draft();
            draft.expect_version::<Identities>(&user, found.version);
            draft.delete::<Identities>(&user);
            forgotten =
                erasure::forget_user(&mut reader, &mut draft, user, Order::of(self.act, self.clock.now()))
                    .await?;
            drop(reader);
            self.audit(&mut draft, user)?;
            draft.commit().await?;
            self.cache.forget_user(self.resource, user);
            self.live.revoked(self.cell, self.resource, user).await?;
        } else {
            drop(reader);
        }
        // Also where it is gone already: the deletion asked for before may have ended between the two.
        Ok(erasure::forget_rest(self.cell, self.resource, user, &forgotten).await?)
    }

    async fn owned(&self, user: UserId) -> Result<(Versioned<IdentityRow>, Draft), IdentityError> {
        let mut reader = self.cell.read(self.resource).await?;
        let found = reader.get::<Identities>(&user).await?.ok_or(IdentityError::NotOwned)?;
        Ok((found, reader.draft()))
    }

    fn audit(&self, draft: &mut Draft, user: UserId) -> Result<(), StoreError> {
        audit::record(draft, self.act, Target::User(user), self.clock.now(), self.rng)
    }

    fn sign(&self, user: UserId, row: &IdentityRow, grant: Grant) -> IssuedToken {
        // A token holds whole seconds (RFC 7519); rounding down keeps it from outliving what was asked for.
        let issued_at = Timestamp::from_millis(self.clock.now().as_secs() * 1000);
        let expires_at = issued_at.plus(grant.lifetime);
        let token = self.tokens.sign(&Claims {
            resource: self.resource,
            geography: self.cell.geography().clone(),
            user,
            scopes: grant.scopes,
            issued_at,
            expires_at,
            epoch: row.epoch,
        });
        IssuedToken { token: base::Secret::new(token), expires_at }
    }
}
