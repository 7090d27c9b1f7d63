//! Percentiles and medians. Percentiles are by nearest rank (the smallest value with at least that share of the sample
//! at or below it), so that every figure printed was really observed.

use serde::Serialize;

/// Latencies of single requests, in microseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies {
    micros: Vec<u32>,
}

/// What is told of a sample; milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Summary {
    /// How many were measured.
    pub(crate) count: usize,
    /// Half of them took at most this.
    pub(crate) p50_ms: f64,
    /// 99 of 100 took at most this.
    pub(crate) p99_ms: f64,
    /// The slowest.
    pub(crate) max_ms: f64,
}

impl Latencies {
    /// With room for `capacity` of them, so that measuring does not allocate.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { micros: Vec::with_capacity(capacity) }
    }

    /// Notes one.
    pub(crate) fn push(&mut self, micros: u32) {
        self.micros.push(micros);
    }

    /// Takes over those of `other`.
    pub(crate) fn merge(&mut self, mut other: Self) {
        self.micros.append(&mut other.micros);
    }

    /// How many were noted.
    pub(crate) fn len(&self) -> usize {
        self.micros.len()
    }

    /// The figures of all of them; zeros when there is none.
    pub(crate) fn summary(mut self) -> Summary {
        self.micros.sort_unstable();
        let at = |share: f64| f64::from(percentile(&self.micros, share).unwrap_or(0)) / 1000.0;
        Summary { count: self.micros.len(), p50_ms: at(0.50), p99_ms: at(0.99), max_ms: at(1.0) }
    }
}

/// The value of nearest rank at `share` (0 to 1) of a sorted sample; `None` for an empty one.
pub(crate) fn percentile(sorted: &[u32], share: f64) -> Option<u32> {
    let count = sorted.len();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank of a sample that fits in memory, not negative"
    )]
    let rank = (share.clamp(0.0, 1.0) * count as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// The middle value, or the mean of the two in the middle; `None` when there is no value.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 0 { f64::midpoint(values[middle - 1], upper) } else { upper })
}

/// `part` of `whole` as a number; 0 when there is no whole.
pub(crate) fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_rank_gives_observed_values() {
        let sample: Vec<u32> = (1..=100).collect();
        assert_eq!(percentile(&sample, 0.50), Some(50));
        assert_eq!(percentile(&sample, 0.99), Some(99));
        assert_eq!(percentile(&sample, 0.991), Some(100));
        assert_eq!(percentile(&sample, 1.0), Some(100));
        assert_eq!(percentile(&sample, 0.0), Some(1));
    }

    #[test]
    fn small_samples() {
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(percentile(&[7], 0.01), Some(7));
        assert_eq!(percentile(&[7], 0.99), Some(7));
        assert_eq!(percentile(&[1, 9], 0.5), Some(1));
        assert_eq!(percentile(&[1, 9], 0.51), Some(9));
        assert_eq!(percentile(&[1, 9], 7.0), Some(9), "a share past the end is the end");
    }

    #[test]
    fn medians() {
        assert_eq!(median([]), None);
        assert_eq!(median([4.0]), Some(4.0));
        assert_eq!(median([9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median([9.0, 1.0, 5.0, 6.0]), Some(5.5));
    }

    #[test]
    fn summaries_merge_and_convert_to_milliseconds() {
        let (mut a, mut b) = (Latencies::with_capacity(3), Latencies::default());
        [3000, 1000, 2000].map(|v| a.push(v));
        b.push(90_500);
        a.merge(b);
        assert_eq!(a.len(), 4);
        assert_eq!(a.summary(), Summary { count: 4, p50_ms: 2.0, p99_ms: 90.5, max_ms: 90.5 });
        assert_eq!(Latencies::default().summary(), Summary::default());
    }

    #[test]
    fn ratios_survive_an_empty_whole() {
        assert!((ratio(1.0, 4.0) - 0.25).abs() < 1e-12);
        assert!(ratio(1.0, 0.0).abs() < 1e-12);
    }
}
