//! The dispatcher: takes on what is due, lets couriers carry it, and gives back what it could not carry.
//!
//! Work comes from two sides: handed over by the request that accepted it, and found in the store (put off, left by
//! another node or by this one before it was killed, or more than could be handed over).

mod lanes;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Geography, ResourceId, Timestamp};
use store::StoreError;
use tokio::task::JoinSet;

use self::lanes::{Lane, Lanes, Pace};
use crate::directory::ResourceEntry;
use crate::http::State;
use crate::service::delivery::control::{self, Paused};
use crate::service::delivery::{
    Courier, DeliveryKey, DeliveryRow, Errand, Handed, Intake, Kind, LONGEST_ATTEMPT, holds,
};

/// How often the store is looked at for what nobody told this node of.
const SWEEP: Duration = Duration::from_secs(2);
/// How much of one resource a node holds at once; the rest stays in the store.
const HELD_PER_RESOURCE: usize = 512;
/// After how long something is tried again that failed for a reason of our own.
const OWN_FAULT: Duration = Duration::from_secs(10);
/// Beyond the longest attempt, what a hold must still last when one begins.
const MARGIN: Duration = Duration::from_secs(15);
/// How much is taken from the hand-over at once.
const INTAKE: usize = 256;

/// Who carries what, and how much of it at once.
pub struct Couriers {
    by: HashMap<(Geography, Kind), Arc<dyn Courier>>,
    paces: HashMap<Kind, Pacing>,
    /// Geographies whose store no other process has open.
    exclusive: HashSet<Geography>,
    at_once: usize,
}

/// How fast one destination is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// At once.
    pub at_once: usize,
    /// A second; none is no limit.
    pub per_second: Option<u32>,
}

impl Couriers {
    /// Nobody yet; carrying `at_once` things at most on this node.
    #[must_use]
    pub fn new(at_once: usize) -> Self {
        Self { by: HashMap::new(), paces: HashMap::new(), exclusive: HashSet::new(), at_once }
    }

    /// Lets `courier` carry this kind in this geography.
    #[must_use]
    pub fn with(mut self, geography: Geography, kind: Kind, courier: Arc<dyn Courier>) -> Self {
        self.by.insert((geography, kind), courier);
        self
    }

    /// Whether anybody carries this kind in this geography.
    #[must_use]
    pub fn carries(&self, geography: &Geography, kind: Kind) -> bool {
        self.by.contains_key(&(geography.clone(), kind))
    }

    /// How fast destinations of this kind are served.
    #[must_use]
    pub fn paced(mut self, kind: Kind, pacing: Pacing) -> Self {
        self.paces.insert(kind, pacing);
        self
    }

    /// Says that no other process has the store of this geography open, so that what is held in it was held by a process
    /// that is gone.
    #[must_use]
    pub fn exclusive(mut self, geography: Geography) -> Self {
        self.exclusive.insert(geography);
        self
    }

    fn pace(&self, kind: Kind) -> Pace {
        let pacing = self.paces.get(&kind).copied().unwrap_or(Pacing { at_once: 16, per_second: None });
        Pace { at_once: pacing.at_once, per_second: pacing.per_second }
    }
}

/// What ended, and how.
struct Ended {
    lane: Lane,
    resource: usize,
    left: Option<(DeliveryKey, DeliveryRow)>,
}

/// The dispatcher of one node.
pub struct Dispatcher {
    state: Arc<State>,
    couriers: Arc<Couriers>,
    intake: Intake,
    resources: Vec<Arc<ResourceEntry>>,
    places: HashMap<ResourceId, usize>,
    /// By resource: the place of its cell.
    cells: Vec<usize>,
    /// By cell.
    paused: Vec<Paused>,
    lanes: Lanes<Handed>,
    /// By resource: whether more is due than is held.
    more: Vec<bool>,
    tasks: JoinSet<Ended>,
}

impl Dispatcher {
    /// Over the resources of this node.
    #[must_use]
    pub fn new(state: Arc<State>, couriers: Couriers, intake: Intake) -> Self {
        let resources: Vec<_> = state.directory.resources().to_vec();
        let places = resources.iter().enumerate().map(|(at, entry)| (entry.id(), at)).collect();
        let mut known: Vec<&Geography> = Vec::new();
        let cells: Vec<usize> = resources
            .iter()
            .map(|entry| {
                known.iter().position(|geography| *geography == entry.geography()).unwrap_or_else(|| {
                    known.push(entry.geography());
                    known.len() - 1
                })
            })
            .collect();
        let paused = vec![Paused::default(); known.len()];
        let lanes = Lanes::new(resources.len(), couriers.at_once);
        let more = vec![false; resources.len()];
        let couriers = Arc::new(couriers);
        Self { state, couriers, intake, places, cells, paused, lanes, more, tasks: JoinSet::new(), resources }
    }

    /// Delivers until `stop` is done, then lets what is under way end within the drain timeout and gives the rest back.
    pub async fn run(mut self, stop: impl Future<Output = ()> + Send) {
        let mut stop = std::pin::pin!(stop);
        self.take_over().await;
        self.sweep(true).await;
        let mut handed = Vec::with_capacity(INTAKE);
        let mut swept = self.state.clock.now();
        loop {
            for _ in 0..INTAKE {
                let Ok(one) = self.intake.try_recv() else { break };
                self.push(one);
            }
            self.start();
            let now = self.state.clock.now();
            let chance = self.lanes.next_chance(now).map_or(SWEEP, |at| at.distance(now));
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    self.end(ended.ok()).await;
                    while let Some(ended) = self.tasks.try_join_next() {
                        self.end(ended.ok()).await;
                    }
                    self.refill().await;
                }
                count = self.intake.recv_many(&mut handed, INTAKE) => {
                    if count == 0 {
                        break;
                    }
                    handed.drain(..).for_each(|one| self.push(one));
                }
                () = self.state.delivery.woken() => self.sweep(true).await,
                () = tokio::time::sleep(chance.min(SWEEP)) => {}
            }
            let now = self.state.clock.now();
            if now.distance(swept) >= SWEEP {
                swept = now;
                self.sweep(false).await;
            }
        }
        self.stop().await;
    }

    /// Carries everything that is due now, and what comes of it, for tests. Returns how many errands ended.
    pub async fn run_due(&mut self) -> usize {
        let mut count = 0;
        loop {
            while let Ok(one) = self.intake.try_recv() {
                self.push(one);
            }
            self.sweep(true).await;
            self.start();
            let Some(ended) = self.tasks.join_next().await else { return count };
            self.end(ended.ok()).await;
            count += 1;
        }
    }

    /// Makes what this process held before it was killed due now.
    pub async fn take_over(&self) {
        let now = self.state.clock.now();
        for entry in self.resources.iter().filter(|entry| self.couriers.exclusive.contains(entry.geography()))
        {
            if !entry.is_within_reach().await {
                // What was held is due for all when its hold ends.
                continue;
            }
            match holds::take_over(entry, now).await {
                Ok(0) => {}
                Ok(count) => {
                    tracing::info!(
                        resource = entry.name(),
                        count,
                        "deliveries go on where they were cut off"
                    );
                }
                Err(error) => tracing::warn!(resource = entry.name(), %error, "the queue could not be read"),
            }
        }
    }

    fn courier(&self, resource: usize, kind: Kind) -> Option<&Arc<dyn Courier>> {
        self.couriers.by.get(&(self.resources[resource].geography().clone(), kind))
    }

    fn push(&mut self, handed: Handed) {
        let Some(&resource) = self.places.get(&handed.resource.id()) else { return };
        let kind = handed.row.kind;
        let lane =
            Lane { cell: self.cells[resource], kind, destination: handed.row.destination.expose().clone() };
        let pace = self.couriers.pace(kind);
        self.lanes.push(lane, resource, pace, handed);
    }

    /// Lets couriers begin with whatever may go.
    fn start(&mut self) {
        let now = self.state.clock.now();
        let (paused, cells, resources) = (&self.paused, &self.cells, &self.resources);
        let holds_back =
            |kind: Kind, resource: usize| paused[cells[resource]].holds(kind, resources[resource].id());
        while let Some((lane, resource, handed)) = self.lanes.next(now, holds_back) {
            let geography = self.resources[resource].geography().clone();
            let courier = self.couriers.by.get(&(geography, lane.kind)).map(Arc::clone);
            let clock = Arc::clone(&self.state.clock);
            self.tasks.spawn(async move {
                let left = carry(courier, handed, &*clock).await;
                Ended { lane, resource, left }
            });
        }
    }

    async fn end(&mut self, ended: Option<Ended>) {
        // A courier that panicked leaves its lane a place short until the next start, and its errand to its hold.
        let Some(Ended { lane, resource, left }) = ended else { return };
        self.lanes.done(&lane, resource);
        if let Some(left) = left {
            self.give_up(resource, vec![left], self.state.clock.now().plus(OWN_FAULT)).await;
        }
    }

    /// Takes on more of those resources that have more and of which little is held.
    async fn refill(&mut self) {
        for resource in 0..self.resources.len() {
            if self.more[resource] && self.lanes.held(resource) < HELD_PER_RESOURCE / 2 {
                self.look(resource).await;
            }
        }
    }

    /// Looks at the store: what is paused, what is due.
    async fn sweep(&mut self, all: bool) {
        self.look_for_pauses().await;
        for resource in 0..self.resources.len() {
            let room = self.lanes.held(resource) < HELD_PER_RESOURCE;
            if room && (all || self.more[resource] || self.lanes.held(resource) < HELD_PER_RESOURCE / 2) {
                self.look(resource).await;
            }
        }
    }

    async fn look(&mut self, resource: usize) {
        let room = HELD_PER_RESOURCE.saturating_sub(self.lanes.held(resource));
        let (entry, now) = (Arc::clone(&self.resources[resource]), self.state.clock.now());
        let paused = &self.paused[self.cells[resource]];
        let carried = |kind| self.courier(resource, kind).is_some() && !paused.holds(kind, entry.id());
        // What stays anyway is not taken on: it would only have to be given back.
        if room == 0 || ![Kind::Mail, Kind::Text].into_iter().any(carried) {
            return;
        }
        if !entry.is_within_reach().await {
            return;
        }
        match holds::take_due(&entry, now, room).await {
            Ok(due) => {
                self.more[resource] = due.more;
                due.taken.into_iter().for_each(|one| self.push(one));
            }
            Err(error) => tracing::warn!(resource = entry.name(), %error, "the queue could not be read"),
        }
    }

    async fn look_for_pauses(&mut self) {
        for cell in 0..self.paused.len() {
            let Some(at) = self.cells.iter().position(|one| *one == cell) else { continue };
            match control::paused(self.resources[at].cell()).await {
                Ok(paused) if paused != self.paused[cell] => {
                    self.paused[cell] = paused;
                    self.withdraw(cell).await;
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "whether deliveries are paused could not be read"),
            }
        }
    }

    /// Gives back what waits here of what was paused, so that another node, or a resumed queue, has it.
    async fn withdraw(&mut self, cell: usize) {
        let now = self.state.clock.now();
        for resource in 0..self.resources.len() {
            for kind in [Kind::Mail, Kind::Text] {
                let id = self.resources[resource].id();
                if self.cells[resource] == cell && self.paused[cell].holds(kind, id) {
                    let waiting = self.lanes.withdraw(kind, resource);
                    let waiting = waiting.into_iter().map(|one| (one.key, one.row)).collect();
                    self.give_up(resource, waiting, now).await;
                }
            }
        }
    }

    async fn give_up(&self, resource: usize, rows: Vec<(DeliveryKey, DeliveryRow)>, at: Timestamp) {
        let entry = &self.resources[resource];
        if let Err(error) = holds::give_up(entry, rows, at).await {
            tracing::warn!(resource = entry.name(), %error, "deliveries could not be given back; their hold will end");
        }
    }

    /// Lets what is under way end, within the time a stopping server has, and gives back what waits.
    async fn stop(&mut self) {
        let mut waiting: HashMap<usize, Vec<_>> = HashMap::new();
        for (resource, one) in self.lanes.drain() {
            waiting.entry(resource).or_default().push((one.key, one.row));
        }
        while let Ok(one) = self.intake.try_recv() {
            if let Some(&resource) = self.places.get(&one.resource.id()) {
                waiting.entry(resource).or_default().push((one.key, one.row));
            }
        }
        let now = self.state.clock.now();
        for (resource, rows) in waiting {
            self.give_up(resource, rows, now).await;
        }
        let most = Duration::from_secs(self.state.limits.drain_timeout_secs);
        let rest = async {
            while let Some(ended) = self.tasks.join_next().await {
                if let Ok(Ended { resource, left: Some(left), .. }) = ended {
                    let entry = &self.resources[resource];
                    let given = holds::give_up(entry, vec![left], now).await;
                    given
                        .unwrap_or_else(|error| tracing::warn!(%error, "a delivery could not be given back"));
                }
            }
        };
        if tokio::time::timeout(most, rest).await.is_err() {
            tracing::warn!("deliveries under way were cut off; they will be made again");
        }
    }
}

/// Carries one errand. What is left of it, when the reason lies with us, must be given up.
async fn carry(
    courier: Option<Arc<dyn Courier>>,
    handed: Handed,
    clock: &dyn Clock,
) -> Option<(DeliveryKey, DeliveryRow)> {
    let (key, row) = (handed.key, handed.row.clone());
    let Some(courier) = courier else { return Some((key, row)) };
    let handed = match holds::prolong(handed, clock.now(), LONGEST_ATTEMPT.saturating_add(MARGIN)).await {
        Ok(Some(handed)) => handed,
        Ok(None) => return None,
        Err(error) => {
            tracing::warn!(%error, "a delivery could not be begun");
            return Some((key, row));
        }
    };
    let Handed { resource, key, row } = handed;
    let errand = Errand { resource, key, row };
    let failed = match tokio::time::timeout(LONGEST_ATTEMPT, courier.carry(&errand)).await {
        Ok(Ok(())) => return None,
        // Somebody else has it or has ended it: then giving it up does nothing.
        Ok(Err(StoreError::Conflict)) => return Some((errand.key, errand.row)),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it took too long".to_owned(),
    };
    tracing::warn!(kind = ?errand.row.kind, error = failed, "a delivery could not be made or recorded");
    Some((errand.key, errand.row))
}
