//! The time, asked for in one place.

use batchyard_core::time::Timestamp;
use nix::time::{ClockId, clock_gettime};

/// Now, by the host's clock.
pub(super) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // Before 1970 a clock is wrong in any case.
    let millis = since.map_or(0, |since| since.as_millis());
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// Milliseconds since the host started, as the kernel counts a process's start.
pub(super) fn uptime_ms() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("every Linux since 2.6.39 has this clock");
    u64::try_from(std::time::Duration::from(time).as_millis()).unwrap_or(u64::MAX)
}
