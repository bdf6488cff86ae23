//! Why a job is where it is: a pure function of the state.

use std::fmt;

use crate::id::{JobKey, NodeKey};
use crate::job::{Attempt, Body, Execution, Job, JobStatus, ServiceClaim, StopCause};
use crate::limits::POSITION_COUNTED_MAX;
use crate::multi_node::{Gang, MultiNode};
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
    /// How many nodes the job has, if it has nodes.
    pub nodes: Option<u32>,
    /// What a service job needs instead.
    pub service: Option<ServiceClaim>,
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
    /// It is a node that starts when its main node has started.
    WaitsForMain(EnvironmentName),
    /// Its nodes have their places in this environment.
    NodesActive {
        /// Where.
        environment: EnvironmentName,
        /// Nodes that run.
        running: usize,
        /// Nodes that do not run yet.
        starting: usize,
        /// Nodes that have ended.
        ended: usize,
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
        (Body::MultiNode(multi_node), None) if multi_node.gang.is_some() => nodes_active(state, multi_node)?,
        (Body::MultiNode(_), Some(_)) if status == JobStatus::Starting && !state.is_launched(key) => {
            let attempt = state.execution(key)?.attempt.as_ref()?;
            Because::WaitsForMain(state.environment(attempt.placement.environment).name.clone())
        }
        (Body::Ready(_) | Body::Array(_) | Body::MultiNode(_), _) => match status {
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
        need: job.profile.need(key.child),
        nodes: job.profile.nodes.as_ref().map(|shape| shape.count),
        service: job.profile.service.clone(),
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
    // The nodes of a job wait as one.
    let is_it = |front: JobKey| front == key || job.profile.nodes.is_some() && front.id == key.id;
    if let Some((front, profile)) = front.filter(|(front, _)| !is_it(*front)) {
        let hindrances = match consider(state, job.queue, profile) {
            Verdict::Place(_) | Verdict::PlaceGang(_) => None,
            Verdict::Wait(hindrances) => Some((front, hindrances)),
        };
        return Because::Behind {
            ahead,
            is_at_least: ahead == POSITION_COUNTED_MAX,
            front: hindrances,
        };
    }
    match consider(state, job.queue, &job.profile) {
        Verdict::Place(_) | Verdict::PlaceGang(_) => Because::AboutToStart,
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

fn nodes_active(state: &State, multi_node: &MultiNode) -> Option<Because> {
    let gang: &Gang = multi_node.gang.as_ref()?;
    let live: Vec<&Attempt> = gang.live().map(|(_, attempt)| attempt).collect();
    let environment = live.first()?.placement.environment;
    let running = live.iter().filter(|attempt| attempt.started_at.is_some()).count();
    let main_has_ended = gang.main_end.as_ref().map(|_| StopCause::MainEnded);
    Some(Because::NodesActive {
        environment: state.environment(environment).name.clone(),
        running,
        starting: live.len() - running,
        ended: gang.nodes.len() - live.len(),
        stopping: gang.stopping.clone().or(main_has_ended),
    })
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explanation {
            job,
            status,
            queue,
            need,
            nodes,
            service,
            because,
        } = self;
        let status = status.as_str();
        match (NodeKey::of(*job), nodes) {
            _ if service.is_some() => {
                let need = service
                    .iter()
                    .map(|claim| format!("{} {}", claim.count, claim.unit));
                let need: String = need.collect();
                writeln!(f, "{job} is {status} in queue {queue}; it needs {need}.")?;
            }
            (Some(node), Some(_)) => writeln!(f, "{node} is {status} in queue {queue}; it needs {need}.")?,
            (_, None) => writeln!(f, "{job} is {status} in queue {queue}; it needs {need}.")?,
            (None, Some(nodes)) => writeln!(
                f,
                "{job} is {status} in queue {queue}; its {nodes} nodes need {need} together."
            )?,
        }
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
                None => writeln!(f, "It has its place in {}.", called(environment)),
                Some(cause) => write_stop(f, environment, cause),
            },
            Because::WaitsForMain(environment) => writeln!(
                f,
                "It has its place in compute environment {environment}, and starts when the main node runs."
            ),
            Because::NodesActive {
                environment,
                running,
                starting,
                ended,
                stopping,
            } => {
                writeln!(
                    f,
                    "Its nodes have their places in compute environment {environment}: {starting} starting, {running} running, {ended} ended."
                )?;
                match stopping {
                    None => Ok(()),
                    Some(cause) => write_stop(f, environment, cause),
                }
            }
            Because::Ended => writeln!(f, "It has ended; its array has not."),
        }
    }
}

fn write_stop(f: &mut fmt::Formatter<'_>, environment: &EnvironmentName, cause: &StopCause) -> fmt::Result {
    write!(f, "It is being stopped")?;
    match cause {
        StopCause::Terminated(reason) => {
            writeln!(f, " in {}: {}.", called(environment), reason.as_str())
        }
        StopCause::TimedOut => {
            writeln!(f, " in {}: it ran longer than its timeout.", called(environment))
        }
        StopCause::EnvironmentDeleted => writeln!(f, ": {} was deleted.", called(environment)),
        StopCause::InstanceReplaced => {
            writeln!(
                f,
                ": compute environment {environment} was updated, and replaces its instance."
            )
        }
        StopCause::NodeNotStarted(reason) => writeln!(f, ": another node could not be started: {reason}."),
        StopCause::MainEnded => writeln!(f, ": the main node has ended."),
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
        writeln!(f, "  {} {hindrance}", called(environment))?;
    }
    Ok(())
}

/// An environment as people call it.
fn called(name: &EnvironmentName) -> String {
    format!("{} {}", name.kind().noun(), name.given())
}
