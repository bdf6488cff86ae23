//! The bounds of this crate.

use std::time::Duration;

/// Connections for reading that are open at the same time; further readers wait for one (own choice: more than there are threads that
/// could use them).
pub(crate) const READERS_MAX: usize = 16;

/// Statements kept ready per connection (own choice: more than there are).
pub(crate) const STATEMENTS_CACHED: usize = 128;

/// Profiles whose row numbers are remembered; beyond that they are looked up anew (own choice).
pub(crate) const PROFILES_CACHED: usize = 10_000;

/// Pages of the write-ahead log after which a commit also moves them into the main file (own choice: 16 MiB, so that the move, which
/// syncs the main file, is rare beside the commits).
pub(crate) const CHECKPOINT_PAGES: u32 = 4096;

/// How long a connection waits for a lock: only opening and checkpoints hold any against readers (own choice).
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a probe writes (own choice: about a small batch).
pub(crate) const PROBE_BYTES: i32 = 64 * 1024;
