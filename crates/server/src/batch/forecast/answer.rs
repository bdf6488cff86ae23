//! Forecasts as programs read them: times in milliseconds since the epoch, as in the Batch API.

use batchyard_core::id::JobKey;
use batchyard_sim::forecast::{Basis, Expected, Forecast, Moment, Unknown};
use serde::{Deserialize, Serialize};

/// The answer to `GET /batchyard/v1/forecast`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ForecastAnswer {
    /// The moment that it was looked ahead from.
    pub(crate) as_of: i64,
    /// How many jobs were queued in the queue then, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) queued: Option<usize>,
    /// Those of the queue that start first, in order, or the jobs asked for as far as they were queued; at most 1,000.
    pub(crate) jobs: Vec<JobForecast>,
}

/// What is expected of one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobForecast {
    /// The job, or the child.
    pub(crate) job_id: String,
    /// When it starts.
    pub(crate) expected_start: ExpectedStart,
}

/// When a job is expected to start: `p50` and `p90`, or `notBefore`, or `unknown`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExpectedStart {
    /// The moment that it was looked ahead from.
    pub(crate) as_of: i64,
    /// If attempts run as long as half of the last runs of their definitions did not exceed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p50: Option<i64>,
    /// If they run as long as nine of ten did not exceed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p90: Option<i64>,
    /// Where it was not looked so far ahead: up to when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) not_before: Option<i64>,
    /// What the times rest on: `runs` of the definitions, `timeouts` where there are none; `atLatest` where something of unknown length
    /// runs beside, and the job may start earlier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) basis: Vec<String>,
    /// Why nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unknown: Option<Because>,
    /// Of an array, whose first child the rest is about: the last child.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<Box<ExpectedStart>>,
}

/// Why nothing is known of a job's start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Because {
    /// It waits for the end of a job that has neither history nor timeout.
    Endless {
        /// Which.
        job_id: String,
    },
    /// It never starts as things are.
    Never,
}

impl ExpectedStart {
    /// What a forecast says of a job, child or node; `None` if it was not queued.
    pub(crate) fn of(forecast: &Forecast, key: JobKey) -> Option<ExpectedStart> {
        let at = forecast.at.as_millis();
        if key.child.is_some() {
            return Some(written(at, forecast.of(key)?));
        }
        let whole = forecast.whole(key.id)?;
        Some(ExpectedStart {
            last: whole.last.map(|last| Box::new(written(at, last))),
            ..written(at, whole.first)
        })
    }
}

fn written(as_of: i64, expected: Expected) -> ExpectedStart {
    let nothing = ExpectedStart {
        as_of,
        p50: None,
        p90: None,
        not_before: None,
        basis: Vec::new(),
        unknown: None,
        last: None,
    };
    match expected {
        Expected::Start { p50, p90, basis } => {
            let at = |moment| match moment {
                Moment::At(at) => Some(at.as_millis()),
                Moment::NotBefore(_) => None,
            };
            let horizon = [p50, p90].into_iter().find_map(|moment| match moment {
                Moment::At(_) => None,
                Moment::NotBefore(at) => Some(at.as_millis()),
            });
            ExpectedStart {
                p50: at(p50),
                p90: at(p90),
                not_before: horizon,
                basis: words(basis),
                ..nothing
            }
        }
        Expected::Unknown(Unknown::Endless(job)) => ExpectedStart {
            unknown: Some(Because::Endless {
                job_id: job.to_string(),
            }),
            ..nothing
        },
        Expected::Unknown(Unknown::Never) => ExpectedStart {
            unknown: Some(Because::Never),
            ..nothing
        },
    }
}

fn words(basis: Basis) -> Vec<String> {
    let Basis {
        has_runs,
        has_timeouts,
        has_endless,
    } = basis;
    let words = [
        (has_runs, "runs"),
        (has_timeouts, "timeouts"),
        (has_endless, "atLatest"),
    ];
    let held = words.into_iter().filter(|(holds, _)| *holds);
    held.map(|(_, word)| word.to_owned()).collect()
}
