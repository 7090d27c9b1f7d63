//! Who holds what: a row whose key lies in the future and that is marked as held belongs to one node until then. Taking
//! on, giving back and putting off move a row to another key, in commits that fail when somebody else was quicker.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use store::{Direction, Draft, KeyRange, Opened, StoreError};

use super::{Deliveries, DeliveryKey, DeliveryRow, HOLD, Handed};
use crate::directory::ResourceEntry;

/// Rows moved in one commit: small, so that a lost race costs little.
pub const MOVED_AT_ONCE: usize = 64;

/// A row as it was found.
type Found = (DeliveryKey, DeliveryRow);

/// What is due in a resource, and whether there is more than was asked for.
pub struct Due {
    /// Taken on by this node.
    pub taken: Vec<Handed>,
    /// Whether more is due than was taken.
    pub more: bool,
}

/// Takes on at most `most` of what is due at `now`. What another node takes on at the same moment is left to it.
///
/// # Errors
/// Those of the store.
pub async fn take_due(resource: &Arc<ResourceEntry>, now: Timestamp, most: usize) -> Result<Due, StoreError> {
    let range = KeyRange::all().ending_at(&(now, [0xFF; 16]));
    let found = rows(resource, range, most).await?;
    let more = found.len() >= most;
    let taken = move_rows(resource, found, now.plus(HOLD), true).await?;
    Ok(Due { taken, more })
}

/// Makes everything that any node holds due now. Only where no other node can be: a store that one process alone has open.
///
/// # Errors
/// Those of the store.
pub async fn take_over(resource: &Arc<ResourceEntry>, now: Timestamp) -> Result<usize, StoreError> {
    let (mut range, mut count) = (KeyRange::all().after(&(now, [0xFF; 16])), 0);
    loop {
        let mut reader = resource.cell().read(resource.id()).await?;
        let keys = reader.scan_keys::<Deliveries>(range.clone(), Direction::Forward, MOVED_AT_ONCE).await?;
        let Some((last, ..)) = keys.last() else { return Ok(count) };
        range = range.after(last);
        let held: Vec<DeliveryKey> =
            keys.iter().filter(|(.., hint)| hint.first() == Some(&1)).map(|(key, ..)| *key).collect();
        let opened = reader.multi_get::<Deliveries>(&held).await?;
        drop(reader);
        let found: Vec<Found> = held.into_iter().zip(opened).filter_map(whole).collect();
        count += move_rows(resource, found, now, false).await?.len();
    }
}

/// Gives up what this node holds: it is due at `at` for whoever comes first.
///
/// # Errors
/// Those of the store; what was not given up is, when its hold ends.
pub async fn give_up(
    resource: &Arc<ResourceEntry>,
    held: Vec<(DeliveryKey, DeliveryRow)>,
    at: Timestamp,
) -> Result<(), StoreError> {
    move_rows(resource, held, at, false).await.map(drop)
}

/// Prolongs a hold that would end before an attempt could. `None`: this node does not hold it any more.
///
/// # Errors
/// Those of the store.
pub async fn prolong(handed: Handed, now: Timestamp, needed: Duration) -> Result<Option<Handed>, StoreError> {
    if handed.key.0 >= now.plus(needed) {
        return Ok(Some(handed));
    }
    let Handed { resource, key, row } = handed;
    Ok(move_rows(&resource, vec![(key, row)], now.plus(HOLD), true).await?.pop())
}

fn whole((key, opened): (DeliveryKey, Option<Opened<DeliveryRow>>)) -> Option<Found> {
    opened.and_then(Opened::value).map(|found| (key, found.value))
}

async fn rows(resource: &ResourceEntry, range: KeyRange, most: usize) -> Result<Vec<Found>, StoreError> {
    let mut reader = resource.cell().read(resource.id()).await?;
    let found = reader.scan::<Deliveries>(range, Direction::Forward, most).await?;
    Ok(found.into_iter().filter_map(|(key, opened)| whole((key, Some(opened)))).collect())
}

/// Moves rows to `to`. A batch that loses a race is done row by row, so that one row of somebody else's does not keep the
/// others back.
async fn move_rows(
    resource: &Arc<ResourceEntry>,
    rows: Vec<Found>,
    to: Timestamp,
    held: bool,
) -> Result<Vec<Handed>, StoreError> {
    let mut moved = Vec::with_capacity(rows.len());
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let batch: Vec<Found> = rows.by_ref().take(MOVED_AT_ONCE).collect();
        let mut draft = resource.cell().draft(resource.id()).await?;
        for row in &batch {
            put(&mut draft, row, to, held)?;
        }
        match draft.commit().await {
            Ok(()) => moved.extend(batch.into_iter().map(|row| handed(resource, row, to, held))),
            Err(StoreError::Conflict) => {
                for row in batch {
                    let mut draft = resource.cell().draft(resource.id()).await?;
                    put(&mut draft, &row, to, held)?;
                    match draft.commit().await {
                        Ok(()) => moved.push(handed(resource, row, to, held)),
                        Err(StoreError::Conflict) => {}
                        Err(fault) => return Err(fault),
                    }
                }
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(moved)
}

fn put(draft: &mut Draft, (key, row): &Found, to: Timestamp, held: bool) -> Result<(), StoreError> {
    draft.expect_exists::<Deliveries>(key);
    draft.delete::<Deliveries>(key);
    let row = DeliveryRow { held, ..row.clone() };
    draft.put_in_resource::<Deliveries>(&(to, key.1), &row, &[u8::from(held)])
}

fn handed(resource: &Arc<ResourceEntry>, (key, row): Found, to: Timestamp, held: bool) -> Handed {
    Handed { resource: Arc::clone(resource), key: (to, key.1), row: DeliveryRow { held, ..row } }
}
