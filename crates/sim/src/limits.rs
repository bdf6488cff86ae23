//! Every bound of the simulator, with its source.

use batchyard_core::time::Millis;

/// Starts of attempts that a forecast looks ahead (own choice: well under a second, and more than people wait for). What comes later
/// is known to be later.
pub const STARTS_AHEAD_MAX: usize = 100_000;

/// Jobs that a chain of dependencies is followed through to find what a job waits for in the end (own choice).
pub const CHAIN_MAX: usize = 1_000;

/// Instants that a forecast looks through (own choice: what starts nothing takes time as well).
pub const STEPS_AHEAD_MAX: usize = 1_000_000;

/// How long the jobs of an instance may run on that is taken away by chance (section F6.3: EC2 says so two minutes before).
pub const INTERRUPTION_NOTICE: Millis = Millis::from_seconds(120);

/// Attempts that a job of a workload may have (section B.5).
pub const ATTEMPTS_MAX: u8 = 10;

/// Processors of a job of a trace (own choice: the core counts thousandths of vCPUs in 32 bits).
pub const PROCESSORS_MAX: i64 = 4_000_000;

/// MiB of memory that a job of a workload may ask for (own choice: more is as good as unlimited, which no job can have).
pub const MEMORY_MIB_MAX: u64 = 1 << 38;

/// GPUs of a host (the core numbers them in 64 bits).
pub const GPUS_MAX: u16 = 64;

/// Jobs of a workload (own choice: a gigabyte of memory or two).
pub const JOBS_MAX: usize = 10_000_000;

/// Children of an array of a workload (own choice; the service has 10,000).
pub const ARRAY_SIZE_MAX: u32 = 1_000_000;
