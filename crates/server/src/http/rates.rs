//! How often each operation may be called, by the rates of its row. Counted exactly: at most `max` requests in any
//! `window` seconds, refused ones among them (ACS behaviour, section 8), so who keeps knocking stays outside.
//!
//! Each node counts for itself, so over several nodes a limit is as many times as wide. What is counted is bounded: a
//! counter holds the last `max` requests at four bytes each, and the least lately used counters make room.

use std::collections::VecDeque;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base::{BoundedCache, ResourceId, ThreadId, Timestamp, UserId};
use wire::ApiError;
use wire::operation::{Operation, Per, Rate};

use super::failures::seconds;

/// Counters held by one node.
const REMEMBERED: usize = 65_536;
const SHARDS: usize = 16;

/// Which limits hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// None: the operator limits requests elsewhere, or not at all.
    #[default]
    Off,
    /// Those of ACS.
    Acs,
}

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    bucket: &'static str,
    window_secs: u32,
    resource: ResourceId,
    user: Option<UserId>,
    thread: Option<ThreadId>,
    /// The hash of a number or name that texts are sent from.
    sender: Option<[u8; 16]>,
}

/// The latest requests, oldest first, in milliseconds since `began`.
struct Counter {
    began: Timestamp,
    latest: VecDeque<u32>,
}

/// Requests counted against the rates of their operations.
pub(crate) struct Rates {
    profile: Profile,
    shards: Vec<Mutex<BoundedCache<Key, Counter>>>,
}

impl Rates {
    pub(crate) fn new(profile: Profile) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::new(BoundedCache::new(REMEMBERED / SHARDS))).collect();
        Self { profile, shards }
    }

    /// Counts a request whose caller is known, against all rates but those per thread.
    ///
    /// # Errors
    /// 429 past one of them.
    pub(crate) fn count(
        &self,
        operation: &Operation,
        resource: ResourceId,
        user: Option<UserId>,
        thread: Option<ThreadId>,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        self.each(operation, now, |rate| match rate.per {
            Per::Thread => None,
            Per::Resource => Some(Key::new(rate, resource, None, None)),
            Per::User => Some(Key::new(rate, resource, user, None)),
            Per::UserAndThread => Some(Key::new(rate, resource, user, thread)),
        })
    }

    /// Counts a request in a thread that its caller is known to belong to, against the rates per thread.
    ///
    /// # Errors
    /// 429 past one of them.
    pub(crate) fn count_thread(
        &self,
        operation: &Operation,
        resource: ResourceId,
        thread: ThreadId,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        self.each(operation, now, |rate| {
            (rate.per == Per::Thread).then(|| Key::new(rate, resource, None, Some(thread)))
        })
    }

    /// Counts one text of a sender, or of all senders of a kind when none is named, against a rate that no row has.
    ///
    /// # Errors
    /// 429 past it.
    pub(crate) fn count_sender(
        &self,
        rate: &Rate,
        resource: ResourceId,
        sender: Option<[u8; 16]>,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        if self.profile == Profile::Off {
            return Ok(());
        }
        let key = Key { sender, ..Key::new(rate, resource, None, None) };
        self.hit(rate, key, now).map_or(Ok(()), |secs| Err(ApiError::too_many_requests(secs)))
    }

    /// Counts against every rate for which `key` gives one, and refuses for as long as the slowest of them needs.
    fn each(
        &self,
        operation: &Operation,
        now: Timestamp,
        key: impl Fn(&Rate) -> Option<Key>,
    ) -> Result<(), ApiError> {
        if self.profile == Profile::Off {
            return Ok(());
        }
        let counted = operation.rates.iter().filter_map(|rate| Some((rate, key(rate)?)));
        let wait = counted.filter_map(|(rate, key)| self.hit(rate, key, now)).max();
        wait.map_or(Ok(()), |secs| Err(ApiError::too_many_requests(secs)))
    }

    /// Counts one request. Past the limit: after how many seconds one would be let in, if none came until then.
    fn hit(&self, rate: &Rate, key: Key, now: Timestamp) -> Option<u32> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        let shard = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        let mut shard = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        if shard.get_mut(&key).is_none() {
            shard.insert(key, Counter { began: now, latest: VecDeque::new() });
        }
        shard.get_mut(&key).and_then(|counter| counter.hit(rate, now))
    }
}

impl Key {
    const fn new(rate: &Rate, resource: ResourceId, user: Option<UserId>, thread: Option<ThreadId>) -> Self {
        Self { bucket: rate.bucket, window_secs: rate.window_secs, resource, user, thread, sender: None }
    }
}

impl Counter {
    fn hit(&mut self, rate: &Rate, now: Timestamp) -> Option<u32> {
        let window = Duration::from_secs(rate.window_secs.into());
        let max = usize::try_from(rate.max).unwrap_or(usize::MAX);
        let elapsed = now.as_millis().checked_sub(self.began.as_millis()).map(u32::try_from);
        let offset = match elapsed {
            Some(Ok(offset)) => offset,
            // The clock was set back, or has run for 49 days: count anew rather than wrongly.
            Some(Err(_)) | None => {
                *self = Self { began: now, latest: VecDeque::new() };
                0
            }
        };
        let leaves = |at: u32| self.began.plus(Duration::from_millis(at.into())).plus(window);
        let full = self.latest.len() >= max;
        let allowed = !full || self.latest.front().is_some_and(|oldest| leaves(*oldest) <= now);
        if full {
            self.latest.pop_front();
        }
        if max > 0 {
            self.latest.push_back(offset);
        }
        if allowed {
            return None;
        }
        // The next one is let in when the oldest of the last `max` leaves the window.
        let free = self.latest.front().map_or(now.plus(window), |oldest| leaves(*oldest));
        Some(seconds(Duration::from_millis(free.as_millis().saturating_sub(now.as_millis()))))
    }
}

#[cfg(test)]
mod tests {
    use base::SeededRng;
    use wire::operation::by_name;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_795_420_800_000);

    fn at(millis: u64) -> Timestamp {
        START.plus(Duration::from_millis(millis))
    }

    fn rate(window_secs: u32, max: u32) -> Rate {
        Rate { bucket: "test", window_secs, max, per: Per::User }
    }

    fn counter() -> Counter {
        Counter { began: START, latest: VecDeque::new() }
    }

    #[test]
    fn at_the_limit_and_past_it() {
        let (mut counter, rate) = (counter(), rate(10, 3));
        for millis in [0, 1000, 2000] {
            assert_eq!(counter.hit(&rate, at(millis)), None);
        }
        // The last three are now those of 1, 2 and 3 s: the first of them leaves at 11 s.
        assert_eq!(counter.hit(&rate, at(3000)), Some(8));
        assert_eq!(counter.hit(&rate, at(11_000)), None, "after the stated wait it is let in");
    }

    #[test]
    fn refused_requests_count() {
        let (mut counter, rate) = (counter(), rate(10, 2));
        counter.hit(&rate, at(0));
        counter.hit(&rate, at(0));
        for secs in 1..60 {
            assert!(
                counter.hit(&rate, at(secs * 1000)).is_some(),
                "who keeps knocking at {secs} s stays outside"
            );
        }
        assert_eq!(counter.hit(&rate, at(67_999)), Some(2), "the last two were at 59 and 68 s");
        assert_eq!(counter.hit(&rate, at(59_000 + 30_000)), None);
    }

    #[test]
    fn no_window_of_the_length_holds_more_than_the_limit() {
        let (mut counter, rate, rng) = (counter(), rate(10, 5), SeededRng::new(4));
        let (mut now, mut allowed) = (0, Vec::new());
        for _ in 0..2000 {
            use base::Rng as _;
            now += rng.below(4000);
            if counter.hit(&rate, at(now)).is_none() {
                allowed.push(now);
            }
        }
        assert!(allowed.len() > 100, "some get in: {}", allowed.len());
        assert!(allowed.windows(6).all(|six| six[5] - six[0] >= 10_000));
    }

    #[test]
    fn odd_clocks_and_limits_do_no_harm() {
        let mut back = counter();
        for _ in 0..5 {
            back.hit(&rate(10, 1), at(1_000_000));
        }
        back.began = at(2_000_000);
        assert_eq!(back.hit(&rate(10, 1), at(0)), None, "a clock set back");
        let mut long = counter();
        assert_eq!(long.hit(&rate(10, 1), at(u64::from(u32::MAX) + 1)), None, "49 days later");
        assert_eq!(counter().hit(&rate(10, 0), at(0)), Some(10), "a limit of none");
        let mut wide = counter();
        (0..1000).for_each(|_| assert_eq!(wide.hit(&rate(30, 1000), at(0)), None));
        assert_eq!(wide.hit(&rate(30, 1000), at(0)), Some(30));
        assert_eq!(wide.latest.len(), 1000, "no longer than the limit");
    }

    #[test]
    fn who_is_counted_together() {
        let rates = Rates::new(Profile::Acs);
        let rng = SeededRng::new(1);
        let (resource, one, other) = (ResourceId::mint(&rng), UserId::mint(&rng), UserId::mint(&rng));
        let create = by_name("chat.create_thread").unwrap();
        let count =
            |user| rates.count(create, resource, Some(user), None, START).map_err(|e| e.retry_after());
        for _ in 0..10 {
            assert_eq!(count(one), Ok(()));
        }
        assert_eq!(count(one), Err(Some(10)));
        assert_eq!(count(other), Ok(()), "another user has another count");
        assert!(rates.count(create, ResourceId::mint(&rng), Some(one), None, START).is_ok());
        assert!(Rates::new(Profile::Off).count(create, resource, Some(one), None, START).is_ok());
    }

    #[test]
    fn threads_are_counted_only_for_their_own() {
        let rates = Rates::new(Profile::Acs);
        let rng = SeededRng::new(1);
        let (resource, user, thread) = (ResourceId::mint(&rng), UserId::mint(&rng), ThreadId::mint(&rng));
        let send = by_name("chat.send_message").unwrap();
        for _ in 0..100 {
            assert!(
                rates.count(send, resource, Some(user), Some(thread), START).is_ok(),
                "a stranger's knocking"
            );
        }
        for _ in 0..10 {
            assert!(rates.count_thread(send, resource, thread, START).is_ok());
        }
        let refused = rates.count_thread(by_name("chat.update_message").unwrap(), resource, thread, START);
        assert_eq!(refused.unwrap_err().retry_after(), Some(10), "one bucket for send, update and delete");
    }
}
