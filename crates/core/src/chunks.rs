//! An ordered map for entries that mostly come at the end and go from the front, as the jobs of a line do: neither takes a search, however
//! many there are.
//!
//! Some come before others, or go from between them: so they are kept in *chunks*, in each of which little has to be moved.

use std::collections::VecDeque;
use std::fmt;

/// Entries of a chunk at most (own choice: to move half of them takes less than a microsecond).
const CHUNK_ENTRIES_MAX: usize = 512;

/// Of a chunk that has room for more, an eighth is in use at least.
const CHUNK_ENTRIES_FEW: usize = 16;

type Chunk<K, V> = VecDeque<(K, V)>;

/// See the module.
#[derive(Clone)]
pub(crate) struct Chunks<K, V> {
    first: Chunk<K, V>,
    /// Those that follow, one after another; none is empty, and there are none where the first is.
    rest: VecDeque<Chunk<K, V>>,
}

impl<K: Ord + Copy, V: Copy> Chunks<K, V> {
    /// How many of the rest begin at a key or before: its place is in the last one of them, or in the first chunk of all.
    fn passed(&self, key: K) -> usize {
        let begins_by = |chunk: &Chunk<K, V>| chunk.front().is_some_and(|(first, _)| *first <= key);
        match (self.rest.front(), self.rest.back()) {
            (Some(front), _) if !begins_by(front) => 0,
            (_, Some(back)) if begins_by(back) => self.rest.len(),
            (Some(_), Some(_)) => self.rest.partition_point(begins_by),
            (None, _) | (_, None) => 0,
        }
    }

    fn chunk_after(&mut self, passed: usize) -> &mut Chunk<K, V> {
        match passed {
            0 => &mut self.first,
            _ => &mut self.rest[passed - 1],
        }
    }

    /// Adds an entry, unless there is one of this key. Whether it was added.
    pub(crate) fn insert(&mut self, key: K, value: V) -> bool {
        let passed = self.passed(key);
        let is_last = passed == self.rest.len();
        let chunk = self.chunk_after(passed);
        let comes_last = chunk.back().is_none_or(|(last, _)| *last < key);
        if chunk.len() < CHUNK_ENTRIES_MAX {
            if comes_last {
                chunk.push_back((key, value));
                return true;
            }
            let found = chunk.binary_search_by_key(&key, |(key, _)| *key);
            return found.is_err_and(|place| {
                chunk.insert(place, (key, value));
                true
            });
        }
        if is_last && comes_last {
            let mut next = Chunk::with_capacity(CHUNK_ENTRIES_MAX);
            next.push_back((key, value));
            self.rest.push_back(next);
            return true;
        }
        let half = chunk.split_off(CHUNK_ENTRIES_MAX / 2);
        self.rest.insert(passed, half);
        self.insert(key, value)
    }

    /// Takes an entry out. Whether there was one of this key.
    pub(crate) fn remove(&mut self, key: K) -> bool {
        let passed = self.passed(key);
        let chunk = self.chunk_after(passed);
        let is_first = chunk.front().is_some_and(|(first, _)| *first == key);
        let found = match is_first {
            true => Ok(0),
            false => chunk.binary_search_by_key(&key, |(key, _)| *key),
        };
        let Ok(place) = found else {
            return false;
        };
        chunk.remove(place);
        if !chunk.is_empty() {
            shrink(chunk);
        } else if passed > 0 {
            self.rest.remove(passed - 1);
        } else if let Some(next) = self.rest.pop_front() {
            self.first = next;
        }
        true
    }

    /// The first entry.
    pub(crate) fn first(&self) -> Option<(K, V)> {
        self.first.front().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Takes out all that are not so.
    pub(crate) fn retain(&mut self, is_so: impl Fn(&K) -> bool) {
        for chunk in std::iter::once(&mut self.first).chain(&mut self.rest) {
            chunk.retain(|(key, _)| is_so(key));
            shrink(chunk);
        }
        self.rest.retain(|chunk| !chunk.is_empty());
        if self.first.is_empty()
            && let Some(next) = self.rest.pop_front()
        {
            self.first = next;
        }
    }

    /// The entries in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, V)> {
        self.first.iter().chain(self.rest.iter().flatten()).copied()
    }
}

/// Gives back room of which little is in use.
fn shrink<K, V>(chunk: &mut Chunk<K, V>) {
    if chunk.capacity() > CHUNK_ENTRIES_FEW && chunk.len() < chunk.capacity() / 8 {
        chunk.shrink_to(chunk.len() * 2);
    }
}

impl<K, V> Default for Chunks<K, V> {
    fn default() -> Self {
        Chunks {
            first: Chunk::new(),
            rest: VecDeque::new(),
        }
    }
}

impl<K: Ord + Copy> Extend<K> for Chunks<K, ()> {
    fn extend<I: IntoIterator<Item = K>>(&mut self, keys: I) {
        for key in keys {
            self.insert(key, ());
        }
    }
}

/// How the entries are spread over chunks says how they came, and nothing of what they are.
impl<K: Ord + Copy, V: Copy + PartialEq> PartialEq for Chunks<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<K: Ord + Copy, V: Copy + Eq> Eq for Chunks<K, V> {}

impl<K: Ord + Copy + fmt::Debug, V: Copy + fmt::Debug> fmt::Debug for Chunks<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Many come in order, as many go again; some come late, and belong between others.
    #[derive(Clone, Debug)]
    enum Move {
        Append(u64),
        Insert(u64),
        RemoveFirst(u64),
        Remove(u64),
        /// All that a number divides.
        Thin(u64),
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let one = prop_oneof![
            (0..2_000_u64).prop_map(Move::Append),
            (0..8_000_u64).prop_map(Move::Insert),
            (0..1_500_u64).prop_map(Move::RemoveFirst),
            (0..8_000_u64).prop_map(Move::Remove),
            (2..600_u64).prop_map(Move::Thin),
        ];
        proptest::collection::vec(one, 1..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn behaves_as_a_map_in_order(moves in moves()) {
            let (mut chunks, mut model, mut next) = (Chunks::default(), BTreeMap::new(), 0);
            let insert = |chunks: &mut Chunks<u64, u64>, model: &mut BTreeMap<u64, u64>, number: u64| {
                let is_new = !model.contains_key(&number);
                assert_eq!(chunks.insert(number, !number), is_new);
                model.insert(number, !number);
            };
            for one in moves {
                match one {
                    Move::Append(count) => {
                        (next..next + count).for_each(|number| insert(&mut chunks, &mut model, 2 * number));
                        next += count;
                    }
                    Move::Insert(number) => insert(&mut chunks, &mut model, number),
                    Move::RemoveFirst(count) => {
                        for _ in 0..count {
                            prop_assert_eq!(chunks.first(), model.first_key_value().map(|(key, value)| (*key, *value)));
                            let Some((key, _)) = model.pop_first() else { break };
                            prop_assert!(chunks.remove(key));
                        }
                    }
                    Move::Thin(number) => {
                        chunks.retain(|key| key % number == 0);
                        model.retain(|key, _| key % number == 0);
                    }
                    Move::Remove(number) => {
                        prop_assert_eq!(chunks.remove(number), model.remove(&number).is_some());
                    }
                }
                prop_assert!(chunks.iter().eq(model.iter().map(|(key, value)| (*key, *value))));
                prop_assert_eq!(chunks.is_empty(), model.is_empty());
                let Chunks { first, rest } = &chunks;
                prop_assert!(rest.is_empty() || !first.is_empty());
                prop_assert!(rest.iter().all(|chunk| !chunk.is_empty()));
                let all = std::iter::once(first).chain(rest);
                prop_assert!(all.clone().all(|chunk| chunk.len() <= CHUNK_ENTRIES_MAX));
                // The last one has room for what comes.
                let is_full = |chunk: &Chunk<u64, u64>| chunk.capacity() <= CHUNK_ENTRIES_FEW.max(8 * chunk.len() + 8);
                prop_assert!(all.take(rest.len()).all(is_full));
            }
        }
    }
}
