//! The run `sandbox`: what the closed host costs. Two servers stand side by side, one closed and one open, and the same load
//! goes to them in turns, so that what the machine does otherwise meets both alike.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serde::Serialize;

use crate::args::{Common, SandboxArgs};
use crate::chat::load::{self, Sender, Work};
use crate::chat::setup;
use crate::error::{Error, Result};
use crate::host::{Host, Running, Server};
use crate::measure::median;
use crate::measure::stats::ratio;
use crate::report::{self, Check, Table, number};

/// How many times the CPU time of the open server the closed one may take.
const TIMES: f64 = 1.02;
/// The longest a round may take.
const LIMIT: Duration = Duration::from_secs(60);

/// One server and those who send to it.
struct Side {
    mode: &'static str,
    running: Running,
    senders: Vec<Sender>,
    rounds: Vec<Turn>,
    // Dropped last: they hold the folder.
    _server: Server,
    _host: Host,
}

/// What one round of one server took.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Turn {
    cpu_seconds_per_1000: f64,
    per_second: f64,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    senders: usize,
    closed: Vec<Turn>,
    open: Vec<Turn>,
    checks: Vec<Check>,
}

impl Side {
    async fn start(args: &SandboxArgs, mode: &'static str) -> Result<Self> {
        let mut common: Common = args.common.clone();
        common.server_args.extend(["--sandbox".to_owned(), mode.to_owned()]);
        let host = Host::new(&common).await?;
        let mut server = host.fresh_server()?;
        let running = server.start().await?;
        let threads = setup::threads(&running.resource, args.threads, 2).await?;
        let filler = setup::filler(host.seed);
        let senders = load::connect(&running.resource.endpoint, args.senders, &threads, &filler).await?;
        Ok(Self { mode, running, senders, rounds: Vec::new(), _server: server, _host: host })
    }

    async fn turn(&mut self, messages: u64, numbers: &Arc<AtomicU64>) -> Result<Turn> {
        let work = Work {
            numbers: Arc::clone(numbers),
            left: AtomicU64::new(messages),
            limit: LIMIT,
            status: 201,
            named: true,
        };
        let before = self.running.cpu_seconds()?;
        let (back, round) = load::run(std::mem::take(&mut self.senders), work).await?;
        self.senders = back;
        let thousands = float(round.acknowledged.len() as u64) / 1000.0;
        Ok(Turn {
            cpu_seconds_per_1000: ratio(self.running.cpu_seconds()? - before, thousands),
            per_second: ratio(thousands * 1000.0, round.seconds),
        })
    }
}

/// Runs it; whether the sandbox costs no more than it may.
pub(crate) async fn run(args: &SandboxArgs) -> Result<bool> {
    if args.senders == 0 || args.threads == 0 || args.rounds == 0 || args.messages == 0 {
        return Err(Error::Usage("senders, threads, rounds and messages must be at least 1".into()));
    }
    let mut sides = [Side::start(args, "required").await?, Side::start(args, "off").await?];
    let numbers = Arc::default();
    for side in &mut sides {
        side.turn(args.messages / 4 + 1, &numbers).await?;
    }
    for round in 0..args.rounds {
        report::note(&format!("round {} of {}", round + 1, args.rounds));
        // Who goes first changes, so that whatever drifts does not favour one.
        for at in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            let turn = sides[at].turn(args.messages, &numbers).await?;
            sides[at].rounds.push(turn);
        }
    }
    let [closed, open] = sides;
    let report = report_of(args.senders, closed.rounds.clone(), open.rounds.clone());
    for side in [closed, open] {
        report::note(&format!("stopping the server with --sandbox {}", side.mode));
        side.running.stop().await?;
    }
    if args.common.json {
        report::print_json(&report)?;
    } else {
        report::print(&text(&report));
    }
    Ok(report::passed(&report.checks))
}

fn report_of(senders: usize, closed: Vec<Turn>, open: Vec<Turn>) -> Report {
    let times = |of: fn(&Turn) -> f64| {
        median(closed.iter().zip(&open).map(|(closed, open)| ratio(of(closed), of(open)))).unwrap_or_default()
    };
    let checks = vec![
        Check::within(
            "CPU time, closed to open (median of pairs)",
            times(|turn| turn.cpu_seconds_per_1000),
            TIMES,
        ),
        Check::at_least(
            "messages/s, closed to open (median of pairs)",
            times(|turn| turn.per_second),
            0.9,
            0.98,
        ),
    ];
    Report { senders, closed, open, checks }
}

fn text(report: &Report) -> String {
    let mut table = Table::new(["", "messages/s", "CPU s per 1,000"]);
    for (name, turns) in [("closed", &report.closed), ("open", &report.open)] {
        let of = |of: fn(&Turn) -> f64| median(turns.iter().map(of)).unwrap_or_default();
        let (rate, cpu) = (of(|turn| turn.per_second), of(|turn| turn.cpu_seconds_per_1000));
        table.row([name.to_owned(), number(rate), number(cpu)]);
    }
    format!("{} senders\n\n{}\n{}", report.senders, table.render(), report::checks(&report.checks))
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
const fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_compared_and_not_sums() {
        let turn = |cpu, rate| Turn { cpu_seconds_per_1000: cpu, per_second: rate };
        let open = vec![turn(1.0, 10.0), turn(2.0, 5.0), turn(1.0, 10.0)];
        let closed = vec![turn(1.01, 10.0), turn(2.02, 5.0), turn(9.0, 1.0)];
        let report = report_of(1, closed, open);
        assert!((report.checks[0].value - 1.01).abs() < 1e-9, "{:?}", report.checks);
        assert!(report::passed(&report.checks));
        let slow = report_of(1, vec![turn(1.03, 10.0)], vec![turn(1.0, 10.0)]);
        assert!(!report::passed(&slow.checks));
    }
}
