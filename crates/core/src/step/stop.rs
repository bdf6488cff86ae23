//! CancelJob and TerminateJob (section B.7), for single jobs, children and whole arrays.
//!
//! A job that waits for others is ended at once: the service says that it may wait for the dependencies first, which nobody wants.

use crate::change::{Change, JobFailed, StopKind};
use crate::effect::Effect;
use crate::id::{ArrayIndex, AttemptKey, JobId, JobKey};
use crate::interval_set::Interval;
use crate::job::{Body, JobStatus, StopCause};
use crate::queue::Order;
use crate::reason::StatusReason;
use crate::step::Step;
use crate::step::dependents::Ending;

impl Step<'_> {
    /// Stops a job as far as the kind of call can. Jobs that have ended, and unknown ones, are left as they are (section B7.2).
    pub(super) fn stop_job(&mut self, key: JobKey, kind: StopKind, reason: &str) {
        let reason = StatusReason::given(reason.to_owned());
        let shape = self
            .state()
            .job(key.id)
            .and_then(|job| job.profile.nodes.as_ref());
        let key = match (key.child, shape.map(|shape| shape.main)) {
            // What ends the main node ends the job.
            (Some(node), Some(main)) if node == main => JobKey::whole(key.id),
            (Some(_), Some(_)) => {
                if kind == StopKind::Terminate {
                    self.terminate_node(key, &reason);
                }
                return;
            }
            (_, _) => key,
        };
        let is_array = matches!(
            self.state().job(key.id).map(|job| &job.body),
            Some(Body::Array(_))
        );
        if is_array && key.child.is_none() {
            self.stop_array(key.id, kind, &reason);
        } else {
            self.stop_one(key, kind, &reason);
        }
    }

    pub(super) fn stop_one(&mut self, key: JobKey, kind: StopKind, reason: &StatusReason) {
        let Some(status) = self.state().status(key) else {
            return;
        };
        match status {
            JobStatus::Submitted | JobStatus::Pending | JobStatus::Runnable => {
                self.fail_unstarted(key, kind, reason)
            }
            JobStatus::Scheduled | JobStatus::Starting | JobStatus::Running => match kind {
                StopKind::Cancel => self.note_cancel(key),
                StopKind::Terminate if self.state().multi_node(key.id).is_some() => {
                    self.terminate_gang(key.id, reason);
                }
                StopKind::Terminate => self.terminate_attempt(key, reason),
            },
            JobStatus::Succeeded | JobStatus::Failed => {}
        }
    }

    fn fail_unstarted(&mut self, key: JobKey, kind: StopKind, reason: &StatusReason) {
        let dependents = self.state().dependents(key.id).collect();
        let failed = JobFailed {
            job: key,
            status_reason: reason.clone(),
            stopped_by: Some(kind),
            at: self.now,
        };
        self.commit(Change::JobFailed(Box::new(failed)));
        // The next job of the queue may fit where this one did not.
        self.core.wake_all();
        self.follow(match key.child {
            None => Ending::Whole {
                id: key.id,
                has_succeeded: false,
                dependents,
            },
            Some(child) => Ending::Children {
                id: key.id,
                children: Interval::one(child).into(),
                has_succeeded: false,
            },
        });
    }

    fn note_cancel(&mut self, key: JobKey) {
        let is_noted = match self.state().multi_node(key.id) {
            Some(multi_node) => multi_node.is_cancelled,
            None => self
                .state()
                .execution(key)
                .is_some_and(|execution| execution.is_cancelled),
        };
        if !is_noted {
            self.commit(Change::CancelNoted(key));
        }
    }

    fn terminate_attempt(&mut self, key: JobKey, reason: &StatusReason) {
        let Some(execution) = self.state().execution(key) else {
            return;
        };
        let number = execution.attempt_number();
        let stopping = execution
            .attempt
            .as_ref()
            .and_then(|attempt| attempt.stopping.as_ref());
        let is_asked = match stopping {
            None => false,
            Some(StopCause::Terminated(_) | StopCause::TimedOut) => return,
            // It is on its way out already, but would be tried again elsewhere: the caller's wish prevails.
            Some(
                StopCause::EnvironmentDeleted
                | StopCause::InstanceReplaced
                | StopCause::Interrupted
                | StopCause::Preempted(_),
            ) => true,
            Some(StopCause::NodeNotStarted(_) | StopCause::MainEnded) => {
                unreachable!("only nodes are stopped for other nodes")
            }
        };
        let cause = StopCause::Terminated(reason.clone());
        if is_asked {
            self.commit(Change::StopRequested { job: key, cause });
            return;
        }
        let attempt = AttemptKey {
            job: key,
            attempt: number,
        };
        self.ask_to_stop(attempt, cause);
    }

    /// Asks an attempt to stop, of a single job, a child or a node.
    pub(crate) fn ask_to_stop(&mut self, attempt: AttemptKey, cause: StopCause) {
        let Some(job) = self.state().job(attempt.job.id) else {
            return;
        };
        let (queue, grace) = (job.queue, job.profile.stop_timeout);
        self.commit(Change::StopRequested {
            job: attempt.job,
            cause,
        });
        self.cause(Effect::Stop { attempt, grace });
        // What it gives back may be enough for those who wait for it, so that others may borrow what is free already.
        if self.state().runnable(queue).order() == Order::QuotaShare {
            self.core.wake(queue);
        }
    }

    fn stop_array(&mut self, id: JobId, kind: StopKind, reason: &StatusReason) {
        let Some(Body::Array(array)) = self.state().job(id).map(|job| &job.body) else {
            return;
        };
        let mut unstarted = array.waiting.clone();
        unstarted.extend(&array.runnable);
        let tried: Vec<ArrayIndex> = array.executions.keys().copied().collect();
        let is_noted = match kind {
            StopKind::Cancel => array.is_cancelled,
            StopKind::Terminate => array.is_terminated,
        };
        if !is_noted {
            self.commit(Change::ArrayStopNoted { job: id, kind });
        }
        // Those that never ran go first: the end of a child that was tried fails those that wait for it, with another reason.
        if !unstarted.is_empty() {
            let children = unstarted.clone();
            self.commit(Change::ChildrenFailed {
                job: id,
                children,
                status_reason: reason.clone(),
                at: self.now,
            });
            self.core.wake_all();
            self.follow(Ending::Children {
                id,
                children: unstarted,
                has_succeeded: false,
            });
        }
        for child in tried {
            self.stop_one(JobKey::child(id, child), kind, reason);
        }
    }
}
