//! The run `read`: pages of 200 messages from a thread of 200 and from a long one. The cost of a page must not depend on
//! what else the thread holds.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use base::{Clock, Rng, SeededRng, SystemClock};
use serde::Serialize;

use crate::args::ReadArgs;
use crate::chat::load::{self, Thread, Work};
use crate::chat::setup;
use crate::error::{Error, Result};
use crate::host::{Host, Running};
use crate::measure::stats::ratio;
use crate::measure::{Latencies, Stopwatch, Summary, median};
use crate::net::api::{MessageItem, PAGE, Page, Session, User, following, messages};
use crate::net::request::{Method, segment};
use crate::report::{self, Check, Progress, Table, count, number};

/// How many times longer a page of the long thread may take, required; no other figure is hoped for.
const TIMES: f64 = 1.5;
/// How long the server rests between filling and reading.
const SETTLE: Duration = Duration::from_secs(2);
/// Senders that fill a thread together.
const FILLERS: usize = 64;
/// Participants of each thread.
const PARTICIPANTS: usize = 8;
/// The shortest thread that can be called long: its half, its middle and its end are different pages.
const LONG: u64 = 2_000;

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
    if args.messages < LONG || args.pages == 0 {
        return Err(Error::Usage(format!("--messages must be at least {LONG}, --pages at least 1")));
    }
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
    // The store may still be tidying up after the filling.
    tokio::time::sleep(SETTLE).await;
    let dice = SeededRng::new(host.seed);
    let (mut kinds, before, mut progress) = (Vec::new(), running.cpu_seconds()?, Progress::start());
    for (done, (name, short, long)) in pairs.into_iter().enumerate() {
        progress.show(done, 3, name);
        kinds.push(compare(&mut session, name, [&short, &long], args.pages, &dice).await?);
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

/// Reads both pages, the short thread's first in `links`, `times` times, after looking once that they are what is meant.
async fn compare(
    session: &mut Session,
    name: &'static str,
    links: [&Link; 2],
    times: usize,
    dice: &SeededRng,
) -> Result<Kind> {
    for link in links {
        let page: Page<MessageItem> = session.get(name, &link.by, &link.target).await?;
        if page.value.len() != PAGE {
            return Err(Error::Answer { doing: name, missing: "200 messages in the page" });
        }
    }
    let mut pairs = Vec::with_capacity(times);
    for _ in 0..times {
        // By chance which comes first: a strict turn could fall in step with something else on the machine.
        let first = usize::from(dice.below(2) == 0);
        let mut micros = [0; 2];
        for at in [first, 1 - first] {
            let watch = Stopwatch::start();
            let answer = session.ask(Method::Get, &links[at].target, &links[at].by, None).await?;
            answer.expect(name, 200)?;
            micros[at] = watch.micros();
        }
        pairs.push(micros);
    }
    Ok(Kind::of(name, &pairs))
}

impl Kind {
    /// Of pages read in pairs, the short thread's and the long thread's, in microseconds. How many times longer is the
    /// median over the pairs: two pages read one after the other meet the same neighbours, so a busy machine moves it
    /// less than it moves the quotient of two medians.
    fn of(name: &'static str, pairs: &[[u32; 2]]) -> Self {
        let (mut short, mut long) = (Latencies::default(), Latencies::default());
        for [of_short, of_long] in pairs {
            short.push(*of_short);
            long.push(*of_long);
        }
        let times = median(pairs.iter().map(|[short, long]| ratio(f64::from(*long), f64::from(*short))));
        Self { name, short: short.summary(), long: long.summary(), times: times.unwrap_or(f64::NAN) }
    }
}

fn check(kind: &Kind) -> Check {
    Check::within(format!("{}, long to short", kind.name), kind.times, TIMES)
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

    fn kind(short_ms: u32, long_ms: u32) -> Kind {
        Kind::of("first page", &[[short_ms * 1000, long_ms * 1000]; 3])
    }

    #[test]
    fn a_page_of_the_long_thread_may_take_half_as_long_again() {
        assert_eq!(check(&kind(20, 30)).verdict, Verdict::Pass);
        assert_eq!(check(&kind(20, 31)).verdict, Verdict::Fail);
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
            kinds: vec![kind(20, 25)],
            checks: vec![check(&kind(20, 25))],
        };
        let text = text(&report);
        for part in ["100,000", "first page", "1.25", "5,000 messages/s"] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }

    #[test]
    fn a_neighbour_that_disturbs_whole_pairs_changes_nothing() {
        // Disturbed pairs take four times as long; by two medians the long thread would look four times as slow.
        let pairs = [[1000, 1000], [1000, 1000], [1000, 4000], [4000, 4000], [4000, 4000]];
        let kind = Kind::of("first page", &pairs);
        assert!((kind.long.p50_ms / kind.short.p50_ms - 4.0).abs() < 1e-9, "{kind:?}");
        assert!((kind.times - 1.0).abs() < 1e-9, "{kind:?}");
        assert_eq!(check(&Kind::of("none", &[])).verdict, Verdict::Fail, "no page, no pass");
    }
}
