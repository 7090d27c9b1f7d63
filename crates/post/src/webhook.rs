//! What follows from the answer of a webhook: delivered, tried again and when, or given up and why. The times are those
//! of Event Grid (behaviour, section 6).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The waits after the first, second ... failed attempt; the last one repeats.
const SCHEDULE: [Duration; 10] = [
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(600),
    Duration::from_secs(1_800),
    Duration::from_secs(3_600),
    Duration::from_secs(3 * 3_600),
    Duration::from_secs(6 * 3_600),
    Duration::from_secs(12 * 3_600),
];

/// What came of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It answered with this status.
    Status(u16),
    /// It did not answer in time.
    TimedOut,
    /// Its name leads nowhere.
    Resolution,
    /// It cannot be reached, or not by TLS, or it speaks no HTTP.
    Socket,
    /// Its address is one that the operator does not allow.
    NotAllowed,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It was told.
    Delivered,
    /// Try again, not before this time has passed.
    Again(Duration),
    /// Give up, for this reason.
    GiveUp(&'static str),
}

impl Outcome {
    /// As dead letters name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status(200..=204) => "Success",
            Self::Status(400) => "BadRequest",
            Self::Status(401) => "Unauthorized",
            Self::Status(403) => "Forbidden",
            Self::Status(404) => "NotFound",
            Self::Status(408) | Self::TimedOut => "TimedOut",
            Self::Status(413) => "PayloadTooLarge",
            Self::Status(429 | 503) => "Busy",
            Self::Status(_) => "GenericError",
            Self::Resolution => "ResolutionError",
            Self::Socket => "SocketError",
            Self::NotAllowed => "Forbidden",
        }
    }

    /// Whether the event was told: 200 to 204 and nothing else.
    #[must_use]
    pub const fn is_delivered(self) -> bool {
        matches!(self, Self::Status(200..=204))
    }

    /// Whether no later attempt can end otherwise.
    const fn is_final(self) -> bool {
        matches!(self, Self::Status(400 | 401 | 413))
    }

    /// The least wait that the answer asks for.
    const fn at_least(self) -> Duration {
        match self {
            Self::Status(401 | 403 | 404) => Duration::from_secs(300),
            Self::Status(408) => Duration::from_secs(120),
            Self::Status(503) => Duration::from_secs(30),
            _ => Duration::from_secs(10),
        }
    }
}

/// What follows `outcome` of attempt number `attempt` (the first is 1) of at most `most`. `jitter`, below 1024, lengthens
/// the wait by up to a tenth, so that what failed together does not come back together.
#[must_use]
pub fn next(outcome: Outcome, attempt: u16, most: u8, jitter: u16) -> Next {
    if outcome.is_delivered() {
        return Next::Delivered;
    }
    if outcome.is_final() {
        return Next::GiveUp("UndeliverableDueToClientError");
    }
    if attempt >= u16::from(most) {
        return Next::GiveUp("MaxDeliveryAttemptsExceeded");
    }
    let step = usize::from(attempt.saturating_sub(1)).min(SCHEDULE.len() - 1);
    let wait = SCHEDULE[step].max(outcome.at_least());
    Next::Again(wait + wait * u32::from(jitter.min(1_023)) / 10_240)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(outcome: Outcome, attempt: u16) -> u64 {
        match next(outcome, attempt, 30, 0) {
            Next::Again(wait) => wait.as_secs(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_200_to_204_is_delivered() {
        for status in 200..=204 {
            assert_eq!(next(Outcome::Status(status), 1, 30, 0), Next::Delivered);
        }
        for status in [100, 199, 205, 299, 301, 302, 307, 404, 500] {
            assert!(matches!(next(Outcome::Status(status), 1, 30, 0), Next::Again(_)), "{status}");
        }
    }

    #[test]
    fn waits_follow_the_schedule() {
        let waits: Vec<u64> = (1..=12).map(|attempt| wait(Outcome::Status(500), attempt)).collect();
        assert_eq!(waits, [10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200, 43200, 43200]);
        assert_eq!(wait(Outcome::Status(500), u16::from(u8::MAX).min(29)), 43200);
    }

    #[test]
    fn some_answers_ask_for_more_time() {
        assert_eq!(wait(Outcome::Status(404), 1), 300);
        assert_eq!(wait(Outcome::Status(403), 5), 600, "the schedule is longer by then");
        assert_eq!(wait(Outcome::Status(408), 1), 120);
        assert_eq!(wait(Outcome::Status(503), 1), 30);
        assert_eq!(wait(Outcome::TimedOut, 1), 10);
    }

    #[test]
    fn some_answers_are_final() {
        for status in [400, 401, 413] {
            let given_up = next(Outcome::Status(status), 1, 30, 0);
            assert_eq!(given_up, Next::GiveUp("UndeliverableDueToClientError"), "{status}");
        }
        assert_eq!(next(Outcome::Socket, 30, 30, 0), Next::GiveUp("MaxDeliveryAttemptsExceeded"));
        assert!(matches!(next(Outcome::Socket, 29, 30, 0), Next::Again(_)));
        assert_eq!(next(Outcome::Socket, 1, 1, 0), Next::GiveUp("MaxDeliveryAttemptsExceeded"));
    }

    #[test]
    fn jitter_lengthens_by_at_most_a_tenth() {
        for jitter in [0, 1, 512, 1023, u16::MAX] {
            let Next::Again(wait) = next(Outcome::Socket, 1, 30, jitter) else { panic!("again") };
            assert!((10_000..=11_000).contains(&wait.as_millis()), "{jitter}: {wait:?}");
        }
    }

    #[test]
    fn outcomes_have_the_names_of_event_grid() {
        let names = [
            (Outcome::Status(404), "NotFound"),
            (Outcome::Status(302), "GenericError"),
            (Outcome::TimedOut, "TimedOut"),
            (Outcome::Resolution, "ResolutionError"),
            (Outcome::Socket, "SocketError"),
            (Outcome::Status(503), "Busy"),
        ];
        for (outcome, name) in names {
            assert_eq!(outcome.name(), name);
        }
    }
}
