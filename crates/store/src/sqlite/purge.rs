//! Forgetting what ended long ago.

use batchyard_core::time::Timestamp;
use rusqlite::Connection;

use super::code::{DEFINITION_FORGOTTEN, at, job_id};
use super::failure::Failure;

/// Tables with rows of a job, keyed by its identifier.
const OF_JOB: [&str; 4] = [
    "DELETE FROM dependencies WHERE job = ?1",
    "DELETE FROM arrays WHERE job = ?1",
    "DELETE FROM children WHERE job = ?1",
    "DELETE FROM attempts WHERE job = ?1",
];

/// Tables with rows of a job, keyed by its place in the order of submission.
const OF_SEQUENCE: [&str; 2] = [
    "DELETE FROM job_contents WHERE sequence = ?1",
    "DELETE FROM jobs WHERE sequence = ?1",
];

/// Rows that most single jobs have: its own two, an attempt, a tag.
const ROWS_PER_JOB: usize = 4;

pub(super) fn purge(
    connection: &Connection,
    jobs_before: Timestamp,
    journal_before: Timestamp,
    limit: usize,
) -> Result<bool, Failure> {
    let has_more_jobs = purge_jobs(connection, jobs_before, limit)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // Entries are in order of time, but for steps of the clock: deleting from the oldest on is enough.
    let entries = connection
        .prepare_cached(
            "DELETE FROM journal WHERE sequence IN (SELECT sequence FROM journal ORDER BY sequence LIMIT ?2) AND at < ?1",
        )?
        .execute((at(journal_before), limit))?;
    let has_more_entries = i64::try_from(entries).is_ok_and(|entries| entries >= limit);
    Ok(has_more_jobs || has_more_entries)
}

/// Whether there may be more. Jobs go as a whole, and what they have besides counts too: arrays with many children are few at a time,
/// so that commits do not wait for long.
fn purge_jobs(connection: &Connection, before: Timestamp, limit: usize) -> Result<bool, Failure> {
    let mut old = connection.prepare_cached(
        "SELECT sequence, id FROM jobs WHERE stopped_at IS NOT NULL AND stopped_at < ?1 ORDER BY stopped_at LIMIT ?2",
    )?;
    let old: Vec<(i64, [u8; 16])> = old
        .query_map((at(before), i64::try_from(limit).unwrap_or(i64::MAX)), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut rows = 0;
    for (sequence, id) in &old {
        if rows >= limit.saturating_mul(ROWS_PER_JOB) {
            return Ok(true);
        }
        rows += purge_job(connection, *sequence, *id)?;
    }
    Ok(old.len() >= limit)
}

/// Removes all rows of a job; how many there were.
fn purge_job(connection: &Connection, sequence: i64, id: [u8; 16]) -> Result<usize, Failure> {
    let mut rows = 0;
    for statement in OF_JOB {
        rows += connection.prepare_cached(statement)?.execute([id])?;
    }
    let resource = format!("job/{}", job_id(id));
    rows += connection
        .prepare_cached("DELETE FROM tags WHERE resource = ?1")?
        .execute([resource])?;
    for statement in OF_SEQUENCE {
        rows += connection.prepare_cached(statement)?.execute([sequence])?;
    }
    Ok(rows)
}

/// A definition goes but for its number, which a later revision must not have.
pub(super) fn forget_definitions(
    connection: &Connection,
    before: Timestamp,
    limit: usize,
) -> Result<bool, Failure> {
    let mut old = connection.prepare_cached(
        "SELECT name, revision FROM definitions WHERE is_active = 0 AND deregistered_at < ?1 LIMIT ?2",
    )?;
    let old: Vec<(String, u32)> = old
        .query_map((at(before), i64::try_from(limit).unwrap_or(i64::MAX)), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    for (name, revision) in &old {
        connection
            .prepare_cached(
                "UPDATE definitions SET is_active = ?3, document = '' WHERE name = ?1 AND revision = ?2",
            )?
            .execute((name, revision, DEFINITION_FORGOTTEN))?;
        connection
            .prepare_cached("DELETE FROM tags WHERE resource = ?1")?
            .execute([format!("job-definition/{name}:{revision}")])?;
    }
    Ok(old.len() >= limit)
}

/// Batches are in order of time, but for steps of the clock: deleting from the oldest on is enough.
pub(super) fn forget_events(
    connection: &Connection,
    before: Timestamp,
    limit: usize,
) -> Result<bool, Failure> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let batches = connection
        .prepare_cached(
            "DELETE FROM events WHERE sequence IN (SELECT sequence FROM events ORDER BY sequence LIMIT ?2) AND at < ?1",
        )?
        .execute((at(before), limit))?;
    Ok(i64::try_from(batches).is_ok_and(|batches| batches >= limit))
}
