//! A set of array indexes kept as intervals, so that a million children in one state cost one pair of numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::ArrayIndex;

/// An interval of indexes, both ends included, never empty.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Interval {
    first: ArrayIndex,
    last: ArrayIndex,
}

/// A set of indexes: intervals in ascending order that neither overlap nor touch.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IntervalSet(Vec<Interval>);

impl Interval {
    /// `first..=last`.
    ///
    /// # Panics
    /// If `last < first`.
    #[must_use]
    pub fn new(first: ArrayIndex, last: ArrayIndex) -> Self {
        assert!(first <= last, "an interval is not empty");
        Interval { first, last }
    }

    /// The interval of one index.
    #[must_use]
    pub fn one(index: ArrayIndex) -> Self {
        Interval {
            first: index,
            last: index,
        }
    }

    /// The lowest index.
    #[must_use]
    pub fn first(self) -> ArrayIndex {
        self.first
    }

    /// The highest index.
    #[must_use]
    pub fn last(self) -> ArrayIndex {
        self.last
    }

    /// How many indexes.
    #[must_use]
    pub fn count(self) -> u32 {
        self.last - self.first + 1
    }

    /// The indexes, ascending.
    pub fn indexes(self) -> impl Iterator<Item = ArrayIndex> {
        self.first..=self.last
    }
}

impl IntervalSet {
    /// The indexes `0..size`.
    #[must_use]
    pub fn up_to(size: u32) -> Self {
        match size.checked_sub(1) {
            None => IntervalSet::default(),
            Some(last) => IntervalSet(vec![Interval::new(0, last)]),
        }
    }

    /// The intervals, ascending.
    #[must_use]
    pub fn intervals(&self) -> &[Interval] {
        &self.0
    }

    /// The indexes, ascending.
    pub fn indexes(&self) -> impl Iterator<Item = ArrayIndex> {
        self.0.iter().flat_map(|interval| interval.indexes())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many indexes.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.iter().map(|interval| interval.count()).sum()
    }

    /// The lowest index.
    #[must_use]
    pub fn first(&self) -> Option<ArrayIndex> {
        self.0.first().map(|interval| interval.first)
    }

    /// Whether `index` is in it.
    #[must_use]
    pub fn contains(&self, index: ArrayIndex) -> bool {
        let position = self.0.partition_point(|interval| interval.last < index);
        self.0
            .get(position)
            .is_some_and(|interval| interval.first <= index)
    }

    /// Adds an interval; indexes that are there already stay.
    pub fn insert(&mut self, new: Interval) {
        // All intervals that overlap or touch the new one melt into it.
        let start = self
            .0
            .partition_point(|interval| interval.last.saturating_add(1) < new.first);
        let end = self
            .0
            .partition_point(|interval| interval.first <= new.last.saturating_add(1));
        let melted = &self.0[start..end];
        let first = melted
            .first()
            .map_or(new.first, |interval| interval.first.min(new.first));
        let last = melted
            .last()
            .map_or(new.last, |interval| interval.last.max(new.last));
        self.0.splice(start..end, [Interval { first, last }]);
    }

    /// Takes an interval out; indexes that are not there are ignored.
    pub fn remove(&mut self, old: Interval) {
        let start = self.0.partition_point(|interval| interval.last < old.first);
        let end = self.0.partition_point(|interval| interval.first <= old.last);
        if start == end {
            return;
        }
        let (low, high) = (self.0[start], self.0[end - 1]);
        let left = (low.first < old.first).then(|| Interval::new(low.first, old.first - 1));
        let right = (high.last > old.last).then(|| Interval::new(old.last + 1, high.last));
        self.0.splice(start..end, left.into_iter().chain(right));
    }

    /// The indexes that are in both.
    #[must_use]
    pub fn intersection(&self, other: &IntervalSet) -> IntervalSet {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut both = Vec::new();
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            let (first, last) = (a.first.max(b.first), a.last.min(b.last));
            if first <= last {
                both.push(Interval { first, last });
            }
            if a.last < b.last {
                left.next();
            } else {
                right.next();
            }
        }
        IntervalSet(both)
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &IntervalSet) {
        for interval in &other.0 {
            self.insert(*interval);
        }
    }

    /// Takes all of `other` out.
    pub fn subtract(&mut self, other: &IntervalSet) {
        for interval in &other.0 {
            self.remove(*interval);
        }
    }
}

impl FromIterator<ArrayIndex> for IntervalSet {
    fn from_iter<I: IntoIterator<Item = ArrayIndex>>(indexes: I) -> Self {
        let mut set = IntervalSet::default();
        for index in indexes {
            set.insert(Interval::one(index));
        }
        set
    }
}

impl From<Interval> for IntervalSet {
    fn from(interval: Interval) -> Self {
        IntervalSet(vec![interval])
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            return write!(f, "{}", self.first);
        }
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl fmt::Debug for IntervalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn is_canonical(set: &IntervalSet) -> bool {
        set.0.iter().all(|interval| interval.first <= interval.last)
            && set
                .0
                .windows(2)
                .all(|pair| pair[0].last.saturating_add(1) < pair[1].first)
    }

    proptest! {
        #[test]
        fn behaves_as_a_set_of_indexes(steps in prop::collection::vec((any::<bool>(), 0u32..60, 0u32..12), 0..60), other in prop::collection::vec(0u32..72, 0..40)) {
            let (mut set, mut model) = (IntervalSet::default(), BTreeSet::new());
            for (is_insert, first, length) in steps {
                let interval = Interval::new(first, first + length);
                if is_insert {
                    set.insert(interval);
                    model.extend(interval.indexes());
                } else {
                    set.remove(interval);
                    model.retain(|index| !interval.indexes().any(|gone| gone == *index));
                }
                prop_assert!(is_canonical(&set), "{set:?}");
                prop_assert_eq!(set.indexes().collect::<BTreeSet<_>>(), model.clone());
                prop_assert_eq!(set.count() as usize, model.len());
                prop_assert_eq!(set.first(), model.first().copied());
            }
            let other: IntervalSet = other.into_iter().collect();
            let both = set.intersection(&other);
            prop_assert!(is_canonical(&both));
            for index in 0..80 {
                prop_assert_eq!(set.contains(index), model.contains(&index));
                prop_assert_eq!(both.contains(index), set.contains(index) && other.contains(index));
            }
            let (mut union, mut rest) = (set.clone(), set.clone());
            union.extend(&other);
            rest.subtract(&other);
            for index in 0..80 {
                prop_assert_eq!(union.contains(index), set.contains(index) || other.contains(index));
                prop_assert_eq!(rest.contains(index), set.contains(index) && !other.contains(index));
            }
        }
    }

    #[test]
    fn the_highest_index_does_not_overflow() {
        let mut set = IntervalSet::from(Interval::new(u32::MAX - 1, u32::MAX));
        set.insert(Interval::one(u32::MAX));
        set.remove(Interval::one(u32::MAX));
        assert_eq!(set.intervals(), [Interval::one(u32::MAX - 1)]);
    }
}
