//! Slows down who keeps offering credentials that do not hold.
//!
//! Counted are refused credentials per address (a whole /64 of IPv6, which one machine commonly has to itself) in
//! windows of a minute. Past the limit a credential that does not hold is answered 429 with `Retry-After`, so that
//! clients that obey stop, and nothing more can be learned from the answers than that they are refused.
//!
//! A credential that **does** hold is let in from any address, however many failures that address has. Refusing it too
//! would hand everybody behind the same NAT, and everybody on a shared host, a switch that turns the others off:
//! twenty bad requests a minute, for ever. It would gain nothing: keys have 128 bits and more and tokens are signed,
//! so no rate of guessing finds one, and checking one costs less than the TLS handshake before it. A success does not
//! take anything back from the count either, else a guesser who also has an account would never be slowed down.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base::{BoundedCache, Timestamp};

/// Addresses remembered; the least lately used half makes room. About 5 MB when full.
const REMEMBERED: usize = 65_536;
const WINDOW: Duration = Duration::from_secs(60);

struct Window {
    began: Timestamp,
    failures: u32,
}

/// Refused credentials by address.
pub(crate) struct Failures {
    limit: u32,
    table: Mutex<BoundedCache<IpAddr, Window>>,
}

impl Failures {
    /// Answers normally up to `limit` failures per address and minute.
    pub(crate) fn new(limit: u32) -> Self {
        Self { limit, table: Mutex::new(BoundedCache::new(REMEMBERED)) }
    }

    /// Counts one refused credential. Past the limit: after how many seconds the address starts anew.
    pub(crate) fn count(&self, peer: IpAddr, now: Timestamp) -> Option<u32> {
        let (failures, left) = self.fail(peer, now);
        (failures > self.limit).then(|| seconds(left))
    }

    /// Counts one refused credential: how many the address has by now, and until when they count.
    pub(crate) fn fail(&self, peer: IpAddr, now: Timestamp) -> (u32, Duration) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let source = source(peer);
        let fresh = Window { began: now, failures: 0 };
        let Some(window) = table.get_mut(&source) else {
            table.insert(source, Window { failures: 1, ..fresh });
            return (1, WINDOW);
        };
        // A clock that was set back begins a new window rather than an endless one.
        if now < window.began || now.distance(window.began) >= WINDOW {
            *window = fresh;
        }
        window.failures = window.failures.saturating_add(1);
        (window.failures, WINDOW.saturating_sub(now.distance(window.began)))
    }
}

/// Whole seconds, rounded up, at least one.
pub(crate) fn seconds(left: Duration) -> u32 {
    u32::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
}

fn source(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_795_420_800_000);

    fn at(secs: u64) -> Timestamp {
        START.plus(Duration::from_secs(secs))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn slows_down_past_the_limit_and_forgets_after_a_minute() {
        let failures = Failures::new(3);
        let peer = ip("192.0.2.1");
        for secs in [0, 1, 2] {
            assert_eq!(failures.count(peer, at(secs)), None, "at the limit");
        }
        assert_eq!(failures.count(peer, at(10)), Some(50), "past it, until the window ends");
        assert_eq!(failures.count(peer, at(59)), Some(1));
        assert_eq!(failures.count(peer, at(60)), None, "a new window");
    }

    #[test]
    fn each_address_has_its_own_count() {
        let failures = Failures::new(1);
        for peer in ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"] {
            assert_eq!(failures.count(ip(peer), at(0)), None, "{peer}");
        }
        assert!(failures.count(ip("::ffff:192.0.2.1"), at(0)).is_some(), "the same machine, mapped");
        assert!(failures.count(ip("2001:db8::2"), at(0)).is_some(), "the same /64");
    }

    #[test]
    fn a_clock_set_back_does_not_lock_anyone_out() {
        let failures = Failures::new(1);
        failures.count(ip("192.0.2.1"), at(3600));
        assert_eq!(failures.count(ip("192.0.2.1"), at(0)), None);
        assert_eq!(failures.count(ip("192.0.2.1"), at(0)), Some(60));
    }

    #[test]
    fn the_table_does_not_outgrow_its_bound() {
        let failures = Failures::new(1);
        for n in 0..u32::try_from(REMEMBERED).unwrap() * 2 {
            failures.count(IpAddr::V4(n.into()), at(0));
        }
        assert!(failures.table.lock().unwrap().len() <= REMEMBERED);
    }

    #[test]
    fn a_limit_of_none_slows_down_at_once() {
        assert_eq!(Failures::new(0).count(ip("192.0.2.1"), at(0)), Some(60));
    }
}
