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
