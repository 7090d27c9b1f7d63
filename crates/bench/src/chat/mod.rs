//! The run `chat`: for each number of senders a fresh server, rounds that alternate with the two ceilings, and at the end
//! every message counted.

pub(crate) mod count;
pub(crate) mod figures;
pub(crate) mod load;
pub(crate) mod setup;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::args::ChatArgs;
use crate::ceiling::{BareEndpoint, append_log};
use crate::error::{Error, Result};
use crate::host::{Host, Running, Server};
use crate::measure::stats::ratio;
use crate::report;
use count::Count;
use figures::{Cost, Figures, Report};
use load::{Acknowledged, Round, Sender, Thread, Work};

/// Records of the log ceiling for each message of a round: it is faster, and a short run says little.
const RECORDS_PER_MESSAGE: u64 = 4;

/// Runs it; whether everything required was reached.
pub(crate) async fn run(args: &ChatArgs) -> Result<bool> {
    if args.senders.contains(&0) || args.threads == 0 || args.rounds == 0 || args.messages == 0 {
        return Err(Error::Usage("senders, threads, rounds and messages must be at least 1".into()));
    }
    let host = Host::new(&args.common).await?;
    let bare = BareEndpoint::start(host.dir()).await?;
    let mut all = Vec::new();
    for &senders in &args.senders {
        report::note(&format!("{senders} senders: {} messages in {} rounds", args.messages, args.rounds));
        all.push(Measurement::new(args, &host, &bare, senders).take().await?);
    }
    let report = Report::new(host.engine.name(), host.seed, args, all);
    if args.common.json {
        report::print_json(&report)?;
    } else {
        report::print(&report.text());
    }
    Ok(report.passed())
}

/// One number of senders.
struct Measurement<'a> {
    args: &'a ChatArgs,
    host: &'a Host,
    bare: &'a BareEndpoint,
    senders: usize,
    filler: String,
    numbers: Arc<AtomicU64>,
}

impl<'a> Measurement<'a> {
    fn new(args: &'a ChatArgs, host: &'a Host, bare: &'a BareEndpoint, senders: usize) -> Self {
        let filler = setup::filler(host.seed);
        Self { args, host, bare, senders, filler, numbers: Arc::default() }
    }

    async fn take(&self) -> Result<Figures> {
        let mut server = self.host.fresh_server()?;
        let running = server.start().await?;
        let threads = setup::threads(&running.resource, self.args.threads, 2).await?;
        running.stop().await?;
        let bytes_before = server.bytes_on_disk()?;

        let running = server.start().await?;
        let (mut acknowledged, mut figures) = self.rounds(&server, &running, &threads).await?;
        let memory = running.memory()?;
        (figures.resident_bytes, figures.peak_bytes) = (memory.resident, memory.peak);
        figures.start_ms = running.started_in.as_secs_f64() * 1000.0;
        figures.stop_ms = running.stop().await?.as_secs_f64() * 1000.0;
        let grown = server.bytes_on_disk()?.saturating_sub(bytes_before);
        figures.bytes_per_message = ratio(float(grown), float(acknowledged.len() as u64));

        let running = server.start().await?;
        figures.count = self.count(&running, &threads, &mut acknowledged).await?;
        running.stop().await?;
        Ok(figures)
    }

    /// The alternating rounds; all messages acknowledged, warming up included.
    async fn rounds(
        &self,
        server: &Server,
        running: &Running,
        threads: &[Thread],
    ) -> Result<(Vec<Acknowledged>, Figures)> {
        let target = &running.resource.endpoint;
        let mut senders = load::connect(target, self.senders, threads, &self.filler).await?;
        let mut bare = load::connect(&self.bare.endpoint, self.senders, threads, &self.filler).await?;
        let mut acknowledged = self.warm_up(&mut senders, 201).await?;
        self.warm_up(&mut bare, 200).await?;
        let mut figures = Figures::new(self.senders);
        let messages = (self.args.messages / self.args.rounds as u64).max(1);
        for _ in 0..self.args.rounds {
            let (before, database_before) = (running.cpu_seconds()?, server.database_cpu_seconds()?);
            let (back, mut round) = load::run(senders, self.work(messages, 201)).await?;
            senders = back;
            let cost = Cost {
                cpu_seconds: running.cpu_seconds()? - before,
                database_cpu_seconds: server.database_cpu_seconds()? - database_before,
            };
            acknowledged.append(&mut round.acknowledged);
            figures.server.add(&round, cost);

            let before = self.bare.cpu_seconds()?;
            let (back, round): (_, Round) = load::run(bare, self.work(messages, 200)).await?;
            bare = back;
            let cost = Cost { cpu_seconds: self.bare.cpu_seconds()? - before, database_cpu_seconds: 0.0 };
            figures.bare.add(&round, cost);

            let records = messages.saturating_mul(RECORDS_PER_MESSAGE);
            figures.log.push(append_log(self.host.dir(), self.senders, records).await?);
        }
        Ok((acknowledged, figures))
    }

    /// One message from each sender, so that no first request is measured.
    async fn warm_up(&self, senders: &mut Vec<Sender>, status: u16) -> Result<Vec<Acknowledged>> {
        let count = senders.len() as u64;
        let (back, round) = load::run(std::mem::take(senders), self.work(count, status)).await?;
        *senders = back;
        Ok(round.acknowledged)
    }

    fn work(&self, messages: u64, status: u16) -> Work {
        Work {
            numbers: Arc::clone(&self.numbers),
            left: AtomicU64::new(messages),
            limit: Duration::from_secs(self.args.seconds),
            status,
            named: status == 201,
        }
    }

    async fn count(
        &self,
        running: &Running,
        threads: &[Thread],
        acknowledged: &mut Vec<Acknowledged>,
    ) -> Result<Count> {
        let stored = count::list(&running.resource.endpoint, threads).await?;
        Ok(count::compare(&std::mem::take(acknowledged), &stored, &self.filler))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and bytes stay far below 2^52")]
const fn float(value: u64) -> f64 {
    value as f64
}
