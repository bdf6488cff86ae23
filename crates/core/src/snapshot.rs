//! What stands at the front of a queue, since when, and what the queue's jobs hold (GetJobQueueSnapshot, section A.4).

use std::collections::BTreeMap;

use crate::change::{AfterAttempt, Change};
use crate::id::{ArrayIndex, JobId, JobKey, QueueId};
use crate::job::{Body, Job, JobStatus};
use crate::limits::{FAIR_SHARE_START_FEE, RANK_TIMES_MAX, RANKED_LINES_MAX, SNAPSHOT_JOBS_MAX};
use crate::name::QuotaShareName;
use crate::queue::{Order, Position};
use crate::resources::Resources;
use crate::schedule::turn_of;
use crate::share::{ShareName, rate_of};
use crate::state::State;
use crate::time::Timestamp;

/// A queue as GetJobQueueSnapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct QueueSnapshot {
    /// The runnable jobs and children that go first, in order, at most 100.
    pub front: Vec<Ranked>,
    /// What the attempts of the queue's jobs hold, by share; jobs without a share are under `None`.
    pub usage: Vec<(Option<ShareName>, Resources)>,
    /// How many shares are active, in a fair-share queue.
    pub active_shares: Option<usize>,
    /// The front of each line of a queue with quota shares, by the share's name.
    pub quota_fronts: Vec<(ShareName, Ranked)>,
    /// What the attempts of each quota share hold, by unit.
    pub quota_usage: Vec<QuotaUsage>,
}

/// What the attempts of a quota share hold, by unit.
pub type QuotaUsage = (QuotaShareName, Vec<(Box<str>, u32)>);

/// A job or child, and since when it has its place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// Which.
    pub job: JobKey,
    /// Since when exactly so many go before it. Not kept over a restart: then it is the time of submission until the order changes.
    pub since: Timestamp,
}

/// When the order of lines last changed, as far as their first jobs go. Not part of the state: nothing is decided by it.
///
/// A job's place changes when something that goes before it in its line comes or leaves. Of each line the latest such event is kept, and of the
/// earlier ones those that happened further behind: later means further ahead, so the last event at or before a job is the job's.
#[derive(Clone, Debug, Default)]
pub(crate) struct RankTimes(BTreeMap<QueueId, BTreeMap<ShareName, RankEvents>>);

/// Of one line, by position.
type RankEvents = Vec<(Position, Timestamp)>;

impl RankTimes {
    /// Notes that something came to or left this position.
    pub(crate) fn note(&mut self, queue: QueueId, line: &str, position: Position, at: Timestamp) {
        let lines = self.0.entry(queue).or_default();
        if !lines.contains_key(line) {
            if lines.len() >= RANKED_LINES_MAX {
                return;
            }
            lines.insert(line.into(), RankEvents::new());
        }
        let events = lines.get_mut(line).expect("it is there now");
        while events.pop_if(|(last, _)| *last >= position).is_some() {}
        // Further behind than any snapshot looks. Who comes nearer does so by an event further ahead.
        if events.len() < RANK_TIMES_MAX {
            events.push((position, at));
        }
    }

    pub(crate) fn forget(&mut self, queue: QueueId) {
        self.0.remove(&queue);
    }

    fn since(&self, queue: QueueId, line: &str, position: Position, id: JobId) -> Timestamp {
        let events = self.0.get(&queue).and_then(|lines| lines.get(line));
        let last = events.and_then(|events| {
            let ahead = events.partition_point(|(event, _)| *event <= position);
            events[..ahead].last()
        });
        last.map_or(id.submitted_at(), |(_, at)| *at)
    }
}

/// Where a change that is about to be made adds something to the order of a queue, or takes something out of it.
pub(crate) fn rank_event<'a>(state: &'a State, change: &'a Change) -> Option<(QueueId, &'a str, Position)> {
    let at = |id: JobId, child: Option<ArrayIndex>, was_tried: bool| {
        let job = state.job(id)?;
        let runnable = state.runnable(job.queue);
        let position = runnable.position_of(&job.profile, job.sequence, child, was_tried);
        Some((job.queue, runnable.line_of(&job.profile), position))
    };
    let of_job = |key: JobKey| {
        let attempts_ended = match state.multi_node(key.id) {
            Some(multi_node) => multi_node.attempts_ended,
            None => state
                .execution(key)
                .map_or(0, |execution| execution.attempts_ended),
        };
        at(key.id, key.child, attempts_ended > 0)
    };
    let if_runnable = |key: JobKey| of_job(key).filter(|_| state.status(key) == Some(JobStatus::Runnable));
    match change {
        Change::JobReady(id) => of_job(JobKey::whole(*id)),
        Change::ChildrenReady { job, children } => of_job(JobKey::child(*job, children.first()?)),
        Change::AttemptPlaced { job, .. } => of_job(*job),
        Change::GangPlaced(placed) => of_job(JobKey::whole(placed.job)),
        Change::GangEnded(ended) if ended.end.next == AfterAttempt::Retried => at(ended.job, None, true),
        // Nodes are tried again together.
        Change::AttemptEnded(ended) if state.multi_node(ended.job.id).is_some() => None,
        Change::AttemptEnded(ended) if ended.next == AfterAttempt::Retried => {
            at(ended.job.id, ended.job.child, true)
        }
        Change::JobFailed(failed) => if_runnable(failed.job),
        Change::ChildrenFailed { job, children, .. } => match &state.job(*job)?.body {
            Body::Array(array) => {
                let first = array.runnable.intersection(children).first()?;
                of_job(JobKey::child(*job, first))
            }
            Body::Waiting(_) | Body::Ready(_) | Body::MultiNode(_) => None,
        },
        _ => None,
    }
}

/// The jobs and children of a line in order, with their positions.
fn line_in_order<'a>(
    state: &'a State,
    queue: QueueId,
    line: &'a str,
) -> impl Iterator<Item = (Position, JobKey)> + 'a {
    let entries = state.runnable(queue).positions(line);
    entries.flat_map(move |(position, id)| {
        let children = match state.job(id).map(|job| &job.body) {
            Some(Body::Array(array)) if position.child().is_none() => Some(array.runnable.indexes()),
            _ => None,
        };
        let single = JobKey {
            id,
            child: position.child(),
        };
        let single = children.is_none().then_some((position, single));
        let children = children.into_iter().flatten();
        let children = children.map(move |child| (position.of_child(child), JobKey::child(id, child)));
        single.into_iter().chain(children)
    })
}

pub(crate) fn snapshot(state: &State, times: &RankTimes, queue: QueueId, now: Timestamp) -> QueueSnapshot {
    let runnable = state.runnable(queue);
    let ranked = |line: &str, position: Position, job: JobKey| Ranked {
        job,
        since: times.since(queue, line, position, job.id),
    };
    let front = in_turn(state, queue, now)
        .into_iter()
        .map(|(line, position, job)| ranked(&line, position, job));
    let quota_fronts = runnable.lines().filter_map(|line| {
        let (position, job) = line_in_order(state, queue, line).next()?;
        Some((line.clone(), ranked(line, position, job)))
    });
    let shares = state.shares(queue);
    QueueSnapshot {
        front: front.collect(),
        usage: state
            .usage(queue)
            .map(|(share, held)| (share.cloned(), held))
            .collect(),
        active_shares: shares.policy().map(|_| shares.active()),
        quota_fronts: match runnable.order() {
            Order::QuotaShare => quota_fronts.collect(),
            Order::Submission | Order::FairShare => Vec::new(),
        },
        quota_usage: state
            .quota_uses(queue)
            .map(|(share, held)| {
                (
                    share.clone(),
                    held.units().map(|(unit, held)| (unit.into(), held)).collect(),
                )
            })
            .collect(),
    }
}

/// A line of a queue while its jobs are put in order.
struct InTurn<'a, Jobs: Iterator<Item = (Position, JobKey)>> {
    line: &'a ShareName,
    jobs: std::iter::Peekable<Jobs>,
    /// What the share has used, times its weight, in a queue with fair share.
    score: u128,
    weight: u64,
    /// What those before take of the share's unit, in a queue with quota shares.
    taken: u32,
}

impl<Jobs: Iterator<Item = (Position, JobKey)>> InTurn<'_, Jobs> {
    /// The turn of its next job: lower goes first; `None` if there is none left.
    fn turn(&mut self, state: &State, order: Order) -> Option<u128> {
        let (_, next) = self.jobs.peek()?;
        Some(match order {
            Order::Submission | Order::FairShare => self.score,
            Order::QuotaShare => turn_of(state, state.job(next.id)?, self.taken),
        })
    }

    fn count(&mut self, job: &Job, key: JobKey) {
        let need = match job.profile.nodes {
            Some(_) => job.profile.resources,
            None => job.profile.need(key.child),
        };
        let fee = rate_of(&job.profile, need) * FAIR_SHARE_START_FEE.as_millis();
        self.score += u128::from(fee) * u128::from(self.weight);
        self.taken += job.profile.service.as_ref().map_or(0, |claim| claim.count);
    }
}

/// The first jobs of a queue in the order in which they would start at this instant if there were room for all of them.
fn in_turn(state: &State, queue: QueueId, now: Timestamp) -> Vec<(ShareName, Position, JobKey)> {
    let order = state.runnable(queue).order();
    let lines = state.runnable(queue).lines().map(|line| {
        let standing = state.shares(queue).standing(line, now);
        let (score, weight) = standing.map_or((0, 0), |standing| (standing.score, standing.weight));
        InTurn {
            line,
            jobs: line_in_order(state, queue, line).peekable(),
            score,
            weight,
            taken: 0,
        }
    });
    let mut lines: Vec<_> = lines.collect();
    let mut first = Vec::new();
    while first.len() < SNAPSHOT_JOBS_MAX {
        let turns = lines
            .iter_mut()
            .filter_map(|line| Some((line.turn(state, order)?, line)));
        let next = turns
            .min_by(|(turn, line), (other_turn, other)| (turn, line.line).cmp(&(other_turn, other.line)));
        let Some((_, line)) = next else {
            break;
        };
        let Some((position, key)) = line.jobs.next() else {
            break;
        };
        if let Some(job) = state.job(key.id) {
            line.count(job, key);
        }
        first.push((line.line.clone(), position, key));
    }
    first
}
