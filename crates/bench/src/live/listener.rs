//! A client of the push protocol as the vendor's browser SDK is one: it answers each push, pings after it and every 40 s, and
//! acknowledges nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::error::{Error, Result};
use crate::measure::Stopwatch;
use crate::net::api::User;
use crate::net::client::Endpoint;
use crate::net::request::{Method, build};

/// How often it pings without a reason.
const PING: Duration = Duration::from_secs(40);
const DOING: &str = "listen";

/// What all listeners of a round heard, by the numbers of the messages.
#[derive(Debug)]
pub(crate) struct Heard {
    begun: Stopwatch,
    mark: Vec<u8>,
    /// Microseconds after the beginning: of the sender's answer, and of the last listener's receipt.
    answered: Vec<AtomicU64>,
    last: Vec<AtomicU64>,
    times: Vec<AtomicU8>,
}

impl Heard {
    /// Of so many messages, whose number stands in front of `mark`.
    pub(crate) fn new(messages: usize, mark: &str) -> Arc<Self> {
        Arc::new(Self {
            begun: Stopwatch::start(),
            mark: mark.as_bytes().to_vec(),
            answered: (0..messages).map(|_| AtomicU64::new(0)).collect(),
            last: (0..messages).map(|_| AtomicU64::new(0)).collect(),
            times: (0..messages).map(|_| AtomicU8::new(0)).collect(),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The sender of a message has its answer.
    pub(crate) fn answer(&self, number: u64) {
        if let Some(at) = self.at(number) {
            self.answered[at].store(self.now(), Ordering::Relaxed);
        }
    }

    fn at(&self, number: u64) -> Option<usize> {
        usize::try_from(number).ok().filter(|at| *at < self.times.len())
    }

    fn hear(&self, push: &[u8]) {
        let found = push.windows(self.mark.len()).position(|part| part == self.mark);
        let digits = found.and_then(|at| push.get(at.checked_sub(16)?..at));
        let number =
            digits.and_then(|digits| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        if let Some(at) = number.and_then(|number| self.at(number)) {
            self.last[at].fetch_max(self.now(), Ordering::Relaxed);
            self.times[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many of the first `sent` messages were not heard by exactly `listeners`.
    pub(crate) fn amiss(&self, sent: usize, listeners: usize) -> usize {
        let heard = self.times.iter().take(sent).map(|times| usize::from(times.load(Ordering::Relaxed)));
        heard.filter(|times| *times != listeners).count()
    }

    /// For each of the first `sent` messages, how long after its sender's answer the last listener had it, in microseconds.
    pub(crate) fn delays(&self, sent: usize) -> Vec<u32> {
        let pairs = self.answered.iter().zip(&self.last).take(sent);
        let delay = |(answered, last): (&AtomicU64, &AtomicU64)| {
            let late = last.load(Ordering::Relaxed).saturating_sub(answered.load(Ordering::Relaxed));
            u32::try_from(late).unwrap_or(u32::MAX)
        };
        pairs.map(delay).collect()
    }
}

/// One that is connected.
pub(crate) struct Listener {
    stream: WebSocketStream<TlsStream<TcpStream>>,
    pings: u64,
    owes_ack: bool,
}

impl Listener {
    /// Does the handshake for `user` and opens its socket.
    pub(crate) async fn open(endpoint: &Endpoint, user: &User, endpoint_id: u64) -> Result<Self> {
        let mut connection = endpoint.connect().await?;
        let token = user.bearer.trim_start_matches("Bearer ");
        let path = format!("/socket.io/1/?v=v4&timeout=40&auth=true&epid=bench-{endpoint_id}");
        let request = build(Method::Get, &path, &endpoint.host, &[("x-skypetoken", token)], b"");
        let answer = connection.exchange(&request).await?.expect("shake hands to listen", 200)?;
        let session = answer.split(|b| *b == b':').next().unwrap_or_default();
        let session = String::from_utf8_lossy(session).into_owned();
        let path = format!("/socket.io/1/websocket/{session}");
        let upgrade = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let request = build(Method::Get, &path, &endpoint.host, &upgrade, b"");
        let stream = connection.switch(&request).await?;
        let config = WebSocketConfig::default().read_buffer_size(4 * 1024).write_buffer_size(4 * 1024);
        let stream = WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await;
        let mut this = Self { stream, pings: 0, owes_ack: false };
        this.until("5:").await?;
        Ok(this)
    }

    /// Waits for a frame that begins so.
    async fn until(&mut self, beginning: &str) -> Result<()> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) if text.starts_with(beginning) => return Ok(()),
                Some(Ok(_)) => {}
                _ => return Err(Error::Answer { doing: DOING, missing: "the beginning" }),
            }
        }
    }

    /// Listens until it is dropped or the connection ends.
    pub(crate) async fn listen(mut self, heard: Arc<Heard>) -> Result<()> {
        let mut ping = Instant::now() + PING;
        loop {
            let next = tokio::select! {
                next = self.stream.next() => next,
                () = sleep_until(ping) => {
                    ping = Instant::now() + PING;
                    self.ping().await?;
                    self.flush().await?;
                    continue;
                }
            };
            let Some(Ok(message)) = next else {
                return Err(Error::Answer { doing: DOING, missing: "the rest of the stream" });
            };
            let Message::Text(text) = message else { continue };
            if text.starts_with("6:::") {
                self.owes_ack = false;
            } else if let Some(push) = text.strip_prefix("3:::") {
                heard.hear(push.as_bytes());
                let id = push
                    .split("\"id\":")
                    .nth(1)
                    .and_then(|rest| rest.split([',', '}']).next())
                    .unwrap_or("0");
                let outcome = format!("3:::{{\"id\":{id},\"status\":200,\"headers\":{{}},\"body\":\"\"}}");
                self.say(outcome).await?;
                if !self.owes_ack {
                    self.owes_ack = true;
                    self.ping().await?;
                }
                self.flush().await?;
            }
        }
    }

    async fn ping(&mut self) -> Result<()> {
        self.pings += 1;
        self.say(format!("5:{}+::{{\"name\":\"ping\"}}", self.pings)).await
    }

    async fn say(&mut self, text: String) -> Result<()> {
        let said = self.stream.feed(Message::text(text)).await;
        said.map_err(|_| Error::Answer { doing: DOING, missing: "an open stream" })
    }

    async fn flush(&mut self) -> Result<()> {
        let sent = self.stream.flush().await;
        sent.map_err(|_| Error::Answer { doing: DOING, missing: "an open stream" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_is_counted_by_its_number() {
        let heard = Heard::new(2, "-mark");
        heard.answer(1);
        for _ in 0..3 {
            heard.hear(br#"{"id":5,"body":"{\"messageBody\":\"0000000000000001-mark rest\"}"}"#);
        }
        heard.hear(b"0000000000000009-mark");
        heard.hear(b"01-mark");
        heard.hear(b"nothing");
        assert_eq!((heard.amiss(2, 3), heard.amiss(1, 0)), (1, 0));
        assert_eq!(heard.delays(2).len(), 2);
    }
}
