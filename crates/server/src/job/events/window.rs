//! What a lane knows of its queue without holding any of it: which events wait, in order, and which of them may be told
//! now. Of one subject only the first waits for its turn; the others wait for it.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use base::Timestamp;

use crate::service::events::{QueueKey, Waiting};

/// The most events a lane keeps in mind; later ones wait in the store until earlier ones are done with.
pub(super) const MOST: usize = 4_096;
/// How far before the last event seen new ones are looked for: commits of several nodes do not come in order.
const OVERLAP: Duration = Duration::from_secs(2);

/// The events of one subscription that are known to wait.
#[derive(Debug, Default)]
pub(super) struct Window {
    entries: BTreeMap<QueueKey, Entry>,
    end: Option<QueueKey>,
}

#[derive(Debug)]
struct Entry {
    subject: u64,
    due: Timestamp,
    is_flying: bool,
}

impl Window {
    /// Where to look for events that are not known yet: from a little before the last one seen, or from the beginning.
    pub(super) fn look_from(&self, from_start: bool) -> Option<QueueKey> {
        let (id, at, _) = self.end.filter(|_| !from_start)?;
        Some((id, at.minus(OVERLAP), [0; 16]))
    }

    /// Takes note of an event.
    pub(super) fn add(&mut self, waiting: &Waiting) {
        self.end = self.end.max(Some(waiting.key));
        let Waiting { key, subject, due } = *waiting;
        self.entries.entry(key).or_insert(Entry { subject, due, is_flying: false });
    }

    /// How many events are known.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many more events may be known.
    pub(super) fn room(&self) -> usize {
        MOST.saturating_sub(self.entries.len())
    }

    /// At most `most` events whose turn it is; they are under way from now on.
    pub(super) fn take(&mut self, now: Timestamp, most: usize) -> Vec<QueueKey> {
        let mut seen = HashSet::new();
        let mut taken = Vec::new();
        for (key, entry) in &mut self.entries {
            if taken.len() >= most {
                break;
            }
            if seen.insert(entry.subject) && !entry.is_flying && entry.due <= now {
                entry.is_flying = true;
                taken.push(*key);
            }
        }
        taken
    }

    /// It is done with.
    pub(super) fn done(&mut self, key: &QueueKey) {
        self.entries.remove(key);
    }

    /// It is to be told again at `due`.
    pub(super) fn again(&mut self, key: &QueueKey, due: Timestamp) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.due = due;
            entry.is_flying = false;
        }
    }

    /// When the next event that is not under way and waits for none is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let mut seen = HashSet::new();
        let heads = self.entries.values().filter(|entry| seen.insert(entry.subject));
        heads.filter(|entry| !entry.is_flying).map(|entry| entry.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(10_000);

    fn key(at: u64) -> QueueKey {
        ([1; 16], Timestamp::from_millis(at), [0; 16])
    }

    fn window(all: &[(u64, u64)]) -> Window {
        let mut window = Window::default();
        for (at, subject) in all {
            window.add(&Waiting { key: key(*at), subject: *subject, due: Timestamp::EPOCH });
        }
        window
    }

    #[test]
    fn one_subject_is_told_in_order_and_others_do_not_wait_for_it() {
        let mut window = window(&[(1, 7), (2, 7), (3, 8), (4, 7)]);
        assert_eq!(window.take(NOW, 10), [key(1), key(3)]);
        assert!(window.take(NOW, 10).is_empty(), "they are under way");
        window.done(&key(3));
        assert!(window.take(NOW, 10).is_empty());
        window.done(&key(1));
        assert_eq!(window.take(NOW, 10), [key(2)]);
    }

    #[test]
    fn what_failed_holds_back_its_own_subject_only() {
        let mut window = window(&[(1, 7), (2, 7), (3, 8)]);
        assert_eq!(window.take(NOW, 1), [key(1)]);
        window.again(&key(1), NOW.plus(Duration::from_secs(10)));
        assert_eq!(window.take(NOW, 10), [key(3)]);
        assert_eq!(window.next_due(), Some(NOW.plus(Duration::from_secs(10))));
        assert!(window.take(NOW.plus(Duration::from_millis(9_999)), 10).is_empty());
        assert_eq!(window.take(NOW.plus(Duration::from_secs(10)), 10), [key(1)]);
        assert_eq!(window.next_due(), None);
    }

    #[test]
    fn what_is_known_is_not_added_again() {
        let mut window = window(&[(1, 7)]);
        assert_eq!(window.take(NOW, 10), [key(1)]);
        window.add(&Waiting { key: key(1), subject: 7, due: Timestamp::EPOCH });
        assert!(window.take(NOW, 10).is_empty(), "it is still under way");
    }

    #[test]
    fn new_ones_are_looked_for_a_little_before_the_end() {
        let mut window = window(&[]);
        assert_eq!(window.look_from(false), None);
        window.add(&Waiting { key: key(5_000), subject: 1, due: Timestamp::EPOCH });
        window.add(&Waiting { key: key(4_000), subject: 1, due: Timestamp::EPOCH });
        assert_eq!(window.look_from(false), Some(([1; 16], Timestamp::from_millis(3_000), [0; 16])));
        assert_eq!(window.look_from(true), None);
        window.done(&key(5_000));
        assert!(window.look_from(false).is_some(), "also when none is left");
    }

    #[test]
    fn it_is_bounded() {
        let mut window = window(&[]);
        assert_eq!(window.room(), MOST);
        for at in 0..MOST as u64 {
            window.add(&Waiting { key: key(at), subject: at, due: Timestamp::EPOCH });
        }
        assert_eq!(window.room(), 0);
    }
}
