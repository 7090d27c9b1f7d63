//! What the writer remembers of rows, so that most preconditions cost no look-up: the versions of rows and the last keys
//! of prefixes it was asked for. The writer alone changes rows, so what is remembered stays true as long as each of its
//! writes is told here; a batch that is undone forgets everything.

use base::BoundedCache;

/// The most versions, and the most last keys, remembered.
const MOST: usize = 32_768;
/// The most different lengths of prefixes in one keyspace. Each costs every write there a look, so a keyspace that is
/// asked with more is not remembered.
const MOST_LENGTHS: usize = 4;

/// Where a row is: keyspace (its place in the writer's list), resource, key.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) space: usize,
    pub(super) resource: i64,
    pub(super) key: &'a [u8],
}

/// The memory.
pub(super) struct Seen {
    versions: BoundedCache<Box<[u8]>, Option<i64>>,
    lasts: BoundedCache<Box<[u8]>, Option<Vec<u8>>>,
    /// For each keyspace the lengths of prefixes it was asked for; `None` when they were too many.
    lengths: Vec<Option<Vec<usize>>>,
    name: Vec<u8>,
}

impl Seen {
    pub(super) fn new() -> Self {
        Self {
            versions: BoundedCache::new(MOST),
            lasts: BoundedCache::new(MOST),
            lengths: Vec::new(),
            name: Vec::new(),
        }
    }

    /// The version of a row, `Some(None)` when it is known not to be there.
    pub(super) fn version(&mut self, at: At<'_>) -> Option<Option<i64>> {
        self.name(at, at.key.len());
        self.versions.get_mut(&*self.name).map(|version| *version)
    }

    /// Remembers a version that was looked up.
    pub(super) fn learn_version(&mut self, at: At<'_>, version: Option<i64>) {
        self.name(at, at.key.len());
        self.versions.insert(Box::from(&*self.name), version);
    }

    /// Whether the last key of a prefix (`at.key`) is known to be, or not to be, `last`.
    pub(super) fn last_is(&mut self, at: At<'_>, last: Option<&[u8]>) -> Option<bool> {
        self.name(at, at.key.len());
        self.lasts.get_mut(&*self.name).map(|known| known.as_deref() == last)
    }

    /// Remembers the last key of a prefix (`at.key`) that was looked up.
    pub(super) fn learn_last(&mut self, at: At<'_>, last: Option<Vec<u8>>) {
        if self.lengths.len() <= at.space {
            self.lengths.resize(at.space + 1, Some(Vec::new()));
        }
        let Some(lengths) = &mut self.lengths[at.space] else { return };
        if !lengths.contains(&at.key.len()) {
            if lengths.len() == MOST_LENGTHS {
                self.lengths[at.space] = None;
                let space = mark(at.space);
                self.lasts.retain(|name, _| !name.starts_with(&space));
                return;
            }
            lengths.push(at.key.len());
        }
        self.name(at, at.key.len());
        self.lasts.insert(Box::from(&*self.name), last);
    }

    /// The row was put.
    pub(super) fn put(&mut self, at: At<'_>) {
        self.name(at, at.key.len());
        if let Some(version) = self.versions.get_mut(&*self.name) {
            *version = Some(version.unwrap_or(0) + 1);
        }
        self.each_prefix(at, |lasts, name| {
            if let Some(last) = lasts.get_mut(name).filter(|last| last.as_deref() < Some(at.key)) {
                *last = Some(at.key.to_vec());
            }
        });
    }

    /// The row was deleted.
    pub(super) fn deleted(&mut self, at: At<'_>) {
        self.name(at, at.key.len());
        if let Some(version) = self.versions.get_mut(&*self.name) {
            *version = None;
        }
        self.each_prefix(at, |lasts, name| {
            // What comes before it is not known without looking.
            if lasts.get_mut(name).is_some_and(|last| last.as_deref() == Some(at.key)) {
                lasts.remove(name);
            }
        });
    }

    /// Nothing is known any more.
    pub(super) fn forget(&mut self) {
        self.versions.clear();
        self.lasts.clear();
    }

    fn each_prefix(
        &mut self,
        at: At<'_>,
        mut tell: impl FnMut(&mut BoundedCache<Box<[u8]>, Option<Vec<u8>>>, &[u8]),
    ) {
        let Some(Some(lengths)) = self.lengths.get(at.space) else { return };
        for at_most in 0..lengths.len() {
            let Some(Some(lengths)) = self.lengths.get(at.space) else { return };
            let length = lengths[at_most];
            if length <= at.key.len() {
                self.name(at, length);
                tell(&mut self.lasts, &self.name);
            }
        }
    }

    /// Names the first `length` bytes of a key, without allocating. Versions and lasts are in different maps.
    fn name(&mut self, at: At<'_>, length: usize) {
        self.name.clear();
        self.name.extend_from_slice(&mark(at.space));
        self.name.extend_from_slice(&at.resource.to_be_bytes());
        self.name.extend_from_slice(&at.key[..length]);
    }
}

/// How names of one keyspace begin.
fn mark(space: usize) -> [u8; 4] {
    u32::try_from(space).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(key: &[u8]) -> At<'_> {
        At { space: 1, resource: 5, key }
    }

    #[test]
    fn versions_follow_writes() {
        let mut seen = Seen::new();
        assert_eq!(seen.version(at(b"k")), None, "unknown");
        seen.put(at(b"k"));
        assert_eq!(seen.version(at(b"k")), None, "a write alone teaches nothing");
        seen.learn_version(at(b"k"), None);
        assert_eq!(seen.version(at(b"k")), Some(None));
        seen.put(at(b"k"));
        seen.put(at(b"k"));
        assert_eq!(seen.version(at(b"k")), Some(Some(2)));
        seen.deleted(at(b"k"));
        assert_eq!(seen.version(at(b"k")), Some(None));
        for other in [At { space: 0, ..at(b"k") }, At { resource: 6, ..at(b"k") }, at(b"kk"), at(b"")] {
            assert_eq!(seen.version(other), None);
        }
        seen.forget();
        assert_eq!(seen.version(at(b"k")), None);
    }

    #[test]
    fn last_keys_follow_writes() {
        let mut seen = Seen::new();
        assert_eq!(seen.last_is(at(b"p"), None), None);
        seen.learn_last(at(b"p"), None);
        seen.learn_last(at(b""), Some(b"z".to_vec()));
        assert_eq!(seen.last_is(at(b"p"), None), Some(true));
        seen.put(at(b"p5"));
        assert_eq!(seen.last_is(at(b"p"), Some(b"p5")), Some(true));
        assert_eq!(seen.last_is(at(b""), Some(b"z")), Some(true), "still greater");
        seen.put(at(b"p3"));
        assert_eq!(seen.last_is(at(b"p"), Some(b"p5")), Some(true));
        seen.put(at(b"p"));
        assert_eq!(seen.last_is(at(b"p"), Some(b"p")), Some(false));
        seen.put(at(b"q"));
        seen.put(At { space: 2, ..at(b"p9") });
        seen.put(At { resource: 6, ..at(b"p9") });
        assert_eq!(seen.last_is(at(b"p"), Some(b"p5")), Some(true), "others do not count");
        seen.deleted(at(b"p3"));
        assert_eq!(seen.last_is(at(b"p"), Some(b"p5")), Some(true));
        seen.deleted(at(b"p5"));
        assert_eq!(seen.last_is(at(b"p"), Some(b"p5")), None, "to be looked up again");
        assert_eq!(seen.last_is(at(b""), Some(b"z")), Some(true));
    }

    #[test]
    fn too_many_lengths_are_not_remembered() {
        let mut seen = Seen::new();
        for length in 0..MOST_LENGTHS {
            seen.learn_last(at(&b"abcdefgh"[..length]), None);
        }
        seen.learn_last(At { space: 2, ..at(b"x") }, None);
        assert_eq!(seen.last_is(at(b"a"), None), Some(true));
        seen.learn_last(at(b"abcdefgh"), None);
        assert_eq!(seen.last_is(at(b"a"), None), None, "the keyspace is given up");
        seen.learn_last(at(b"a"), None);
        assert_eq!(seen.last_is(at(b"a"), None), None);
        assert_eq!(seen.last_is(At { space: 2, ..at(b"x") }, None), Some(true), "the others are not");
        seen.put(at(b"abc"));
        seen.deleted(at(b"abc"));
    }
}
