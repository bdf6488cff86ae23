//! Runtime platform (section A3.9).

use batchyard_wire::batch::{ResourceRequirement, ResourceType, RuntimePlatform};

use super::fargate::milli_vcpus;
use super::{Check, require};

const FAMILIES: [&str; 5] = [
    "LINUX",
    "WINDOWS_SERVER_2019_CORE",
    "WINDOWS_SERVER_2019_FULL",
    "WINDOWS_SERVER_2022_CORE",
    "WINDOWS_SERVER_2022_FULL",
];

/// Checks the platform; Windows needs a whole vCPU.
pub(super) fn check(platform: &RuntimePlatform, requirements: &[ResourceRequirement]) -> Check {
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
    let vcpus = requirements
        .iter()
        .find(|requirement| requirement.r#type == ResourceType::Vcpu)
        .map(|requirement| requirement.value.as_str());
    if let Some(vcpus) = vcpus.filter(|_| family != "LINUX") {
        require(
            milli_vcpus(vcpus).is_some_and(|count| count >= 1000),
            format!("vCPU must be at least 1 for Windows Job definition, got {vcpus}."),
        )?;
    }
    // Own words.
    require(
        ["X86_64", "ARM64"].contains(&architecture),
        format!("cpuArchitecture must be X86_64 or ARM64, got {architecture}."),
    )
}
