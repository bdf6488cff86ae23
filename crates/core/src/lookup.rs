//! Maps that are looked up by key, many times in a step, and gone over seldom: hash maps that do not tell their order.
//!
//! Nothing in the core may come to depend on the order of a hash map, so the only ways to go over one are in order of the keys, which puts
//! them in order first, and questions whose answer has none. Hashes have no secret: they are the same in each run.

use std::borrow::Borrow;
#[expect(clippy::disallowed_types, reason = "its order stays in here")]
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// See the module.
#[derive(Clone)]
pub(crate) struct Lookup<K, V> {
    #[expect(clippy::disallowed_types, reason = "its order stays in here")]
    entries: HashMap<K, V, BuildHasherDefault<Mixer>>,
}

/// Multiplies each word by an odd number with bits all over, and turns the product, as its high bits are the best. Whoever can choose keys
/// can make them collide, so there must be few of those: the names of a queue's active shares are 500 at most.
#[derive(Clone, Copy, Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let word = rest.iter().rfold(0, |word, byte| word << 8 | u64::from(*byte));
            self.write_u64(word);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
    }
}

impl<K: Hash + Ord, V> Lookup<K, V> {
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key)
    }

    pub(crate) fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.entries.get_mut(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.entries.insert(key, value)
    }

    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let removed = self.entries.remove(key);
        // What is as good as empty needs no room for what it once had. Seldom, so that no removal is slow in the mean.
        if self.entries.len() < self.entries.capacity() / 8 {
            self.entries.shrink_to(self.entries.len() * 2);
        }
        removed
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Changes each of them, for itself.
    pub(crate) fn change_each(&mut self, change: impl FnMut(&mut V)) {
        self.entries.values_mut().for_each(change);
    }

    /// Whether one is so, whichever it is.
    pub(crate) fn any(&self, mut is_so: impl FnMut(&K, &V) -> bool) -> bool {
        self.entries.iter().any(|(key, value)| is_so(key, value))
    }

    /// The greatest of something that is asked of each.
    pub(crate) fn greatest<T: Ord>(&self, of: impl FnMut(&V) -> Option<T>) -> Option<T> {
        self.entries.values().filter_map(of).max()
    }

    /// All of them in order of their keys. Puts them in order first, which takes its time.
    pub(crate) fn in_order(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> + Clone {
        let mut entries: Vec<(&K, &V)> = self.entries.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        entries.into_iter()
    }

    /// Those from a key on, out of it.
    pub(crate) fn split_off(&mut self, first: &K) -> Self {
        let rest = self.entries.extract_if(|key, _| key >= first);
        Lookup {
            entries: rest.collect(),
        }
    }
}

impl<K, V> Default for Lookup<K, V> {
    fn default() -> Self {
        Lookup {
            entries: Default::default(),
        }
    }
}

impl<K: Hash + Ord, V: PartialEq> PartialEq for Lookup<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl<K: Hash + Ord, V: Eq> Eq for Lookup<K, V> {}

impl<K: Hash + Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for Lookup<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.in_order()).finish()
    }
}
