//! Evaluates the commits of a batch in order, in memory, above a base that stands still: what each commit sees is the
//! base with the effects of the commits before it. Shared by the engines that write a batch at its end.

use std::collections::BTreeMap;
use std::ops::Bound;

use base::ResourceId;
use guard::Sealed;

use crate::commit::{Commit, CommitError, Precondition, RowKey, Write};
use crate::keyspace::KeyspaceDef;
use crate::scan::successor;

/// What the base cannot answer from what was loaded; write the overlay down, load again and go on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reload;

/// The rows below the batch.
pub(crate) trait Base {
    /// The version of a row, `None` when there is none.
    fn version(&self, row: &RowKey) -> Option<u64>;

    /// Whether there is such a row with exactly this value.
    fn value_is(&self, row: &RowKey, value: &Sealed) -> bool;

    /// The greatest key with the prefix for which `gone` says no.
    fn last(
        &self,
        keyspace: &'static KeyspaceDef,
        resource: ResourceId,
        prefix: &[u8],
        gone: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Option<Vec<u8>>, Reload>;
}

/// What a batch makes of one row.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The row with its new version.
    Put(Sealed, u64),
    /// No row.
    Gone,
}

/// The effects of the commits so far.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    rows: BTreeMap<RowKey, Change>,
}

impl Overlay {
    /// Takes one commit. The inner result is its fate; on [`Reload`] the commit is given back untouched.
    pub(crate) fn take(
        &mut self,
        base: &impl Base,
        commit: Commit,
    ) -> Result<Result<(), CommitError>, (Commit, Reload)> {
        if let Err(error) = commit.measure() {
            return Ok(Err(error));
        }
        for (at, one) in commit.preconditions.iter().enumerate() {
            match self.holds(base, one) {
                Ok(true) => {}
                Ok(false) => return Ok(Err(CommitError::Conflict { precondition: at })),
                Err(reload) => return Err((commit, reload)),
            }
        }
        for write in commit.writes {
            match write {
                Write::Put(row, value) => {
                    let version = self.version(base, &row).unwrap_or(0) + 1;
                    self.rows.insert(row, Change::Put(value, version));
                }
                Write::Delete(row) => {
                    self.rows.insert(row, Change::Gone);
                }
            }
        }
        Ok(Ok(()))
    }

    /// Every row the batch changed, in the order of keys.
    pub(crate) fn into_changes(self) -> impl Iterator<Item = (RowKey, Change)> {
        self.rows.into_iter()
    }

    fn holds(&self, base: &impl Base, one: &Precondition) -> Result<bool, Reload> {
        Ok(match one {
            Precondition::Absent(row) => self.version(base, row).is_none(),
            Precondition::Exists(row) => self.version(base, row).is_some(),
            Precondition::VersionIs(row, version) => self.version(base, row) == Some(*version),
            Precondition::ValueIs(row, value) => match self.rows.get(row) {
                Some(Change::Put(found, _)) => found == value,
                Some(Change::Gone) => false,
                None => base.value_is(row, value),
            },
            Precondition::LastIs { keyspace, resource, prefix, last } => {
                self.last(base, keyspace, *resource, prefix)? == *last
            }
        })
    }

    fn version(&self, base: &impl Base, row: &RowKey) -> Option<u64> {
        match self.rows.get(row) {
            Some(Change::Put(_, version)) => Some(*version),
            Some(Change::Gone) => None,
            None => base.version(row),
        }
    }

    fn last(
        &self,
        base: &impl Base,
        keyspace: &'static KeyspaceDef,
        resource: ResourceId,
        prefix: &[u8],
    ) -> Result<Option<Vec<u8>>, Reload> {
        let name = |key: &[u8]| RowKey { keyspace, resource, key: key.to_vec() };
        let gone = |key: &[u8]| matches!(self.rows.get(&name(key)), Some(Change::Gone));
        let below = base.last(keyspace, resource, prefix, &gone)?;
        let above = self.rows.range((Bound::Included(name(prefix)), end(&name(prefix)))).rev();
        let above = above
            .take_while(|(row, _)| row.keyspace == keyspace && row.resource == resource)
            .find(|(_, change)| matches!(change, Change::Put(..)))
            .map(|(row, _)| row.key.clone());
        Ok(above.max(below))
    }
}

/// Where the rows that begin with the key of `first` end, within its keyspace and resource.
pub(crate) fn end(first: &RowKey) -> Bound<RowKey> {
    if let Some(key) = successor(&first.key) {
        return Bound::Excluded(RowKey { key, ..first.clone() });
    }
    // Every key with this prefix is below a run of 0xFF one byte longer than any key may be.
    let key = vec![0xFF; base::limits::MAX_KEY + 1];
    Bound::Excluded(RowKey { key, ..first.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::Class;

    static DEF: KeyspaceDef = KeyspaceDef { name: "t", class: Class::Content };

    /// Knows only the greatest key, as an engine that loaded it beforehand does.
    struct Loaded(Vec<(u8, u64)>);

    impl Base for Loaded {
        fn version(&self, row: &RowKey) -> Option<u64> {
            self.0.iter().find(|(key, _)| row.key == [*key]).map(|(_, version)| *version)
        }

        fn value_is(&self, row: &RowKey, value: &Sealed) -> bool {
            self.version(row).is_some() && value.as_bytes() == row.key
        }

        fn last(
            &self,
            _: &'static KeyspaceDef,
            _: ResourceId,
            prefix: &[u8],
            gone: &dyn Fn(&[u8]) -> bool,
        ) -> Result<Option<Vec<u8>>, Reload> {
            assert!(prefix.is_empty());
            let last = self.0.iter().map(|(key, _)| vec![*key]).max();
            if last.as_deref().is_some_and(gone) { Err(Reload) } else { Ok(last) }
        }
    }

    fn row(key: u8) -> RowKey {
        RowKey { keyspace: &DEF, resource: ResourceId::CELL, key: vec![key] }
    }

    fn put(key: u8) -> Write {
        Write::Put(row(key), Sealed::from_stored(vec![key]))
    }

    fn last_is(key: Option<u8>) -> Precondition {
        let last = key.map(|key| vec![key]);
        Precondition::LastIs { keyspace: &DEF, resource: ResourceId::CELL, prefix: vec![], last }
    }

    fn run(
        overlay: &mut Overlay,
        base: &Loaded,
        needs: Vec<Precondition>,
        writes: Vec<Write>,
    ) -> Result<(), CommitError> {
        overlay.take(base, Commit { preconditions: needs, writes }).expect("no reload")
    }

    #[test]
    fn each_commit_sees_those_before_it() {
        let base = Loaded(vec![(5, 3)]);
        let mut overlay = Overlay::default();
        assert_eq!(run(&mut overlay, &base, vec![last_is(Some(5))], vec![put(6), put(5)]), Ok(()));
        let stale = run(&mut overlay, &base, vec![last_is(Some(5))], vec![put(9)]);
        assert_eq!(stale, Err(CommitError::Conflict { precondition: 0 }), "6 is there now");
        let next = vec![Precondition::VersionIs(row(5), 4), last_is(Some(6)), Precondition::Absent(row(9))];
        assert_eq!(run(&mut overlay, &base, next, vec![Write::Delete(row(6)), put(6)]), Ok(()));
        let value_is = |key: u8, value: u8| Precondition::ValueIs(row(key), Sealed::from_stored(vec![value]));
        for (need, holds) in [(value_is(6, 6), true), (value_is(6, 7), false), (value_is(8, 8), false)] {
            assert_eq!(run(&mut overlay, &base, vec![need], vec![]).is_ok(), holds);
        }
        let changes: Vec<_> = overlay.into_changes().map(|(row, change)| (row.key[0], change)).collect();
        assert!(matches!(changes[..], [(5, Change::Put(_, 4)), (6, Change::Put(_, 1))]), "{changes:?}");
    }

    #[test]
    fn a_deleted_greatest_key_needs_a_reload_only_when_asked_for() {
        let base = Loaded(vec![(5, 1), (4, 1)]);
        let mut overlay = Overlay::default();
        assert_eq!(run(&mut overlay, &base, vec![], vec![Write::Delete(row(5))]), Ok(()));
        assert_eq!(run(&mut overlay, &base, vec![Precondition::Absent(row(5))], vec![]), Ok(()));
        let asks = Commit { preconditions: vec![last_is(Some(4))], writes: vec![put(7)] };
        let (commit, Reload) = overlay.take(&base, asks).expect_err("4 was not loaded");
        assert_eq!(commit.writes.len(), 1, "given back whole");
    }

    #[test]
    fn too_large_fails_alone() {
        let mut overlay = Overlay::default();
        let long = RowKey { key: vec![0; base::limits::MAX_KEY + 1], ..row(0) };
        let base = Loaded(vec![]);
        assert_eq!(
            run(&mut overlay, &base, vec![Precondition::Absent(long)], vec![put(1)]),
            Err(CommitError::TooLarge)
        );
        assert_eq!(overlay.into_changes().count(), 0);
    }
}
