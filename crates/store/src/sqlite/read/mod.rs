//! What clients ask for. Each read is one transaction, so that the rows fit together.

mod child;
pub(super) mod definition;
pub(super) mod ended;
pub(super) mod environment;
pub(super) mod event;
pub(super) mod item;
pub(super) mod job;
pub(super) mod list;
mod node;
pub(super) mod queue;

use batchyard_core::array::StatusCounts;
use batchyard_core::id::QueueId;
use batchyard_core::job::JobStatus;
use batchyard_runtime::store::{Page, Select};
use rusqlite::{Connection, Row};

use super::code::{LIFE_GONE, from_json, status};
use super::failure::Failure;

pub(super) fn tags(connection: &Connection, resource: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT key, value FROM tags WHERE resource = ?1 ORDER BY key")?;
    let rows = statement.query_map([resource], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn counts(connection: &Connection, queue: QueueId) -> Result<StatusCounts, Failure> {
    let mut counts = StatusCounts::default();
    let mut statement = connection.prepare_cached(
        "SELECT status, count(*) FROM jobs WHERE queue = ?1 AND array_size IS NULL GROUP BY status",
    )?;
    let mut rows = statement.query([queue.0])?;
    while let Some(row) = rows.next()? {
        let number: u32 = row.get(1)?;
        match status(row.get(0)?)? {
            JobStatus::Submitted | JobStatus::Pending => counts.pending += number,
            JobStatus::Runnable => counts.runnable += number,
            JobStatus::Scheduled | JobStatus::Starting => counts.starting += number,
            JobStatus::Running => counts.running += number,
            JobStatus::Succeeded => counts.succeeded += number,
            JobStatus::Failed => counts.failed += number,
        }
    }
    let mut statement = connection
        .prepare_cached("SELECT array_counts FROM jobs WHERE queue = ?1 AND array_counts IS NOT NULL")?;
    let mut rows = statement.query([queue.0])?;
    while let Some(row) = rows.next()? {
        let StatusCounts {
            pending,
            runnable,
            starting,
            running,
            succeeded,
            failed,
        } = from_json("jobs.array_counts", &row.get::<_, String>(0)?)?;
        counts.pending += pending;
        counts.runnable += runnable;
        counts.starting += starting;
        counts.running += running;
        counts.succeeded += succeeded;
        counts.failed += failed;
    }
    Ok(counts)
}

/// Rows of a table whose rows have a name and a life: those named, in that order and without the unknown ones, or a page of all by
/// name. `columns` is the statement up to its condition, `condition` one more; `read` makes a value of a row.
fn named<N, T>(
    connection: &Connection,
    columns: &str,
    condition: &str,
    select: &Select<N>,
    text: impl Fn(&N) -> &str,
    name: impl Fn(&T) -> N,
    read: impl Fn(&Connection, &Row<'_>) -> Result<T, Failure>,
) -> Result<Page<T, N>, Failure> {
    match select {
        Select::Named(names) => {
            let mut statement = connection.prepare_cached(&format!(
                "{columns} WHERE name = ?1 AND life < ?2 AND {condition}"
            ))?;
            let mut found = Vec::new();
            for name in names {
                let mut rows = statement.query((text(name), LIFE_GONE))?;
                if let Some(row) = rows.next()? {
                    found.push(read(connection, row)?);
                }
            }
            Ok(Page {
                rows: found,
                next: None,
            })
        }
        Select::Page { after, limit } => {
            let mut statement = connection.prepare_cached(&format!(
                "{columns} WHERE name > ?1 AND life < ?2 AND {condition} ORDER BY name LIMIT ?3"
            ))?;
            // Names are not empty: all are after "".
            let after = after.as_ref().map_or("", text);
            let mut rows = statement.query((after, LIFE_GONE, one_more(*limit)))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read(connection, row)?);
            }
            Ok(page(found, *limit, name))
        }
    }
}

/// A page of the rows, of which there is one more than the page holds when there are further ones.
fn page<T, C>(mut rows: Vec<T>, limit: usize, cursor: impl Fn(&T) -> C) -> Page<T, C> {
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(cursor);
    Page { rows, next }
}

/// How many rows to ask for, to know whether there are more than the page holds.
fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).map_or(i64::MAX, |limit| limit.saturating_add(1))
}
