//! What stands at the front of a queue, since when, and what the queue's jobs hold (GetJobQueueSnapshot, section A.4).

use std::collections::BTreeMap;

use crate::change::{AfterAttempt, Change};
use crate::id::{JobId, JobKey, QueueId};
use crate::job::{Body, JobStatus};
use crate::limits::{RANK_TIMES_MAX, SNAPSHOT_JOBS_MAX};
use crate::queue::Position;
use crate::resources::Resources;
use crate::state::State;
use crate::time::Timestamp;

/// A queue as GetJobQueueSnapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSnapshot {
    /// The runnable jobs and children that go first, in order, at most 100.
    pub front: Vec<Ranked>,
    /// What the attempts of the queue's jobs hold, by share; jobs without a share are under `None`.
    pub usage: Vec<(Option<Box<str>>, Resources)>,
}

/// A job or child, and since when it has its place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// Which.
    pub job: JobKey,
    /// Since when exactly so many go before it. Not kept over a restart: then it is the time of submission until the order changes.
    pub since: Timestamp,
}

/// When the order of queues last changed, as far as their first jobs go. Not part of the state: nothing is decided by it.
///
/// A job's place changes when something that goes before it comes or leaves. Of each queue the latest such event is kept, and of the
/// earlier ones those that happened further behind: later means further ahead, so the last event at or before a job is the job's.
#[derive(Clone, Debug, Default)]
pub(crate) struct RankTimes(BTreeMap<QueueId, BTreeMap<Position, Timestamp>>);

impl RankTimes {
    /// Notes that something came to or left this position.
    pub(crate) fn note(&mut self, queue: QueueId, position: Position, at: Timestamp) {
        let events = self.0.entry(queue).or_default();
        while let Some(last) = events.last_entry().filter(|last| *last.key() >= position) {
            last.remove();
        }
        // Further behind than any snapshot looks. Who comes nearer does so by an event further ahead.
        if events.len() < RANK_TIMES_MAX {
            events.insert(position, at);
        }
    }

    pub(crate) fn forget(&mut self, queue: QueueId) {
        self.0.remove(&queue);
    }

    fn since(&self, queue: QueueId, position: Position, id: JobId) -> Timestamp {
        let events = self.0.get(&queue);
        let last = events.and_then(|events| events.range(..=position).next_back());
        last.map_or(id.submitted_at(), |(_, at)| *at)
    }
}

/// Where a change that is about to be made adds something to the order of a queue, or takes something out of it.
pub(crate) fn rank_event(state: &State, change: &Change) -> Option<(QueueId, Position)> {
    let of_job = |key: JobKey| {
        let job = state.job(key.id)?;
        let attempts_ended = match state.multi_node(key.id) {
            Some(multi_node) => multi_node.attempts_ended,
            None => state
                .execution(key)
                .map_or(0, |execution| execution.attempts_ended),
        };
        let was_tried = attempts_ended > 0;
        Some((job.queue, Position::of(job.sequence, key.child, was_tried)))
    };
    let if_runnable = |key: JobKey| of_job(key).filter(|_| state.status(key) == Some(JobStatus::Runnable));
    match change {
        Change::JobReady(id) => of_job(JobKey::whole(*id)),
        Change::ChildrenReady { job, children } => of_job(JobKey::child(*job, children.first()?)),
        Change::AttemptPlaced { job, .. } => of_job(*job),
        Change::GangPlaced(placed) => of_job(JobKey::whole(placed.job)),
        Change::GangEnded(ended) if ended.end.next == AfterAttempt::Retried => {
            let job = state.job(ended.job)?;
            Some((job.queue, Position::of(job.sequence, None, true)))
        }
        // Nodes are tried again together.
        Change::AttemptEnded(ended) if state.multi_node(ended.job.id).is_some() => None,
        Change::AttemptEnded(ended) if ended.next == AfterAttempt::Retried => {
            let job = state.job(ended.job.id)?;
            Some((job.queue, Position::of(job.sequence, ended.job.child, true)))
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

pub(crate) fn snapshot(state: &State, times: &RankTimes, queue: QueueId) -> QueueSnapshot {
    let front = state.runnable(queue).positions().flat_map(|(position, id)| {
        let children = match state.job(id).map(|job| &job.body) {
            Some(Body::Array(array)) if position.child().is_none() => Some(array.runnable.indexes()),
            _ => None,
        };
        let is_single = children.is_none();
        let single = is_single.then_some((
            position,
            JobKey {
                id,
                child: position.child(),
            },
        ));
        let children = children.into_iter().flatten();
        let children = children.map(move |child| (position.of_child(child), JobKey::child(id, child)));
        single.into_iter().chain(children)
    });
    let front = front.take(SNAPSHOT_JOBS_MAX).map(|(position, job)| Ranked {
        job,
        since: times.since(queue, position, job.id),
    });
    QueueSnapshot {
        front: front.collect(),
        usage: state
            .usage(queue)
            .map(|(share, held)| (share.clone(), held))
            .collect(),
    }
}
