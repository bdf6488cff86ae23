//! Why a job is where it is: a pure function of the state.

mod remedy;
mod text;

use crate::id::{InstanceId, JobKey, QueueId};
use crate::job::{Attempt, Body, Execution, Job, JobStatus, Profile, ServiceClaim, StopCause};
use crate::limits::POSITION_COUNTED_MAX;
use crate::multi_node::{Gang, MultiNode};
use crate::name::{EnvironmentName, QueueName};
use crate::outlook::{Opening, opening, releases};
use crate::queue::Order;
use crate::resources::Resources;
use crate::schedule::{Gate, Hindrance, Verdict, consider, gates};
use crate::share::{Standing, share_of};
use crate::state::State;
use crate::time::Timestamp;

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
    /// What a service job needs besides the GPUs.
    pub service: Option<ServiceClaim>,
    /// Why.
    pub because: Because,
    /// How its share stands, if it is runnable in a fair-share queue.
    pub turn: Option<ShareTurn>,
    /// As of when.
    pub at: Timestamp,
}

/// Whose turn it is in a fair-share queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareTurn {
    /// The job's share.
    pub own: Standing,
    /// The share that goes next, if it is another.
    pub next: Option<Standing>,
    /// Shares with runnable jobs that go before the job's.
    pub ahead: usize,
}

/// What keeps the front of a line from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What the front needs: of a job with nodes all of them together.
    pub need: Resources,
    /// Limits, and things that run out.
    pub gates: Vec<Gate>,
    /// What is in the way in each environment of the queue, in order; empty where one has room.
    pub hindrances: Vec<(EnvironmentName, Hindrance)>,
    /// When there is room, if running attempts say when they end.
    pub opening: Option<Opening>,
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
        /// What keeps the first of them, and with it all of the line; none where it is about to start.
        front: Option<(JobKey, Held)>,
        /// Whether the queue lets this job start before a front that waits for room.
        may_overtake: bool,
    },
    /// Its array has as many children under way as it may.
    ArrayConcurrency {
        /// As many as that.
        max: u32,
        /// So many have been started and have not ended.
        started: usize,
    },
    /// It is next, and cannot start.
    Held(Held),
    /// It is next, and starts with the next pass.
    AboutToStart,
    /// It is being started or runs in this environment.
    Active {
        /// Where.
        environment: EnvironmentName,
        /// On which of its instances, where it has some.
        instance: Option<InstanceId>,
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
pub fn explain(state: &State, key: JobKey, now: Timestamp) -> Option<Explanation> {
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
            JobStatus::Runnable => runnable(state, job, key, now),
            JobStatus::Scheduled | JobStatus::Starting | JobStatus::Running => {
                active(state, state.execution(key)?)?
            }
            JobStatus::Succeeded | JobStatus::Failed => Because::Ended,
        },
    };
    let queue = state.queue(job.queue).name.clone();
    let is_runnable = status == JobStatus::Runnable;
    Some(Explanation {
        turn: share_turn(state, job, now).filter(|_| is_runnable),
        at: now,
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

fn runnable(state: &State, job: &Job, key: JobKey, now: Timestamp) -> Because {
    if let (Body::Array(array), Some(child)) = (&job.body, key.child)
        && let Some(max) = array.max_concurrency
        && array.runnable.contains(child)
        && !array.offers_child()
    {
        let started = array.executions.len();
        return Because::ArrayConcurrency { max, started };
    }
    let order = state.runnable(job.queue);
    let line = order.line_of(&job.profile);
    let is_it = |entry: &JobKey| entry.id == key.id && (entry.child.is_none() || entry.child == key.child);
    let ahead = order
        .iter(line)
        .take(POSITION_COUNTED_MAX)
        .take_while(|entry| !is_it(entry))
        .count();
    let front = state.front(job.queue, line);
    // The nodes of a job wait as one.
    let is_it = |front: JobKey| front == key || job.profile.nodes.is_some() && front.id == key.id;
    if let Some((front, profile)) = front.filter(|(front, _)| !is_it(*front)) {
        return Because::Behind {
            ahead,
            is_at_least: ahead == POSITION_COUNTED_MAX,
            front: held(state, job.queue, profile, now).map(|held| (front, held)),
            may_overtake: state.queue(job.queue).options.backfill
                && order.order() == Order::Submission
                && job.profile.nodes.is_none(),
        };
    }
    match held(state, job.queue, &job.profile, now) {
        None => Because::AboutToStart,
        Some(held) => Because::Held(held),
    }
}

/// What keeps a front from starting; `None` where nothing does.
fn held(state: &State, queue: QueueId, profile: &Profile, now: Timestamp) -> Option<Held> {
    let gates = gates(state, queue, profile);
    let environments = &state.queue(queue).environments;
    let hindrances = match consider(state.fleet(), environments, profile) {
        Verdict::Place(_) | Verdict::PlaceGang(_) => Vec::new(),
        Verdict::Wait(hindrances) => hindrances,
    };
    let has_room = hindrances.is_empty() && !environments.is_empty();
    if gates.is_empty() && has_room {
        return None;
    }
    let opening = if has_room {
        None
    } else {
        opening(state.fleet(), environments, profile, &releases(state, now))
    };
    Some(Held {
        need: profile.resources,
        gates,
        hindrances,
        opening,
    })
}

fn share_turn(state: &State, job: &Job, now: Timestamp) -> Option<ShareTurn> {
    let shares = state.shares(job.queue);
    let own = shares.standing(share_of(&job.profile), now)?;
    let lines = state.runnable(job.queue).lines();
    let waiting = lines.filter_map(|line| shares.standing(line, now));
    let before = waiting.filter(|other| (other.score, &other.share) < (own.score, &own.share));
    let mut before: Vec<Standing> = before.collect();
    before.sort_by(|one, other| (one.score, &one.share).cmp(&(other.score, &other.share)));
    let ahead = before.len();
    Some(ShareTurn {
        own,
        next: before.into_iter().next(),
        ahead,
    })
}

impl Explanation {
    /// Whether a runnable job has a reason that keeps it from starting in the next pass, whatever else starts in it, unless instances are
    /// given back for that.
    #[must_use]
    pub fn forbids_start(&self) -> bool {
        match &self.because {
            Because::AboutToStart => false,
            Because::Behind {
                front, may_overtake, ..
            } => front.as_ref().is_some_and(|(_, held)| {
                // A front that waits for something else than room may start at any time: nobody overtakes it.
                !(*may_overtake && held.gates.is_empty())
            }),
            Because::Held(_)
            | Because::ArrayConcurrency { .. }
            | Because::WaitsFor(_)
            | Because::ChildrenLive(_)
            | Because::WaitsForMain(_)
            | Because::Active { .. }
            | Because::NodesActive { .. }
            | Because::Ended => true,
        }
    }
}

fn active(state: &State, execution: &Execution) -> Option<Because> {
    let attempt = execution.attempt.as_ref()?;
    let environment = state.environment(attempt.placement.environment).name.clone();
    Some(Because::Active {
        environment,
        instance: attempt.placement.instance,
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
