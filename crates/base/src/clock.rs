//! Time as an argument. Nothing else in the product may ask the machine what time it is (law 7); `clippy.toml` bans it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

const HTTP_DATE: &[FormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
const SEVEN_DIGITS: &[FormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]Z");

/// The last millisecond of the year 9999, the greatest instant RFC 3339 can write.
const LATEST: u64 = 253_402_300_799_999;

/// An instant: whole milliseconds since 1970-01-01T00:00:00Z, never past the year 9999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The beginning of 1970.
    pub const EPOCH: Self = Self(0);

    /// From milliseconds since 1970; later than the year 9999 is held at its end.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(if millis > LATEST { LATEST } else { millis })
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down: the unit of JWT times (RFC 7519 NumericDate).
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// This instant moved later; held at the end of the year 9999.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }

    /// This instant moved earlier; held at 1970.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How far apart two instants are, whichever comes first.
    #[must_use]
    pub const fn distance(self, other: Self) -> Duration {
        Duration::from_millis(self.0.abs_diff(other.0))
    }

    /// The form ACS uses in bodies: `2026-11-23T08:00:00.1230000Z`, always UTC with seven fraction digits.
    #[must_use]
    pub fn to_iso(self) -> String {
        self.date().format(SEVEN_DIGITS).unwrap_or_default()
    }

    /// Reads RFC 3339 with any offset and any number of fraction digits, cut to milliseconds.
    /// `None` when it is not a date, or lies before 1970.
    #[must_use]
    pub fn parse_iso(text: &str) -> Option<Self> {
        Self::from_date(OffsetDateTime::parse(text, &Rfc3339).ok()?)
    }

    /// RFC 9110 IMF-fixdate: `Mon, 23 Nov 2026 08:00:00 GMT`.
    #[must_use]
    pub fn to_http_date(self) -> String {
        self.date().format(HTTP_DATE).unwrap_or_default()
    }

    /// Reads IMF-fixdate, the only form the Azure SDKs send in `x-ms-date`.
    #[must_use]
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let date = time::PrimitiveDateTime::parse(text, HTTP_DATE).ok()?;
        Self::from_date(date.assume_utc())
    }

    fn date(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    fn from_date(date: OffsetDateTime) -> Option<Self> {
        let millis = u64::try_from(date.unix_timestamp_nanos().div_euclid(1_000_000)).ok()?;
        (millis <= LATEST).then_some(Self(millis))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_iso())
    }
}

/// What time it is. Passed in wherever the answer matters.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// The machine's clock: the one place that asks it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        clippy::disallowed_types,
        reason = "the one place where the machine is asked for the time"
    )]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A clock that stands still until it is told to move: for tests and simulation.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Standing at `start`.
    #[must_use]
    pub const fn new(start: Timestamp) -> Self {
        Self(AtomicU64::new(start.0))
    }

    /// Moves on by `by`.
    pub fn advance(&self, by: Duration) {
        let next = self.now().plus(by);
        self.0.store(next.0, Ordering::SeqCst);
    }

    /// Jumps to `to`, also backwards, as a machine whose clock is corrected does.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: u64 = 1_795_420_800_123;

    #[test]
    fn writes_and_reads_what_acs_writes() {
        let t = Timestamp::from_millis(MOMENT);
        assert_eq!(t.to_iso(), "2026-11-23T08:00:00.1230000Z");
        assert_eq!(Timestamp::parse_iso(&t.to_iso()), Some(t));
        assert_eq!(Timestamp::parse_iso("2026-11-23T09:00:00.123456+01:00"), Some(t));
        assert_eq!(Timestamp::parse_iso("2026-11-23T08:00:00Z"), Some(Timestamp::from_millis(MOMENT - 123)));
    }

    #[test]
    fn http_dates_round_trip_in_whole_seconds() {
        let t = Timestamp::from_millis(MOMENT);
        assert_eq!(t.to_http_date(), "Mon, 23 Nov 2026 08:00:00 GMT");
        assert_eq!(
            Timestamp::parse_http_date("Mon, 23 Nov 2026 08:00:00 GMT"),
            Some(Timestamp::from_millis(MOMENT - 123))
        );
    }

    #[test]
    fn refuses_what_is_no_date() {
        for bad in ["", "yesterday", "2026-13-01T00:00:00Z", "1969-12-31T23:59:59Z", "2026-11-23", "-1"] {
            assert_eq!(Timestamp::parse_iso(bad), None, "{bad}");
            assert_eq!(Timestamp::parse_http_date(bad), None, "{bad}");
        }
    }

    #[test]
    fn arithmetic_stays_within_the_calendar() {
        let end = Timestamp::from_millis(u64::MAX);
        assert_eq!(end.to_iso(), "9999-12-31T23:59:59.9990000Z");
        assert_eq!(end.plus(Duration::from_secs(1)), end);
        assert_eq!(Timestamp::EPOCH.minus(Duration::from_secs(1)), Timestamp::EPOCH);
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::new(Timestamp::from_millis(5));
        assert_eq!(clock.now().as_millis(), 5);
        clock.advance(Duration::from_millis(7));
        assert_eq!(clock.now().as_millis(), 12);
        clock.set(Timestamp::EPOCH);
        assert_eq!(clock.now(), Timestamp::EPOCH);
    }
}
