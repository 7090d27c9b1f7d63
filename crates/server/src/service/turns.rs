//! Turns for those who lost a race. A commit is first tried without waiting for anybody; one that lost is tried again
//! when it is its turn, so that many writers of one row on one node go one after another instead of all against all.
//! Writers on other nodes are still met as races: this is for fairness and never for correctness.

use base::BoundedCache;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// How many rows have turns of their own at a time. A row that is forgotten begins a new line beside the old one.
const LINES: usize = 4_096;

/// Lines of losers, one for each contended row.
pub struct Turns(Mutex<BoundedCache<[u8; 16], Arc<Turn<()>>>>);

impl Turns {
    /// No lines yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Mutex::new(BoundedCache::new(LINES)))
    }

    /// Waits for a turn at the row called `key`. It ends when what is returned is dropped.
    pub async fn take(&self, key: [u8; 16]) -> OwnedMutexGuard<()> {
        self.line(key).lock_owned().await
    }

    /// Waits for a turn at the row called `key` when others wait for theirs; `None` when nobody does.
    pub async fn behind(&self, key: [u8; 16]) -> Option<OwnedMutexGuard<()>> {
        let line = {
            let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(lines.get_mut(&key)?)
        };
        // Whoever is at its turn holds the line; one that is free is no reason to wait.
        line.try_lock().is_err().then_some(())?;
        Some(line.lock_owned().await)
    }

    fn line(&self, key: [u8; 16]) -> Arc<Turn<()>> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get_mut(&key) {
            return Arc::clone(line);
        }
        let line = Arc::new(Turn::new(()));
        lines.insert(key, Arc::clone(&line));
        line
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_for_one_row_and_no_waiting_for_others() {
        let turns = Turns::new();
        let first = turns.take([1; 16]).await;
        assert!(turns.line([1; 16]).try_lock().is_err());
        drop(turns.take([2; 16]).await);
        drop(first);
        drop(turns.take([1; 16]).await);
    }

    #[tokio::test]
    async fn who_comes_while_others_wait_goes_behind_them() {
        let turns = Turns::new();
        assert!(turns.behind([1; 16]).await.is_none(), "nobody waits");
        let first = turns.take([1; 16]).await;
        let second = turns.behind([1; 16]);
        let mut second = std::pin::pin!(second);
        assert!(
            std::future::poll_fn(|cx| std::task::Poll::Ready(second.as_mut().poll(cx).is_pending())).await
        );
        drop(first);
        assert!(second.await.is_some());
        assert!(turns.behind([1; 16]).await.is_none(), "the line is free again");
    }

    #[tokio::test]
    async fn lines_are_bounded() {
        let turns = Turns::new();
        for n in 0..10_000_u32 {
            let mut key = [0; 16];
            key[..4].copy_from_slice(&n.to_le_bytes());
            drop(turns.take(key).await);
        }
        assert!(turns.0.lock().unwrap().len() <= LINES);
    }
}
