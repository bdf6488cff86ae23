//! What this host has.

use std::fs;

use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};

use crate::config::HostConfig;

/// Memory that is left to the system and to the server itself, in MiB, where the configuration says nothing (own choice).
const RESERVED_MIB: u64 = 256;

/// What jobs can have: as configured, else what the host has.
#[must_use]
pub fn resources(config: &HostConfig) -> Resources {
    let HostConfig {
        vcpus,
        memory_mib,
        gpus,
    } = config;
    let vcpus = vcpus.unwrap_or_else(|| {
        let count = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        u32::try_from(count).unwrap_or(u32::MAX)
    });
    let memory =
        memory_mib.unwrap_or_else(|| memory_mib_total().saturating_sub(RESERVED_MIB).max(RESERVED_MIB));
    Resources {
        vcpus: MilliVcpus::whole(vcpus),
        memory: Mebibytes(memory),
        gpus: *gpus,
    }
}

/// The host's memory in MiB; a gibibyte where it does not say.
fn memory_mib_total() -> u64 {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kibibytes = meminfo.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?
            .trim()
            .strip_suffix(" kB")?
            .parse::<u64>()
            .ok()
    });
    kibibytes.map_or(1024, |kibibytes| kibibytes / 1024)
}
