//! What Fargate allows.

use batchyard_wire::batch::{EphemeralStorage, LinuxParameters, LogDriver, Ulimit};

use super::{Check, require};

/// Checks the pair of vCPUs (in thousandths) and memory (in MiB) against the table (section E.6).
pub(crate) fn check_fargate_size(milli_vcpus: u32, memory_mib: u64) -> Check {
    let (from, to, step) = match milli_vcpus {
        250 => (512, 2048, 512),
        500 => (1024, 4096, 1024),
        1000 => (2048, 8192, 1024),
        2000 => (4096, 16_384, 1024),
        4000 => (8192, 30_720, 1024),
        8000 => (16_384, 61_440, 4096),
        16_000 => (32_768, 122_880, 8192),
        _ => (1, 0, 1),
    };
    let is_in_table = (from..=to).contains(&memory_mib) && (memory_mib - from).is_multiple_of(step);
    // A quarter has 512, 1024 and 2048 MiB.
    let is_in_table = is_in_table && !(milli_vcpus == 250 && memory_mib == 1536);
    let (whole, hundredths) = (milli_vcpus / 1000, milli_vcpus % 1000 / 10);
    require(
        is_in_table,
        format!("Fargate resource requirements ({whole}.{hundredths:02} vCPU, {memory_mib} MiB) not valid."),
    )
}

/// vCPUs in thousandths from a decimal number with at most three places.
pub(super) fn milli_vcpus(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if fraction.len() > 3 || whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let thousandths: u32 = format!("{fraction:0<3}").parse().ok()?;
    whole
        .parse::<u32>()
        .ok()?
        .checked_mul(1000)?
        .checked_add(thousandths)
}

pub(super) fn no_ulimits(ulimits: Option<&Vec<Ulimit>>) -> Check {
    require(
        ulimits.is_none_or(Vec::is_empty),
        "ulimits is not applicable for Fargate.",
    )
}

pub(super) fn linux(linux: &LinuxParameters) -> Check {
    let LinuxParameters {
        devices,
        init_process_enabled: _,
        max_swap,
        shared_memory_size,
        swappiness,
        tmpfs,
    } = linux;
    let given = [
        (
            "devices",
            devices.as_ref().is_some_and(|devices| !devices.is_empty()),
        ),
        ("tmpfs", tmpfs.as_ref().is_some_and(|tmpfs| !tmpfs.is_empty())),
        ("sharedMemorySize", shared_memory_size.is_some()),
        ("maxSwap", max_swap.is_some()),
        ("swappiness", swappiness.is_some()),
    ];
    for (member, is_given) in given {
        require(
            !is_given,
            format!("linuxParameter.{member} is not allowed for Fargate."),
        )?;
    }
    Ok(())
}

pub(super) fn log_driver(driver: &LogDriver) -> Check {
    log_driver_of("Fargate", driver)
}

/// The drivers that there are without access to the instance; the words for managed instances are our own.
pub(super) fn log_driver_of(platform: &str, driver: &LogDriver) -> Check {
    require(
        matches!(
            driver,
            LogDriver::Awslogs | LogDriver::Splunk | LogDriver::Awsfirelens
        ),
        format!("Log driver for {platform} is not valid: {driver}"),
    )
}

pub(super) fn storage(storage: Option<&EphemeralStorage>) -> Check {
    require(
        storage.is_none_or(|storage| (21..=200).contains(&storage.size_in_gib)),
        "Ephemeral storage for Fargate tasks can be only between range 21 GiB to 200 GiB",
    )
}
