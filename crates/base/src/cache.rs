//! A cache that cannot outgrow its bound, for what can be read again.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// Two generations of entries: when the young one is full it becomes the old one, and the old one is forgotten.
/// An entry that is used moves back among the young. Costs one hash look-up, never a list to keep in order.
#[derive(Debug)]
pub struct BoundedCache<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Eq + Hash, V> BoundedCache<K, V> {
    /// Holds at most `capacity` entries (at least two), and at least half of that many of the latest used.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (capacity / 2).max(1) }
    }

    /// The entry of `key`, marked as used.
    pub fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        if !self.young.contains_key(key) {
            let (key, value) = self.old.remove_entry(key)?;
            self.insert(key, value);
        }
        self.young.get_mut(key)
    }

    /// Sets the entry of `key`.
    pub fn insert(&mut self, key: K, value: V) {
        self.old.remove(&key);
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    /// Forgets the entry of `key`.
    pub fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let old = self.old.remove(key);
        self.young.remove(key).or(old)
    }

    /// Forgets every entry for which `keep` says no.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.young.retain(&mut keep);
        self.old.retain(&mut keep);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    /// How many entries are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_holds_more_than_its_bound() {
        let mut cache = BoundedCache::new(10);
        for n in 0..1000 {
            cache.insert(n, n);
            assert!(cache.len() <= 10);
        }
        for n in 995..1000 {
            assert_eq!(cache.get_mut(&n), Some(&mut n.clone()), "the latest half is held");
        }
        assert_eq!(cache.get_mut(&5), None);
    }

    #[test]
    fn what_is_used_stays() {
        let mut cache = BoundedCache::new(8);
        cache.insert(0, "kept");
        for n in 1..100 {
            assert!(cache.get_mut(&0).is_some(), "after {n}");
            cache.insert(n, "passing");
        }
    }

    #[test]
    fn one_key_has_one_value() {
        let mut cache = BoundedCache::new(4);
        for n in 0..3 {
            cache.insert(n, 1);
        }
        cache.insert(0, 2);
        assert_eq!(cache.get_mut(&0), Some(&mut 2));
        assert_eq!(cache.remove(&0), Some(2));
        assert_eq!(cache.get_mut(&0), None, "no older value comes back");
        cache.retain(|key, _| *key != 1);
        assert_eq!(cache.get_mut(&1), None);
        cache.clear();
        assert!(cache.is_empty());
    }
}
