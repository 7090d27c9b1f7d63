//! Work that leaves the house: durable rows, put there in the commit that accepts it, held by one node at a time, gone in
//! the commit that records what became of it. Any node may do it; a crash repeats at most what was under way.
//!
//! A service calls [`Delivery::enqueue`] in its commit and [`Queued::committed`] once that is durable. A [`Courier`]
//! carries one [`Errand`] and ends it in its own commit, by [`Errand::finish`] or [`Errand::again`].

pub mod control;
pub mod holds;
mod rows;

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Rng, Timestamp};
use guard::BoxFuture;
use store::{Draft, KeyspaceDef, StoreError};
use tokio::sync::{Notify, mpsc};

pub use rows::{Deliveries, DeliveryRow, Kind};

use crate::directory::ResourceEntry;

use store::Keyspace as _;

/// All keyspaces of this service.
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    vec![Deliveries::DEF, control::Pauses::DEF]
}

/// How long a node holds what it took on. What a node that died held is taken on by another after this.
pub const HOLD: Duration = Duration::from_secs(360);
/// The longest one attempt may take; less than [`HOLD`], so that a hold outlives it.
pub const LONGEST_ATTEMPT: Duration = Duration::from_secs(300);
/// How much accepted work a node takes on without reading it back; more waits in the store alone.
pub const HANDED_OVER: usize = 4_096;
/// The wait after the first failed attempt; it doubles with each one.
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
/// The longest wait between attempts.
const LONGEST_BACKOFF: Duration = Duration::from_secs(3600);

/// The key of a row: when it is due, and its own id.
pub type DeliveryKey = (Timestamp, [u8; 16]);

/// What was accepted, on its way to those who deliver it.
#[derive(Debug)]
pub struct Handed {
    /// Whose it is.
    pub resource: Arc<ResourceEntry>,
    /// Its row's key, held by this node.
    pub key: DeliveryKey,
    /// Its row.
    pub row: DeliveryRow,
}

/// Hands accepted work over to the dispatcher of this node.
#[derive(Debug)]
pub struct Delivery {
    handed: mpsc::Sender<Handed>,
    wake: Notify,
}

/// The other end of [`Delivery`], for the dispatcher.
pub type Intake = mpsc::Receiver<Handed>;

impl Delivery {
    /// A hand-over and its other end.
    #[must_use]
    pub fn new() -> (Self, Intake) {
        let (handed, intake) = mpsc::channel(HANDED_OVER);
        (Self { handed, wake: Notify::new() }, intake)
    }

    /// Puts `row` into the commit of `draft`. While the dispatcher has room it is held by this node from the start, which
    /// saves reading it back.
    ///
    /// # Errors
    /// Those of the store.
    pub fn enqueue(
        &self,
        draft: &mut Draft,
        resource: &Arc<ResourceEntry>,
        mut row: DeliveryRow,
        clock: &dyn Clock,
        rng: &dyn Rng,
    ) -> Result<Queued, StoreError> {
        let now = clock.now();
        let permit = self.handed.clone().try_reserve_owned().ok();
        row.held = permit.is_some();
        let key = (if row.held { now.plus(HOLD) } else { now }, rng.id());
        draft.put_in_resource::<Deliveries>(&key, &row, &[u8::from(row.held)])?;
        let handed = permit.map(|permit| (permit, Handed { resource: Arc::clone(resource), key, row }));
        Ok(Queued(handed))
    }

    /// Tells the dispatcher to look at the store.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until somebody woke the dispatcher.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }
}

/// Work put into a commit that is not durable yet. Dropped without [`Queued::committed`] it is not handed over: right
/// when the commit failed, and harmless when it did not, for the hold ends.
#[must_use = "call `committed` once the commit is durable"]
#[derive(Debug)]
pub struct Queued(Option<(mpsc::OwnedPermit<Handed>, Handed)>);

impl Queued {
    /// Hands it over: its commit is durable.
    pub fn committed(self) {
        if let Some((permit, handed)) = self.0 {
            drop(permit.send(handed));
        }
    }
}

/// One thing to carry, held by this node.
#[derive(Debug)]
pub struct Errand {
    /// Whose it is.
    pub resource: Arc<ResourceEntry>,
    /// Its row's key.
    pub key: DeliveryKey,
    /// Its row.
    pub row: DeliveryRow,
}

impl Errand {
    /// Ends it in the commit of `draft`, which fails as a conflict when this node does not hold it any more.
    pub fn finish(&self, draft: &mut Draft) {
        draft.expect_exists::<Deliveries>(&self.key);
        draft.delete::<Deliveries>(&self.key);
    }

    /// Puts it back, due at `at`, in the commit of `draft`, which fails as a conflict when this node does not hold it any
    /// more.
    ///
    /// # Errors
    /// Those of the store.
    pub fn again(&self, draft: &mut Draft, at: Timestamp) -> Result<(), StoreError> {
        let row =
            DeliveryRow { attempts: self.row.attempts.saturating_add(1), held: false, ..self.row.clone() };
        self.finish(draft);
        draft.put_in_resource::<Deliveries>(&(at, self.key.1), &row, &[0])
    }

    /// How long to wait before the next attempt: doubling from ten seconds to an hour, with up to a quarter of jitter
    /// more, and never less than `at_least`.
    #[must_use]
    pub fn backoff(&self, at_least: Option<Duration>, rng: &dyn Rng) -> Duration {
        let doubled = FIRST_BACKOFF.saturating_mul(1 << self.row.attempts.min(16));
        let wait = doubled.min(LONGEST_BACKOFF).max(at_least.unwrap_or_default());
        let quarter = u64::try_from(wait.as_millis() / 4).unwrap_or(u64::MAX);
        wait.saturating_add(Duration::from_millis(rng.below(quarter.max(1))))
    }

    /// Whether trying has ended by `now`.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.row.deadline
    }
}

/// Carries errands of one kind.
pub trait Courier: Send + Sync + 'static {
    /// Carries one errand: reads what it is about, hands it to a channel, and commits what became of it together with
    /// [`Errand::finish`] or [`Errand::again`].
    ///
    /// # Errors
    /// Those of the store: then the errand is as it was, and will be carried again.
    fn carry<'a>(&'a self, errand: &'a Errand) -> BoxFuture<'a, Result<(), StoreError>>;
}
