//! One connection over memory, on a clock that moves by itself: framing, limits, timeouts, refusals, draining.

use super::*;
use crate::net::stop::Stop;
use crate::net::toy::{LIMIT, Toy};
use base::{Limits, ManualClock, Timestamp};
use std::net::IpAddr;
use tokio::io::{AsyncReadExt, BufReader, DuplexStream};
use tokio::task::JoinHandle;

struct Line {
    client: DuplexStream,
    toy: Arc<Toy>,
    stop: Stop,
    task: JoinHandle<()>,
}

/// A connection over memory, on a clock that moves by itself when nothing else can.
#[expect(clippy::disallowed_methods, reason = "the test waits for the task it spawns")]
fn connect() -> Line {
    let (client, server) = tokio::io::duplex(4 << 10);
    let (toy, stop) = (Arc::new(Toy::new()), Stop::new());
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_795_420_800_000)));
    let shared = Shared::new(Arc::clone(&toy), clock, Timeouts::from(&Limits::default()));
    let signal = stop.signal();
    let task = tokio::spawn(async move {
        serve(
            &shared,
            BufReader::with_capacity(16 << 10, server),
            Peer::at(IpAddr::from([127, 0, 0, 1])),
            signal,
        )
        .await;
    });
    Line { client, toy, stop, task }
}

impl Line {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.client.write_all(bytes.as_ref()).await.unwrap();
    }

    /// One answer: its status, its head in lower case, its body.
    async fn answer(&mut self) -> (u16, String, Vec<u8>) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.client.read_u8().await.expect("an answer"));
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length = head
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
        let mut body = vec![0; length];
        self.client.read_exact(&mut body).await.unwrap();
        (head[9..12].parse().unwrap(), head, body)
    }

    async fn closed(&mut self) {
        assert_eq!(self.client.read(&mut [0; 1]).await.unwrap(), 0, "the server closes");
    }

    async fn refused(&mut self, status: u16, name: &str) {
        let (got, head, body) = self.answer().await;
        assert_eq!((got, String::from_utf8(body).unwrap()), (status, format!("{{\"error\":\"{name}\"}}")));
        assert!(head.contains("connection: close"), "{head}");
        assert!(head.contains("date: "), "{head}");
        self.closed().await;
    }
}

fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test(start_paused = true)]
async fn requests_follow_one_another_on_one_connection() {
    let mut line = connect();
    for n in 0..50 {
        let body = "b".repeat(n * 40);
        line.send(post("/echo", &body)).await;
        let (status, head, answer) = line.answer().await;
        assert_eq!((status, answer), (200, body.into_bytes()));
        assert!(!head.contains("connection: close"));
    }
    let two = post("/echo", "first") + &post("/echo", "second") + "GET /none HTTP/1.1\r\nHost: x\r\n\r\n";
    line.send(two).await;
    assert_eq!(line.answer().await.2, b"first");
    assert_eq!(line.answer().await.2, b"second");
    assert_eq!(line.answer().await.0, 404, "pipelined requests are answered in order");
    drop(line.client);
    line.task.await.unwrap();
    assert_eq!(line.toy.answered(), 53);
}

#[tokio::test(start_paused = true)]
async fn bytes_may_come_one_by_one() {
    let mut line = connect();
    for request in [post("/echo", "hello"), post("/echo", "again")] {
        for byte in request.bytes() {
            line.send([byte]).await;
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(line.answer().await.2, b"hello");
    assert_eq!(line.answer().await.2, b"again");
}

#[tokio::test(start_paused = true)]
async fn half_a_head_is_answered_with_408() {
    for half in ["G", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Le"] {
        let mut line = connect();
        let begun = Instant::now();
        line.send(half).await;
        line.refused(408, "HeadTimeout").await;
        assert_eq!(begun.elapsed().as_secs(), Limits::default().head_timeout_secs);
    }
    let mut line = connect();
    line.send(post("/echo", "x")).await;
    line.answer().await;
    line.send("GET / HT").await;
    line.refused(408, "HeadTimeout").await;
}

#[tokio::test(start_paused = true)]
async fn a_trickled_head_gets_no_more_time() {
    let mut line = connect();
    for byte in b"GET /aaaa" {
        line.send([*byte]).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let before = Instant::now();
    line.refused(408, "HeadTimeout").await;
    assert_eq!(before.elapsed().as_secs(), Limits::default().head_timeout_secs - 9);
}

#[tokio::test(start_paused = true)]
async fn half_a_body_is_answered_with_408() {
    let mut line = connect();
    let begun = Instant::now();
    line.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf").await;
    line.refused(408, "BodyTimeout").await;
    assert_eq!(begun.elapsed().as_secs(), Limits::default().body_timeout_secs);
    let mut line = connect();
    line.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n").await;
    line.refused(408, "BodyTimeout").await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_handler_is_answered_with_503_and_the_connection_lives() {
    let mut line = connect();
    let begun = Instant::now();
    line.send("GET /never HTTP/1.1\r\nHost: x\r\nx-ms-client-request-id: abc\r\n\r\n").await;
    let (status, head, body) = line.answer().await;
    assert_eq!((status, body.as_slice()), (503, &b"{\"error\":\"TooSlow\"}"[..]));
    assert!(head.contains("x-ms-client-request-id: abc") && !head.contains("connection: close"), "{head}");
    assert_eq!(begun.elapsed().as_secs(), Limits::default().request_timeout_secs);
    line.send(post("/echo", "alive")).await;
    assert_eq!(line.answer().await.2, b"alive");
}

#[tokio::test(start_paused = true)]
async fn a_resting_connection_is_closed_in_time() {
    let mut line = connect();
    let begun = Instant::now();
    line.closed().await;
    assert_eq!(begun.elapsed().as_secs(), Limits::default().idle_timeout_secs);
    let mut line = connect();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(Limits::default().idle_timeout_secs - 1)).await;
        line.send(post("/echo", "x")).await;
        assert_eq!(line.answer().await.0, 200, "each request starts the rest anew");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_take_its_answer_is_dropped() {
    let mut line = connect();
    line.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let begun = Instant::now();
    line.task.await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), Limits::default().body_timeout_secs);
}

#[tokio::test(start_paused = true)]
async fn panics_are_answered_and_the_connection_lives_when_it_can() {
    let mut line = connect();
    line.send("GET /panic HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(line.answer().await.0, 500);
    line.send(post("/echo", "alive")).await;
    assert_eq!(line.answer().await.2, b"alive");
    line.send(post("/route-panic", "x")).await;
    line.refused(500, "Panicked").await;
}

#[tokio::test(start_paused = true)]
async fn bodies_are_taken_up_to_the_limit() {
    let mut line = connect();
    let chunked = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = |len: usize| format!("{len:x}\r\n{}\r\n", "c".repeat(len));
    line.send(post("/echo", &"b".repeat(LIMIT))).await;
    assert_eq!(line.answer().await.2.len(), LIMIT);
    line.send(format!("{chunked}{}{}0\r\nX: y\r\n\r\n", chunk(LIMIT - 7), chunk(7))).await;
    assert_eq!(line.answer().await.2, "c".repeat(LIMIT).into_bytes());
    line.send(format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", LIMIT + 1)).await;
    line.refused(413, "BodyTooLarge").await;
    let mut line = connect();
    line.send(format!("{chunked}{}{}", chunk(LIMIT - 7), chunk(8))).await;
    line.refused(413, "BodyTooLarge").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_is_asked_for_its_body_only_when_it_is_wanted() {
    let mut line = connect();
    line.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").await;
    assert_eq!(line.answer().await.0, 100);
    line.send("ok").await;
    assert_eq!(line.answer().await.2, b"ok");
    let long = format!("Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", LIMIT + 1);
    line.send(format!("POST /echo HTTP/1.1\r\nHost: x\r\n{long}")).await;
    line.refused(413, "BodyTooLarge").await;
    let mut line = connect();
    line.send("POST /no HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").await;
    let (status, head, _) = line.answer().await;
    assert!(status == 404 && head.contains("connection: close"), "{head}");
    line.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_the_head_keeps_the_connection_when_the_body_is_short() {
    let mut line = connect();
    line.send(post("/no", "short") + &post("/echo", "next")).await;
    assert_eq!(line.answer().await.0, 404);
    assert_eq!(line.answer().await.2, b"next");
    line.send("POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n").await;
    let (status, head, _) = line.answer().await;
    assert!(status == 404 && head.contains("connection: close"), "{head}");
}

#[tokio::test(start_paused = true)]
async fn bad_heads_get_their_answer_also_behind_a_good_request() {
    let uri = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "u".repeat(base::limits::MAX_URI));
    let fields = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(base::limits::MAX_HEADERS));
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "b".repeat(MAX_HEAD));
    let both = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (bad, status, name) in [
        (uri.as_str(), 414, "UriTooLong"),
        (&fields, 431, "HeadTooLarge"),
        (&long, 431, "HeadTooLarge"),
        (both, 400, "Malformed"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "Malformed"),
        ("hello\r\n\r\n", 400, "Malformed"),
    ] {
        let mut line = connect();
        line.send(bad).await;
        line.refused(status, name).await;
        assert_eq!(line.toy.answered(), 0);
        let mut line = connect();
        line.send(post("/echo", "good") + bad).await;
        assert_eq!(line.answer().await.2, b"good");
        line.refused(status, name).await;
    }
}

#[tokio::test(start_paused = true)]
async fn broken_bodies_get_400() {
    let mut line = connect();
    line.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX").await;
    line.refused(400, "Malformed").await;
    let mut line = connect();
    line.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf").await;
    line.client.shutdown().await.unwrap();
    line.refused(400, "Malformed").await;
    let mut line = connect();
    line.send("GET / HTTP/1.1\r\nHos").await;
    line.client.shutdown().await.unwrap();
    line.refused(400, "Malformed").await;
    assert_eq!(line.toy.answered(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_once_begun_is_finished_though_its_client_has_gone() {
    let mut line = connect();
    line.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await;
    line.toy.began.acquire().await.unwrap().forget();
    drop(line.client);
    line.toy.go.add_permits(1);
    line.task.await.unwrap();
    assert_eq!(line.toy.answered(), 1);
}

#[tokio::test(start_paused = true)]
async fn draining_ends_a_connection_with_its_request_and_a_resting_one_at_once() {
    let mut resting = connect();
    resting.send(post("/echo", "x")).await;
    resting.answer().await;
    resting.stop.drain();
    resting.closed().await;
    let mut fresh = connect();
    fresh.stop.drain();
    fresh.closed().await;
    let mut busy = connect();
    busy.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await;
    busy.toy.began.acquire().await.unwrap().forget();
    busy.stop.drain();
    tokio::task::yield_now().await;
    busy.toy.go.add_permits(1);
    let (status, head, body) = busy.answer().await;
    assert_eq!((status, body.as_slice()), (200, &b"waited"[..]));
    assert!(head.contains("connection: close"), "{head}");
    busy.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_cut_answers_what_is_with_its_handler() {
    let mut line = connect();
    line.send("GET /never HTTP/1.1\r\nHost: x\r\n\r\n").await;
    line.toy.began.acquire().await.unwrap().forget();
    line.stop.drain();
    tokio::task::yield_now().await;
    line.stop.cut();
    let (status, _, body) = line.answer().await;
    assert_eq!((status, body.as_slice()), (503, &b"{\"error\":\"Overloaded\"}"[..]));
    line.closed().await;
    line.task.await.unwrap();
}
