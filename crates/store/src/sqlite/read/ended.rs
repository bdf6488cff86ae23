//! How jobs ended, for those that depend on them afterwards.

use batchyard_core::command::Ended;
use batchyard_core::id::JobKey;
use batchyard_core::job::JobStatus;
use rusqlite::{Connection, OptionalExtension as _};

use crate::sqlite::code::status;
use crate::sqlite::failure::Failure;
use crate::sqlite::load::array;

pub(in crate::sqlite) fn ended(connection: &Connection, key: JobKey) -> Result<Option<Ended>, Failure> {
    let row: Option<(i64, Option<u32>)> = connection
        .prepare_cached("SELECT status, array_size FROM jobs WHERE id = ?1")?
        .query_row([key.id.to_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((code, size)) = row else {
        return Ok(None);
    };
    match (key.child, size) {
        (None, None) => Ok(ended_as(status(code)?)),
        (None, Some(size)) => {
            let Some(Ended { status, array: _ }) = ended_as(status(code)?) else {
                return Ok(None);
            };
            let succeeded = array(connection, key.id)?.succeeded;
            Ok(Some(Ended {
                status,
                array: Some((size, succeeded)),
            }))
        }
        (Some(child), Some(_)) => {
            let status = array(connection, key.id)?.child_status(child);
            Ok(status.and_then(ended_as))
        }
        (Some(_), None) => Ok(None),
    }
}

fn ended_as(status: JobStatus) -> Option<Ended> {
    status.is_terminal().then_some(Ended { status, array: None })
}
