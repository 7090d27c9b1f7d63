//! One bound connection: requests out within a window, answers matched by sequence number, requests in answered when what
//! they brought is kept. Everything that is to be written is gathered in one buffer and written in one go, so that a full
//! window costs a few system calls and not one for each text.

use std::collections::HashMap;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use post::smpp::frame::{self, Frame};
use post::smpp::pdu::{Delivery, status};
use rusmpp::pdus::{DataSmResp, DeliverSmResp};
use rusmpp::types::COctetString;
use rusmpp::{Command, CommandId, Pdu};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinSet;

use super::intake::Intake;

/// The most octets that wait to be written; past it nothing more is read, as what is read wants answers.
const MAX_UNWRITTEN: usize = 256 * 1024;
/// The most of what one connection brought that is being kept at once; past it nothing more is read.
const MAX_KEEPING: usize = 512;
/// How much is read at once.
const CHUNK: usize = 16 * 1024;

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Garbage(#[from] frame::BadLength),
    #[error("the peer closed the connection")]
    Closed,
    #[error("the peer unbound")]
    Unbound,
    #[error("the peer does not answer")]
    Silent,
}

/// What a request got.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u32,
    pub(super) message_id: String,
}

/// Why a request got nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// It was never sent.
    NotSent,
    /// It was sent, and the connection ended: the peer may have acted on it.
    Lost,
    /// It was sent, and nothing came in time: the peer may have acted on it.
    TimedOut,
}

struct Pending {
    answer: oneshot::Sender<Answer>,
    _place: Option<OwnedSemaphorePermit>,
}

struct State {
    out: BytesMut,
    pending: HashMap<u32, Pending>,
    sequence: u32,
    open: bool,
}

/// A request that was sent.
pub(super) struct Sent {
    sequence: u32,
    answer: oneshot::Receiver<Answer>,
}

pub(super) struct Session {
    state: Mutex<State>,
    window: Arc<Semaphore>,
    /// There is something to write.
    written: Notify,
    /// There is room to write again.
    drained: Notify,
    /// How often something was read.
    heard: AtomicU64,
    answer: Duration,
}

impl Session {
    pub(super) fn new(window: usize, answer: Duration) -> Self {
        let state = State { out: BytesMut::new(), pending: HashMap::new(), sequence: 0, open: true };
        Self {
            state: Mutex::new(state),
            window: Arc::new(Semaphore::new(window)),
            written: Notify::new(),
            drained: Notify::new(),
            heard: AtomicU64::new(0),
            answer,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_open(&self) -> bool {
        self.state().open
    }

    /// How many more requests may be sent before one is answered.
    pub(super) fn room(&self) -> usize {
        self.window.available_permits()
    }

    /// Sends a request when there is room in the window.
    pub(super) async fn send(&self, pdu: impl Into<Pdu>) -> Result<Sent, NoAnswer> {
        let place = Arc::clone(&self.window).acquire_owned().await.map_err(|_| NoAnswer::NotSent)?;
        self.write_request(pdu, Some(place)).ok_or(NoAnswer::NotSent)
    }

    fn write_request(&self, pdu: impl Into<Pdu>, place: Option<OwnedSemaphorePermit>) -> Option<Sent> {
        let (sender, answer) = oneshot::channel();
        let mut state = self.state();
        if !state.open {
            return None;
        }
        // 1 to 0x7fffffff (section 3.2); a window is too small for it to come round to one that is pending.
        state.sequence = state.sequence % 0x7fff_ffff + 1;
        let sequence = state.sequence;
        state.pending.insert(sequence, Pending { answer: sender, _place: place });
        frame::write(&mut state.out, status::OK, sequence, pdu);
        drop(state);
        self.written.notify_one();
        Some(Sent { sequence, answer })
    }

    /// Waits for the answer.
    pub(super) async fn answer(&self, mut sent: Sent) -> Result<Answer, NoAnswer> {
        let Ok(answer) = tokio::time::timeout(self.answer, &mut sent.answer).await else {
            self.state().pending.remove(&sent.sequence);
            // It may have come just now.
            return sent.answer.try_recv().map_err(|_| NoAnswer::TimedOut);
        };
        answer.map_err(|_| NoAnswer::Lost)
    }

    fn respond(&self, status: u32, sequence: u32, pdu: impl Into<Pdu>) {
        frame::write(&mut self.state().out, status, sequence, pdu);
        self.written.notify_one();
    }

    /// Takes nothing more. What is unanswered is lost, and everyone who waits hears so.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.open = false;
        state.pending.clear();
        drop(state);
        self.window.close();
    }

    /// Reads and writes until the connection ends, or `stop` is done: then nothing more is sent, what is unanswered may
    /// still be answered, and the peer is told.
    pub(super) async fn run<S: AsyncRead + AsyncWrite>(
        self: &Arc<Self>,
        stream: S,
        buffer: BytesMut,
        intake: &Arc<Intake>,
        enquire: Duration,
        stop: impl Future<Output = ()>,
    ) -> Result<(), End> {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let ended = tokio::select! {
            ended = self.read(&mut reader, buffer, intake) => ended,
            ended = self.write(&mut writer) => ended,
            ended = self.watch(enquire) => ended,
            () = self.leave(stop) => Ok(()),
        };
        self.close();
        // What was still to be said, such as the answer to the peer's unbind.
        let rest = self.state().out.split();
        let farewell = async {
            let _ = writer.write_all(&rest).await;
            let _ = writer.shutdown().await;
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), farewell).await;
        ended
    }

    async fn write(&self, writer: &mut (impl AsyncWrite + Unpin)) -> Result<(), End> {
        loop {
            self.written.notified().await;
            let octets = self.state().out.split();
            writer.write_all(&octets).await?;
            writer.flush().await?;
            self.drained.notify_one();
        }
    }

    async fn read(
        self: &Arc<Self>,
        reader: &mut (impl AsyncRead + Unpin),
        mut buffer: BytesMut,
        intake: &Arc<Intake>,
    ) -> Result<(), End> {
        let mut keeping = JoinSet::new();
        loop {
            while let Some(frame) = frame::next(&mut buffer).inspect_err(|_| {
                self.respond(status::BAD_LENGTH, 0, Pdu::GenericNack);
            })? {
                self.heard.fetch_add(1, Ordering::Relaxed);
                self.take(frame, intake, &mut keeping)?;
                while keeping.try_join_next().is_some() {}
                while keeping.len() >= MAX_KEEPING {
                    keeping.join_next().await;
                }
            }
            while self.state().out.len() > MAX_UNWRITTEN {
                self.drained.notified().await;
            }
            buffer.reserve(CHUNK);
            if reader.read_buf(&mut buffer).await? == 0 {
                return Err(End::Closed);
            }
        }
    }

    fn take(
        self: &Arc<Self>,
        frame: Frame,
        intake: &Arc<Intake>,
        keeping: &mut JoinSet<()>,
    ) -> Result<(), End> {
        match frame {
            Frame::Broken { id, status, sequence } if id & 0x8000_0000 != 0 => {
                self.answered(sequence, Answer { status, message_id: String::new() });
            }
            Frame::Broken { sequence, .. } => self.respond(status::BAD_LENGTH, sequence, Pdu::GenericNack),
            Frame::Whole(command) if command.id().is_response() => {
                let (sequence, status) = (command.sequence_number(), command.status().into());
                self.answered(sequence, Answer { status, message_id: message_id(&command) });
            }
            Frame::Whole(command) => return self.asked(command, intake, keeping),
        }
        Ok(())
    }

    fn answered(&self, sequence: u32, answer: Answer) {
        // An answer that comes too late, twice, or to nothing is passed over.
        let pending = self.state().pending.remove(&sequence);
        if let Some(pending) = pending {
            let _ = pending.answer.send(answer);
        }
    }

    fn asked(
        self: &Arc<Self>,
        command: Box<Command>,
        intake: &Arc<Intake>,
        keeping: &mut JoinSet<()>,
    ) -> Result<(), End> {
        let sequence = command.sequence_number();
        match (command.id(), command.pdu()) {
            (CommandId::EnquireLink, _) => self.respond(status::OK, sequence, Pdu::EnquireLinkResp),
            (CommandId::Unbind, _) => {
                self.respond(status::OK, sequence, Pdu::UnbindResp);
                return Err(End::Unbound);
            }
            (CommandId::AlertNotification | CommandId::Outbind, _) => {}
            (_, Some(Pdu::DeliverSm(_) | Pdu::DataSm(_))) => {
                let (session, intake) = (Arc::clone(self), Arc::clone(intake));
                keeping.spawn(async move { session.keep(&command, &intake).await });
            }
            _ => self.respond(status::BAD_COMMAND, sequence, Pdu::GenericNack),
        }
        Ok(())
    }

    async fn keep(&self, command: &Command, intake: &Intake) {
        let sequence = command.sequence_number();
        let (delivery, answer): (_, Pdu) = match command.pdu() {
            Some(Pdu::DeliverSm(pdu)) => {
                (Delivery::from(pdu), DeliverSmResp::new(COctetString::empty(), Vec::new()).into())
            }
            Some(Pdu::DataSm(pdu)) => {
                (Delivery::from(pdu), DataSmResp::new(COctetString::empty(), Vec::new()).into())
            }
            _ => return,
        };
        let kept = intake.keep(&delivery).await;
        self.respond(if kept { status::OK } else { status::RECEIVER_LATER }, sequence, answer);
    }

    /// Asks a silent peer whether it is there.
    async fn watch(&self, enquire: Duration) -> Result<(), End> {
        loop {
            let before = self.heard.load(Ordering::Relaxed);
            tokio::time::sleep(enquire).await;
            if self.heard.load(Ordering::Relaxed) != before {
                continue;
            }
            if let Some(sent) = self.write_request(Pdu::EnquireLink, None) {
                let _ = self.answer(sent).await;
            }
            if self.heard.load(Ordering::Relaxed) == before {
                return Err(End::Silent);
            }
        }
    }

    /// When told to stop: lets what is unanswered be answered, then unbinds.
    async fn leave(&self, stop: impl Future<Output = ()>) {
        stop.await;
        self.window.close();
        let unanswered = async {
            while !self.state().pending.is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(self.answer, unanswered).await;
        let Some(sent) = self.write_request(Pdu::Unbind, None) else { return pending().await };
        let _ = tokio::time::timeout(Duration::from_secs(2), self.answer(sent)).await;
    }
}

fn message_id(command: &Command) -> String {
    match command.pdu() {
        Some(Pdu::SubmitSmResp(answer)) => answer.message_id().as_str().to_owned(),
        _ => String::new(),
    }
}
