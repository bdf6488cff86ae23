//! Arrays: how their children stand.

use std::time::SystemTime;

use batchyard_core::array::Array;
use batchyard_core::change::ArrayEnded;
use batchyard_core::id::JobId;
use batchyard_core::job::JobStatus;

use super::Writing;
use crate::sqlite::code::{at, json, status_code};
use crate::sqlite::failure::Failure;

impl Writing<'_> {
    /// Writes the record of an array, and beside its row what lists show of it.
    pub(super) fn array_stands(&self, job: JobId, array: &Array) -> Result<(), Failure> {
        self.run(
            "INSERT INTO arrays (job, content) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET content = excluded.content",
            (job.to_bytes(), json(array)),
        )?;
        self.run(
            "UPDATE jobs SET array_counts = ?2, array_updated_at = ?3 WHERE id = ?1",
            (job.to_bytes(), json(&array.counts()), now()),
        )
    }

    pub(super) fn end_array(&self, ended: &ArrayEnded) -> Result<(), Failure> {
        let ArrayEnded {
            job,
            has_succeeded,
            status_reason,
            at: when,
            array,
        } = ended;
        let status = match has_succeeded {
            true => JobStatus::Succeeded,
            false => JobStatus::Failed,
        };
        let status_reason = status_reason.as_ref().map(|reason| reason.as_str());
        self.array_stands(*job, array)?;
        self.run(
            "UPDATE jobs SET status = ?2, status_reason = ?3, stopped_at = ?4 WHERE id = ?1",
            (job.to_bytes(), status_code(status), status_reason, at(*when)),
        )
    }
}

/// The host's clock, in milliseconds. Only for people: it says when counts were last written, and nothing follows from it.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}
