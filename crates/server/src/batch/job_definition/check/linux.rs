//! Linux parameters and resource limits of processes.

use batchyard_wire::batch::{LinuxParameters, Tmpfs, Ulimit};

use super::{Check, require};

/// The names of resource limits (section E.3).
const ULIMITS: &str =
    "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack";

/// The options of temporary file systems, of which some are given a value after `=` (section E.3).
const TMPFS_OPTIONS: &str = "defaults ro rw suid nosuid dev nodev exec noexec sync async dirsync remount mand nomand atime \
    noatime diratime nodiratime bind rbind unbindable runbindable private rprivate shared rshared slave rslave relatime \
    norelatime strictatime nostrictatime mode uid gid nr_inodes nr_blocks mpol";

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
    )?;
    tmpfs.iter().flatten().try_for_each(tmpfs_options)
}

fn tmpfs_options(tmpfs: &Tmpfs) -> Check {
    for option in tmpfs.mount_options.iter().flatten() {
        let name = option.split('=').next().unwrap_or_default();
        // Own words.
        require(
            is_of(TMPFS_OPTIONS, name),
            format!("mountOptions of a tmpfs must be of [{TMPFS_OPTIONS}], got {option}."),
        )?;
    }
    Ok(())
}

/// Whether `name` is one of `names`, which are divided by spaces.
fn is_of(names: &str, name: &str) -> bool {
    names.split_ascii_whitespace().any(|each| each == name)
}

/// Checks the limits of a container's processes.
pub(super) fn ulimits(limits: Option<&Vec<Ulimit>>) -> Check {
    for Ulimit {
        hard_limit,
        name,
        soft_limit,
    } in limits.into_iter().flatten()
    {
        // Own words.
        require(
            is_of(ULIMITS, name),
            format!("The name of a ulimit must be one of [{ULIMITS}], got {name}."),
        )?;
        // -1 is no limit.
        require(
            *hard_limit < 0 || (0..=*hard_limit).contains(soft_limit),
            format!(
                "The softLimit {soft_limit} of ulimit {name} must not be above its hardLimit {hard_limit}."
            ),
        )?;
    }
    Ok(())
}
