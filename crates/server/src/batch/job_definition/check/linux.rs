//! Linux parameters.

use batchyard_wire::batch::LinuxParameters;

use super::{Check, require};

pub(super) fn check(linux: &LinuxParameters) -> Check {
    let LinuxParameters {
        devices: _,
        init_process_enabled: _,
        max_swap,
        shared_memory_size: _,
        swappiness,
        tmpfs,
    } = linux;
    if let Some(swap) = max_swap {
        require(
            *swap >= 0,
            format!("Invalid swap memory size: {swap}, must be non-negative."),
        )?;
        require(
            swappiness.is_some(),
            "When container specified swap memory, swappiness value is required.",
        )?;
    }
    if let Some(swappiness) = swappiness {
        require(
            (0..=100).contains(swappiness),
            format!("Invalid swappiness: {swappiness}, must be between 0 and 100."),
        )?;
    }
    require(
        tmpfs.iter().flatten().all(|tmpfs| tmpfs.size > 0),
        "Size of a tmpfs is invalid. The size is required and must be a positive integer.",
    )
}
