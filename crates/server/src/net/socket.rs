//! A WebSocket (RFC 6455) on a connection that was taken over from HTTP. It carries texts; what they say is the business of
//! who took it over.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::stop::Stop;

/// The longest message that a client may send, in bytes; past it the connection ends.
pub(super) const MAX_MESSAGE: usize = 64 * 1024;
/// How much that a client does not take is held before sending waits for it.
const MAX_UNSENT: usize = 256 * 1024;
/// How long a client may take nothing of what it is sent before it is dropped.
const STALL: Duration = Duration::from_secs(20);
/// For a goodbye.
const GOODBYE: Duration = Duration::from_secs(2);
const READ_BUFFER: usize = 2 * 1024;
/// How much is gathered before it is written.
const WRITE_BUFFER: usize = 16 * 1024;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<IO: AsyncRead + AsyncWrite + Send + Unpin> Stream for IO {}

/// What is done with a connection once its request for a WebSocket was answered with 101.
pub type TakenOver = Box<dyn FnOnce(Socket) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// Lies in the extensions of an answer with 101.
#[derive(Clone)]
pub struct Takeover(Arc<Mutex<Option<TakenOver>>>);

impl Takeover {
    /// By this.
    #[must_use]
    pub fn by(taken: TakenOver) -> Self {
        Self(Arc::new(Mutex::new(Some(taken))))
    }

    pub(super) fn take(&self) -> Option<TakenOver> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Takeover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Takeover")
    }
}

/// The value of `Sec-WebSocket-Accept` for a key (RFC 6455, section 4.2.2).
#[must_use]
pub fn accept_key(key: &[u8]) -> String {
    derive_accept_key(key)
}

/// A connection that carries texts both ways.
pub struct Socket {
    stream: WebSocketStream<Box<dyn Stream>>,
    stop: Stop,
}

impl Socket {
    /// Over `io`, of which `read` was read already, until `stop`.
    pub(super) async fn over<IO>(io: IO, read: Bytes, stop: Stop) -> Self
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_write_buffer_size(MAX_UNSENT)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let io: Box<dyn Stream> = Box::new(io);
        let read = read.to_vec();
        let stream = WebSocketStream::from_partially_read(io, read, Role::Server, Some(config)).await;
        Self { stream, stop }
    }

    /// The next text; `None` when the connection has ended, or anything but a text came. Nothing is lost when it is not
    /// waited for to its end.
    pub async fn receive(&mut self) -> Option<String> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Some(text.as_str().to_owned()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Binary(_) | Message::Close(_) | Message::Frame(_)) | Err(_)) | None => {
                    return None;
                }
            }
        }
    }

    /// Sends these texts with as few writes as they need. Whether they could be sent.
    pub async fn send(&mut self, texts: Vec<String>) -> bool {
        let sending = async {
            for text in texts {
                self.stream.feed(Message::text(text)).await.ok()?;
            }
            self.stream.flush().await.ok()
        };
        matches!(timeout(STALL, sending).await, Ok(Some(())))
    }

    /// Asks whether the other side is there. Whether it could be asked.
    pub async fn ping(&mut self) -> bool {
        let ping = self.stream.send(Message::Ping(Bytes::new()));
        matches!(timeout(STALL, ping).await, Ok(Ok(())))
    }

    /// Ends it as RFC 6455 asks, as far as the other side goes along.
    pub async fn close(mut self) {
        let _ = timeout(GOODBYE, self.stream.close(None)).await;
    }

    /// Waits until the server is to stop.
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + use<> {
        let stop = self.stop.clone();
        async move { stop.begun().await }
    }

    /// Both ends of one, to test with.
    #[cfg(test)]
    pub(crate) async fn pair() -> (Self, Peer) {
        let (here, there) = tokio::io::duplex(64 * 1024);
        let peer = WebSocketStream::from_raw_socket(there, Role::Client, None).await;
        (Self::over(here, Bytes::new(), Stop::new()).await, peer)
    }
}

/// A client's end, to test with.
#[cfg(test)]
pub(crate) type Peer = WebSocketStream<tokio::io::DuplexStream>;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn texts_go_both_ways_and_anything_else_ends_it() {
        let (mut here, mut there) = Socket::pair().await;
        assert!(here.send(vec!["1::".into(), "2::".into()]).await);
        assert_eq!(there.next().await.unwrap().unwrap(), Message::text("1::"));
        assert_eq!(there.next().await.unwrap().unwrap(), Message::text("2::"));
        there.send(Message::text("ü")).await.unwrap();
        there.send(Message::Ping(Bytes::new())).await.unwrap();
        assert_eq!(here.receive().await.as_deref(), Some("ü"));
        there.send(Message::Binary(Bytes::from_static(b"x"))).await.unwrap();
        assert_eq!(here.receive().await, None);
    }

    #[tokio::test]
    async fn a_message_has_a_longest() {
        let (mut here, mut there) = Socket::pair().await;
        let text = "x".repeat(MAX_MESSAGE);
        let sending = async {
            there.send(Message::text(text.clone())).await.unwrap();
            let _ = there.send(Message::text(text.clone() + "x")).await;
        };
        let receiving = async {
            assert_eq!(here.receive().await.map(|text| text.len()), Some(MAX_MESSAGE));
            assert_eq!(here.receive().await, None, "one more is too many");
            drop(here);
        };
        tokio::join!(sending, receiving);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_dropped() {
        let (mut here, _there) = Socket::pair().await;
        let texts = vec!["x".repeat(MAX_MESSAGE); 8];
        assert!(!here.send(texts).await);
    }
}
