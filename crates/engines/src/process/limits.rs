//! Every bound of the process engine and its supervisor. All are own choices; the reason stands with each.

use std::time::Duration;

/// Output of one attempt that is in the spool and not yet in the log store, in bytes, while a server reads it. Beyond it the
/// supervisor stops reading the attempt's pipe, so that the job waits in `write`. Facts of all jobs pass through the spool in order: what
/// is unread is what the others' starts and ends wait for, some tens of milliseconds.
pub(super) const UNREAD_PER_ATTEMPT_MAX: u64 = 4 << 20;

/// The same over all attempts. Beyond it only those are read that have little unread themselves: who writes little does not wait for who
/// writes much.
pub(super) const UNREAD_TOTAL_MAX: u64 = 16 << 20;

/// What little is, then.
pub(super) const UNREAD_LITTLE: u64 = 128 << 10;

/// What an attempt may write while no server runs.
pub(super) const UNATTENDED_PER_ATTEMPT_MAX: u64 = 64 << 20;

/// The same over all attempts: bounds the spool's size on disk.
pub(super) const UNATTENDED_TOTAL_MAX: u64 = 1 << 30;

/// Bytes waiting in memory to be written to the spool beyond which no pipe is read: what a full disk may cost in memory.
pub(super) const UNWRITTEN_MAX: usize = 4 << 20;

/// A segment of the spool is closed when it is longer: small enough that its space comes back soon, large enough that making files
/// costs nothing.
pub(super) const SEGMENT_BYTES: u64 = 32 << 20;

/// Bytes read from a job's pipe at once: a pipe's usual capacity.
pub(super) const PIPE_READ_BYTES: usize = 64 << 10;

/// Reads from one pipe before the other jobs have their turn.
pub(super) const PIPE_READS_PER_TURN: usize = 4;

/// Bytes read from the spool at once by the server.
pub(super) const SPOOL_READ_BYTES: usize = 2 << 20;

/// A record of the spool is never longer; a greater length means that the segment ends there.
pub(super) const RECORD_BYTES_MAX: usize = 1 << 20;

/// One frame on the socket is never longer; a launch has its environment and arguments in it (the kernel's limit for both is 2 MiB).
pub(super) const FRAME_BYTES_MAX: usize = 256 << 20;

/// Requests put into one frame.
pub(super) const REQUESTS_PER_FRAME: usize = 256;

/// Launches in the supervisor that wait for their turn; beyond it they are refused. A core orders no more than its host's vCPUs allow, so none
/// comes near.
pub(super) const LAUNCHES_WAITING_MAX: usize = 20_000;

/// Threads that start programs. A thread waits while its child has not yet called `exec`, so two keep two cores busy; more do not help
/// as the kernel's own locks are shared.
pub(super) const SPAWNERS_MAX: usize = 4;

/// Launches handed to the threads and not yet done, for each thread: so few that a stop still meets the others in the queue.
pub(super) const LAUNCHES_PER_SPAWNER: usize = 4;

/// A line without end is shown after this silence.
pub(super) const PARTIAL_LINE_AFTER: Duration = Duration::from_secs(1);

/// How long output is waited for after a job's main process has ended and the rest of its group was killed.
pub(super) const DRAIN_AFTER_EXIT: Duration = Duration::from_secs(2);

/// A full disk is tried again after this time.
pub(super) const DISK_RETRY: Duration = Duration::from_millis(500);

/// How often the supervisor looks whether its directory is still there.
pub(super) const DIRECTORY_CHECK: Duration = Duration::from_secs(5);

/// A supervisor without jobs, facts to keep and a server ends after this time.
pub(super) const IDLE_END: Duration = Duration::from_secs(10);

/// How long a supervisor may take to answer when it was started; on the way it reads the spool and kills what is left over.
pub(super) const START_WITHIN: Duration = Duration::from_secs(30);

/// Between two looks for a supervisor that is starting.
pub(super) const START_POLL: Duration = Duration::from_millis(5);

/// Between two tries to start a supervisor after one has died.
pub(super) const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// Between two tries to append to a log store that failed.
pub(super) const LOG_RETRY: Duration = Duration::from_secs(1);

/// Between two looks at the spool: so short that nobody waits for it, and so long that a thousand quick jobs do not need thousands of looks.
pub(super) const TAIL_PACE: Duration = Duration::from_millis(2);

/// Words from the tail to the link about what was consumed that wait in a queue.
pub(super) const CONSUMED_WAITING_MAX: usize = 64;

/// Orders that wait in the engine's queue.
pub(super) const ORDERS_WAITING_MAX: usize = 1024;

/// Longest reason of a container (section B.4), in characters.
pub(super) const REASON_CHARACTERS_MAX: usize = 255;

/// Control groups that are kept for the next job, so that one need not be made for each.
pub(super) const GROUPS_KEPT_MAX: usize = 256;

/// Memory that may stay charged to a group that is kept for the next job.
pub(super) const GROUP_LEFTOVER_BYTES_MAX: u64 = 1 << 20;

/// Groups of ended jobs that are looked at again when another job ends.
pub(super) const GROUPS_LOOKED_AT: usize = 8;

/// Tries to remove a control group at the supervisor's end, and the pause between two: a second in all.
pub(super) const GROUPS_REMOVE_TRIES: usize = 100;
pub(super) const GROUPS_REMOVE_PAUSE: Duration = Duration::from_millis(10);

/// Rounds of killing what is in a control group before others have their turn.
pub(super) const KILL_ROUNDS: usize = 20;
