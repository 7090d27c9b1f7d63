//! Reading a range of keys in order. It knows byte order, never what the keys mean.

use std::ops::Bound;

use base::ResourceId;

use crate::keyspace::KeyspaceDef;

/// The most rows one scan returns.
pub const MAX_SCAN: usize = 10_000;

/// Which end of the range comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest key first.
    Forward,
    /// Greatest key first.
    Backward,
}

/// A range of the keys of one resource in one keyspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The map.
    pub keyspace: &'static KeyspaceDef,
    /// Whose rows.
    pub resource: ResourceId,
    /// Where the range begins: its smaller end, whatever the direction.
    pub from: Bound<Vec<u8>>,
    /// Where the range ends: its greater end, whatever the direction.
    pub to: Bound<Vec<u8>>,
    /// Which end comes first.
    pub direction: Direction,
    /// The most rows to return; more than [`MAX_SCAN`] is taken as that.
    pub limit: usize,
}

impl Scan {
    /// Every key that begins with `prefix`.
    #[must_use]
    pub fn prefix(
        keyspace: &'static KeyspaceDef,
        resource: ResourceId,
        prefix: Vec<u8>,
        direction: Direction,
        limit: usize,
    ) -> Self {
        let to = successor(&prefix).map_or(Bound::Unbounded, Bound::Excluded);
        Self { keyspace, resource, from: Bound::Included(prefix), to, direction, limit }
    }

    /// The limit that holds.
    #[must_use]
    pub fn capped(&self) -> usize {
        self.limit.min(MAX_SCAN)
    }

    /// The range as "at least" and "below" (`None`: to the end), which says the same in fewer cases: the next key
    /// after `k` in byte order is `k` followed by a zero byte.
    #[must_use]
    pub fn half_open(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        let low = match &self.from {
            Bound::Unbounded => Vec::new(),
            Bound::Included(key) => key.clone(),
            Bound::Excluded(key) => after(key),
        };
        let high = match &self.to {
            Bound::Unbounded => None,
            Bound::Included(key) => Some(after(key)),
            Bound::Excluded(key) => Some(key.clone()),
        };
        (low, high)
    }
}

/// The next key in byte order.
fn after(key: &[u8]) -> Vec<u8> {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    next
}

/// The smallest key greater than every key that begins with `prefix`; `None` when there is no such key (the prefix is
/// empty or all 0xFF).
#[must_use]
pub fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|b| *b != 0xFF)?;
    let mut next = prefix[..=kept].to_vec();
    next[kept] += 1;
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::Class;

    static DEF: KeyspaceDef = KeyspaceDef { name: "t", class: Class::Content };

    #[test]
    fn the_successor_is_just_past_every_key_with_the_prefix() {
        assert_eq!(successor(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(successor(&[1, 0xFF, 0xFF]), Some(vec![2]));
        assert_eq!(successor(&[0xFF, 0, 0xFF]), Some(vec![0xFF, 1]));
        assert_eq!(successor(&[0xFF; 3]), None);
        assert_eq!(successor(&[]), None);
    }

    #[test]
    fn half_open_says_the_same_as_the_bounds() {
        let keys: Vec<Vec<u8>> =
            [&[][..], &[0], &[1], &[1, 0], &[1, 0, 0], &[1, 1], &[2], &[0xFF], &[0xFF, 0xFF]]
                .iter()
                .map(|key| key.to_vec())
                .collect();
        let bounds =
            |key: &Vec<u8>| [Bound::Unbounded, Bound::Included(key.clone()), Bound::Excluded(key.clone())];
        for from in keys.iter().flat_map(bounds) {
            for to in keys.iter().flat_map(bounds) {
                let scan = Scan {
                    keyspace: &DEF,
                    resource: ResourceId::CELL,
                    from: from.clone(),
                    to: to.clone(),
                    direction: Direction::Forward,
                    limit: 1,
                };
                let (low, high) = scan.half_open();
                for key in &keys {
                    let over = match &from {
                        Bound::Unbounded => true,
                        Bound::Included(b) => key >= b,
                        Bound::Excluded(b) => key > b,
                    };
                    let under = match &to {
                        Bound::Unbounded => true,
                        Bound::Included(b) => key <= b,
                        Bound::Excluded(b) => key < b,
                    };
                    let inside = *key >= low && high.as_ref().is_none_or(|high| key < high);
                    assert_eq!(inside, over && under, "{key:?} in {from:?}..{to:?}");
                }
            }
        }
    }

    #[test]
    fn a_scan_is_capped() {
        let mut scan = Scan::prefix(&DEF, ResourceId::CELL, vec![3], Direction::Backward, usize::MAX);
        assert_eq!(scan.capped(), MAX_SCAN);
        assert_eq!(scan.half_open(), (vec![3], Some(vec![4])));
        scan.limit = 5;
        assert_eq!(scan.capped(), 5);
    }
}
