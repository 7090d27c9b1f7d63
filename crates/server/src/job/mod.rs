//! Work that follows an answer: rows in the store that say what is still to be done, done by whichever node comes to it.
//! Every job is idempotent and may be stopped anywhere, so a crash repeats at most what does no harm.

pub mod acme;
pub mod custody;
pub mod delivery;
mod erasure;
pub mod events;
pub mod mail;
pub mod outbox;
pub mod renewal;
pub mod text;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::http::State;
use crate::service::sms::{CARRIERS_SWEPT, SWEPT};

/// How long a job waits that nobody woke: for what another node, or this one before a restart, left behind.
const UNPROMPTED: Duration = Duration::from_secs(60);

/// Wakes the jobs of this node when there is something to do.
#[derive(Debug, Default)]
pub struct Jobs(Notify);

impl Jobs {
    /// There is something to do. Never waits; many calls before the work begins count as one.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// Does what is due, at once and then whenever it is woken, until `stop` is done. Work under way is left where it is:
/// a large deletion takes longer than a server may take to stop, and goes on at the next start.
pub async fn run(state: Arc<State>, stop: impl Future<Output = ()> + Send) {
    let texts = texts(&state);
    let work = async {
        loop {
            erasure::run(&state).await;
            mail::sweep(&state).await;
            tokio::select! {
                () = state.jobs.0.notified() => {}
                () = tokio::time::sleep(UNPROMPTED) => {}
            }
        }
    };
    tokio::select! {
        () = stop => {}
        () = work => {}
        () = texts => {}
    }
}

/// Looks through texts and registers, each at its period. The first look is at once: time went by while no node ran.
async fn texts(state: &State) {
    let mut round: u64 = 0;
    let rounds = CARRIERS_SWEPT.as_secs() / SWEPT.as_secs();
    loop {
        text::sweep(state).await;
        if round.is_multiple_of(rounds) {
            text::sweep_registers(state).await;
        }
        round += 1;
        tokio::time::sleep(SWEPT).await;
    }
}

/// Does what is due now, for tests and for a clean stop. Returns how many deletions were completed.
pub async fn run_once(state: &State) -> usize {
    mail::sweep(state).await;
    text::sweep(state).await;
    text::sweep_registers(state).await;
    erasure::run(state).await
}
