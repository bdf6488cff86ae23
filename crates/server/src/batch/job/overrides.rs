//! What a submission may change of its containers (sections E1.2, E1.3, A4.6, A4.7).

use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    ContainerOverrides, ContainerProperties, EcsPropertiesOverride, EcsTaskProperties, EksPropertiesOverride,
    KeyValuePair, ResourceRequirement, ResourceType, TaskContainerOverrides,
};

use super::pod;
use super::work::Work;
use crate::batch::job_definition::check::Platform as Capability;
use crate::batch::job_definition::check::{check_environment, check_resource_requirements};

/// What a request may change of what the definition runs.
pub(super) struct Overrides {
    pub(super) container: Option<ContainerOverrides>,
    pub(super) ecs: Option<EcsPropertiesOverride>,
    pub(super) eks: Option<EksPropertiesOverride>,
}

/// The work with the overrides applied; `None` where there are none.
///
/// # Errors
/// For overrides of another kind than the definition's, and for those of a container that it does not have.
pub(super) fn of_request(
    work: &Work,
    platform: Capability,
    overrides: Overrides,
) -> Result<Option<Work>, Fault> {
    let Overrides { container, ecs, eks } = overrides;
    let ecs: Vec<TaskContainerOverrides> = ecs
        .into_iter()
        .flat_map(|ecs| ecs.task_properties)
        .flatten()
        .flat_map(|task| task.containers)
        .flatten()
        .collect();
    let eks = eks.and_then(|eks| eks.pod_properties);
    let (is_task, is_pod) = match work {
        Work::Container(_) => (false, false),
        Work::Task { .. } => (true, false),
        Work::Pod(_) => (false, true),
    };
    // Own words throughout.
    if !ecs.is_empty() && !is_task {
        return Err(client_exception(
            "ecsPropertiesOverride is only applicable for definitions with ecsProperties.",
        ));
    }
    if eks.is_some() && !is_pod {
        return Err(client_exception(
            "eksPropertiesOverride is only applicable for definitions with eksProperties.",
        ));
    }
    if container.is_some() && (is_task || is_pod) {
        let kind = if is_task { "ecsProperties" } else { "eksProperties" };
        return Err(client_exception(format!(
            "containerOverrides is not applicable for definitions with {kind}."
        )));
    }
    if container.is_none() && ecs.is_empty() && eks.is_none() {
        return Ok(None);
    }
    let work = match (work.clone(), container, eks) {
        (Work::Container(present), Some(overrides), _) => {
            Work::Container(Box::new(apply(*present, overrides, platform)?))
        }
        (Work::Task { task, mut containers }, _, _) => {
            for one in ecs {
                let index = position(&task, one.name.as_deref())?;
                let TaskContainerOverrides {
                    command,
                    environment,
                    name: _,
                    resource_requirements,
                } = one;
                let overrides = ContainerOverrides {
                    command,
                    environment,
                    resource_requirements,
                    ..ContainerOverrides::default()
                };
                containers[index] = apply(containers[index].clone(), overrides, platform)?;
            }
            Work::Task { task, containers }
        }
        (Work::Pod(present), _, Some(overrides)) => {
            Work::Pod(Box::new(pod::overridden(*present, overrides)?))
        }
        (work @ (Work::Container(_) | Work::Pod(_)), _, _) => work,
    };
    Ok(Some(work))
}

/// Which container is meant. The only one of a task need not be named.
fn position(task: &EcsTaskProperties, name: Option<&str>) -> Result<usize, Fault> {
    if name.is_none() && task.containers.len() == 1 {
        return Ok(0);
    }
    let Some(name) = name else {
        return Err(client_exception(
            "ecsPropertiesOverride must name the containers of a definition that has several.",
        ));
    };
    let mut containers = task.containers.iter();
    containers
        .position(|container| container.name.as_deref() == Some(name))
        .ok_or_else(|| {
            client_exception(format!(
                "ecsPropertiesOverride names the container {name}, which the definition does not have."
            ))
        })
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
