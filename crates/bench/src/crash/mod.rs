//! The run `crash`: the server is killed under load again and again on one data folder, and after each restart everything
//! is looked at. Acknowledged means durable; unacknowledged means wholly there or wholly absent.

mod load;
mod model;
mod observe;
mod seen;
mod verify;

#[cfg(test)]
mod verify_tests;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base::{Rng, SeededRng};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::args::CrashArgs;
use crate::error::{Error, Result};
use crate::host::{Host, Running, Server};
use crate::net::api::Session;
use crate::report::{self, Progress, count};
use load::{Board, GROUPS, WORKERS};
use model::Op;
use observe::{Cast, observe};
use verify::{Violation, reconcile};

/// The kill comes this many milliseconds after the load began, at random between the two.
const KILL_MS: (u64, u64) = (50, 400);
/// Violations printed; more say nothing new.
const SHOWN: usize = 20;

/// The result of the run.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    engine: &'static str,
    seed: u64,
    rounds: usize,
    acknowledged: u64,
    /// Writes in flight at a kill.
    in_flight: usize,
    /// Those of them that turned out to be there.
    in_flight_kept: usize,
    slowest_restart_ms: f64,
    lost: usize,
}

/// Runs it; whether nothing was lost.
pub(crate) async fn run(args: &CrashArgs) -> Result<bool> {
    let host = Host::new(&args.common).await?;
    let mut server = host.fresh_server()?;
    let mut report = Report { engine: host.engine.name(), seed: host.seed, ..Report::default() };
    let broken = match rounds(args.rounds, host.seed, &mut server, &mut report).await {
        Ok(broken) => broken,
        Err(error) => {
            explain(&mut server, &report, &[]);
            return Err(error);
        }
    };
    report.lost = broken.len();
    report::note(&format!(
        "{} writes in flight at a kill, {} of them were there afterwards; slowest restart {} ms",
        count(report.in_flight as u64),
        count(report.in_flight_kept as u64),
        report::number(report.slowest_restart_ms)
    ));
    if !broken.is_empty() {
        explain(&mut server, &report, &broken);
    }
    if args.common.json {
        report::print_json(&report)?;
    } else {
        report::print(&line(&report));
    }
    Ok(broken.is_empty())
}

fn line(report: &Report) -> String {
    format!(
        "{} rounds, {} acknowledged writes, {} lost",
        report.rounds,
        count(report.acknowledged),
        count(report.lost as u64)
    )
}

fn explain(server: &mut Server, report: &Report, broken: &[Violation]) {
    for violation in broken.iter().take(SHOWN) {
        report::note(&violation.to_string());
    }
    let kept = server.keep().display().to_string();
    report::note(&format!(
        "stopped in round {} with --seed {}; the data folder is kept at {kept}",
        report.rounds, report.seed
    ));
}

/// All rounds; the violations of the first that has any.
async fn rounds(all: usize, seed: u64, server: &mut Server, report: &mut Report) -> Result<Vec<Violation>> {
    let dice = SeededRng::new(seed);
    let mut running = server.start().await?;
    let (board, cast) = set_up(&running).await?;
    let mut progress = Progress::start();
    for round in 1..=all {
        report.rounds = round;
        let delay = KILL_MS.0 + dice.below(KILL_MS.1 - KILL_MS.0);
        let pending = load_and_kill(running, &board, &cast, seed, round, delay).await?;
        running = server.start().await?;
        report.slowest_restart_ms = report.slowest_restart_ms.max(running.started_in.as_secs_f64() * 1000.0);
        report.in_flight += pending.len();
        let model = board.state().model.clone();
        let seen = observe(&running.resource.endpoint, &cast, &model).await?;
        let mut state = board.state();
        let outcome = reconcile(&mut state.model, pending, &seen);
        report.in_flight_kept += outcome.kept;
        report.acknowledged = state.acknowledged;
        if !outcome.violations.is_empty() {
            return Ok(outcome.violations);
        }
        progress.show(
            round,
            all,
            &format!("kills, {} acknowledged writes, 0 lost", count(state.acknowledged)),
        );
    }
    running.stop().await?;
    Ok(Vec::new())
}

/// The users, and a thread for each group.
async fn set_up(running: &Running) -> Result<(Arc<Board>, Arc<Cast>)> {
    let mut session = Session::open(&running.resource.endpoint).await?;
    let mut users = Vec::with_capacity(2 * WORKERS);
    for _ in 0..2 * WORKERS {
        users.push(session.create_user(&running.resource).await?);
    }
    let (board, cast) = (Arc::new(Board::default()), Arc::new(Cast::new(users)));
    for group in 0..GROUPS {
        let who = group * WORKERS / GROUPS;
        let op = load::create(who, &format!("of group {group}"));
        let lacking = Error::Answer { doing: "make a thread", missing: "a clear answer" };
        let made = load::perform(&mut session, &cast, who, &op).await?.ok_or(lacking)?;
        board.state().acknowledge(&op, &made);
    }
    Ok((board, cast))
}

/// Load, kill, and the writes whose fate is unknown.
async fn load_and_kill(
    mut running: Running,
    board: &Arc<Board>,
    cast: &Arc<Cast>,
    seed: u64,
    round: usize,
    delay: u64,
) -> Result<Vec<Op>> {
    board.state().sort_threads();
    board.killed.store(false, Ordering::SeqCst);
    let mut sessions = Vec::with_capacity(WORKERS);
    for _ in 0..WORKERS {
        sessions.push(Session::open(&running.resource.endpoint).await?);
    }
    let mut workers = JoinSet::new();
    for (who, session) in sessions.into_iter().enumerate() {
        let rng = SeededRng::new(seed ^ ((round as u64) << 20) ^ ((who as u64) << 8));
        workers.spawn(load::work(session, Arc::clone(board), Arc::clone(cast), who, rng, round));
    }
    tokio::time::sleep(Duration::from_millis(delay)).await;
    running.must_live()?;
    board.killed.store(true, Ordering::SeqCst);
    running.kill()?;
    let mut pending = Vec::new();
    while let Some(ended) = workers.join_next().await {
        pending.extend(ended.map_err(|e| Error::Server(e.to_string()))??);
    }
    Ok(pending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line() {
        let report = Report { rounds: 500, acknowledged: 1_234_567, ..Report::default() };
        assert_eq!(line(&report), "500 rounds, 1,234,567 acknowledged writes, 0 lost");
    }
}
