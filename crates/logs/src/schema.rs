//! The file: opening it, its tables, and refusing one that is not ours.
//!
//! This module must never change a file that it does not recognise. Start reading at [`open_writer`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::limits::{BUSY_WAIT_MS, READER_CACHE_KIB, STATEMENTS_CACHED, WAL_BYTES, WRITER_CACHE_KIB};

/// In the file's header, so that tools and we tell it from other SQLite files: `BYlg`.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"BYlg");

/// The version of the tables below. A change of them adds a step from the version before.
const VERSION: i32 = 1;

/// Bytes of a page: a filled chunk takes few, and a tiny stream's rows share one with its neighbours'.
const PAGE_BYTES: i64 = 4096;

// A deleted group or stream has no name any more: its rows go later, in steps. AUTOINCREMENT, because ids are part of the ids of events
// and of tokens, which must not mean something else one day. Chunks have row ids and an index of their keys, not the keys as their own:
// a search through a tree that holds large blobs itself reads the whole blob at every step. The blob stands last in its row, so that
// reading what stands before it touches one page.
const TABLES: &str = "
    CREATE TABLE groups (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT UNIQUE,
        created_at INTEGER NOT NULL,
        retention_days INTEGER,
        tags TEXT NOT NULL,
        stored_bytes INTEGER NOT NULL
    );
    CREATE TABLE streams (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        group_id INTEGER NOT NULL,
        name TEXT,
        created_at INTEGER NOT NULL,
        last_sequence INTEGER NOT NULL,
        first_event INTEGER NOT NULL,
        last_event INTEGER NOT NULL,
        last_ingestion INTEGER NOT NULL,
        stored_bytes INTEGER NOT NULL
    );
    CREATE UNIQUE INDEX streams_by_name ON streams (group_id, name);
    CREATE INDEX streams_by_last_event ON streams (group_id, last_event, name);
    CREATE INDEX streams_deleted ON streams (id) WHERE name IS NULL;
    CREATE TABLE chunks (
        id INTEGER PRIMARY KEY,
        stream_id INTEGER NOT NULL,
        first_timestamp INTEGER NOT NULL,
        first_sequence INTEGER NOT NULL,
        last_timestamp INTEGER NOT NULL,
        last_sequence INTEGER NOT NULL,
        group_id INTEGER NOT NULL,
        span_class INTEGER NOT NULL,
        stored_bytes INTEGER NOT NULL,
        data BLOB NOT NULL
    );
    CREATE UNIQUE INDEX chunks_by_key ON chunks (stream_id, first_timestamp, first_sequence);
    CREATE INDEX chunks_by_time ON chunks (group_id, span_class, first_timestamp, stream_id, first_sequence);
    CREATE TABLE cursors (source TEXT PRIMARY KEY, position BLOB NOT NULL) WITHOUT ROWID;
";

/// In columns of times: there is none.
pub(crate) const NO_TIME: i64 = -1;

/// A length or number as SQLite's integers are.
pub(crate) fn integer(number: usize) -> i64 {
    i64::try_from(number).expect("what is in memory is shorter than 2^63 bytes")
}

/// The log store's file cannot be used. It has not been changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is damaged, or no SQLite file at all.
    #[error(
        "open the log store {path}: it is damaged or not a log store; move it away to start with an empty one"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// SQLite cannot read or write it.
    #[error("open the log store {path}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// It is a SQLite file of something else.
    #[error("open the log store {path}: it is a database of something else")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of this program wrote it.
    #[error(
        "open the log store {path}: it has version {found}, and this program knows versions up to {known}"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i32,
        /// The newest that is understood.
        known: i32,
    },
    /// The thread that writes cannot be started.
    #[error("start the thread that writes log events")]
    Thread(#[source] std::io::Error),
}

/// Opens the file for writing and makes it where it is missing or empty.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    let unusable = |source| unusable(path, source);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(unusable)?;
    if recognise(&connection, path)? == Content::Empty {
        create(&mut connection).map_err(unusable)?;
    }
    configure(&connection, WRITER_CACHE_KIB).map_err(unusable)?;
    Ok(connection)
}

/// Opens another connection to a file that [`open_writer`] has opened.
pub(crate) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection, READER_CACHE_KIB)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

#[derive(PartialEq, Eq)]
enum Content {
    Empty,
    Ours,
}

fn recognise(connection: &Connection, path: &Path) -> Result<Content, OpenError> {
    let unusable = |source| unusable(path, source);
    let number = |name| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i32>(0))
            .map_err(unusable)
    };
    connection
        .busy_timeout(Duration::from_millis(BUSY_WAIT_MS))
        .map_err(unusable)?;
    let objects: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))
        .map_err(unusable)?;
    match (number("application_id")?, number("user_version")?) {
        (0, 0) if objects == 0 => Ok(Content::Empty),
        (APPLICATION_ID, VERSION) => Ok(Content::Ours),
        (APPLICATION_ID, found) if found > VERSION => Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known: VERSION,
        }),
        _ => Err(OpenError::Foreign {
            path: path.to_owned(),
        }),
    }
}

fn unusable(path: &Path, source: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path, source },
        Some(_) | None => OpenError::Unusable { path, source },
    }
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

fn configure(connection: &Connection, cache_kib: i64) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_millis(BUSY_WAIT_MS))?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    // A commit is not synced: the thread in `sync` does that a moment later.
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", WAL_BYTES / PAGE_BYTES, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", 2 * WAL_BYTES, |_| Ok(()))?;
    // Plans do not depend on values here, and without this SQLite makes most of them again whenever a value is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(())
}
