//! Multi-node parallel jobs (section B.11): nodes that get their places together, run together, and end with their main node.
//!
//! A node is named like a child of an array, by its index behind the job's identifier, and has its attempts like one. What all nodes have
//! in common is the *gang*: it is there from the moment all have their places until the last of them has ended.

use serde::{Deserialize, Serialize};

use crate::change::AfterAttempt;
use crate::environment::InstanceTypeName;
use crate::id::ArrayIndex;
use crate::job::{Execution, JobStatus, StopCause};
use crate::reason::StatusReason;
use crate::resources::Resources;
use crate::time::Timestamp;

/// The index of a node within its job, from 0.
pub type NodeIndex = ArrayIndex;

/// How many nodes a job has, and what each needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeShape {
    /// How many: 1..=1000.
    pub count: u32,
    /// The one that the others follow; below `count`.
    pub main: NodeIndex,
    /// What they need, in order, without gaps and overlaps.
    pub groups: Vec<NodeGroup>,
}

/// Neighbouring nodes that need the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeGroup {
    /// The first of them.
    pub first: NodeIndex,
    /// The last of them.
    pub last: NodeIndex,
    /// What each needs.
    pub resources: Resources,
    /// The type that each one's instance must have, where the environment has instances (section B11.10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<InstanceTypeName>,
}

/// A multi-node parallel job that waits for nothing any more.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MultiNode {
    /// How many attempts of the whole have ended.
    pub attempts_ended: u16,
    /// Whether CancelJob was called while an attempt ran: no further attempt follows.
    pub is_cancelled: bool,
    /// The present attempt; none is RUNNABLE.
    pub gang: Option<Gang>,
}

/// An attempt of all nodes together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gang {
    /// Why the whole was asked to stop, if it was.
    pub stopping: Option<StopCause>,
    /// How the main node ended, once it has: the others are being stopped then.
    pub main_end: Option<Box<MainEnd>>,
    /// By index. One without an attempt has ended.
    pub nodes: Vec<Execution>,
}

/// How the main node of an attempt ended, and with it the attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MainEnd {
    /// When its program started, if it did.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub stopped_at: Timestamp,
    /// 0..=255, where it is known.
    pub exit_code: Option<i32>,
    /// The container's reason.
    pub reason: Option<String>,
    /// The attempt's status reason.
    pub status_reason: StatusReason,
    /// What the job is to become once all nodes have ended.
    pub next: AfterAttempt,
}

impl NodeShape {
    /// What a node needs.
    ///
    /// # Panics
    /// If the job has no such node.
    #[must_use]
    pub fn need(&self, node: NodeIndex) -> Resources {
        self.group(node).resources
    }

    /// The group of a node.
    ///
    /// # Panics
    /// If the job has no such node.
    #[must_use]
    pub fn group(&self, node: NodeIndex) -> &NodeGroup {
        let is_of = |group: &&NodeGroup| (group.first..=group.last).contains(&node);
        self.groups.iter().find(is_of).expect("groups cover all nodes")
    }

    /// What all nodes need together.
    #[must_use]
    pub fn total(&self) -> Resources {
        (0..self.count).fold(Resources::default(), |sum, node| sum.plus(self.need(node)))
    }
}

impl MultiNode {
    /// The state of the job as a whole: its main node's.
    #[must_use]
    pub fn status(&self, main: NodeIndex) -> JobStatus {
        let Some(gang) = &self.gang else {
            return JobStatus::Runnable;
        };
        match gang.has_started(main) {
            true => JobStatus::Running,
            false => JobStatus::Starting,
        }
    }

    /// The state of one node; `None` for one whose attempt has ended, and if there is no such node.
    #[must_use]
    pub fn node_status(&self, shape: &NodeShape, node: NodeIndex) -> Option<JobStatus> {
        match &self.gang {
            None => (node < shape.count).then_some(JobStatus::Runnable),
            Some(gang) => {
                let execution = gang.execution(node)?;
                execution.attempt.as_ref().map(|_| execution.status())
            }
        }
    }
}

impl Gang {
    /// The execution of a node.
    #[must_use]
    pub fn execution(&self, node: NodeIndex) -> Option<&Execution> {
        self.nodes.get(usize::try_from(node).ok()?)
    }

    /// Whether the main node's program has started: before, no other node is launched.
    #[must_use]
    pub fn has_started(&self, main: NodeIndex) -> bool {
        let present = self.execution(main).and_then(|main| main.attempt.as_ref());
        let started_at = match (present, &self.main_end) {
            (Some(attempt), _) => attempt.started_at,
            (None, Some(end)) => end.started_at,
            (None, None) => None,
        };
        started_at.is_some()
    }

    /// Whether all nodes have ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.nodes.iter().all(|node| node.attempt.is_none())
    }

    /// The nodes that have an attempt, with it.
    pub fn live(&self) -> impl Iterator<Item = (NodeIndex, &crate::job::Attempt)> {
        let indexed = (0..).zip(&self.nodes);
        indexed.filter_map(|(index, node)| Some((index, &**node.attempt.as_ref()?)))
    }
}
