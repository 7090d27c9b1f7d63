//! The measured loop: senders, each with its own kept-alive connection and requests built beforehand, each waiting for
//! its answer before the next. The same loop drives the server and the bare endpoint, so that the two can be compared.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::error::{Error, Result};
use crate::measure::{Latencies, Stopwatch, Summary};
use crate::net::api::{User, created_message, messages};
use crate::net::client::{Connection, Endpoint};
use crate::net::request::{Method, STAMP, build, stamp};

/// Handshakes at once while senders connect.
const CONNECTING: usize = 32;

/// A thread and those who write to it.
#[derive(Clone, Debug)]
pub(crate) struct Thread {
    /// `19:...@thread.v2`
    pub(crate) id: String,
    /// Its participants; the first one created it.
    pub(crate) users: Vec<User>,
}

/// A request whose content gets a new number each time it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    bytes: Vec<u8>,
    content_at: usize,
    trace_at: usize,
    thread: u32,
}

/// Where the number goes until it is known.
const BLANK: &str = "0000000000000000";

impl Prepared {
    /// Sends a message to `thread`, the one of number `number`, whose content is a number and then `filler`.
    pub(crate) fn new(host: &str, thread: &Thread, number: u32, by: &User, filler: &str) -> Self {
        let body = format!("{{\"content\":\"{BLANK}{filler}\",\"type\":\"text\"}}");
        let trace = format!("bench-{BLANK}");
        let headers = [("authorization", by.bearer.as_str()), ("x-ms-client-request-id", trace.as_str())];
        let bytes = build(Method::Post, &messages(&thread.id), host, &headers, body.as_bytes());
        let content_at = bytes.len() - body.len() + "{\"content\":\"".len();
        let name = b"x-ms-client-request-id: bench-";
        let trace_at =
            bytes.windows(name.len()).position(|w| w == name).map_or(content_at, |at| at + name.len());
        Self { bytes, content_at, trace_at, thread: number }
    }

    /// The request whose content has this number.
    pub(crate) fn number(&mut self, number: u64) -> &[u8] {
        stamp(&mut self.bytes, self.content_at, number);
        stamp(&mut self.bytes, self.trace_at, number);
        &self.bytes
    }
}

/// The content that the message of `number` has.
pub(crate) fn content(number: u64, filler: &str) -> String {
    format!("{number:0STAMP$x}{filler}")
}

/// One connection and what it sends, in turn.
#[derive(Debug)]
pub(crate) struct Sender {
    connection: Connection,
    requests: Vec<Prepared>,
    turn: usize,
}

/// A message the server answered with 201.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    /// The number of its thread.
    pub(crate) thread: u32,
    /// Its id.
    pub(crate) id: u64,
    /// The number in its content.
    pub(crate) number: u64,
}

/// What senders do, and for how long.
#[derive(Debug)]
pub(crate) struct Work {
    /// Where the next message's number comes from.
    pub(crate) numbers: Arc<AtomicU64>,
    /// Messages still to be sent by all of them.
    pub(crate) left: AtomicU64,
    /// The longest it may take.
    pub(crate) limit: Duration,
    /// The status that acknowledges.
    pub(crate) status: u16,
    /// Whether the answer names the message.
    pub(crate) named: bool,
}

impl Work {
    fn take(&self) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// From the first request to the last answer.
    pub(crate) seconds: f64,
    /// Of each message.
    pub(crate) summary: Summary,
    /// The messages, when the answers name them.
    pub(crate) acknowledged: Vec<Acknowledged>,
}

impl Round {
    /// Messages acknowledged each second.
    #[expect(clippy::cast_precision_loss, reason = "counts of messages stay far below 2^52")]
    pub(crate) fn per_second(&self) -> f64 {
        crate::measure::stats::ratio(self.summary.count as f64, self.seconds)
    }
}

/// Which threads the sender `number` of `senders` writes to, and as which participant: every thread is written to, by
/// both of its participants as soon as there are enough senders or turns.
pub(crate) fn shares(number: usize, senders: usize, threads: usize) -> Vec<(usize, usize)> {
    if threads == 0 || senders == 0 {
        return Vec::new();
    }
    let first = number % threads;
    let lap = number / threads;
    (first..threads).step_by(senders.max(1)).enumerate().map(|(turn, thread)| (thread, lap + turn)).collect()
}

/// Connects `count` senders that write to `threads`.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    count: usize,
    threads: &[Thread],
    filler: &str,
) -> Result<Vec<Sender>> {
    let mut waiting: Vec<Vec<Prepared>> = (0..count)
        .map(|sender| {
            let prepare = |(at, user): (usize, usize)| {
                let thread = &threads[at];
                let by = &thread.users[user % thread.users.len()];
                Prepared::new(&endpoint.host, thread, u32::try_from(at).unwrap_or(u32::MAX), by, filler)
            };
            shares(sender, count, threads.len()).into_iter().map(prepare).collect()
        })
        .collect();
    let (mut senders, mut connecting) = (Vec::with_capacity(count), JoinSet::new());
    loop {
        while connecting.len() < CONNECTING
            && let Some(requests) = waiting.pop()
        {
            let endpoint = endpoint.clone();
            connecting.spawn(async move {
                let connection = endpoint.connect().await?;
                Ok::<_, Error>(Sender { connection, requests, turn: 0 })
            });
        }
        match connecting.join_next().await {
            None => return Ok(senders),
            Some(sender) => senders.push(sender.map_err(|e| Error::Server(e.to_string()))??),
        }
    }
}

/// Lets all senders work at once until the work is done.
pub(crate) async fn run(senders: Vec<Sender>, work: Work) -> Result<(Vec<Sender>, Round)> {
    let (work, count) = (Arc::new(work), senders.len());
    let expected = usize::try_from(work.left.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
    let room = (expected / count.max(1)).saturating_add(64).min(1 << 20);
    let mut tasks = JoinSet::new();
    let watch = Stopwatch::start();
    for sender in senders {
        tasks.spawn(sender.work(Arc::clone(&work), watch, room));
    }
    let (mut senders, mut all, mut round) =
        (Vec::with_capacity(count), Latencies::default(), Round::default());
    while let Some(done) = tasks.join_next().await {
        let (sender, latencies, acknowledged) = done.map_err(|e| Error::Server(e.to_string()))??;
        senders.push(sender);
        all.merge(latencies);
        round.acknowledged.extend(acknowledged);
    }
    round.seconds = watch.seconds();
    round.summary = all.summary();
    Ok((senders, round))
}

impl Sender {
    async fn work(
        mut self,
        work: Arc<Work>,
        begun: Stopwatch,
        room: usize,
    ) -> Result<(Self, Latencies, Vec<Acknowledged>)> {
        let mut latencies = Latencies::with_capacity(room);
        let mut acknowledged = Vec::with_capacity(if work.named { room } else { 0 });
        while begun.elapsed() < work.limit && work.take() {
            let at = self.turn % self.requests.len();
            self.turn += 1;
            let number = work.numbers.fetch_add(1, Ordering::Relaxed);
            let request = &mut self.requests[at];
            let thread = request.thread;
            let watch = Stopwatch::start();
            let answer = self.connection.exchange(request.number(number)).await?;
            latencies.push(watch.micros());
            let body = answer.expect("send a message", work.status)?;
            if work.named {
                let lacking = Error::Answer { doing: "send a message", missing: "a numeric id" };
                acknowledged.push(Acknowledged { thread, id: created_message(body).ok_or(lacking)?, number });
            }
        }
        Ok((self, latencies, acknowledged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn thread() -> (Thread, User) {
        let user = User { id: "8:acs:u".into(), bearer: "Bearer t".into() };
        (Thread { id: "19:x@thread.v2".into(), users: vec![user.clone()] }, user)
    }

    #[test]
    fn a_prepared_request_carries_its_number_twice() {
        let (thread, user) = thread();
        let mut prepared = Prepared::new("localhost:1", &thread, 7, &user, "-rest");
        let first = String::from_utf8(prepared.number(0xabc).to_vec()).unwrap();
        assert!(first.contains("x-ms-client-request-id: bench-0000000000000abc\r\n"), "{first}");
        assert!(first.ends_with("{\"content\":\"0000000000000abc-rest\",\"type\":\"text\"}"), "{first}");
        let second = String::from_utf8(prepared.number(u64::MAX).to_vec()).unwrap();
        assert_eq!(first.replace("0000000000000abc", "ffffffffffffffff"), second);
        assert!(
            second
                .ends_with(&format!("{{\"content\":\"{}\",\"type\":\"text\"}}", content(u64::MAX, "-rest")))
        );
    }

    #[test]
    fn every_thread_is_written_to_whatever_the_numbers() {
        for (senders, threads) in [(64, 256), (256, 256), (1024, 256), (3, 10), (10, 3), (1, 1)] {
            let all: Vec<_> = (0..senders).flat_map(|s| shares(s, senders, threads)).collect();
            let written: BTreeSet<_> = all.iter().map(|(thread, _)| *thread).collect();
            assert_eq!(written.len(), threads, "{senders} senders, {threads} threads");
            assert!((0..senders).all(|s| !shares(s, senders, threads).is_empty()));
            assert_eq!(all.len(), senders.max(threads), "no thread is favoured");
        }
        assert!(shares(0, 4, 0).is_empty());
    }

    #[test]
    fn work_is_taken_once() {
        let work = Work {
            numbers: Arc::default(),
            left: AtomicU64::new(2),
            limit: Duration::MAX,
            status: 200,
            named: false,
        };
        assert!(work.take() && work.take());
        assert!(!work.take() && !work.take(), "and it does not wrap around");
    }
}
