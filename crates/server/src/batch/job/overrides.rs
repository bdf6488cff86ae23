//! What a submission may change of the container (sections E1.2, E1.3, A4.6, A4.7).

use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    ContainerOverrides, ContainerProperties, EcsPropertiesOverride, KeyValuePair, ResourceRequirement,
    ResourceType, TaskContainerOverrides,
};

use crate::batch::job_definition::check::Platform as Capability;
use crate::batch::job_definition::check::{check_environment, check_resource_requirements};

/// What overrides apply to.
pub(super) struct Kind<'a> {
    /// Whether they come in `ecsPropertiesOverride`.
    pub(super) has_task: bool,
    /// The name of the task's container.
    pub(super) container_name: Option<&'a str>,
}

/// The overrides of the one container, wherever the request has them.
///
/// # Errors
/// For overrides of another kind than the definition's.
pub(super) fn of_request(
    kind: &Kind<'_>,
    container: Option<ContainerOverrides>,
    ecs: Option<EcsPropertiesOverride>,
) -> Result<Option<ContainerOverrides>, Fault> {
    // Own words throughout.
    let containers: Vec<TaskContainerOverrides> = ecs
        .into_iter()
        .flat_map(|ecs| ecs.task_properties)
        .flatten()
        .flat_map(|task| task.containers)
        .flatten()
        .collect();
    if !kind.has_task {
        if !containers.is_empty() {
            return Err(client_exception(
                "ecsPropertiesOverride is only applicable for definitions with ecsProperties.",
            ));
        }
        return Ok(container);
    }
    if container.is_some() {
        return Err(client_exception(
            "containerOverrides is not applicable for definitions with ecsProperties.",
        ));
    }
    let mut found = None;
    for one in containers {
        if one.name.is_some() && one.name.as_deref() != kind.container_name {
            return Err(client_exception(format!(
                "ecsPropertiesOverride names the container {}, which the definition does not have.",
                one.name.unwrap_or_default()
            )));
        }
        let TaskContainerOverrides {
            command,
            environment,
            name: _,
            resource_requirements,
        } = one;
        found = Some(ContainerOverrides {
            command,
            environment,
            resource_requirements,
            ..ContainerOverrides::default()
        });
    }
    Ok(found)
}

/// The container with the overrides applied.
pub(super) fn apply(
    mut container: ContainerProperties,
    overrides: ContainerOverrides,
    platform: Capability,
) -> Result<ContainerProperties, Fault> {
    let ContainerOverrides {
        command,
        environment,
        instance_type,
        memory,
        resource_requirements,
        vcpus,
    } = overrides;
    if instance_type.is_some() {
        // Own words (section E1.2).
        return Err(client_exception(
            "instanceType is only applicable for multi-node parallel jobs.",
        ));
    }
    if let Some(command) = command {
        if command.iter().any(String::is_empty) {
            // Own words (section A4.7).
            return Err(client_exception(
                "containerOverrides.command must not contain empty strings.",
            ));
        }
        container.command = Some(command);
    }
    if let Some(environment) = environment {
        check_environment(&environment)?;
        container.environment = Some(merged(container.environment.unwrap_or_default(), environment));
    }
    // The deprecated members change only the definition's deprecated members (section A4.6).
    if vcpus.is_some() && container.vcpus.is_some() {
        container.vcpus = vcpus;
    }
    if memory.is_some() && container.memory.is_some() {
        container.memory = memory;
    }
    if let Some(requirements) = resource_requirements {
        check_resource_requirements(&requirements, platform)?;
        for requirement in requirements {
            require(&mut container, requirement);
        }
    }
    Ok(container)
}

/// The override wins, new ones follow; variables with an empty value are dropped, as in definitions.
fn merged(present: Vec<KeyValuePair>, overrides: Vec<KeyValuePair>) -> Vec<KeyValuePair> {
    let mut result = present;
    for variable in overrides {
        match result.iter_mut().find(|present| present.name == variable.name) {
            Some(present) => present.value = variable.value,
            None => result.push(variable),
        }
    }
    result.retain(|variable| variable.value.as_deref().is_some_and(|value| !value.is_empty()));
    result
}

/// Requirements are merged by type, and win over the deprecated members.
fn require(container: &mut ContainerProperties, requirement: ResourceRequirement) {
    match requirement.r#type {
        ResourceType::Vcpu => container.vcpus = None,
        ResourceType::Memory => container.memory = None,
        ResourceType::Gpu | ResourceType::Unknown(_) => {}
    }
    let requirements = container.resource_requirements.get_or_insert_default();
    requirements.retain(|present| present.r#type != requirement.r#type);
    requirements.push(requirement);
}
