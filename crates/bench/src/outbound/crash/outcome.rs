//! What became of everything that was accepted.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::Accepted;
use crate::report;

/// The statuses that mean success: of mails, of texts.
const GOOD: [&str; 2] = ["Succeeded", "Delivered"];

/// What is known of the messages that were accepted.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome {
    accepted: usize,
    /// How many the peer had at each kill.
    kills_at: Vec<usize>,
    statuses: BTreeMap<String, usize>,
    /// The peer never got them.
    lost: usize,
    /// The peer got them more than once.
    twice: usize,
    /// What may have been under way at the kills.
    window: usize,
}

impl Outcome {
    /// Holds what was accepted against what the peer took.
    pub(super) fn judge(
        accepted: &[Accepted],
        kills_at: Vec<usize>,
        statuses: BTreeMap<String, usize>,
        taken: &HashMap<u64, u32>,
        under_way: usize,
    ) -> Self {
        let times = |number: &u64| taken.get(number).copied().unwrap_or(0);
        Self {
            accepted: accepted.len(),
            window: kills_at.len() * under_way,
            kills_at,
            statuses,
            lost: accepted.iter().filter(|(number, _)| times(number) == 0).count(),
            twice: accepted.iter().filter(|(number, _)| times(number) > 1).count(),
        }
    }

    /// Whether each has its status and reached the peer, each kill came in the middle, and no more came twice than may.
    pub(super) fn good(&self) -> bool {
        let ended: usize = GOOD.iter().filter_map(|status| self.statuses.get(*status)).sum();
        let in_the_middle = self.kills_at.iter().all(|&at| at < self.accepted);
        self.lost == 0 && self.twice <= self.window && ended == self.accepted && in_the_middle
    }

    /// For a person.
    pub(super) fn text(&self, what: &str) -> String {
        let statuses: Vec<String> =
            self.statuses.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let late = self.kills_at.iter().filter(|&&at| at >= self.accepted).count();
        let late = if late == 0 { String::new() } else { format!(" ({late} after everything had gone out)") };
        format!(
            "{} {what} accepted while the queue was paused, then {} kills{late} while they went out; final statuses: {}; \
             {} lost; {} came twice (at most {} may: what was under way)",
            report::count(self.accepted as u64),
            self.kills_at.len(),
            statuses.join(", "),
            self.lost,
            self.twice,
            self.window
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(taken: &[(u64, u32)], succeeded: usize) -> Outcome {
        let accepted: Vec<_> = (1..=3).map(|n| (n, n.to_string())).collect();
        let statuses = BTreeMap::from([("Succeeded".to_owned(), succeeded)]);
        Outcome::judge(&accepted, vec![1], statuses, &taken.iter().copied().collect(), 1)
    }

    #[test]
    fn lost_and_doubled_messages_are_told_apart() {
        assert!(outcome(&[(1, 1), (2, 1), (3, 1)], 3).good());
        assert!(outcome(&[(1, 1), (2, 2), (3, 1), (9, 1)], 3).good(), "one was under way");
        let lost = outcome(&[(1, 1), (2, 1)], 3);
        assert!(!lost.good() && lost.lost == 1);
        assert!(!outcome(&[(1, 2), (2, 2), (3, 1)], 3).good(), "more than was under way");
        assert!(!outcome(&[(1, 1), (2, 1), (3, 1)], 2).good(), "one without a final status");
    }

    #[test]
    fn a_kill_after_the_end_proves_nothing() {
        let whole = [(1, 1), (2, 1), (3, 1)];
        let late = Outcome { kills_at: vec![1, 3], ..outcome(&whole, 3) };
        assert!(!late.good());
        assert!(
            late.text("mails").contains("2 kills (1 after everything had gone out)"),
            "{}",
            late.text("mails")
        );
    }
}
