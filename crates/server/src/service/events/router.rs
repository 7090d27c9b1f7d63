//! Who wants to hear of what, as far as this node knows, and the way into the queues. Where nobody listens, asking costs
//! one look at a flag.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use base::{Geography, ResourceId};
use store::{Cell, Direction, Draft, KeyRange, Keyspace, Opened, Scope, ScopeHandle, StoreError};
use tokio::sync::Notify;

use super::keys::{self, EventSigner};
use super::rows::{Changed, EventRow, Fill, Queue, SubscriptionRow, Subscriptions, To};
use super::{Event, Standing};

/// Subscriptions of a resource read at once.
const AT_ONCE: usize = 500;

/// Wakes whoever tells the events of one subscription. It stays the same while the subscription changes.
#[derive(Debug, Default)]
pub struct Lane {
    woken: Notify,
    is_touched: AtomicBool,
}

impl Lane {
    /// Waits until there may be something to tell.
    pub async fn woken(&self) {
        self.woken.notified().await;
    }

    /// There may be something to tell.
    pub fn wake(&self) {
        self.woken.notify_one();
    }
}

/// One subscription as this node knows it.
#[derive(Clone, Debug)]
pub struct Route {
    /// The key of its row.
    pub key: [u8; 16],
    /// Its row.
    pub row: Arc<SubscriptionRow>,
    /// Who tells its events.
    pub lane: Arc<Lane>,
}

impl Route {
    /// Whether events are kept for it.
    fn listens(&self) -> bool {
        self.row.was_validated && self.row.standing != Standing::Failed
    }
}

/// Who wants to hear of what, as far as this node knows.
#[derive(Debug, Default)]
pub struct EventRouter {
    /// Whether there is any route at all.
    listens: AtomicBool,
    routes: RwLock<HashMap<ResourceId, Arc<Vec<Route>>>>,
    /// The version of each resource's subscriptions that was read.
    seen: Mutex<HashMap<ResourceId, u64>>,
    touched: Mutex<Vec<Arc<Lane>>>,
    signers: RwLock<HashMap<Geography, Arc<EventSigner>>>,
    changed: Notify,
    count: AtomicU64,
}

impl EventRouter {
    /// Whether anybody wants events of this kind from `resource`. Asked first, so that where nobody listens nothing is
    /// built.
    #[must_use]
    pub fn wants(&self, resource: ResourceId, kind: &str) -> bool {
        self.listens.load(Ordering::Relaxed)
            && self.of(resource).iter().any(|route| route.listens() && route.row.body.wants_kind(kind))
    }

    /// Adds `event` to the commit of what it tells, once for each subscription that wants it, sealed under `scope`.
    ///
    /// # Errors
    /// Those of the store.
    pub fn publish(
        &self,
        draft: &mut Draft,
        geography: &Geography,
        event: &Event,
        scope: &ScopeHandle,
    ) -> Result<(), StoreError> {
        self.publish_to(draft, geography, event, scope, None, &To::All)
    }

    /// The same, with something that is looked up only when the event is told, and to whom it is told.
    ///
    /// # Errors
    /// Those of the store; [`StoreError::WrongScope`] when the commit is of another geography.
    pub fn publish_to(
        &self,
        draft: &mut Draft,
        geography: &Geography,
        event: &Event,
        scope: &ScopeHandle,
        fill: Option<Fill>,
        to: &To,
    ) -> Result<(), StoreError> {
        if !self.listens.load(Ordering::Relaxed) {
            return Ok(());
        }
        if draft.cell().geography() != geography {
            return Err(StoreError::WrongScope);
        }
        for route in self.of(draft.resource()).iter() {
            let body = &route.row.body;
            // Whose subjects are not known yet are judged when the row is replaced by theirs.
            let wanted = match to {
                To::Each(_) => body.wants_kind(event.kind),
                _ => body.wants(event.kind, event.subject.expose()),
            };
            if route.listens() && wanted {
                self.enqueue(draft, route, event, scope, (fill, to.clone()))?;
            }
        }
        Ok(())
    }

    fn enqueue(
        &self,
        draft: &mut Draft,
        route: &Route,
        event: &Event,
        scope: &ScopeHandle,
        (fill, to): (Option<Fill>, To),
    ) -> Result<(), StoreError> {
        let cell = draft.cell().clone();
        let now = cell.clock().now();
        // Within one instant the order in which this node published; the rest keeps nodes apart.
        let mut id = cell.rng().id();
        id[..8].copy_from_slice(&self.count.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let drawn = || ResourceId::mint(&**cell.rng()).to_string();
        let row = EventRow {
            kind: event.kind.to_owned(),
            id: event.id.clone().unwrap_or_else(drawn),
            subject: event.subject.clone(),
            data: event.data.clone(),
            fill,
            to,
            at: event.at,
            published: now,
            attempts: 0,
            due: now,
            last: None,
        };
        let key = (route.row.id, event.at, id);
        let hint = scope.scope().as_bytes();
        if *scope.scope() == Scope::RESOURCE {
            draft.put_in_resource::<Queue>(&key, &row, hint)?;
        } else {
            draft.put::<Queue>(&key, &row, hint, scope)?;
        }
        if !route.lane.is_touched.swap(true, Ordering::AcqRel) {
            self.touched.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&route.lane));
        }
        Ok(())
    }

    /// Tells those who deliver that a commit with events is durable.
    pub fn wake(&self) {
        if !self.listens.load(Ordering::Relaxed) {
            return;
        }
        let touched = std::mem::take(&mut *self.touched.lock().unwrap_or_else(PoisonError::into_inner));
        for lane in touched {
            lane.is_touched.store(false, Ordering::Release);
            lane.wake();
        }
    }

    /// The subscriptions of `resource`.
    #[must_use]
    pub fn of(&self, resource: ResourceId) -> Arc<Vec<Route>> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.get(&resource).cloned().unwrap_or_default()
    }

    /// One subscription of `resource`, by its id.
    #[must_use]
    pub fn route(&self, resource: ResourceId, id: [u8; 16]) -> Option<Route> {
        self.of(resource).iter().find(|route| route.row.id == id).cloned()
    }

    /// What signs the requests of `cell`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn signer(&self, cell: &Cell) -> Result<Arc<EventSigner>, StoreError> {
        if let Some(known) = self.known_signer(cell) {
            return Ok(known);
        }
        let opened = Arc::new(EventSigner::open(cell).await?);
        let mut signers = self.signers.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(signers.entry(cell.geography().clone()).or_insert(opened)))
    }

    fn known_signer(&self, cell: &Cell) -> Option<Arc<EventSigner>> {
        self.signers.read().unwrap_or_else(PoisonError::into_inner).get(cell.geography()).cloned()
    }

    /// Learns of keys that were made or ended, here or on another node, and ends those that are over. Gives whether there
    /// was one.
    ///
    /// # Errors
    /// Those of the store; the keys stay as they were.
    pub async fn look_at_signer(&self, cell: &Cell) -> Result<bool, StoreError> {
        let Some(known) = self.known_signer(cell) else { return Ok(false) };
        let ended = keys::end_former(cell, &known).await?;
        if ended == 0 && !known.is_old(cell).await? {
            return Ok(false);
        }
        let opened = Arc::new(EventSigner::open(cell).await?);
        let mut signers = self.signers.write().unwrap_or_else(PoisonError::into_inner);
        signers.insert(cell.geography().clone(), opened);
        Ok(true)
    }

    /// Waits until subscriptions changed.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Reads the subscriptions of `resource` again.
    ///
    /// # Errors
    /// Those of the store; what was known before stays.
    pub async fn load(&self, cell: &Cell, resource: ResourceId) -> Result<(), StoreError> {
        let mut found = Vec::new();
        let mut range = KeyRange::all();
        let mut reader = cell.read(resource).await?;
        loop {
            let rows = reader.scan::<Subscriptions>(range.clone(), Direction::Forward, AT_ONCE).await?;
            let is_last = rows.len() < AT_ONCE;
            if let Some((last, _)) = rows.last() {
                range = range.after(last);
            }
            for (key, row) in rows {
                if let Opened::Value(row) = row {
                    found.push((key, row.value));
                }
            }
            if is_last {
                break;
            }
        }
        drop(reader);
        self.put(resource, found);
        Ok(())
    }

    fn put(&self, resource: ResourceId, rows: Vec<([u8; 16], SubscriptionRow)>) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let before = routes.get(&resource).cloned().unwrap_or_default();
        let lane = |id: [u8; 16]| {
            before
                .iter()
                .find(|route| route.row.id == id)
                .map(|route| Arc::clone(&route.lane))
                .unwrap_or_default()
        };
        let now: Vec<Route> = rows
            .into_iter()
            .map(|(key, row)| Route { key, lane: lane(row.id), row: Arc::new(row) })
            .collect();
        now.iter().for_each(|route| route.lane.wake());
        if now.is_empty() {
            routes.remove(&resource);
        } else {
            routes.insert(resource, Arc::new(now));
        }
        self.listens.store(!routes.is_empty(), Ordering::Relaxed);
        drop(routes);
        self.changed.notify_one();
    }

    /// Reads the subscriptions of those of `resources`, all of `cell`, that some node changed since they were read.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn refresh(&self, cell: &Cell, resources: &[ResourceId]) -> Result<(), StoreError> {
        let mut reader = cell.read(ResourceId::CELL).await?;
        let mut range = KeyRange::all();
        let mut changed = Vec::new();
        loop {
            let rows = reader.scan_keys::<Changed>(range.clone(), Direction::Forward, AT_ONCE).await?;
            let is_last = rows.len() < AT_ONCE;
            if let Some((last, ..)) = rows.last() {
                range = range.after(last);
            }
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, version, _) in rows {
                let resource = ResourceId::from_bytes(key);
                if resources.contains(&resource) && seen.get(&resource) != Some(&version) {
                    changed.push((resource, version));
                }
            }
            drop(seen);
            if is_last {
                break;
            }
        }
        drop(reader);
        for (resource, version) in changed {
            // The version is of before the reading: a change in between is read twice, never missed.
            match self.load(cell, resource).await {
                // Its owner took its key away; until it is back nothing of it can be told, and nothing new is accepted.
                Err(StoreError::Kms(fault)) => {
                    tracing::debug!(%resource, %fault, "its subscriptions cannot be read");
                    continue;
                }
                read => read?,
            }
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(resource, version);
        }
        Ok(())
    }

    /// Puts into a commit of subscriptions that they changed, for the other nodes.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) async fn tell_change(draft: &mut Draft) -> Result<(), StoreError> {
        let cell = draft.cell().clone();
        let mut register = cell.draft(ResourceId::CELL).await?;
        let key = *draft.resource().as_bytes();
        debug_assert_eq!(Changed::scope(&key, &[]), Scope::RESOURCE);
        register.put_in_resource::<Changed>(&key, &(), &[])?;
        draft.join(register)
    }
}
