//! Runtime platform (section A3.9).

use batchyard_wire::batch::RuntimePlatform;

use super::{Check, require};

const FAMILIES: [&str; 5] = [
    "LINUX",
    "WINDOWS_SERVER_2019_CORE",
    "WINDOWS_SERVER_2019_FULL",
    "WINDOWS_SERVER_2022_CORE",
    "WINDOWS_SERVER_2022_FULL",
];

pub(super) fn check(platform: &RuntimePlatform) -> Check {
    let RuntimePlatform {
        cpu_architecture,
        operating_system_family,
    } = platform;
    let family = operating_system_family.as_deref().unwrap_or("LINUX");
    require(
        FAMILIES.contains(&family),
        format!("RuntimePlatform supports only one from [{}]", FAMILIES.join(", ")),
    )?;
    let architecture = cpu_architecture.as_deref().unwrap_or("X86_64");
    require(
        family == "LINUX" || architecture == "X86_64",
        "Windows supported only by X86_64 cpuArchitecture",
    )?;
    // Own words.
    require(
        ["X86_64", "ARM64"].contains(&architecture),
        format!("cpuArchitecture must be X86_64 or ARM64, got {architecture}."),
    )
}
