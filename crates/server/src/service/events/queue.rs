//! The queues: one for each subscription, told by the node that holds its lease. Rows are read in the order in which
//! things happened, and are gone when they were told or given up.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use base::{ResourceId, Timestamp, UserId};
use post::webhook::Outcome;
use store::{Cell, Direction, Draft, KeyRange, Keyspace, Opened, Scope, ScopeHandle, StoreError};
use wire::Identifier;
use wire::events::{SubscriptionBody, ThreadParticipant};

use super::rows::{Dead, DeadRow, Ended, EventRow, Fill, LeaseRow, Leases, Queue, QueueKey, To};
use crate::service::chat;

/// For how long a node tells a subscription's events before it must say so again.
pub const LEASE: Duration = Duration::from_secs(15);
/// For how long dead letters are kept.
pub const DEAD_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// For how long after its end a subscription's rows are looked for: another node may not have known yet that it ended.
const ENDED_WATCHED: Duration = Duration::from_secs(60);
/// Rows handled in one commit.
const AT_ONCE: usize = 256;
/// The most rows that one row which stands for many is replaced by in one commit.
const UNFOLDED_AT_ONCE: usize = 1_000;

/// Who tells a subscription's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// This node, until then.
    Ours(Timestamp),
    /// Another one.
    Theirs,
}

/// One event that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Which.
    pub key: QueueKey,
    /// Its subject, as a number: events of one subject are told one after the other.
    pub subject: u64,
    /// When it may be tried.
    pub due: Timestamp,
}

/// One event about to be told.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its key.
    pub key: QueueKey,
    /// Its row.
    pub row: EventRow,
    /// Who takes part, where that is looked up only now.
    pub participants: Option<Vec<ThreadParticipant>>,
    version: u64,
    hint: Vec<u8>,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was told.
    Told,
    /// It is tried again at this time.
    Again(Timestamp, Outcome),
    /// It is given up for this reason; without an outcome it was not tried this time.
    Dead(&'static str, Option<Outcome>),
}

/// Takes, or keeps, the telling of a subscription's events for `node`.
///
/// # Errors
/// Those of the store.
pub async fn lease(
    cell: &Cell,
    resource: ResourceId,
    id: [u8; 16],
    node: [u8; 16],
) -> Result<Lease, StoreError> {
    let mut reader = cell.read(resource).await?;
    let found = reader.get::<Leases>(&id).await?;
    let mut draft = reader.draft();
    drop(reader);
    let now = cell.clock().now();
    match &found {
        Some(found) if found.value.node != node && found.value.until > now => return Ok(Lease::Theirs),
        Some(found) => draft.expect_version::<Leases>(&id, found.version),
        None => draft.expect_absent::<Leases>(&id),
    }
    let until = now.plus(LEASE);
    draft.put_in_resource::<Leases>(&id, &LeaseRow { node, until }, &[])?;
    match draft.commit().await {
        Ok(()) => Ok(Lease::Ours(until)),
        Err(StoreError::Conflict) => Ok(Lease::Theirs),
        Err(fault) => Err(fault),
    }
}

/// Gives the telling of a subscription's events back, so that another node need not wait for it.
///
/// # Errors
/// Those of the store.
pub async fn give_back(
    cell: &Cell,
    resource: ResourceId,
    id: [u8; 16],
    node: [u8; 16],
) -> Result<(), StoreError> {
    let mut reader = cell.read(resource).await?;
    let found = reader.get::<Leases>(&id).await?;
    let mut draft = reader.draft();
    drop(reader);
    let Some(found) = found.filter(|found| found.value.node == node) else { return Ok(()) };
    draft.expect_version::<Leases>(&id, found.version);
    draft.delete::<Leases>(&id);
    match draft.commit().await {
        Err(StoreError::Conflict) => Ok(()),
        fate => fate,
    }
}

/// At most `limit` events of a subscription from `from` on, in order, and whether there are more. Rows that stand for
/// many are replaced by theirs first, and what was erased is removed.
///
/// # Errors
/// Those of the store.
pub async fn waiting(
    cell: &Cell,
    resource: ResourceId,
    (id, wanted): ([u8; 16], &SubscriptionBody),
    from: Option<QueueKey>,
    limit: usize,
) -> Result<(Vec<Waiting>, bool), StoreError> {
    loop {
        let mut reader = cell.read(resource).await?;
        let range = KeyRange::prefix(&id);
        let range = match &from {
            Some(from) => range.starting_at(from),
            None => range,
        };
        let rows = reader.scan::<Queue>(range, Direction::Forward, limit).await?;
        drop(reader);
        let has_more = rows.len() == limit;
        let (mut found, mut erased, mut many) = (Vec::new(), Vec::new(), None);
        for (key, row) in rows {
            match row {
                Opened::Shredded { .. } => erased.push(key),
                Opened::Value(row) if matches!(row.value.to, To::Each(_)) => {
                    many = Some((key, row));
                    break;
                }
                Opened::Value(row) => {
                    let subject = subject(row.value.subject.expose());
                    found.push(Waiting { key, subject, due: row.value.due });
                }
            }
        }
        if !erased.is_empty() {
            let mut draft = cell.draft(resource).await?;
            erased.iter().for_each(|key| draft.delete::<Queue>(key));
            draft.commit().await?;
        }
        match many {
            Some((key, row)) => unfold(cell, resource, wanted, key, row.value, &row.hint).await?,
            None => return Ok((found, has_more)),
        }
    }
}

/// Events of one subject have one number. That others may share it costs them a wait and never their order.
fn subject(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Replaces a row that stands for many by theirs. Done twice, which only a crash in the middle can cause, it tells some
/// twice, under the same ids.
async fn unfold(
    cell: &Cell,
    resource: ResourceId,
    wanted: &SubscriptionBody,
    key: QueueKey,
    row: EventRow,
    hint: &[u8],
) -> Result<(), StoreError> {
    let To::Each(users) = row.to.clone() else { return Ok(()) };
    let scope = Scope::from_bytes(hint);
    let numbered: Vec<(u16, UserId)> = (0_u16..).zip(users).collect();
    for some in numbered.chunks(UNFOLDED_AT_ONCE) {
        let mut reader = cell.read(resource).await?;
        let handle = reader.scope_key(&scope).await?;
        let mut draft = reader.draft();
        drop(reader);
        // Erased in this moment: what is left of it goes with the next look.
        let Some(handle) = handle else { return Ok(()) };
        for (n, user) in some {
            let mut id = key.2;
            id[8..10].copy_from_slice(&n.to_be_bytes());
            let raw = Identifier::CommunicationUser { resource, user: *user }.raw_id();
            let subject = format!("{}/recipient/{raw}", row.subject.expose());
            if wanted.wants(&row.kind, &subject) {
                let one = EventRow {
                    id: id_for(&row.id, *user),
                    subject: subject.into(),
                    to: To::One(*user),
                    ..row.clone()
                };
                put::<Queue>(&mut draft, &(key.0, key.1, id), &one, &handle)?;
            }
        }
        draft.commit().await?;
    }
    let mut draft = cell.draft(resource).await?;
    draft.delete::<Queue>(&key);
    draft.commit().await
}

/// The id of the event that one user is told, the same each time it is worked out.
fn id_for(id: &str, user: UserId) -> String {
    let digest = guard::hash::sha256(&[id.as_bytes(), user.as_bytes()].concat());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    ResourceId::from_bytes(bytes).to_string()
}

fn put<K: Keyspace<Key = QueueKey>>(
    draft: &mut Draft,
    key: &QueueKey,
    value: &K::Value,
    scope: &ScopeHandle,
) -> Result<(), StoreError> {
    if *scope.scope() == Scope::RESOURCE {
        draft.put_in_resource::<K>(key, value, &[])
    } else {
        draft.put::<K>(key, value, scope.scope().as_bytes(), scope)
    }
}

impl Attempt {
    /// Reads an event that is to be told now; `None` when it is gone or erased.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn read(cell: &Cell, resource: ResourceId, key: QueueKey) -> Result<Option<Self>, StoreError> {
        let mut reader = cell.read(resource).await?;
        let Some(Opened::Value(found)) = reader.try_get::<Queue>(&key).await? else { return Ok(None) };
        let participants = match found.value.fill {
            None => None,
            Some(Fill::Added(thread, message)) => {
                Some(chat::tell::added(&mut reader, thread, message).await?)
            }
        };
        Ok(Some(Self { key, row: found.value, participants, version: found.version, hint: found.hint }))
    }
}

/// Records what came of an attempt.
///
/// # Errors
/// Those of the store. A conflict, which says that another node had it in hand too, is none.
pub async fn settle(
    cell: &Cell,
    resource: ResourceId,
    attempt: &Attempt,
    verdict: Verdict,
) -> Result<(), StoreError> {
    let now = cell.clock().now();
    let mut reader = cell.read(resource).await?;
    let handle = match verdict {
        Verdict::Told => None,
        Verdict::Again(..) | Verdict::Dead(..) => reader.scope_key(&Scope::from_bytes(&attempt.hint)).await?,
    };
    let mut draft = reader.draft();
    drop(reader);
    let mut row = attempt.row.clone();
    let outcome = match verdict {
        Verdict::Told | Verdict::Dead(_, None) => None,
        Verdict::Again(_, outcome) | Verdict::Dead(_, Some(outcome)) => Some(outcome),
    };
    if let Some(outcome) = outcome {
        row.attempts = row.attempts.saturating_add(1);
        row.last = Some((now, outcome));
    }
    match (verdict, handle) {
        (Verdict::Again(due, _), Some(handle)) => {
            row.due = due;
            draft.expect_version::<Queue>(&attempt.key, attempt.version);
            put::<Queue>(&mut draft, &attempt.key, &row, &handle)?;
        }
        (Verdict::Dead(reason, _), Some(handle)) => {
            draft.expect_version::<Queue>(&attempt.key, attempt.version);
            draft.delete::<Queue>(&attempt.key);
            let dead = DeadRow { event: row, reason: reason.to_owned() };
            put::<Dead>(&mut draft, &(attempt.key.0, now, attempt.key.2), &dead, &handle)?;
        }
        // Told, or erased while it was under way.
        (_, _) => draft.delete::<Queue>(&attempt.key),
    }
    match draft.commit().await {
        Err(StoreError::Conflict) => Ok(()),
        fate => fate,
    }
}

/// Removes a subscription's dead letters of before `before`. Returns how many.
///
/// # Errors
/// Those of the store; what was removed stays removed.
pub async fn purge_dead(
    cell: &Cell,
    resource: ResourceId,
    id: [u8; 16],
    before: Timestamp,
) -> Result<usize, StoreError> {
    clear::<Dead>(cell, resource, KeyRange::prefix(&id).before(&(id, before, [0; 16]))).await
}

/// Removes what waits since before `before` for a subscription that nobody tells anything. Returns how many.
///
/// # Errors
/// Those of the store; what was removed stays removed.
pub async fn purge_queue(
    cell: &Cell,
    resource: ResourceId,
    id: [u8; 16],
    before: Timestamp,
) -> Result<usize, StoreError> {
    clear::<Queue>(cell, resource, KeyRange::prefix(&id).before(&(id, before, [0; 16]))).await
}

/// Removes the rows of subscriptions that ended. Returns how many are done with.
///
/// # Errors
/// Those of the store; what was removed stays removed.
pub async fn remove_ended(cell: &Cell, resource: ResourceId) -> Result<usize, StoreError> {
    let mut reader = cell.read(resource).await?;
    let ended = reader.scan::<Ended>(KeyRange::all(), Direction::Forward, AT_ONCE).await?;
    drop(reader);
    let mut done = 0;
    for (id, row) in ended {
        clear::<Queue>(cell, resource, KeyRange::prefix(&id)).await?;
        clear::<Dead>(cell, resource, KeyRange::prefix(&id)).await?;
        let Some(row) = row.value() else { continue };
        if cell.clock().now().distance(row.value) >= ENDED_WATCHED {
            let mut draft = cell.draft(resource).await?;
            draft.delete::<Leases>(&id);
            draft.delete::<Ended>(&id);
            draft.commit().await?;
            done += 1;
        }
    }
    Ok(done)
}

async fn clear<K: Keyspace>(cell: &Cell, resource: ResourceId, range: KeyRange) -> Result<usize, StoreError> {
    let mut removed = 0;
    loop {
        let mut reader = cell.read(resource).await?;
        let rows = reader.scan_keys::<K>(range.clone(), Direction::Forward, AT_ONCE).await?;
        let mut draft = reader.draft();
        drop(reader);
        if rows.is_empty() {
            return Ok(removed);
        }
        rows.iter().for_each(|(key, ..)| draft.delete::<K>(key));
        draft.commit().await?;
        removed += rows.len();
    }
}
