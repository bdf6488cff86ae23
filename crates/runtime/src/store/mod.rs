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

mod query;
mod row;
mod threads;

use std::sync::Arc;

use batchyard_core::array::{Array, StatusCounts};
use batchyard_core::change::Change;
use batchyard_core::command::{Ended, Input};
use batchyard_core::id::{JobId, JobKey, QueueId};
use batchyard_core::item::ItemKey;
use batchyard_core::name::{DefinitionName, EnvironmentKind, EnvironmentName, QueueName};
use batchyard_core::state::{Counters, Stored};
use batchyard_core::time::Timestamp;
use batchyard_core::token::KeptToken;

use crate::engine::BoxFuture;
use crate::event::Events;

pub use query::{
    DefinitionQuery, ItemScope, ItemSelect, JobCursor, JobFilter, JobQuery, JobScope, Page, Select, TextMatch,
};
pub use row::{
    ArrayRow, AttemptRow, DefinitionRevision, DefinitionRow, EnvironmentRow, ItemRow, JobRow, JobStateRow,
    JobSummaryRow, LaunchRow, NodesRow, PlaceRow, QueueRow,
};

pub use threads::StoreThreads;

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
    /// What clients are told of it; `None` if nothing, or where events are not kept.
    pub events: Option<Events>,
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

/// The part of the store that the driver goes on with, without blocking. [`StoreThreads`] makes one of a [`Store`]; the driver's tests have
/// one of their own, in which everything happens when the history says so.
pub trait DriverStore: Send + Sync + 'static {
    /// As [`Store::load`].
    fn load(&self) -> BoxFuture<'static, Result<Stored, StoreError>>;

    /// As [`Store::commit`], begun by the call. Called again only after the future has come to its end.
    fn commit(&self, batch: Arc<Batch>) -> BoxFuture<'static, Result<(), StoreError>>;

    /// As [`Store::probe`].
    fn probe(&self) -> BoxFuture<'static, Result<(), StoreError>>;

    /// As [`Store::launch`].
    fn launch(&self, id: JobId) -> BoxFuture<'static, Result<Option<LaunchRow>, StoreError>>;
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

    /// What came of a submission with this client token; `None` if it was not used, or so long ago that it was forgotten.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn client_token(&self, token: &str) -> Result<Option<KeptToken>, StoreError>;

    /// How a job or child ended; `None` if it is not known, or has not ended.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn ended(&self, key: JobKey) -> Result<Option<Ended>, StoreError>;

    /// Environments of a kind: those named, in the order of the names and without the unknown ones and those of the other kind; or a
    /// page of all, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn environments(
        &self,
        kind: EnvironmentKind,
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

    /// Scheduling policies, consumable resources, quota shares: those with these keys, in that order and without the unknown ones; or
    /// a page of a kind, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn items(&self, select: &ItemSelect) -> Result<Page<ItemRow, ItemKey>, StoreError>;

    /// All about these jobs, children and nodes, in the order asked for and without the unknown ones. Children that never left RUNNABLE
    /// and nodes that never had a place are made up from their parent's row.
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

    /// The events of committed batches from the one with this number on, oldest first, at most `limit` batches. Numbers only grow, with
    /// gaps where batches had no events.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn events(&self, from: u64, limit: usize) -> Result<Vec<(u64, Events)>, StoreError>;

    /// The number that the next batch with events will have at least.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn next_events(&self) -> Result<u64, StoreError>;

    /// Removes events of batches closed before this time, at most of `limit` batches. Whether there may be more.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn forget_events(&self, before: Timestamp, limit: usize) -> Result<bool, StoreError>;

    /// Removes what was kept of job definitions that were deregistered before `deregistered_before`, at most `limit`. Their revision numbers
    /// are not used again. Whether there may be more.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn forget_definitions(&self, deregistered_before: Timestamp, limit: usize) -> Result<bool, StoreError>;

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
