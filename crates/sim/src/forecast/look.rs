//! One look ahead: plays a core with estimated run times, and notes what starts when.

use std::collections::{BTreeMap, BTreeSet};

use batchyard_core::Core;
use batchyard_core::change::Change;
use batchyard_core::id::{AttemptKey, JobKey, QueueId};
use batchyard_core::state::State;
use batchyard_core::time::{Millis, Timestamp};

use super::{Basis, Bounds, Histories, Quantile};
use crate::limits::STEPS_AHEAD_MAX;
use crate::playback::{Manners, Playback, Run, Script, Stops};

/// A start that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) at: Timestamp,
    pub(super) queue: QueueId,
    pub(super) basis: Basis,
}

/// What a look has shown.
#[derive(Debug)]
pub(super) struct Look {
    /// When jobs, children and multi-node jobs as a whole start.
    pub(super) starts: BTreeMap<JobKey, Start>,
    /// Up to when it was looked; `None` if to the end.
    pub(super) horizon: Option<Timestamp>,
    /// Attempts of which nothing says when they end.
    pub(super) endless: BTreeSet<JobKey>,
    /// What is left in the end.
    pub(super) core: Core,
}

struct Guesses {
    histories: Histories,
    starts: BTreeMap<JobKey, Start>,
    /// How the ends of live attempts are known.
    live: BTreeMap<JobKey, Basis>,
    endless: BTreeSet<JobKey>,
    /// What the ends so far rest on.
    basis: Basis,
}

/// Looks ahead until everything has started that will, or a bound is reached.
pub(super) fn look(
    core: Core,
    now: Timestamp,
    quantile: Quantile,
    bounds: Bounds,
    may_go_on: &dyn Fn() -> bool,
) -> Look {
    let manners = Manners {
        start_latency: Millis::default(),
        stops: match quantile {
            Quantile::Half => Stops::AtOnce,
            Quantile::NineTenths => Stops::AfterGrace,
        },
    };
    let guesses = Guesses {
        histories: Histories::of(core.state(), quantile),
        starts: BTreeMap::new(),
        live: BTreeMap::new(),
        endless: BTreeSet::new(),
        basis: Basis::default(),
    };
    let mut playback = Playback::new(core, now, manners, guesses);
    let is_within = |playback: &Playback<Guesses>| playback.script().starts.len() < bounds.starts_max;
    let mut horizon = None;
    let mut steps = 0;
    while playback.step() {
        steps += 1;
        if !is_within(&playback) || steps >= STEPS_AHEAD_MAX || !may_go_on() {
            horizon = Some(playback.now());
            break;
        }
    }
    let (core, guesses) = playback.into_parts();
    let Guesses { starts, endless, .. } = guesses;
    Look {
        starts,
        horizon,
        endless,
        core,
    }
}

impl Guesses {
    fn note_start(&mut self, state: &State, job: JobKey, now: Timestamp) {
        // The job was live when it was placed; with a run time of nothing it may have ended since.
        let queue = state.job(job.id).map(|job| job.queue);
        let endless = if self.endless.is_empty() {
            Basis::default()
        } else {
            Basis::ENDLESS
        };
        if let Some(queue) = queue {
            let basis = self.basis.with(endless);
            self.starts.entry(job).or_insert(Start {
                at: now,
                queue,
                basis,
            });
        }
    }
}

impl Script for Guesses {
    fn run(&mut self, state: &State, attempt: AttemptKey, elapsed: Millis) -> Run {
        let key = attempt.job;
        let Some(job) = state.job(key.id) else {
            return Run::Endless;
        };
        // Other nodes are stopped when the main one ends.
        if job.profile.nodes.is_some() && key.child != Some(job.profile.main_node()) {
            return Run::Endless;
        }
        match self.histories.guess(&job.profile, elapsed) {
            Some((after, basis)) => {
                self.live.insert(key, basis);
                Run::Ends { after, exit_code: 0 }
            }
            None => {
                self.endless.insert(key);
                Run::Endless
            }
        }
    }

    fn saw(&mut self, state: &State, change: &Change, now: Timestamp) {
        match change {
            Change::AttemptPlaced { job, .. } => self.note_start(state, *job, now),
            Change::GangPlaced(placed) => self.note_start(state, JobKey::whole(placed.job), now),
            Change::AttemptEnded(ended) => {
                if let Some(basis) = self.live.remove(&ended.job) {
                    self.basis = self.basis.with(basis);
                }
                self.endless.remove(&ended.job);
            }
            _ => {}
        }
    }
}
