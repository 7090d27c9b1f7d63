//! The figures of the run `chat`: what is kept of each round, what is required, and how it is printed.

use serde::Serialize;

use super::count::Count;
use super::load::Round;
use crate::args::ChatArgs;
use crate::ceiling::log;
use crate::measure::median;
use crate::measure::stats::ratio;
use crate::report::{self, Check, Table, count, mebibytes, number, percent};

/// CPU seconds for each 1,000 messages: required, and hoped for.
const CPU: (f64, f64) = (0.15, 0.08);
/// Share of the lower ceiling: required, and hoped for.
const SHARE: (f64, f64) = (0.20, 0.35);
/// Bytes on disk for each message: required, and hoped for.
const BYTES: (f64, f64) = (600.0, 450.0);
/// The number of senders at which the share is judged.
const SHARE_AT: usize = 64;

/// What a round cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Of the server's process.
    pub(crate) cpu_seconds: f64,
    /// Of the database's processes.
    pub(crate) database_cpu_seconds: f64,
}

/// The rounds against one endpoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rounds {
    per_second: Vec<f64>,
    p50_ms: Vec<f64>,
    p99_ms: Vec<f64>,
    max_ms: f64,
    messages: usize,
    cpu_seconds: f64,
    database_cpu_seconds: f64,
}

/// Medians of rounds; CPU over all of them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rates {
    /// Messages acknowledged each second.
    pub(crate) per_second: f64,
    /// Half of them took at most this.
    pub(crate) p50_ms: f64,
    /// 99 of 100 took at most this.
    pub(crate) p99_ms: f64,
    /// The slowest of all rounds.
    pub(crate) max_ms: f64,
    /// CPU seconds for each 1,000 messages, the database's included.
    pub(crate) cpu_seconds_per_1000: f64,
    /// Of these the database's.
    pub(crate) database_cpu_seconds_per_1000: f64,
}

impl Rounds {
    /// One more round.
    pub(crate) fn add(&mut self, round: &Round, cost: Cost) {
        self.per_second.push(round.per_second());
        self.p50_ms.push(round.summary.p50_ms);
        self.p99_ms.push(round.summary.p99_ms);
        self.max_ms = self.max_ms.max(round.summary.max_ms);
        self.messages += round.summary.count;
        self.cpu_seconds += cost.cpu_seconds;
        self.database_cpu_seconds += cost.database_cpu_seconds;
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of messages stay far below 2^52")]
    fn rates(&self) -> Rates {
        let middle = |values: &[f64]| median(values.iter().copied()).unwrap_or(0.0);
        let per_1000 = |seconds: f64| ratio(1000.0 * seconds, self.messages as f64);
        Rates {
            per_second: middle(&self.per_second),
            p50_ms: middle(&self.p50_ms),
            p99_ms: middle(&self.p99_ms),
            max_ms: self.max_ms,
            cpu_seconds_per_1000: per_1000(self.cpu_seconds + self.database_cpu_seconds),
            database_cpu_seconds_per_1000: per_1000(self.database_cpu_seconds),
        }
    }
}

/// Everything measured with one number of senders.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// How many.
    pub(crate) senders: usize,
    /// Against the server.
    pub(crate) server: Rounds,
    /// Against the bare endpoint.
    pub(crate) bare: Rounds,
    /// The log ceiling's rounds.
    pub(crate) log: Vec<log::Figures>,
    /// Resident memory of the server after the load.
    pub(crate) resident_bytes: u64,
    /// The most it ever was.
    pub(crate) peak_bytes: u64,
    /// Growth of the data on disk for each message, after a checkpoint.
    pub(crate) bytes_per_message: f64,
    /// From the server's start to its ready file.
    pub(crate) start_ms: f64,
    /// From SIGTERM to its end.
    pub(crate) stop_ms: f64,
    /// What is stored against what was acknowledged.
    pub(crate) count: Count,
}

impl Figures {
    /// None yet.
    pub(crate) fn new(senders: usize) -> Self {
        Self { senders, ..Self::default() }
    }
}

/// One column of the report.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Column {
    senders: usize,
    server: Rates,
    ceiling_http: Rates,
    ceiling_log_per_second: f64,
    share_of_lower_ceiling: f64,
    resident_bytes: u64,
    peak_bytes: u64,
    disk_bytes_per_message: f64,
    start_ms: f64,
    stop_ms: f64,
    stored: Count,
}

impl Column {
    fn of(figures: &Figures) -> Self {
        let (server, bare) = (figures.server.rates(), figures.bare.rates());
        let log = median(figures.log.iter().map(|f| f.per_second)).unwrap_or(0.0);
        Self {
            senders: figures.senders,
            server,
            ceiling_http: bare,
            ceiling_log_per_second: log,
            share_of_lower_ceiling: ratio(server.per_second, bare.per_second.min(log)),
            resident_bytes: figures.resident_bytes,
            peak_bytes: figures.peak_bytes,
            disk_bytes_per_message: figures.bytes_per_message,
            start_ms: figures.start_ms,
            stop_ms: figures.stop_ms,
            stored: figures.count,
        }
    }
}

/// The result of the run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    engine: &'static str,
    seed: u64,
    threads: usize,
    rounds: usize,
    messages: u64,
    columns: Vec<Column>,
    checks: Vec<Check>,
}

impl Report {
    /// Of all that was measured.
    pub(crate) fn new(engine: &'static str, seed: u64, args: &ChatArgs, all: Vec<Figures>) -> Self {
        let columns: Vec<Column> = all.iter().map(Column::of).collect();
        let checks = columns.iter().flat_map(checks).collect();
        let (threads, rounds, messages) = (args.threads, args.rounds, args.messages);
        Self { engine, seed, threads, rounds, messages, columns, checks }
    }

    /// Whether nothing is lost, and with SQLite everything required is reached: no figure is required of PostgreSQL.
    pub(crate) fn passed(&self) -> bool {
        let exact = self.columns.iter().all(|column| column.stored.exact());
        exact && (self.engine != "sqlite" || report::passed(&self.checks))
    }

    /// For a person.
    pub(crate) fn text(&self) -> String {
        let mut table = Table::new(
            std::iter::once("senders".to_owned()).chain(self.columns.iter().map(|c| c.senders.to_string())),
        );
        let mut row = |name: &str, cell: &dyn Fn(&Column) -> String| {
            table.row(std::iter::once(name.to_owned()).chain(self.columns.iter().map(cell)));
        };
        row("acknowledged messages/s", &|c| number(c.server.per_second));
        row("  p50 ms", &|c| number(c.server.p50_ms));
        row("  p99 ms", &|c| number(c.server.p99_ms));
        row("  max ms", &|c| number(c.server.max_ms));
        row("CPU s per 1,000 messages", &|c| number(c.server.cpu_seconds_per_1000));
        if self.engine != "sqlite" {
            row("  of which the database", &|c| number(c.server.database_cpu_seconds_per_1000));
        }
        row("bytes on disk per message", &|c| number(c.disk_bytes_per_message));
        row("memory after load, MiB", &|c| number(mebibytes(c.resident_bytes)));
        row("  at its peak, MiB", &|c| number(mebibytes(c.peak_bytes)));
        row("start to ready, ms", &|c| number(c.start_ms));
        row("SIGTERM to end, ms", &|c| number(c.stop_ms));
        row("ceiling: TLS and JSON echo/s", &|c| number(c.ceiling_http.per_second));
        row("  p50 ms", &|c| number(c.ceiling_http.p50_ms));
        row("  p99 ms", &|c| number(c.ceiling_http.p99_ms));
        row("  CPU s per 1,000 requests", &|c| number(c.ceiling_http.cpu_seconds_per_1000));
        row("ceiling: durable appends/s", &|c| number(c.ceiling_log_per_second));
        row("share of the lower ceiling", &|c| percent(c.share_of_lower_ceiling));
        row("acknowledged", &|c| count(c.stored.acknowledged as u64));
        row("stored", &|c| count(c.stored.stored as u64));
        row("lost / altered / surplus", &|c| {
            format!("{} / {} / {}", c.stored.lost, c.stored.altered, c.stored.surplus)
        });
        let about = if self.engine == "sqlite" { "" } else { " (required of SQLite; here for comparison)" };
        format!(
            "\nSending messages of 200 bytes, {}, {} threads, {} messages in {} rounds alternating with the ceilings\n\n{}\n{}{about}\n",
            self.engine,
            self.threads,
            count(self.messages),
            self.rounds,
            table.render(),
            report::checks(&self.checks),
        )
    }
}

fn checks(column: &Column) -> Vec<Check> {
    let at = |name: &str| format!("{name}, {} senders", column.senders);
    let mut checks = vec![
        Check::at_most(at("CPU s per 1,000 messages"), column.server.cpu_seconds_per_1000, CPU.0, CPU.1),
        Check::at_most(at("bytes on disk per message"), column.disk_bytes_per_message, BYTES.0, BYTES.1),
    ];
    if column.senders == SHARE_AT {
        let share = column.share_of_lower_ceiling;
        checks.push(Check::at_least(at("share of the lower ceiling"), share, SHARE.0, SHARE.1));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Args, Command};
    use crate::measure::Summary;
    use clap::Parser;

    fn round(count: usize, seconds: f64, p50_ms: f64) -> Round {
        let summary = Summary { count, p50_ms, p99_ms: p50_ms * 3.0, max_ms: p50_ms * 10.0 };
        Round { seconds, summary, acknowledged: Vec::new() }
    }

    fn cost(cpu_seconds: f64) -> Cost {
        Cost { cpu_seconds, database_cpu_seconds: cpu_seconds / 4.0 }
    }

    fn figures(senders: usize) -> Figures {
        let mut figures = Figures::new(senders);
        for (seconds, p50) in [(2.0, 5.0), (1.0, 3.0), (4.0, 4.0)] {
            figures.server.add(&round(10_000, seconds, p50), cost(0.8));
            figures.bare.add(&round(10_000, seconds / 2.0, p50), cost(0.2));
            figures.log.push(log::Figures {
                records: 1,
                records_per_sync: 1.0,
                per_second: 80_000.0 / seconds,
                p50_ms: 1.0,
                p99_ms: 2.0,
            });
        }
        figures.bytes_per_message = 500.0;
        figures.count = Count { acknowledged: 30_064, stored: 30_064, ..Count::default() };
        figures
    }

    fn report(engine: &'static str, all: Vec<Figures>) -> Report {
        let Command::Chat(args) = Args::parse_from(["bench", "chat"]).command else { panic!("chat") };
        Report::new(engine, 1, &args, all)
    }

    #[test]
    fn rates_are_medians_and_cpu_is_over_all_rounds() {
        let rates = figures(64).server.rates();
        assert!((rates.per_second - 5000.0).abs() < 1e-6, "{rates:?}");
        assert!((rates.p50_ms - 4.0).abs() < 1e-9 && (rates.max_ms - 50.0).abs() < 1e-9, "{rates:?}");
        assert!((rates.cpu_seconds_per_1000 - 0.1).abs() < 1e-9, "0.8 and 0.2 for 10,000: {rates:?}");
        assert!((rates.database_cpu_seconds_per_1000 - 0.02).abs() < 1e-9, "{rates:?}");
    }

    #[test]
    fn the_share_is_that_of_the_lower_ceiling() {
        let column = Column::of(&figures(64));
        assert!((column.ceiling_log_per_second - 40_000.0).abs() < 1e-6);
        assert!((column.share_of_lower_ceiling - 0.5).abs() < 1e-9, "5,000 of 10,000");
    }

    #[test]
    fn the_share_is_judged_at_64_senders_only() {
        let names = |senders| checks(&Column::of(&figures(senders))).len();
        assert_eq!((names(64), names(256)), (3, 2));
    }

    #[test]
    fn a_lost_message_fails_whatever_the_rates() {
        let mut lossy = figures(64);
        assert!(report("sqlite", vec![lossy.clone()]).passed());
        lossy.count.lost = 1;
        assert!(!report("sqlite", vec![lossy.clone()]).passed());
        assert!(!report("postgres", vec![lossy]).passed());
    }

    #[test]
    fn figures_are_required_of_sqlite() {
        let mut fat = figures(64);
        fat.bytes_per_message = 601.0;
        assert!(!report("sqlite", vec![fat.clone()]).passed());
        assert!(report("postgres", vec![fat]).passed());
    }

    #[test]
    fn the_text_names_every_figure() {
        let text = report("postgres", vec![figures(64), figures(256)]).text();
        for part in ["64", "256", "5,000", "50.0 %", "30,064", "of which the database", "pass"] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }
}
