//! The end of what was deleted: a queue's jobs are ended a bounded number at a time; queues and environments go when nothing is left
//! in them.

use crate::change::Change;
use crate::id::{EnvironmentId, JobId, JobKey, QueueId};
use crate::job::{Body, Job, JobStatus};
use crate::limits::DRAINED_PER_PASS_MAX;
use crate::reason::QUEUE_DELETED;
use crate::step::Step;

impl Step<'_> {
    /// Ends jobs of deleted queues, then removes the queues and environments that were deleted and have nothing left.
    pub(crate) fn drain_deleted(&mut self) {
        for (queue, untold) in std::mem::take(&mut self.core.draining) {
            let mut untold = untold.unwrap_or_else(|| self.jobs_last_first(queue));
            if !self.end_jobs_of(&mut untold) {
                self.core.draining.insert(queue, Some(untold));
            }
        }
        self.remove_drained();
    }

    /// The jobs of a queue, which gets no further ones.
    fn jobs_last_first(&self, queue: QueueId) -> Vec<JobId> {
        let of_queue = self.state().jobs().filter(|(_, job)| job.queue == queue);
        let mut jobs: Vec<JobId> = of_queue.map(|(id, _)| id).collect();
        jobs.reverse();
        jobs
    }

    /// Ends up to a pass's worth of jobs, or has them stopped. Whether none is left that has not been told.
    fn end_jobs_of(&mut self, untold: &mut Vec<JobId>) -> bool {
        let mut told = 0;
        while told < DRAINED_PER_PASS_MAX {
            let Some(id) = untold.pop() else { return true };
            if self.state().job(id).is_some_and(goes_on) {
                self.stop_job(JobKey::whole(id), Self::QUEUE_DELETION, QUEUE_DELETED.as_str());
                told += 1;
            }
        }
        false
    }

    fn remove_drained(&mut self) {
        let queues: Vec<QueueId> = self.state().drained_queues().collect();
        for queue in queues {
            self.core.forget_queue(queue);
            let name = self.state().queue(queue).name.clone();
            self.remove_quota_shares(&name);
            self.commit(Change::QueueRemoved(queue));
        }
        let environments: Vec<EnvironmentId> = self.state().drained_environments().collect();
        for environment in environments {
            let instances: Vec<_> = self
                .state()
                .environment(environment)
                .instances
                .keys()
                .copied()
                .collect();
            for instance in instances {
                self.commit(Change::InstanceRemoved {
                    environment,
                    instance,
                });
            }
            self.commit(Change::EnvironmentRemoved(environment));
            // Its instances held room that others may have been waiting for.
            self.core.wake_all();
        }
    }
}

/// Whether nobody has told a job to end.
fn goes_on(job: &Job) -> bool {
    match &job.body {
        Body::Array(array) => !array.is_terminated,
        Body::Waiting(_) => true,
        Body::MultiNode(multi_node) => {
            let gang = multi_node.gang.as_ref();
            gang.is_none_or(|gang| gang.stopping.is_none())
        }
        Body::Ready(execution) => {
            let attempt = execution.attempt.as_ref();
            job.status() == JobStatus::Runnable || attempt.is_some_and(|attempt| attempt.stopping.is_none())
        }
    }
}
