//! Array jobs: a million children that wait cost two numbers.
//!
//! A child is in exactly one of five places: it waits, is runnable, has an execution of its own (it runs, or runs again), has succeeded,
//! or has failed. Only those with an execution have a record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{ArrayIndex, JobId};
use crate::interval_set::{Interval, IntervalSet};
use crate::job::{Dependency, Execution, JobStatus};
use crate::reason::StatusReason;
use crate::time::Timestamp;

/// The children of an array job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Array {
    /// How many children.
    pub size: u32,
    /// Jobs that all children wait for; empty once all have succeeded.
    pub gate: Vec<Dependency>,
    /// Arrays whose children are waited for one by one (N_TO_N).
    pub pairings: Vec<Pairing>,
    /// Whether each child waits for the one before (SEQUENTIAL).
    pub is_sequential: bool,
    /// Children that wait for other jobs: PENDING.
    pub waiting: IntervalSet,
    /// Children that may run and never have: RUNNABLE.
    pub runnable: IntervalSet,
    /// Children that run, or wait to run again.
    pub executions: BTreeMap<ArrayIndex, Execution>,
    /// Children that have succeeded.
    pub succeeded: IntervalSet,
    /// Children that have failed.
    pub failed: IntervalSet,
    /// Why those failed that never ran. Together with those that have a record of their own in the store these are all of `failed`.
    pub unstarted: Vec<UnstartedFailure>,
    /// Most children that run at once, or wait to run again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u32>,
    /// Whether CancelJob was called on the array.
    pub is_cancelled: bool,
    /// Whether TerminateJob was called on the array.
    pub is_terminated: bool,
}

/// An array whose child `i` must succeed before our child `i` may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing {
    /// The other array.
    pub on: JobId,
    /// Its children that have succeeded.
    pub satisfied: IntervalSet,
    /// Whether the other array may still change.
    pub is_open: bool,
}

/// Children that failed without having run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnstartedFailure {
    /// Which.
    pub children: IntervalSet,
    /// Why.
    pub status_reason: StatusReason,
    /// When.
    pub at: Timestamp,
}

/// How many children are in each state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StatusCounts {
    /// Wait for other jobs.
    pub pending: u32,
    /// May run.
    pub runnable: u32,
    /// Are being started.
    pub starting: u32,
    /// Run.
    pub running: u32,
    /// Ended well.
    pub succeeded: u32,
    /// Ended otherwise.
    pub failed: u32,
}

impl Array {
    /// An array whose children all wait.
    #[must_use]
    pub fn new(size: u32) -> Self {
        Array {
            size,
            gate: Vec::new(),
            pairings: Vec::new(),
            is_sequential: false,
            waiting: IntervalSet::up_to(size),
            runnable: IntervalSet::default(),
            executions: BTreeMap::new(),
            succeeded: IntervalSet::default(),
            failed: IntervalSet::default(),
            unstarted: Vec::new(),
            max_concurrency: None,
            is_cancelled: false,
            is_terminated: false,
        }
    }

    /// Whether a child that never ran may be started now: one is runnable, and fewer than the limit have been started and not ended.
    #[must_use]
    pub fn offers_child(&self) -> bool {
        let started = u32::try_from(self.executions.len()).unwrap_or(u32::MAX);
        !self.runnable.is_empty() && self.max_concurrency.is_none_or(|max| started < max)
    }

    /// The waiting children that have nothing to wait for any more.
    #[must_use]
    pub fn ready(&self) -> IntervalSet {
        if !self.gate.is_empty() {
            return IntervalSet::default();
        }
        let mut ready = self.waiting.clone();
        if self.is_sequential {
            let next = self.next_in_sequence().filter(|next| ready.contains(*next));
            ready = next.map(|next| Interval::one(next).into()).unwrap_or_default();
        }
        for pairing in &self.pairings {
            ready = ready.intersection(&pairing.satisfied);
        }
        ready
    }

    /// Whether this one waiting child has nothing to wait for any more.
    #[must_use]
    pub fn is_ready(&self, child: ArrayIndex) -> bool {
        self.gate.is_empty()
            && self.waiting.contains(child)
            && (!self.is_sequential || self.next_in_sequence() == Some(child))
            && self
                .pairings
                .iter()
                .all(|pairing| pairing.satisfied.contains(child))
    }

    /// The child after the unbroken run of succeeded ones from 0.
    fn next_in_sequence(&self) -> Option<ArrayIndex> {
        let next = match self.succeeded.intervals().first() {
            Some(run) if run.first() == 0 => run.last() + 1,
            Some(_) | None => 0,
        };
        (next < self.size).then_some(next)
    }

    /// Whether all children have ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.waiting.is_empty() && self.runnable.is_empty() && self.executions.is_empty()
    }

    /// The state of one child; `None` if the array has no such child.
    #[must_use]
    pub fn child_status(&self, child: ArrayIndex) -> Option<JobStatus> {
        if child >= self.size {
            return None;
        }
        if let Some(execution) = self.executions.get(&child) {
            return Some(execution.status());
        }
        let places = [
            (&self.waiting, JobStatus::Pending),
            (&self.runnable, JobStatus::Runnable),
            (&self.succeeded, JobStatus::Succeeded),
            (&self.failed, JobStatus::Failed),
        ];
        places
            .into_iter()
            .find(|(set, _)| set.contains(child))
            .map(|(_, status)| status)
    }

    /// How many children are in each state.
    #[must_use]
    pub fn counts(&self) -> StatusCounts {
        let mut counts = StatusCounts {
            pending: self.waiting.count(),
            runnable: self.runnable.count(),
            starting: 0,
            running: 0,
            succeeded: self.succeeded.count(),
            failed: self.failed.count(),
        };
        for execution in self.executions.values() {
            match &execution.attempt {
                None => counts.runnable += 1,
                Some(attempt) if attempt.started_at.is_none() => counts.starting += 1,
                Some(_) => counts.running += 1,
            }
        }
        counts
    }
}
