//! The lines of a queue in the order of their turns, for one pass.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;

use crate::course::Course;
use crate::id::QueueId;
use crate::queue::Order;
use crate::schedule::quota;
use crate::share::ShareName;
use crate::state::State;
use crate::time::Timestamp;

/// See the module. Of shares only those are here whose turn may be next: who comes after them follows when they have had it.
pub(super) struct Turns {
    /// The one line of a queue without shares, if it has a turn.
    only: Option<ShareName>,
    next: BinaryHeap<Reverse<Turn>>,
    /// Shares that have had their turn: who has started something has another course now, and may be met again on that.
    met: BTreeSet<ShareName>,
}

/// Lower goes first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    score: u128,
    line: ShareName,
    /// Where those stand that come after it; none come after a line that is here on its own.
    course: Option<Course>,
}

impl Turns {
    pub(super) fn of(state: &State, queue: QueueId, now: Timestamp) -> Self {
        let runnable = state.runnable(queue);
        let alone = |(score, line): (u128, &ShareName)| Turn {
            score,
            line: Arc::clone(line),
            course: None,
        };
        let noted = state.queue(queue).blocked.keys();
        let empty = noted.filter(|line| state.front(queue, line).is_none());
        let mut turns: Vec<Turn> = empty
            .map(|line| alone((score(state, queue, line, now), line)))
            .collect();
        let shares = state.shares(queue);
        let mut only = None;
        match runnable.order() {
            Order::Submission => only = runnable.only_line().map(Arc::clone),
            Order::FairShare if shares.courses().hold_at(now) => {
                let firsts = shares.courses().firsts();
                turns.extend(firsts.map(|(course, line)| Turn {
                    score: course.at(now),
                    line: Arc::clone(line),
                    course: Some(course),
                }));
            }
            Order::FairShare | Order::QuotaShare => {
                let lines = runnable.lines();
                turns.extend(lines.map(|line| alone((score(state, queue, line, now), line))));
            }
        }
        Turns {
            only,
            next: turns.into_iter().map(Reverse).collect(),
            met: BTreeSet::new(),
        }
    }

    pub(super) fn next(&mut self, state: &State, queue: QueueId, now: Timestamp) -> Option<ShareName> {
        if let Some(line) = self.only.take() {
            return Some(line);
        }
        let Reverse(Turn { line, course, .. }) = self.next.pop()?;
        if let Some(course) = course {
            let courses = state.shares(queue).courses();
            let mut after = courses.after(course, &line);
            if let Some((course, line)) = after.find(|(_, line)| !self.met.contains(*line)) {
                self.next.push(Reverse(Turn {
                    score: course.at(now),
                    line: Arc::clone(line),
                    course: Some(course),
                }));
            }
            self.met.insert(Arc::clone(&line));
        }
        Some(line)
    }

    /// A line has started something, and has another turn if there is more in it.
    pub(super) fn put_back(&mut self, state: &State, queue: QueueId, line: ShareName, now: Timestamp) {
        let runnable = state.runnable(queue);
        if runnable.order() == Order::Submission {
            self.only = runnable.only_line().map(Arc::clone);
        } else if runnable.front(&line).is_some() {
            self.next.push(Reverse(Turn {
                score: score(state, queue, &line, now),
                line,
                course: None,
            }));
        }
    }
}

fn score(state: &State, queue: QueueId, line: &str, now: Timestamp) -> u128 {
    match state.runnable(queue).order() {
        Order::Submission => 0,
        Order::FairShare => {
            let score = state.shares(queue).score(line, now);
            score.unwrap_or(0)
        }
        Order::QuotaShare => quota::turn(state, queue, line),
    }
}
