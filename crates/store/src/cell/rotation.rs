//! New keys for what is stored already: a resource's keys under another holder, a new generation of them, and the
//! re-encryption of what rests under the former ones. Each step is one commit that holds whatever happens beside it, so
//! that any of them may be repeated after a crash.

use base::ResourceId;
use guard::{OpenError, ScopeKey, Sealed};
use serde::{Deserialize, Serialize};

use super::keys::{generation_of, resource_row};
use super::resource_keys::{MAX_GENERATIONS, ResourceKeys};
use super::walk::Walk;
use super::{Cell, RESOURCE_KEY};
use crate::commit::{Commit, Precondition, Row, RowKey, Write};
use crate::error::StoreError;
use crate::keyspace::KeyspaceDef;

/// How often a step begins again when another change came first.
const ATTEMPTS: usize = 16;

/// One generation of a resource's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyGeneration {
    /// Its number, from 1; the greatest seals.
    pub number: u32,
    /// The key service that wrapped it.
    pub holder: String,
}

/// Where a re-encryption is: begin with the default, go on until it is [`Sweep::is_over`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// How far it is.
    pub walk: Walk,
    /// The generation that what it looked at rests under now; another one since, and it begins again.
    under: Option<u32>,
    /// Rows looked at.
    pub seen: u64,
    /// Rows that rested under a former generation, and now rest under the newest.
    pub renewed: u64,
    /// Rows that rest under a former generation and do not open: they are damaged.
    pub damaged: u64,
}

impl Sweep {
    /// Whether every row has been looked at.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.walk.is_over()
    }
}

impl Cell {
    /// The names of the key services this node was told of, the root's first.
    pub fn key_services(&self) -> impl Iterator<Item = &str> {
        self.0.kms.names()
    }

    /// The generations of a resource's key, from the oldest on, and who holds each. No key service is asked.
    ///
    /// # Errors
    /// [`StoreError::UnknownResource`], or when the engine fails.
    pub async fn key_generations(&self, resource: ResourceId) -> Result<Vec<KeyGeneration>, StoreError> {
        let rows = self.stored_resource_keys(resource).await?;
        if rows.is_empty() {
            return Err(StoreError::UnknownResource);
        }
        rows.iter()
            .map(|row| Ok(KeyGeneration { number: generation_of(row)?, holder: held_by(row)? }))
            .collect()
    }

    /// Whether its keys are in memory, so that nothing of it waits for a key service.
    #[must_use]
    pub fn knows_keys(&self, resource: ResourceId) -> bool {
        self.0.keys.resource(resource, self.0.clock.now()).is_some()
    }

    /// Whether its keys are known here, or can be had.
    ///
    /// # Errors
    /// [`StoreError::UnknownResource`]; why its key service does not give them; or when the engine fails.
    pub async fn has_keys(&self, resource: ResourceId) -> Result<(), StoreError> {
        self.resource_keys(resource).await.map(drop)
    }

    /// Asks its key service for its keys, whatever is known here; when it gives them, a refusal before is forgotten.
    ///
    /// # Errors
    /// As [`Cell::has_keys`].
    pub async fn ask_for_keys(&self, resource: ResourceId) -> Result<(), StoreError> {
        let rows = self.stored_resource_keys(resource).await?;
        self.unwrap_resource(resource, rows, None).await?;
        self.0.keys.forget_refusal(resource);
        Ok(())
    }

    /// Hands a resource's keys to another key service: opened by the one that holds them, wrapped by `holder`. What they
    /// seal is not touched. Gives the number of generations that changed hands.
    ///
    /// # Errors
    /// [`StoreError::UnknownKeyService`]; [`StoreError::UnknownResource`]; or when the engine or one of the key services
    /// fails.
    pub async fn hand_over(&self, resource: ResourceId, holder: &str) -> Result<usize, StoreError> {
        self.0.kms.of(holder)?;
        let rows = self.stored_resource_keys(resource).await?;
        if rows.is_empty() {
            return Err(StoreError::UnknownResource);
        }
        let mut handed = 0;
        for row in rows {
            if held_by(&row)? == holder {
                continue;
            }
            let key = self.unwrap_one(resource, &row).await?;
            let sealed = self.wrap_one(resource, holder, &key).await?;
            let name = resource_row(resource, key.generation());
            let commit = Commit {
                preconditions: vec![Precondition::ValueIs(name.clone(), row.value)],
                writes: vec![Write::Put(name, sealed)],
            };
            self.commit_keys(commit).await?;
            self.0.keys.forget_resource(resource);
            handed += 1;
        }
        Ok(handed)
    }

    /// Begins a new generation of a resource's key, held by whoever holds the newest. From this commit on nothing more
    /// is sealed under the former ones, on no node; what rests under them stays readable. Gives its number.
    ///
    /// # Errors
    /// [`StoreError::Generations`] when there are [`MAX_GENERATIONS`]; [`StoreError::UnknownResource`]; or when the
    /// engine or the key service fails.
    pub async fn begin_generation(&self, resource: ResourceId) -> Result<u32, StoreError> {
        for _ in 0..ATTEMPTS {
            let mut rows = self.stored_resource_keys(resource).await?;
            if rows.len() >= MAX_GENERATIONS {
                return Err(StoreError::Generations);
            }
            let newest = rows.pop().ok_or(StoreError::UnknownResource)?;
            let number = generation_of(&newest)?.checked_add(1).ok_or(StoreError::Generations)?;
            let key = ScopeKey::generate(&*self.0.rng, number);
            let sealed = self.wrap_one(resource, &held_by(&newest)?, &key).await?;
            let (former, next) = (resource_row(resource, number - 1), resource_row(resource, number));
            let commit = Commit {
                preconditions: vec![
                    Precondition::ValueIs(former.clone(), newest.value.clone()),
                    Precondition::Absent(next.clone()),
                ],
                // Put again, the former's version rises: whoever still seals under it conflicts.
                writes: vec![Write::Put(former, newest.value), Write::Put(next, sealed)],
            };
            match self.commit_keys(commit).await {
                Err(StoreError::Conflict) => {}
                fate => {
                    self.0.keys.forget_resource(resource);
                    return fate.map(|()| number);
                }
            }
        }
        Err(StoreError::Conflict)
    }

    /// One step of a re-encryption: looks at up to [`super::STEP_ROWS`] rows, and seals anew those that rest under a former
    /// generation. Of content only what is sealed under the resource's own key is opened; all else rests under keys of
    /// scopes, which are wrapped anew.
    ///
    /// # Errors
    /// [`StoreError::UnknownResource`], or when the engine or the key service fails. The step may be taken again.
    pub async fn renew(&self, resource: ResourceId, sweep: &mut Sweep) -> Result<(), StoreError> {
        let keys = self.keys_as_stored(resource).await?;
        let newest = keys.newest().generation();
        if sweep.under != Some(newest) {
            *sweep = Sweep { under: Some(newest), ..Sweep::default() };
        }
        // Taken over only when its rows are renewed, so that a step that failed is taken again.
        let mut walk = sweep.walk.clone();
        let begins = walk == Walk::default();
        let Some((def, rows)) = self.walked(resource, &mut walk).await? else { return Ok(()) };
        if begins {
            *sweep = Sweep { under: Some(newest), ..Sweep::default() };
        }
        sweep.seen += rows.len() as u64;
        if def.name != RESOURCE_KEY.name {
            self.renew_rows(resource, &keys, def, rows, sweep).await?;
        }
        sweep.walk = walk;
        Ok(())
    }

    /// As they are stored, not as they are remembered: a pass that did not know the newest would find nothing to do.
    async fn keys_as_stored(&self, resource: ResourceId) -> Result<ResourceKeys, StoreError> {
        let remembered = self.resource_keys(resource).await?;
        let rows = self.stored_resource_keys(resource).await?;
        self.unwrap_resource(resource, rows, Some(&remembered)).await
    }

    /// All at once, so that they share what durability costs; those that another change came before, one by one after it.
    async fn renew_rows(
        &self,
        resource: ResourceId,
        keys: &ResourceKeys,
        def: &'static KeyspaceDef,
        rows: Vec<Row>,
        sweep: &mut Sweep,
    ) -> Result<(), StoreError> {
        let mut pending = Vec::new();
        for row in rows {
            let name = RowKey { keyspace: def, resource, key: row.key };
            match self.renewal(keys, &name, row.value) {
                Ok(None) => {}
                Ok(Some(commit)) => pending.push((name, self.0.group.submit(commit)?)),
                Err(StoreError::Corrupt { .. }) => sweep.damaged += 1,
                Err(fault) => return Err(fault),
            }
        }
        for (name, one) in pending {
            let is_done = match one.await.map_err(StoreError::from) {
                Err(StoreError::Conflict) => self.renew_again(&name).await?,
                fate => fate.map(|()| true)?,
            };
            sweep.renewed += u64::from(is_done);
        }
        Ok(())
    }

    /// Whether a row that changed meanwhile had to be renewed, and was.
    async fn renew_again(&self, name: &RowKey) -> Result<bool, StoreError> {
        for _ in 0..ATTEMPTS {
            let keys = self.keys_as_stored(name.resource).await?;
            let Some(row) = self.0.engine.snapshot().await?.get(name).await? else { return Ok(false) };
            let Some(commit) = self.renewal(&keys, name, row.value)? else { return Ok(false) };
            match self.commit_keys(commit).await {
                Err(StoreError::Conflict) => {}
                fate => return fate.map(|()| true),
            }
        }
        Err(StoreError::Conflict)
    }

    /// The commit that renews a row, when it rests under a former generation.
    fn renewal(
        &self,
        keys: &ResourceKeys,
        name: &RowKey,
        value: Sealed,
    ) -> Result<Option<Commit>, StoreError> {
        let Some(sealed) = self.sealed_anew(keys, name, &value)? else { return Ok(None) };
        let newest = resource_row(name.resource, keys.newest().generation());
        Ok(Some(Commit {
            // By its value: a row that was deleted and made again meanwhile must not get its former life back.
            preconditions: vec![
                Precondition::ValueIs(name.clone(), value),
                Precondition::VersionIs(newest, keys.version()),
            ],
            writes: vec![Write::Put(name.clone(), sealed)],
        }))
    }

    /// The value under the newest key, when it rests under a former one of the resource's own.
    fn sealed_anew(
        &self,
        keys: &ResourceKeys,
        name: &RowKey,
        value: &Sealed,
    ) -> Result<Option<Sealed>, StoreError> {
        let damaged = StoreError::Corrupt { keyspace: name.keyspace.name };
        let header = value.header().map_err(|_| damaged)?;
        let former = keys.older().find(|key| key.generation() == header.generation);
        former.map_or(Ok(None), |former| self.renewed(name, value, former, keys.newest()))
    }

    /// What is sealed under `former`, under `newest`; `None` when another key seals it.
    pub(super) fn renewed(
        &self,
        name: &RowKey,
        value: &Sealed,
        former: &ScopeKey,
        newest: &ScopeKey,
    ) -> Result<Option<Sealed>, StoreError> {
        let damaged = StoreError::Corrupt { keyspace: name.keyspace.name };
        if value.header().map_err(|_| damaged.clone())?.generation != former.generation() {
            return Ok(None);
        }
        let place = self.place(name.resource, name.keyspace.name, &name.key, &[]);
        match former.renew(newest, &*self.0.rng, &place, value) {
            Ok(sealed) => Ok(Some(sealed?)),
            // Of a scope whose key happens to have the same number.
            Err(OpenError::WrongKey) => Ok(None),
            Err(_) => Err(damaged),
        }
    }

    /// Ends the generations before the newest. Call it only when a whole [`Sweep`] that began after the newest did found
    /// nothing to renew and nothing damaged: what still rests under them is lost. Gives how many ended.
    ///
    /// # Errors
    /// When the engine fails, or the keys changed in this very moment ([`StoreError::Conflict`]).
    pub async fn end_generations(&self, resource: ResourceId, sweep: &Sweep) -> Result<usize, StoreError> {
        if !sweep.is_over() || sweep.renewed > 0 || sweep.damaged > 0 {
            return Ok(0);
        }
        let mut rows = self.stored_resource_keys(resource).await?;
        let newest = rows.pop().ok_or(StoreError::UnknownResource)?;
        let name = |row: &Row| Ok::<_, StoreError>(resource_row(resource, generation_of(row)?));
        let newest_name = name(&newest)?;
        if sweep.under != Some(generation_of(&newest)?) {
            return Ok(0);
        }
        let ended = rows.len();
        let commit = Commit {
            preconditions: vec![Precondition::ValueIs(newest_name, newest.value)],
            writes: rows.iter().map(|row| name(row).map(Write::Delete)).collect::<Result<_, _>>()?,
        };
        if ended > 0 {
            self.commit_keys(commit).await?;
            self.0.keys.forget_resource(resource);
        }
        Ok(ended)
    }

    async fn commit_keys(&self, commit: Commit) -> Result<(), StoreError> {
        Ok(self.0.group.submit(commit)?.await?)
    }
}

fn held_by(row: &Row) -> Result<String, StoreError> {
    let parsed = guard::holder::parsed(&row.value).map(|(name, _)| name.to_owned());
    parsed.ok_or(StoreError::Corrupt { keyspace: RESOURCE_KEY.name })
}
