//! Events.

use batchyard_runtime::event::Events;
use rusqlite::{Connection, OptionalExtension as _};

use crate::sqlite::code::{from_json, number, time};
use crate::sqlite::failure::Failure;

pub(in crate::sqlite) fn events(
    connection: &Connection,
    from: u64,
    limit: usize,
) -> Result<Vec<(u64, Events)>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, at, content FROM events WHERE sequence >= ?1 ORDER BY sequence LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query((number(from), limit))?;
    let mut batches = Vec::new();
    while let Some(row) = rows.next()? {
        let sequence = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
        let content: String = row.get(2)?;
        let events = Events {
            at: time(row.get(1)?),
            list: from_json("content", &content)?,
        };
        batches.push((sequence, events));
    }
    Ok(batches)
}

pub(in crate::sqlite) fn next(connection: &Connection) -> Result<u64, Failure> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'events'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(u64::try_from(last.unwrap_or(0)).unwrap_or(0) + 1)
}
