//! Removing, in steps small enough that appends come in between: what was deleted by name, and what groups keep no longer.
//!
//! Start reading at [`step`].

use std::collections::BTreeMap;

use batchyard_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::Done;
use crate::error::Error;
use crate::limits::{CHUNK_SPANS, REMOVED_PER_STEP_MAX};
use crate::schema::{NO_TIME, integer};

const MS_PER_DAY: i64 = 24 * 60 * 60 * 1000;

/// Removes some of the rows that deleted groups and streams left behind, in a transaction of its own. `Whole` when there are none.
pub(super) fn step(connection: &mut Connection) -> Result<Done, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut rows = 0;
    while rows < REMOVED_PER_STEP_MAX {
        if let Some(stream_id) = deleted_stream(&transaction)? {
            let room = REMOVED_PER_STEP_MAX - rows;
            let chunks = transaction
                .prepare_cached(
                    "DELETE FROM chunks WHERE id IN (SELECT id FROM chunks WHERE stream_id = ?1 LIMIT ?2)",
                )?
                .execute((stream_id, integer(room)))?;
            rows += chunks + 1;
            if chunks < room {
                transaction
                    .prepare_cached("DELETE FROM streams WHERE id = ?1")?
                    .execute([stream_id])?;
            }
        } else if let Some(group_id) = deleted_group(&transaction)? {
            // It has no streams any more, or one of them had been found.
            transaction
                .prepare_cached("DELETE FROM groups WHERE id = ?1")?
                .execute([group_id])?;
            rows += 1;
        } else {
            break;
        }
    }
    transaction.commit()?;
    Ok(if rows == 0 { Done::Whole } else { Done::Partly })
}

/// Some stream that was deleted or whose group was.
fn deleted_stream(connection: &Connection) -> Result<Option<i64>, Error> {
    let alone = connection
        .prepare_cached("SELECT id FROM streams WHERE name IS NULL LIMIT 1")?
        .query_row((), |row| row.get(0))
        .optional()?;
    if alone.is_some() {
        return Ok(alone);
    }
    let with_group = connection
        .prepare_cached(
            "SELECT s.id FROM groups g CROSS JOIN streams s ON s.group_id = g.id WHERE g.name IS NULL LIMIT 1",
        )?
        .query_row((), |row| row.get(0))
        .optional()?;
    Ok(with_group)
}

fn deleted_group(connection: &Connection) -> Result<Option<i64>, Error> {
    let group = connection
        .prepare_cached("SELECT id FROM groups WHERE name IS NULL LIMIT 1")?
        .query_row((), |row| row.get(0))
        .optional()?;
    Ok(group)
}

/// A chunk all of whose events are past their time.
struct Expired {
    id: i64,
    stream_id: i64,
    stored_bytes: i64,
}

/// Removes some of what groups keep no longer. A chunk goes when its last event is past its time, within the longest span of a chunk
/// after its first: CloudWatch Logs takes up to three days.
pub(super) fn purge_step(connection: &Connection, now: Timestamp) -> Result<Done, Error> {
    let groups: Vec<(i64, i64)> = connection
        .prepare_cached(
            "SELECT id, retention_days FROM groups WHERE name IS NOT NULL AND retention_days IS NOT NULL",
        )?
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut rows = 0;
    for (group_id, days) in groups {
        let cutoff = now.as_millis() - days * MS_PER_DAY;
        for class in 0..CHUNK_SPANS.len() {
            let expired = expired(connection, group_id, class, cutoff, REMOVED_PER_STEP_MAX - rows)?;
            rows += expired.len();
            remove(connection, group_id, &expired)?;
        }
    }
    Ok(if rows < REMOVED_PER_STEP_MAX {
        Done::Whole
    } else {
        Done::Partly
    })
}

fn expired(
    connection: &Connection,
    group_id: i64,
    class: usize,
    cutoff: i64,
    limit: usize,
) -> Result<Vec<Expired>, Error> {
    let found = connection
        .prepare_cached(
            "SELECT id, stream_id, stored_bytes FROM chunks INDEXED BY chunks_by_time
            WHERE group_id = ?1 AND span_class = ?2 AND first_timestamp < ?3 AND last_timestamp < ?3
            ORDER BY first_timestamp LIMIT ?4",
        )?
        .query_map((group_id, integer(class), cutoff, integer(limit)), |row| {
            Ok(Expired {
                id: row.get(0)?,
                stream_id: row.get(1)?,
                stored_bytes: row.get(2)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

fn remove(connection: &Connection, group_id: i64, expired: &[Expired]) -> Result<(), Error> {
    let mut streams: BTreeMap<i64, i64> = BTreeMap::new();
    let mut delete = connection.prepare_cached("DELETE FROM chunks WHERE id = ?1")?;
    for Expired {
        id,
        stream_id,
        stored_bytes,
    } in expired
    {
        delete.execute([id])?;
        *streams.entry(*stream_id).or_default() += stored_bytes;
    }
    // The stream stays, as CloudWatch Logs keeps streams that have become empty.
    let mut shrink = connection.prepare_cached(
        "UPDATE streams SET stored_bytes = stored_bytes - ?2,
            first_event = coalesce((SELECT min(first_timestamp) FROM chunks WHERE stream_id = ?1), ?3),
            last_event = iif(EXISTS (SELECT 1 FROM chunks WHERE stream_id = ?1), last_event, ?3)
        WHERE id = ?1
        RETURNING name IS NULL",
    )?;
    let mut total = 0;
    for (stream_id, stored_bytes) in streams {
        let is_deleted: bool = shrink.query_row((stream_id, stored_bytes, NO_TIME), |row| row.get(0))?;
        // The group lost the bytes of a deleted stream when that lost its name.
        total += if is_deleted { 0 } else { stored_bytes };
    }
    connection
        .prepare_cached("UPDATE groups SET stored_bytes = stored_bytes - ?2 WHERE id = ?1")?
        .execute((group_id, total))?;
    Ok(())
}
