//! How long the jobs of a definition run: the last runs that succeeded, for predictions and backfill.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits::RUNS_KEPT_MAX;
use crate::time::Millis;

/// The run times of the last attempts of a definition that succeeded, oldest first; at most [`RUNS_KEPT_MAX`]. Shared by the state and
/// the change that it comes from.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Millis>", into = "Vec<Millis>")]
pub struct RunTimes {
    /// What is beyond their number is zero.
    kept: Arc<[Millis; RUNS_KEPT_MAX]>,
    count: usize,
}

/// How long a job is expected to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Half of the last runs took no longer.
    pub p50: Millis,
    /// Nine of ten took no longer.
    pub p90: Millis,
}

impl RunTimes {
    /// With one more run; the oldest is forgotten where there are as many as are kept.
    #[must_use]
    pub fn with(&self, run: Millis) -> Self {
        let mut kept = *self.kept;
        let mut count = self.count;
        if count == RUNS_KEPT_MAX {
            kept.copy_within(1.., 0);
            count -= 1;
        }
        kept[count] = run;
        RunTimes {
            kept: Arc::new(kept),
            count: count + 1,
        }
    }

    /// How many runs it rests on.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    fn kept(&self) -> &[Millis] {
        &self.kept[..self.count]
    }

    /// What the runs say; `None` without any.
    #[must_use]
    pub fn estimate(&self) -> Option<Estimate> {
        self.estimate_beyond(Millis::default())
    }

    /// What the runs say of one that has gone on for `elapsed`: how long it takes as a whole, as those took that were not shorter. One that
    /// has outrun all of them is expected to be overdue as long again as it is by now. `None` without any run.
    #[must_use]
    pub fn estimate_beyond(&self, elapsed: Millis) -> Option<Estimate> {
        let longest = *self.kept().iter().max()?;
        if longest < elapsed {
            let overdue = elapsed.as_millis() - longest.as_millis();
            let run = Millis::new(elapsed.as_millis().saturating_add(overdue));
            return Some(Estimate { p50: run, p90: run });
        }
        let mut sorted: Vec<Millis> = self
            .kept()
            .iter()
            .copied()
            .filter(|run| *run >= elapsed)
            .collect();
        sorted.sort_unstable();
        let nearest_rank = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            sorted.get(rank - 1).copied()
        };
        Some(Estimate {
            p50: nearest_rank(50)?,
            p90: nearest_rank(90)?,
        })
    }
}

impl From<Vec<Millis>> for RunTimes {
    fn from(runs: Vec<Millis>) -> Self {
        let runs = runs.into_iter();
        runs.fold(RunTimes::default(), |runs, run| runs.with(run))
    }
}

impl From<RunTimes> for Vec<Millis> {
    fn from(runs: RunTimes) -> Self {
        runs.kept().to_vec()
    }
}

impl fmt::Debug for RunTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.kept()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_last_runs() {
        let runs = (1..=100).fold(RunTimes::default(), |runs, ms| runs.with(Millis::new(ms)));
        assert_eq!(runs.count(), RUNS_KEPT_MAX);
        // 69..=100 are kept.
        let estimate = runs.estimate().unwrap();
        assert_eq!((estimate.p50, estimate.p90), (Millis::new(84), Millis::new(97)));
        assert_eq!(RunTimes::default().estimate(), None);
        let one = RunTimes::default().with(Millis::new(7)).estimate().unwrap();
        assert_eq!((one.p50, one.p90), (Millis::new(7), Millis::new(7)));
    }

    #[test]
    fn runs_that_were_shorter_say_nothing_about_one_that_goes_on() {
        let runs = [1, 2, 10, 20].map(Millis::from_seconds);
        let runs = runs
            .into_iter()
            .fold(RunTimes::default(), |runs, run| runs.with(run));
        let after = |seconds: u64| {
            let estimate = runs.estimate_beyond(Millis::from_seconds(seconds)).unwrap();
            [estimate.p50, estimate.p90].map(|run| run.as_millis() / 1000)
        };
        assert_eq!([0, 2, 3, 11].map(after), [[2, 20], [10, 20], [10, 20], [20, 20]]);
        // Overdue by five seconds, and expected to be so for five more.
        assert_eq!([20, 25].map(after), [[20, 20], [30, 30]]);
        assert_eq!(RunTimes::default().estimate_beyond(Millis::new(1)), None);
    }
}
