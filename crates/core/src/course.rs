//! The shares of a queue that have something to run, kept in the order of their turns: no pass has to go over all of them.
//!
//! Between two changes a share uses capacity at a constant rate, so that its score is a straight line over time: its *course*. Of courses
//! that are equally steep the lower one stays the lower one. So they are kept by steepness, each group in order, and the next share is the
//! first of one of the groups. There are as few groups as there are different rates, times weights, of shares that are at work: what does
//! not run is in one of them, however many shares that are.
//!
//! This holds within a part of the window. At its end use fades, for all shares at once, and the order is made anew.

use std::collections::{BTreeMap, BTreeSet};

use crate::share::ShareName;
use crate::time::Timestamp;

/// A score that grows with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Course {
    /// By how much in a millisecond.
    slope: u128,
    /// What it would have been at time 0.
    height: i128,
}

/// A part of the window of a policy: from its first instant to the first of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) begin: Timestamp,
    pub(crate) end: Timestamp,
}

/// The courses of the shares of one queue that have something to run.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Courses {
    /// When they hold; `None` where use is not counted, or not in equal parts for all shares: then none is kept.
    part: Option<Part>,
    groups: BTreeMap<u128, BTreeSet<(i128, ShareName)>>,
}

impl Course {
    /// Of a score that is `score` at a time, and grows by `slope` in a millisecond.
    pub(crate) fn through(at: Timestamp, score: u128, slope: u128) -> Self {
        let grown = signed(slope).saturating_mul(i128::from(at.as_millis()));
        Course {
            slope,
            height: signed(score).saturating_sub(grown),
        }
    }

    /// The score at a time.
    pub(crate) fn at(self, now: Timestamp) -> u128 {
        let grown = signed(self.slope).saturating_mul(i128::from(now.as_millis()));
        u128::try_from(self.height.saturating_add(grown)).unwrap_or(0)
    }
}

fn signed(value: u128) -> i128 {
    i128::try_from(value).unwrap_or(i128::MAX)
}

impl Courses {
    /// None yet, and those that come hold in a part.
    pub(crate) fn of(part: Option<Part>) -> Self {
        Courses {
            part,
            groups: BTreeMap::new(),
        }
    }

    pub(crate) fn part(&self) -> Option<Part> {
        self.part
    }

    /// Whether the order is known for a time.
    pub(crate) fn hold_at(&self, now: Timestamp) -> bool {
        self.part.is_some_and(|part| part.begin <= now && now < part.end)
    }

    pub(crate) fn insert(&mut self, Course { slope, height }: Course, share: ShareName) {
        self.groups.entry(slope).or_default().insert((height, share));
    }

    pub(crate) fn remove(&mut self, Course { slope, height }: Course, share: &ShareName) {
        if let Some(group) = self.groups.get_mut(&slope) {
            group.remove(&(height, ShareName::clone(share)));
            if group.is_empty() {
                self.groups.remove(&slope);
            }
        }
    }

    /// The first of each group.
    pub(crate) fn firsts(&self) -> impl Iterator<Item = (Course, &ShareName)> {
        self.groups.iter().filter_map(|(slope, group)| {
            let (height, share) = group.first()?;
            let (slope, height) = (*slope, *height);
            Some((Course { slope, height }, share))
        })
    }

    /// Those that come after a share in its group, in order.
    pub(crate) fn after(
        &self,
        Course { slope, height }: Course,
        share: &ShareName,
    ) -> impl Iterator<Item = (Course, &ShareName)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let behind = (Excluded((height, ShareName::clone(share))), Unbounded);
        let group = self.groups.get(&slope);
        let later = group
            .into_iter()
            .flat_map(move |group| group.range(behind.clone()));
        later.map(move |(height, share)| {
            let height = *height;
            (Course { slope, height }, share)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_course_goes_through_its_points() {
        let course = Course::through(at(1_700_000_000_000), 12_345, 7);
        assert_eq!(course.at(at(1_700_000_000_000)), 12_345);
        assert_eq!(course.at(at(1_700_000_000_100)), 13_045);
        assert_eq!(
            Course::through(at(5), 9, 0),
            Course::through(at(5_000), 9, 0),
            "level ones are the same at any time"
        );
    }

    #[test]
    fn equally_steep_courses_are_in_order_for_good() {
        let mut courses = Courses::default();
        for (share, course) in [
            ("late", Course::through(at(100), 0, 2)),
            ("early", Course::through(at(50), 0, 2)),
            ("idle", Course::through(at(0), 30, 0)),
        ] {
            courses.insert(course, share.into());
        }
        let firsts: Vec<_> = courses.firsts().map(|(_, share)| &**share).collect();
        assert_eq!(firsts, ["idle", "late"]);
        let (course, late) = courses.firsts().nth(1).unwrap();
        let behind: Vec<_> = courses.after(course, late).map(|(_, share)| &**share).collect();
        assert_eq!(behind, ["early"]);
        courses.remove(Course::through(at(100), 0, 2), &"late".into());
        let firsts: Vec<_> = courses.firsts().map(|(_, share)| &**share).collect();
        assert_eq!(firsts, ["idle", "early"]);
    }
}
