//! What a step did to the state: the only thing that the state is changed by, and that the store is told.
//!
//! Long because it is one list by design: every fact that there can be stands here.
//!
//! A change is a fact, complete in itself: the store writes rows from it without reading any, and replaying all changes into an empty
//! state gives the state again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::array::Array;
use crate::blocked::{Blocked, TimeLimitAction};
use crate::environment::{EnvironmentSpec, InstanceTypeName, Leaving, Life, Renewal, Switch};
use crate::id::{ArrayIndex, AttemptNumber, EnvironmentId, InstanceId, JobId, JobKey, QueueId, Sequence};
use crate::interval_set::IntervalSet;
use crate::item::{Item, ItemKey};
use crate::job::{Dependency, JobStatus, Placement, Profile, StopCause};
use crate::launch::{LaunchSpec, NodeLaunches};
use crate::multi_node::{MainEnd, NodeIndex};
use crate::name::{ConsumableResourceName, DefinitionName, EnvironmentName, QueueName, SchedulingPolicyName};
use crate::options::QueueOptions;
use crate::reason::StatusReason;
use crate::report::ContainerEnd;
use crate::resources::{GpuSet, Resources};
use crate::runs::RunTimes;
use crate::share::{Ledger, ShareName};
use crate::time::Timestamp;
use crate::token::KeptToken;

/// Text in the server's words that the core passes to the store unread: what a client wrote and will read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Document(pub Arc<str>);

/// One fact about what has become of the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A compute environment was created or updated: this is what it is now.
    EnvironmentPut(Box<EnvironmentPut>),
    /// Which instances of a compute environment are being replaced.
    EnvironmentRenewal {
        /// Which environment.
        environment: EnvironmentId,
        /// `None` when all have been.
        renewal: Option<Renewal>,
    },
    /// A compute environment is going away.
    EnvironmentDeleting(EnvironmentId),
    /// A compute environment is gone.
    EnvironmentRemoved(EnvironmentId),
    /// An environment has a new instance.
    InstanceAdded(Box<InstanceAdded>),
    /// An idle instance was given back.
    InstanceRemoved {
        /// Whose.
        environment: EnvironmentId,
        /// Which.
        instance: InstanceId,
    },
    /// An instance is being taken away.
    InstanceLeaving {
        /// Whose.
        environment: EnvironmentId,
        /// Which.
        instance: InstanceId,
        /// When its jobs are stopped.
        leaving: Leaving,
    },
    /// A queue was created or updated: this is what it is now.
    QueuePut(Box<QueuePut>),
    /// Something holds a queue up, or does not any more.
    QueueBlocked {
        /// Which queue.
        queue: QueueId,
        /// Which of its lines; empty where it has but one.
        line: ShareName,
        /// The line's front, and what is in its way.
        blocked: Option<Box<Blocked>>,
    },
    /// What a share of a fair-share queue has used by now; it is active.
    ShareCharged {
        /// Which queue.
        queue: QueueId,
        /// Which share.
        share: ShareName,
        /// All of it.
        ledger: Box<Ledger>,
    },
    /// These shares are not active any more, and what they used does not count.
    SharesForgotten {
        /// Whose.
        queue: QueueId,
        /// Which.
        shares: Vec<ShareName>,
    },
    /// A queue is going away, and its jobs with it.
    QueueDeleting(QueueId),
    /// A queue is gone.
    QueueRemoved(QueueId),
    /// A job of this definition has succeeded: how long the last ones ran.
    RunTimesNoted {
        /// Of which definition.
        definition: DefinitionName,
        /// All that are kept.
        runs: RunTimes,
    },
    /// A new revision of a job definition.
    DefinitionRegistered(Box<DefinitionRegistered>),
    /// A revision takes no new jobs any more.
    DefinitionDeregistered {
        /// Which definition.
        name: DefinitionName,
        /// Which revision.
        revision: u32,
        /// When.
        at: Timestamp,
    },
    /// A scheduling policy, consumable resource or quota share was created or updated: this is what it is now.
    ItemPut(Box<ItemPut>),
    /// One is gone.
    ItemRemoved(ItemKey),
    /// A job took of a consumable resource for good.
    SupplyBurned {
        /// Of which.
        name: ConsumableResourceName,
        /// What there is now.
        left: u64,
    },
    /// A queue's tags tell it something else.
    QueueOptionsChanged {
        /// Which queue.
        queue: QueueId,
        /// All of it.
        options: QueueOptions,
    },
    /// An array job's tags say something else about how many of its children run at once.
    ArrayConcurrencyChanged {
        /// Which.
        job: JobId,
        /// The limit, if any.
        max: Option<u32>,
    },
    /// Tags of a resource were set or removed.
    TagsChanged(Box<TagsChanged>),
    /// The next job was submitted with a client token.
    TokenKept(Box<KeptToken>),
    /// These tokens count no more.
    TokensForgotten(Vec<Box<str>>),
    /// A job was submitted. It waits, even for nothing: what makes it runnable is a change of its own.
    JobAdded(Box<JobAdded>),
    /// A job need not wait for this other one any more.
    DependencyMet {
        /// Who waited: a single job, or an array with all its children.
        job: JobId,
        /// For whom.
        dependency: Dependency,
    },
    /// Children of an array that another array's children are paired with have succeeded.
    PairingMet {
        /// Who waited.
        job: JobId,
        /// For whose children.
        on: JobId,
        /// Which of them.
        children: IntervalSet,
    },
    /// All children of the paired array have ended: nothing more will come from it.
    PairingClosed {
        /// Who waited.
        job: JobId,
        /// For whose children.
        on: JobId,
    },
    /// What a job needs of the scheduler is another than it was: its priority.
    ProfileChanged {
        /// Whose.
        job: JobId,
        /// All of it.
        profile: Box<Profile>,
    },
    /// A single job became RUNNABLE.
    JobReady(JobId),
    /// Children of an array became RUNNABLE.
    ChildrenReady {
        /// Whose.
        job: JobId,
        /// Which.
        children: IntervalSet,
    },
    /// An attempt got its place: STARTING, or of a service job SCHEDULED.
    AttemptPlaced {
        /// Whose.
        job: JobKey,
        /// Which attempt.
        attempt: AttemptNumber,
        /// What it holds.
        placement: Placement,
        /// When, of a service job; `None` of other jobs and of children, which are never SCHEDULED.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scheduled_at: Option<Timestamp>,
    },
    /// The engine has begun with an attempt that was SCHEDULED: STARTING.
    AttemptPreparing {
        /// Whose.
        job: JobKey,
        /// Which attempt.
        attempt: AttemptNumber,
    },
    /// An attempt's program started: RUNNING.
    AttemptStarted {
        /// Whose.
        job: JobKey,
        /// Which attempt.
        attempt: AttemptNumber,
        /// When, by the clock of its host.
        at: Timestamp,
    },
    /// All nodes of a multi-node parallel job got their places: STARTING.
    GangPlaced(Box<GangPlaced>),
    /// The main node's program started: the job is RUNNING, and the other nodes are launched.
    GangStarted {
        /// Whose.
        job: JobId,
        /// The main node.
        main: NodeIndex,
        /// Which attempt.
        attempt: AttemptNumber,
        /// When, by the clock of its host.
        at: Timestamp,
    },
    /// All nodes of an attempt have ended, and with it perhaps the job.
    GangEnded(Box<GangEnded>),
    /// An attempt is to be stopped; of a multi-node parallel job as a whole, the attempts of all nodes.
    StopRequested {
        /// Whose.
        job: JobKey,
        /// Why.
        cause: StopCause,
    },
    /// CancelJob was called while the job ran: it goes on, but is not tried again.
    CancelNoted(JobKey),
    /// CancelJob or TerminateJob was called on an array.
    ArrayStopNoted {
        /// Which.
        job: JobId,
        /// Which call.
        kind: StopKind,
    },
    /// An attempt ended, and with it perhaps the job.
    AttemptEnded(Box<AttemptEnded>),
    /// A job or one child ended without a running attempt: cancelled, terminated, or a dependency failed.
    JobFailed(Box<JobFailed>),
    /// Children that never ran failed together.
    ChildrenFailed {
        /// Whose.
        job: JobId,
        /// Which.
        children: IntervalSet,
        /// Why.
        status_reason: StatusReason,
        /// When.
        at: Timestamp,
    },
    /// All children of an array have ended.
    ArrayEnded(Box<ArrayEnded>),
}

/// A compute environment as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentPut {
    /// Its number.
    pub id: EnvironmentId,
    /// Its name.
    pub name: EnvironmentName,
    /// 1 at creation, one more with each update.
    pub version: u64,
    /// Whether it takes new jobs.
    pub switch: Switch,
    /// Whether it exists or is going away.
    pub life: Life,
    /// What it offers.
    pub spec: EnvironmentSpec,
    /// The server's words.
    pub document: Document,
}

/// A new instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceAdded {
    /// Whose.
    pub environment: EnvironmentId,
    /// Its number.
    pub id: InstanceId,
    /// Which type it stands for.
    pub instance_type: InstanceTypeName,
    /// What it can give.
    pub capacity: Resources,
    /// Its GPUs.
    pub gpus: GpuSet,
    /// Since when it is there.
    pub at: Timestamp,
}

/// A queue as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuePut {
    /// Its number.
    pub id: QueueId,
    /// Its name.
    pub name: QueueName,
    /// 1 at creation, one more with each update.
    pub version: u64,
    /// Whether it takes new jobs.
    pub switch: Switch,
    /// Higher goes first.
    pub priority: i32,
    /// Where its jobs may run, in the order to try.
    pub environments: Vec<EnvironmentId>,
    /// How its jobs are ordered.
    #[serde(default)]
    pub policy: Option<SchedulingPolicyName>,
    /// What is done about a front that has been blocked for too long.
    #[serde(default)]
    pub actions: Vec<TimeLimitAction>,
    /// The server's words.
    pub document: Document,
}

/// A new revision of a job definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionRegistered {
    /// Its name.
    pub name: DefinitionName,
    /// From 1, never used twice.
    pub revision: u32,
    /// The server's words.
    pub document: Document,
    /// When.
    pub at: Timestamp,
}

/// An item as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemPut {
    /// Which.
    pub key: ItemKey,
    /// 1 at creation, one more with each update.
    pub version: u64,
    /// Its facts.
    pub item: Item,
    /// The server's words.
    pub document: Document,
    /// When.
    pub at: Timestamp,
}

/// Tags set and removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagsChanged {
    /// The resource's ARN without partition, region and account: `job-queue/NAME`.
    pub resource: String,
    /// Added or replaced.
    pub set: Vec<(String, String)>,
    /// Taken away.
    pub removed: Vec<String>,
}

/// A submitted job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobAdded {
    /// Its identifier.
    pub id: JobId,
    /// Its place in the order of submission.
    pub sequence: Sequence,
    /// The queue.
    pub queue: QueueId,
    /// What it needs.
    pub profile: Arc<Profile>,
    /// A single job's dependencies that are not met yet.
    pub dependencies: Vec<Dependency>,
    /// The children, all waiting, with their dependencies; `None` for a single job.
    pub array: Option<Box<Array>>,
    /// What the store keeps of it besides.
    pub content: JobContent,
    /// When.
    pub at: Timestamp,
}

/// What the store keeps of a job and the core does not need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobContent {
    /// The job's name.
    pub name: String,
    /// The definition it came from; any name for a service job.
    pub definition: DefinitionName,
    /// The definition's revision; 0 for a service job, which has no definition.
    pub revision: u32,
    /// How to run it; of a multi-node parallel job, its main node.
    pub launch: Arc<LaunchSpec>,
    /// How to run the nodes of a multi-node parallel job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<Arc<NodeLaunches>>,
    /// The server's words.
    pub document: Document,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// Which call asked for a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopKind {
    /// CancelJob.
    Cancel,
    /// TerminateJob, or the deletion of the queue.
    Terminate,
}

/// The end of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptEnded {
    /// Whose.
    pub job: JobKey,
    /// Which.
    pub attempt: AttemptNumber,
    /// What it held.
    pub placement: Placement,
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
    /// How the containers of a task ended; empty for other jobs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerEnd>,
    /// Whether it gave way to another job, and so does not count for the retry strategy.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_preempted: bool,
    /// What the job is now: RUNNABLE again, SUCCEEDED or FAILED.
    pub next: AfterAttempt,
}

/// The places of all nodes of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GangPlaced {
    /// Whose.
    pub job: JobId,
    /// Which attempt.
    pub attempt: AttemptNumber,
    /// The main node.
    pub main: NodeIndex,
    /// What each node holds, by index.
    pub placements: Vec<Placement>,
}

/// The end of an attempt of all nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GangEnded {
    /// Whose.
    pub job: JobId,
    /// Which.
    pub attempt: AttemptNumber,
    /// How the main node ended, and what the job is now.
    pub end: MainEnd,
}

/// What becomes of a job when an attempt has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterAttempt {
    /// It is tried again.
    Retried,
    /// It has succeeded.
    Succeeded,
    /// It has failed.
    Failed,
}

/// The end of a job or child without a running attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFailed {
    /// Which.
    pub job: JobKey,
    /// Why.
    pub status_reason: StatusReason,
    /// Which call ended it, if one did.
    pub stopped_by: Option<StopKind>,
    /// When.
    pub at: Timestamp,
}

/// The end of an array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayEnded {
    /// Which.
    pub job: JobId,
    /// Whether all children have succeeded.
    pub has_succeeded: bool,
    /// Why not; the ordinary end otherwise.
    pub status_reason: Option<StatusReason>,
    /// When.
    pub at: Timestamp,
    /// Its children as they ended, for the store.
    pub array: Box<Array>,
}

impl AfterAttempt {
    /// The job's state.
    #[must_use]
    pub const fn status(self) -> JobStatus {
        match self {
            AfterAttempt::Retried => JobStatus::Runnable,
            AfterAttempt::Succeeded => JobStatus::Succeeded,
            AfterAttempt::Failed => JobStatus::Failed,
        }
    }
}

impl Change {
    /// The array whose children this change concerns: its record in the store is to be written anew. `None` for single jobs' changes
    /// is not told apart from children's here; a child's key says whose it is.
    #[must_use]
    pub fn array_touched(&self) -> Option<JobId> {
        let of_child = |key: &JobKey| key.child.map(|_: ArrayIndex| key.id);
        match self {
            Change::DependencyMet { job, .. }
            | Change::PairingMet { job, .. }
            | Change::PairingClosed { job, .. }
            | Change::ChildrenReady { job, .. }
            | Change::ArrayStopNoted { job, .. }
            | Change::ArrayConcurrencyChanged { job, .. }
            | Change::ChildrenFailed { job, .. } => Some(*job),
            Change::AttemptPlaced { job, .. }
            | Change::AttemptPreparing { job, .. }
            | Change::AttemptStarted { job, .. }
            | Change::StopRequested { job, .. }
            | Change::CancelNoted(job) => of_child(job),
            // Nodes have no record that is written as a whole.
            Change::GangPlaced(_) | Change::GangStarted { .. } | Change::GangEnded(_) => None,
            Change::AttemptEnded(ended) => of_child(&ended.job),
            Change::JobFailed(failed) => of_child(&failed.job),
            Change::EnvironmentPut(_)
            | Change::EnvironmentRenewal { .. }
            | Change::EnvironmentDeleting(_)
            | Change::EnvironmentRemoved(_)
            | Change::InstanceAdded(_)
            | Change::InstanceRemoved { .. }
            | Change::InstanceLeaving { .. }
            | Change::QueuePut(_)
            | Change::QueueBlocked { .. }
            | Change::ShareCharged { .. }
            | Change::SharesForgotten { .. }
            | Change::QueueDeleting(_)
            | Change::QueueRemoved(_)
            | Change::RunTimesNoted { .. }
            | Change::DefinitionRegistered(_)
            | Change::DefinitionDeregistered { .. }
            | Change::ItemPut(_)
            | Change::ItemRemoved(_)
            | Change::SupplyBurned { .. }
            | Change::QueueOptionsChanged { .. }
            | Change::TagsChanged(_)
            | Change::TokenKept(_)
            | Change::TokensForgotten(_)
            | Change::JobAdded(_)
            | Change::ProfileChanged { .. }
            | Change::JobReady(_)
            | Change::ArrayEnded(_) => None,
        }
    }
}
