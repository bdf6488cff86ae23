//! A line of a queue: its entries in the order of their positions.
//!
//! Mostly they come at the end and go from the front, and both are done without a search, however long the line is. Some come before
//! others, or go from between them: so they are kept in *chunks*, in each of which little has to be moved.

use std::collections::VecDeque;
use std::fmt;

use crate::id::JobId;
use crate::queue::Position;

/// Entries of a chunk at most (own choice: to move half of them takes less than a microsecond).
const CHUNK_ENTRIES_MAX: usize = 512;

/// Of a chunk that has room for more, an eighth is in use at least.
const CHUNK_ENTRIES_FEW: usize = 16;

type Chunk = VecDeque<(Position, JobId)>;

/// See the module.
#[derive(Clone, Default)]
pub(crate) struct Line {
    /// One after another; none is empty, unless it is the only one.
    chunks: VecDeque<Chunk>,
}

impl Line {
    /// Which chunk a position belongs to: the last one that begins at it or before, or the first.
    fn chunk_of(&self, position: Position) -> usize {
        let begins_after = |chunk: &Chunk| chunk.front().is_none_or(|(first, _)| *first > position);
        let last = self.chunks.len().saturating_sub(1);
        match self.chunks.get(1) {
            None => 0,
            Some(second) if begins_after(second) => 0,
            Some(_) if !begins_after(&self.chunks[last]) => last,
            Some(_) => self.chunks.partition_point(|chunk| !begins_after(chunk)) - 1,
        }
    }

    /// Adds an entry, unless there is one at this position. Whether it was added.
    pub(crate) fn insert(&mut self, position: Position, id: JobId) -> bool {
        let index = self.chunk_of(position);
        let is_last = index + 1 >= self.chunks.len();
        let Some(chunk) = self.chunks.get_mut(index) else {
            self.chunks.push_back(Chunk::from([(position, id)]));
            return true;
        };
        let comes_last = chunk.back().is_none_or(|(last, _)| *last < position);
        if chunk.len() < CHUNK_ENTRIES_MAX {
            if comes_last {
                chunk.push_back((position, id));
                return true;
            }
            let found = chunk.binary_search_by_key(&position, |(position, _)| *position);
            return found.is_err_and(|place| {
                chunk.insert(place, (position, id));
                true
            });
        }
        if is_last && comes_last {
            let mut next = Chunk::with_capacity(CHUNK_ENTRIES_MAX);
            next.push_back((position, id));
            self.chunks.push_back(next);
            return true;
        }
        let rest = chunk.split_off(CHUNK_ENTRIES_MAX / 2);
        self.chunks.insert(index + 1, rest);
        self.insert(position, id)
    }

    /// Takes an entry out. Whether there was one at this position.
    pub(crate) fn remove(&mut self, position: Position) -> bool {
        let index = self.chunk_of(position);
        let has_others = self.chunks.len() > 1;
        let Some(chunk) = self.chunks.get_mut(index) else {
            return false;
        };
        let is_first = chunk.front().is_some_and(|(first, _)| *first == position);
        let found = match is_first {
            true => Ok(0),
            false => chunk.binary_search_by_key(&position, |(position, _)| *position),
        };
        let Ok(place) = found else {
            return false;
        };
        chunk.remove(place);
        if chunk.is_empty() && has_others {
            self.chunks.remove(index);
        } else if chunk.capacity() > CHUNK_ENTRIES_FEW && chunk.len() < chunk.capacity() / 8 {
            chunk.shrink_to(chunk.len() * 2);
        }
        true
    }

    /// The entry that goes next.
    pub(crate) fn first(&self) -> Option<(Position, JobId)> {
        self.chunks.front()?.front().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first().is_none()
    }

    /// The entries in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Position, JobId)> {
        self.chunks.iter().flatten().copied()
    }
}

/// How the entries are spread over chunks says how they came, and nothing of what they are.
impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Line {}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::time::Timestamp;

    fn id(number: u64) -> JobId {
        JobId::new(Timestamp::from_millis(0), u128::from(number))
    }

    /// Many come in order, as many go again; some come late, and belong between others.
    #[derive(Clone, Debug)]
    enum Move {
        Append(u64),
        Insert(u64),
        RemoveFirst(u64),
        Remove(u64),
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let one = prop_oneof![
            (0..2_000_u64).prop_map(Move::Append),
            (0..8_000_u64).prop_map(Move::Insert),
            (0..1_500_u64).prop_map(Move::RemoveFirst),
            (0..8_000_u64).prop_map(Move::Remove),
        ];
        proptest::collection::vec(one, 1..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn behaves_as_a_map_in_order(moves in moves()) {
            let (mut line, mut model, mut next) = (Line::default(), BTreeMap::new(), 0);
            let insert = |line: &mut Line, model: &mut BTreeMap<Position, JobId>, number: u64| {
                let position = Position::of_number(number);
                let is_new = !model.contains_key(&position);
                assert_eq!(line.insert(position, id(number)), is_new);
                model.entry(position).or_insert(id(number));
            };
            for one in moves {
                match one {
                    Move::Append(count) => {
                        (next..next + count).for_each(|number| insert(&mut line, &mut model, 2 * number));
                        next += count;
                    }
                    Move::Insert(number) => insert(&mut line, &mut model, number),
                    Move::RemoveFirst(count) => {
                        for _ in 0..count {
                            prop_assert_eq!(line.first(), model.first_key_value().map(|(at, id)| (*at, *id)));
                            let Some((position, _)) = model.pop_first() else { break };
                            prop_assert!(line.remove(position));
                        }
                    }
                    Move::Remove(number) => {
                        let position = Position::of_number(number);
                        prop_assert_eq!(line.remove(position), model.remove(&position).is_some());
                    }
                }
                prop_assert!(line.iter().eq(model.iter().map(|(position, id)| (*position, *id))));
                prop_assert_eq!(line.is_empty(), model.is_empty());
                let chunks = &line.chunks;
                prop_assert!(chunks.len() < 2 || chunks.iter().all(|chunk| !chunk.is_empty()));
                let is_roomy = |chunk: &Chunk| chunk.capacity() <= CHUNK_ENTRIES_FEW.max(8 * chunk.len() + 8);
                let last = chunks.len().saturating_sub(1);
                prop_assert!(chunks.iter().take(last).all(is_roomy));
                prop_assert!(chunks.iter().all(|chunk| chunk.len() <= CHUNK_ENTRIES_MAX));
            }
        }
    }
}
