//! What is going to happen to an attempt.

use batchyard_core::id::AttemptKey;
use batchyard_core::time::Timestamp;

/// Something that an engine would tell of. Ordered by time, then as they were expected: the rest never decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Event {
    pub(super) at: Timestamp,
    /// Different for each event.
    pub(super) sequence: u64,
    pub(super) attempt: AttemptKey,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// Its program starts.
    Start,
    /// Its program ends.
    End { exit_code: i32 },
}
