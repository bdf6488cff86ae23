//! What can go wrong with a request to the log store.
//!
//! Nothing here carries text for clients: the server words its own answers. Start reading at [`Error`].

use std::sync::Arc;

use batchyard_runtime::log::LogError;
use rusqlite::ErrorCode;

use crate::chunk::CorruptChunk;

/// Why the store did not do what was asked. Nothing of the request was kept.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// There is no such group.
    #[error("find log group {0:?}")]
    GroupNotFound(String),
    /// There is no such stream in the group.
    #[error("find log stream {0:?}")]
    StreamNotFound(String),
    /// A group of this name exists.
    #[error("create log group {0:?}: it exists")]
    GroupExists(String),
    /// A stream of this name exists in the group.
    #[error("create log stream {0:?}: it exists")]
    StreamExists(String),
    /// The token is not one that this store gave for this query.
    #[error("continue from a token of another query")]
    InvalidToken,
    /// A value is out of its range.
    #[error("accept {field}: {reason}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What is allowed.
        reason: &'static str,
    },
    /// The disk is full or refuses writes; trying later may help.
    #[error("write log events: the disk is full")]
    Full(#[source] Arc<rusqlite::Error>),
    /// The store cannot do its work.
    #[error("use the log store")]
    Broken(#[source] BrokenCause),
}

/// What broke.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BrokenCause {
    /// SQLite failed.
    #[error(transparent)]
    Database(Arc<rusqlite::Error>),
    /// What the file holds makes no sense.
    #[error(transparent)]
    Chunk(#[from] CorruptChunk),
    /// The tags of a group make no sense.
    #[error("decode the tags of a log group")]
    Tags(#[source] Arc<serde_json::Error>),
    /// The thread that writes has ended, which only a bug can bring about.
    #[error("reach the thread that writes log events")]
    WriterGone,
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        if refuses_writes(&error) {
            Error::Full(Arc::new(error))
        } else {
            Error::Broken(BrokenCause::Database(Arc::new(error)))
        }
    }
}

impl From<CorruptChunk> for Error {
    fn from(error: CorruptChunk) -> Self {
        Error::Broken(error.into())
    }
}

impl From<Error> for LogError {
    fn from(error: Error) -> Self {
        match error {
            Error::Full(_) => LogError::Full(Box::new(error)),
            Error::GroupNotFound(_)
            | Error::StreamNotFound(_)
            | Error::GroupExists(_)
            | Error::StreamExists(_)
            | Error::InvalidToken
            | Error::Invalid { .. }
            | Error::Broken(_) => LogError::Broken(Box::new(error)),
        }
    }
}

/// A full disk shows as `SQLITE_FULL` from the file itself, but as an I/O error from the index of the write-ahead log, from a quota
/// and, on file systems that allocate late, from a sync.
fn refuses_writes(error: &rusqlite::Error) -> bool {
    let Some(error) = error.sqlite_error() else {
        return false;
    };
    error.code == ErrorCode::DiskFull
        || error.code == ErrorCode::ReadOnly
        || matches!(
            error.extended_code,
            rusqlite::ffi::SQLITE_IOERR_WRITE
                | rusqlite::ffi::SQLITE_IOERR_SHMSIZE
                | rusqlite::ffi::SQLITE_IOERR_FSYNC
                | rusqlite::ffi::SQLITE_IOERR_TRUNCATE
        )
}
