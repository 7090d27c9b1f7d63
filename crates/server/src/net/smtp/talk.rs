//! The life of one connection: moves bytes between the stream, the session and the product, and watches the time. Generic
//! over the stream, so that it is tested without sockets.

use std::io;
use std::time::Duration;

use post::smtp::{Reply, Session, Step};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::Bounds;
use crate::channel::postmaster::Postmaster;
use crate::net::Stop;
use crate::net::stop::StopStage;

/// How much is read at a time.
const READ: usize = 16 * 1024;
/// How much is said before it is sent, when the client goes on without waiting.
const SAID: usize = 16 * 1024;

/// How a conversation came to a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// A handshake is next.
    StartTls,
    /// It is over; the stream is closed as far as that is ours to do.
    Over,
}

/// One conversation.
pub(super) struct Talk<'a, P: Postmaster> {
    pub(super) session: Session,
    pub(super) visit: P::Visit,
    pub(super) postmaster: &'a P,
    pub(super) bounds: Bounds,
    pub(super) stop: Stop,
    /// When the session as a whole must be over.
    pub(super) until: Instant,
    /// What is to be said next.
    pub(super) out: Vec<u8>,
}

impl<P: Postmaster> Talk<'_, P> {
    /// Converses on `io` until a pause.
    pub(super) async fn hold<IO>(&mut self, io: &mut IO) -> Pause
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let stop = self.stop.clone();
        tokio::select! {
            biased;
            pause = self.go_on(io) => pause.unwrap_or(Pause::Over),
            () = stop.reached(StopStage::Cut) => {
                let _ = self.last(io, &Reply::stopping()).await;
                Pause::Over
            }
        }
    }

    async fn go_on<IO>(&mut self, io: &mut IO) -> io::Result<Pause>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let mut buffer = vec![0; READ];
        loop {
            self.flush(io).await?;
            // The time of a command, or of a text, begins with our last word and not with each byte of the client's.
            let deadline = self.until.min(Instant::now() + self.allowed());
            let in_text = self.session.in_text();
            loop {
                let read = tokio::select! {
                    biased;
                    () = self.stop.begun(), if self.session.at_rest() => {
                        self.last(io, &Reply::stopping()).await?;
                        return Ok(Pause::Over);
                    }
                    read = timeout_at(deadline, io.read(&mut buffer)) => read,
                };
                let Ok(read) = read else {
                    self.last(io, &Reply::timeout()).await?;
                    return Ok(Pause::Over);
                };
                let read = read?;
                if read == 0 {
                    return Ok(Pause::Over);
                }
                if let Some(pause) = self.hear(&buffer[..read], io).await? {
                    return Ok(pause);
                }
                if !self.out.is_empty() || self.session.in_text() != in_text {
                    break;
                }
            }
        }
    }

    /// Heeds what was read; `None` when more must be read.
    async fn hear<IO>(&mut self, mut input: &[u8], io: &mut IO) -> io::Result<Option<Pause>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            match self.session.take(&mut input, &mut self.out) {
                Step::More => return Ok(None),
                Step::Ask(question) => {
                    let answer = self.postmaster.answer(&mut self.visit, question).await;
                    if !answer.after.is_zero() {
                        tokio::time::sleep(answer.after).await;
                    }
                    self.session.answer(&answer.reply, &mut self.out);
                    if self.out.len() > SAID {
                        self.flush(io).await?;
                    }
                }
                Step::StartTls => {
                    self.flush(io).await?;
                    return Ok(Some(Pause::StartTls));
                }
                Step::Close => {
                    self.flush(io).await?;
                    let _ = io.shutdown().await;
                    return Ok(Some(Pause::Over));
                }
            }
        }
    }

    const fn allowed(&self) -> Duration {
        if self.session.in_text() { self.bounds.text } else { self.bounds.command }
    }

    /// Sends what there is to say, in the time of a command.
    async fn flush<IO: AsyncWrite + Unpin>(&mut self, io: &mut IO) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let deadline = Instant::now() + self.bounds.command;
        timeout_at(deadline, async {
            io.write_all(&self.out).await?;
            io.flush().await
        })
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        self.out.clear();
        Ok(())
    }

    async fn last<IO: AsyncWrite + Unpin>(&mut self, io: &mut IO, reply: &Reply) -> io::Result<()> {
        reply.write(&mut self.out);
        self.flush(io).await?;
        io.shutdown().await
    }
}
