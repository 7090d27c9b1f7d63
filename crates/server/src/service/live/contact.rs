//! Whether a node may rely on being told at once of what other nodes take back. Nothing is delivered while it may not.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;
use tokio::time::Instant;

/// A promise to other nodes, and until when it holds.
#[derive(Debug, Default)]
pub(super) struct Contact {
    until: Mutex<Option<Instant>>,
    /// How often it was lost: what was judged before must not be told after.
    losses: AtomicU64,
    made: Notify,
}

impl Contact {
    fn until(&self) -> Option<Instant> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it holds now.
    pub(super) fn holds(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() < until)
    }

    /// Whether it was promised and the time is over.
    pub(super) fn has_lapsed(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() >= until)
    }

    /// Whether it is promised.
    pub(super) fn is_promised(&self) -> bool {
        self.until().is_some()
    }

    /// It holds until then.
    pub(super) fn promise(&self, until: Instant) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        self.made.notify_waiters();
    }

    /// It holds no more.
    pub(super) fn end(&self) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// How often it was lost.
    pub(super) fn losses(&self) -> u64 {
        self.losses.load(Ordering::SeqCst)
    }

    /// It was lost once more.
    pub(super) fn lose(&self) {
        self.losses.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until it holds.
    pub(super) async fn held(&self) {
        loop {
            let made = self.made.notified();
            tokio::pin!(made);
            made.as_mut().enable();
            if self.holds() {
                return;
            }
            made.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_holds_until_its_end_and_no_longer() {
        let contact = Contact::default();
        assert!(!contact.holds() && !contact.has_lapsed() && !contact.is_promised());
        contact.promise(Instant::now() + Duration::from_secs(4));
        contact.held().await;
        tokio::time::advance(Duration::from_millis(3_999)).await;
        assert!(contact.holds() && !contact.has_lapsed());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!contact.holds() && contact.has_lapsed() && contact.is_promised());
        contact.end();
        assert!(!contact.has_lapsed() && !contact.is_promised());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_it_is_woken() {
        let contact = Contact::default();
        let promise = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            contact.promise(Instant::now() + Duration::from_secs(4));
        };
        tokio::join!(contact.held(), promise);
        assert!(contact.holds());
    }
}
