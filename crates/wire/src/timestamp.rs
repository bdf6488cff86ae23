//! Members of the models' type `timestamp`. (AWS Batch and CloudWatch Logs have none: theirs are plain numbers.)

use serde::{Deserialize, Serialize};

/// A moment in epoch seconds with fraction, as the JSON protocols write it; XML has it as ISO 8601 in UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(f64);

impl Timestamp {
    /// From whole epoch seconds; those beyond 2^53 lose precision.
    #[must_use]
    pub fn from_epoch_seconds(seconds: u32) -> Timestamp {
        Timestamp(f64::from(seconds))
    }

    /// As ISO 8601 in UTC, for example `2030-01-31T12:00:00Z`.
    #[must_use]
    pub fn iso8601(self) -> Option<String> {
        iso8601(self.0)
    }
}

/// Epoch seconds as ISO 8601, for example `2030-01-31T12:00:00Z`; `None` beyond the years that have a form.
pub(crate) fn iso8601(epoch_seconds: f64) -> Option<String> {
    let duration = jiff::SignedDuration::try_from_secs_f64(epoch_seconds.trunc()).ok()?;
    Some(jiff::Timestamp::from_duration(duration).ok()?.to_string())
}

/// The inverse of [`iso8601`], for requests.
pub(crate) fn epoch_seconds(iso8601: &str) -> Option<f64> {
    let timestamp: jiff::Timestamp = iso8601.parse().ok()?;
    Some(timestamp.as_duration().as_secs_f64())
}
