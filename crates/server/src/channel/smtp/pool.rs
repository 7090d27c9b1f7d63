//! Sessions that rest between parcels, by server, and how many may be open with each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{Clock, Timestamp};
use rustls::ClientConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::session::Session;
use super::{Hop, Tls};

/// How long a session may rest; servers close theirs after five minutes (RFC 5321, section 4.5.3.2.7), many sooner.
const REST: Duration = Duration::from_secs(30);
/// How many parcels go through one session; then its turn is over, as some servers would end it anyway.
const PARCELS: u32 = 1_000;
/// How many servers are remembered before those without sessions are forgotten.
const PLACES: usize = 1_024;

/// All servers.
pub(super) struct Pool {
    places: Mutex<HashMap<String, Arc<Place>>>,
    sessions: usize,
    clock: Arc<dyn Clock>,
}

/// One server.
pub(super) struct Place {
    permits: Arc<Semaphore>,
    resting: Mutex<Vec<(Timestamp, Session)>>,
    clock: Arc<dyn Clock>,
    /// Kept while its address is part of the key, so that no other can come to be there.
    _config: Option<Arc<ClientConfig>>,
}

impl Pool {
    pub(super) fn new(sessions: usize, clock: Arc<dyn Clock>) -> Self {
        Self { places: Mutex::default(), sessions: sessions.max(1), clock }
    }

    /// The place of a server. Sessions of different security are not mixed.
    pub(super) fn place(&self, hop: &Hop) -> Arc<Place> {
        let key = key(hop);
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(&key) {
            return Arc::clone(place);
        }
        if places.len() >= PLACES {
            places.retain(|_, place| Arc::strong_count(place) > 1 || place.is_used());
        }
        let place = Arc::new(Place {
            permits: Arc::new(Semaphore::new(self.sessions)),
            resting: Mutex::default(),
            clock: Arc::clone(&self.clock),
            _config: config_of(hop).cloned(),
        });
        places.insert(key, Arc::clone(&place));
        place
    }
}

const fn config_of(hop: &Hop) -> Option<&Arc<ClientConfig>> {
    match &hop.tls {
        Tls::Off => None,
        Tls::Offered(config) | Tls::Must(config) | Tls::FromStart(config) => Some(config),
    }
}

fn key(hop: &Hop) -> String {
    let kind = match &hop.tls {
        Tls::Off => "off",
        Tls::Offered(_) => "offered",
        Tls::Must(_) => "must",
        Tls::FromStart(_) => "start",
    };
    let config = config_of(hop).map_or(0, |config| Arc::as_ptr(config) as usize);
    format!("{kind} {config:x} {} {} {}", hop.host, hop.port, hop.name)
}

impl Place {
    /// Waits until one more session may be open. Those at rest count while they are used.
    pub(super) async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }

    /// The session that rested least, if one is fit.
    pub(super) fn take(&self) -> Option<Session> {
        let now = self.clock.now();
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.retain(|(since, _)| since.distance(now) < REST);
        resting.pop().map(|(_, session)| session)
    }

    /// Lets a session rest.
    pub(super) fn keep(&self, session: Session) {
        if session.is_fit() && session.parcels() < PARCELS {
            let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
            resting.push((self.clock.now(), session));
        }
    }

    fn is_used(&self) -> bool {
        let now = self.clock.now();
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.retain(|(since, _)| since.distance(now) < REST);
        !resting.is_empty()
    }
}
