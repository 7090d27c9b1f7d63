//! New keys for a resource, and the re-encryption that brings what rests under the former ones under the newest: work that
//! any node takes up where another left it, at a pace that leaves the others in peace.

use std::time::Duration;

use base::{ResourceId, Timestamp};
use serde::{Deserialize, Serialize};
use store::cell::MAX_GENERATIONS;
use store::{
    Cell, Class, Direction, KeyRange, Keyspace, KeyspaceDef, MAX_SCAN, Scope, StoreError, Sweep, Versioned,
};
use thiserror::Error;

use crate::service::audit::{self, Act, Target};

/// How many rows a second are looked at unless something else is asked for.
pub const PACE: u32 = 2_000;
/// For how long a node that takes up the work has it, unless it says more.
pub const LEASE: Duration = Duration::from_secs(30);
/// How often one that lost a race is tried again.
const ATTEMPTS: usize = 8;

/// Works of all resources of a cell, by the resource.
pub(super) struct Renewals;

impl Keyspace for Renewals {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "key_renewal", class: Class::Content };
    const FORMAT: u8 = 1;
    type Key = [u8; 16];
    type Value = Renewal;

    fn scope(_key: &Self::Key, _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// What is wanted of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// How many rows a second are looked at; 0: as many as it can.
    pub rows_per_second: u32,
    /// Whether what rests under the former keys is left there.
    pub keeps_former: bool,
}

/// Where a renewal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It waits for a node, or a node is at it.
    Running,
    /// Everything rests under the newest key, and the former ones are no more; or they are to be kept.
    Done,
    /// Rows that rest under a former key are damaged, so the former keys are kept.
    Damaged,
}

/// The renewal of one resource's keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// What was wanted.
    pub wish: Wish,
    /// When.
    pub asked_on: Timestamp,
    /// Where it stands.
    pub standing: Standing,
    /// Since when it is over.
    pub ended_on: Option<Timestamp>,
    /// The newest generation when it was asked for.
    before: u32,
    /// The pass that it is at, from 1: the last one finds nothing to do any more.
    pub passes: u32,
    /// Where the pass is.
    pub sweep: Sweep,
    /// Rows that were sealed anew, in all passes.
    pub renewed: u64,
    /// Generations that were ended.
    pub ended: u32,
    node: [u8; 16],
    until: Timestamp,
}

/// Why no renewal begins.
#[derive(Debug, Error)]
pub enum RenewalError {
    /// One is under way.
    #[error("the keys of this resource are being renewed already")]
    Running,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Asks for new keys for `resource`, which may be [`ResourceId::CELL`].
///
/// # Errors
/// [`RenewalError::Running`]; those of the store.
pub async fn ask(cell: &Cell, resource: ResourceId, wish: Wish, act: Act) -> Result<(), RenewalError> {
    for _ in 0..ATTEMPTS {
        match ask_once(cell, resource, wish, act).await {
            Err(RenewalError::Store(StoreError::Conflict)) => {}
            done => return done,
        }
    }
    Err(StoreError::Conflict.into())
}

async fn ask_once(cell: &Cell, resource: ResourceId, wish: Wish, act: Act) -> Result<(), RenewalError> {
    let now = cell.clock().now();
    let generations = cell.key_generations(resource).await?;
    if generations.len() >= MAX_GENERATIONS {
        return Err(StoreError::Generations.into());
    }
    let before = generations.last().map_or(1, |newest| newest.number);
    let mut reader = cell.read(ResourceId::CELL).await?;
    let known = reader.get::<Renewals>(resource.as_bytes()).await?;
    let mut draft = reader.draft();
    drop(reader);
    match &known {
        Some(known) if known.value.standing == Standing::Running => return Err(RenewalError::Running),
        Some(known) => draft.expect_version::<Renewals>(resource.as_bytes(), known.version),
        None => draft.expect_absent::<Renewals>(resource.as_bytes()),
    }
    let renewal = Renewal {
        wish,
        asked_on: now,
        standing: Standing::Running,
        ended_on: None,
        before,
        passes: 0,
        sweep: Sweep::default(),
        renewed: 0,
        ended: 0,
        node: [0; 16],
        until: now,
    };
    draft.put_in_resource::<Renewals>(resource.as_bytes(), &renewal, &[])?;
    audit::record(&mut draft, act, Target::Resource(resource), now, &**cell.rng())?;
    Ok(draft.commit().await?)
}

/// The renewal of one resource that was asked for last.
///
/// # Errors
/// Those of the store.
pub async fn of(cell: &Cell, resource: ResourceId) -> Result<Option<Renewal>, StoreError> {
    let mut reader = cell.read(ResourceId::CELL).await?;
    Ok(reader.get::<Renewals>(resource.as_bytes()).await?.map(|found| found.value))
}

/// A renewal that a node has taken up.
pub struct Held<'a> {
    cell: &'a Cell,
    /// Whose keys.
    pub resource: ResourceId,
    /// Where it stands.
    pub renewal: Renewal,
    version: u64,
}

/// The resources of a cell whose keys are to be renewed.
///
/// # Errors
/// Those of the store.
pub async fn waiting(cell: &Cell) -> Result<Vec<ResourceId>, StoreError> {
    let (mut all, mut range) = (Vec::new(), KeyRange::all());
    loop {
        let mut reader = cell.read(ResourceId::CELL).await?;
        let rows = reader.scan::<Renewals>(range.clone(), Direction::Forward, MAX_SCAN).await?;
        let Some((last, _)) = rows.last() else { return Ok(all) };
        range = range.after(last);
        let rows = rows.into_iter().filter_map(|(key, row)| Some((key, row.value()?.value)));
        let running = rows.filter(|(_, renewal)| renewal.standing == Standing::Running);
        all.extend(running.map(|(key, _)| ResourceId::from_bytes(key)));
    }
}

/// Takes up the renewal of a resource, unless another node is at it.
///
/// # Errors
/// Those of the store; [`StoreError::Conflict`] when another node was quicker.
pub async fn take(cell: &Cell, resource: ResourceId, node: [u8; 16]) -> Result<Option<Held<'_>>, StoreError> {
    let now = cell.clock().now();
    let mut reader = cell.read(ResourceId::CELL).await?;
    let found = reader.get::<Renewals>(resource.as_bytes()).await?;
    drop(reader);
    let Some(Versioned { value: renewal, version, .. }) = found else { return Ok(None) };
    // Where no other process can be, whoever had it is gone.
    let is_free = renewal.until <= now || renewal.node == node || !cell.is_shared();
    if renewal.standing != Standing::Running || !is_free {
        return Ok(None);
    }
    let mut held = Held { cell, resource, renewal, version };
    held.renewal.node = node;
    held.keep().await?;
    Ok(Some(held))
}

impl Held<'_> {
    /// Writes down how far it is, and keeps other nodes away for a while.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another node took it over; those of the store.
    pub async fn keep(&mut self) -> Result<(), StoreError> {
        self.renewal.until = self.cell.clock().now().plus(LEASE);
        let mut draft = self.cell.draft(ResourceId::CELL).await?;
        draft.expect_version::<Renewals>(self.resource.as_bytes(), self.version);
        draft.put_in_resource::<Renewals>(self.resource.as_bytes(), &self.renewal, &[])?;
        draft.commit().await?;
        self.version += 1;
        Ok(())
    }

    /// One small step. Gives how many rows it looked at. It may be taken again after a crash.
    ///
    /// # Errors
    /// Those of the store and of the key service; the step may be taken again.
    pub async fn step(&mut self) -> Result<u64, StoreError> {
        let (cell, resource, renewal) = (self.cell, self.resource, &mut self.renewal);
        if renewal.passes == 0 {
            let newest = cell.key_generations(resource).await?.last().map_or(1, |newest| newest.number);
            if newest == renewal.before {
                cell.begin_generation(resource).await?;
            }
            renewal.passes = 1;
            if renewal.wish.keeps_former {
                self.end(Standing::Done);
            }
            return Ok(0);
        }
        let (seen, renewed) = (renewal.sweep.seen, renewal.sweep.renewed);
        cell.renew(resource, &mut renewal.sweep).await?;
        let step = renewal.sweep.seen.saturating_sub(seen);
        renewal.renewed += renewal.sweep.renewed.saturating_sub(renewed);
        if renewal.sweep.is_over() {
            if renewal.sweep.damaged > 0 {
                self.end(Standing::Damaged);
            } else if renewal.sweep.renewed > 0 {
                renewal.sweep = Sweep::default();
                renewal.passes += 1;
            } else {
                let ended = cell.end_generations(resource, &renewal.sweep).await?;
                renewal.ended += u32::try_from(ended).unwrap_or(u32::MAX);
                self.end(Standing::Done);
            }
        }
        Ok(step)
    }

    /// Whether there is nothing more to do.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.renewal.standing != Standing::Running
    }

    fn end(&mut self, standing: Standing) {
        self.renewal.standing = standing;
        self.renewal.ended_on = Some(self.cell.clock().now());
    }
}

#[cfg(test)]
#[path = "renewal_tests.rs"]
mod tests;
