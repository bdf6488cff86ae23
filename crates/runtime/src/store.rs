//! The port to durable state: current state as rows, and the journal of what was accepted.
//!
//! # Contract
//!
//! * [`Store::commit`] is called by one thread at a time, in the order in which the core made the changes. When it returns `Ok`, the whole
//!   batch is durable, also against a power cut; when it fails, nothing of the batch is there. The caller then drops its core and
//!   loads again: the store needs no rollback beyond its transaction's.
//! * A batch is complete: rows are written from it without reading others, but for what the store keeps in memory itself.
//! * [`Store::load`] gives back what was committed, such that restoring a core from it gives the core that made the changes.
//! * Reads see the last commit, from any thread, and never wait for a commit. They block the calling thread: call them off the reactor.
//! * Rows of jobs that have ended stay until [`Store::purge`] removes them.

use std::sync::Arc;

use batchyard_core::array::{Array, StatusCounts};
use batchyard_core::change::{Change, Document, JobContent};
use batchyard_core::command::{Ended, Input};
use batchyard_core::environment::{EnvironmentSpec, Life, Switch};
use batchyard_core::id::{AttemptNumber, EnvironmentId, JobId, JobKey, QueueId, Sequence};
use batchyard_core::job::{Dependency, JobStatus, Placement, Profile};
use batchyard_core::launch::LaunchSpec;
use batchyard_core::name::{DefinitionName, EnvironmentName, QueueName};
use batchyard_core::state::{Counters, Stored};
use batchyard_core::time::Timestamp;

/// What is committed together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// In the order in which they were made.
    pub changes: Vec<Change>,
    /// The live arrays that changes of this batch touched, as they are after the batch. Arrays that ended in it are in their change.
    pub arrays: Vec<(JobId, Array)>,
    /// What was accepted, in order.
    pub journal: Vec<JournalEntry>,
    /// The numbers for the next new things, after the batch.
    pub counters: Counters,
}

/// An accepted input: the audit trail, and what a past moment can be replayed from.
#[derive(Clone, Debug)]
pub struct JournalEntry {
    /// When it entered the core.
    pub at: Timestamp,
    /// Whose it was: an ARN. `None` for engines' reports.
    pub principal: Option<Arc<str>>,
    /// What. Of SubmitJob only the identifier is kept here: the job's row has the rest.
    pub input: Input,
}

/// The store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full, or its quota is: nothing was written, and trying later may help.
    #[error("write to {path}: no space left on the disk")]
    Full {
        /// The file, as configured.
        path: String,
        /// What the database said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The rows contradict each other or cannot be read: somebody else wrote them, or the disk lies.
    #[error("read {path}: the contents are damaged: {what}")]
    Damaged {
        /// The file, as configured.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// Anything else.
    #[error("use {path}")]
    Failed {
        /// The file, as configured.
        path: String,
        /// What the database said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Durable state. See the module for the contract.
pub trait Store: Send + Sync + 'static {
    /// Everything a core needs to go on.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    fn load(&self) -> Result<Stored, StoreError>;

    /// Makes a batch durable, all or nothing.
    ///
    /// # Errors
    /// When it could not be; then nothing of it was kept.
    fn commit(&self, batch: &Batch) -> Result<(), StoreError>;

    /// Whether commits are likely to work again after one has failed: writes and syncs about as much as a small batch, and leaves nothing
    /// that a reader would see.
    ///
    /// # Errors
    /// As [`commit`](Store::commit).
    fn probe(&self) -> Result<(), StoreError>;

    /// How to run a job: asked before each launch that the caller does not remember.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn launch(&self, id: JobId) -> Result<Option<LaunchRow>, StoreError>;

    /// How a job or child ended; `None` if it is not known, or has not ended.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn ended(&self, key: JobKey) -> Result<Option<Ended>, StoreError>;

    /// Compute environments: those named, in the order of the names and without the unknown ones; or a page of all, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn environments(
        &self,
        select: &Select<EnvironmentName>,
    ) -> Result<Page<EnvironmentRow, EnvironmentName>, StoreError>;

    /// Job queues, as [`environments`](Store::environments).
    ///
    /// # Errors
    /// When the store cannot be read.
    fn queues(&self, select: &Select<QueueName>) -> Result<Page<QueueRow, QueueName>, StoreError>;

    /// Job definitions.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn definitions(
        &self,
        query: &DefinitionQuery,
    ) -> Result<Page<DefinitionRow, DefinitionRevision>, StoreError>;

    /// The highest ACTIVE revision of a definition, with its document.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn latest_definition(&self, name: &DefinitionName) -> Result<Option<DefinitionRow>, StoreError>;

    /// All about these jobs and children, in the order asked for and without the unknown ones. Children that never left RUNNABLE are
    /// made up from their parent's row.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn jobs(&self, keys: &[JobKey]) -> Result<Vec<JobRow>, StoreError>;

    /// A page of jobs or children, newest first; children by index.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn list_jobs(&self, query: &JobQuery) -> Result<Page<JobSummaryRow, JobCursor>, StoreError>;

    /// The tags of a resource, by key; none for an unknown one.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn tags(&self, resource: &str) -> Result<Vec<(String, String)>, StoreError>;

    /// How many jobs of a queue are in each state: singles and children; array parents are not counted.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn counts(&self, queue: QueueId) -> Result<StatusCounts, StoreError>;

    /// Removes jobs that ended before `jobs_before` and journal entries older than `journal_before`, at most `limit` of each. Whether there
    /// may be more.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn purge(
        &self,
        jobs_before: Timestamp,
        journal_before: Timestamp,
        limit: usize,
    ) -> Result<bool, StoreError>;
}

/// Which rows of a small table.
#[derive(Clone, Debug)]
pub enum Select<N> {
    /// These.
    Named(Vec<N>),
    /// All after this name, at most so many.
    Page {
        /// The last name of the page before.
        after: Option<N>,
        /// 1..=100.
        limit: usize,
    },
}

/// Some rows, and where the next page starts if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The rows.
    pub rows: Vec<T>,
    /// The cursor for the next page; `None` on the last.
    pub next: Option<C>,
}

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
    /// The server's words.
    pub document: Document,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// Which job definitions.
#[derive(Clone, Debug)]
pub enum DefinitionQuery {
    /// These revisions, in this order and without the unknown ones.
    Revisions(Vec<DefinitionRevision>),
    /// A page, ordered by name and then by revision, newest first.
    Page {
        /// Only of this name.
        name: Option<DefinitionName>,
        /// Only active ones (`true`) or only deregistered ones (`false`).
        is_active: Option<bool>,
        /// The last of the page before.
        after: Option<DefinitionRevision>,
        /// 1..=100.
        limit: usize,
    },
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
}

/// All about a job or child.
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
    /// What it is: the parent's for a child, but for the tags, which a child has not.
    pub content: JobContent,
    /// Its dependencies as far as the core knew them at submission and they are not met yet.
    pub dependencies: Vec<Dependency>,
    /// How it stands.
    pub state: JobStateRow,
    /// Its ended attempts, oldest first.
    pub attempts: Vec<AttemptRow>,
    /// The present attempt and its place, if there is one.
    pub current: Option<(AttemptNumber, PlaceRow)>,
    /// For an array's parent: how many children, and how they stand.
    pub array: Option<ArrayRow>,
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

/// Which jobs to list.
#[derive(Clone, Debug)]
pub struct JobQuery {
    /// Where to look.
    pub scope: JobScope,
    /// Only in this state.
    pub status: Option<JobStatus>,
    /// Only those that match.
    pub filter: Option<JobFilter>,
    /// The last of the page before.
    pub after: Option<JobCursor>,
    /// 1..=1000.
    pub limit: usize,
}

/// Where to look for jobs.
#[derive(Clone, Copy, Debug)]
pub enum JobScope {
    /// Single jobs and array parents of a queue.
    Queue(QueueId),
    /// The children of an array.
    Array(JobId),
}

/// A condition on listed jobs (section A4.22).
#[derive(Clone, Debug)]
pub enum JobFilter {
    /// The name, whatever its case; or what it begins with.
    Name(TextMatch),
    /// The definition's name, all its revisions; or what the name begins with.
    Definition(TextMatch),
    /// One revision of a definition.
    Revision(DefinitionRevision),
    /// Submitted before.
    CreatedBefore(Timestamp),
    /// Submitted after.
    CreatedAfter(Timestamp),
}

/// A text to compare with.
#[derive(Clone, Debug)]
pub struct TextMatch {
    /// The text, without the `*`.
    pub text: String,
    /// Whether any rest may follow.
    pub is_prefix: bool,
}

/// Where a page of jobs ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobCursor {
    /// In a queue: after the job with this place in the order of submission.
    Sequence(Sequence),
    /// In an array: after the child with this index.
    Child(u32),
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
    /// How it stands.
    pub state: JobStateRow,
    /// For an array's parent.
    pub array: Option<ArrayRow>,
}
