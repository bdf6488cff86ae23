//! Operations on groups and streams that clients ask for by name.
//!
//! Each looks first and writes only when nothing can be refused any more, because it shares its transaction with others. Start reading
//! at [`Change::apply`].

use std::collections::BTreeMap;

use batchyard_core::time::Timestamp;
use batchyard_runtime::log::StreamName;
use rusqlite::Connection;

use crate::error::Error;
use crate::limits::TAGS_MAX;
use crate::list::{tags_from_text, tags_to_text};
use crate::name::{group_id, stream_id};
use crate::schema::NO_TIME;

/// One operation; values are checked already.
#[derive(Debug)]
pub(crate) enum Change {
    CreateGroup {
        name: String,
        now: Timestamp,
    },
    DeleteGroup {
        name: String,
    },
    PutRetention {
        name: String,
        days: Option<u32>,
    },
    TagGroup {
        name: String,
        tags: BTreeMap<String, String>,
    },
    UntagGroup {
        name: String,
        keys: Vec<String>,
    },
    CreateStream {
        stream: StreamName,
        now: Timestamp,
    },
    DeleteStream {
        stream: StreamName,
    },
}

impl Change {
    /// Whether rows are left behind for `removal`.
    pub(super) fn removes(&self) -> bool {
        match self {
            Change::DeleteGroup { .. } | Change::DeleteStream { .. } => true,
            Change::CreateGroup { .. }
            | Change::PutRetention { .. }
            | Change::TagGroup { .. }
            | Change::UntagGroup { .. }
            | Change::CreateStream { .. } => false,
        }
    }

    pub(super) fn apply(&self, connection: &Connection) -> Result<(), Error> {
        match self {
            Change::CreateGroup { name, now } => create_group(connection, name, *now),
            Change::DeleteGroup { name } => {
                let id = group_id(connection, name)?;
                connection
                    .prepare_cached("UPDATE groups SET name = NULL WHERE id = ?1")?
                    .execute([id])?;
                Ok(())
            }
            Change::PutRetention { name, days } => {
                let id = group_id(connection, name)?;
                connection
                    .prepare_cached("UPDATE groups SET retention_days = ?2 WHERE id = ?1")?
                    .execute((id, days))?;
                Ok(())
            }
            Change::TagGroup { name, tags } => retag(connection, name, |all| {
                all.extend(tags.iter().map(|(key, value)| (key.clone(), value.clone())));
            }),
            Change::UntagGroup { name, keys } => retag(connection, name, |all| {
                all.retain(|key, _| !keys.contains(key));
            }),
            Change::CreateStream { stream, now } => create_stream(connection, stream, *now),
            Change::DeleteStream { stream } => delete_stream(connection, stream),
        }
    }
}

fn create_group(connection: &Connection, name: &str, now: Timestamp) -> Result<(), Error> {
    match group_id(connection, name) {
        Ok(_) => return Err(Error::GroupExists(name.to_owned())),
        Err(Error::GroupNotFound(_)) => {}
        Err(error) => return Err(error),
    }
    connection
        .prepare_cached("INSERT INTO groups (name, created_at, tags, stored_bytes) VALUES (?1, ?2, '{}', 0)")?
        .execute((name, now.as_millis()))?;
    Ok(())
}

fn retag(
    connection: &Connection,
    name: &str,
    change: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<(), Error> {
    let id = group_id(connection, name)?;
    let text: String = connection
        .prepare_cached("SELECT tags FROM groups WHERE id = ?1")?
        .query_row([id], |row| row.get(0))?;
    let mut tags = tags_from_text(&text)?;
    change(&mut tags);
    if tags.len() > TAGS_MAX {
        return Err(Error::Invalid {
            field: "tags",
            reason: "a group has at most 50",
        });
    }
    connection
        .prepare_cached("UPDATE groups SET tags = ?2 WHERE id = ?1")?
        .execute((id, tags_to_text(&tags)))?;
    Ok(())
}

fn create_stream(connection: &Connection, name: &StreamName, now: Timestamp) -> Result<(), Error> {
    let StreamName { group, stream } = name;
    let group_id = group_id(connection, group)?;
    match stream_id(connection, name) {
        Ok(_) => return Err(Error::StreamExists(stream.clone())),
        Err(Error::StreamNotFound(_)) => {}
        Err(error) => return Err(error),
    }
    connection
        .prepare_cached(
            "INSERT INTO streams (group_id, name, created_at, last_sequence, first_event, last_event, last_ingestion,
                stored_bytes) VALUES (?1, ?2, ?3, 0, ?4, ?4, ?4, 0)",
        )?
        .execute((group_id, stream, now.as_millis(), NO_TIME))?;
    Ok(())
}

fn delete_stream(connection: &Connection, name: &StreamName) -> Result<(), Error> {
    let (group_id, stream_id) = stream_id(connection, name)?;
    connection
        .prepare_cached(
            "UPDATE groups SET stored_bytes = stored_bytes - (SELECT stored_bytes FROM streams WHERE id = ?2)
            WHERE id = ?1",
        )?
        .execute((group_id, stream_id))?;
    connection
        .prepare_cached("UPDATE streams SET name = NULL WHERE id = ?1")?
        .execute([stream_id])?;
    Ok(())
}
