//! Tells events to webhooks. Each subscription has a lane of its own, so one whose webhook hangs, fails or is slow never
//! delays another; of several nodes the one that holds its lease tends it.

mod deliver;
mod handshake;
mod lane;
mod window;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base::Geography;
use store::StoreError;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::channel::webhook::HookChannel;
use crate::directory::ResourceEntry;
use crate::http::State;
use crate::service::events::{self, Standing};
pub use handshake::BY_HAND;
use lane::LaneWork;

/// How often other nodes' changes of subscriptions are looked for; within 2 s they are known everywhere.
const LOOK: Duration = Duration::from_secs(1);
/// How often rows of subscriptions that ended, and old dead letters, are looked for.
const SWEEP: Duration = Duration::from_secs(60);

/// Tells events until `stop` is done. `node` is an id that this process drew.
pub async fn run(
    state: Arc<State>,
    hooks: Arc<dyn HookChannel>,
    node: [u8; 16],
    stop: impl Future<Output = ()> + Send,
) {
    let (stopped, stopping) = watch::channel(false);
    let mut lanes = Lanes { state, hooks, node, stopping, running: HashMap::new(), tasks: JoinSet::new() };
    let work = async {
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            lanes.refresh().await;
            lanes.open();
            let state = Arc::clone(&lanes.state);
            tokio::select! {
                () = state.events.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
                Some(ended) = lanes.tasks.join_next() => lanes.ended(&ended),
                _ = sweep.tick() => lanes.sweep().await,
            }
        }
    };
    tokio::select! {
        () = stop => {}
        () = work => {}
    }
    // Each lane gives its lease back; what is under way is told again by who has it next.
    // Nobody listening means that no lane runs.
    let _ = stopped.send(true);
    while lanes.tasks.join_next().await.is_some() {}
}

/// Learns who wants to hear of what: at the first time everything, then what other nodes changed.
///
/// # Errors
/// The first cell that cannot say, and why; the others are asked all the same.
pub async fn learn(state: &State) -> Result<(), (Geography, StoreError)> {
    let resources = state.directory.resources();
    let (mut done, mut failed) = (Vec::new(), None);
    for entry in resources {
        if done.contains(&entry.geography()) {
            continue;
        }
        done.push(entry.geography());
        let here = resources.iter().filter(|other| other.geography() == entry.geography());
        let mut within_reach = Vec::new();
        for other in here {
            if other.is_within_reach().await {
                within_reach.push(other.id());
            }
        }
        if let Err(error) = state.events.refresh(entry.cell(), &within_reach).await {
            failed = failed.or(Some((entry.geography().clone(), error)));
        }
    }
    failed.map_or(Ok(()), Err)
}

struct Lanes {
    state: Arc<State>,
    hooks: Arc<dyn HookChannel>,
    node: [u8; 16],
    stopping: watch::Receiver<bool>,
    /// The lanes that run, by subscription, each under the id of its task.
    running: HashMap<[u8; 16], tokio::task::Id>,
    tasks: JoinSet<[u8; 16]>,
}

impl Lanes {
    /// Learns what other nodes changed.
    async fn refresh(&self) {
        if let Err((geography, error)) = learn(&self.state).await {
            tracing::warn!(geography = geography.as_str(), %error, "subscriptions cannot be read");
        }
    }

    /// Starts a lane for each subscription that has none.
    fn open(&mut self) {
        for entry in self.state.directory.resources() {
            for route in self.state.events.of(entry.id()).iter() {
                if self.running.contains_key(&route.row.id) {
                    continue;
                }
                let work = LaneWork {
                    state: Arc::clone(&self.state),
                    resource: Arc::clone(entry),
                    hooks: Arc::clone(&self.hooks),
                    lane: Arc::clone(&route.lane),
                    id: route.row.id,
                    node: self.node,
                };
                let (id, stopping) = (route.row.id, self.stopping.clone());
                let task = self.tasks.spawn(async move {
                    work.tend(stopping).await;
                    id
                });
                self.running.insert(id, task.id());
            }
        }
    }

    fn ended(&mut self, ended: &Result<[u8; 16], tokio::task::JoinError>) {
        match ended {
            Ok(id) => drop(self.running.remove(id)),
            Err(fault) => {
                tracing::error!(panicked = fault.is_panic(), "a lane of events ended; it is begun again");
                let task = fault.id();
                self.running.retain(|_, running| *running != task);
            }
        }
    }

    async fn sweep(&self) {
        for entry in self.state.directory.resources() {
            if !entry.is_within_reach().await {
                continue;
            }
            if let Err(error) = sweep(entry, &self.state).await {
                tracing::warn!(resource = entry.name(), %error, "rows of events could not be removed yet");
            }
        }
    }
}

/// Removes what ended subscriptions left, and dead letters that are old.
async fn sweep(entry: &ResourceEntry, state: &State) -> Result<(), StoreError> {
    events::remove_ended(entry.cell(), entry.id()).await?;
    let before = state.clock.now().minus(events::DEAD_KEPT);
    for route in state.events.of(entry.id()).iter() {
        events::purge_dead(entry.cell(), entry.id(), route.row.id, before).await?;
        // Whose webhook does not agree any more is told nothing; what was kept for it has an end all the same.
        if route.row.standing == Standing::Failed {
            let ttl = Duration::from_secs(u64::from(route.row.body.ttl_minutes) * 60);
            let before = state.clock.now().minus(ttl);
            events::purge_queue(entry.cell(), entry.id(), route.row.id, before).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
