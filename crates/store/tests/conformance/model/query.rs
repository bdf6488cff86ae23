//! What is asked of jobs.

use batchyard_core::array::StatusCounts;
use batchyard_core::change::JobContent;
use batchyard_core::command::Ended;
use batchyard_core::id::{ArrayIndex, JobId, JobKey, QueueId};
use batchyard_core::interval_set::IntervalSet;
use batchyard_core::job::JobStatus;
use batchyard_core::reason::DEPENDENT_JOB_FAILED;
use batchyard_core::time::Timestamp;
use batchyard_runtime::store::{ArrayRow, AttemptRow, DefinitionRevision, JobRow, JobSummaryRow};

use super::{Model, ModelJob};

impl Model {
    /// The job or child as it is to be read.
    pub(crate) fn job(&self, key: JobKey) -> Option<JobRow> {
        let mut row = self.unblocked_job(key)?;
        let front = self.blocked.values().find(|blocked| blocked.job == key);
        if let Some(front) = front.filter(|_| row.state.status == JobStatus::Runnable) {
            row.state.status_reason = Some(front.cause.status_reason().as_str().to_owned());
        }
        Some(row)
    }

    fn unblocked_job(&self, key: JobKey) -> Option<JobRow> {
        let job = self.jobs.get(&key.id)?;
        match key.child {
            None => Some(JobRow {
                content: JobContent {
                    tags: self.tags_of(&format!("job/{}", key.id)),
                    ..job.whole.content.clone()
                },
                array: job.array(),
                attempts: job.attempts(),
                ..job.whole.clone()
            }),
            Some(index) if job.whole.nodes.is_some() => job.node(index),
            Some(index) => job.child(index),
        }
    }

    /// Its jobs, newest first.
    pub(crate) fn jobs_of(&self, queue: QueueId) -> Vec<JobSummaryRow> {
        let of_queue = self.jobs.values().filter(|job| job.queue == queue);
        let mut keys: Vec<_> = of_queue.map(|job| (job.whole.sequence, job.whole.key)).collect();
        keys.sort();
        let rows = keys.into_iter().rev().filter_map(|(_, key)| self.job(key));
        rows.map(summary).collect()
    }

    /// The children of an array or the nodes of a job, by index.
    pub(crate) fn children_of(&self, id: JobId) -> Vec<JobSummaryRow> {
        let keys = self.keys_of(id).into_iter().filter(|key| key.child.is_some());
        keys.filter_map(|key| self.job(key)).map(summary).collect()
    }

    /// The job, and its children.
    pub(crate) fn keys_of(&self, id: JobId) -> Vec<JobKey> {
        let job = &self.jobs[&id];
        let children = job.children.iter().map(|child| child.row.key);
        std::iter::once(job.whole.key).chain(children).collect()
    }

    pub(crate) fn counts(&self, queue: QueueId) -> StatusCounts {
        let of_queue = self.jobs.values().filter(|job| job.queue == queue);
        let statuses = of_queue.flat_map(|job| match job.whole.array {
            None => vec![job.whole.state.status],
            Some(_) => job.children.iter().map(|child| child.row.state.status).collect(),
        });
        count(statuses)
    }

    pub(crate) fn ended(&self, key: JobKey) -> Option<Ended> {
        let row = self.job(key)?;
        if row.nodes.is_some() && key.child.is_some() {
            // Nothing can wait for a node.
            return None;
        }
        let status = row.state.status;
        let succeeded = |job: &ModelJob| -> IntervalSet {
            let children = job.children.iter();
            let succeeded = children.filter(|child| child.row.state.status == JobStatus::Succeeded);
            succeeded.filter_map(|child| child.row.key.child).collect()
        };
        status.is_terminal().then(|| Ended {
            status,
            array: row
                .array
                .map(|array| (array.size, succeeded(&self.jobs[&key.id]))),
        })
    }

    /// Forgets what ended before.
    pub(crate) fn purge(&mut self, before: Timestamp) {
        let is_old = |job: &ModelJob| job.whole.state.stopped_at.is_some_and(|at| at < before);
        let old: Vec<JobId> = self
            .jobs
            .iter()
            .filter(|(_, job)| is_old(job))
            .map(|(id, _)| *id)
            .collect();
        for id in old {
            self.jobs.remove(&id);
            self.tags.remove(&format!("job/{id}"));
        }
    }
}

impl ModelJob {
    fn child(&self, index: ArrayIndex) -> Option<JobRow> {
        let child = self.children.get(index as usize)?;
        let mut row = child.row.clone();
        // A stop of the array was one of its children too, where they had not failed for another reason.
        if let Some(reason) = &child.unstarted {
            let is_stopped = *reason != DEPENDENT_JOB_FAILED;
            row.state.is_cancelled = is_stopped && self.whole.state.is_cancelled;
            row.state.is_terminated = is_stopped && self.whole.state.is_terminated;
        }
        Some(row)
    }

    /// A node waits and fails as its job does, unless an attempt of its own says otherwise.
    fn node(&self, index: ArrayIndex) -> Option<JobRow> {
        let mut row = self.children.get(index as usize)?.row.clone();
        let launches = self.whole.content.nodes.as_ref().unwrap();
        row.content.launch = launches.of(index).unwrap().clone();
        let had_attempt = row.current.is_some() || !row.attempts.is_empty();
        let job = &self.whole.state;
        if !had_attempt {
            row.state = job.clone();
        } else if row.state.status == JobStatus::Runnable {
            row.state.status = job.status;
            row.state.stopped_at = job.stopped_at;
            if job.status.is_terminal() {
                row.state.status_reason.clone_from(&job.status_reason);
            }
        }
        Some(row)
    }

    /// The job's own attempts, or its main node's.
    fn attempts(&self) -> Vec<AttemptRow> {
        match self.whole.nodes {
            Some(nodes) => self.children[nodes.main as usize].row.attempts.clone(),
            None => self.whole.attempts.clone(),
        }
    }

    fn array(&self) -> Option<ArrayRow> {
        let array = self.whole.array?;
        let counts = count(self.children.iter().map(|child| child.row.state.status));
        Some(ArrayRow { counts, ..array })
    }
}

fn count(statuses: impl IntoIterator<Item = JobStatus>) -> StatusCounts {
    let mut counts = StatusCounts::default();
    for status in statuses {
        let count = match status {
            JobStatus::Submitted | JobStatus::Pending => &mut counts.pending,
            JobStatus::Runnable => &mut counts.runnable,
            JobStatus::Scheduled | JobStatus::Starting => &mut counts.starting,
            JobStatus::Running => &mut counts.running,
            JobStatus::Succeeded => &mut counts.succeeded,
            JobStatus::Failed => &mut counts.failed,
        };
        *count += 1;
    }
    counts
}

fn summary(row: JobRow) -> JobSummaryRow {
    JobSummaryRow {
        key: row.key,
        name: row.content.name,
        definition: DefinitionRevision {
            name: row.content.definition,
            revision: row.content.revision,
        },
        vcpus: row.profile.need(row.key.child).vcpus,
        share: row.profile.share.map(|share| share.identifier),
        state: row.state,
        array: row.array,
        nodes: row.nodes,
    }
}
