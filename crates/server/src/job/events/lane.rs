//! One subscription's lane: asks its webhook first, then tells it what waits, several subjects at a time.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use store::StoreError;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::deliver::{After, Delivery};
use super::handshake;
use super::window::Window;
use crate::channel::webhook::HookChannel;
use crate::directory::ResourceEntry;
use crate::http::State;
use crate::service::events::{self, LEASE, Lane, Lease, QueueKey, Route, Standing};

/// Subjects told at once.
pub(super) const AT_ONCE: usize = 16;
/// Subjects told at once while nothing but failures comes back.
const AT_ONCE_WHEN_SICK: usize = 2;
/// After how many failures in a row a webhook counts as sick.
const SICK: u32 = 16;
/// Events read at once.
const PAGE: usize = 512;
/// The longest a lane waits before it looks: for what other nodes put into its queue.
const LOOK: Duration = Duration::from_secs(2);
/// How soon it looks again after it was woken: who woke it may not have been the one it was woken for.
const SETTLE: Duration = Duration::from_millis(100);
/// The least time between two looks.
const SPACING: Duration = Duration::from_millis(10);
/// How often the whole queue is read, for what came late and out of order.
const WHOLE: Duration = Duration::from_secs(30);
/// How long it waits after the store failed.
const FAULT: Duration = Duration::from_secs(5);

/// What a lane works with.
pub(super) struct LaneWork {
    pub(super) state: Arc<State>,
    pub(super) resource: Arc<ResourceEntry>,
    pub(super) hooks: Arc<dyn HookChannel>,
    pub(super) lane: Arc<Lane>,
    pub(super) id: [u8; 16],
    pub(super) node: [u8; 16],
}

/// What a lane keeps in mind.
struct Mind {
    window: Window,
    flying: JoinSet<(QueueKey, After)>,
    lease: Option<Timestamp>,
    /// When the whole queue was last read.
    whole: Option<Instant>,
    /// When new events were last looked for.
    looked: Option<Instant>,
    failures: u32,
    /// Whether it was woken since it last looked.
    is_woken: bool,
}

impl LaneWork {
    /// Tends the subscription until it ends or the node stops.
    pub(super) async fn tend(self, mut stopping: watch::Receiver<bool>) {
        let mut mind = Mind {
            window: Window::default(),
            flying: JoinSet::new(),
            lease: None,
            whole: None,
            looked: None,
            failures: 0,
            is_woken: true,
        };
        while let Some(route) = self.state.events.route(self.resource.id(), self.id) {
            let turn = async {
                let wait = match self.turn(&mut mind, &route).await {
                    Ok(wait) => wait,
                    Err(error) => {
                        tracing::warn!(resource = self.resource.name(), %error, "events wait for the store");
                        FAULT
                    }
                };
                self.wait(&mut mind, wait).await;
            };
            tokio::select! {
                () = turn => {}
                _ = stopping.wait_for(|stopped| *stopped) => break,
            }
        }
        if mind.lease.is_some() {
            drop(events::give_back(self.resource.cell(), self.resource.id(), self.id, self.node).await);
        }
    }

    /// Does what can be done now. Returns how long there is nothing to do.
    async fn turn(&self, mind: &mut Mind, route: &Route) -> Result<Duration, StoreError> {
        let now = self.state.clock.now();
        if !self.holds_lease(mind, now).await? {
            mind.window = Window::default();
            mind.whole = None;
            return Ok(LOOK);
        }
        if route.row.standing != Standing::Succeeded {
            let wait = handshake::step(self, route).await?;
            return Ok(wait.min(LOOK));
        }
        let since = mind.looked.map_or(LOOK, |at| at.elapsed());
        let is_low = mind.window.len() < 2 * AT_ONCE;
        if since >= LOOK || (since >= SPACING && (mind.is_woken || is_low)) {
            self.look(mind, route).await?;
            mind.looked = Some(Instant::now());
        }
        self.start(mind, now);
        let due = mind.window.next_due().map_or(LOOK, |due| due.distance(now.min(due)));
        Ok(if mind.is_woken { SETTLE } else { due.min(LOOK) })
    }

    async fn holds_lease(&self, mind: &mut Mind, now: Timestamp) -> Result<bool, StoreError> {
        if mind.lease.is_some_and(|until| now.plus(LEASE / 2) < until) {
            return Ok(true);
        }
        let (cell, resource) = (self.resource.cell(), self.resource.id());
        mind.lease = match events::lease(cell, resource, self.id, self.node).await? {
            Lease::Ours(until) => Some(until),
            Lease::Theirs => None,
        };
        Ok(mind.lease.is_some())
    }

    /// Reads what is not known yet, in order, as far as there is room for it.
    async fn look(&self, mind: &mut Mind, route: &Route) -> Result<(), StoreError> {
        let is_whole = mind.whole.is_none_or(|at| at.elapsed() >= WHOLE);
        let mut from = mind.window.look_from(is_whole);
        while mind.window.room() > 0 {
            let (cell, resource) = (self.resource.cell(), self.resource.id());
            let wanted = (self.id, &route.row.body);
            let (found, has_more) = events::waiting(cell, resource, wanted, from, PAGE).await?;
            found.iter().take(mind.window.room()).for_each(|one| mind.window.add(one));
            match found.last() {
                // The page begins with the last one of the page before, which is known by now.
                Some(last) if has_more && from != Some(last.key) => from = Some(last.key),
                _ => break,
            }
        }
        if is_whole {
            mind.whole = Some(Instant::now());
        }
        Ok(())
    }

    fn start(&self, mind: &mut Mind, now: Timestamp) {
        let most = if mind.failures >= SICK { AT_ONCE_WHEN_SICK } else { AT_ONCE };
        for key in mind.window.take(now, most.saturating_sub(mind.flying.len())) {
            let delivery = Delivery {
                state: Arc::clone(&self.state),
                resource: Arc::clone(&self.resource),
                hooks: Arc::clone(&self.hooks),
                id: self.id,
                key,
            };
            mind.flying.spawn(async move { (key, delivery.run().await) });
        }
    }

    /// Waits until something happens, at most for `wait`.
    async fn wait(&self, mind: &mut Mind, wait: Duration) {
        let was_woken = std::mem::take(&mut mind.is_woken);
        tokio::select! {
            Some(landed) = mind.flying.join_next() => {
                // What was woken for is still to be looked for again.
                mind.is_woken = was_woken;
                match landed {
                    Ok((key, after)) => self.landed(mind, key, after),
                    // Its entry stays under way until the queue is read anew.
                    Err(fault) => {
                        tracing::error!(panicked = fault.is_panic(), "the telling of an event ended");
                        mind.window = Window::default();
                        mind.whole = None;
                        mind.flying.abort_all();
                    }
                }
            }
            () = self.lane.woken() => mind.is_woken = true,
            () = tokio::time::sleep(wait) => {}
        }
    }

    fn landed(&self, mind: &mut Mind, key: QueueKey, after: After) {
        match after {
            After::Told => {
                mind.failures = 0;
                mind.window.done(&key);
            }
            After::Gone => mind.window.done(&key),
            After::Again(due) => {
                mind.failures = mind.failures.saturating_add(1);
                mind.window.again(&key, due);
            }
            After::Fault => mind.window.again(&key, self.state.clock.now().plus(FAULT)),
        }
    }
}
