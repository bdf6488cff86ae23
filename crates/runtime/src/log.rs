//! The port to what jobs wrote: log events in groups and streams, as CloudWatch Logs has them.
//!
//! # Contract
//!
//! * An [`Append`] is atomic with its cursor: after a crash either both are there or neither, so that an engine that reads its source
//!   again from the cursor neither loses nor doubles a line. It survives a kill of the process; a power cut may cost the last second.
//! * Events of a stream come back ordered by timestamp, and among equal timestamps in the order of ingestion.
//! * Appending makes the group and the stream where they are missing.
//! * Reads block the calling thread: call them off the reactor.

use batchyard_core::time::Timestamp;

use crate::engine::BoxFuture;

/// Greatest size of one event's message in bytes; engines split longer lines (CloudWatch Logs: 256 KiB minus 26 bytes of overhead).
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024 - 26;

/// A log group and a stream in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct StreamName {
    /// For example `/aws/batch/job`: 1..=512 characters of `[.\-_/#A-Za-z0-9]`.
    pub group: String,
    /// For example `sleep60/default/0a4f…`: 1..=512 characters without `:` and `*`.
    pub stream: String,
}

/// One line of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    /// When it was written (or read from the job).
    pub timestamp: Timestamp,
    /// The line without its end, at most [`MESSAGE_BYTES_MAX`] bytes.
    pub message: String,
}

/// Events of one stream to be kept, and optionally how far a source has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Where to.
    pub stream: StreamName,
    /// What, in order of time; may be empty.
    pub events: Vec<LogEvent>,
    /// Set in the same transaction.
    pub cursor: Option<Cursor>,
}

/// How far a source of output has been ingested. Names are the engine's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Whose: for example `process-spool` or `docker/<task id>`.
    pub source: String,
    /// Where, in the engine's own encoding; `None` removes the cursor.
    pub position: Option<Vec<u8>>,
}

/// The log store failed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk is full or refuses writes; trying later may help. Nothing of the append was kept.
    #[error("keep log events: the disk is full")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Anything else.
    #[error("keep or read log events")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The part of a log store that engines need. Reading for clients is the adapter's own, richer interface.
pub trait LogStore: Send + Sync + 'static {
    /// Keeps events. Resolves when they can be read. Calls from many tasks are committed together.
    fn append(&self, appends: Vec<Append>) -> BoxFuture<'_, Result<(), LogError>>;

    /// How far `source` has been ingested; `None` if never or removed.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn cursor(&self, source: &str) -> Result<Option<Vec<u8>>, LogError>;

    /// All cursors whose source begins with `prefix`.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn cursors(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, LogError>;
}
