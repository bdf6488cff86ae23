//! From names to the ids that rows go by.
//!
//! Start reading at [`stream_id`].

use batchyard_runtime::log::StreamName;
use rusqlite::{Connection, OptionalExtension};

use crate::error::Error;

/// The id of a group that is not deleted.
pub(crate) fn group_id(connection: &Connection, name: &str) -> Result<i64, Error> {
    connection
        .prepare_cached("SELECT id FROM groups WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?
        .ok_or_else(|| Error::GroupNotFound(name.to_owned()))
}

/// The ids of a stream that is not deleted and of its group.
pub(crate) fn stream_id(connection: &Connection, name: &StreamName) -> Result<(i64, i64), Error> {
    let StreamName { group, stream } = name;
    let group_id = group_id(connection, group)?;
    let stream_id = connection
        .prepare_cached("SELECT id FROM streams WHERE group_id = ?1 AND name = ?2")?
        .query_row((group_id, stream), |row| row.get(0))
        .optional()?
        .ok_or_else(|| Error::StreamNotFound(stream.clone()))?;
    Ok((group_id, stream_id))
}
