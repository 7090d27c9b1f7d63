//! What happens, for programs that are no browser: as server-sent events or over a WebSocket, each a CloudEvent, resumed from
//! where a client stood. ACS has nothing of the kind.

use std::sync::Arc;
use std::time::Duration;

use ::http::header;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::unfold;
use tokio::time::{Instant, sleep_until, timeout};
use wire::ApiError;
use wire::push::cursor::Cursor;

use super::{cloud, listen};
use crate::http::{Context, Reply, Socket, State, Upgrade};
use crate::service::live::{Allowance, Heard, Letter, Resumable};
use crate::service::unavailable;

/// After so much silence something is said, so that nobody in between takes the connection for dead.
const PING: Duration = Duration::from_secs(15);
/// A client that is cut off comes back after so many milliseconds.
const RETRY_MILLIS: u64 = 1_000;

/// `GET`: everything that the caller may hear, from now on or from where it stood.
pub(super) async fn events(cx: &Context) -> Result<Reply, ApiError> {
    let cursor = asked_from(cx)?;
    let upgrade =
        cx.headers.contains_key(header::UPGRADE).then(|| Upgrade::asked(&cx.headers)).transpose()?;
    let claims = cx.claims()?;
    let hearing = listen(cx, claims, &base::hex(&cx.rng().id())).await?;
    let expires = Instant::now() + claims.expires_at.distance(cx.clock().now());
    let heard = Resumable::begin(&cx.state.chat.live, cx.cell(), hearing, cursor).await;
    let heard = heard.map_err(|fault| unavailable(&fault))?;
    let source = cloud::Source { url: cx.base_url(), resource: cx.resource_id(), user: claims.user };
    let events =
        Events { state: Arc::clone(&cx.state), heard, source, expires, has_begun: false, is_over: false };
    Ok(match upgrade {
        Some(upgrade) => upgrade.answer(move |socket| Box::pin(events.converse(socket))),
        None => {
            let pieces = unfold(events, |mut events| async {
                let piece = events.piece().await?;
                Some((Bytes::from(piece), events))
            });
            Reply::pieces("text/event-stream", Box::pin(pieces.fuse()))
                .header(header::CACHE_CONTROL, "no-store")
                .header(::http::HeaderName::from_static("x-accel-buffering"), "no")
        }
    })
}

/// Where the client stood: an event's id, as `after` or as browsers say it.
fn asked_from(cx: &Context) -> Result<Option<Cursor>, ApiError> {
    let query = cx.query()?;
    let after = match query.single("after")? {
        Some(after) => Some(after),
        None => cx.headers.get("last-event-id").and_then(|id| id.to_str().ok()),
    };
    let wrong =
        || ApiError::bad_request("There is no event of this id; without one, events come from now on.");
    after.filter(|after| !after.is_empty()).map(|after| Cursor::parse(after).ok_or_else(wrong)).transpose()
}

/// One who listens.
struct Events {
    state: Arc<State>,
    heard: Resumable,
    source: cloud::Source,
    expires: Instant,
    has_begun: bool,
    is_over: bool,
}

/// What is next.
enum Next {
    Begun,
    Happened(Letter),
    Quiet,
    Ended,
}

impl Events {
    async fn next(&mut self) -> Next {
        if !std::mem::replace(&mut self.has_begun, true) {
            return Next::Begun;
        }
        let expires = self.expires;
        let next = tokio::select! {
            heard = timeout(PING, self.heard.next()) => match heard {
                Ok(Heard::Letter(letter)) => Next::Happened(letter),
                Ok(Heard::Ended) => Next::Ended,
                Err(_) => Next::Quiet,
            },
            () = sleep_until(expires) => Next::Ended,
        };
        self.heard.tidy(&*self.state.clock);
        next
    }

    /// The next piece of a stream of server-sent events (HTML standard, section 9.2.6).
    async fn piece(&mut self) -> Option<String> {
        if self.is_over {
            return None;
        }
        loop {
            return Some(match self.next().await {
                Next::Begun => {
                    let id = self.cursor().unwrap_or_default();
                    format!("retry: {RETRY_MILLIS}\nevent: ready\nid: {id}\ndata: {{}}\n\n")
                }
                Next::Happened(letter) => {
                    let events = cloud::events(&self.source, &letter, &*self.state.rng, None);
                    let Some((last, others)) = events.split_last() else { continue };
                    let mut piece: String = others.iter().map(|event| format!("data: {event}\n\n")).collect();
                    if let Some(id) = self.cursor() {
                        piece.push_str(&format!("id: {id}\n"));
                    }
                    piece.push_str(&format!("data: {last}\n\n"));
                    piece
                }
                Next::Quiet => ":\n\n".to_owned(),
                Next::Ended => {
                    self.is_over = true;
                    "event: unauthorized\ndata: {}\n\n".to_owned()
                }
            });
        }
    }

    fn cursor(&self) -> Option<String> {
        self.heard.cursor().format()
    }

    /// The same over a WebSocket. Each event has the id that it is resumed from as its attribute `cursor`.
    async fn converse(mut self, mut socket: Socket) {
        let mut allowance = Allowance::new();
        let stopping = socket.stopping();
        tokio::pin!(stopping);
        loop {
            let next = tokio::select! {
                said = socket.receive() => match said {
                    Some(_) if allowance.take() => continue,
                    Some(_) | None => return,
                },
                next = self.next() => next,
                () = &mut stopping => break,
            };
            let cursor = self.cursor();
            let texts = match next {
                Next::Begun => vec![cloud::ready(&self.source, &*self.state.rng, cursor.as_deref())],
                Next::Happened(letter) => {
                    cloud::events(&self.source, &letter, &*self.state.rng, cursor.as_deref())
                }
                Next::Quiet => {
                    if !socket.ping().await {
                        return;
                    }
                    continue;
                }
                Next::Ended => break,
            };
            if !socket.send(texts).await {
                return;
            }
        }
        socket.close().await;
    }
}
