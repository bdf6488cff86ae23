//! What RegisterJobDefinition refuses (section A.3), with the live service's words where they are known.
//!
//! One file for each noun. [`check`] chooses by the kind of definition; the functions beside it serve SubmitJob too.

mod container;
mod ecs;
mod eks;
mod fargate;
mod linux;
mod log;
mod node;
mod process;
mod requirement;
mod retry;
mod runtime;
mod volume;

#[cfg(test)]
mod tests;

use batchyard_core::name::DefinitionName;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    ConsumableResourceProperties, JobDefinitionType, PlatformCapability, RegisterJobDefinitionRequest,
};

use crate::batch::tags;
use crate::config::LimitsConfig;

pub(crate) use container::check_environment;
pub(crate) use eks::check_pod_container;
pub(crate) use fargate::check_fargate_size;
pub(crate) use node::{bounds as node_bounds, check_count as check_node_count};
pub(crate) use requirement::check_resource_requirements;
pub(crate) use retry::{
    check_attempts, check_condition_length, check_conditions, check_retry_strategy, check_timeout,
};

type Check = Result<(), Fault>;

/// Where the jobs of a definition can run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Platform {
    Ec2,
    Fargate,
    ManagedInstances,
}

/// Checks a definition.
///
/// # Errors
/// For the first thing that is wrong.
pub(crate) fn check(request: &RegisterJobDefinitionRequest, limits: &LimitsConfig) -> Check {
    let RegisterJobDefinitionRequest {
        consumable_resource_properties,
        container_properties,
        ecs_properties,
        eks_properties,
        job_definition_name,
        node_properties,
        parameters: _,
        platform_capabilities,
        propagate_tags,
        retry_strategy,
        scheduling_priority,
        tags,
        timeout,
        r#type,
    } = request;
    require(
        DefinitionName::parse(job_definition_name).is_ok(),
        format!("Provided name {job_definition_name} is not supported pattern[a-zA-Z_0-9-]{{1,128}}"),
    )?;
    require(
        container_properties.is_none() || ecs_properties.is_none(),
        "Cannot use both ECS containerProperties and ecsProperties",
    )?;
    require(
        container_properties.is_none() || eks_properties.is_none(),
        "Cannot use both ECS containerProperties and eksProperties",
    )?;
    require(
        ecs_properties.is_none() || eks_properties.is_none(),
        "Cannot use both ecsProperties and eksProperties",
    )?;
    require(
        node_properties.is_none() || eks_properties.is_none(),
        "Cannot use both nodeProperties and eksProperties",
    )?;
    if platform_capabilities.as_deref() == Some(&[PlatformCapability::ManagedInstances]) {
        require(
            *r#type != JobDefinitionType::Multinode,
            "MANAGED_INSTANCES does not support MNP jobs",
        )?;
    }
    let platform = platform(platform_capabilities.as_deref(), eks_properties.is_some())?;
    match r#type {
        JobDefinitionType::Container => match (container_properties, ecs_properties, eks_properties) {
            (Some(container), _, _) => container::check(container, platform)?,
            (None, Some(ecs), _) => ecs::check(ecs, platform, limits)?,
            (None, None, Some(eks)) => eks::check(eks, limits)?,
            (None, None, None) => refuse("ECS Container Image must be provided.")?,
        },
        JobDefinitionType::Multinode => {
            require(platform != Platform::Fargate, "Fargate does not support MNP jobs")?;
            match node_properties {
                Some(nodes) => node::check(nodes, limits)?,
                None => refuse("Node properties of multinode job is required.")?,
            }
        }
        // Own words.
        JobDefinitionType::Unknown(other) => {
            refuse(format!("type must be container or multinode, got {other}."))?
        }
    }
    // Own words (section G.7).
    let is_pod = eks_properties.is_some()
        || node_properties
            .iter()
            .flat_map(|nodes| &nodes.node_range_properties)
            .any(|range| range.eks_properties.is_some());
    require(
        *propagate_tags != Some(true) || !is_pod,
        "propagateTags is not applicable for EKS.",
    )?;
    let is_priority = |priority: i32| (0..=9999).contains(&priority);
    require(
        scheduling_priority.is_none_or(is_priority),
        "Scheduling priority must be between 0 and 9999.",
    )?;
    retry_strategy
        .as_ref()
        .map_or(Ok(()), |strategy| check_retry_strategy(strategy, limits))?;
    timeout.as_ref().map_or(Ok(()), check_timeout)?;
    consumable_resource_properties
        .as_ref()
        .map_or(Ok(()), |properties| consumable(properties, limits))?;
    tags::check(tags.as_ref(), limits)
}

fn platform(capabilities: Option<&[PlatformCapability]>, is_eks: bool) -> Result<Platform, Fault> {
    let Some(capabilities) = capabilities.filter(|capabilities| !capabilities.is_empty()) else {
        return Ok(Platform::Ec2);
    };
    // Own words (section A3.3).
    require(!is_eks, "platformCapabilities is not applicable for EKS.")?;
    let [capability] = capabilities else {
        return Err(client_exception("Exactly 1 capability must be provided."));
    };
    match capability {
        PlatformCapability::Ec2 => Ok(Platform::Ec2),
        PlatformCapability::Fargate => Ok(Platform::Fargate),
        PlatformCapability::ManagedInstances => Ok(Platform::ManagedInstances),
        PlatformCapability::Unknown(other) => Err(client_exception(format!(
            "Capability {other} is not valid. Valid capabilities: [FARGATE, EC2, MANAGED_INSTANCES]"
        ))),
    }
}

/// What a job takes of consumable resources (section A3.11).
pub(in crate::batch) fn consumable(
    properties: &ConsumableResourceProperties,
    limits: &LimitsConfig,
) -> Check {
    let most = limits.consumable_resources_per_job;
    let list = properties.consumable_resource_list.as_deref().unwrap_or_default();
    require(
        list.len() <= most,
        format!("Each ConsumableResourceProperty can have at most {most} consumableResources"),
    )?;
    let mut names: Vec<_> = list.iter().map(|one| &one.consumable_resource).collect();
    names.sort();
    require(
        names.windows(2).all(|pair| pair[0] != pair[1]),
        "Cannot have duplicate consumableResource in consumableResourceProperties",
    )
}

fn require(holds: bool, text: impl Into<String>) -> Check {
    if holds { Ok(()) } else { refuse(text) }
}

fn refuse(text: impl Into<String>) -> Check {
    Err(client_exception(text.into()))
}
