//! Nodes of multi-node parallel jobs: from their own row, or as their job stands.

use batchyard_core::id::{ArrayIndex, JobId};
use batchyard_core::job::JobStatus;
use batchyard_runtime::store::{JobStateRow, NodesRow};
use rusqlite::{Connection, Row};

use super::child::{ChildRow, child_row};
use crate::sqlite::failure::Failure;

/// The node of a job that stands as `job` says; `None` if the job has no such node.
pub(super) fn node(
    connection: &Connection,
    id: JobId,
    index: ArrayIndex,
    nodes: NodesRow,
    job: &JobStateRow,
) -> Result<Option<ChildRow>, Failure> {
    if index >= nodes.count {
        return Ok(None);
    }
    let own = child_row(connection, id, index, job.created_at)?;
    Ok(Some(match own {
        Some(own) if own.state.status != JobStatus::Runnable => own,
        // It waits as its job does, or ended as it did: without an attempt that followed.
        Some(own) => ChildRow {
            state: JobStateRow {
                status: job.status,
                status_reason: match job.status.is_terminal() {
                    true => job.status_reason.clone(),
                    false => own.state.status_reason,
                },
                stopped_at: job.stopped_at,
                ..own.state
            },
            current: None,
        },
        None => ChildRow {
            state: job.clone(),
            current: None,
        },
    }))
}

/// The columns `node_count` and `main_node` from `first` on.
pub(super) fn nodes_row(row: &Row<'_>, first: usize) -> Result<Option<NodesRow>, Failure> {
    let count: Option<u32> = row.get(first)?;
    let main: Option<u32> = row.get(first + 1)?;
    Ok(count.zip(main).map(|(count, main)| NodesRow { count, main }))
}
