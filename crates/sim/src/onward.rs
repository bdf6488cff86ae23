//! A state played on: what runs and waits runs as long as the history of its definition says, and nothing else comes.

use std::collections::BTreeSet;

use batchyard_core::change::Change;
use batchyard_core::id::{AttemptKey, JobId};
use batchyard_core::state::State;
use batchyard_core::time::{Millis, Timestamp};

use crate::forecast::{Histories, Quantile};
use crate::playback::{Run, Script};
use crate::report::Record;

/// Plays a state on, and notes what happens.
#[derive(Debug)]
pub struct Onward {
    histories: Histories,
    /// How long attempts run of which nothing says how long they do; `None` is for ever.
    otherwise: Option<Millis>,
    /// Jobs of which nothing says how long they run.
    pub unknown: BTreeSet<JobId>,
    /// What happened.
    pub record: Record,
}

impl Onward {
    /// What happens from `now` on in a state.
    #[must_use]
    pub fn new(state: &State, now: Timestamp, quantile: Quantile, otherwise: Option<Millis>) -> Self {
        Onward {
            histories: Histories::of(state, quantile),
            otherwise,
            unknown: BTreeSet::new(),
            record: Record::of(state, now),
        }
    }
}

impl Script for Onward {
    fn run(&mut self, state: &State, attempt: AttemptKey, elapsed: Millis) -> Run {
        let key = attempt.job;
        let Some(job) = state.job(key.id) else {
            return Run::Endless;
        };
        // Other nodes are stopped when the main one ends.
        if job.profile.nodes.is_some() && key.child != Some(job.profile.main_node()) {
            return Run::Endless;
        }
        let known = self.histories.guess(&job.profile, elapsed).map(|(run, _)| run);
        if known.is_none() {
            self.unknown.insert(key.id);
        }
        match known.or(self.otherwise) {
            Some(after) => Run::Ends { after, exit_code: 0 },
            None => Run::Endless,
        }
    }

    fn saw(&mut self, state: &State, change: &Change, now: Timestamp) {
        self.record.note(state, change, now);
    }
}
