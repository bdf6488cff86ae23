//! What engines tell: an attempt is being prepared, started, ended, never started, or is lost.

use crate::change::{AfterAttempt, AttemptEnded, Change};
use crate::effect::Effect;
use crate::environment::{Life, Platform};
use crate::id::{AttemptKey, AttemptNumber, InstanceId, JobKey};
use crate::interval_set::Interval;
use crate::job::{Attempt, Body, Execution, Job, StopCause};
use crate::reason::{
    ESSENTIAL_CONTAINER_EXITED, SPOT_TASK_INTERRUPTED, StatusReason, TASK_FAILED_TO_START, TIMED_OUT,
    TRAINING_COMPLETED,
};
use crate::report::{ContainerEnd, Report};
use crate::retry::AttemptEnd;
use crate::runs::RunTimes;
use crate::step::Step;
use crate::step::dependents::Ending;
use crate::time::Timestamp;

/// How an attempt ended, before anything is made of it.
pub(super) struct End {
    pub(super) at: Timestamp,
    pub(super) exit_code: Option<i32>,
    pub(super) reason: Option<String>,
    pub(super) status_reason: StatusReason,
    pub(super) containers: Vec<ContainerEnd>,
}

impl Step<'_> {
    /// Takes a report. One about an attempt that is not the current one is dropped here and nowhere else; its engine is told to
    /// forget it, as it holds something that nobody will ask for again.
    pub(super) fn report(&mut self, key: AttemptKey, report: Report) {
        let job = self.state().job(key.job.id);
        let execution = job.and_then(|job| job.execution(key.job.child));
        let current = execution.filter(|execution| execution.attempt_number() == key.attempt);
        let Some(Execution {
            attempt: Some(attempt),
            ..
        }) = current
        else {
            if !matches!(report, Report::Preparing | Report::Started { .. }) {
                self.cause(Effect::Forget { attempt: key });
            }
            return;
        };
        // Only nodes are launched one after another; what has no index is none.
        let may_be_node = key.job.child.is_some();
        if may_be_node && !self.state().is_launched(key.job) {
            // A node that nobody has asked for yet: whoever tells of it means something else.
            return;
        }
        let instance = attempt.placement.instance;
        let is_main = may_be_node && self.is_main_node(key.job);
        let has_started = attempt.started_at.is_some();
        let is_scheduled = attempt.is_scheduled;
        let is_service = job.is_some_and(|job| job.profile.service.is_some());
        match report {
            Report::Preparing if is_scheduled => {
                self.commit(Change::AttemptPreparing {
                    job: key.job,
                    attempt: key.attempt,
                });
            }
            Report::Preparing => {}
            Report::Started { at: _ } if has_started => {}
            Report::Started { at } if is_main => self.start_gang(key, at),
            Report::Started { at } => {
                self.commit(Change::AttemptStarted {
                    job: key.job,
                    attempt: key.attempt,
                    at,
                });
            }
            Report::Exited {
                at,
                exit_code,
                reason,
                containers,
            } => {
                let status_reason = if !is_service {
                    ESSENTIAL_CONTAINER_EXITED
                } else if exit_code == Some(0) {
                    TRAINING_COMPLETED
                } else if let (None, Some(reason)) = (exit_code, &reason) {
                    // It is not the program that failed.
                    StatusReason::training_not_started(reason)
                } else {
                    StatusReason::training_failed(reason.as_deref(), exit_code)
                };
                self.end(
                    key,
                    End {
                        at,
                        exit_code,
                        reason,
                        status_reason,
                        containers,
                    },
                );
            }
            Report::NotStarted {
                at,
                reason,
                containers,
            } => {
                let status_reason = if is_service {
                    StatusReason::training_not_started(&reason)
                } else {
                    TASK_FAILED_TO_START
                };
                let end = End {
                    at,
                    exit_code: None,
                    reason: Some(reason),
                    status_reason,
                    containers,
                };
                if self.state().multi_node(key.job.id).is_some() {
                    self.end_node(key, end, true);
                    return;
                }
                self.end(key, end);
            }
            Report::Lost { at } => {
                let status_reason = host_gone(is_service, instance);
                self.end(
                    key,
                    End {
                        at,
                        exit_code: None,
                        reason: None,
                        status_reason,
                        containers: Vec::new(),
                    },
                );
            }
        }
    }

    fn end(&mut self, key: AttemptKey, end: End) {
        let AttemptKey { job, attempt: number } = key;
        let facts = self.state().job(job.id).expect("the caller has found it");
        if matches!(facts.body, Body::MultiNode(_)) {
            self.end_node(key, end, false);
            return;
        }
        let execution = facts.execution(job.child).expect("the caller has found it");
        let attempt: Attempt = (**execution.attempt.as_ref().expect("the caller has found it")).clone();
        let Attempt {
            placement,
            is_scheduled: _,
            started_at,
            stopping,
        } = attempt;
        let (next, status_reason) = self.after(job, execution, stopping.as_ref(), &end, placement.instance);
        let End {
            at,
            exit_code,
            reason,
            status_reason: _,
            containers,
        } = end;
        // Clocks of hosts differ: an attempt does not end before it started.
        let stopped_at = started_at.map_or(at, |started_at| at.max(started_at));
        let dependents = self.state().dependents(job.id).collect();
        let ended = AttemptEnded {
            job,
            attempt: number,
            placement,
            started_at,
            stopped_at,
            exit_code,
            reason,
            status_reason,
            containers,
            is_preempted: matches!(stopping, Some(StopCause::Preempted(_))),
            next,
        };
        self.commit(Change::AttemptEnded(Box::new(ended)));
        self.cause(Effect::Forget { attempt: key });
        self.core.wake_all();
        let has_succeeded = match next {
            AfterAttempt::Retried => return,
            AfterAttempt::Succeeded => true,
            AfterAttempt::Failed => false,
        };
        self.follow(match job.child {
            None => Ending::Whole {
                id: job.id,
                has_succeeded,
                dependents,
            },
            Some(child) => Ending::Children {
                id: job.id,
                children: Interval::one(child).into(),
                has_succeeded,
            },
        });
    }

    /// What becomes of the job, and the attempt's status reason (sections B.4, B.6).
    pub(super) fn after(
        &self,
        job: JobKey,
        execution: &Execution,
        stopping: Option<&StopCause>,
        end: &End,
        instance: Option<InstanceId>,
    ) -> (AfterAttempt, StatusReason) {
        let status_reason = match stopping {
            Some(StopCause::Terminated(reason)) => return (AfterAttempt::Failed, reason.clone()),
            Some(StopCause::TimedOut) => return (AfterAttempt::Failed, TIMED_OUT),
            Some(StopCause::Preempted(preemption)) => {
                let next = match self.may_be_preempted_again(job, execution) {
                    true => AfterAttempt::Retried,
                    false => AfterAttempt::Failed,
                };
                return (next, preemption.status_reason());
            }
            Some(StopCause::EnvironmentDeleted | StopCause::InstanceReplaced) => {
                host_gone(self.state().is_service_job(job.id), instance)
            }
            Some(StopCause::Interrupted) => match self.state().job(job.id).map(|job| job.profile.platform) {
                Some(Platform::Fargate) => SPOT_TASK_INTERRUPTED,
                _ => host_gone(self.state().is_service_job(job.id), instance),
            },
            // Without the node that is missing the main node's exit code says nothing.
            Some(StopCause::NodeNotStarted(_) | StopCause::MainEnded) => end.status_reason.clone(),
            None if end.exit_code == Some(0) => return (AfterAttempt::Succeeded, end.status_reason.clone()),
            None => end.status_reason.clone(),
        };
        let facts = AttemptEnd {
            status_reason: status_reason.as_str(),
            reason: end.reason.as_deref(),
            exit_code: end.exit_code,
        };
        let Job { profile, .. } = self.state().job(job.id).expect("it is live");
        // Preemptions are the scheduler's doing, and take nothing of what the job may try (section C4.3).
        let attempts_ended = execution.attempts_ended + 1 - execution.preemptions;
        let is_retried =
            self.is_wanted_again(job, execution) && profile.retry.allows_another(attempts_ended, facts);
        (
            if is_retried {
                AfterAttempt::Retried
            } else {
                AfterAttempt::Failed
            },
            status_reason,
        )
    }

    /// Whether nobody has asked for the end of the job, or of its queue.
    fn is_wanted_again(&self, job: JobKey, execution: &Execution) -> bool {
        let queue = self.state().job(job.id).expect("it is live").queue;
        !execution.is_cancelled
            && !self.is_whole_stopped(job)
            && self.state().queue(queue).life == Life::Valid
            // Far beyond what anybody waits for; the attempt's number would overflow.
            && execution.attempts_ended < AttemptNumber::MAX - 1
    }

    fn may_be_preempted_again(&self, job: JobKey, execution: &Execution) -> bool {
        let profile = &self.state().job(job.id).expect("it is live").profile;
        let most = profile.service.as_ref().and_then(|claim| claim.preemptions_max);
        most.is_none_or(|most| execution.preemptions < most) && self.is_wanted_again(job, execution)
    }

    /// Whether the main node of a multi-node parallel job has this key.
    fn is_main_node(&self, key: JobKey) -> bool {
        let job = self.state().job(key.id);
        let shape = job.and_then(|job| job.profile.nodes.as_ref());
        shape.is_some_and(|shape| key.child == Some(shape.main))
    }

    /// Whether a child's array, or a node's job, was cancelled or terminated: then none of it is tried again.
    fn is_whole_stopped(&self, key: JobKey) -> bool {
        match self.state().job(key.id).map(|job| &job.body) {
            Some(Body::Array(array)) => array.is_cancelled || array.is_terminated,
            Some(Body::MultiNode(multi_node)) => multi_node.is_cancelled,
            Some(Body::Waiting(_) | Body::Ready(_)) | None => false,
        }
    }
}

impl Step<'_> {
    /// What an attempt that has succeeded says about how long the jobs of its definition run; of nodes the main one speaks for all.
    pub(super) fn run_noted(&self, change: &Change) -> Option<Change> {
        let Change::AttemptEnded(ended) = change else {
            return None;
        };
        let profile = &self.state().job(ended.job.id)?.profile;
        let counts = profile.nodes.is_none() || ended.job.child == Some(profile.main_node());
        let run = ended.stopped_at.since(ended.started_at?);
        let definition = profile.definition.as_ref()?;
        let before = self.state().run_times(definition);
        (counts && ended.next == AfterAttempt::Succeeded).then(|| Change::RunTimesNoted {
            definition: definition.clone(),
            runs: before.map_or_else(|| RunTimes::default().with(run), |before| before.with(run)),
        })
    }
}

/// The words for a host that went away under an attempt.
fn host_gone(is_service: bool, instance: Option<InstanceId>) -> StatusReason {
    if is_service {
        StatusReason::training_lost()
    } else {
        StatusReason::host_terminated(instance)
    }
}
