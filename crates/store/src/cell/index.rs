//! Blind indexes: keyed hashes under which a personal value (an address, a number) is found without being told by its
//! row's key. Each resource has a key of its own for them, so equal values of two resources do not show as equal.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base::ResourceId;
use guard::hash::blind_index;
use serde::{Deserialize, Serialize};

use super::{Cell, Keyspace};
use crate::error::StoreError;
use crate::keyspace::{Class, KeyspaceDef};
use crate::scope::Scope;

/// Where index keys rest.
pub(super) static DEF: &KeyspaceDef = &KeyspaceDef { name: "index_key", class: Class::Key };

/// The most resources whose index keys are remembered; past it all are read again.
const REMEMBERED: usize = 4_096;

struct IndexKeys;

#[derive(Serialize, Deserialize)]
struct IndexKey([u8; 32]);

impl Keyspace for IndexKeys {
    const DEF: &'static KeyspaceDef = DEF;
    const FORMAT: u8 = 1;
    type Key = u32;
    type Value = IndexKey;

    fn scope(_key: &u32, _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// Index keys in memory.
#[derive(Default)]
pub(super) struct Indexes(Mutex<HashMap<ResourceId, [u8; 32]>>);

impl Cell {
    /// The blind index of `bytes` in `resource`: the same for the same bytes and `domain`, and telling nothing of them.
    /// One domain per meaning (`"number"`, `"suppressed address"`).
    ///
    /// # Errors
    /// [`StoreError::UnknownResource`], or when the engine or the key service fails.
    pub async fn blind_index(
        &self,
        resource: ResourceId,
        domain: &str,
        bytes: &[u8],
    ) -> Result<[u8; 16], StoreError> {
        let remembered =
            self.0.indexes.0.lock().unwrap_or_else(PoisonError::into_inner).get(&resource).copied();
        let key = match remembered {
            Some(key) => key,
            None => self.index_key(resource).await?,
        };
        Ok(blind_index(&key, domain, bytes))
    }

    async fn index_key(&self, resource: ResourceId) -> Result<[u8; 32], StoreError> {
        loop {
            let found = self.read(resource).await?.get::<IndexKeys>(&0).await?;
            if let Some(found) = found {
                let mut known = self.0.indexes.0.lock().unwrap_or_else(PoisonError::into_inner);
                if known.len() >= REMEMBERED {
                    known.clear();
                }
                known.insert(resource, found.value.0);
                return Ok(found.value.0);
            }
            let mut key = [0; 32];
            self.0.rng.fill(&mut key);
            let mut draft = self.draft(resource).await?;
            draft.expect_absent::<IndexKeys>(&0);
            draft.put_in_resource::<IndexKeys>(&0, &IndexKey(key), &[])?;
            match draft.commit().await {
                Ok(()) | Err(StoreError::Conflict) => {}
                Err(fault) => return Err(fault),
            }
        }
    }
}
