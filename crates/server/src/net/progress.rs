//! How far one connection is with its present request, and until when it may stay there. The gate (bytes in), the
//! exchange (the request) and the connection's driver (the timer) share it. It knows no sockets.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use base::Limits;
use tokio::time::Instant;

use super::Refusal;
use super::socket::{TakenOver, Takeover};

/// The timeouts of one listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// A TLS handshake.
    pub handshake: Duration,
    /// Between requests.
    pub idle: Duration,
    /// From the first byte of a head to its last.
    pub head: Duration,
    /// From the end of a head to the end of its body; also for the client to take its answer.
    pub body: Duration,
    /// From the end of a body to the answer.
    pub request: Duration,
    /// For requests under way when the server stops.
    pub drain: Duration,
}

impl From<&Limits> for Timeouts {
    fn from(limits: &Limits) -> Self {
        Self {
            handshake: Duration::from_secs(limits.handshake_timeout_secs),
            idle: Duration::from_secs(limits.idle_timeout_secs),
            head: Duration::from_secs(limits.head_timeout_secs),
            body: Duration::from_secs(limits.body_timeout_secs),
            request: Duration::from_secs(limits.request_timeout_secs),
            drain: Duration::from_secs(limits.drain_timeout_secs),
        }
    }
}

/// Who makes an answer without an end sees to it that something is sent now and then.
const FOR_EVER: Duration = Duration::from_hours(24);

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Between requests: nothing of the next one has come.
    Idle,
    /// A part of a head has come.
    Head,
    /// The head is here, the body is not, or not whole.
    Body,
    /// The request is with its handler.
    Handling,
    /// The answer is on its way.
    Writing,
    /// The next piece of an answer without an end is not there yet.
    Waiting,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    deadline: Instant,
    expired: Option<Refusal>,
    refused: Option<Refusal>,
    unread: bool,
    takeover: Option<Takeover>,
    /// Of an answer without an end: whether its next piece is not there yet.
    awaits: Option<bool>,
    /// Whether the client has yet to take what was written.
    is_stuck: bool,
    /// Who is to be woken when it has.
    feeding: Option<Waker>,
}

/// Shared by the parts of one connection, all of one task: the lock is never waited for.
#[derive(Debug)]
pub(super) struct Progress {
    state: Mutex<State>,
    timeouts: Timeouts,
}

impl Progress {
    pub(super) fn new(timeouts: Timeouts) -> Self {
        let state = State {
            phase: Phase::Idle,
            deadline: Instant::now() + timeouts.idle,
            expired: None,
            refused: None,
            unread: false,
            takeover: None,
            awaits: None,
            is_stuck: false,
            feeding: None,
        };
        Self { state: Mutex::new(state), timeouts }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters `phase`, unless it is there already; its time begins now.
    pub(super) fn enter(&self, phase: Phase) {
        let mut state = self.state();
        if state.phase != phase {
            self.begin(&mut state, phase);
        }
    }

    /// Whether the client has yet to take what was written; `feeding` is woken when it has.
    pub(super) fn is_stuck(&self, feeding: &Waker) -> bool {
        let mut state = self.state();
        if state.is_stuck {
            state.feeding = Some(feeding.clone());
        }
        state.is_stuck
    }

    /// An answer without an end was asked for its next piece: whether it `awaits` it, `None` when there is none.
    pub(super) fn feed(&self, awaits: Option<bool>) {
        let mut state = self.state();
        state.awaits = awaits;
        self.begin(&mut state, if awaits == Some(true) { Phase::Waiting } else { Phase::Writing });
    }

    /// Whether all that was written is on its way to the client, or waits for it to take some.
    pub(super) fn flushed(&self, is_done: bool) {
        let mut state = self.state();
        let Some(awaits) = state.awaits.filter(|_| state.is_stuck == is_done) else { return };
        state.is_stuck = !is_done;
        if is_done {
            state.feeding.take().into_iter().for_each(Waker::wake);
        }
        self.begin(&mut state, if is_done && awaits { Phase::Waiting } else { Phase::Writing });
    }

    fn begin(&self, state: &mut State, phase: Phase) {
        let allowed = match phase {
            Phase::Idle => self.timeouts.idle,
            Phase::Head => self.timeouts.head,
            Phase::Body | Phase::Writing => self.timeouts.body,
            Phase::Handling => self.timeouts.request,
            Phase::Waiting => FOR_EVER,
        };
        state.phase = phase;
        state.deadline = Instant::now() + allowed;
        if phase == Phase::Writing {
            state.expired = None;
        }
    }

    pub(super) fn now_at(&self) -> (Phase, Instant) {
        let state = self.state();
        (state.phase, state.deadline)
    }

    /// Tells the exchange that the time of its phase is over: it answers with `refusal` when it is next polled, and
    /// has the time of one body to get that answer to the client.
    pub(super) fn expire(&self, refusal: Refusal) {
        let mut state = self.state();
        state.expired = Some(refusal);
        state.deadline = Instant::now() + self.timeouts.body;
    }

    pub(super) fn expired(&self) -> Option<Refusal> {
        self.state().expired
    }

    /// The gate will let no more in: the connection is to end with this answer.
    pub(super) fn refuse(&self, refusal: Refusal) {
        self.state().refused = Some(refusal);
    }

    pub(super) fn refused(&self) -> Option<Refusal> {
        self.state().refused
    }

    /// The answer went out before the whole request came in: what still comes must be read away before the socket
    /// is closed, or the client may lose the answer to a TCP reset.
    pub(super) fn leave_unread(&self) {
        self.state().unread = true;
    }

    /// The connection is somebody else's once the present answer is out.
    pub(super) fn hand_over(&self, to: Takeover) {
        self.state().takeover = Some(to);
    }

    /// Whose the connection is now, if it is no longer HTTP's.
    pub(super) fn taken_over(&self) -> Option<TakenOver> {
        self.state().takeover.as_ref().and_then(Takeover::take)
    }

    pub(super) fn unread(&self) -> bool {
        self.state().unread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_own_time_and_does_not_renew_it() {
        let limits = Limits::default();
        let progress = Progress::new(Timeouts::from(&limits));
        let start = Instant::now();
        assert_eq!(progress.now_at(), (Phase::Idle, start + Duration::from_secs(limits.idle_timeout_secs)));
        progress.enter(Phase::Head);
        let (_, deadline) = progress.now_at();
        assert_eq!(deadline, start + Duration::from_secs(limits.head_timeout_secs));
        tokio::time::advance(Duration::from_secs(3)).await;
        progress.enter(Phase::Head);
        assert_eq!(progress.now_at(), (Phase::Head, deadline), "a trickle of bytes buys no time");
        progress.enter(Phase::Handling);
        let passed = Duration::from_secs(3 + limits.request_timeout_secs);
        assert_eq!(progress.now_at(), (Phase::Handling, start + passed));
    }

    #[tokio::test(start_paused = true)]
    async fn each_piece_of_an_endless_answer_has_its_own_time() {
        let limits = Limits::default();
        let progress = Progress::new(Timeouts::from(&limits));
        let body = Duration::from_secs(limits.body_timeout_secs);
        progress.enter(Phase::Writing);
        tokio::time::advance(body / 2).await;
        progress.feed(Some(false));
        let due = Instant::now() + body;
        assert_eq!(progress.now_at(), (Phase::Writing, due));
        progress.feed(Some(true));
        assert!(progress.now_at().1 > Instant::now() + Duration::from_hours(1));
        progress.flushed(false);
        assert_eq!(progress.now_at(), (Phase::Writing, due), "the client has to take what there is");
        tokio::time::advance(body / 2).await;
        progress.flushed(false);
        assert!(progress.is_stuck(Waker::noop()), "and is given no more until it has");
        assert_eq!(progress.now_at(), (Phase::Writing, due));
        progress.flushed(true);
        assert!(!progress.is_stuck(Waker::noop()));
        progress.feed(Some(false));
        assert_eq!(progress.now_at(), (Phase::Writing, Instant::now() + body));
        progress.feed(Some(true));
        assert_eq!(progress.now_at().0, Phase::Waiting);
    }

    #[tokio::test(start_paused = true)]
    async fn an_expired_request_is_over_once_answered() {
        let progress = Progress::new(Timeouts::from(&Limits::default()));
        progress.enter(Phase::Handling);
        progress.expire(Refusal::TooSlow);
        assert_eq!(progress.expired(), Some(Refusal::TooSlow));
        progress.enter(Phase::Writing);
        assert_eq!(progress.expired(), None, "the next request starts afresh");
    }
}
