//! What goes wrong between us and SQLite, and what of it the port's callers need to tell apart.

use std::path::Path;

use batchyard_runtime::store::StoreError;
use rusqlite::ErrorCode;

/// A failed read or write.
#[derive(Debug)]
pub(super) enum Failure {
    /// The database says so.
    Sqlite(rusqlite::Error),
    /// The rows make no sense.
    Damaged(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Failure::Sqlite(error)
    }
}

impl Failure {
    /// A value in a column that the store never writes there.
    pub(super) fn damaged(column: &str, error: impl std::fmt::Display) -> Self {
        Failure::Damaged(format!("{column}: {error}"))
    }

    /// In the port's words.
    pub(super) fn at(self, path: &Path) -> StoreError {
        let path = path.display().to_string();
        let error = match self {
            Failure::Damaged(what) => return StoreError::Damaged { path, what },
            Failure::Sqlite(error) => error,
        };
        if is_full(&error) {
            let source = error.into();
            return StoreError::Full { path, source };
        }
        if is_damage(&error) {
            let what = error.to_string();
            return StoreError::Damaged { path, what };
        }
        let source = error.into();
        StoreError::Failed { path, source }
    }
}

/// Whether there is no room: the disk's, or the memory-mapped index file's that lies on it too.
fn is_full(error: &rusqlite::Error) -> bool {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || extended == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}

/// Whether the contents are not what was written.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || matches!(
            error,
            rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::Utf8Error(..)
        )
}
