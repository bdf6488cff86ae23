//! What reads give back, row by row.

use std::sync::Arc;

use batchyard_core::array::StatusCounts;
use batchyard_core::blocked::TimeLimitAction;
use batchyard_core::change::{Document, JobContent};
use batchyard_core::environment::{EnvironmentSpec, Life, Switch};
use batchyard_core::id::{AttemptNumber, EnvironmentId, JobKey, QueueId, Sequence};
use batchyard_core::item::{Item, ItemKey};
use batchyard_core::job::{Dependency, JobStatus, Placement, Profile};
use batchyard_core::launch::{LaunchSpec, NodeLaunches};
use batchyard_core::name::{DefinitionName, EnvironmentName, QueueName, SchedulingPolicyName};
use batchyard_core::report::ContainerEnd;
use batchyard_core::time::Timestamp;

/// A compute environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentRow {
    /// Its number.
    pub id: EnvironmentId,
    /// Its name.
    pub name: EnvironmentName,
    /// Counts its updates.
    pub version: u64,
    /// Whether it takes new jobs.
    pub switch: Switch,
    /// Whether it is going away.
    pub life: Life,
    /// What it offers.
    pub spec: EnvironmentSpec,
    /// vCPUs of its instances together.
    pub instance_vcpus: u32,
    /// Whether instances of it are being replaced.
    pub is_renewing: bool,
    /// The server's words.
    pub document: Document,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// A job queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueRow {
    /// Its number.
    pub id: QueueId,
    /// Its name.
    pub name: QueueName,
    /// Counts its updates.
    pub version: u64,
    /// Whether it takes new jobs.
    pub switch: Switch,
    /// Whether it is going away.
    pub life: Life,
    /// Higher goes first.
    pub priority: i32,
    /// Where its jobs may run, in the order to try.
    pub environments: Vec<EnvironmentName>,
    /// How its jobs are ordered; `None` is by submission.
    pub policy: Option<SchedulingPolicyName>,
    /// What is done about a front that has been blocked for too long.
    pub actions: Vec<TimeLimitAction>,
    /// The server's words.
    pub document: Document,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// An item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRow {
    /// Which.
    pub key: ItemKey,
    /// Counts its updates.
    pub version: u64,
    /// Its facts.
    pub item: Item,
    /// The server's words.
    pub document: Document,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// A revision of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionRevision {
    /// The definition.
    pub name: DefinitionName,
    /// From 1.
    pub revision: u32,
}

/// A job definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionRow {
    /// Which.
    pub revision: DefinitionRevision,
    /// Whether it takes new jobs.
    pub is_active: bool,
    /// The server's words.
    pub document: Document,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// What a launch needs besides the attempt's placement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchRow {
    /// How to run it.
    pub launch: Arc<LaunchSpec>,
    /// The queue's name.
    pub queue: QueueName,
    /// How many children, for an array.
    pub array_size: Option<u32>,
    /// How the nodes are run, for a multi-node parallel job.
    pub nodes: Option<Arc<NodeLaunches>>,
}

impl LaunchRow {
    /// How the attempts of this key are run: a node of a multi-node parallel job as its range is, all others as the job.
    #[must_use]
    pub fn launch_of(&self, key: JobKey) -> &Arc<LaunchSpec> {
        let of_node = key.child.and_then(|node| self.nodes.as_ref()?.of(node));
        of_node.unwrap_or(&self.launch)
    }
}

/// All about a job, child or node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRow {
    /// Which.
    pub key: JobKey,
    /// Its (its parent's) place in the order of submission.
    pub sequence: Sequence,
    /// Its queue's name.
    pub queue: QueueName,
    /// What it needs.
    pub profile: Profile,
    /// What it is: the parent's for a child or node, but for the tags, which these have not, and a node's own launch.
    pub content: JobContent,
    /// Its dependencies as far as the core knew them at submission and they are not met yet.
    pub dependencies: Vec<Dependency>,
    /// How it stands.
    pub state: JobStateRow,
    /// When a service job last got its place; `None` for other jobs.
    pub scheduled_at: Option<Timestamp>,
    /// Its ended attempts, oldest first; of a multi-node parallel job its main node's.
    pub attempts: Vec<AttemptRow>,
    /// The present attempt and its place, if there is one.
    pub current: Option<(AttemptNumber, PlaceRow)>,
    /// For an array's parent: how many children, and how they stand.
    pub array: Option<ArrayRow>,
    /// For a multi-node parallel job and for its nodes.
    pub nodes: Option<NodesRow>,
}

/// How a job or child stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobStateRow {
    /// Its state.
    pub status: JobStatus,
    /// Why.
    pub status_reason: Option<String>,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When the present or last attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub stopped_at: Option<Timestamp>,
    /// The exit code of the last attempt.
    pub exit_code: Option<i32>,
    /// The container's reason of the last attempt.
    pub reason: Option<String>,
    /// Whether CancelJob was called on it.
    pub is_cancelled: bool,
    /// Whether TerminateJob was called on it.
    pub is_terminated: bool,
}

/// Where an attempt runs or ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceRow {
    /// What it holds or held.
    pub placement: Placement,
    /// The environment's name, also if it is gone.
    pub environment: EnvironmentName,
}

/// An attempt that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRow {
    /// Which, from 1.
    pub attempt: AttemptNumber,
    /// Where.
    pub place: PlaceRow,
    /// When its program started, if it did.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub stopped_at: Timestamp,
    /// Its exit code, where it is known.
    pub exit_code: Option<i32>,
    /// The container's reason.
    pub reason: Option<String>,
    /// Its status reason.
    pub status_reason: String,
    /// How the containers of a task ended; empty for other jobs.
    pub containers: Vec<ContainerEnd>,
    /// Whether it gave way to another job.
    pub is_preempted: bool,
}

/// How an array stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayRow {
    /// How many children.
    pub size: u32,
    /// How many in each state.
    pub counts: StatusCounts,
    /// When that last changed.
    pub updated_at: Timestamp,
}

/// The nodes of a multi-node parallel job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodesRow {
    /// How many.
    pub count: u32,
    /// The main one.
    pub main: u32,
}

/// A listed job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSummaryRow {
    /// Which.
    pub key: JobKey,
    /// Its name.
    pub name: String,
    /// Its definition.
    pub definition: DefinitionRevision,
    /// What it needs.
    pub vcpus: batchyard_core::resources::MilliVcpus,
    /// Which share it belongs to.
    pub share: Option<Box<str>>,
    /// How it stands.
    pub state: JobStateRow,
    /// For an array's parent.
    pub array: Option<ArrayRow>,
    /// For a multi-node parallel job and for its nodes.
    pub nodes: Option<NodesRow>,
}
