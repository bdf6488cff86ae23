//! Live jobs: what the core remembers of them while they wait and run.
//!
//! A queued job costs about 150 bytes here: what to run, its name and its tags are in the store only.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::array::Array;
use crate::environment::Platform;
use crate::id::{ArrayIndex, AttemptNumber, EnvironmentId, InstanceId, JobKey, QueueId, Sequence};
use crate::multi_node::{MultiNode, NodeShape};
use crate::name::{ConsumableResourceName, DefinitionName, QuotaShareName};
use crate::reason::{PREEMPTED_CROSS_SHARE, PREEMPTED_IN_SHARE, StatusReason};
use crate::resources::{GpuSet, Resources};
use crate::retry::RetryStrategy;
use crate::time::{Millis, Timestamp};

/// A submitted job that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its place in the order of submission.
    pub sequence: Sequence,
    /// The queue it was submitted to.
    pub queue: QueueId,
    /// What it needs; shared by all jobs that need the same.
    pub profile: Arc<Profile>,
    /// Where it stands.
    pub body: Body,
}

/// What a job needs of the scheduler. Jobs of one definition mostly share it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Profile {
    /// Which share of a fair-share queue it belongs to, and its place in it. First, as it is what the profiles of many shares differ in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<ShareClaim>,
    /// Which environments can run it.
    pub platform: Platform,
    /// What an attempt (of each child; of all nodes together) holds while it runs.
    pub resources: Resources,
    /// Whether and when to try again.
    pub retry: RetryStrategy,
    /// The longest an attempt may run.
    pub timeout: Option<Millis>,
    /// Time between asking an attempt to stop and killing it.
    pub stop_timeout: Millis,
    /// What an attempt takes of consumable resources: at most 5 entries, names unique.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumables: Vec<ConsumableClaim>,
    /// The definition that it came from, whose runs say how long it will run; none for service jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<DefinitionName>,
    /// The nodes of a multi-node parallel job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodeShape>,
    /// What a service job takes; exactly those of the platform `Service` have it, and hold of resources GPUs alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceClaim>,
}

/// What a service job takes of its environment, and of whose share (sections A.8 and C.4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServiceClaim {
    /// An instance type such as `ml.m5.large`.
    pub unit: Box<str>,
    /// How many, at least 1.
    pub count: u32,
    /// The quota share of its queue that it belongs to, where the queue has a policy of quota shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_share: Option<QuotaShareName>,
    /// How often it may be preempted and still run again; `None` is no limit (section C4.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preemptions_max: Option<u16>,
}

/// A job's place among the shares of a queue (sections A4.4 and C3.6).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ShareClaim {
    /// The share identifier; empty for a priority without one, which only service jobs may have.
    pub identifier: Box<str>,
    /// 0..=9999; within a share, higher goes first.
    pub priority: u16,
}

/// So much of a consumable resource (section C.5).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConsumableClaim {
    /// Which.
    pub name: ConsumableResourceName,
    /// How much.
    pub quantity: u64,
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A single job that waits for others: PENDING. Never empty.
    Waiting(Box<[Dependency]>),
    /// A single job that may run, runs, or runs again.
    Ready(Execution),
    /// An array job: PENDING until all children have ended.
    Array(Box<Array>),
    /// A multi-node parallel job that may run, runs, or runs again.
    MultiNode(Box<MultiNode>),
}

/// A job that another one waits for, as a whole: all of it must succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dependency {
    /// A job, an array's parent, or one child.
    pub on: JobKey,
}

/// The attempts of a single job or of one child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// How many attempts have ended.
    pub attempts_ended: u16,
    /// How many of them were preempted, which do not count for the retry strategy (section C4.3).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub preemptions: u16,
    /// Whether CancelJob was called while an attempt ran: no further attempt follows (section B6.2).
    pub is_cancelled: bool,
    /// The present attempt, if there is one; none is RUNNABLE.
    pub attempt: Option<Box<Attempt>>,
}

/// An attempt that runs or is about to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What it holds.
    pub placement: Placement,
    /// Whether its engine has not begun with it: SCHEDULED. Only service jobs are told apart so (section B1.9).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_scheduled: bool,
    /// When its program started; none is STARTING, or SCHEDULED.
    pub started_at: Option<Timestamp>,
    /// Why it was asked to stop, if it was. The first cause stays, but that a termination replaces the deletion of the environment.
    pub stopping: Option<StopCause>,
}

/// Why an attempt was asked to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// TerminateJob, with the caller's reason; or its queue was deleted.
    Terminated(StatusReason),
    /// It ran longer than its timeout.
    TimedOut,
    /// Its compute environment was deleted: as if the host had gone, so it may be tried again elsewhere.
    EnvironmentDeleted,
    /// Its instance was replaced after an update of the environment: as if the host had gone.
    InstanceReplaced,
    /// Its instance, or its place on the host, was taken away.
    Interrupted,
    /// Another node of its job could not be started, for this reason of the container: without it the rest is of no use.
    NodeNotStarted(String),
    /// The main node of its job has ended, and with it the job.
    MainEnded,
    /// Another job needs the capacity: it runs again when there is some.
    Preempted(Preemption),
}

/// For whom a service job gives way (section C4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preemption {
    /// For a job of another quota share, whose capacity it has borrowed.
    CrossShare,
    /// For a job of higher priority in its own quota share.
    InShare,
}

impl Preemption {
    /// The status reason of the attempt (section C4.4; the second is our own choice of words).
    #[must_use]
    pub const fn status_reason(self) -> StatusReason {
        match self {
            Preemption::CrossShare => PREEMPTED_CROSS_SHARE,
            Preemption::InShare => PREEMPTED_IN_SHARE,
        }
    }

    /// The status reason of the job while the attempt is being stopped (section C4.4).
    #[must_use]
    pub fn in_progress(self) -> StatusReason {
        StatusReason::given(format!(
            "PREEMPTION_IN_PROGRESS: {}",
            self.status_reason().as_str()
        ))
    }
}

/// What an attempt holds, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The compute environment.
    pub environment: EnvironmentId,
    /// The instance, where the environment has instances.
    pub instance: Option<InstanceId>,
    /// The GPUs of the host that are its alone.
    pub gpus: GpuSet,
}

/// The states of a job on the wire (section B.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobStatus {
    /// Accepted; the scheduler has not looked yet.
    Submitted,
    /// Waits for other jobs, or is an array with children that have not ended.
    Pending,
    /// May run as soon as there is room.
    Runnable,
    /// Has its place, and its engine has not begun with it. Service jobs only.
    Scheduled,
    /// Has its place and is being started.
    Starting,
    /// Runs.
    Running,
    /// Ended with exit code 0.
    Succeeded,
    /// Ended otherwise, or never ran.
    Failed,
}

impl JobStatus {
    /// All states, in the order jobs go through them.
    pub const ALL: [JobStatus; 8] = [
        JobStatus::Submitted,
        JobStatus::Pending,
        JobStatus::Runnable,
        JobStatus::Scheduled,
        JobStatus::Starting,
        JobStatus::Running,
        JobStatus::Succeeded,
        JobStatus::Failed,
    ];

    /// As the wire has it: `RUNNABLE`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            JobStatus::Submitted => "SUBMITTED",
            JobStatus::Pending => "PENDING",
            JobStatus::Runnable => "RUNNABLE",
            JobStatus::Scheduled => "SCHEDULED",
            JobStatus::Starting => "STARTING",
            JobStatus::Running => "RUNNING",
            JobStatus::Succeeded => "SUCCEEDED",
            JobStatus::Failed => "FAILED",
        }
    }

    /// The state with this name on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        JobStatus::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether the job has ended for good.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, JobStatus::Succeeded | JobStatus::Failed)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(count: &u16) -> bool {
    *count == 0
}

impl Execution {
    /// An execution that has not been tried yet.
    #[must_use]
    pub const fn new() -> Self {
        Execution {
            attempts_ended: 0,
            preemptions: 0,
            is_cancelled: false,
            attempt: None,
        }
    }

    /// RUNNABLE, SCHEDULED, STARTING or RUNNING.
    #[must_use]
    pub fn status(&self) -> JobStatus {
        match &self.attempt {
            None => JobStatus::Runnable,
            Some(attempt) if attempt.is_scheduled => JobStatus::Scheduled,
            Some(attempt) if attempt.started_at.is_none() => JobStatus::Starting,
            Some(_) => JobStatus::Running,
        }
    }

    /// The number of the present attempt, or of the next one.
    #[must_use]
    pub fn attempt_number(&self) -> AttemptNumber {
        self.attempts_ended + 1
    }
}

impl Default for Execution {
    fn default() -> Self {
        Execution::new()
    }
}

impl Job {
    /// The execution of a single job (no `child`), of a child or of a node, if it has one.
    #[must_use]
    pub fn execution(&self, child: Option<ArrayIndex>) -> Option<&Execution> {
        match (child, &self.body) {
            (None, Body::Ready(execution)) => Some(execution),
            (Some(child), Body::Array(array)) => array.executions.get(&child),
            (Some(node), Body::MultiNode(multi_node)) => multi_node.gang.as_ref()?.execution(node),
            (None | Some(_), Body::Waiting(_) | Body::Ready(_) | Body::Array(_) | Body::MultiNode(_)) => None,
        }
    }

    /// The same, to be changed.
    pub(crate) fn execution_mut(&mut self, child: Option<ArrayIndex>) -> Option<&mut Execution> {
        match (child, &mut self.body) {
            (None, Body::Ready(execution)) => Some(execution),
            (Some(child), Body::Array(array)) => array.executions.get_mut(&child),
            (Some(node), Body::MultiNode(multi_node)) => {
                let nodes = &mut multi_node.gang.as_mut()?.nodes;
                nodes.get_mut(usize::try_from(node).ok()?)
            }
            (None | Some(_), Body::Waiting(_) | Body::Ready(_) | Body::Array(_) | Body::MultiNode(_)) => None,
        }
    }

    /// The state of the job as a whole.
    #[must_use]
    pub fn status(&self) -> JobStatus {
        match &self.body {
            Body::Waiting(_) | Body::Array(_) => JobStatus::Pending,
            Body::Ready(execution) => execution.status(),
            Body::MultiNode(multi_node) => multi_node.status(self.profile.main_node()),
        }
    }
}

impl Profile {
    /// What an attempt of a single job, of a child or of a node holds.
    #[must_use]
    pub fn need(&self, child: Option<ArrayIndex>) -> Resources {
        match (&self.nodes, child) {
            (Some(shape), Some(node)) => shape.need(node),
            (Some(_), None) | (None, _) => self.resources,
        }
    }

    /// The main node of a multi-node parallel job; 0 for others.
    #[must_use]
    pub fn main_node(&self) -> ArrayIndex {
        self.nodes.as_ref().map_or(0, |shape| shape.main)
    }
}
