//! The one place that asks the machine how much time has passed: real time is what a benchmark is about.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures the passing of real time")]

use std::time::{Duration, Instant};

/// Time since it was started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it has run.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// How long it has run, in seconds.
    pub(crate) fn seconds(self) -> f64 {
        self.elapsed().as_secs_f64()
    }

    /// How long it has run, in microseconds; 71 minutes at most.
    pub(crate) fn micros(self) -> u32 {
        u32::try_from(self.elapsed().as_micros()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_forward_and_agrees_with_itself() {
        let watch = Stopwatch::start();
        let (first, second) = (watch.elapsed(), watch.elapsed());
        assert!(second >= first);
        assert!(f64::from(watch.micros()) <= watch.seconds() * 1e6 + 1.0);
    }
}
