//! When queued jobs are expected to start: two looks ahead in virtual time, one with the run times that half of the last runs did not
//! exceed, one with those that nine of ten did not.
//!
//! The looks run the core itself, on a copy of its state. They assume that nothing else is submitted, that every attempt succeeds, and
//! that it takes as long as the kept runs of its definition say; one that runs already, as long as those that were not shorter. Timeouts
//! cap all, and stand in where there is no history. An attempt with neither goes on for ever: jobs that start nevertheless start then
//! at the latest; of the others nothing can be said.

mod guess;
mod look;

use std::collections::BTreeMap;

use batchyard_core::Core;
use batchyard_core::explain::{Because, Held, explain};
use batchyard_core::id::{JobId, JobKey, QueueId};
use batchyard_core::job::{Body, Job, JobStatus};
use batchyard_core::schedule::Hindrance;
use batchyard_core::state::State;
use batchyard_core::time::Timestamp;

use crate::limits::{CHAIN_MAX, STARTS_AHEAD_MAX};
pub use guess::{Histories, Quantile};
use look::{Look, Start, look};

/// How far a forecast looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Starts that are looked ahead.
    pub starts_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            starts_max: STARTS_AHEAD_MAX,
        }
    }
}

/// What an expectation rests on: the ends of attempts that come before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Basis {
    /// The last runs of their definitions.
    pub has_runs: bool,
    /// Their timeouts, where there is no run or all are longer.
    pub has_timeouts: bool,
    /// Something runs of which nothing says when it ends, and is counted as running on: the start may be earlier.
    pub has_endless: bool,
}

impl Basis {
    const RUNS: Basis = Basis {
        has_runs: true,
        has_timeouts: false,
        has_endless: false,
    };
    const TIMEOUTS: Basis = Basis {
        has_runs: false,
        has_timeouts: true,
        has_endless: false,
    };
    const ENDLESS: Basis = Basis {
        has_runs: false,
        has_timeouts: false,
        has_endless: true,
    };

    fn with(self, other: Basis) -> Basis {
        Basis {
            has_runs: self.has_runs || other.has_runs,
            has_timeouts: self.has_timeouts || other.has_timeouts,
            has_endless: self.has_endless || other.has_endless,
        }
    }
}

/// When something starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// About then.
    At(Timestamp),
    /// Later than was looked ahead.
    NotBefore(Timestamp),
}

/// What is expected of a queued job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It starts.
    Start {
        /// If attempts run as long as half of the last did not exceed.
        p50: Moment,
        /// If they run as long as nine of ten did not exceed; never before `p50`.
        p90: Moment,
        /// What that rests on.
        basis: Basis,
    },
    /// Nothing can be said.
    Unknown(Unknown),
}

/// Why nothing can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It waits for the end of this attempt, which has neither history nor timeout.
    Endless(JobKey),
    /// As things are it never starts: what `explain` names has to be changed first.
    Never,
}

/// What is expected of a job as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Of the job; of an array, of the first of its children that have not started.
    pub first: Expected,
    /// Of the last of those children, for arrays.
    pub last: Option<Expected>,
}

/// A look ahead from one moment.
#[derive(Debug)]
pub struct Forecast {
    /// The moment.
    pub at: Timestamp,
    /// How many jobs were queued in each queue, an array with children that have not started counting once.
    pub queued: BTreeMap<QueueId, usize>,
    /// How many children of each array had not started.
    arrays: BTreeMap<JobId, usize>,
    half: Look,
    nine_tenths: Look,
}

impl Forecast {
    /// Looks ahead from `now`. `may_go_on` is asked again and again, and ends the look when it says no: the core that is played has no
    /// clock to see how long it takes.
    #[must_use]
    pub fn new(core: Core, now: Timestamp, bounds: Bounds, may_go_on: &dyn Fn() -> bool) -> Forecast {
        let (mut queued, mut arrays) = (BTreeMap::new(), BTreeMap::new());
        for (id, job) in core.state().jobs() {
            let count = queued_of(job);
            if count > 0 {
                *queued.entry(job.queue).or_default() += 1;
            }
            if matches!(job.body, Body::Array(_)) {
                arrays.insert(id, count);
            }
        }
        let half = look(core.clone(), now, Quantile::Half, bounds, may_go_on);
        let nine_tenths = look(core, now, Quantile::NineTenths, bounds, may_go_on);
        Forecast {
            at: now,
            queued,
            arrays,
            half,
            nine_tenths,
        }
    }

    /// What is expected of a job, a child, or a multi-node job by one of its nodes; `None` if it was not queued at the moment of the
    /// forecast. Of an array see [`whole`](Forecast::whole).
    #[must_use]
    pub fn of(&self, key: JobKey) -> Option<Expected> {
        let started = |key: JobKey| self.half.starts.get(&key).map(|_| key);
        let whole = JobKey::whole(key.id);
        let waits = |key: JobKey| {
            let status = self.half.core.state().status(key);
            matches!(status, Some(JobStatus::Pending | JobStatus::Runnable)).then_some(key)
        };
        // Nodes start with their job.
        let is_child = self.arrays.contains_key(&key.id);
        let key = started(key)
            .or_else(|| started(whole).filter(|_| !is_child))
            .or_else(|| waits(key))?;
        let half = self.half.starts.get(&key).copied();
        let nine_tenths = self.nine_tenths.starts.get(&key).copied();
        Some(self.expected(key, half, nine_tenths))
    }

    /// What is expected of a job as a whole; `None` if nothing of it was queued at the moment of the forecast.
    #[must_use]
    pub fn whole(&self, id: JobId) -> Option<Whole> {
        let key = JobKey::whole(id);
        let Some(count) = self.arrays.get(&id).copied() else {
            return Some(Whole {
                first: self.of(key)?,
                last: None,
            });
        };
        if count == 0 {
            return None;
        }
        let (half, nine_tenths) = (children(&self.half, id), children(&self.nine_tenths, id));
        // Those that did not start come after those that did.
        let last = |starts: &[Start]| starts.last().filter(|_| starts.len() >= count).copied();
        let first = |starts: &[Start]| starts.first().copied();
        Some(Whole {
            first: self.expected(key, first(&half), first(&nine_tenths)),
            last: Some(self.expected(key, last(&half), last(&nine_tenths))),
        })
    }

    /// The jobs of a queue in the order in which they are expected to start, arrays by the first of their children, those of which
    /// nothing is known last; at most `limit`.
    #[must_use]
    pub fn in_order(&self, queue: QueueId, limit: usize) -> Vec<JobId> {
        let of_queue = self.half.starts.iter().filter(|(_, start)| start.queue == queue);
        let mut first: BTreeMap<JobId, Timestamp> = BTreeMap::new();
        for (key, start) in of_queue {
            let at = first.entry(key.id).or_insert(start.at);
            *at = start.at.min(*at);
        }
        let mut ordered: Vec<(Timestamp, JobId)> = first.iter().map(|(id, at)| (*at, *id)).collect();
        ordered.sort_unstable();
        let left = self.half.core.state().jobs();
        let left = left.filter(|(_, job)| job.queue == queue && queued_of(job) > 0);
        let left = left.map(|(id, _)| id).filter(|id| !first.contains_key(id));
        ordered
            .into_iter()
            .map(|(_, id)| id)
            .chain(left)
            .take(limit)
            .collect()
    }

    fn expected(&self, key: JobKey, half: Option<Start>, nine_tenths: Option<Start>) -> Expected {
        let later = |look: &Look| look.horizon.map(Moment::NotBefore);
        let p50 = half
            .map(|start| Moment::At(start.at))
            .or_else(|| later(&self.half));
        let p90 = nine_tenths
            .map(|start| Moment::At(start.at))
            .or_else(|| later(&self.nine_tenths));
        let (Some(p50), Some(p90)) = (p50, p90) else {
            return Expected::Unknown(self.unknown(key));
        };
        let bases = [half, nine_tenths].into_iter().flatten().map(|start| start.basis);
        Expected::Start {
            p50,
            p90: later_of(p50, p90),
            basis: bases.fold(Basis::default(), Basis::with),
        }
    }

    /// Why a job did not start in a look that has come to its end.
    fn unknown(&self, key: JobKey) -> Unknown {
        let look = match self.half.horizon {
            None => &self.half,
            Some(_) => &self.nine_tenths,
        };
        let state = look.core.state();
        let mut key = key;
        for _ in 0..CHAIN_MAX {
            if look.endless.contains(&key) {
                return Unknown::Endless(key);
            }
            let child = look.endless.iter().find(|endless| endless.id == key.id);
            match (first_dependency(state, key, self.at), child) {
                (Some(on), _) => key = on,
                (None, Some(child)) => return Unknown::Endless(*child),
                (None, None) => break,
            }
        }
        let first = look.endless.first().copied();
        let is_held_for_good = explain(state, key, self.at).is_some_and(|found| match found.because {
            Because::Held(held)
            | Because::Behind {
                front: Some((_, held)),
                ..
            } => is_for_good(&held),
            _ => false,
        });
        match first {
            Some(endless) if !is_held_for_good => Unknown::Endless(endless),
            _ => Unknown::Never,
        }
    }
}

/// How much of a job has not started, or is to start again: children of an array, 1 or 0 of others.
fn queued_of(job: &Job) -> usize {
    let waits = match &job.body {
        Body::Waiting(_) => true,
        Body::Ready(execution) => execution.attempt.is_none(),
        Body::MultiNode(multi_node) => multi_node.gang.is_none(),
        Body::Array(array) => {
            let executions = array.executions.values();
            let again = executions.filter(|execution| execution.attempt.is_none());
            let fresh = usize::try_from(array.waiting.count() + array.runnable.count()).unwrap_or(usize::MAX);
            return fresh.saturating_add(again.count());
        }
    };
    usize::from(waits)
}

/// The starts of an array's children, first to last.
fn children(look: &Look, id: JobId) -> Vec<Start> {
    let range = JobKey::child(id, 0)..=JobKey::child(id, u32::MAX);
    let mut starts: Vec<Start> = look.starts.range(range).map(|(_, start)| *start).collect();
    starts.sort_unstable_by_key(|start| start.at);
    starts
}

/// What a pending job or child, or the first child of an array that waits, waits for.
fn first_dependency(state: &State, key: JobKey, now: Timestamp) -> Option<JobKey> {
    let waiting_child = match &state.job(key.id)?.body {
        Body::Array(array) if key.child.is_none() => {
            // What is runnable waits for room, not for others.
            let waits = array.runnable.is_empty().then(|| array.waiting.first()).flatten();
            JobKey::child(key.id, waits?)
        }
        _ => key,
    };
    match explain(state, waiting_child, now)?.because {
        Because::WaitsFor(jobs) => jobs.first().copied(),
        _ => None,
    }
}

/// Whether nothing that ends makes room.
fn is_for_good(held: &Held) -> bool {
    let passes = |hindrance: &Hindrance| {
        matches!(
            hindrance,
            Hindrance::MaximumReached { .. } | Hindrance::UnitsReached { .. } | Hindrance::HostBusy { .. }
        )
    };
    !held.hindrances.is_empty() && !held.hindrances.iter().any(|(_, hindrance)| passes(hindrance))
}

fn later_of(p50: Moment, p90: Moment) -> Moment {
    let time = |moment| match moment {
        Moment::At(at) | Moment::NotBefore(at) => at,
    };
    if time(p50) > time(p90) { p50 } else { p90 }
}
