//! Connections of browsers that are about to open: who asked for one is known by its token, a socket itself carries none. It is
//! known by an id that cannot be guessed, is good once, and soon is not any more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{BoundedCache, ResourceId, Rng, Timestamp, UserId};
use guard::token::Claims;

/// For how long a connection that was asked for may be opened.
pub const OPENING: Duration = Duration::from_secs(30);
/// How many may be about to open; with one more the older half is given up.
pub const MAX_OPENING: usize = 16_384;
/// The longest id that a client gives its endpoint, in bytes; past it 400.
pub const MAX_ENDPOINT_ID: usize = 128;

/// Whose connection it is.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Of which resource.
    pub resource: ResourceId,
    /// The user.
    pub claims: Arc<Claims>,
    /// What the client calls its endpoint, which it keeps over connections.
    pub endpoint: String,
    /// Whether it was connected before: of what happened in between it was not told.
    pub again: bool,
    until: Timestamp,
}

/// Those that are about to open.
pub struct Sessions(Mutex<BoundedCache<String, Opening>>);

impl Default for Sessions {
    fn default() -> Self {
        Self(Mutex::new(BoundedCache::new(MAX_OPENING)))
    }
}

impl Sessions {
    /// An id for a connection of this user's endpoint, which may have been connected before.
    #[must_use]
    pub fn ask(
        &self,
        resource: ResourceId,
        claims: Arc<Claims>,
        (endpoint, again): (String, bool),
        now: Timestamp,
        rng: &dyn Rng,
    ) -> String {
        let id = format!("{}{}", base::hex(&rng.id()), base::hex(&rng.id()));
        let opening = Opening { resource, claims, endpoint, again, until: now.plus(OPENING) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), opening);
        id
    }

    /// Whose connection has this id, once. Where it is known who asks, nobody else uses it up.
    #[must_use]
    pub fn open(
        &self,
        id: &str,
        resource: ResourceId,
        now: Timestamp,
        by: Option<UserId>,
    ) -> Option<Opening> {
        let mut opening = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = opening.get_mut(id)?;
        if found.resource != resource || by.is_some_and(|by| by != found.claims.user) {
            return None;
        }
        opening.remove(id).filter(|found| found.until >= now)
    }
}
