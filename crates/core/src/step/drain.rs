//! The end of what was deleted: a queue's jobs are ended a bounded number at a time; queues and environments go when nothing is left
//! in them.

use crate::change::Change;
use crate::id::{EnvironmentId, JobKey, QueueId};
use crate::job::{Body, JobStatus};
use crate::limits::DRAINED_PER_PASS_MAX;
use crate::reason::QUEUE_DELETED;
use crate::step::Step;

impl Step<'_> {
    /// Ends jobs of deleted queues, then removes the queues and environments that were deleted and have nothing left.
    pub(crate) fn drain_deleted(&mut self) {
        let draining: Vec<QueueId> = self.core.draining.iter().copied().collect();
        for queue in draining {
            if self.end_jobs_of(queue) {
                self.core.draining.remove(&queue);
            }
        }
        self.remove_drained();
    }

    /// Ends up to a pass's worth of jobs, or has them stopped. Whether none is left that has not been told.
    fn end_jobs_of(&mut self, queue: QueueId) -> bool {
        let of_queue = self.state().jobs().filter(|(_, job)| job.queue == queue);
        let untold = of_queue.filter(|(_, job)| match &job.body {
            Body::Array(array) => !array.is_terminated,
            Body::Waiting(_) => true,
            Body::MultiNode(multi_node) => {
                let gang = multi_node.gang.as_ref();
                gang.is_none_or(|gang| gang.stopping.is_none())
            }
            Body::Ready(execution) => {
                let attempt = execution.attempt.as_ref();
                job.status() == JobStatus::Runnable
                    || attempt.is_some_and(|attempt| attempt.stopping.is_none())
            }
        });
        let untold: Vec<JobKey> = untold
            .map(|(id, _)| JobKey::whole(id))
            .take(DRAINED_PER_PASS_MAX)
            .collect();
        let is_last = untold.len() < DRAINED_PER_PASS_MAX;
        for key in untold {
            self.stop_job(key, Self::QUEUE_DELETION, QUEUE_DELETED.as_str());
        }
        is_last
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
