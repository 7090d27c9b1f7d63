//! The run `idle`: memory of a server that does nothing, and with many TLS connections that rest after one request each.

use std::time::Duration;

use serde::Serialize;
use tokio::task::JoinSet;

use crate::args::IdleArgs;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::measure::Stopwatch;
use crate::measure::proc::{self, Memory};
use crate::measure::stats::ratio;
use crate::net::client::{Connection, Endpoint};
use crate::net::request::{Method, build};
use crate::report::{self, Check, Progress, Table, count, mebibytes, number};

/// Memory of the idle server, MiB: required, and hoped for.
const IDLE_MIB: (f64, f64) = (80.0, 40.0);
/// Memory with the connections, MB (10^6 bytes): required; no other figure is hoped for.
const HOLDING_MB: f64 = 600.0;
/// How long the server rests before it is measured.
const SETTLE: Duration = Duration::from_secs(2);
/// Handshakes at once.
const OPENING: usize = 64;
/// Files either process needs besides its connections.
const OTHER_FILES: u64 = 256;
/// Connections that are used again at the end, to see that they live.
const PROBES: usize = 100;

/// The result of the run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    engine: &'static str,
    start_ms: f64,
    idle_bytes: u64,
    connections: usize,
    handshakes_per_second: f64,
    holding_bytes: u64,
    peak_bytes: u64,
    bytes_per_connection: f64,
    client_bytes_per_connection: f64,
    checks: Vec<Check>,
}

/// Runs it; whether everything required was reached.
pub(crate) async fn run(args: &IdleArgs) -> Result<bool> {
    enough_files(args.connections, proc::open_files_limit()?)?;
    let host = Host::new(&args.common).await?;
    let mut server = host.fresh_server()?;
    let mut running = server.start().await?;
    tokio::time::sleep(SETTLE).await;
    let idle = running.memory()?.resident;
    let client_before = proc::memory(std::process::id())?.resident;

    let watch = Stopwatch::start();
    let mut held = open(&running.default, args.connections).await?;
    let seconds = watch.seconds();
    let client_after = proc::memory(std::process::id())?.resident;
    tokio::time::sleep(Duration::from_secs(args.hold)).await;
    running.must_live()?;
    let holding = running.memory()?;
    probe(&running.default, &mut held).await?;
    let start_ms = running.started_in.as_secs_f64() * 1000.0;
    drop(held);
    running.stop().await?;

    let client_grown = client_after.saturating_sub(client_before);
    let report = Report {
        engine: host.engine.name(),
        start_ms,
        idle_bytes: idle,
        connections: args.connections,
        handshakes_per_second: ratio(float(args.connections as u64), seconds),
        holding_bytes: holding.resident,
        peak_bytes: holding.peak,
        bytes_per_connection: per(holding.resident.saturating_sub(idle), args.connections),
        client_bytes_per_connection: per(client_grown, args.connections),
        checks: checks(idle, holding, args.connections),
    };
    if args.common.json {
        report::print_json(&report)?;
    } else {
        report::print(&text(&report));
    }
    Ok(report::passed(&report.checks))
}

fn checks(idle: u64, holding: Memory, connections: usize) -> Vec<Check> {
    let held = format!("memory with {} idle connections, MB", count(connections as u64));
    let megabytes = float(holding.resident) / 1e6;
    vec![
        Check::at_most("memory of the idle server, MiB", mebibytes(idle), IDLE_MIB.0, IDLE_MIB.1),
        Check::within(held, megabytes, HOLDING_MB),
    ]
}

fn text(report: &Report) -> String {
    let mut table = Table::new(["", "measured"]);
    table.row(["start to ready, ms".to_owned(), number(report.start_ms)]);
    table.row(["idle, MiB".to_owned(), number(mebibytes(report.idle_bytes))]);
    table.row(["connections".to_owned(), count(report.connections as u64)]);
    table.row(["opened each second".to_owned(), number(report.handshakes_per_second)]);
    table.row(["with all of them, MiB".to_owned(), number(mebibytes(report.holding_bytes))]);
    table.row(["at its peak, MiB".to_owned(), number(mebibytes(report.peak_bytes))]);
    table.row(["bytes for each connection".to_owned(), number(report.bytes_per_connection)]);
    table.row(["the client's, for each".to_owned(), number(report.client_bytes_per_connection)]);
    format!(
        "\nMemory of the server at rest, {}\n\n{}\n{}",
        report.engine,
        table.render(),
        report::checks(&report.checks)
    )
}

/// The server inherits this process's limit, and each connection is a file on both sides.
pub(crate) fn enough_files(connections: usize, limit: u64) -> Result<()> {
    let needed = connections as u64 + OTHER_FILES;
    if limit >= needed {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "{connections} connections need {needed} open files and the limit is {limit}: run `ulimit -n {needed}` in this \
         shell first, or hold fewer with --connections"
    )))
}

async fn open(endpoint: &Endpoint, connections: usize) -> Result<Vec<Connection>> {
    let (mut held, mut opening, mut progress) =
        (Vec::with_capacity(connections), JoinSet::new(), Progress::start());
    let mut begun = 0;
    loop {
        while begun < connections && opening.len() < OPENING {
            begun += 1;
            let endpoint = endpoint.clone();
            opening.spawn(async move {
                let mut connection = endpoint.connect().await?;
                ask(&endpoint, &mut connection).await?;
                Ok::<_, Error>(connection)
            });
        }
        match opening.join_next().await {
            None => return Ok(held),
            Some(opened) => held.push(opened.map_err(|e| Error::Server(e.to_string()))??),
        }
        if held.len() % 64 == 0 {
            progress.show(held.len(), connections, "connections");
        }
    }
}

async fn ask(endpoint: &Endpoint, connection: &mut Connection) -> Result<()> {
    let request = build(Method::Get, "/health/live", &endpoint.host, &[], b"");
    connection.exchange(&request).await?.expect("ask for its health", 200)?;
    connection.rest();
    Ok(())
}

async fn probe(endpoint: &Endpoint, held: &mut [Connection]) -> Result<()> {
    let step = (held.len() / PROBES).max(1);
    for connection in held.iter_mut().step_by(step) {
        ask(endpoint, connection).await?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "memory stays far below 2^52 bytes")]
const fn float(value: u64) -> f64 {
    value as f64
}

fn per(bytes: u64, connections: usize) -> f64 {
    ratio(float(bytes), float(connections as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn too_few_files_say_what_to_do() {
        assert!(enough_files(10_000, 10_256).is_ok());
        assert!(enough_files(10_000, u64::MAX).is_ok());
        let text = enough_files(10_000, 1024).unwrap_err().to_string();
        assert!(text.contains("ulimit -n 10256") && text.contains("1024"), "{text}");
    }

    #[test]
    fn what_is_required_of_memory() {
        let mib = 1024 * 1024;
        let verdicts = |idle, resident| {
            checks(idle, Memory { resident, peak: resident }, 10_000)
                .iter()
                .map(|c| c.verdict)
                .collect::<Vec<_>>()
        };
        assert_eq!(verdicts(40 * mib, 600_000_000), [Verdict::Goal, Verdict::Pass]);
        assert_eq!(verdicts(80 * mib, 600_000_001), [Verdict::Pass, Verdict::Fail]);
        assert_eq!(verdicts(81 * mib, 1), [Verdict::Fail, Verdict::Pass]);
    }

    #[test]
    fn shares_of_no_connection() {
        assert!(per(100, 0).abs() < 1e-9);
        assert!((per(30_000, 3) - 10_000.0).abs() < 1e-9);
    }
}
