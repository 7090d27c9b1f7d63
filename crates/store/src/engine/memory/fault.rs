//! Which faults the memory engine injects, drawn from a seed. It knows nothing of rows.

use std::sync::Arc;

use base::Rng;

/// How often each fault happens, in thousandths, and how long answers may take, in turns of the scheduler. The faults
/// of a write exclude each other; their sum should stay below 1,000.
#[derive(Clone)]
pub struct FaultPlan {
    /// Where the dice come from; the same seed gives the same faults.
    pub rng: Arc<dyn Rng>,
    /// A batch fails and nothing of it happens.
    pub before: u32,
    /// A batch happens whole, but the caller is told that it failed: an unknown outcome.
    pub after: u32,
    /// The engine dies with half of a batch written and not yet committed; reopening must not show it.
    pub torn: u32,
    /// The engine dies before a batch is written.
    pub crash: u32,
    /// A read fails.
    pub read: u32,
    /// Every answer first lets others run for up to this many turns.
    pub delay: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    Before,
    After,
    Torn,
    Crash,
}

impl FaultPlan {
    /// No faults at all: a beginning, to set fields of.
    #[must_use]
    pub fn none(rng: Arc<dyn Rng>) -> Self {
        Self { rng, before: 0, after: 0, torn: 0, crash: 0, read: 0, delay: 0 }
    }

    pub(super) fn draw(&self) -> Fault {
        let mut dice = self.rng.below(1000);
        let kinds = [
            (self.before, Fault::Before),
            (self.after, Fault::After),
            (self.torn, Fault::Torn),
            (self.crash, Fault::Crash),
        ];
        for (share, fault) in kinds {
            if dice < u64::from(share) {
                return fault;
            }
            dice -= u64::from(share);
        }
        Fault::None
    }

    pub(super) fn draw_read(&self) -> bool {
        self.read > 0 && self.rng.below(1000) < u64::from(self.read)
    }

    pub(super) fn draw_delay(&self) -> u64 {
        if self.delay == 0 { 0 } else { self.rng.below(u64::from(self.delay) + 1) }
    }
}

#[cfg(test)]
mod tests {
    use base::SeededRng;

    use super::*;

    #[test]
    fn shares_are_kept_and_repeat_from_the_seed() {
        let draw = |seed| {
            let mut plan = FaultPlan::none(Arc::new(SeededRng::new(seed)));
            (plan.before, plan.after, plan.torn, plan.crash) = (100, 200, 50, 25);
            (0..20_000).map(|_| plan.draw()).collect::<Vec<_>>()
        };
        let drawn = draw(1);
        assert_eq!(drawn, draw(1));
        for (fault, share) in [
            (Fault::Before, 100),
            (Fault::After, 200),
            (Fault::Torn, 50),
            (Fault::Crash, 25),
            (Fault::None, 625),
        ] {
            let seen = drawn.iter().filter(|one| **one == fault).count() / 20;
            assert!(seen.abs_diff(share) < 20, "{fault:?}: {seen} of a thousand");
        }
    }

    #[test]
    fn none_is_none() {
        let plan = FaultPlan::none(Arc::new(SeededRng::new(1)));
        assert!((0..1000).all(|_| plan.draw() == Fault::None && !plan.draw_read() && plan.draw_delay() == 0));
    }
}
