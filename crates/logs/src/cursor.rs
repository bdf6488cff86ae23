//! How far sources have been read. Written by appends, in their transactions.
//!
//! Start reading at [`one`].

use rusqlite::{Connection, OptionalExtension};

use crate::error::Error;

/// The position of one source.
pub(crate) fn one(connection: &Connection, source: &str) -> Result<Option<Vec<u8>>, Error> {
    let position = connection
        .prepare_cached("SELECT position FROM cursors WHERE source = ?1")?
        .query_row([source], |row| row.get(0))
        .optional()?;
    Ok(position)
}

/// The sources that begin with `prefix`, in order, with their positions.
pub(crate) fn all(connection: &Connection, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut statement = connection
        .prepare_cached("SELECT source, position FROM cursors WHERE source >= ?1 ORDER BY source")?;
    let mut rows = statement.query([prefix])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let source: String = row.get(0)?;
        // Those that begin with it stand together.
        if !source.starts_with(prefix) {
            break;
        }
        found.push((source, row.get(1)?));
    }
    Ok(found)
}
