//! Children of arrays: from their own row, or made up from the array's record.

use batchyard_core::array::Array;
use batchyard_core::id::{ArrayIndex, AttemptNumber, JobId};
use batchyard_core::job::{JobStatus, Placement};
use batchyard_core::reason::DEPENDENT_JOB_FAILED;
use batchyard_core::time::Timestamp;
use batchyard_runtime::store::JobStateRow;
use rusqlite::{Connection, OptionalExtension as _};

use super::job::{StateColumns, current_attempt};
use crate::sqlite::failure::Failure;

/// How a child stands, and the attempt that it has now.
pub(super) struct ChildRow {
    pub(super) state: JobStateRow,
    pub(super) current: Option<(AttemptNumber, Placement)>,
}

/// A child of an array that was submitted at `created_at`; `None` if the array has no such child.
pub(super) fn child(
    connection: &Connection,
    id: JobId,
    index: ArrayIndex,
    array: &Array,
    created_at: Timestamp,
) -> Result<Option<ChildRow>, Failure> {
    if let Some(row) = child_row(connection, id, index, created_at)? {
        return Ok(Some(row));
    }
    Ok(array
        .child_status(index)
        .map(|status| without_row(array, index, status, created_at)))
}

/// The row that a child or node has of its own.
pub(super) fn child_row(
    connection: &Connection,
    id: JobId,
    index: ArrayIndex,
    created_at: Timestamp,
) -> Result<Option<ChildRow>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT status, started_at, stopped_at, exit_code, reason, status_reason, is_cancelled, is_terminated,
         attempts_ended, environment, instance, gpus FROM children WHERE job = ?1 AND child = ?2",
    )?;
    let columns = statement
        .query_row((id.to_bytes(), index), |row| {
            let state = StateColumns::read(row, 0)?;
            Ok((state, current_attempt(row, 8)))
        })
        .optional()?;
    let Some((state, current)) = columns else {
        return Ok(None);
    };
    Ok(Some(ChildRow {
        state: state.of(created_at)?,
        current: current?,
    }))
}

/// A child that never had an attempt of its own.
fn without_row(array: &Array, index: ArrayIndex, status: JobStatus, created_at: Timestamp) -> ChildRow {
    let failure = array
        .unstarted
        .iter()
        .find(|failure| failure.children.contains(index));
    // A stop of the array was one of its children too, where they had not failed for another reason.
    let is_stopped = failure.is_some_and(|failure| failure.status_reason != DEPENDENT_JOB_FAILED);
    ChildRow {
        state: JobStateRow {
            status,
            status_reason: failure.map(|failure| failure.status_reason.as_str().to_owned()),
            created_at,
            started_at: None,
            stopped_at: failure.map(|failure| failure.at),
            exit_code: None,
            reason: None,
            is_cancelled: is_stopped && array.is_cancelled,
            is_terminated: is_stopped && array.is_terminated,
        },
        current: None,
    }
}
