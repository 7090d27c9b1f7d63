//! Renews keys, at the pace that was asked for: each resource's beside the others', taken up where a node left it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use base::ResourceId;
use store::{Cell, StoreError};
use tokio::task::JoinSet;

use crate::http::State;
use crate::service::resources::renewal::{self, Held};

/// How often work is looked for.
pub const LOOK: Duration = Duration::from_secs(1);
/// How often it is written down how far a renewal is. After a crash at most so much is looked at again.
const KEEP: Duration = Duration::from_secs(1);
/// How long a renewal waits after a fault.
const PAUSE: Duration = Duration::from_secs(5);

/// Renews keys until `stop` is done. `node` is an id that this process drew.
pub async fn run(state: Arc<State>, node: [u8; 16], stop: impl Future<Output = ()> + Send) {
    let work = async {
        let mut running = JoinSet::new();
        let mut busy: HashSet<(usize, ResourceId)> = HashSet::new();
        let cells = cells(&state);
        loop {
            for (at, cell) in cells.iter().enumerate() {
                for resource in waiting(cell, &busy, at).await {
                    busy.insert((at, resource));
                    let cell = cell.clone();
                    running.spawn(async move {
                        renew(&cell, resource, node).await;
                        (at, resource)
                    });
                }
            }
            tokio::time::sleep(LOOK).await;
            while let Some(ended) = running.try_join_next() {
                match ended {
                    Ok(one) => drop(busy.remove(&one)),
                    Err(fault) => {
                        tracing::error!(panicked = fault.is_panic(), "a renewal of keys ended");
                        busy.clear();
                    }
                }
            }
        }
    };
    tokio::select! {
        () = stop => {}
        () = work => {}
    }
}

fn cells(state: &State) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    for entry in state.directory.resources() {
        if cells.iter().all(|known| known.geography() != entry.geography()) {
            cells.push(entry.cell().clone());
        }
    }
    cells
}

async fn waiting(cell: &Cell, busy: &HashSet<(usize, ResourceId)>, at: usize) -> Vec<ResourceId> {
    match renewal::waiting(cell).await {
        Ok(all) => all.into_iter().filter(|resource| !busy.contains(&(at, *resource))).collect(),
        Err(fault) => {
            tracing::warn!(geography = cell.geography().as_str(), %fault, "renewals of keys cannot be read");
            Vec::new()
        }
    }
}

async fn renew(cell: &Cell, resource: ResourceId, node: [u8; 16]) {
    let done = async {
        let Some(mut held) = renewal::take(cell, resource, node).await? else { return Ok(()) };
        tracing::info!(%resource, "its keys are being renewed");
        let fate = work(cell, &mut held).await;
        if held.is_over() {
            let renewal::Renewal { standing, renewed, ended, .. } = &held.renewal;
            tracing::info!(%resource, ?standing, renewed, ended, "its keys are renewed");
        }
        fate
    };
    match done.await {
        // Another node has it.
        Ok(()) | Err(StoreError::Conflict) => {}
        Err(fault) => {
            tracing::warn!(%resource, %fault, "the renewal of its keys waits");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Steps until it is over, each followed by the pause that its pace asks for.
async fn work(cell: &Cell, held: &mut Held<'_>) -> Result<(), StoreError> {
    let mut kept = cell.clock().now();
    while !held.is_over() {
        let rows = held.step().await?;
        if let Some(pause) = pause(rows, held.renewal.wish.rows_per_second) {
            tokio::time::sleep(pause).await;
        }
        let now = cell.clock().now();
        if now < kept || now.distance(kept) >= KEEP {
            held.keep().await?;
            kept = now;
        }
    }
    held.keep().await
}

fn pause(rows: u64, rows_per_second: u32) -> Option<Duration> {
    (rows > 0 && rows_per_second > 0)
        .then(|| Duration::from_secs(1).mul_f64(rows as f64 / f64::from(rows_per_second)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_kept() {
        assert_eq!(pause(64, 0), None);
        assert_eq!(pause(0, 100), None);
        assert_eq!(pause(64, 64), Some(Duration::from_secs(1)));
        assert_eq!(pause(64, 2_000), Some(Duration::from_millis(32)));
    }
}
