//! Between the byte stream and the HTTP library: lets one request at a time through, after [`head`](super::head) has
//! found its head whole and unambiguous, and not one byte past that request's end before the library asks for the
//! next. It never writes; it knows nothing of what a request means.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncBufRead, AsyncWrite};

use super::Refusal;
use super::chunk::Chunked;
use super::head::{self, Framing, Head};
use super::progress::{Phase, Progress};

#[derive(Debug)]
enum Stage {
    /// Waiting for a whole head.
    Head,
    /// The head was looked at where it lies in the stream's own buffer; `left` bytes of it are still to be let through.
    Through {
        left: usize,
        framing: Framing,
    },
    /// The head came in pieces and is in `held`; what is after `sent` is still to be let through.
    Held {
        sent: usize,
        framing: Framing,
    },
    Body {
        left: u64,
    },
    Chunks(Chunked),
    /// Nothing more comes in.
    Shut,
}

/// A stream with its gate.
#[derive(Debug)]
pub(super) struct Gate<IO> {
    io: IO,
    stage: Stage,
    /// A head that has come in part. Empty, and without memory, between requests.
    held: Vec<u8>,
    progress: Arc<Progress>,
}

impl<IO: AsyncBufRead + Unpin> Gate<IO> {
    pub(super) const fn new(io: IO, progress: Arc<Progress>) -> Self {
        Self { io, stage: Stage::Head, held: Vec::new(), progress }
    }

    /// The stream, and whether a request is part-way in.
    pub(super) fn into_inner(self) -> (IO, bool) {
        let whole = matches!(self.stage, Stage::Head) && self.held.is_empty();
        (self.io, !whole)
    }

    /// Waits for a whole head; `false` when the stream has ended.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.held.is_empty() {
            self.progress.enter(Phase::Idle);
        }
        loop {
            let bytes = ready!(Pin::new(&mut self.io).poll_fill_buf(cx))?;
            if bytes.is_empty() {
                return if self.held.is_empty() {
                    Poll::Ready(Ok(false))
                } else {
                    self.shut(Refusal::Malformed)
                };
            }
            let fresh = bytes.len();
            let seen = self.held.len();
            let found = if seen == 0 {
                head::inspect(bytes, 0)
            } else {
                self.held.extend_from_slice(bytes);
                head::inspect(&self.held, seen)
            };
            match found {
                Ok(Some(Head { len, framing })) if seen == 0 => {
                    self.stage = Stage::Through { left: len, framing };
                    return Poll::Ready(Ok(true));
                }
                Ok(Some(Head { len, framing })) => {
                    self.held.truncate(len);
                    Pin::new(&mut self.io).consume(len - seen);
                    self.stage = Stage::Held { sent: 0, framing };
                    return Poll::Ready(Ok(true));
                }
                Ok(None) => {
                    if seen == 0 {
                        self.held.extend_from_slice(bytes);
                    }
                    Pin::new(&mut self.io).consume(fresh);
                    self.progress.enter(Phase::Head);
                }
                Err(refusal) => return self.shut(refusal),
            }
        }
    }

    /// Lets nothing more in: the driver answers with `refusal`.
    fn shut<T>(&mut self, refusal: Refusal) -> Poll<io::Result<T>> {
        self.stage = Stage::Shut;
        self.progress.refuse(refusal);
        Poll::Ready(Err(io::ErrorKind::InvalidData.into()))
    }

    const fn after_head(framing: Framing) -> Stage {
        match framing {
            Framing::Length(0) => Stage::Head,
            Framing::Length(left) => Stage::Body { left },
            Framing::Chunked => Stage::Chunks(Chunked::START),
        }
    }

    /// Moves what may go through into `out`: at least a byte, or the stream has ended.
    fn poll_pass(&mut self, cx: &mut Context<'_>, out: &mut ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        if matches!(self.stage, Stage::Head) && !ready!(self.poll_head(cx))? {
            return Poll::Ready(Ok(()));
        }
        if let Stage::Held { sent, framing } = self.stage {
            let end = self.held.len().min(sent + out.remaining());
            out.put_slice(&self.held[sent..end]);
            self.stage = Stage::Held { sent: end, framing };
            if end == self.held.len() {
                self.held = Vec::new();
                self.stage = Self::after_head(framing);
            }
            return Poll::Ready(Ok(()));
        }
        if matches!(self.stage, Stage::Shut) {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let bytes = ready!(Pin::new(&mut self.io).poll_fill_buf(cx))?;
        let bytes = &bytes[..bytes.len().min(out.remaining())];
        let take = match &mut self.stage {
            Stage::Through { left, .. } => bytes.len().min(*left),
            Stage::Body { left } => bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX)),
            Stage::Chunks(chunks) => {
                let Ok(take) = chunks.take(bytes) else {
                    // The exchange is reading this body: it sees the error and gives the answer.
                    self.stage = Stage::Shut;
                    return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                };
                take
            }
            Stage::Head | Stage::Held { .. } | Stage::Shut => 0,
        };
        out.put_slice(&bytes[..take]);
        let ended = take == 0;
        Pin::new(&mut self.io).consume(take);
        if ended {
            self.stage = Stage::Shut;
        } else {
            self.passed(take);
        }
        Poll::Ready(Ok(()))
    }

    fn passed(&mut self, taken: usize) {
        match &mut self.stage {
            Stage::Through { left, framing } => {
                *left -= taken;
                if *left == 0 {
                    self.stage = Self::after_head(*framing);
                }
            }
            Stage::Body { left } => {
                *left -= u64::try_from(taken).unwrap_or(u64::MAX);
                if *left == 0 {
                    self.stage = Stage::Head;
                }
            }
            Stage::Chunks(chunks) if chunks.ended() => self.stage = Stage::Head,
            _ => {}
        }
    }

    /// Whether a call would go on with the request that is coming in, rather than begin the next one.
    const fn in_request(&self) -> bool {
        !matches!(self.stage, Stage::Head | Stage::Shut)
    }
}

impl<IO: AsyncBufRead + Unpin> Read for Gate<IO> {
    /// Fills `out` with as much of one request as is here, so that head and body usually need one call.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut out: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let room = out.remaining();
        loop {
            match self.poll_pass(cx, &mut out) {
                Poll::Ready(Ok(())) => {}
                // What is already in `out` goes out first; the error or the end is met again on the next call.
                Poll::Pending | Poll::Ready(Err(_)) if out.remaining() < room => return Poll::Ready(Ok(())),
                other => return other,
            }
            if out.remaining() == 0 || out.remaining() == room || !self.in_request() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<IO: AsyncWrite + Unpin> Write for Gate<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        if written.is_pending() {
            self.progress.flushed(false);
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, parts);
        if written.is_pending() {
            self.progress.flushed(false);
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.progress.flushed(flushed.is_ready());
        flushed
    }

    /// The driver closes the stream, after it has said what is left to say.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
}
