//! How long attempts are expected to run.

use std::collections::BTreeMap;

use batchyard_core::job::Profile;
use batchyard_core::name::DefinitionName;
use batchyard_core::runs::RunTimes;
use batchyard_core::state::State;
use batchyard_core::time::Millis;

use super::Basis;

/// Which of the known run times is counted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    /// Half of the runs took no longer.
    Half,
    /// Nine of ten took no longer.
    NineTenths,
}

/// The runs of all definitions as they were at a moment: a playback adds its own guesses to those of its core.
#[derive(Clone, Debug)]
pub struct Histories {
    runs: BTreeMap<DefinitionName, RunTimes>,
    quantile: Quantile,
}

impl Histories {
    /// What a state knows.
    #[must_use]
    pub fn of(state: &State, quantile: Quantile) -> Self {
        let runs = state.histories().map(|(name, runs)| (name.clone(), runs.clone()));
        Histories {
            runs: runs.collect(),
            quantile,
        }
    }

    /// How long an attempt that has run for `elapsed` runs as a whole, and how that is known; `None` without history and timeout.
    #[must_use]
    pub fn guess(&self, profile: &Profile, elapsed: Millis) -> Option<(Millis, Basis)> {
        let runs = profile.definition.as_ref().and_then(|name| self.runs.get(name));
        let estimate = runs.and_then(|runs| runs.estimate_beyond(elapsed));
        let by_runs = estimate.map(|estimate| match self.quantile {
            Quantile::Half => estimate.p50,
            Quantile::NineTenths => estimate.p90,
        });
        match (by_runs, profile.timeout) {
            (Some(run), timeout) if timeout.is_none_or(|timeout| run < timeout) => Some((run, Basis::RUNS)),
            (_, Some(timeout)) => Some((timeout, Basis::TIMEOUTS)),
            (_, None) => None,
        }
    }
}
