//! Every bound and span of the Docker engine, with where it comes from.
//!
//! It must not hold anything that users configure: that is [`Config`](super::Config).

use std::time::Duration;

use batchyard_core::time::Millis;

/// Orders and observations that may wait for the registry; who sends more waits. Own choice.
pub(super) const INBOX_MAX: usize = 1024;

/// Containers being created and started at one time. More does not make a daemon faster: it serialises most of the work. Own choice, measured.
pub(super) const LAUNCHES_MAX: usize = 16;

/// Different images being pulled at one time. Own choice; the daemon itself pulls three layers at a time.
pub(super) const PULLS_MAX: usize = 4;

/// Containers being looked at, drained or removed at one time, beside the launches. Own choice.
pub(super) const REQUESTS_MAX: usize = 16;

/// Ended containers whose output is read to its end at once.
pub(super) const DRAINS_MAX: usize = 16;

/// How long a launch waits for a daemon that does not answer, unless configured. Own choice (ECS: four minutes).
pub(super) const UNREACHABLE_MAX: Millis = Millis::from_seconds(30);

/// Wait before the first new try to reach the daemon; doubles up to [`RETRY_MAX`]. Own choice.
pub(super) const RETRY_MIN: Duration = Duration::from_millis(100);

/// Longest wait between two tries to reach the daemon or to write to the log store. Own choice.
pub(super) const RETRY_MAX: Duration = Duration::from_secs(5);

/// How long one answer of the daemon may take, in seconds; pulls and followed logs are bounded by their first byte only. Own choice.
pub(super) const REQUEST_SECONDS_MAX: u64 = 120;

/// How often all containers are listed, in one request, to find an end whose event was missed. Own choice.
pub(super) const LIST_EVERY: Duration = Duration::from_secs(30);

/// A container that ends sooner than this has its output read once at its end, not followed. Own choice: it saves short
/// jobs a connection, and who follows a log waits so much longer for its first line.
pub(super) const FOLLOW_AFTER: Duration = Duration::from_millis(150);

/// Events put into one append. Own choice.
pub(super) const BATCH_EVENTS_MAX: usize = 1000;

/// Bytes of messages put into one append, exceeded by one message at most. Own choice.
pub(super) const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// Characters of a container's reason (section B.4).
pub(super) const REASON_CHARACTERS_MAX: usize = 255;

/// Least memory in MiB the daemon takes for a container; less is raised to it, as the ECS agent does.
pub(super) const MEMORY_MIB_MIN: u64 = 6;

/// Least CPU shares the kernel takes.
pub(super) const CPU_SHARES_MIN: u64 = 2;

/// At what size the daemon begins a new file for the output of one container.
///
/// Output is read while it is written, and a file is dropped only when two are full: nothing is lost unless a job writes
/// 64 GiB while the server is down. The files go with the container at `Forget`. Own choice.
pub(super) const LOG_FILE_BYTES_MAX: &str = "64g";

/// How many such files there are. Own choice.
pub(super) const LOG_FILES_MAX: &str = "2";

/// How soon a launch tries again when the daemon did not answer. Own choice.
pub(super) const TRY_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// How soon a container is looked at, or a signal sent, again when that failed. Own choice.
pub(super) const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How many times the daemon may refuse to give the rest of an output before the attempt ends without it. Own choice.
pub(super) const READS_MAX: u32 = 5;

/// At how many bytes the daemon cuts a line (the copier of Docker's log drivers).
pub(super) const PIECE_BYTES: usize = 16 * 1024;
