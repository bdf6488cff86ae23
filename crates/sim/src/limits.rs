//! Every bound of the simulator, with its source.

/// Starts of attempts that a forecast looks ahead (own choice: well under a second, and more than people wait for). What comes later
/// is known to be later.
pub const STARTS_AHEAD_MAX: usize = 100_000;

/// Jobs that a chain of dependencies is followed through to find what a job waits for in the end (own choice).
pub const CHAIN_MAX: usize = 1_000;

/// Instants that a forecast looks through (own choice: what starts nothing takes time as well).
pub const STEPS_AHEAD_MAX: usize = 1_000_000;

/// Jobs of a workload (own choice: a gigabyte of memory or two).
pub const JOBS_MAX: usize = 10_000_000;

/// Children of an array of a workload (own choice; the service has 10,000).
pub const ARRAY_SIZE_MAX: u32 = 1_000_000;
