//! Job queues: their facts, and the order in which their runnable jobs go.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::blocked::{Blocked, LimitedReason, TimeLimitAction};
use crate::environment::{Life, Switch};
use crate::id::{ArrayIndex, EnvironmentId, JobId, JobKey, Sequence};
use crate::name::{QueueName, SchedulingPolicyName};
use crate::time::Timestamp;

/// A job queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Its name.
    pub name: QueueName,
    /// Counts its updates from 1, so that an update made from an outdated reading is refused.
    pub version: u64,
    /// Whether it takes new jobs; those it has are scheduled either way (section C1.6).
    pub switch: Switch,
    /// Whether it exists, or is going away.
    pub life: Life,
    /// Higher goes first (section A2.8).
    pub priority: i32,
    /// Where its jobs may run, in the order to try.
    pub environments: Vec<EnvironmentId>,
    /// How its jobs are ordered; `None` is by submission (section C1.4).
    pub policy: Option<SchedulingPolicyName>,
    /// What is done about a front that has been blocked for too long; each reason at most once.
    pub actions: Vec<TimeLimitAction>,
    /// What holds it up, if anything but want of room that is on its way.
    pub blocked: Option<Box<Blocked>>,
}

impl Queue {
    /// When an action on the blocked front is due, and which.
    #[must_use]
    pub fn action_due(&self) -> Option<(Timestamp, LimitedReason)> {
        let blocked = self.blocked.as_ref()?;
        let reason = blocked.cause.limited()?;
        let action = self.actions.iter().find(|action| action.reason == reason)?;
        Some((blocked.since + action.after, reason))
    }
}

/// The runnable jobs of a queue, in the order they go: retried ones first, then by submission (section C1.4).
///
/// An array job has one entry for all its children that never ran, however many they are.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Runnable(BTreeMap<Position, JobId>);

/// A place in the order of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    turn: Turn,
    sequence: Sequence,
    child: Option<ArrayIndex>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Retried,
    Fresh,
}

impl Position {
    /// Of a single job, or of a child of an array.
    pub(crate) fn of(sequence: Sequence, child: Option<ArrayIndex>, was_tried: bool) -> Self {
        let turn = if was_tried { Turn::Retried } else { Turn::Fresh };
        Position {
            turn,
            sequence,
            child,
        }
    }

    /// Of a child of the array that has this position.
    pub(crate) fn of_child(self, child: ArrayIndex) -> Self {
        Position {
            child: Some(child),
            ..self
        }
    }

    /// Which child runs again; none for single jobs, and for all the children of an array that never ran.
    pub(crate) fn child(self) -> Option<ArrayIndex> {
        self.child
    }
}

/// What is next in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// A single job, or a child that runs again.
    Job(JobKey),
    /// The lowest runnable child of an array job.
    NextChild(JobId),
}

impl Runnable {
    /// Adds a job that has not run yet: a single one, or an array with runnable children.
    pub(crate) fn add_fresh(&mut self, id: JobId, sequence: Sequence) {
        self.0.insert(
            Position {
                turn: Turn::Fresh,
                sequence,
                child: None,
            },
            id,
        );
    }

    /// Takes it out again.
    pub(crate) fn remove_fresh(&mut self, sequence: Sequence) {
        self.0.remove(&Position {
            turn: Turn::Fresh,
            sequence,
            child: None,
        });
    }

    /// Adds a job or child that runs again.
    pub(crate) fn add_retried(&mut self, key: JobKey, sequence: Sequence) {
        self.0.insert(
            Position {
                turn: Turn::Retried,
                sequence,
                child: key.child,
            },
            key.id,
        );
    }

    /// Takes it out again.
    pub(crate) fn remove_retried(&mut self, key: JobKey, sequence: Sequence) {
        self.0.remove(&Position {
            turn: Turn::Retried,
            sequence,
            child: key.child,
        });
    }

    /// What goes next. `is_array` tells whether a job is an array's parent.
    pub(crate) fn front(&self, is_array: impl Fn(JobId) -> bool) -> Option<Candidate> {
        let (position, id) = self.0.first_key_value()?;
        Some(match position {
            Position {
                turn: Turn::Fresh, ..
            } if is_array(*id) => Candidate::NextChild(*id),
            Position { child, .. } => Candidate::Job(JobKey {
                id: *id,
                child: *child,
            }),
        })
    }

    /// The jobs in order, arrays once with their parent's id.
    pub fn iter(&self) -> impl Iterator<Item = JobKey> {
        self.0.iter().map(|(position, id)| JobKey {
            id: *id,
            child: position.child,
        })
    }

    /// The jobs in order with their positions, arrays once.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (Position, JobId)> {
        self.0.iter().map(|(position, id)| (*position, *id))
    }

    /// Whether nothing is runnable.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many entries: single jobs, retried children, and arrays.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}
