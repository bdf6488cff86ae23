//! What clients ask for, in the core's words: parsed, and as far as one request alone can show, correct.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::blocked::TimeLimitAction;
use crate::change::{Document, JobContent, StopKind};
use crate::environment::{EnvironmentSpec, Switch};
use crate::id::{AttemptKey, EnvironmentId, InstanceId, JobId, JobKey, QueueId};
use crate::interval_set::IntervalSet;
use crate::item::{Item, ItemKey};
use crate::job::{JobStatus, Profile};
use crate::name::{DefinitionName, EnvironmentKind, EnvironmentName, QueueName, SchedulingPolicyName};
use crate::reason::StatusReason;
use crate::report::Report;
use crate::time::Millis;
use crate::token::ClientToken;

/// What enters the core.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// A client's wish.
    Command(Command),
    /// An engine's fact.
    Report {
        /// About which attempt.
        attempt: AttemptKey,
        /// The fact.
        report: Report,
    },
}

/// A client's wish.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// CreateComputeEnvironment.
    CreateEnvironment(Box<PutEnvironment>),
    /// UpdateComputeEnvironment, computed from the environment's version given.
    UpdateEnvironment {
        /// What it is to be.
        put: Box<PutEnvironment>,
        /// The version it was computed from.
        version: u64,
        /// For an infrastructure update: its instances are replaced, and what runs on them may run for so long (section D4.3).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        renewal: Option<Millis>,
    },
    /// DeleteComputeEnvironment.
    DeleteEnvironment(EnvironmentName),
    /// CreateJobQueue.
    CreateQueue(Box<PutQueue>),
    /// UpdateJobQueue, computed from the queue's version given.
    UpdateQueue {
        /// What it is to be.
        put: Box<PutQueue>,
        /// The version it was computed from.
        version: u64,
    },
    /// DeleteJobQueue.
    DeleteQueue(QueueName),
    /// RegisterJobDefinition.
    RegisterDefinition(Box<RegisterDefinition>),
    /// DeregisterJobDefinition.
    DeregisterDefinition {
        /// Which definition.
        name: DefinitionName,
        /// Which revision.
        revision: u32,
    },
    /// CreateSchedulingPolicy, CreateConsumableResource or CreateQuotaShare.
    CreateItem(Box<PutItem>),
    /// Their updates, computed from the item's version given.
    UpdateItem {
        /// What it is to be.
        put: Box<PutItem>,
        /// The version it was computed from.
        version: u64,
    },
    /// Their deletions.
    DeleteItem(ItemKey),
    /// TagResource or UntagResource, of a resource that exists.
    ChangeTags {
        /// The resource's ARN without partition, region and account: `job-queue/NAME`.
        resource: String,
        /// Added or replaced.
        set: Vec<(String, String)>,
        /// Taken away.
        removed: Vec<String>,
    },
    /// SubmitJob.
    SubmitJob(Box<SubmitJob>),
    /// CancelJob or TerminateJob. A service job's identifier is to them as an unknown one.
    StopJob {
        /// Which job or child.
        job: JobKey,
        /// Which of both.
        kind: StopKind,
        /// The caller's words, 1..=1024 characters.
        reason: String,
    },
    /// TerminateServiceJob. Another job's identifier is as an unknown one.
    StopServiceJob {
        /// Which job.
        job: JobId,
        /// The caller's words, 1..=1024 characters.
        reason: String,
    },
    /// An instance is taken away, as when Spot capacity is reclaimed (section F6.3): it takes no further jobs, and what still runs on it after
    /// the notice is stopped as if the host had gone.
    InterruptInstance {
        /// Which.
        instance: InstanceId,
        /// How long its jobs may still run.
        notice: Millis,
    },
    /// The place under a running job or child is taken away: its instance, or itself where it runs straight on the host.
    InterruptJob {
        /// Which.
        job: JobKey,
        /// How long the jobs of its instance may still run.
        notice: Millis,
    },
    /// UpdateServiceJob.
    PrioritizeServiceJob {
        /// Which job.
        job: JobId,
        /// 0..=9999.
        priority: u16,
    },
}

/// A compute or service environment as it is to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PutEnvironment {
    /// Its name.
    pub name: EnvironmentName,
    /// Whether it takes new jobs.
    pub switch: Switch,
    /// What it offers.
    pub spec: EnvironmentSpec,
    /// The server's words.
    pub document: Document,
    /// Its first tags; an update has none.
    pub tags: Vec<(String, String)>,
    /// Whether what its client wrote can work; jobs are not placed in it otherwise.
    #[serde(default = "yes")]
    pub is_valid: bool,
}

/// Commands that were written down without it were about environments that could.
fn yes() -> bool {
    true
}

/// A queue as it is to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PutQueue {
    /// Its name.
    pub name: QueueName,
    /// Whether it takes new jobs.
    pub switch: Switch,
    /// Higher goes first.
    pub priority: i32,
    /// Where its jobs may run, in the order to try: 1..=3, all different.
    pub environments: Vec<EnvironmentName>,
    /// How its jobs are ordered; `None` is by submission.
    #[serde(default)]
    pub policy: Option<SchedulingPolicyName>,
    /// What is done about a front that has been blocked for too long; each reason at most once.
    #[serde(default)]
    pub actions: Vec<TimeLimitAction>,
    /// The server's words.
    pub document: Document,
    /// Its first tags; an update has none.
    pub tags: Vec<(String, String)>,
}

/// An item as it is to be. Its facts are of the key's kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PutItem {
    /// Which.
    pub key: ItemKey,
    /// Its facts.
    pub item: Item,
    /// The server's words.
    pub document: Document,
    /// Its first tags; an update has none.
    pub tags: Vec<(String, String)>,
}

/// A new revision of a job definition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RegisterDefinition {
    /// Its name.
    pub name: DefinitionName,
    /// The server's words.
    pub document: Document,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// A job to be added to a queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SubmitJob {
    /// Its identifier, new.
    pub id: JobId,
    /// The queue.
    pub queue: QueueName,
    /// What it needs. Its definition is set from the content.
    pub profile: Arc<Profile>,
    /// How many children; `None` for a single job.
    pub array_size: Option<u32>,
    /// Whether each child waits for the one before (a SEQUENTIAL dependency; arrays only).
    pub is_sequential: bool,
    /// Other jobs it waits for, at most 20.
    pub dependencies: Vec<DependsOn>,
    /// What the store keeps of it besides.
    pub content: JobContent,
    /// What the client marked it with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<ClientToken>,
    /// Why it fails at once, if it does: some of what is wrong with a job the service says by its state, not by a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<StatusReason>,
}

/// A job to wait for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DependsOn {
    /// A job, an array's parent, or one child.
    pub on: JobKey,
    /// Whether child waits for child of equal index (N_TO_N) instead of for the whole.
    pub is_pairing: bool,
    /// How the other job ended, where it is not live any more: looked up before the command enters the core.
    pub ended: Option<Ended>,
}

/// How a job ended, for those that depend on it afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// SUCCEEDED or FAILED.
    pub status: JobStatus,
    /// For an array: its size and the children that succeeded.
    pub array: Option<(u32, IntervalSet)>,
}

/// What an accepted command answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing but that it is done.
    Done,
    /// The environment's number.
    Environment(EnvironmentId),
    /// The queue's number.
    Queue(QueueId),
    /// The revision.
    Revision(u32),
    /// The job's identifier.
    Job(JobId),
}

/// Why a command was refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A compute environment of this name exists.
    #[error("{} {} exists", .0.kind().noun(), .0.given())]
    EnvironmentExists(EnvironmentName),
    /// There is none of this name, or it is being deleted.
    #[error("{} {} does not exist", .0.kind().noun(), .0.given())]
    EnvironmentNotFound(EnvironmentName),
    /// It is being deleted.
    #[error("{} {} is being modified", .0.kind().noun(), .0.given())]
    EnvironmentBusy(EnvironmentName),
    /// It is ENABLED; only a DISABLED one can be deleted.
    #[error("{} {} is enabled", .0.kind().noun(), .0.given())]
    EnvironmentEnabled(EnvironmentName),
    /// A queue refers to it.
    #[error("{kind} {name} is used by job queue {1}", kind = .0.kind().noun(), name = .0.given())]
    EnvironmentInUse(EnvironmentName, QueueName),
    /// Another queue has it, and one of both has a policy of quota shares: such an environment is its queue's alone.
    #[error("{kind} {name} cannot be shared with job queue {1}: one of both has quota shares", kind = .0.kind().noun(), name = .0.given())]
    EnvironmentTaken(EnvironmentName, QueueName),
    /// The account has as many as it may have.
    #[error("there are {1} {kind}s, the most allowed", kind = .0.noun())]
    TooManyEnvironments(EnvironmentKind, usize),
    /// A queue of this name exists.
    #[error("job queue {0} exists")]
    QueueExists(QueueName),
    /// There is none of this name, or it is being deleted.
    #[error("job queue {0} does not exist")]
    QueueNotFound(QueueName),
    /// It is being deleted.
    #[error("job queue {0} is being modified")]
    QueueBusy(QueueName),
    /// It is ENABLED; only a DISABLED one can be deleted.
    #[error("job queue {0} is enabled")]
    QueueEnabled(QueueName),
    /// It is DISABLED and takes no jobs.
    #[error("job queue {0} is disabled")]
    QueueDisabled(QueueName),
    /// The account has as many as it may have.
    #[error("there are {0} job queues, the most allowed")]
    TooManyQueues(usize),
    /// There is one of this key.
    #[error("{0} exists")]
    ItemExists(ItemKey),
    /// There is none of this key.
    #[error("{0} does not exist")]
    ItemNotFound(ItemKey),
    /// A queue refers to it.
    #[error("{0} is used by job queue {1}")]
    ItemInUse(ItemKey, QueueName),
    /// Live jobs refer to it.
    #[error("{0} is used by jobs that have not ended")]
    ItemNeeded(ItemKey),
    /// It is ENABLED; only a DISABLED one can be deleted.
    #[error("{0} is enabled")]
    ItemEnabled(ItemKey),
    /// It stays what it is: a policy by fair share or by quota shares, a resource that comes back or does not.
    #[error("{0} cannot become one of another kind")]
    ItemKind(ItemKey),
    /// The account, or the queue, has as many of the kind as it may have.
    #[error("there are {0} of the kind, the most allowed")]
    TooManyItems(usize),
    /// Its environments cannot be used together.
    #[error("compute environments of different platforms cannot share a queue")]
    MixedPlatforms,
    /// It was changed since it was read; read it again.
    #[error("the resource was changed meanwhile")]
    VersionConflict,
    /// There is no such instance.
    #[error("instance {} does not exist", .0.ec2_id())]
    InstanceNotFound(InstanceId),
    /// A job that neither runs nor is about to has no place to be taken away.
    #[error("job {0} neither runs nor is being started")]
    JobHasNoPlace(JobKey),
    /// There is no such revision, or it takes no new jobs any more.
    #[error("job definition {0}:{1} is not active")]
    DefinitionNotActive(DefinitionName, u32),
    /// None of the queue's environments can run jobs of this platform.
    #[error("job queue {0} has no compute environment for this platform")]
    PlatformMismatch(QueueName),
    /// None of the queue's environments takes multi-node parallel jobs.
    #[error("job queue {0} has no compute environment for multi-node parallel jobs")]
    NoMultiNodeEnvironment(QueueName),
    /// A job has children or nodes, not both.
    #[error("a multi-node parallel job cannot be an array job")]
    ArrayOfNodes,
    /// A queue with a service environment takes only service jobs.
    #[error("job queue {0} takes only service jobs")]
    ServiceQueue(QueueName),
    /// A queue with a policy of quota shares takes only jobs that name a share of it.
    #[error("job queue {0} has quota shares, and the job names none")]
    QuotaShareMissing(QueueName),
    /// Other queues take only jobs without one.
    #[error("job queue {0} has no quota shares")]
    QuotaShareNotAllowed(QueueName),
    /// The quota share is DISABLED and takes no jobs.
    #[error("{0} is disabled")]
    ItemDisabled(ItemKey),
    /// There is no such live job of this kind.
    #[error("job {0} has ended, or does not exist")]
    JobNotLive(JobId),
    /// A queue with a fair-share policy takes only jobs with a share.
    #[error("job queue {0} orders its jobs by share, and the job has none")]
    ShareMissing(QueueName),
    /// Other queues take only jobs without one.
    #[error("job queue {0} does not order its jobs by share")]
    ShareNotAllowed(QueueName),
    /// The queue has as many active shares as it may have.
    #[error("job queue {0} has {1} active share identifiers, the most allowed")]
    TooManyShares(QueueName, usize),
    /// A job with this identifier exists.
    #[error("job {0} exists")]
    JobExists(JobId),
    /// The client token stands for another submission.
    #[error("the client token was used for another job, {0}")]
    TokenUsed(JobId),
    /// So many tokens came within their lifetime that no more can be kept.
    #[error("{0} client tokens were used within a day, the most that is kept")]
    TooManyTokens(usize),
    /// A dependency is neither live nor known to have ended.
    #[error("job {0}, which this job depends on, does not exist")]
    DependencyNotFound(JobKey),
    /// A dependency is more than a job may have, or is of a kind that does not fit the jobs.
    #[error("{0}")]
    BadDependency(BadDependency),
    /// The array has too few or too many children.
    #[error("an array job has 2 to {max} children, not {size}")]
    ArraySize {
        /// What was asked for.
        size: u32,
        /// The most that is allowed here.
        max: u32,
    },
}

/// Why a dependency is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDependency {
    /// More than 20.
    #[error("a job depends on at most 20 jobs")]
    TooMany,
    /// SEQUENTIAL or N_TO_N for a job that is not an array.
    #[error("only array jobs have SEQUENTIAL and N_TO_N dependencies")]
    NotAnArray,
    /// N_TO_N on a job that is not an array of the same size.
    #[error("an N_TO_N dependency needs an array job of the same size")]
    SizesDiffer,
}
