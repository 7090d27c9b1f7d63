//! Instants as clients write them.

use base::Timestamp;

/// Reads RFC 3339. What lies before 1970 counts as 1970: callers pass `0001-01-01` (the least value of .NET) to mean
/// "from the beginning". `None` when it is no date.
#[must_use]
pub fn parse(text: &str) -> Option<Timestamp> {
    if text.len() > 64 {
        return None;
    }
    if let Some(instant) = Timestamp::parse_iso(text) {
        return Some(instant);
    }
    let (year, rest) = text.split_at_checked(4)?;
    let early = year.bytes().all(|b| b.is_ascii_digit()) && year <= "1970";
    // The year 2000 has every day that any year has, so only the rest is judged.
    (early && Timestamp::parse_iso(&format!("2000{rest}")).is_some()).then_some(Timestamp::EPOCH)
}

/// As `expiresOn` is written by the identity service: with `+00:00` where other services write `Z`.
#[must_use]
pub fn with_offset(instant: Timestamp) -> String {
    let mut text = instant.to_iso();
    text.pop();
    text.push_str("+00:00");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_time_is_1970() {
        for early in ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.0000000+00:00", "1969-12-31T23:59:59Z"] {
            assert_eq!(parse(early), Some(Timestamp::EPOCH), "{early}");
        }
        assert_eq!(parse("1970-01-01T00:30:00+01:00"), Some(Timestamp::EPOCH));
        assert_eq!(parse("2026-11-23T08:00:00Z").map(Timestamp::as_millis), Some(1_795_420_800_000));
        assert!(parse("9999-12-31T23:59:59.9999999Z").is_some());
    }

    #[test]
    fn what_is_no_date_is_none() {
        let long = format!("2026-11-23T08:00:00.{}Z", "0".repeat(60));
        for bad in ["", "0001", "0001-13-01T00:00:00Z", "2026-11-23", "2026-11-23T08:00:00", "aé00", &long] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_identity_form() {
        let instant = Timestamp::from_millis(1_795_420_800_123);
        assert_eq!(with_offset(instant), "2026-11-23T08:00:00.1230000+00:00");
        assert_eq!(parse(&with_offset(instant)), Some(instant));
    }
}
