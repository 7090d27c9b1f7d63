//! Whether the process lives, and whether it can serve. Probes are public, so the answer names nothing but a state, and
//! asking often costs the cells nothing.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use store::Cell;
use tokio::time::{Instant, timeout};

use crate::net::Stop;

/// For how long one look at the cells answers for later probes.
const FRESH: Duration = Duration::from_secs(1);
/// How long a cell may take to answer a probe.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether this node can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// All cells answer.
    Ready,
    /// The server is stopping: no new requests, please.
    Draining,
    /// At least one cell does not answer; the log says which.
    Unavailable,
}

impl Readiness {
    /// The status of the answer: 200 or 503.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Ready => 200,
            Self::Draining | Self::Unavailable => 503,
        }
    }

    /// The state as the body names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Unavailable => "unavailable",
        }
    }

    /// The body of the answer: `{"status":"ready"}`.
    #[must_use]
    pub fn body(self) -> String {
        format!("{{\"status\":\"{}\"}}", self.name())
    }
}

/// The health of one node.
#[derive(Default)]
pub struct Health {
    cells: Vec<Cell>,
    stop: Stop,
    last: Mutex<Option<(Instant, Readiness)>>,
}

impl Health {
    /// Of a node that serves `cells` until `stop`.
    #[must_use]
    pub const fn new(cells: Vec<Cell>, stop: Stop) -> Self {
        Self { cells, stop, last: Mutex::new(None) }
    }

    /// The body of the answer to the question whether the process lives: that it answers is the answer.
    #[must_use]
    pub const fn live(&self) -> &'static str {
        "{\"status\":\"live\"}"
    }

    /// Whether the node can serve. Looks at its cells at most once a second.
    pub async fn ready(&self) -> Readiness {
        if self.stop.stopping() {
            return Readiness::Draining;
        }
        if let Some(known) = self.known() {
            return known;
        }
        let found = self.look().await;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), found));
        found
    }

    fn known(&self) -> Option<Readiness> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.filter(|(at, _)| at.elapsed() < FRESH).map(|(_, found)| found)
    }

    async fn look(&self) -> Readiness {
        let mut found = Readiness::Ready;
        for cell in &self.cells {
            let down = match timeout(PATIENCE, cell.check()).await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in time".to_owned(),
            };
            tracing::error!(geography = %cell.geography().as_str(), %down, "a cell is down");
            found = Readiness::Unavailable;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Limits, SeededRng, SystemClock};
    use guard::LocalKms;
    use std::sync::Arc;
    use store::engine::memory::MemoryEngine;
    use store::{CellParts, KeyServices};

    async fn cell(engine: &Arc<MemoryEngine>) -> Cell {
        let parts = CellParts {
            geography: "europe".parse().unwrap(),
            engine: Arc::clone(engine) as _,
            kms: KeyServices::new(Arc::new(LocalKms::in_memory(&SeededRng::new(1)))),
            clock: Arc::new(SystemClock),
            rng: Arc::new(SeededRng::new(2)),
            limits: &Limits::default(),
            keyspaces: &[],
        };
        Cell::open(parts).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn ready_while_every_cell_answers() {
        let (good, bad) = (Arc::new(MemoryEngine::new()), Arc::new(MemoryEngine::new()));
        let health = Health::new(vec![cell(&good).await, cell(&bad).await], Stop::new());
        assert_eq!(health.ready().await, Readiness::Ready);
        bad.crash();
        assert_eq!(health.ready().await, Readiness::Ready, "probes within a second share one look");
        tokio::time::advance(FRESH).await;
        let down = health.ready().await;
        assert_eq!((down, down.status()), (Readiness::Unavailable, 503));
        assert_eq!(health.live(), "{\"status\":\"live\"}", "living is not being ready");
    }

    #[tokio::test(start_paused = true)]
    async fn not_ready_from_the_moment_a_stop_begins() {
        let stop = Stop::new();
        let health = Health::new(Vec::new(), stop.clone());
        assert_eq!(health.ready().await.body(), "{\"status\":\"ready\"}");
        stop.drain();
        let draining = health.ready().await;
        assert_eq!((draining.status(), draining.body().as_str()), (503, "{\"status\":\"draining\"}"));
    }
}
