//! The run `live`: one thread with listeners at whom each message arrives, beside the same thread with nobody listening; how
//! soon it arrives; and many listeners to whom nothing happens.

mod listener;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::args::LiveArgs;
use crate::chat::load::{Prepared, Thread};
use crate::chat::setup;
use crate::error::{Error, Result};
use crate::host::{Host, Running};
use crate::idle::enough_files;
use crate::measure::Stopwatch;
use crate::measure::proc;
use crate::measure::stats::{percentile, ratio};
use crate::net::client::Endpoint;
use crate::report::{self, Check, Progress, Table, count, number};
use listener::{Heard, Listener};

/// CPU seconds of the server for 1,000 messages: required, and hoped for.
const CPU: (f64, f64) = (0.6, 0.3);
/// Messages each second.
const RATE: (f64, f64) = (500.0, 1_500.0);
/// From the sender's answer to the last listener, ms, 99 of 100, when so many are sent each second.
const DELAY_MS: f64 = 50.0;
const PACE: f64 = 500.0;
/// Memory with the idle listeners, MB (10^6 bytes), and the share of one processor they take, %.
const IDLE_MB: f64 = 1_000.0;
const IDLE_CPU: f64 = 3.0;
/// In threads of so many they are.
const IDLE_THREAD: usize = 16;
/// Handshakes at once.
const OPENING: usize = 32;
/// How long the last messages may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);
/// What follows the number in each message.
const MARK: &str = "benchlive";

/// One way of sending.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    messages: usize,
    per_second: f64,
    cpu_per_thousand: f64,
    delay_p50_ms: f64,
    delay_p99_ms: f64,
    /// Messages that were not heard exactly once by each listener.
    amiss: usize,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    engine: &'static str,
    listeners: usize,
    alone: Figures,
    alone_paced: Figures,
    heard: Figures,
    paced: Figures,
    idle_listeners: usize,
    idle_megabytes: f64,
    idle_cpu_percent: f64,
    checks: Vec<Check>,
}

/// Runs it; whether everything required was reached.
pub(crate) async fn run(args: &LiveArgs) -> Result<bool> {
    enough_files(args.idle + args.listeners, proc::open_files_limit()?)?;
    if args.listeners == 0 || args.senders == 0 || args.messages == 0 {
        return Err(Error::Usage("listeners, senders and messages must be at least 1".into()));
    }
    let host = Host::new(&args.common).await?;
    let mut server = host.fresh_server()?;
    let running = server.start().await?;
    let threads = setup::threads(&running.resource, 1, args.listeners).await?;
    let thread = threads.first().ok_or_else(|| Error::Usage("a run needs a thread".into()))?;
    let load = Load { args, running: &running, thread };

    report::note("nobody listens");
    load.send(&mut JoinSet::new(), args.messages / 10, 0.0, None).await?;
    let alone = load.send(&mut JoinSet::new(), args.messages, 0.0, None).await?;
    let few = args.messages.min(5_000);
    let alone_paced = load.send(&mut JoinSet::new(), few, PACE, None).await?;
    report::note(&format!("{} listen", args.listeners));
    let heard = load.heard(args.messages, 0.0).await?;
    let paced = load.heard(few, PACE).await?;
    let (idle_megabytes, idle_cpu_percent) = match args.idle {
        0 => (0.0, 0.0),
        many => idle(&running, many, Duration::from_secs(args.hold)).await?,
    };
    running.stop().await?;
    let mut report = Report {
        engine: host.engine.name(),
        listeners: args.listeners,
        alone,
        alone_paced,
        heard,
        paced,
        idle_listeners: args.idle,
        idle_megabytes,
        idle_cpu_percent,
        checks: Vec::new(),
    };
    report.checks = report.checks();
    if args.common.json {
        report::print_json(&report)?;
    } else {
        report::print(&report.text());
    }
    Ok(report::passed(&report.checks))
}

struct Load<'a> {
    args: &'a LiveArgs,
    running: &'a Running,
    thread: &'a Thread,
}

impl Load<'_> {
    fn endpoint(&self) -> &Endpoint {
        &self.running.resource.endpoint
    }

    /// Sends while everyone in the thread listens.
    async fn heard(&self, messages: usize, pace: f64) -> Result<Figures> {
        let heard = Heard::new(messages, MARK);
        let mut listening = JoinSet::new();
        for (number, user) in self.thread.users.iter().enumerate() {
            let listener = Listener::open(self.endpoint(), user, number as u64).await?;
            listening.spawn(listener.listen(Arc::clone(&heard)));
        }
        let mut figures = self.send(&mut listening, messages, pace, Some(&heard)).await?;
        figures.amiss = heard.amiss(messages, self.thread.users.len());
        let mut delays = heard.delays(messages);
        delays.sort_unstable();
        let at = |share| f64::from(percentile(&delays, share).unwrap_or(0)) / 1000.0;
        (figures.delay_p50_ms, figures.delay_p99_ms) = (at(0.5), at(0.99));
        Ok(figures)
    }

    /// Sends so many messages, each second so many or as fast as they are answered, and waits until they were heard.
    async fn send(
        &self,
        listening: &mut JoinSet<Result<()>>,
        messages: usize,
        pace: f64,
        heard: Option<&Arc<Heard>>,
    ) -> Result<Figures> {
        let next = Arc::new(AtomicU64::new(0));
        let (cpu, watch) = (self.running.cpu_seconds()?, Stopwatch::start());
        let begun = Instant::now();
        let mut sending = JoinSet::new();
        for sender in 0..self.args.senders {
            let user = &self.thread.users[sender % self.thread.users.len()];
            let mut prepared = Prepared::new(&self.endpoint().host, self.thread, 0, user, MARK);
            let mut connection = self.endpoint().connect().await?;
            let (next, heard) = (Arc::clone(&next), heard.map(Arc::clone));
            sending.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= messages as u64 {
                        return Ok::<_, Error>(());
                    }
                    if pace > 0.0 {
                        sleep_until(begun + Duration::from_secs_f64(float(number) / pace)).await;
                    }
                    connection.exchange(prepared.number(number)).await?.expect("send a message", 201)?;
                    heard.iter().for_each(|heard| heard.answer(number));
                }
            });
        }
        while let Some(done) = sending.join_next().await {
            done.map_err(|e| Error::Server(e.to_string()))??;
        }
        let seconds = watch.seconds();
        if let Some(heard) = heard {
            let late = Instant::now() + ARRIVAL;
            while heard.amiss(messages, self.thread.users.len()) > 0 && Instant::now() < late {
                if let Some(ended) = listening.try_join_next() {
                    ended.map_err(|e| Error::Server(e.to_string()))??;
                }
                sleep(Duration::from_millis(5)).await;
            }
        }
        let cpu = self.running.cpu_seconds()? - cpu;
        Ok(Figures {
            messages,
            per_second: ratio(float(messages as u64), seconds),
            cpu_per_thousand: ratio(cpu * 1000.0, float(messages as u64)),
            ..Figures::default()
        })
    }
}

/// Megabytes of the server with so many who listen and hear nothing, and the share of a processor that they take.
async fn idle(running: &Running, many: usize, hold: Duration) -> Result<(f64, f64)> {
    report::note(&format!("{many} listen to nothing"));
    let threads = setup::threads(&running.resource, many.div_ceil(IDLE_THREAD), IDLE_THREAD).await?;
    let users: Vec<_> = threads.iter().flat_map(|thread| &thread.users).take(many).cloned().collect();
    let heard = Heard::new(0, MARK);
    let (mut opening, mut held, mut progress) = (JoinSet::new(), JoinSet::new(), Progress::start());
    let mut waiting = users.into_iter().enumerate();
    loop {
        while opening.len() < OPENING
            && let Some((number, user)) = waiting.next()
        {
            let endpoint = running.resource.endpoint.clone();
            opening.spawn(async move { Listener::open(&endpoint, &user, number as u64).await });
        }
        let Some(opened) = opening.join_next().await else { break };
        held.spawn(opened.map_err(|e| Error::Server(e.to_string()))??.listen(Arc::clone(&heard)));
        if held.len() % 64 == 0 {
            progress.show(held.len(), many, "listeners");
        }
    }
    sleep(Duration::from_secs(2)).await;
    let (cpu, watch) = (running.cpu_seconds()?, Stopwatch::start());
    sleep(hold).await;
    let percent = ratio((running.cpu_seconds()? - cpu) * 100.0, watch.seconds());
    if let Some(ended) = held.try_join_next() {
        ended.map_err(|e| Error::Server(e.to_string()))??;
    }
    Ok((float(running.memory()?.resident) / 1e6, percent))
}

impl Report {
    fn checks(&self) -> Vec<Check> {
        let mut checks = vec![
            Check::at_most(
                "CPU seconds of the server for 1,000 messages",
                self.heard.cpu_per_thousand,
                CPU.0,
                CPU.1,
            ),
            Check::at_least("messages each second", self.heard.per_second, RATE.0, RATE.1),
            Check::within(
                "from the answer to the last listener, 99 of 100, ms",
                self.paced.delay_p99_ms,
                DELAY_MS,
            ),
            Check::within(
                "messages not heard exactly once by each",
                float((self.heard.amiss + self.paced.amiss) as u64),
                0.0,
            ),
        ];
        if self.idle_listeners > 0 {
            let named =
                |what: &str| format!("{what} with {} idle listeners", count(self.idle_listeners as u64));
            checks.push(Check::within(named("memory, MB,"), self.idle_megabytes, IDLE_MB));
            checks.push(Check::within(named("share of one processor, %,"), self.idle_cpu_percent, IDLE_CPU));
        }
        checks
    }

    fn text(&self) -> String {
        let mut table = Table::new(["", "nobody listens", "all listen", "nobody, 500/s", "all, 500/s"]);
        let all = [&self.alone, &self.heard, &self.alone_paced, &self.paced];
        let mut row = |name: &str, of: &dyn Fn(&Figures) -> String| {
            table.row([name.to_owned(), of(all[0]), of(all[1]), of(all[2]), of(all[3])]);
        };
        row("messages", &|figures| count(figures.messages as u64));
        row("each second", &|figures| number(figures.per_second));
        row("CPU s for 1,000", &|figures| number(figures.cpu_per_thousand));
        row("ratio to nobody listening", &|figures| {
            number(ratio(figures.cpu_per_thousand, self.alone.cpu_per_thousand))
        });
        row("to the last listener, ms, half of them", &|figures| number(figures.delay_p50_ms));
        row("99 of 100", &|figures| number(figures.delay_p99_ms));
        format!(
            "\nOne thread with {} listeners, {}\n\n{}\n{}",
            self.listeners,
            self.engine,
            table.render(),
            report::checks(&self.checks)
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and bytes stay far below 2^52")]
const fn float(value: u64) -> f64 {
    value as f64
}
