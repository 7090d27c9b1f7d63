//! What an operator does to the queue: pause and resume, for all or for one resource; and what there is to see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{ResourceId, Rng, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Cell, Class, Direction, KeyRange, Keyspace, KeyspaceDef, Opened, Scope, StoreError};

use super::{Deliveries, Kind};
use crate::directory::ResourceEntry;
use crate::service::audit::{self, Act, Target};

/// The most rows that are looked at to describe one resource's queue.
pub const LOOKED_AT: usize = 10_000;
/// Rows read at once.
const PAGE: usize = 500;

/// What is paused in a cell: rows of the cell itself.
pub struct Pauses;

impl Keyspace for Pauses {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "delivery_pause", class: Class::Content };
    const FORMAT: u8 = 1;
    /// The kind, and the resource; [`ResourceId::CELL`] is all of them.
    type Key = (u8, [u8; 16]);
    type Value = PauseRow;

    fn scope(_key: &Self::Key, _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// Since when something is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseRow {
    /// When it was paused.
    pub since: Timestamp,
}

/// What is paused, as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paused(BTreeSet<(u8, [u8; 16])>);

impl Paused {
    /// Whether things of this kind stay where they are.
    #[must_use]
    pub fn holds(&self, kind: Kind, resource: ResourceId) -> bool {
        let one = |resource: ResourceId| self.0.contains(&(code(kind), *resource.as_bytes()));
        one(ResourceId::CELL) || one(resource)
    }
}

const fn code(kind: Kind) -> u8 {
    match kind {
        Kind::Mail => 1,
        Kind::Text => 2,
    }
}

/// What is paused in a cell.
///
/// # Errors
/// Those of the store.
pub async fn paused(cell: &Cell) -> Result<Paused, StoreError> {
    let mut reader = cell.read(ResourceId::CELL).await?;
    let rows = reader.scan_keys::<Pauses>(KeyRange::all(), Direction::Forward, LOOKED_AT).await?;
    Ok(Paused(rows.into_iter().map(|(key, ..)| key).collect()))
}

/// Pauses or resumes kinds in a cell, for one resource or, with [`ResourceId::CELL`], for all of them. Doing so twice
/// does no harm. The entry in the audit log is the resource's own where one is named.
///
/// # Errors
/// Those of the store.
pub async fn set_paused(
    cell: &Cell,
    kinds: &[Kind],
    resource: ResourceId,
    pause: bool,
    act: Act,
    rng: &dyn Rng,
) -> Result<(), StoreError> {
    let now = cell.clock().now();
    let mut pauses = cell.draft(ResourceId::CELL).await?;
    for kind in kinds {
        let key = (code(*kind), *resource.as_bytes());
        if pause {
            pauses.put_in_resource::<Pauses>(&key, &PauseRow { since: now }, &[])?;
        } else {
            pauses.delete::<Pauses>(&key);
        }
    }
    let mut draft = cell.draft(resource).await?;
    audit::record(&mut draft, act, Target::Resource(resource), now, rng)?;
    draft.join(pauses)?;
    draft.commit().await
}

/// What waits in one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// By kind.
    pub kinds: BTreeMap<Kind, Counts>,
    /// Whether there is more than was looked at ([`LOOKED_AT`]).
    pub more: bool,
}

/// Numbers of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub waiting: usize,
    /// Of these, how many a node holds.
    pub held: usize,
    /// Of these, how many were tried before.
    pub tried: usize,
    /// When the oldest was accepted.
    pub oldest: Option<Timestamp>,
    /// When the next one that nobody holds is due.
    pub next: Option<Timestamp>,
}

/// Looks at the queue of one resource.
///
/// # Errors
/// Those of the store.
pub async fn waiting(resource: &ResourceEntry) -> Result<Waiting, StoreError> {
    let (mut found, mut seen, mut range) = (Waiting::default(), 0, KeyRange::all());
    loop {
        let mut reader = resource.cell().read(resource.id()).await?;
        let rows = reader.scan::<Deliveries>(range.clone(), Direction::Forward, PAGE).await?;
        drop(reader);
        let Some((last, _)) = rows.last() else { return Ok(found) };
        if seen >= LOOKED_AT {
            found.more = true;
            return Ok(found);
        }
        range = range.after(last);
        seen += rows.len();
        for (key, row) in rows.into_iter().filter_map(|(key, row)| Some((key, Opened::value(row)?.value))) {
            let counts = found.kinds.entry(row.kind).or_default();
            counts.waiting += 1;
            counts.held += usize::from(row.held);
            counts.tried += usize::from(row.attempts > 0);
            counts.oldest = Some(counts.oldest.map_or(row.accepted, |oldest| oldest.min(row.accepted)));
            if !row.held {
                counts.next = Some(counts.next.map_or(key.0, |next| next.min(key.0)));
            }
        }
    }
}

/// Makes everything that waits for its next attempt due now. Returns how much that was.
///
/// # Errors
/// Those of the store.
pub async fn hurry(
    resource: &Arc<ResourceEntry>,
    now: Timestamp,
    act: Act,
    rng: &dyn Rng,
) -> Result<usize, StoreError> {
    let mut draft = resource.cell().draft(resource.id()).await?;
    audit::record(&mut draft, act, Target::Resource(resource.id()), now, rng)?;
    draft.commit().await?;
    let (mut count, mut range) = (0, KeyRange::all().after(&(now, [0xFF; 16])));
    loop {
        let mut reader = resource.cell().read(resource.id()).await?;
        let rows = reader.scan::<Deliveries>(range.clone(), Direction::Forward, PAGE).await?;
        drop(reader);
        let Some((last, _)) = rows.last() else { return Ok(count) };
        range = range.after(last);
        let put_off = rows.into_iter().filter_map(|(key, row)| Some((key, Opened::value(row)?.value)));
        let put_off: Vec<_> = put_off.filter(|(_, row)| !row.held).collect();
        count += put_off.len();
        super::holds::give_up(resource, put_off, now).await?;
    }
}
