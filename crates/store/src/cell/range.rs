//! Ranges of typed keys.

use std::ops::Bound;

use crate::codec::{KeyCodec, key_bytes};
use crate::scan::successor;

/// A range of the keys of one keyspace within one resource. Built from parts: `KeyRange::prefix(&thread)` is every key
/// that begins with that thread, `.before(&(thread, message))` ends it below that message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    pub(super) from: Bound<Vec<u8>>,
    pub(super) to: Bound<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    #[must_use]
    pub const fn all() -> Self {
        Self { from: Bound::Unbounded, to: Bound::Unbounded }
    }

    /// Every key that begins with these parts.
    #[must_use]
    pub fn prefix(parts: &impl KeyCodec) -> Self {
        let prefix = key_bytes(parts);
        let to = successor(&prefix).map_or(Bound::Unbounded, Bound::Excluded);
        Self { from: Bound::Included(prefix), to }
    }

    /// Only keys greater than this one. It replaces the smaller end, so the key should lie in the range.
    #[must_use]
    pub fn after(self, key: &impl KeyCodec) -> Self {
        Self { from: Bound::Excluded(key_bytes(key)), ..self }
    }

    /// Only this key and greater ones. It replaces the smaller end, so the key should lie in the range.
    #[must_use]
    pub fn starting_at(self, key: &impl KeyCodec) -> Self {
        Self { from: Bound::Included(key_bytes(key)), ..self }
    }

    /// Only keys smaller than this one. It replaces the greater end, so the key should lie in the range.
    #[must_use]
    pub fn before(self, key: &impl KeyCodec) -> Self {
        Self { to: Bound::Excluded(key_bytes(key)), ..self }
    }

    /// Only this key and smaller ones. It replaces the greater end, so the key should lie in the range.
    #[must_use]
    pub fn ending_at(self, key: &impl KeyCodec) -> Self {
        Self { to: Bound::Included(key_bytes(key)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_replaced_one_by_one() {
        let range = KeyRange::prefix(&7_u8);
        assert_eq!(range, KeyRange { from: Bound::Included(vec![7]), to: Bound::Excluded(vec![8]) });
        let upper = range.clone().after(&(7_u8, 3_u8));
        assert_eq!(upper, KeyRange { from: Bound::Excluded(vec![7, 3]), to: Bound::Excluded(vec![8]) });
        let lower = range.starting_at(&(7_u8, 1_u8)).before(&(7_u8, 9_u8));
        assert_eq!(lower, KeyRange { from: Bound::Included(vec![7, 1]), to: Bound::Excluded(vec![7, 9]) });
        assert_eq!(KeyRange::all().ending_at(&1_u8).to, Bound::Included(vec![1]));
        assert_eq!(KeyRange::prefix(&0xFF_u8).to, Bound::Unbounded);
    }
}
