//! How a server is told to stop, and how each connection hears of it at the price of one atomic load per wake-up.
//! It knows no sockets.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Context;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// How far a stop has gone. It only rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StopStage {
    Run,
    /// No new connections; each ends with the request under way.
    Drain,
    /// What has not ended is answered or dropped now.
    Cut,
}

#[derive(Debug, Default)]
struct Inner {
    stage: AtomicU8,
    risen: Arc<Notify>,
}

/// The handle of who stops a server. Clones are the same handle.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Inner>);

impl Stop {
    /// Of a server that runs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes no more connections and ends each one with the request under way.
    pub fn drain(&self) {
        self.raise(1);
    }

    /// Ends everything now: requests under way are answered with 503 where that is still possible.
    pub fn cut(&self) {
        self.raise(2);
    }

    /// Whether a stop has begun.
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.stage() > StopStage::Run
    }

    /// Waits until a stop has begun.
    pub async fn begun(&self) {
        self.reached(StopStage::Drain).await;
    }

    pub(super) async fn reached(&self, stage: StopStage) {
        loop {
            let risen = self.0.risen.notified();
            if self.stage() >= stage {
                return;
            }
            risen.await;
        }
    }

    pub(super) fn signal(&self) -> StopSignal {
        StopSignal { stop: self.clone(), risen: None, seen: StopStage::Run }
    }

    fn raise(&self, to: u8) {
        self.0.stage.fetch_max(to, Ordering::AcqRel);
        self.0.risen.notify_waiters();
    }

    fn stage(&self) -> StopStage {
        match self.0.stage.load(Ordering::Acquire) {
            0 => StopStage::Run,
            1 => StopStage::Drain,
            _ => StopStage::Cut,
        }
    }
}

/// One connection's ear.
#[derive(Debug)]
pub(super) struct StopSignal {
    stop: Stop,
    risen: Option<Pin<Box<OwnedNotified>>>,
    seen: StopStage,
}

impl StopSignal {
    /// What it listens to.
    pub(super) fn handle(&self) -> Stop {
        self.stop.clone()
    }

    /// The present stage; the task is woken when it rises. A task keeps one waker all its life, so it is
    /// registered once per stage and not once per call.
    pub(super) fn poll_stage(&mut self, cx: &mut Context<'_>) -> StopStage {
        if self.risen.is_none() || self.stop.stage() != self.seen {
            self.seen = self.stop.stage();
            let mut risen = Box::pin(Arc::clone(&self.stop.0.risen).notified_owned());
            let _ = risen.as_mut().poll(cx);
            self.risen = Some(risen);
            // What rose between the two loads: the next call sees it, because the waker was registered before it.
            if self.stop.stage() != self.seen {
                cx.waker().wake_by_ref();
            }
        }
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::task::Poll;

    async fn hear(signal: &mut StopSignal, stage: StopStage) {
        poll_fn(|cx| if signal.poll_stage(cx) >= stage { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    #[tokio::test]
    async fn every_ear_hears_each_stage_once_it_rises() {
        let stop = Stop::new();
        let mut ears: Vec<_> = (0..10).map(|_| stop.signal()).collect();
        let mut tasks = tokio::task::JoinSet::new();
        for mut ear in ears.drain(..) {
            tasks.spawn(async move {
                hear(&mut ear, StopStage::Drain).await;
                hear(&mut ear, StopStage::Cut).await;
            });
        }
        tokio::task::yield_now().await;
        assert!(!stop.stopping());
        stop.drain();
        stop.begun().await;
        tokio::task::yield_now().await;
        assert_eq!(tasks.len(), 10, "draining is not the end");
        assert!(tasks.try_join_next().is_none());
        stop.cut();
        while let Some(heard) = tasks.join_next().await {
            heard.unwrap();
        }
    }

    #[tokio::test]
    async fn a_late_ear_hears_what_was_before_it_and_a_stop_is_never_taken_back() {
        let stop = Stop::new();
        stop.cut();
        stop.drain();
        let mut ear = stop.signal();
        hear(&mut ear, StopStage::Cut).await;
        stop.reached(StopStage::Cut).await;
    }
}
