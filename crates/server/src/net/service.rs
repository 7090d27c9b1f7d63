//! What the sockets need of the stack above them: three questions, asked once per request. It knows neither
//! operations nor tenants, and nothing above it ever sees a socket.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http_body_util::Full;

use super::Peer;

/// An answer. One that comes in pieces has a [`super::Feed`] among its extensions, and an empty body here.
pub type Response = http::Response<Full<Bytes>>;

/// Why a request is answered by the sockets' side and never reaches its handler, or leaves it early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The head did not arrive in time: 408.
    HeadTimeout,
    /// The body did not arrive in time: 408.
    BodyTimeout,
    /// The body is longer than its operation takes: 413.
    BodyTooLarge,
    /// The head is longer, or has more fields, than any request may: 431.
    HeadTooLarge,
    /// The request target is longer than any may be: 414.
    UriTooLong,
    /// Not a request by RFC 9112, or one whose end is ambiguous: 400.
    Malformed,
    /// The server is stopping and can wait for this request no longer: 503.
    Overloaded,
    /// The handler took longer than a request may: 503.
    TooSlow,
    /// The handler panicked: 500.
    Panicked,
}

/// The stack above the sockets.
pub trait Service: Send + Sync + 'static {
    /// What [`Service::route`] learned and [`Service::respond`] needs.
    type Routed: Send;

    /// Looks at a head before any of its body is read: what it is for, and how many bytes its body may have.
    /// Must not block.
    ///
    /// # Errors
    /// The answer, when the request is refused for its head alone.
    #[expect(clippy::result_large_err, reason = "the refusal is an answer, moved once and not propagated")]
    fn route(&self, head: &Parts, peer: &Peer) -> Result<(Self::Routed, usize), Response>;

    /// Answers a request whose body is here whole. Runs to its end even when the client has gone, unless the time
    /// for a request ([`base::Limits::request_timeout_secs`]) runs out: then it is dropped where it waits.
    fn respond(
        &self,
        routed: Self::Routed,
        head: Parts,
        body: Bytes,
        peer: Arc<Peer>,
    ) -> impl Future<Output = Response> + Send;

    /// The answer in the product's form to a request that broke a rule of the transport. `head` is missing when
    /// the head itself was the fault.
    fn refuse(&self, refusal: Refusal, head: Option<&Parts>) -> Response;
}
