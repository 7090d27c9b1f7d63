//! A small service to test the sockets with: no tenants, no operations, one path for each thing a handler may do.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::StreamExt;
use http::request::Parts;
use http_body_util::Full;
use tokio::sync::Semaphore;

use super::{Feed, Peer, Refusal, Response, Service};

/// The longest body it takes.
pub(super) const LIMIT: usize = 200_000;

/// `/echo` answers with the body, `/wait` when told to go on, `/never` never, `/panic` and `/route-panic` panic, `/no` is refused
/// by its head.
pub(super) struct Toy {
    pub(super) go: Semaphore,
    pub(super) began: Semaphore,
    pub(super) answered: AtomicUsize,
}

impl Toy {
    pub(super) fn new() -> Self {
        Self { go: Semaphore::new(0), began: Semaphore::new(0), answered: AtomicUsize::new(0) }
    }

    pub(super) fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }
}

pub(super) fn response(status: u16, body: impl Into<Bytes>) -> Response {
    http::Response::builder().status(status).body(Full::new(body.into())).unwrap()
}

fn fed(pieces: impl Iterator<Item = Bytes> + Send + 'static) -> Response {
    let mut whole = response(200, "");
    whole.extensions_mut().insert(Feed::of(Box::pin(futures_util::stream::iter(pieces))));
    whole
}

impl Service for Toy {
    type Routed = String;

    fn route(&self, head: &Parts, _: &Peer) -> Result<(String, usize), Response> {
        match head.uri.path() {
            "/no" => Err(response(404, "no")),
            "/route-panic" => panic!("as asked"),
            path => Ok((path.to_owned(), LIMIT)),
        }
    }

    async fn respond(&self, routed: String, head: Parts, body: Bytes, peer: Arc<Peer>) -> Response {
        self.began.add_permits(1);
        let response = match routed.as_str() {
            "/echo" => response(200, body),
            "/peer" => response(200, format!("{} {:?} {:?}", peer.address, peer.tls, peer.entrance)),
            "/headers" => response(200, head.headers.len().to_string()),
            "/pieces" => {
                self.go.acquire().await.unwrap().forget();
                fed(["one ", "two ", "three"].into_iter().map(Bytes::from))
            }
            "/endless" => fed(std::iter::repeat(Bytes::from_static(&[b'x'; 1_000]))),
            "/silent" => {
                let mut whole = response(200, "");
                let pieces = futures_util::stream::iter([Bytes::from_static(b"one")]);
                let silent = futures_util::stream::pending();
                whole.extensions_mut().insert(Feed::of(Box::pin(pieces.chain(silent))));
                whole
            }
            "/large" => response(200, vec![b'x'; 8 << 20]),
            "/wait" => {
                self.go.acquire().await.unwrap().forget();
                response(200, "waited")
            }
            "/never" => pending().await,
            "/panic" => panic!("as asked"),
            _ => response(404, "none"),
        };
        self.answered.fetch_add(1, Ordering::SeqCst);
        response
    }

    fn refuse(&self, refusal: Refusal, head: Option<&Parts>) -> Response {
        let status = match refusal {
            Refusal::HeadTimeout | Refusal::BodyTimeout => 408,
            Refusal::BodyTooLarge => 413,
            Refusal::HeadTooLarge => 431,
            Refusal::UriTooLong => 414,
            Refusal::Malformed => 400,
            Refusal::Overloaded | Refusal::TooSlow => 503,
            Refusal::Panicked => 500,
        };
        let id = head.and_then(|head| head.headers.get("x-ms-client-request-id"));
        let mut answer = response(status, format!("{{\"error\":\"{refusal:?}\"}}"));
        if let Some(id) = id {
            answer.headers_mut().insert("x-ms-client-request-id", id.clone());
        }
        answer
    }
}
