//! The run `sms`: texts accepted, handed to an SMS centre over one SMPP bind, and their receipts taken, beside Kannel doing
//! the same, in alternating rounds. Kannel keeps its queue in memory; here everything is sealed and durable.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::kannel::{Callbacks, Kannel, WORD};
use super::load::{self, Post};
use crate::args::SmsArgs;
use crate::error::{Error, Result};
use crate::host::{Host, Running};
use crate::measure::stats::ratio;
use crate::measure::{Stopwatch, median};
use crate::report::{self, Check, Table, number};
use crate::smsc::{Behaviour, Centre};

/// CPU seconds for each 1,000 texts with their receipts: required, and hoped for.
const CPU: (f64, f64) = (0.45, 0.25);
/// Texts relayed a second that are hoped for.
const RATE_GOAL: f64 = 3_000.0;
/// The version of the SMS operations.
const VERSION: &str = "2021-03-07";
/// How long all texts of a round may take.
const MOST: Duration = Duration::from_secs(120);
/// How often the counters are looked at.
const POLL: Duration = Duration::from_millis(10);

/// The rounds of one who relays.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Relayed {
    accepted_per_second: Vec<f64>,
    relayed_per_second: Vec<f64>,
    p99_ms: Vec<f64>,
    cpu_seconds_per_1000: Vec<f64>,
}

/// Everything measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    engine: &'static str,
    clients: usize,
    window: usize,
    texts_each_round: u64,
    chancery: Relayed,
    kannel: Relayed,
    checks: Vec<Check>,
}

/// One round: accepted a second, relayed a second with receipts, p99 of acceptance in ms, CPU seconds for each 1,000.
type Round = [f64; 4];

/// Runs it; whether everything required was reached.
pub(crate) async fn run(args: &SmsArgs) -> Result<bool> {
    if args.clients == 0 || args.texts == 0 || args.rounds == 0 {
        return Err(Error::Usage("clients, texts and rounds must be at least 1".into()));
    }
    let host = Host::new(&args.common).await?;
    let behaviour = Behaviour { receipts: true, ..Behaviour::default() };
    let (ours, theirs) = (Centre::start(behaviour)?, Centre::start(behaviour)?);
    let callbacks = Callbacks::start().await?;
    let kannel = Kannel::start(host.dir(), theirs.port(), args.window).await?;
    let mut server = host.fresh_server()?;
    let carrier = format!("smpp://{WORD}:{WORD}@127.0.0.1:{}?window={}", ours.port(), args.window);
    server.argue(["--sms".to_owned(), carrier]);
    let running = server.start().await?;
    let (mut chancery, mut peer) = (Relayed::default(), Relayed::default());
    let mut next = 0;
    for round in 0..=args.rounds {
        // The first round is for warming up, and smaller.
        let texts = if round == 0 { (args.texts / 10).max(1) } else { args.texts };
        report::note(&format!("round {round} of {}: {texts} texts each", args.rounds));
        let us = ours_once(args, &running, &ours, next, texts).await?;
        next += texts;
        let them = kannel_once(args, &kannel, &callbacks, texts).await?;
        if round > 0 {
            chancery.add(us);
            peer.add(them);
        }
    }
    running.stop().await?;
    let report = Report::new(host.engine.name(), args, chancery, peer);
    if args.common.json {
        report::print_json(&report)?;
    } else {
        report::print(&report.text());
    }
    Ok(report::passed(&report.checks))
}

async fn ours_once(
    args: &SmsArgs,
    running: &Running,
    centre: &Centre,
    first: u64,
    texts: u64,
) -> Result<Round> {
    let (before, cpu) = (centre.counts().acknowledged, running.cpu_seconds()?);
    let post = post(&running.number()?);
    let watch = Stopwatch::start();
    let accepted = load::post(&running.resource, args.clients, first, texts, MOST, &post).await?;
    while centre.counts().acknowledged < before + texts {
        if watch.elapsed() > MOST {
            let came = centre.counts().acknowledged - before;
            return Err(Error::Server(format!("{came} of {texts} receipts were taken in {MOST:?}")));
        }
        tokio::time::sleep(POLL).await;
    }
    let seconds = watch.seconds();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (cpu, count) = (running.cpu_seconds()? - cpu, float(texts));
    let rate = ratio(count, accepted.seconds);
    Ok([rate, ratio(count, seconds), accepted.summary.p99_ms, ratio(1000.0 * cpu, count)])
}

async fn kannel_once(args: &SmsArgs, kannel: &Kannel, callbacks: &Callbacks, texts: u64) -> Result<Round> {
    let (before, cpu) = (callbacks.count(), kannel.cpu_seconds()?);
    let watch = Stopwatch::start();
    let latencies = kannel.post(args.clients, texts, callbacks.port).await?;
    let accepted = watch.seconds();
    callbacks.came(before + texts, MOST).await?;
    let seconds = watch.seconds();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (cpu, count) = (kannel.cpu_seconds()? - cpu, float(texts));
    Ok([
        ratio(count, accepted),
        ratio(count, seconds),
        latencies.summary().p99_ms,
        ratio(1000.0 * cpu, count),
    ])
}

fn post(from: &str) -> Post {
    let from = from.to_owned();
    Post {
        target: format!("/sms?api-version={VERSION}"),
        status: 202,
        doing: "send a text",
        body: Arc::new(move |number| {
            json!({
                "from": from,
                "smsRecipients": [{ "to": format!("+1425{number:07}") }],
                "message": format!("Your code is {number:06}"),
                "smsSendOptions": { "enableDeliveryReport": true },
            })
            .to_string()
        }),
    }
}

impl Relayed {
    fn add(&mut self, [accepted, relayed, p99, cpu]: Round) {
        self.accepted_per_second.push(accepted);
        self.relayed_per_second.push(relayed);
        self.p99_ms.push(p99);
        self.cpu_seconds_per_1000.push(cpu);
    }
}

fn middle(values: &[f64]) -> f64 {
    median(values.iter().copied()).unwrap_or(0.0)
}

impl Report {
    fn new(engine: &'static str, args: &SmsArgs, chancery: Relayed, kannel: Relayed) -> Self {
        let (ours, peer) = (middle(&chancery.relayed_per_second), middle(&kannel.relayed_per_second));
        let checks = vec![
            Check::at_most("CPU s per 1,000 texts", middle(&chancery.cpu_seconds_per_1000), CPU.0, CPU.1),
            Check::at_least("relayed/s, as many as Kannel", ours, peer, peer.max(RATE_GOAL)),
        ];
        let (clients, window, texts_each_round) = (args.clients, args.window, args.texts);
        Self { engine, clients, window, texts_each_round, chancery, kannel, checks }
    }

    fn text(&self) -> String {
        let mut table = Table::new(["", "chancery", "kannel"]);
        let all = [&self.chancery, &self.kannel];
        let mut row = |name: &str, of: fn(&Relayed) -> &Vec<f64>| {
            let mut cells = vec![name.to_owned()];
            cells.extend(all.iter().map(|one| number(middle(of(one)))));
            table.row(cells);
        };
        row("accepted/s", |r| &r.accepted_per_second);
        row("relayed/s, receipts taken", |r| &r.relayed_per_second);
        row("acceptance p99 ms", |r| &r.p99_ms);
        row("CPU s per 1,000", |r| &r.cpu_seconds_per_1000);
        let share = ratio(middle(&self.chancery.relayed_per_second), middle(&self.kannel.relayed_per_second));
        format!(
            "\nTexts with receipts, {}, {} clients, one bind with a window of {}, {} in each of {} rounds; chancery seals and \
             commits before it accepts, Kannel keeps its queue in memory\n\n{}\nchancery relays {} times what Kannel does\n\n{}",
            self.engine,
            self.clients,
            self.window,
            report::count(self.texts_each_round),
            self.chancery.relayed_per_second.len(),
            table.render(),
            number(share),
            report::checks(&self.checks)
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of texts stay far below 2^52")]
const fn float(value: u64) -> f64 {
    value as f64
}
