//! How far somebody who listens was told of everything: what an event's id stands for, and what a stream is resumed from.

use base::{MessageId, ThreadId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

/// How many threads a cursor names at most: one of more is not written, for it would not fit a header.
pub const MAX_PLACES: usize = 400;

const VERSION: u8 = 1;
/// How much of a thread's id stands for it, among the threads of one user.
const SHORT: usize = 8;

/// A thread, by the first bytes of its id.
pub type Short = [u8; SHORT];

/// How far one thread was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which thread.
    pub thread: Short,
    /// The last message.
    pub message: MessageId,
    /// The last edit or deletion, and of which message.
    pub change: (Timestamp, MessageId),
}

/// Everything up to an instant, and in some threads what came after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Of every thread all is told that is no later than this.
    pub since: Timestamp,
    /// And of these threads, that many at most: [`MAX_PLACES`].
    pub places: Vec<Place>,
}

/// The thread as a cursor names it.
#[must_use]
pub fn short(thread: ThreadId) -> Short {
    let mut short = [0; SHORT];
    short.copy_from_slice(&thread.as_bytes()[..SHORT]);
    short
}

impl Cursor {
    /// As text of A-Z, a-z, 0-9, `-` and `_`; `None` when it names too many threads.
    #[must_use]
    pub fn format(&self) -> Option<String> {
        if self.places.len() > MAX_PLACES {
            return None;
        }
        let mut out = vec![VERSION];
        let since = self.since.as_millis();
        put(&mut out, since);
        for place in &self.places {
            out.extend_from_slice(&place.thread);
            for instant in [place.message.0, place.change.0.as_millis(), place.change.1.0] {
                put(&mut out, zigzag(instant.wrapping_sub(since)));
            }
        }
        Some(BASE64.encode(out))
    }

    /// From text; `None` for what [`Self::format`] does not write.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text).ok()?;
        let mut rest = bytes.strip_prefix(&[VERSION])?;
        let since = take(&mut rest)?;
        let mut places = Vec::new();
        while !rest.is_empty() {
            let (thread, after) = rest.split_first_chunk::<SHORT>()?;
            rest = after;
            let mut instant = || Some(since.wrapping_add(unzigzag(take(&mut rest)?)));
            let (message, at, of) = (instant()?, instant()?, instant()?);
            let change = (Timestamp::from_millis(at), MessageId(of));
            places.push(Place { thread: *thread, message: MessageId(message), change });
            if places.len() > MAX_PLACES {
                return None;
            }
        }
        let cursor = Self { since: Timestamp::from_millis(since), places };
        // One way to write each alone.
        (cursor.format().as_deref() == Some(text)).then_some(cursor)
    }
}

/// Small differences, of either sign, as small numbers.
const fn zigzag(difference: u64) -> u64 {
    (difference << 1) ^ (((difference as i64) >> 63) as u64)
}

const fn unzigzag(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

/// Seven bits a byte, the lowest first, the eighth on all but the last (LEB128).
fn put(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let byte = (number & 0x7F) as u8;
        number >>= 7;
        if number == 0 {
            return out.push(byte);
        }
        out.push(byte | 0x80);
    }
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        let bits = u64::from(byte & 0x7F);
        if shift == 63 && bits > 1 {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(of: (Short, u64, u64, u64)) -> Place {
        let (thread, message, at, changed) = of;
        let change = (Timestamp::from_millis(at), MessageId(changed));
        Place { thread, message: MessageId(message), change }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(since: u64, places: Vec<(Short, u64, u64, u64)>) {
            let places: Vec<_> = places.into_iter().map(place).collect();
            let cursor = Cursor { since: Timestamp::from_millis(since), places };
            let text = cursor.format().unwrap();
            prop_assert_eq!(Cursor::parse(&text), Some(cursor));
        }

        #[test]
        fn nothing_else_is(text in "[A-Za-z0-9_-]{0,60}") {
            if let Some(cursor) = Cursor::parse(&text) {
                prop_assert_eq!(cursor.format(), Some(text));
            }
        }
    }

    #[test]
    fn it_is_short_where_little_happened() {
        let since = 1_795_420_800_000;
        let at = |n: u64| place(([n as u8; SHORT], since + n, since + n, since));
        let cursor = |many| Cursor {
            since: Timestamp::from_millis(since),
            places: (0..many).map(|n| at(n * 7)).collect(),
        };
        assert_eq!(cursor(0).format().unwrap().len(), 10);
        assert!(cursor(10).format().unwrap().len() < 200);
        assert!(cursor(MAX_PLACES as u64).format().unwrap().len() < 12 * 1024, "fits a header");
        assert_eq!(cursor(MAX_PLACES as u64 + 1).format(), None);
    }

    #[test]
    fn what_is_too_long_or_ends_early_is_refused() {
        for bad in ["", "AQ", "AQGA", "Ag", "AQD_", "a b", "AQAAAA", "ü"] {
            assert_eq!(Cursor::parse(bad), None, "{bad}");
        }
        assert!(Cursor::parse("AQA").is_some());
    }
}
