//! One request and its answer: route by the head, read the body within its limit and time, hand both to the service,
//! and answer whatever happens, a panic included. It knows no sockets.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, EXPECT, HeaderName, HeaderValue};
use http::request::Parts;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Incoming};

use super::feed::{Feed, Feeding};
use super::peer::Peer;
use super::progress::{Phase, Progress};
use super::socket::Takeover;
use super::stop::Stop;
use super::{Refusal, Response, Service};

/// Bodies up to this length of requests refused by their head are read away, so that the connection lives on.
const READ_AWAY: u64 = 64 * 1024;
/// What a client asks to find again in every answer; kept for the answers that are given without the head.
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");

/// One connection's side of the service.
pub(super) struct Exchange<S> {
    pub(super) service: Arc<S>,
    pub(super) progress: Arc<Progress>,
    pub(super) peer: Arc<Peer>,
    pub(super) stop: Stop,
}

/// What is sent: an answer that is there whole, or one that comes in pieces.
pub(super) type Sent = http::Response<Either<Full<Bytes>, Feeding>>;

impl<S: Service> hyper::service::Service<http::Request<Incoming>> for Exchange<S> {
    type Response = Sent;
    type Error = Infallible;
    // Boxed, so that a connection at rest does not hold the memory of its largest request.
    type Future = Pin<Box<dyn Future<Output = Result<Sent, Infallible>> + Send>>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        let (service, progress, peer) =
            (Arc::clone(&self.service), Arc::clone(&self.progress), Arc::clone(&self.peer));
        let stop = self.stop.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let mut response = answer(&*service, &progress, head, body, peer).await;
            if let Some(takeover) = response.extensions_mut().remove::<Takeover>() {
                progress.hand_over(takeover);
            }
            progress.enter(Phase::Writing);
            let feed = response.extensions_mut().remove::<Feed>().and_then(|feed| feed.take());
            Ok(response.map(|whole| match feed {
                None => Either::Left(whole),
                Some(pieces) => Either::Right(Feeding::new(pieces, progress, stop)),
            }))
        })
    }
}

#[expect(clippy::result_large_err, reason = "the refusal is an answer, moved once and not propagated")]
async fn answer<S: Service>(
    service: &S,
    progress: &Progress,
    head: Parts,
    mut body: Incoming,
    peer: Arc<Peer>,
) -> Response {
    if !body.is_end_stream() {
        progress.enter(Phase::Body);
    }
    let routed = catch_unwind(AssertUnwindSafe(|| service.route(&head, &peer)));
    let (routed, limit) = match routed {
        Ok(Ok(found)) => found,
        Ok(Err(refused)) => return refuse_unread(progress, refused, &head, body).await,
        Err(_) => return closing(progress, service.refuse(Refusal::Panicked, Some(&head))),
    };
    let content = match read(progress, &mut body, limit).await {
        Ok(content) => content,
        Err(refusal) => return closing(progress, service.refuse(refusal, Some(&head))),
    };
    progress.enter(Phase::Handling);
    let client_request_id = head.headers.get(CLIENT_REQUEST_ID).cloned();
    let made = catch_unwind(AssertUnwindSafe(|| service.respond(routed, head, content, peer)));
    let outcome = match made {
        Ok(handler) => handle(progress, handler).await,
        Err(_) => Err(Refusal::Panicked),
    };
    outcome.unwrap_or_else(|refusal| service.refuse(refusal, Some(&remembered(client_request_id))))
}

/// Runs the handler until it has answered, panicked, or used up its time.
async fn handle(progress: &Progress, handler: impl Future<Output = Response>) -> Result<Response, Refusal> {
    let mut handler = pin!(handler);
    poll_fn(|cx| {
        if let Some(refusal) = progress.expired() {
            return Poll::Ready(Err(refusal));
        }
        match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Refusal::Panicked)),
        }
    })
    .await
}

/// The whole body, if it ends in time and within `limit`. A body that came in one piece is not copied.
async fn read(progress: &Progress, body: &mut Incoming, limit: usize) -> Result<Bytes, Refusal> {
    let declared = body.size_hint().exact();
    if declared.is_some_and(|length| length > u64::try_from(limit).unwrap_or(u64::MAX)) {
        return Err(Refusal::BodyTooLarge);
    }
    let Some(first) = piece(progress, body).await? else { return Ok(Bytes::new()) };
    if first.len() > limit {
        return Err(Refusal::BodyTooLarge);
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let expected = declared.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let mut whole = BytesMut::with_capacity(expected.max(first.len() * 2));
    whole.extend_from_slice(&first);
    drop(first);
    while let Some(next) = piece(progress, body).await? {
        if next.len() > limit - whole.len() {
            return Err(Refusal::BodyTooLarge);
        }
        whole.extend_from_slice(&next);
    }
    Ok(whole.freeze())
}

/// The next piece of a body; `None` at its end. Trailers are dropped.
async fn piece(progress: &Progress, body: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
    if body.is_end_stream() {
        return Ok(None);
    }
    let mut frame = body.frame();
    loop {
        let next = poll_fn(|cx| match progress.expired() {
            Some(refusal) => Poll::Ready(Err(refusal)),
            None => Pin::new(&mut frame).poll(cx).map(Ok),
        });
        match next.await? {
            None => return Ok(None),
            Some(Err(_)) => return Err(Refusal::Malformed),
            Some(Ok(piece)) => {
                if let Ok(data) = piece.into_data() {
                    return Ok(Some(data));
                }
            }
        }
        frame = body.frame();
    }
}

/// Answers a request that was refused by its head. When its body is short it is read away and the connection lives
/// on; when it is long, or the client waits to be asked for it, the connection ends with the answer.
async fn refuse_unread(progress: &Progress, refused: Response, head: &Parts, mut body: Incoming) -> Response {
    if body.is_end_stream() {
        return refused;
    }
    let short = body.size_hint().exact().is_some_and(|length| length <= READ_AWAY);
    if !short || head.headers.contains_key(EXPECT) {
        return closing(progress, refused);
    }
    loop {
        match piece(progress, &mut body).await {
            Ok(Some(_)) => {}
            Ok(None) => return refused,
            Err(_) => return closing(progress, refused),
        }
    }
}

/// Marks an answer as the last of its connection, because the request it answers was not read to its end.
fn closing(progress: &Progress, mut response: Response) -> Response {
    progress.leave_unread();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// What is left of a head that went to the handler.
fn remembered(client_request_id: Option<HeaderValue>) -> Parts {
    let mut request = http::Request::new(());
    if let Some(id) = client_request_id {
        request.headers_mut().insert(CLIENT_REQUEST_ID, id);
    }
    request.into_parts().0
}
