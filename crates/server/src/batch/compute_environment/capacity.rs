//! From a client's compute resources to what the scheduler can offer.
//!
//! On this engine an instance is a slice of the host. Environments that leave the choice of types to the service, Fargate
//! ones, those of managed instances (section C2.4) and unmanaged ones need no slices: their jobs are placed straight on the host.

use batchyard_core::environment::{Capacity, EnvironmentSpec, InstancePlan, InstanceTypeName, Platform};
use batchyard_core::instance_type::InstanceType;
use batchyard_core::limits::IDLE_INSTANCE_DELAY;
use batchyard_core::time::Millis;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{CRType, ComputeResource};

use super::strategy;
use crate::prices::Prices;

/// Entries of `instanceTypes` that leave the choice to the service (section A1.13).
const BUNDLES: [&str; 3] = ["optimal", "default_x86_64", "default_arm64"];

/// What an environment offers; `None` for the resources of an unmanaged one, which may say how many vCPUs it has.
///
/// # Errors
/// For instance types that the table does not have, or that all cost more than is bid.
pub(super) fn spec(
    resources: Option<&ComputeResource>,
    unmanaged_vcpus: Option<i32>,
    is_eks: bool,
    prices: &Prices,
) -> Result<EnvironmentSpec, Fault> {
    let Some(resources) = resources else {
        return Ok(EnvironmentSpec {
            platform: Platform::Ec2,
            capacity: Capacity::Shared { vcpus_max: None },
            refuses_multi_node: true,
            // Absent is nothing (section A1.4).
            reservable_vcpus: Some(whole(unmanaged_vcpus)),
        });
    };
    let platform = match resources.r#type {
        CRType::Fargate | CRType::FargateSpot => Platform::Fargate,
        CRType::EcsManagedInstances => Platform::ManagedInstances,
        _ if is_eks => Platform::Eks,
        _ => Platform::Ec2,
    };
    let vcpus_max = whole(Some(resources.max_vcpus));
    // Their jobs may be interrupted, or have no instance (section B11.7).
    let refuses_multi_node = resources.r#type != CRType::Ec2;
    let types = resources.instance_types.as_deref().unwrap_or_default();
    let leaves_the_choice = types.iter().any(|name| BUNDLES.contains(&name.as_str()));
    let is_sized_by_jobs = matches!(platform, Platform::Fargate | Platform::ManagedInstances);
    if is_sized_by_jobs || leaves_the_choice {
        return Ok(EnvironmentSpec {
            platform,
            capacity: Capacity::Shared {
                vcpus_max: Some(vcpus_max),
            },
            refuses_multi_node,
            reservable_vcpus: None,
        });
    }
    let vcpus_min = whole(resources.min_vcpus);
    let delay = resources
        .scaling_policy
        .as_ref()
        .and_then(|policy| policy.min_scale_down_delay_minutes);
    let (types, choice) = strategy::ranked(resources, known_types(types)?, prices)?;
    let plan = InstancePlan {
        types,
        choice,
        vcpus_min,
        vcpus_desired: resources
            .desired_vcpus
            .map_or(vcpus_min, |desired| whole(Some(desired))),
        vcpus_max,
        idle_delay: match delay {
            Some(minutes) if minutes > 0 => Millis::from_seconds(u64::from(whole(Some(minutes))) * 60),
            _ => IDLE_INSTANCE_DELAY,
        },
    };
    Ok(EnvironmentSpec {
        platform,
        capacity: Capacity::Instances(plan),
        refuses_multi_node,
        reservable_vcpus: None,
    })
}

/// The types that names and families stand for, by name and family.
fn known_types(names: &[String]) -> Result<Vec<Vec<InstanceTypeName>>, Fault> {
    let known = names.iter().enumerate().map(|(index, name)| {
        let members = InstanceTypeName::listed(name);
        if members.is_empty() {
            // Own words; a type newer than our table is refused too, as nobody could say what it has.
            return Err(client_exception(format!(
                "computeResources.instanceTypes[{index}]: {name} is not an instance type or family that is known here"
            )));
        }
        Ok(members)
    });
    known.collect()
}

/// The processor architectures of the types named, for the rule that there is only one (section A1.13).
pub(super) fn has_mixed_architectures(names: &[String]) -> bool {
    let is_arm = |name: &String| -> Option<bool> {
        match name.as_str() {
            "default_arm64" => Some(true),
            "optimal" | "default_x86_64" => Some(false),
            name => InstanceType::find(name)
                .or_else(|| InstanceType::family(name).next())
                .map(|found| found.arm64 && !found.x86_64),
        }
    };
    let kinds: Vec<bool> = names.iter().filter_map(is_arm).collect();
    kinds.contains(&true) && kinds.contains(&false)
}

/// A number of the wire as a count; what is negative was refused before.
fn whole(number: Option<i32>) -> u32 {
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}
