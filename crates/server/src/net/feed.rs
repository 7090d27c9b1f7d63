//! An answer without an end: its body comes in pieces, as they are made. A client that takes no piece in time is dropped; one
//! that waits for the next is not.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use hyper::body::{Body, Frame};

use super::progress::Progress;
use super::stop::Stop;

/// The pieces of a body.
pub type Pieces = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// Lies in the extensions of an answer whose body it is.
#[derive(Clone)]
pub struct Feed(Arc<Mutex<Option<Pieces>>>);

impl Feed {
    /// Of these.
    #[must_use]
    pub fn of(pieces: Pieces) -> Self {
        Self(Arc::new(Mutex::new(Some(pieces))))
    }

    /// What it is of, once.
    #[must_use]
    pub fn take(&self) -> Option<Pieces> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Feed")
    }
}

/// A body that comes in pieces.
pub(super) struct Feeding {
    pieces: Pieces,
    progress: Arc<Progress>,
    stopping: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Feeding {
    /// It ends when there is no next piece, and when the server is to stop.
    pub(super) fn new(pieces: Pieces, progress: Arc<Progress>, stop: Stop) -> Self {
        Self { pieces, progress, stopping: Box::pin(async move { stop.begun().await }) }
    }
}

impl Body for Feeding {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        // What a client does not take stays where it can be taken back.
        if self.progress.is_stuck(cx.waker()) {
            return Poll::Pending;
        }
        let next = match self.stopping.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => self.pieces.as_mut().poll_next(cx),
        };
        // Each piece has the time of one answer to be taken.
        let is_over = matches!(next, Poll::Ready(None));
        self.progress.feed((!is_over).then_some(next.is_pending()));
        next.map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
