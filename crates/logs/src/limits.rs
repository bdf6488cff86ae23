//! Every bound of the log store, with its source.

use batchyard_core::time::Millis;

/// Events in one page of `events` or `filter` (CloudWatch Logs API, `EventsLimit`).
pub const PAGE_EVENTS_MAX: usize = 10_000;

/// Bytes in one page, counting [`EVENT_OVERHEAD_BYTES`] for each event (CloudWatch Logs API: 1 MB). One event always fits.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// What an event counts for besides its message, in bytes (CloudWatch Logs API, `PutLogEvents`).
pub const EVENT_OVERHEAD_BYTES: usize = 26;

/// Groups or streams in one page of a list (CloudWatch Logs API, `DescribeLimit`).
pub const LIST_PAGE_MAX: usize = 50;

/// Streams that a filter may name (CloudWatch Logs API, `InputLogStreamNames`).
pub const FILTER_STREAMS_MAX: usize = 100;

/// Tags of a group (CloudWatch Logs API, `Tags`).
pub const TAGS_MAX: usize = 50;

/// Days that a group may keep its events (CloudWatch Logs API, `PutRetentionPolicy`).
pub const RETENTION_DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/// Greatest timestamp kept, in milliseconds since the epoch (own choice: what fits the 14 digits in a token, the year 5138).
pub const TIMESTAMP_MS_MAX: i64 = 99_999_999_999_999;

/// Characters of a filter pattern (CloudWatch Logs API, `FilterPattern`).
pub const PATTERN_CHARS_MAX: usize = 1024;

/// Regular expressions in one pattern (CloudWatch Logs user guide, filter pattern syntax).
pub const PATTERN_REGEXES_MAX: usize = 2;

/// Wildcard selectors in one pattern; one selector may have one (CloudWatch Logs user guide, filter pattern syntax).
pub const PATTERN_WILDCARD_SELECTORS_MAX: usize = 3;

/// Parentheses inside each other in one pattern (own choice: parsing recurses).
pub const PATTERN_DEPTH_MAX: usize = 32;

/// Memory of one compiled regular expression in bytes (own choice).
pub const PATTERN_REGEX_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Encoded bytes after which a chunk is closed (own choice: takes a batch of 64 KiB whole, and one is read in well under a
/// millisecond). A single longer event has a chunk of its own.
pub(crate) const CHUNK_BYTES_MAX: usize = 128 * 1024;

/// A chunk up to this size is written again to take in what follows (own choice: about a page of the file, so it costs no more than
/// a row of its own would).
pub(crate) const CHUNK_SMALL_BYTES: usize = 4096;

/// Greatest time between the first and the last event of a chunk for each class of chunks, ascending (own choice). Knowing how far
/// back a chunk can reach is what lets a filter find those that cover an instant without looking at all.
pub(crate) const CHUNK_SPANS: [Millis; 4] = [
    Millis::from_seconds(1),
    Millis::from_seconds(15),
    Millis::from_seconds(240),
    Millis::from_seconds(3600),
];

/// Encoded bytes that one page of a filter looks at before it returns what it has (own choice: some 50 ms).
pub(crate) const FILTER_SCAN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Chunks that one page of a filter looks at before it returns what it has (own choice).
pub(crate) const FILTER_SCAN_CHUNKS_MAX: usize = 20_000;

/// Chunk keys that a filter reads ahead of each source (own choice).
pub(crate) const FILTER_READ_AHEAD: usize = 128;

/// Requests waiting for the writer; more wait in their callers (own choice).
pub(crate) const QUEUE_REQUESTS_MAX: usize = 1024;

/// Bytes of events waiting for the writer; more wait in their callers (own choice). One larger append is let in alone.
pub(crate) const QUEUE_BYTES_MAX: u32 = 32 * 1024 * 1024;

/// Bytes of events after which a transaction takes no further request (own choice: bounds the pages held in memory).
pub(crate) const COMMIT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Requests after which a transaction takes no further one (own choice).
pub(crate) const COMMIT_REQUESTS_MAX: usize = 512;

/// Bytes of write-ahead log after which commits copy it into the file, so that it is begun again when nobody reads (own choice: few
/// enough to sync quickly, and enough that pages written often are copied once).
pub(crate) const WAL_BYTES: i64 = 64 * 1024 * 1024;

/// Bytes of write-ahead log after which writing waits until nobody reads (own choice).
pub(crate) const WAL_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// How long commits may stay in the operating system's memory only, in milliseconds (the port allows a power cut to cost a second).
pub(crate) const SYNC_INTERVAL_MS: u64 = 500;

/// How long a connection waits for a lock of another process or of a checkpoint, in milliseconds (own choice).
pub(crate) const BUSY_WAIT_MS: u64 = 5000;

/// Prepared statements kept for each connection (own choice: more than this crate has).
pub(crate) const STATEMENTS_CACHED: usize = 64;

/// Page cache of the writer in KiB (own choice).
pub(crate) const WRITER_CACHE_KIB: i64 = 64 * 1024;

/// Page cache of one reader in KiB (own choice).
pub(crate) const READER_CACHE_KIB: i64 = 4 * 1024;

/// Connections for reading; more readers wait (own choice).
pub(crate) const READERS_MAX: usize = 4;

/// Chunks or streams that one step of removing takes, so that appends come in between (own choice: some 10 ms).
pub(crate) const REMOVED_PER_STEP_MAX: usize = 1000;
