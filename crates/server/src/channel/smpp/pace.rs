//! How fast a carrier may be sent to: so many a second as its contract says, and not at all for a while when it says that
//! it was too fast.

use std::time::Duration;

use base::Timestamp;

/// The first pause after a carrier said it was too fast; each further one without success between doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(32);
/// How much may be sent at once, in microseconds of the rate.
const BURST: u64 = 100_000;

/// The pace of one carrier.
#[derive(Debug)]
pub(super) struct Pace {
    /// Microseconds that one segment takes; 0 without a rate.
    interval: u64,
    /// When the next segment would be due if all were sent evenly, in microseconds.
    due: u64,
    paused: Timestamp,
    pauses: u32,
}

impl Pace {
    pub(super) fn new(rate: Option<u32>) -> Self {
        let interval = rate.map_or(0, |rate| 1_000_000 / u64::from(rate.max(1)));
        Self { interval, due: 0, paused: Timestamp::EPOCH, pauses: 0 }
    }

    /// How long the pause goes on.
    pub(super) fn pause(&self, now: Timestamp) -> Option<Duration> {
        (self.paused > now).then(|| self.paused.distance(now))
    }

    /// The carrier said it was too fast. Those who hear it at once count as one.
    pub(super) fn throttled(&mut self, now: Timestamp) -> Duration {
        if let Some(left) = self.pause(now) {
            return left;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.pauses.min(6)).min(LONGEST_PAUSE);
        self.pauses += 1;
        self.paused = now.plus(pause);
        pause
    }

    /// The carrier took something.
    pub(super) const fn took(&mut self) {
        self.pauses = 0;
    }

    /// Takes the place of `segments`; how long to wait before they are sent.
    pub(super) fn reserve(&mut self, segments: u64, now: Timestamp) -> Duration {
        let micros = now.as_millis().saturating_mul(1000);
        let start = self.due.max(micros.saturating_sub(BURST));
        self.due = start.saturating_add(self.interval.saturating_mul(segments));
        Duration::from_micros(start.saturating_sub(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_000_000_000);

    #[test]
    fn a_rate_is_kept_after_a_short_burst() {
        let mut pace = Pace::new(Some(100));
        let waits: Vec<_> = (0..20).map(|_| pace.reserve(1, START).as_millis()).collect();
        assert_eq!(waits[..11], [0; 11], "a tenth of a second's worth, and one");
        assert_eq!(waits[11..], [10, 20, 30, 40, 50, 60, 70, 80, 90]);
        let later = START.plus(Duration::from_secs(60));
        assert_eq!(pace.reserve(20, later), Duration::ZERO);
        assert_eq!(
            pace.reserve(1, later),
            Duration::from_millis(100),
            "long silence saves no more than a burst"
        );
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let mut pace = Pace::new(None);
        assert!((0..1000).all(|_| pace.reserve(1, START).is_zero()));
    }

    #[test]
    fn pauses_double_until_something_is_taken() {
        let mut pace = Pace::new(None);
        let mut now = START;
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let pause = pace.throttled(now);
            assert_eq!(pace.throttled(now), pause, "told by all of a window, counted once");
            assert_eq!(pace.pause(now), Some(pause));
            now = now.plus(pause);
            assert_eq!(pace.pause(now), None);
            pauses.push(pause.as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 32, 32]);
        pace.took();
        assert_eq!(pace.throttled(now).as_secs(), 1);
    }
}
