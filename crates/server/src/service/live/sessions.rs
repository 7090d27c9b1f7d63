//! Sockets of browsers that are about to open: who asked for one is known by its token, the socket itself carries none. It is
//! known by an id that cannot be guessed, is good once, and soon is not any more.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base::{BoundedCache, ResourceId, Rng, Timestamp, UserId};
use guard::token::Claims;
use std::sync::Arc;

use super::mailbox::{Hearing, Replaceable};

/// For how long a socket that was asked for may be opened.
pub const OPENING: Duration = Duration::from_secs(30);
/// How many may be about to open; with more the oldest are given up.
pub const MAX_OPENING: usize = 16_384;
/// The longest id that a client gives its endpoint, in bytes; past it 400.
pub const MAX_ENDPOINT_ID: usize = 128;

/// Whose socket it is.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Of which resource.
    pub resource: ResourceId,
    /// The user.
    pub claims: Arc<Claims>,
    /// What the client calls its endpoint, which it keeps over connections.
    pub endpoint: String,
    until: Timestamp,
}

type Endpoint = (ResourceId, UserId, String);

/// Those that are about to open, and the newest of each endpoint.
pub struct Sessions {
    opening: Mutex<BoundedCache<[u8; 32], Opening>>,
    newest: Mutex<HashMap<Endpoint, Replaceable>>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { opening: Mutex::new(BoundedCache::new(MAX_OPENING)), newest: Mutex::default() }
    }
}

impl Sessions {
    /// An id for a socket of this user.
    #[must_use]
    pub fn ask(
        &self,
        resource: ResourceId,
        claims: Arc<Claims>,
        endpoint: String,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> String {
        let mut id = [0; 32];
        id[..16].copy_from_slice(&rng.id());
        id[16..].copy_from_slice(&rng.id());
        let opening = Opening { resource, claims, endpoint, until: now.plus(OPENING) };
        self.opening.lock().unwrap_or_else(PoisonError::into_inner).insert(id, opening);
        id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whose socket has this id, once.
    #[must_use]
    pub fn open(&self, id: &str, resource: ResourceId, now: Timestamp) -> Option<Opening> {
        let id = parse(id)?;
        let found = self.opening.lock().unwrap_or_else(PoisonError::into_inner).remove(&id)?;
        (found.until >= now && found.resource == resource).then_some(found)
    }

    /// Whether a session of this user waits to be opened, or does without one that it has opened.
    #[must_use]
    pub fn is_of(&self, id: &str, claims: &Claims) -> bool {
        let Some(id) = parse(id) else { return false };
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        opening.get_mut(&id).is_some_and(|found| found.claims.user == claims.user)
    }

    /// What this connection hears, another of the same endpoint hears no more.
    pub fn replace(&self, opening: &Opening, hearing: &Hearing) {
        let key = (opening.resource, opening.claims.user, opening.endpoint.clone());
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(former) = newest.insert(key, hearing.replaceable()) {
            hearing.replace(&former);
        }
        // Of those that are gone only the name is left; they go when there are many.
        if newest.len() > MAX_OPENING {
            newest.retain(|_, one| one.is_there());
        }
    }

    /// The endpoint's connection has ended.
    pub fn ended(&self, opening: &Opening) {
        let key = (opening.resource, opening.claims.user, opening.endpoint.clone());
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.get(&key).is_some_and(|one| !one.is_there()) {
            newest.remove(&key);
        }
    }
}

fn parse(id: &str) -> Option<[u8; 32]> {
    if id.len() != 64 || !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut out = [0; 32];
    for (slot, at) in out.iter_mut().zip((0..64).step_by(2)) {
        *slot = u8::from_str_radix(&id[at..at + 2], 16).ok()?;
    }
    Some(out)
}
