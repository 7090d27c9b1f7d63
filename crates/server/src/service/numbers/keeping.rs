//! Moving a number between nobody, who may buy it for a while, and who holds it. Each move is conditional on the number
//! being as it was read, so of two that want it one gets it, on any number of nodes.

use base::{EntryId, ResourceId, Timestamp};
use store::{Cell, Direction, Draft, KeyRange, StoreError};

use super::desk::Registered;
use super::rows::{FreeNumbers, KeptNumbers, NumberRow, Numbers, State};

/// How many keepings that have ended are ended by one who looks for numbers.
const ENDED_AT_ONCE: usize = 500;

/// Takes the number out of its place, and expects it to be there still.
fn leave(draft: &mut Draft, found: &Registered) {
    draft.expect_version::<Numbers>(&found.key, found.version);
    match found.row.state {
        State::Free => draft.delete::<FreeNumbers>(&(found.row.shelf, found.key)),
        State::Kept { until, .. } => draft.delete::<KeptNumbers>(&(until, found.key)),
        State::Held { .. } => {}
    }
}

fn put(draft: &mut Draft, found: &Registered, state: State) -> Result<(), StoreError> {
    let row = NumberRow { state, ..found.row.clone() };
    draft.put_in_resource::<Numbers>(&found.key, &row, &[])
}

/// Keeps the number for `by`; `draft` is the cell's.
pub(super) fn keep(
    draft: &mut Draft,
    found: &Registered,
    by: ResourceId,
    of: EntryId,
    until: Timestamp,
) -> Result<(), StoreError> {
    leave(draft, found);
    put(draft, found, State::Kept { by, of, until })?;
    draft.put_in_resource::<KeptNumbers>(&(until, found.key), &(), &[])
}

/// Gives the number to `by` for good; `draft` is the cell's.
pub(super) fn hold(draft: &mut Draft, found: &Registered, by: ResourceId) -> Result<(), StoreError> {
    leave(draft, found);
    put(draft, found, State::Held { by })
}

/// Gives the number back; `draft` is the cell's.
pub(super) fn free(draft: &mut Draft, found: &Registered) -> Result<(), StoreError> {
    leave(draft, found);
    put(draft, found, State::Free)?;
    draft.put_in_resource::<FreeNumbers>(&(found.row.shelf, found.key), &found.row.number, &[])
}

/// Whether `by` may still buy the number for `of`.
pub(super) fn is_kept(found: &Registered, by: ResourceId, of: EntryId, now: Timestamp) -> bool {
    matches!(found.row.state, State::Kept { by: owner, of: what, until } if owner == by && what == of && now < until)
}

/// Whether anybody may have the number: nobody has it, or who kept it is too late.
pub(super) fn is_free(found: &Registered, now: Timestamp) -> bool {
    match found.row.state {
        State::Free => true,
        State::Kept { until, .. } => until <= now,
        State::Held { .. } => false,
    }
}

/// Ends what is kept too long, so that it is found again. Whoever looks for numbers does so first; that another one did
/// it at the same time does not matter.
pub(super) async fn end_overdue(cell: &Cell, now: Timestamp) -> Result<(), StoreError> {
    let mut reader = cell.read(ResourceId::CELL).await?;
    let due = KeyRange::all().before(&(now.plus(std::time::Duration::from_millis(1)),));
    let due = reader.scan_keys::<KeptNumbers>(due, Direction::Forward, ENDED_AT_ONCE).await?;
    if due.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = due.iter().map(|((_, key), ..)| *key).collect();
    let found = reader.multi_get::<Numbers>(&keys).await?;
    let mut draft = reader.draft();
    drop(reader);
    for ((until, key), found) in due.into_iter().map(|(key, ..)| key).zip(found) {
        let found = found.and_then(store::Opened::value);
        let found = found.map(|found| Registered { key, row: found.value, version: found.version });
        match found {
            Some(found) if matches!(found.row.state, State::Kept { until: kept, .. } if kept == until) => {
                free(&mut draft, &found)?;
            }
            // A row that no number answers to.
            _ => draft.delete::<KeptNumbers>(&(until, key)),
        }
    }
    match draft.commit().await {
        Ok(()) | Err(StoreError::Conflict) => Ok(()),
        Err(fault) => Err(fault),
    }
}
