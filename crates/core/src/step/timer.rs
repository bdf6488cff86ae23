//! What is due: attempts that ran too long, instances that were idle too long, queues that were held up too long.

use crate::change::{Change, StopKind};
use crate::id::{AttemptKey, QueueId};
use crate::job::{JobStatus, StopCause};
use crate::state::Deadline;
use crate::step::Step;

impl Step<'_> {
    /// Does all that is due by now.
    pub(crate) fn fire_timers(&mut self) {
        while let Some((_, deadline)) = self.state().first_deadline().filter(|(at, _)| *at <= self.now) {
            match deadline {
                Deadline::Timeout(key) => self.time_out(key),
                Deadline::Renewal(environment) => self.force_renewal(environment),
                Deadline::Blocked(queue) => self.act_on_blocked(queue),
                Deadline::Idle(environment, instance) => {
                    let leaves = self.state().environment(environment).is_leaving(instance);
                    self.commit(Change::InstanceRemoved {
                        environment,
                        instance,
                    });
                    if leaves {
                        self.grow_to_minimum(environment);
                    }
                    self.core.wake_all();
                }
                Deadline::Leaving(environment, instance) => self.evict(environment, instance),
            }
        }
    }

    /// Cancels the front of a queue that has been blocked for as long as the queue lets it (section C7.2).
    fn act_on_blocked(&mut self, id: QueueId) {
        let queue = self.state().queue(id);
        let Some((_, line, reason)) = queue.action_due() else {
            return;
        };
        let job = queue.blocked.get(&line).map(|blocked| blocked.job);
        // First, so that the deadline is gone whatever has become of the job.
        self.commit(Change::QueueBlocked {
            queue: id,
            line,
            blocked: None,
        });
        if let Some(job) = job.filter(|job| self.state().status(*job) == Some(JobStatus::Runnable)) {
            // The one action that a queue of service jobs has is TERMINATE (section A2.9).
            let is_service = self.state().is_service_job(job.id);
            let kind = match is_service {
                true => StopKind::Terminate,
                false => StopKind::Cancel,
            };
            self.stop_one(job, kind, &reason.acted_on(is_service));
        }
    }

    fn time_out(&mut self, key: AttemptKey) {
        if self.state().multi_node(key.job.id).is_some() {
            self.stop_gang(key.job.id, StopCause::TimedOut);
            return;
        }
        self.ask_to_stop(key, StopCause::TimedOut);
    }
}
