//! The numbers of one resource, at the service of one caller.

use std::time::Duration;

use base::{Clock, EntryId, PhoneNumber, ResourceId, Rng, Timestamp};
use store::{Cell, Direction, Draft, KeyRange, Opened, StoreError};

use super::holder;
use super::rows::{NumberKey, NumberRow, Numbers, Operations, Searches};
use crate::service::audit::{self, Act, Target};

/// How long operations and searches can be asked for; from then on they are removed bit by bit.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);
/// How many forgotten ones of each kind are removed by one new one: more than it adds.
const FORGOTTEN_AT_ONCE: usize = 8;

/// The numbers of one resource, at the service of one caller.
pub struct NumbersDesk<'a> {
    /// The cell that the resource lives in.
    pub cell: &'a Cell,
    /// The resource.
    pub resource: ResourceId,
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
    ($desk:expr, $attempt:expr) => {{
        for _ in 0..$desk.attempts.max(1) {
            match $attempt.await {
                Err($crate::service::numbers::NumbersError::Store(store::StoreError::Conflict)) => {}
                done => return done,
            }
        }
        Err($crate::service::numbers::NumbersError::Busy)
    }};
}
pub(super) use retry;

/// One number of the register, as a commit found it.
pub(super) struct Registered {
    pub(super) key: NumberKey,
    pub(super) row: NumberRow,
    pub(super) version: u64,
}

impl NumbersDesk<'_> {
    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A new id that sorts by the time.
    pub(super) fn id(&self) -> EntryId {
        EntryId::timed(self.now(), self.rng)
    }

    /// These numbers as the register has them, in the order asked for.
    pub(super) async fn registered(
        &self,
        numbers: &[PhoneNumber],
    ) -> Result<Vec<Option<Registered>>, StoreError> {
        let mut keys = Vec::with_capacity(numbers.len());
        for number in numbers {
            keys.push(holder::key(self.cell, number).await?);
        }
        let mut reader = self.cell.read(ResourceId::CELL).await?;
        let found = reader.multi_get::<Numbers>(&keys).await?;
        let registered = keys.into_iter().zip(found).map(|(key, found)| {
            let found = found.and_then(Opened::value)?;
            Some(Registered { key, row: found.value, version: found.version })
        });
        Ok(registered.collect())
    }

    /// The audit entry of the act, where its operation asks for one.
    pub(super) fn audit(&self, draft: &mut Draft) -> Result<(), StoreError> {
        audit::record(draft, self.act, Target::Resource(self.resource), self.now(), self.rng)
    }

    /// Adds to the commit the removal of a few searches and operations that nobody can ask for any more.
    pub(super) async fn forget_old(&self, draft: &mut Draft) -> Result<(), StoreError> {
        let old = || KeyRange::all().before(&EntryId::from_time(self.now().minus(REMEMBERED)));
        let mut reader = self.cell.read(self.resource).await?;
        for (key, ..) in reader.scan_keys::<Searches>(old(), Direction::Forward, FORGOTTEN_AT_ONCE).await? {
            draft.delete::<Searches>(&key);
        }
        for (key, ..) in reader.scan_keys::<Operations>(old(), Direction::Forward, FORGOTTEN_AT_ONCE).await? {
            draft.delete::<Operations>(&key);
        }
        Ok(())
    }
}
