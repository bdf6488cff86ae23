//! What is to come: Batchyard's own operations `GET /batchyard/v1/forecast` and `GET /batchyard/v1/state`, and what `explain` says of
//! a queued job's start.
//!
//! A forecast needs a copy of the core, and making one holds the driver up for as long as it takes: a few microseconds with few jobs,
//! some tenths of a second with a million. So copies are made at most so often that they cost the driver a twentieth of its time
//! ([`DRIVER_SHARE`]), and a forecast is used again until the next may be made. The looks ahead run beside the driver, one at a time,
//! within [`FORECAST_TIME_MAX`] and a fifth of one processor ([`PROCESSOR_SHARE`]).

mod answer;
mod copies;

use std::sync::Arc;
use std::time::{Duration, Instant};

use batchyard_core::id::JobKey;
use batchyard_core::time::Timestamp;
use batchyard_sim::forecast::{Bounds, Forecast};
use batchyard_sim::present::Present;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use tokio::sync::Mutex;

use super::{Batch, job_key};
use crate::limits::{FORECAST_JOBS_MAX, FORECAST_TIME_MAX, PROCESSOR_SHARE, STATE_JOBS_MAX};

pub(crate) use answer::{ExpectedStart, ForecastAnswer, JobForecast};
pub(super) use copies::Copies;

/// The forecast that was made last.
#[derive(Default)]
pub(super) struct Forecasts {
    /// Held while one is made: those who ask meanwhile get the same.
    last: Mutex<Option<Made>>,
}

struct Made {
    forecast: Arc<Forecast>,
    good_until: Instant,
}

/// What a forecast is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ForecastQuery {
    /// The queue, by name or ARN.
    pub(crate) queue: Option<String>,
    /// Jobs and children by id; none for all of the queue.
    pub(crate) jobs: Vec<String>,
}

impl Batch {
    /// When the queued jobs of a queue, or these jobs, are expected to start.
    ///
    /// # Errors
    /// When there is no such queue, neither queue nor jobs are named, too many jobs are, or the server is overloaded or stopping.
    pub(crate) async fn forecast(&self, query: ForecastQuery) -> Result<ForecastAnswer, Fault> {
        let ForecastQuery { queue, jobs } = query;
        if jobs.len() > FORECAST_JOBS_MAX {
            let text = format!("jobs must name at most {FORECAST_JOBS_MAX} jobs.");
            return Err(client_exception(text));
        }
        let queue = match (&queue, jobs.is_empty()) {
            (Some(queue), _) => Some(self.queue(queue).await?),
            (None, false) => None,
            (None, true) => return Err(client_exception("queue or jobs must be given.")),
        };
        let forecast = self.current_forecast().await?;
        let named = jobs.iter().filter_map(|job| job_key(job));
        let keys: Vec<JobKey> = match (&queue, jobs.is_empty()) {
            (Some(queue), true) => forecast
                .in_order(queue.id, FORECAST_JOBS_MAX)
                .into_iter()
                .map(JobKey::whole)
                .collect(),
            (_, _) => named.collect(),
        };
        let known = keys.into_iter().filter_map(|key| {
            let expected_start = ExpectedStart::of(&forecast, key)?;
            Some(JobForecast {
                job_id: key.to_string(),
                expected_start,
            })
        });
        Ok(ForecastAnswer {
            as_of: forecast.at.as_millis(),
            queued: queue.map(|queue| forecast.queued.get(&queue.id).copied().unwrap_or(0)),
            jobs: known.collect(),
        })
    }

    /// When a queued job, child or node is expected to start; `None` where nothing is known of it (yet), because it runs, has ended, or
    /// came after the last forecast.
    pub(super) async fn expected_start(&self, key: JobKey) -> Result<Option<ExpectedStart>, Fault> {
        let forecast = self.current_forecast().await?;
        Ok(ExpectedStart::of(&forecast, key))
    }

    async fn current_forecast(&self) -> Result<Arc<Forecast>, Fault> {
        let mut last = self.forecasts.last.lock().await;
        if let Some(made) = last.as_ref().filter(|made| Instant::now() < made.good_until) {
            return Ok(Arc::clone(&made.forecast));
        }
        let (core, next_copy) = self.copies.copy(&self.driver).await?;
        let now = self.now();
        let look = move || {
            let begin = Instant::now();
            let may_go_on = || begin.elapsed() < FORECAST_TIME_MAX;
            let forecast = Forecast::new(core, now, Bounds::default(), &may_go_on);
            (forecast, begin.elapsed())
        };
        let looked = tokio::task::spawn_blocking(look).await;
        let (forecast, took) = looked.expect("looking ahead does not panic");
        let forecast = Arc::new(forecast);
        let rest: Duration = took * PROCESSOR_SHARE;
        *last = Some(Made {
            forecast: Arc::clone(&forecast),
            good_until: next_copy.max(Instant::now() + rest),
        });
        Ok(forecast)
    }

    /// The scheduler's state, for simulations.
    ///
    /// # Errors
    /// When there are too many live jobs for one answer, or the server is overloaded or stopping.
    pub(crate) async fn present(&self) -> Result<Present, Fault> {
        let (core, _) = self.copies.copy(&self.driver).await?;
        let count = core.state().job_count();
        if count > STATE_JOBS_MAX {
            let text =
                format!("{count} jobs are live, more than the {STATE_JOBS_MAX} that one answer takes.");
            return Err(client_exception(text));
        }
        let at: Timestamp = self.now();
        let present = tokio::task::spawn_blocking(move || Present::of(&core, at)).await;
        Ok(present.expect("copying the state does not panic"))
    }
}

impl ForecastQuery {
    /// Reads `queue=NAME&jobs=ID,ID`; parts with other names mean nothing.
    pub(crate) fn parse(query: &str) -> ForecastQuery {
        let mut parsed = ForecastQuery::default();
        for part in query.split('&') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
            match name {
                "queue" => parsed.queue = Some(value.into_owned()),
                "jobs" => {
                    let jobs = value.split(',').filter(|job| !job.is_empty());
                    parsed.jobs.extend(jobs.map(str::to_owned));
                }
                _ => {}
            }
        }
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_name_a_queue_and_jobs() {
        let query = ForecastQuery::parse("x=1&queue=a%2Fb&jobs=1,,2%3A0&jobs=3");
        let jobs = ["1", "2:0", "3"].map(str::to_owned).to_vec();
        assert_eq!(
            query,
            ForecastQuery {
                queue: Some("a/b".to_owned()),
                jobs
            }
        );
        assert_eq!(ForecastQuery::parse(""), ForecastQuery::default());
    }
}
