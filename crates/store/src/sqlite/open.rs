//! Opening the file: locks, checks, migrations.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::failure::is_damage;
use super::profile::{KnownProfiles, ProfileNumbers};
use super::readers::Readers;
use super::{SqliteStore, Writer};
use crate::limits::{BUSY_TIMEOUT, CHECKPOINT_PAGES, STATEMENTS_CACHED};

/// Marks the file as ours: "BYRD".
const APPLICATION_ID: i32 = 0x4259_5244;

/// Each takes the file from the version before (its place in the list) to the next.
const MIGRATIONS: [&str; 13] = [
    include_str!("../../migrations/0001_initial.sql"),
    include_str!("../../migrations/0002_items.sql"),
    include_str!("../../migrations/0003_blocked.sql"),
    include_str!("../../migrations/0004_client_tokens.sql"),
    include_str!("../../migrations/0005_renewal.sql"),
    include_str!("../../migrations/0006_nodes.sql"),
    include_str!("../../migrations/0007_task_containers.sql"),
    include_str!("../../migrations/0008_scheduling.sql"),
    include_str!("../../migrations/0009_preemption.sql"),
    include_str!("../../migrations/0010_leaving.sql"),
    include_str!("../../migrations/0011_token_lives.sql"),
    include_str!("../../migrations/0012_scheduled.sql"),
    include_str!("../../migrations/0013_events.sql"),
];

/// The store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("open {path}: process {holder} has it open")]
    InUse {
        /// The file.
        path: PathBuf,
        /// Its process id, as it wrote it down.
        holder: String,
    },
    /// It is some other program's file, or none that a database wrote.
    #[error("open {path}: this is not a batchyard store; it was left as it is")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer batchyard wrote it.
    #[error(
        "open {path}: a newer batchyard wrote it (version {found}, this one knows {known}); it was left as it is"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version known here.
        known: usize,
    },
    /// The contents are damaged.
    #[error("open {path}: the contents are damaged: {what}; it was left as it is")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the check found.
        what: String,
    },
    /// The file cannot be used.
    #[error("open {path}")]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The lock file beside it cannot be used.
    #[error("lock {path}")]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

pub(super) fn open(path: &Path) -> Result<SqliteStore, OpenError> {
    let lock = lock(path)?;
    check_header(path)?;
    let of_database = |source: rusqlite::Error| match is_damage(&source) {
        true => OpenError::Damaged {
            path: path.to_owned(),
            what: source.to_string(),
        },
        false => OpenError::Database {
            path: path.to_owned(),
            source,
        },
    };
    let mut connection = Connection::open(path).map_err(of_database)?;
    configure(&connection).map_err(of_database)?;
    // Whoever closes a database last moves its log into it. Nothing is moved in a file that is not ours to change.
    let keeps_log = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    connection.set_db_config(keeps_log, true).map_err(of_database)?;
    check_owner(&connection, path)?;
    check_contents(&connection, path)?;
    connection.set_db_config(keeps_log, false).map_err(of_database)?;
    // FULL: a commit is on the disk when it returns, also when the power goes.
    let pragmas = [
        ("journal_mode", "WAL".to_owned()),
        ("synchronous", "FULL".to_owned()),
        ("wal_autocheckpoint", CHECKPOINT_PAGES.to_string()),
        // Written by one process and checked by its types: what constraints would find are bugs, which tests find.
        ("foreign_keys", "OFF".to_owned()),
    ];
    for (name, value) in pragmas {
        connection.pragma_update(None, name, value).map_err(of_database)?;
    }
    migrate(&mut connection).map_err(of_database)?;
    Ok(SqliteStore {
        path: path.to_owned(),
        writer: Mutex::new(Writer {
            connection,
            profiles: ProfileNumbers::default(),
        }),
        readers: Readers::new(path.to_owned()),
        profiles: KnownProfiles::default(),
        _lock: lock,
    })
}

/// A connection that only reads, for a file that is open.
pub(super) fn reader(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(())
}

/// Takes the lock that lasts as long as the returned file, and leaves our process id in it for whoever comes second.
fn lock(path: &Path) -> Result<File, OpenError> {
    let lock_path = with_suffix(path, "-lock");
    let io = |source| OpenError::Lock {
        path: lock_path.clone(),
        source,
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&lock_path)
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(error)) => return Err(io(error)),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // The name only makes the message better.
            let _unreadable = file.read_to_string(&mut holder);
            let path = path.to_owned();
            return Err(OpenError::InUse { path, holder });
        }
    }
    // On a full disk the server must still start, and say that it is full.
    let _unwritable = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| write!(file, "{}", std::process::id()));
    Ok(file)
}

/// Looks at the first bytes before SQLite does: it would take an empty file for a new database, which is right, and a short or foreign
/// one for a broken database, which says less than we know.
fn check_header(path: &Path) -> Result<(), OpenError> {
    const MAGIC: &[u8; 16] = b"SQLite format 3\0";
    let Ok(file) = File::open(path) else {
        return Ok(());
    };
    let mut start = Vec::new();
    // A file that cannot be read is SQLite's to complain about.
    if file.take(16).read_to_end(&mut start).is_err() || start.is_empty() || start == MAGIC {
        return Ok(());
    }
    Err(OpenError::Foreign {
        path: path.to_owned(),
    })
}

/// Refuses a database that is not ours, or of a later version.
fn check_owner(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let path = path.to_owned();
    let read = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let values = (|| {
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((tables, read("application_id")?, read("user_version")?))
    })();
    let (tables, application, version) = match values {
        Ok(values) => values,
        Err(source) if is_damage(&source) => {
            let what = source.to_string();
            return Err(OpenError::Damaged { path, what });
        }
        Err(source) => return Err(OpenError::Database { path, source }),
    };
    let is_new = tables == 0 && application == 0 && version == 0;
    if !is_new && application != i64::from(APPLICATION_ID) {
        return Err(OpenError::Foreign { path });
    }
    match usize::try_from(version) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(()),
        _ => Err(OpenError::Newer {
            path,
            found: version,
            known: MIGRATIONS.len(),
        }),
    }
}

/// A look at the structure of a small file. Large ones are not read through at each start: damage in them is found when it is read.
fn check_contents(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    /// Files up to this size are checked as a whole: about a tenth of a second.
    const CHECKED_BYTES_MAX: u64 = 32 << 20;
    if std::fs::metadata(path).map_or(0, |metadata| metadata.len()) > CHECKED_BYTES_MAX {
        return Ok(());
    }
    let found: Result<String, rusqlite::Error> =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    let what = match found {
        Ok(found) if found == "ok" => return Ok(()),
        Ok(found) => found,
        Err(error) => error.to_string(),
    };
    let path = path.to_owned();
    Err(OpenError::Damaged { path, what })
}

fn migrate(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (next, migration) in (1_i64..).zip(MIGRATIONS).filter(|(next, _)| *next > version) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", next)?;
        transaction.commit()?;
    }
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use std::sync::PoisonError;

    use super::*;

    /// No test of ours can cut the power: that the disk is told to keep a commit is a setting.
    #[test]
    fn a_commit_waits_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("batchyard.sqlite")).unwrap();
        let writer = store.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let pragma = |name| {
            let value = writer.connection.pragma_query_value(None, name, |row| row.get(0));
            value
                .map(|value: rusqlite::types::Value| format!("{value:?}"))
                .unwrap()
        };
        assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
        assert_eq!(pragma("synchronous"), "Integer(2)");
    }
}
