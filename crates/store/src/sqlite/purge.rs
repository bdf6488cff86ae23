//! Forgetting what ended long ago.

use batchyard_core::time::Timestamp;
use rusqlite::Connection;

use super::code::at;
use super::failure::Failure;

/// Tables with rows of a job, keyed by its identifier.
const OF_JOB: [&str; 4] = [
    "DELETE FROM dependencies WHERE job = ?1",
    "DELETE FROM arrays WHERE job = ?1",
    "DELETE FROM children WHERE job = ?1",
    "DELETE FROM attempts WHERE job = ?1",
];

pub(super) fn purge(
    connection: &Connection,
    jobs_before: Timestamp,
    journal_before: Timestamp,
    limit: usize,
) -> Result<bool, Failure> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let jobs: Vec<(i64, [u8; 16])> = connection
        .prepare_cached(
            "SELECT sequence, id FROM jobs WHERE stopped_at IS NOT NULL AND stopped_at < ?1 ORDER BY stopped_at LIMIT ?2",
        )?
        .query_map((at(jobs_before), limit), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (sequence, id) in &jobs {
        for statement in OF_JOB {
            connection.prepare_cached(statement)?.execute([id])?;
        }
        let resource = format!("job/{}", super::code::job_id(*id));
        connection
            .prepare_cached("DELETE FROM tags WHERE resource = ?1")?
            .execute([resource])?;
        connection
            .prepare_cached("DELETE FROM job_contents WHERE sequence = ?1")?
            .execute([sequence])?;
        connection
            .prepare_cached("DELETE FROM jobs WHERE sequence = ?1")?
            .execute([sequence])?;
    }
    // Entries are in order of time, but for steps of the clock: deleting from the oldest on is enough.
    let entries = connection
        .prepare_cached(
            "DELETE FROM journal WHERE sequence IN (SELECT sequence FROM journal ORDER BY sequence LIMIT ?2) AND at < ?1",
        )?
        .execute((at(journal_before), limit))?;
    let is_full = |count: usize| i64::try_from(count).is_ok_and(|count| count >= limit);
    Ok(is_full(jobs.len()) || is_full(entries))
}
