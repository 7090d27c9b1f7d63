//! The run `read`: pages of 200 messages from a thread of 200 and from a long one. The cost of a page must not depend on
//! what else the thread holds.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use base::{Clock, SystemClock};
use serde::Serialize;

use crate::args::ReadArgs;
use crate::chat::load::{self, Thread, Work};
use crate::chat::setup;
use crate::error::{Error, Result};
use crate::host::{Host, Running};
use crate::measure::stats::ratio;
use crate::measure::{Latencies, Stopwatch, Summary};
use crate::net::api::{MessageItem, PAGE, Page, Session, User, following, messages};
use crate::net::request::{Method, segment};
use crate::report::{self, Check, Progress, Table, count, number};

/// How many times longer a page of the long thread may take, required; no other figure is hoped for.
const TIMES: f64 = 1.5;
/// Senders that fill a thread together.
const FILLERS: usize = 64;
/// Participants of the long thread.
const PARTICIPANTS: usize = 8;

/// One kind of page, from the short and from the long thread.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    name: &'static str,
    short: Summary,
    long: Summary,
    times: f64,
}

/// The result of the run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    engine: &'static str,
    seed: u64,
    long_thread: u64,
    fill_per_second: f64,
    pages: usize,
    cpu_seconds_per_1000_pages: f64,
    kinds: Vec<Kind>,
    checks: Vec<Check>,
}

/// A request for one page.
#[derive(Clone, Debug)]
struct Link {
    target: String,
    by: User,
}

/// Runs it; whether everything required was reached.
pub(crate) async fn run(args: &ReadArgs) -> Result<bool> {
    let host = Host::new(&args.common).await?;
    let mut server = host.fresh_server()?;
    let running = server.start().await?;
    let [short, long] = threads(&running).await?;
    let filler = setup::filler(host.seed);
    fill(&running, &short, PAGE as u64, &filler).await?;
    let since_short = SystemClock.now();
    let watch = Stopwatch::start();
    fill(&running, &long, args.messages / 2, &filler).await?;
    let since_long = SystemClock.now();
    fill(&running, &long, args.messages - args.messages / 2, &filler).await?;
    let fill_per_second = ratio(float(args.messages), watch.seconds());

    let mut session = Session::open(&running.resource.endpoint).await?;
    let first = |thread: &Thread, more: &str| Link {
        target: format!("{}&maxPageSize={PAGE}{more}", messages(&thread.id)),
        by: thread.users[0].clone(),
    };
    let since = |at: base::Timestamp| format!("&startTime={}", segment(&at.to_iso()));
    let long_since = since_long.minus(Duration::from_millis(1));
    // All of the short thread is later than an hour before it was filled.
    let short_since = since_short.minus(Duration::from_secs(3600));
    let middle = middle(&mut session, first(&long, "")).await?;
    let pairs = [
        ("first page", first(&short, ""), first(&long, "")),
        ("middle page", first(&short, ""), middle),
        ("page with startTime", first(&short, &since(short_since)), first(&long, &since(long_since))),
    ];
    let (mut kinds, before, mut progress) = (Vec::new(), running.cpu_seconds()?, Progress::start());
    for (done, (name, short, long)) in pairs.into_iter().enumerate() {
        progress.show(done, 3, name);
        kinds.push(compare(&mut session, name, &short, &long, args.pages).await?);
    }
    drop(progress);
    let cpu = running.cpu_seconds()? - before;
    let pages = kinds.len() * args.pages * 2;
    running.stop().await?;
    let report = Report {
        engine: host.engine.name(),
        seed: host.seed,
        long_thread: args.messages,
        fill_per_second,
        pages: args.pages,
        cpu_seconds_per_1000_pages: ratio(1000.0 * cpu, float(pages as u64)),
        checks: kinds.iter().map(check).collect(),
        kinds,
    };
    if args.common.json {
        report::print_json(&report)?;
    } else {
        report::print(&text(&report));
    }
    Ok(report::passed(&report.checks))
}

async fn threads(running: &Running) -> Result<[Thread; 2]> {
    let mut made = setup::threads(&running.resource, 2, PARTICIPANTS).await?.into_iter();
    match (made.next(), made.next()) {
        (Some(short), Some(long)) => Ok([short, long]),
        _ => Err(Error::Answer { doing: "make two threads", missing: "a thread" }),
    }
}

/// Sends `count` messages to one thread from many senders at once.
async fn fill(running: &Running, thread: &Thread, count: u64, filler: &str) -> Result<()> {
    let threads = [thread.clone()];
    let senders = load::connect(&running.resource.endpoint, FILLERS, &threads, filler).await?;
    let work = Work {
        numbers: Arc::default(),
        left: AtomicU64::new(count),
        limit: Duration::from_secs(3600),
        status: 201,
        named: false,
    };
    load::run(senders, work).await.map(|_| ())
}

/// Follows the links to the page in the middle of a thread.
async fn middle(session: &mut Session, first: Link) -> Result<Link> {
    let doing = "follow the pages of a thread";
    let (mut targets, mut next) = (Vec::new(), Some(first.target));
    while let Some(target) = next {
        let page: Page<MessageItem> = session.get(doing, &first.by, &target).await?;
        next = following(page.next_link.as_deref(), doing)?;
        if page.value.len() == PAGE {
            targets.push(target);
        }
    }
    let target = targets.get(targets.len() / 2).cloned();
    let target = target.ok_or(Error::Answer { doing, missing: "a full page" })?;
    Ok(Link { target, by: first.by })
}

/// Reads both pages in turn, `times` times, after looking once that they are what is meant.
async fn compare(
    session: &mut Session,
    name: &'static str,
    short: &Link,
    long: &Link,
    times: usize,
) -> Result<Kind> {
    for link in [short, long] {
        let page: Page<MessageItem> = session.get(name, &link.by, &link.target).await?;
        if page.value.len() != PAGE {
            return Err(Error::Answer { doing: name, missing: "200 messages in the page" });
        }
    }
    let (mut of_short, mut of_long) = (Latencies::with_capacity(times), Latencies::with_capacity(times));
    for _ in 0..times {
        for (link, latencies) in [(short, &mut of_short), (long, &mut of_long)] {
            let watch = Stopwatch::start();
            session.ask(Method::Get, &link.target, &link.by, None).await?.expect(name, 200)?;
            latencies.push(watch.micros());
        }
    }
    let (short, long) = (of_short.summary(), of_long.summary());
    Ok(Kind { name, short, long, times: ratio(long.p50_ms, short.p50_ms) })
}

fn check(kind: &Kind) -> Check {
    Check::at_most(format!("{}, long to short", kind.name), kind.times, TIMES, TIMES)
}

fn text(report: &Report) -> String {
    let mut table = Table::new(["", "short p50 ms", "short p99 ms", "long p50 ms", "long p99 ms", "times"]);
    for kind in &report.kinds {
        let figures = [kind.short.p50_ms, kind.short.p99_ms, kind.long.p50_ms, kind.long.p99_ms, kind.times];
        table.row(std::iter::once(kind.name.to_owned()).chain(figures.map(number)));
    }
    format!(
        "\nReading pages of 200 messages, {}, from a thread of 200 and one of {}, {} pages of each kind\n\n{}\n\
         filling the long thread: {} messages/s; server CPU for 1,000 pages: {} s\n\n{}",
        report.engine,
        count(report.long_thread),
        report.pages,
        table.render(),
        number(report.fill_per_second),
        number(report.cpu_seconds_per_1000_pages),
        report::checks(&report.checks)
    )
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
const fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    fn kind(short_ms: f64, long_ms: f64) -> Kind {
        let summary = |p50_ms| Summary { count: 1, p50_ms, p99_ms: p50_ms, max_ms: p50_ms };
        Kind {
            name: "first page",
            short: summary(short_ms),
            long: summary(long_ms),
            times: ratio(long_ms, short_ms),
        }
    }

    #[test]
    fn a_page_of_the_long_thread_may_take_half_as_long_again() {
        assert_eq!(check(&kind(2.0, 3.0)).verdict, Verdict::Goal);
        assert_eq!(check(&kind(2.0, 3.1)).verdict, Verdict::Fail);
    }

    #[test]
    fn the_text_names_both_threads() {
        let report = Report {
            engine: "sqlite",
            seed: 1,
            long_thread: 100_000,
            fill_per_second: 5000.0,
            pages: 10,
            cpu_seconds_per_1000_pages: 1.5,
            kinds: vec![kind(2.0, 2.5)],
            checks: vec![check(&kind(2.0, 2.5))],
        };
        let text = text(&report);
        for part in ["100,000", "first page", "1.25", "5,000 messages/s"] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }
}
