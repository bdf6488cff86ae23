//! What clients are told of as events: moves of jobs from state to state, fronts that hold their queue up, preemptions (section G).
//!
//! They are made from the changes of a batch and committed with it, so that none is lost and none is told of what never was. An event here is
//! as small as it can be: what clients read is made from it and the job's row when it is read. All children of an array that move together
//! are one event here, whatever their number.

use batchyard_core::change::{AfterAttempt, Change};
use batchyard_core::id::{AttemptNumber, JobId, JobKey};
use batchyard_core::interval_set::IntervalSet;
use batchyard_core::job::{JobStatus, StopCause};
use batchyard_core::state::State;
use batchyard_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The events of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Events {
    /// When the batch was closed.
    pub at: Timestamp,
    /// In the order in which they came about; those of a job in the order of its states.
    pub list: Vec<JobEvent>,
}

/// One event, or one of each of several children. Numbers are of attempts that had ended by then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobEvent {
    /// A job, child or node came to a state. Whether it is a node, of which clients are not told, its row says.
    #[serde(rename = "m")]
    Moved(JobKey, JobStatus, AttemptNumber),
    /// Children of an array came to a state before they ever ran.
    #[serde(rename = "c")]
    ChildrenMoved(JobId, IntervalSet, JobStatus),
    /// A job or child holds its queue up, with the reason that clients know.
    #[serde(rename = "b")]
    Blocked(JobKey, String, AttemptNumber),
    /// A service job is to give way to another, with the status reason that it has meanwhile.
    #[serde(rename = "p")]
    PreemptionStarted(JobKey, String),
    /// It has.
    #[serde(rename = "q")]
    PreemptionCompleted(JobKey, AttemptNumber),
}

/// The events that changes come to. `state` is the state after them.
pub(crate) fn of_changes(changes: &[Change], state: &State) -> Vec<JobEvent> {
    let mut events = Vec::new();
    for change in changes {
        of_change(change, state, &mut events);
    }
    events
}

fn of_change(change: &Change, state: &State, events: &mut Vec<JobEvent>) {
    let ended = |key: JobKey| {
        state
            .execution(key)
            .map_or(0, |execution| execution.attempts_ended)
    };
    match change {
        // The submission itself is no event (section G.1); to wait for other jobs is a state that it has come to.
        Change::JobAdded(added) if added.array.is_some() || !added.dependencies.is_empty() => {
            events.push(JobEvent::Moved(JobKey::whole(added.id), JobStatus::Pending, 0));
        }
        Change::JobReady(job) => events.push(JobEvent::Moved(JobKey::whole(*job), JobStatus::Runnable, 0)),
        Change::ChildrenReady { job, children } => {
            events.push(JobEvent::ChildrenMoved(
                *job,
                children.clone(),
                JobStatus::Runnable,
            ));
        }
        Change::ChildrenFailed { job, children, .. } => {
            events.push(JobEvent::ChildrenMoved(*job, children.clone(), JobStatus::Failed));
        }
        Change::AttemptPlaced {
            job,
            attempt,
            scheduled_at,
            ..
        } => {
            let status = match scheduled_at {
                Some(_) => JobStatus::Scheduled,
                None => JobStatus::Starting,
            };
            events.push(JobEvent::Moved(*job, status, attempt - 1));
        }
        Change::AttemptPreparing { job, attempt } => {
            events.push(JobEvent::Moved(*job, JobStatus::Starting, attempt - 1));
        }
        Change::AttemptStarted { job, attempt, .. } => {
            events.push(JobEvent::Moved(*job, JobStatus::Running, attempt - 1));
        }
        Change::GangPlaced(placed) => {
            let job = JobKey::whole(placed.job);
            events.push(JobEvent::Moved(job, JobStatus::Starting, placed.attempt - 1));
        }
        Change::GangStarted { job, attempt, .. } => {
            events.push(JobEvent::Moved(
                JobKey::whole(*job),
                JobStatus::Running,
                attempt - 1,
            ));
        }
        Change::GangEnded(ended) => {
            let job = JobKey::whole(ended.job);
            events.push(JobEvent::Moved(job, ended.end.next.status(), ended.attempt));
        }
        Change::StopRequested {
            job,
            cause: StopCause::Preempted(preemption),
        } => {
            let reason = preemption.in_progress().as_str().to_owned();
            events.push(JobEvent::PreemptionStarted(*job, reason));
        }
        Change::AttemptEnded(ended) => {
            events.push(JobEvent::Moved(ended.job, ended.next.status(), ended.attempt));
            if ended.is_preempted && ended.next == AfterAttempt::Retried {
                events.push(JobEvent::PreemptionCompleted(ended.job, ended.attempt));
            }
        }
        Change::JobFailed(failed) => {
            events.push(JobEvent::Moved(failed.job, JobStatus::Failed, 0));
        }
        Change::ArrayEnded(ended) => {
            let status = match ended.has_succeeded {
                true => JobStatus::Succeeded,
                false => JobStatus::Failed,
            };
            events.push(JobEvent::Moved(JobKey::whole(ended.job), status, 0));
        }
        Change::QueueBlocked {
            blocked: Some(blocked),
            ..
        } => {
            let reason = blocked.cause.status_reason().as_str().to_owned();
            events.push(JobEvent::Blocked(blocked.job, reason, ended(blocked.job)));
        }
        _ => {}
    }
}
