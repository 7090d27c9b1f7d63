//! The life of one connection after its handshake: drives the HTTP library, watches the one timer of the connection, ends
//! it on a stop, and says the last word when a head was refused. Generic over the stream, so that its timeouts are
//! tested without sockets.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base::Clock;
use base::limits::MAX_HEAD;
use hyper::server::conn::http1;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, Sleep};

use super::exchange::Exchange;
use super::gate::Gate;
use super::peer::Peer;
use super::progress::{Phase, Progress, Timeouts};
use super::socket::Socket;
use super::stop::{StopSignal, StopStage};
use super::{Refusal, Response, Service};

/// After a refusal, for how long and how much of what the client still sends is read away, so that the answer is
/// not lost to a TCP reset.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1024 * 1024;

/// What all connections of a server share.
pub(super) struct Shared<S> {
    pub(super) service: Arc<S>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) timeouts: Timeouts,
    http: http1::Builder,
}

impl<S: Service> Shared<S> {
    pub(super) fn new(service: Arc<S>, clock: Arc<dyn Clock>, timeouts: Timeouts) -> Self {
        let mut http = http1::Builder::new();
        http.half_close(true) // a request once begun is finished, also when its client has gone
            .header_read_timeout(None) // the driver's timer does it, with an answer
            .max_buf_size(2 * MAX_HEAD) // never reached: the gate is stricter
            .auto_date_header(true);
        Self { service, clock, timeouts, http }
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// As HTTP ends: the client closed, asked to, or its time between requests ran out.
    Done,
    /// With this answer, outside of any exchange.
    Refused(Refusal),
    /// The stream broke, or the client did not take its answer.
    Broken,
}

/// Serves requests from `io` until either side is done.
pub(super) async fn serve<S, IO>(shared: &Shared<S>, io: IO, peer: Peer, mut stop: StopSignal)
where
    S: Service,
    IO: AsyncBufRead + AsyncWrite + Unpin + Send + 'static,
{
    let progress = Arc::new(Progress::new(shared.timeouts));
    let gate = Gate::new(io, Arc::clone(&progress));
    let exchange = Exchange {
        service: Arc::clone(&shared.service),
        progress: Arc::clone(&progress),
        peer: Arc::new(peer),
        stop: stop.handle(),
    };
    let mut http = shared.http.serve_connection(gate, exchange);
    let end = {
        let (_, deadline) = progress.now_at();
        let mut timer = pin!(tokio::time::sleep_until(deadline));
        let mut heard = StopStage::Run;
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(result) = Pin::new(&mut http).poll(cx) {
                    return Poll::Ready(match progress.refused() {
                        Some(refusal) => End::Refused(refusal),
                        None if result.is_ok() => End::Done,
                        None => End::Broken,
                    });
                }
                let asked = stop.poll_stage(cx);
                if asked > heard {
                    heard = asked;
                    match asked {
                        StopStage::Run => {}
                        StopStage::Drain => Pin::new(&mut http).graceful_shutdown(),
                        StopStage::Cut => {
                            Pin::new(&mut http).graceful_shutdown();
                            if let Some(end) = cut(&progress) {
                                return Poll::Ready(end);
                            }
                        }
                    }
                    continue;
                }
                match poll_timer(timer.as_mut(), &progress, cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(end)) => return Poll::Ready(end),
                    Poll::Ready(None) => {}
                }
            }
        })
        .await
    };
    let parts = http.into_parts();
    let (io, mid_request) = parts.io.into_inner();
    if end == End::Done
        && !mid_request
        && let Some(taken) = progress.taken_over()
    {
        let stop = stop.handle();
        let socket = Socket::over(io, parts.read_buf, stop.clone()).await;
        tokio::select! {
            () = taken(socket) => {}
            () = stop.reached(StopStage::Cut) => {}
        }
        return;
    }
    let unread = mid_request || progress.unread();
    // What is left has a time of its own; a client that does not take it is dropped.
    let last = finish(shared, io, end, unread);
    let _ = tokio::time::timeout(shared.timeouts.body, last).await;
}

/// Looks at the connection's one timer. `Ready(None)`: the exchange was told that its time is over, poll it.
fn poll_timer(mut timer: Pin<&mut Sleep>, progress: &Progress, cx: &mut Context<'_>) -> Poll<Option<End>> {
    loop {
        let (phase, deadline) = progress.now_at();
        // Moved only when it would ring too late: under load it rings once per timeout, not once per request.
        if deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        if Instant::now() < deadline {
            timer.as_mut().reset(deadline);
            continue;
        }
        return Poll::Ready(match phase {
            Phase::Idle => Some(End::Done),
            Phase::Head => Some(End::Refused(Refusal::HeadTimeout)),
            Phase::Writing | Phase::Waiting => Some(End::Broken),
            Phase::Body | Phase::Handling if progress.expired().is_some() => Some(End::Broken),
            Phase::Body => {
                progress.expire(Refusal::BodyTimeout);
                None
            }
            Phase::Handling => {
                progress.expire(Refusal::TooSlow);
                None
            }
        });
    }
}

/// The time for draining is over: what is with its handler is answered at once, what is going out may go.
fn cut(progress: &Progress) -> Option<End> {
    match progress.now_at().0 {
        Phase::Idle | Phase::Head => Some(End::Done),
        Phase::Body | Phase::Handling => {
            progress.expire(Refusal::Overloaded);
            None
        }
        Phase::Writing | Phase::Waiting => None,
    }
}

/// Says what is left to say, closes this side, and reads away what the client is still sending.
async fn finish<S, IO>(shared: &Shared<S>, mut io: IO, end: End, unread: bool)
where
    S: Service,
    IO: AsyncBufRead + AsyncWrite + Unpin,
{
    if end == End::Broken {
        return;
    }
    if let End::Refused(refusal) = end {
        let response = shared.service.refuse(refusal, None);
        let bytes = render(response, &shared.clock.now().to_http_date()).await;
        if io.write_all(&bytes).await.is_err() {
            return;
        }
    }
    if io.shutdown().await.is_ok() && unread {
        let _ = tokio::time::timeout(LINGER, read_away(&mut io)).await;
    }
}

async fn read_away<IO: AsyncBufRead + Unpin>(io: &mut IO) {
    let mut left = LINGER_BYTES;
    while left > 0 {
        match io.fill_buf().await {
            Ok(bytes) if !bytes.is_empty() => {
                let taken = bytes.len();
                io.consume(taken);
                left = left.saturating_sub(taken);
            }
            _ => return,
        }
    }
}

/// An answer as bytes, the last of its connection.
async fn render(response: Response, date: &str) -> Vec<u8> {
    use http::header::{CONNECTION, CONTENT_LENGTH, DATE};
    use http_body_util::BodyExt;

    let (head, body) = response.into_parts();
    let body = match body.collect().await {
        Ok(whole) => whole.to_bytes(),
        Err(never) => match never {},
    };
    let mut out =
        format!("HTTP/1.1 {} {}\r\n", head.status.as_str(), head.status.canonical_reason().unwrap_or(""));
    out.push_str(&format!("date: {date}\r\nconnection: close\r\ncontent-length: {}\r\n", body.len()));
    let mut out = out.into_bytes();
    for (name, value) in &head.headers {
        if [CONNECTION, CONTENT_LENGTH, DATE].contains(name) {
            continue;
        }
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&body);
    out
}

#[cfg(test)]
mod tests;
