//! The keys of one resource: the newest, which seals, and those before it, which still open what they sealed.

use std::sync::Arc;

use guard::ScopeKey;

/// The most generations of one resource's key at once. A new one is not begun before the oldest is gone.
pub const MAX_GENERATIONS: usize = 8;

/// One generation, and the version of its row.
#[derive(Clone)]
pub(crate) struct Generation {
    pub(crate) key: Arc<ScopeKey>,
    /// Raised when another generation takes over: whoever still seals under this one conflicts.
    pub(crate) version: u64,
}

/// All generations of one resource's key, never none.
pub(crate) struct ResourceKeys {
    newest: Generation,
    /// From the oldest on.
    older: Vec<Generation>,
}

impl ResourceKeys {
    /// Of generations in their order; `None` when there is none.
    pub(crate) fn new(mut all: Vec<Generation>) -> Option<Self> {
        let newest = all.pop()?;
        Some(Self { newest, older: all })
    }

    /// The one that seals.
    pub(crate) const fn newest(&self) -> &Arc<ScopeKey> {
        &self.newest.key
    }

    /// The version of the row of the one that seals.
    pub(crate) const fn version(&self) -> u64 {
        self.newest.version
    }

    /// The one of this generation.
    pub(crate) fn of(&self, generation: u32) -> Option<&Arc<ScopeKey>> {
        let mut all = std::iter::once(&self.newest).chain(&self.older);
        all.find(|one| one.key.generation() == generation).map(|one| &one.key)
    }

    /// Those before the newest.
    pub(crate) fn older(&self) -> impl Iterator<Item = &Arc<ScopeKey>> {
        self.older.iter().map(|one| &one.key)
    }
}

#[cfg(test)]
mod tests {
    use base::SeededRng;

    use super::*;

    fn generation(number: u32) -> Generation {
        let key = Arc::new(ScopeKey::generate(&SeededRng::new(number.into()), number));
        Generation { key, version: u64::from(number) * 10 }
    }

    #[test]
    fn the_last_is_the_newest_and_each_is_found() {
        assert!(ResourceKeys::new(Vec::new()).is_none());
        let keys = ResourceKeys::new(vec![generation(3), generation(5), generation(6)]).unwrap();
        assert_eq!((keys.newest().generation(), keys.version()), (6, 60));
        assert_eq!(keys.older().map(|key| key.generation()).collect::<Vec<_>>(), [3, 5]);
        for known in [3, 5, 6] {
            assert_eq!(keys.of(known).unwrap().generation(), known);
        }
        assert!(keys.of(4).is_none());
    }
}
