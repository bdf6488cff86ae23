//! What reads can be asked for, and pages of answers.

use batchyard_core::id::{JobId, QueueId, Sequence};
use batchyard_core::item::ItemKey;
use batchyard_core::job::JobStatus;
use batchyard_core::name::{ConsumableResourceName, DefinitionName, QueueName};
use batchyard_core::time::Timestamp;

use super::row::DefinitionRevision;

/// Which rows of a small table.
#[derive(Clone, Debug)]
pub enum Select<N> {
    /// These.
    Named(Vec<N>),
    /// All after this name, at most so many.
    Page {
        /// The last name of the page before.
        after: Option<N>,
        /// At least 1.
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

/// Which items.
#[derive(Clone, Debug)]
pub enum ItemSelect {
    /// These.
    Keyed(Vec<ItemKey>),
    /// All of a scope after this key, at most so many.
    Page {
        /// Where to look.
        scope: ItemScope,
        /// Only these names, whatever their case.
        name: Option<TextMatch>,
        /// The last key of the page before.
        after: Option<ItemKey>,
        /// At least 1.
        limit: usize,
    },
}

/// Where to look for items.
#[derive(Clone, Debug)]
pub enum ItemScope {
    /// All scheduling policies.
    SchedulingPolicies,
    /// All consumable resources.
    ConsumableResources,
    /// The quota shares of a queue.
    QuotaShares(QueueName),
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
        /// At least 1.
        limit: usize,
    },
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
    /// At least 1.
    pub limit: usize,
}

/// Where to look for jobs.
#[derive(Clone, Debug)]
pub enum JobScope {
    /// Single jobs and array parents of a queue.
    Queue(QueueId),
    /// The children of an array.
    Array(JobId),
    /// The nodes of a multi-node parallel job.
    Nodes(JobId),
    /// Single jobs and array parents of all queues that take of a consumable resource.
    Consumers(ConsumableResourceName),
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
    /// Of this share.
    Share(String),
    /// Service jobs of this quota share.
    QuotaShare(String),
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
    /// In an array: after the child with this index; among nodes: after this one.
    Child(u32),
}
