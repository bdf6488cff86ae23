//! When queued jobs are expected to start: two looks ahead in virtual time, one with the run times that half of the last runs did not
//! exceed, one with those that nine of ten did not.
//!
//! The looks run the core itself, on a copy of its state. They assume that nothing else is submitted, that every attempt succeeds, and
//! that it takes as long as the kept runs of its definition say; one that runs already, as long as those that were not shorter. Timeouts
//! cap all, and stand in where there is no history. An attempt with neither goes on for ever: jobs that start nevertheless start then
//! at the latest; of the others nothing can be said.

mod look;

use std::collections::BTreeMap;

use batchyard_core::Core;
use batchyard_core::explain::{Because, Held, explain};
use batchyard_core::id::{JobId, JobKey, QueueId};
use batchyard_core::job::{Body, Job};
use batchyard_core::schedule::Hindrance;
use batchyard_core::state::State;
use batchyard_core::time::Timestamp;

use crate::limits::{CHAIN_MAX, STARTS_AHEAD_MAX};
use look::{Look, Quantile, Start, look};

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
    half: Look,
    nine_tenths: Look,
}

impl Forecast {
    /// Looks ahead from `now`. `may_go_on` is asked again and again, and ends the look when it says no: the core that is played has no
    /// clock to see how long it takes.
    #[must_use]
    pub fn new(core: Core, now: Timestamp, bounds: Bounds, may_go_on: &dyn Fn() -> bool) -> Forecast {
        let mut queued = BTreeMap::new();
        for (id, job) in core.state().jobs() {
            if queued_of(id, job).is_some() {
                *queued.entry(job.queue).or_default() += 1;
            }
        }
        let half = look(core.clone(), now, Quantile::Half, bounds, may_go_on);
        let nine_tenths = look(core, now, Quantile::NineTenths, bounds, may_go_on);
        Forecast {
            at: now,
            queued,
            half,
            nine_tenths,
        }
    }

    /// What is expected of a job or child that was queued at the moment of the forecast; of an array see [`whole`](Forecast::whole).
    /// Of one that was not queued the answer means nothing.
    #[must_use]
    pub fn of(&self, key: JobKey) -> Expected {
        let half = self.half.starts.get(&key).copied();
        let nine_tenths = self.nine_tenths.starts.get(&key).copied();
        self.expected(key, half, nine_tenths)
    }

    /// What is expected of a job as a whole, as it was in the state that the forecast was made from; `None` if nothing of it waited.
    #[must_use]
    pub fn whole(&self, id: JobId, job: &Job) -> Option<Whole> {
        match queued_of(id, job)? {
            Queued::One(key) => Some(Whole {
                first: self.of(key),
                last: None,
            }),
            Queued::Children(count) => {
                let (half, nine_tenths) = (children(&self.half, id), children(&self.nine_tenths, id));
                // Those that did not start come after those that did.
                let last = |starts: &[(JobKey, Start)]| {
                    let is_complete = starts.len() >= count;
                    starts.last().filter(|_| is_complete).map(|(_, start)| *start)
                };
                let first = |starts: &[(JobKey, Start)]| starts.first().map(|(_, start)| *start);
                let key = JobKey::whole(id);
                Some(Whole {
                    first: self.expected(key, first(&half), first(&nine_tenths)),
                    last: Some(self.expected(key, last(&half), last(&nine_tenths))),
                })
            }
        }
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
        let left = left.filter(|(id, job)| job.queue == queue && queued_of(*id, job).is_some());
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

/// What of a job waits.
enum Queued {
    /// The job itself.
    One(JobKey),
    /// So many of its children.
    Children(usize),
}

/// What of a job has not started, or is to start again; `None` if all of it runs.
fn queued_of(id: JobId, job: &Job) -> Option<Queued> {
    let waits = match &job.body {
        Body::Waiting(_) => true,
        Body::Ready(execution) => execution.attempt.is_none(),
        Body::MultiNode(multi_node) => multi_node.gang.is_none(),
        Body::Array(array) => {
            let again = array
                .executions
                .values()
                .filter(|execution| execution.attempt.is_none());
            let fresh = usize::try_from(array.waiting.count() + array.runnable.count()).unwrap_or(usize::MAX);
            let count = fresh.saturating_add(again.count());
            return (count > 0).then_some(Queued::Children(count));
        }
    };
    waits.then_some(Queued::One(JobKey::whole(id)))
}

/// The starts of an array's children, first to last.
fn children(look: &Look, id: JobId) -> Vec<(JobKey, Start)> {
    let range = JobKey::child(id, 0)..=JobKey::child(id, u32::MAX);
    let mut starts: Vec<(JobKey, Start)> = look
        .starts
        .range(range)
        .map(|(key, start)| (*key, *start))
        .collect();
    starts.sort_unstable_by_key(|(key, start)| (start.at, *key));
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
