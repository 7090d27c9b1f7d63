//! Answers without an end, over memory, on a clock that moves by itself.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base::{Limits, ManualClock, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::connection::{Shared, serve};
use super::peer::Peer;
use super::progress::Timeouts;
use super::stop::Stop;
use super::toy::Toy;

struct Line {
    client: DuplexStream,
    toy: Arc<Toy>,
    stop: Stop,
    serving: JoinSet<()>,
}

async fn ask(path: &str) -> Line {
    let (mut client, server) = tokio::io::duplex(4 << 10);
    let (toy, stop) = (Arc::new(Toy::new()), Stop::new());
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_795_420_800_000)));
    let shared = Shared::new(Arc::clone(&toy), clock, Timeouts::from(&Limits::default()));
    let signal = stop.signal();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let peer = Peer::at(IpAddr::from([127, 0, 0, 1]));
        serve(&shared, BufReader::with_capacity(16 << 10, server), peer, signal).await;
    });
    client.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    Line { client, toy, stop, serving }
}

impl Line {
    /// Reads until this has come.
    async fn until(&mut self, end: &str) -> String {
        let mut read = String::new();
        while !read.ends_with(end) {
            let byte = self.client.read_u8().await;
            read.push(char::from(byte.unwrap_or_else(|_| panic!("{end} does not come after {read}"))));
        }
        read
    }
}

#[tokio::test(start_paused = true)]
async fn pieces_come_as_they_are_made_and_the_connection_lives_on() {
    let mut line = ask("/pieces").await;
    line.toy.go.add_permits(1);
    let read = line.until("0\r\n\r\n").await;
    assert!(read.contains("transfer-encoding: chunked"), "{read}");
    for piece in ["4\r\none \r\n", "4\r\ntwo \r\n", "5\r\nthree\r\n"] {
        assert!(read.contains(piece), "{read}");
    }
    line.client.write_all(b"GET /headers HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    line.until("\r\n\r\n1").await;
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_for_the_next_piece_is_not_dropped_and_a_stop_ends_it() {
    let mut line = ask("/silent").await;
    line.until("3\r\none\r\n").await;
    tokio::time::sleep(Duration::from_hours(5)).await;
    assert!(line.serving.try_join_next().is_none(), "it is served still");
    line.stop.drain();
    line.until("0\r\n\r\n").await;
    line.serving.join_next().await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_dropped_in_the_time_of_one_answer() {
    let mut line = ask("/endless").await;
    let begun = Instant::now();
    let body = Timeouts::from(&Limits::default()).body;
    // As long as some is taken now and then it goes on.
    for _ in 0..4 {
        tokio::time::sleep(body / 2).await;
        line.client.read_exact(&mut [0; 100_000]).await.unwrap();
        assert!(line.serving.try_join_next().is_none());
    }
    assert!(begun.elapsed() >= 2 * body);
    let stalled = Instant::now();
    line.serving.join_next().await.unwrap().unwrap();
    assert!(stalled.elapsed() <= body + Duration::from_secs(1), "{:?}", stalled.elapsed());
}
