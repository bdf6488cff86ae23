//! When running attempts will probably end, and what could start then.
//!
//! A timeout says when an attempt ends at the latest; the runs of its definition say when it probably does.

use std::collections::BTreeMap;

use crate::fleet::{Fleet, Hold};
use crate::id::{EnvironmentId, JobKey};
use crate::job::{Placement, Profile};
use crate::limits::RELEASES_LOOKED_AT_MAX;
use crate::name::DefinitionName;
use crate::runs::Estimate;
use crate::schedule::has_place;
use crate::state::State;
use crate::time::{Millis, Timestamp};

/// When an attempt is expected to end, and how that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedEnd {
    /// When, never in the past.
    pub at: Timestamp,
    /// How that is known.
    pub basis: Basis,
}

/// How it is known when an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// From the last runs of its definition.
    Runs,
    /// It is stopped then.
    Timeout,
}

/// The end of an attempt that makes room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// When there is room.
    pub at: Timestamp,
    /// Whose end makes it: the last of all that have to end.
    pub after: JobKey,
    /// How its end is known.
    pub basis: Basis,
}

/// A place that comes free.
pub(crate) struct Release<'a> {
    at: Timestamp,
    job: JobKey,
    basis: Basis,
    placement: Placement,
    profile: &'a Profile,
}

/// How long an attempt of a job runs, as far as its definition's last runs say.
#[must_use]
pub fn estimate(state: &State, profile: &Profile) -> Option<Estimate> {
    state.run_times(profile.definition.as_ref()?)?.estimate()
}

/// When an attempt that started at `started_at` (or starts now) ends, if anything says so.
#[must_use]
pub fn expected_end(
    state: &State,
    profile: &Profile,
    started_at: Option<Timestamp>,
    now: Timestamp,
) -> Option<ExpectedEnd> {
    expected_end_by(estimate(state, profile), profile.timeout, started_at, now)
}

/// The same by what the last runs of the definition say.
fn expected_end_by(
    estimate: Option<Estimate>,
    timeout: Option<Millis>,
    started_at: Option<Timestamp>,
    now: Timestamp,
) -> Option<ExpectedEnd> {
    let started_at = started_at.unwrap_or(now);
    let timeout = timeout.map(|timeout| started_at + timeout);
    let by_runs = estimate.and_then(|estimate| {
        let ends = [estimate.p50, estimate.p90].map(|run| started_at + run);
        // One that runs longer than most did says nothing by that about when it ends.
        ends.into_iter().find(|at| *at >= now)
    });
    let by_runs = by_runs.filter(|at| timeout.is_none_or(|timeout| *at < timeout));
    match (by_runs, timeout) {
        (Some(at), _) => Some(ExpectedEnd {
            at,
            basis: Basis::Runs,
        }),
        (None, Some(at)) => Some(ExpectedEnd {
            at: at.max(now),
            basis: Basis::Timeout,
        }),
        (None, None) => None,
    }
}

/// The longest that a job runs, for a promise to others: its timeout, else what nine of ten runs took.
pub(crate) fn run_bound(state: &State, profile: &Profile) -> Option<Millis> {
    profile.timeout.or_else(|| Some(estimate(state, profile)?.p90))
}

/// The places that come free, soonest first. Attempts of which nothing says when they end are left out.
pub(crate) fn releases(state: &State, now: Timestamp) -> Vec<Release<'_>> {
    // Many attempts are of few definitions, and what their runs say takes some sorting.
    let mut estimates: BTreeMap<&DefinitionName, Option<Estimate>> = BTreeMap::new();
    let attempts = state.live_attempts().take(RELEASES_LOOKED_AT_MAX);
    let releases = attempts.filter_map(|(key, profile, execution)| {
        let attempt = execution.attempt.as_ref()?;
        let by_runs = profile.definition.as_ref().and_then(|definition| {
            let known = estimates.entry(definition);
            *known.or_insert_with(|| estimate(state, profile))
        });
        let end = expected_end_by(by_runs, profile.timeout, attempt.started_at, now)?;
        Some(Release {
            at: end.at,
            job: key.job,
            basis: end.basis,
            placement: attempt.placement,
            profile,
        })
    });
    let mut releases: Vec<Release<'_>> = releases.collect();
    releases.sort_by_key(|release| (release.at, release.job));
    releases
}

impl Release<'_> {
    fn make(&self, fleet: &mut Fleet) {
        fleet.vacate(self.placement, Hold::of(self.profile, self.job.child), self.at);
    }
}

/// When there is room for a job that has none now, if attempts end as expected and no other job takes it.
pub(crate) fn opening(
    fleet: &Fleet,
    environments: &[EnvironmentId],
    profile: &Profile,
    releases: &[Release<'_>],
) -> Option<Opening> {
    let (opening, _) = opening_and_fleet(fleet, environments, profile, releases)?;
    Some(opening)
}

/// The same, with what is held when all have ended that are expected to by then.
pub(crate) fn opening_and_fleet(
    fleet: &Fleet,
    environments: &[EnvironmentId],
    profile: &Profile,
    releases: &[Release<'_>],
) -> Option<(Opening, Fleet)> {
    let mut fleet = fleet.clone();
    let mut releases = releases.iter();
    let last = releases.find(|release| {
        release.make(&mut fleet);
        has_place(&fleet, environments, profile)
    })?;
    let opening = Opening {
        at: last.at,
        after: last.job,
        basis: last.basis,
    };
    for release in releases.take_while(|release| release.at <= opening.at) {
        release.make(&mut fleet);
    }
    Some((opening, fleet))
}
