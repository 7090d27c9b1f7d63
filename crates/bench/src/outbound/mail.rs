//! The run `email`: mails accepted, signed and relayed to Postfix's sink, beside Postfix doing the same with and without
//! OpenDKIM, in alternating rounds.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::load::{self, Post};
use super::postfix::{Postfix, Sink, source};
use crate::args::EmailArgs;
use crate::error::{Error, Result};
use crate::host::{Host, Running};
use crate::measure::stats::ratio;
use crate::measure::{Stopwatch, median};
use crate::report::{self, Check, Table, number};

/// CPU seconds for each 1,000 mails relayed: required, and hoped for.
const CPU: (f64, f64) = (1.2, 0.7);
/// Mails relayed a second that are hoped for.
const RATE_GOAL: f64 = 1_000.0;
/// The version of the mail operations.
const VERSION: &str = "2025-09-01";
/// How long all mails of a round may take.
const MOST: Duration = Duration::from_secs(120);

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
    sessions: usize,
    bytes: usize,
    mails_each_round: u64,
    chancery: Relayed,
    postfix: Relayed,
    postfix_opendkim: Relayed,
    checks: Vec<Check>,
}

/// Runs it; whether everything required was reached.
pub(crate) async fn run(args: &EmailArgs) -> Result<bool> {
    if args.sessions == 0 || args.mails == 0 || args.rounds == 0 {
        return Err(Error::Usage("sessions, mails and rounds must be at least 1".into()));
    }
    let host = Host::new(&args.common).await?;
    let folder = crate::host::temp_folder(host.dir())?;
    // The sink runs as a user of its own and needs no files; only its counters are ours.
    let (ours, plain, signed) = (
        Sink::start(folder.path()).await?,
        Sink::start(folder.path()).await?,
        Sink::start(folder.path()).await?,
    );
    let postfix = Postfix::start(host.dir(), plain.port, args.sessions, false).await?;
    let opendkim = Postfix::start(host.dir(), signed.port, args.sessions, true).await?;
    let mut server = host.fresh_server()?;
    server.argue(["--mail".to_owned(), format!("smtp://127.0.0.1:{}", ours.port)]);
    let running = server.start().await?;
    let mut found = (Relayed::default(), Relayed::default(), Relayed::default());
    let mut next = 0;
    for round in 0..=args.rounds {
        // The first round is for warming up, and smaller.
        let mails = if round == 0 { (args.mails / 10).max(1) } else { args.mails };
        report::note(&format!("round {round} of {}: {mails} mails each", args.rounds));
        let chancery = ours_once(args, &running, &ours, next, mails).await?;
        next += mails;
        let plainly = peer_once(args, &postfix, &plain, mails).await?;
        let signing = peer_once(args, &opendkim, &signed, mails).await?;
        if round > 0 {
            found.0.add(chancery);
            found.1.add(plainly);
            found.2.add(signing);
        }
    }
    running.stop().await?;
    let report = Report::new(host.engine.name(), args, found);
    if args.common.json {
        report::print_json(&report)?;
    } else {
        report::print(&report.text());
    }
    Ok(report::passed(&report.checks))
}

/// One round: accepted a second, relayed a second, p99 of acceptance in ms, CPU seconds for each 1,000.
type Round = [f64; 4];

async fn ours_once(
    args: &EmailArgs,
    running: &Running,
    sink: &Sink,
    first: u64,
    mails: u64,
) -> Result<Round> {
    let (before, cpu) = (sink.taken()?, running.cpu_seconds()?);
    let post = post(args, &running.mail_domain()?);
    let watch = Stopwatch::start();
    let accepted = load::post(&running.resource, args.sessions, first, mails, MOST, &post).await?;
    sink.took(before + mails, MOST).await?;
    let seconds = watch.seconds();
    // What follows the peer's answer, the last records, is part of the cost.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let cpu = running.cpu_seconds()? - cpu;
    let count = float(mails);
    let accepted_rate = ratio(count, accepted.seconds);
    Ok([accepted_rate, ratio(count, seconds), accepted.summary.p99_ms, ratio(1000.0 * cpu, count)])
}

async fn peer_once(args: &EmailArgs, postfix: &Postfix, sink: &Sink, mails: u64) -> Result<Round> {
    let (before, cpu) = (sink.taken()?, postfix.cpu_seconds()?);
    let watch = Stopwatch::start();
    source(postfix.port, args.sessions, args.bytes, mails).await?;
    let accepted = watch.seconds();
    sink.took(before + mails, MOST).await?;
    let seconds = watch.seconds();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let cpu = postfix.cpu_seconds()? - cpu;
    let count = float(mails);
    Ok([ratio(count, accepted), ratio(count, seconds), 0.0, ratio(1000.0 * cpu, count)])
}

fn post(args: &EmailArgs, domain: &str) -> Post {
    let sender = format!("donotreply@{domain}");
    let text = "Four kilobytes of plain words, as a letter has them. ".repeat(args.bytes.div_ceil(53));
    let text = text[..args.bytes.min(text.len())].to_owned();
    Post {
        target: format!("/emails:send?api-version={VERSION}"),
        status: 202,
        doing: "send a mail",
        body: Arc::new(move |number| {
            json!({
                "senderAddress": sender,
                "recipients": { "to": [{ "address": format!("r{number}@sink.example") }] },
                "content": { "subject": format!("number {number}"), "plainText": text },
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
    fn new(engine: &'static str, args: &EmailArgs, found: (Relayed, Relayed, Relayed)) -> Self {
        let (chancery, postfix, postfix_opendkim) = found;
        let (ours, peer) = (middle(&chancery.relayed_per_second), middle(&postfix.relayed_per_second));
        let checks = vec![
            Check::at_most("CPU s per 1,000 mails", middle(&chancery.cpu_seconds_per_1000), CPU.0, CPU.1),
            Check::at_least("relayed/s, as many as plain Postfix", ours, peer, peer.max(RATE_GOAL)),
        ];
        let (sessions, bytes, mails_each_round) = (args.sessions, args.bytes, args.mails);
        Self { engine, sessions, bytes, mails_each_round, chancery, postfix, postfix_opendkim, checks }
    }

    fn text(&self) -> String {
        let mut table = Table::new(["", "chancery", "postfix", "postfix + opendkim"]);
        let all = [&self.chancery, &self.postfix, &self.postfix_opendkim];
        let mut row = |name: &str, of: fn(&Relayed) -> &Vec<f64>| {
            let mut cells = vec![name.to_owned()];
            cells.extend(all.iter().map(|one| number(middle(of(one)))));
            table.row(cells);
        };
        row("accepted/s", |r| &r.accepted_per_second);
        row("relayed/s", |r| &r.relayed_per_second);
        row("acceptance p99 ms", |r| &r.p99_ms);
        row("CPU s per 1,000", |r| &r.cpu_seconds_per_1000);
        let share =
            ratio(middle(&self.chancery.relayed_per_second), middle(&self.postfix.relayed_per_second));
        format!(
            "\nMails of {} bytes, {}, {} sessions, {} in each of {} rounds; chancery seals, signs (DKIM, RSA-2048) and commits \
             before it accepts\n\n{}\nchancery relays {} times what plain Postfix does\n\n{}",
            self.bytes,
            self.engine,
            self.sessions,
            report::count(self.mails_each_round),
            self.chancery.relayed_per_second.len(),
            table.render(),
            number(share),
            report::checks(&self.checks)
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of mails stay far below 2^52")]
const fn float(value: u64) -> f64 {
    value as f64
}
