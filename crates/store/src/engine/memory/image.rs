//! The durable image of the memory engine: rows with their past, as far back as some reader still looks.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use base::ResourceId;
use guard::Sealed;

use crate::commit::{Row, RowKey};
use crate::engine::EngineError;
use crate::engine::overlay::{Base, Change, Reload, end};
use crate::keyspace::KeyspaceDef;
use crate::scan::{Direction, Scan};

/// A row as it was from one commit on; `None` when it was not there.
struct Stamped {
    since: u64,
    row: Option<(Sealed, u64)>,
}

#[derive(Default)]
pub(super) struct Image {
    keyspaces: BTreeSet<&'static str>,
    rows: BTreeMap<RowKey, Vec<Stamped>>,
    /// What a batch wrote before it was torn. Never read, only dropped.
    uncommitted: Vec<(RowKey, Change)>,
    /// The number of the last batch.
    last: u64,
    /// How many views look at each past batch.
    readers: BTreeMap<u64, usize>,
    /// Rows that have a past, or are gone, and can be tidied when nobody looks back.
    stale: BTreeSet<RowKey>,
}

impl Image {
    pub(super) fn prepare(&mut self, keyspaces: &[&'static KeyspaceDef]) {
        self.keyspaces.extend(keyspaces.iter().map(|one| one.name));
    }

    pub(super) fn has(&self, keyspace: &KeyspaceDef) -> bool {
        self.keyspaces.contains(keyspace.name)
    }

    pub(super) fn known(&self, keyspace: &'static KeyspaceDef) -> Result<(), EngineError> {
        if self.has(keyspace) { Ok(()) } else { Err(EngineError::UnknownKeyspace(keyspace.name)) }
    }

    pub(super) fn get(&self, row: &RowKey, at: u64) -> Option<Row> {
        as_row(row, visible(self.rows.get(row)?, at)?)
    }

    pub(super) fn scan(&self, scan: &Scan, at: u64) -> Vec<Row> {
        let (low, high) = scan.half_open();
        let name = |key| RowKey { keyspace: scan.keyspace, resource: scan.resource, key };
        let high = high.map_or_else(|| end(&name(Vec::new())), |key| Bound::Excluded(name(key)));
        let low = name(low);
        if matches!(&high, Bound::Excluded(high) if *high <= low) {
            return Vec::new();
        }
        let range = self.rows.range((Bound::Included(low), high));
        let seen = |(key, past): (&RowKey, &Vec<Stamped>)| as_row(key, visible(past, at)?);
        match scan.direction {
            Direction::Forward => range.filter_map(seen).take(scan.capped()).collect(),
            Direction::Backward => range.rev().filter_map(seen).take(scan.capped()).collect(),
        }
    }

    /// Makes a batch visible, all at once.
    pub(super) fn commit(&mut self, changes: Vec<(RowKey, Change)>) {
        self.last += 1;
        for (key, change) in changes {
            let row = match change {
                Change::Put(value, version) => Some((value, version)),
                Change::Gone => None,
            };
            self.rows.entry(key.clone()).or_default().push(Stamped { since: self.last, row });
            self.stale.insert(key);
        }
        self.tidy();
    }

    /// Writes part of a batch without committing it.
    pub(super) fn tear(&mut self, changes: impl Iterator<Item = (RowKey, Change)>) {
        self.uncommitted.extend(changes);
    }

    /// What opening does after a crash.
    pub(super) fn recover(&mut self) {
        self.uncommitted.clear();
        self.readers.clear();
        self.tidy();
    }

    pub(super) fn pin(&mut self) -> u64 {
        *self.readers.entry(self.last).or_default() += 1;
        self.last
    }

    pub(super) fn unpin(&mut self, at: u64) {
        if let Some(count) = self.readers.get_mut(&at) {
            *count -= 1;
            if *count == 0 {
                self.readers.remove(&at);
            }
        }
        self.tidy();
    }

    pub(super) fn resources(&self) -> Vec<ResourceId> {
        let live = self.rows.iter().filter(|(_, past)| past.last().is_some_and(|one| one.row.is_some()));
        live.map(|(key, _)| key.resource).collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub(super) fn size(&self) -> u64 {
        let bytes = self.rows.iter().flat_map(|(key, past)| {
            past.iter()
                .map(|one| key.key.len() + one.row.as_ref().map_or(0, |(value, _)| value.as_bytes().len()))
        });
        bytes.map(|len| len as u64).sum()
    }

    /// Forgets the past that no view looks at. It waits while anyone looks back, so a commit beside a reader is cheap.
    fn tidy(&mut self) {
        if !self.readers.is_empty() {
            return;
        }
        for key in std::mem::take(&mut self.stale) {
            let Some(past) = self.rows.get_mut(&key) else { continue };
            if let Some(newest) = past.pop().filter(|newest| newest.row.is_some()) {
                past.clear();
                past.push(newest);
            } else {
                self.rows.remove(&key);
            }
        }
    }
}

impl Base for Image {
    fn version(&self, row: &RowKey) -> Option<u64> {
        visible(self.rows.get(row)?, u64::MAX)?.row.as_ref().map(|(_, version)| *version)
    }

    fn value_is(&self, row: &RowKey, value: &Sealed) -> bool {
        let found = self.rows.get(row).and_then(|past| visible(past, u64::MAX));
        found.and_then(|one| one.row.as_ref()).is_some_and(|(found, _)| found == value)
    }

    fn last(
        &self,
        keyspace: &'static KeyspaceDef,
        resource: ResourceId,
        prefix: &[u8],
        gone: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Option<Vec<u8>>, Reload> {
        let first = RowKey { keyspace, resource, key: prefix.to_vec() };
        let high = end(&first);
        let range = self.rows.range((Bound::Included(first), high)).rev();
        let live = range.filter(|(_, past)| past.last().is_some_and(|one| one.row.is_some()));
        Ok(live.map(|(key, _)| &key.key).find(|key| !gone(key)).cloned())
    }
}

fn visible(past: &[Stamped], at: u64) -> Option<&Stamped> {
    past.iter().rev().find(|one| one.since <= at)
}

fn as_row(key: &RowKey, stamped: &Stamped) -> Option<Row> {
    let (value, version) = stamped.row.as_ref()?;
    Some(Row { key: key.key.clone(), value: value.clone(), version: *version })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::Class;

    static DEF: KeyspaceDef = KeyspaceDef { name: "t", class: Class::Content };

    fn row(key: u8) -> RowKey {
        RowKey { keyspace: &DEF, resource: ResourceId::CELL, key: vec![key] }
    }

    fn put(key: u8, version: u64) -> (RowKey, Change) {
        (row(key), Change::Put(Sealed::from_stored(vec![key, version as u8]), version))
    }

    #[test]
    fn a_view_keeps_its_moment_and_the_past_is_forgotten_after_it() {
        let mut image = Image::default();
        image.commit(vec![put(1, 1), put(2, 1)]);
        let at = image.pin();
        image.commit(vec![put(1, 2), (row(2), Change::Gone), put(3, 1)]);
        assert_eq!(image.get(&row(1), at).map(|row| row.version), Some(1));
        assert_eq!(image.get(&row(2), at).map(|row| row.version), Some(1));
        assert!(image.get(&row(3), at).is_none());
        assert_eq!(image.version(&row(1)), Some(2));
        assert_eq!(image.version(&row(2)), None);
        image.unpin(at);
        assert_eq!(image.rows.len(), 2, "the deleted row left nothing");
        assert!(image.rows.values().all(|past| past.len() == 1) && image.readers.is_empty());
    }

    #[test]
    fn a_torn_batch_is_never_seen() {
        let mut image = Image::default();
        image.commit(vec![put(1, 1)]);
        image.tear([put(1, 2), put(2, 1)].into_iter());
        assert_eq!(image.version(&row(1)), Some(1));
        image.recover();
        assert!(image.uncommitted.is_empty());
        assert!(image.get(&row(2), u64::MAX).is_none());
    }
}
