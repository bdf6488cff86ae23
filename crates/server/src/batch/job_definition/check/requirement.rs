//! Resource requirements: vCPUs, memory, GPUs.

use batchyard_wire::batch::{ResourceRequirement, ResourceType};

use super::fargate::{check_fargate_size, milli_vcpus};
use super::{Check, Platform, refuse, require};

/// Memory of a job on EC2 in MiB (section A3.5).
const MEMORY_MIB_MIN: i64 = 4;

/// Checks each requirement by itself; whether there are enough of them is known only with the definition.
pub(crate) fn check_resource_requirements(requirements: &[ResourceRequirement], platform: Platform) -> Check {
    let is_fargate = platform == Platform::Fargate;
    for (index, ResourceRequirement { r#type, value }) in requirements.iter().enumerate() {
        require(
            !requirements[..index]
                .iter()
                .any(|earlier| earlier.r#type == *r#type),
            "Cannot provide duplicates in resourceRequirements.",
        )?;
        let number = value.parse::<i64>().ok();
        match r#type {
            ResourceType::Gpu if is_fargate => refuse("GPU is not applicable for Fargate.")?,
            // Own words.
            ResourceType::Gpu => require(
                number.is_some_and(|count| (1..=64).contains(&count)),
                format!("GPU must be a whole number from 1 to 64, got {value}."),
            )?,
            ResourceType::Vcpu if platform != Platform::Ec2 => require(
                milli_vcpus(value).is_some_and(|count| count > 0),
                format!("vCPU must be a positive number, got {value}."),
            )?,
            ResourceType::Vcpu => match number {
                Some(count) => require(count >= 1, format!("vCPU must be at least 1, got {count}."))?,
                None => refuse(format!("vCPU must be a whole number, got {value}."))?,
            },
            ResourceType::Memory => match number {
                Some(mib) => require(
                    is_fargate || mib >= MEMORY_MIB_MIN,
                    format!("Memory must be at least 4 Mib, got {mib} Mib."),
                )?,
                None => refuse(format!("Memory must be a whole number, got {value}."))?,
            },
            ResourceType::Unknown(other) => {
                refuse(format!(
                    "type of resourceRequirements must be GPU, VCPU or MEMORY, got {other}."
                ))?;
            }
        }
    }
    Ok(())
}

/// Checks that a container says all that it needs, and once.
pub(super) fn complete(
    requirements: &[ResourceRequirement],
    vcpus: Option<i32>,
    memory: Option<i32>,
    platform: Platform,
) -> Check {
    let is_fargate = platform == Platform::Fargate;
    check_resource_requirements(requirements, platform)?;
    let required = |kind: ResourceType| {
        requirements
            .iter()
            .find(|requirement| requirement.r#type == kind)
            .map(|requirement| requirement.value.as_str())
    };
    let (required_vcpus, required_memory) = (required(ResourceType::Vcpu), required(ResourceType::Memory));
    for (field, kind, is_doubled) in [
        (
            "vcpus",
            "VCPU",
            required_vcpus.is_some() && vcpus.is_some_and(|count| count != 0),
        ),
        (
            "memory",
            "MEMORY",
            required_memory.is_some() && memory.is_some_and(|mib| mib != 0),
        ),
    ] {
        require(
            !is_doubled,
            format!("Cannot use both ECS containerProperties {field} and resourceRequirement {kind}."),
        )?;
    }
    let shown_vcpus = required_vcpus
        .map(str::to_owned)
        .or(vcpus.map(|count| count.to_string()));
    let shown_memory = required_memory
        .map(str::to_owned)
        .or(memory.map(|mib| mib.to_string()));
    let Some(vcpus) = shown_vcpus else {
        return refuse("vCPU is required.");
    };
    let Some(memory) = shown_memory else {
        // Own words.
        return refuse("Memory is required.");
    };
    if is_fargate {
        let (vcpus, memory) = (milli_vcpus(&vcpus).unwrap_or(0), memory.parse().unwrap_or(0));
        return check_fargate_size(vcpus, memory);
    }
    if platform == Platform::Ec2 {
        let count = vcpus.parse::<i64>().unwrap_or(0);
        require(count >= 1, format!("vCPU must be at least 1, got {count}."))?;
    }
    let mib = memory.parse::<i64>().unwrap_or(0);
    require(
        mib >= MEMORY_MIB_MIN,
        format!("Memory must be at least 4 Mib, got {mib} Mib."),
    )
}
