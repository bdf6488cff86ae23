//! Why a job is where it is: a pure function of the state.

use std::fmt;

use crate::id::JobKey;
use crate::job::{Body, Execution, Job, JobStatus, StopCause};
use crate::limits::POSITION_COUNTED_MAX;
use crate::name::{EnvironmentName, QueueName};
use crate::resources::Resources;
use crate::schedule::{Hindrance, Verdict, consider};
use crate::state::State;

/// Why a live job is where it is. Written out, it is what `batchyard explain` prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Which job.
    pub job: JobKey,
    /// Where it stands.
    pub status: JobStatus,
    /// Its queue.
    pub queue: QueueName,
    /// What it needs.
    pub need: Resources,
    /// Why.
    pub because: Because,
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// It waits for these jobs.
    WaitsFor(Vec<JobKey>),
    /// Its children have not all ended.
    ChildrenLive(crate::array::StatusCounts),
    /// Others go first.
    Behind {
        /// Entries ahead in the queue, an array counting once.
        ahead: usize,
        /// Whether there are more than were counted.
        is_at_least: bool,
        /// What keeps the first of them, and with it the whole queue; none where it is about to start.
        front: Option<(JobKey, Vec<(EnvironmentName, Hindrance)>)>,
    },
    /// It is next, and finds no place.
    NoPlace(Vec<(EnvironmentName, Hindrance)>),
    /// It is next, and starts with the next pass.
    AboutToStart,
    /// It is being started or runs in this environment.
    Active {
        /// Where.
        environment: EnvironmentName,
        /// Why it is being stopped, if it is.
        stopping: Option<StopCause>,
    },
    /// It is an array's child that has ended.
    Ended,
}

/// Explains a live job or child; `None` if it has ended or there is no such child.
#[must_use]
pub fn explain(state: &State, key: JobKey) -> Option<Explanation> {
    let job = state.job(key.id)?;
    let status = state.status(key)?;
    let because = match (&job.body, key.child) {
        (Body::Waiting(dependencies), _) => {
            Because::WaitsFor(dependencies.iter().map(|dependency| dependency.on).collect())
        }
        (Body::Array(array), None) => Because::ChildrenLive(array.counts()),
        (Body::Ready(_) | Body::Array(_), _) => match status {
            JobStatus::Pending | JobStatus::Submitted => waits_for(job, key),
            JobStatus::Runnable => runnable(state, job, key),
            JobStatus::Starting | JobStatus::Running => active(state, state.execution(key)?)?,
            JobStatus::Succeeded | JobStatus::Failed => Because::Ended,
        },
    };
    let queue = state.queue(job.queue).name.clone();
    Some(Explanation {
        job: key,
        status,
        queue,
        need: job.profile.resources,
        because,
    })
}

/// What a pending child waits for.
fn waits_for(job: &Job, key: JobKey) -> Because {
    let (Body::Array(array), Some(child)) = (&job.body, key.child) else {
        return Because::WaitsFor(Vec::new());
    };
    let gate = array.gate.iter().map(|dependency| dependency.on);
    let unmet = array
        .pairings
        .iter()
        .filter(|pairing| !pairing.satisfied.contains(child));
    let paired = unmet.map(|pairing| JobKey::child(pairing.on, child));
    let before = child
        .checked_sub(1)
        .filter(|_| array.is_sequential)
        .map(|before| JobKey::child(key.id, before));
    Because::WaitsFor(gate.chain(paired).chain(before).collect())
}

fn runnable(state: &State, job: &Job, key: JobKey) -> Because {
    let order = state.runnable(job.queue);
    let is_it = |entry: &JobKey| entry.id == key.id && (entry.child.is_none() || entry.child == key.child);
    let ahead = order
        .iter()
        .take(POSITION_COUNTED_MAX)
        .take_while(|entry| !is_it(entry))
        .count();
    let front = state.front(job.queue);
    if let Some((front, profile)) = front.filter(|(front, _)| *front != key) {
        let hindrances = match consider(state, job.queue, profile) {
            Verdict::Place(_) => None,
            Verdict::Wait(hindrances) => Some((front, hindrances)),
        };
        return Because::Behind {
            ahead,
            is_at_least: ahead == POSITION_COUNTED_MAX,
            front: hindrances,
        };
    }
    match consider(state, job.queue, &job.profile) {
        Verdict::Place(_) => Because::AboutToStart,
        Verdict::Wait(hindrances) => Because::NoPlace(hindrances),
    }
}

fn active(state: &State, execution: &Execution) -> Option<Because> {
    let attempt = execution.attempt.as_ref()?;
    let environment = state.environment(attempt.placement.environment).name.clone();
    Some(Because::Active {
        environment,
        stopping: attempt.stopping.clone(),
    })
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explanation {
            job,
            status,
            queue,
            need,
            because,
        } = self;
        writeln!(
            f,
            "{job} is {} in queue {queue}; it needs {need}.",
            status.as_str()
        )?;
        match because {
            Because::WaitsFor(jobs) => {
                for job in jobs {
                    writeln!(f, "It waits for job {job} to succeed.")?;
                }
                Ok(())
            }
            Because::ChildrenLive(counts) => {
                let crate::array::StatusCounts {
                    pending,
                    runnable,
                    starting,
                    running,
                    succeeded,
                    failed,
                } = counts;
                writeln!(
                    f,
                    "Its children: {pending} pending, {runnable} runnable, {starting} starting, {running} running, {succeeded} succeeded, {failed} failed."
                )
            }
            Because::Behind {
                ahead,
                is_at_least,
                front,
            } => {
                let more = if *is_at_least { "at least " } else { "" };
                writeln!(
                    f,
                    "Jobs start in order of submission; {more}{} before it.",
                    count_entries(*ahead)
                )?;
                match front {
                    None => writeln!(f, "The first of them is about to start."),
                    Some((front, hindrances)) => {
                        writeln!(
                            f,
                            "The first of them, {front}, finds no place, and holds the queue up:"
                        )?;
                        write_hindrances(f, hindrances)
                    }
                }
            }
            Because::NoPlace(hindrances) => {
                writeln!(f, "It is next in its queue, and finds no place:")?;
                write_hindrances(f, hindrances)
            }
            Because::AboutToStart => writeln!(f, "It is next in its queue, and about to start."),
            Because::Active {
                environment,
                stopping,
            } => match stopping {
                None => writeln!(f, "It has its place in compute environment {environment}."),
                Some(StopCause::Terminated(reason)) => {
                    writeln!(
                        f,
                        "It is being stopped in compute environment {environment}: {}.",
                        reason.as_str()
                    )
                }
                Some(StopCause::TimedOut) => {
                    writeln!(
                        f,
                        "It is being stopped in compute environment {environment}: it ran longer than its timeout."
                    )
                }
                Some(StopCause::EnvironmentDeleted) => {
                    writeln!(
                        f,
                        "It is being stopped: compute environment {environment} was deleted."
                    )
                }
                Some(StopCause::InstanceReplaced) => {
                    writeln!(
                        f,
                        "It is being stopped: compute environment {environment} was updated, and replaces its instance."
                    )
                }
            },
            Because::Ended => writeln!(f, "It has ended; its array has not."),
        }
    }
}

fn count_entries(count: usize) -> String {
    match count {
        // The array's one entry is the front, and stands for its lowest child.
        0 => "lower children of its own array are".to_owned(),
        1 => "1 job or array is".to_owned(),
        _ => format!("{count} jobs and arrays are"),
    }
}

fn write_hindrances(f: &mut fmt::Formatter<'_>, hindrances: &[(EnvironmentName, Hindrance)]) -> fmt::Result {
    if hindrances.is_empty() {
        return writeln!(f, "  its queue has no compute environment");
    }
    for (environment, hindrance) in hindrances {
        writeln!(f, "  compute environment {environment} {hindrance}")?;
    }
    Ok(())
}
