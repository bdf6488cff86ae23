//! `ecsProperties`: one task of several containers.

use std::collections::BTreeSet;

use batchyard_wire::batch::{EcsProperties, EcsTaskProperties, LogDriver, TaskContainerProperties};

use super::{Check, Platform, container, fargate, linux, log, refuse, require, requirement, runtime, volume};
use crate::config::LimitsConfig;

pub(super) fn check(ecs: &EcsProperties, platform: Platform, limits: &LimitsConfig) -> Check {
    let [task] = ecs.task_properties.as_slice() else {
        // Own words.
        return refuse("ecsProperties must have exactly one entry in taskProperties.");
    };
    check_task(task, platform, limits.containers_per_task)
}

fn check_task(task: &EcsTaskProperties, platform: Platform, containers_max: usize) -> Check {
    let containers = task.containers.as_slice();
    require(
        (1..=containers_max).contains(&containers.len()),
        format!("Number of containers must be between 1 and {containers_max}"),
    )?;
    let names: Vec<&str> = containers.iter().filter_map(|one| one.name.as_deref()).collect();
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    require(distinct.len() == names.len(), "Container names must be unique")?;
    require(
        containers.iter().any(|one| one.essential != Some(false)),
        "At least one container must be set as essential",
    )?;
    for (field, mode, modes) in [
        ("ipcMode", &task.ipc_mode, ["host", "task", "none"].as_slice()),
        ("pidMode", &task.pid_mode, ["host", "task"].as_slice()),
    ] {
        // Own words.
        require(
            mode.as_deref().is_none_or(|mode| modes.contains(&mode)),
            format!("{field} must be one of [{}].", modes.join(", ")),
        )?;
    }
    match platform {
        Platform::Fargate => {
            require(
                task.execution_role_arn.is_some(),
                "executionRoleArn is required for Fargate jobs.",
            )?;
            fargate::storage(task.ephemeral_storage.as_ref())?;
        }
        Platform::Ec2 => require(
            task.runtime_platform.is_none(),
            "runtimePlatform is not applicable for EC2.",
        )?,
        Platform::ManagedInstances => {
            let family = task
                .runtime_platform
                .as_ref()
                .and_then(|platform| platform.operating_system_family.as_deref());
            require(
                family.is_none_or(|family| family == "LINUX"),
                "runtimePlatform for MANAGED_INSTANCES only supports LINUX operating system family.",
            )?;
        }
    }
    // Own words (section K.2).
    require(
        task.network_mode
            .as_deref()
            .is_none_or(|mode| mode == "host" && platform == Platform::ManagedInstances),
        "networkMode can only be host, and is only applicable for MANAGED_INSTANCES.",
    )?;
    task.runtime_platform
        .as_ref()
        .map_or(Ok(()), |platform| runtime::check(platform, &[]))?;
    volume::check(
        task.volumes.as_deref().unwrap_or_default(),
        platform,
        task.task_role_arn.is_some(),
    )?;
    for (index, one) in containers.iter().enumerate() {
        check_container(one, task, platform)?;
        let member = format!("containers[{index}].");
        volume::mounts(
            one.mount_points.as_ref(),
            task.volumes.as_deref().unwrap_or_default(),
            &member,
        )?;
        linux::ulimits(one.ulimits.as_ref())?;
    }
    // Own words.
    require(
        !has_circle(containers),
        "TaskContainer dependencies must not form a circle.",
    )?;
    let has_firelens = containers.iter().any(|one| one.firelens_configuration.is_some());
    let is_fed = |one: &TaskContainerProperties| {
        let driver = one.log_configuration.as_ref().map(|log| &log.log_driver);
        one.firelens_configuration.is_none() && driver == Some(&LogDriver::Awsfirelens)
    };
    // Own words.
    require(
        !has_firelens || containers.iter().any(is_fed),
        "A container with firelensConfiguration needs another one with the log driver awsfirelens.",
    )
}

fn check_container(one: &TaskContainerProperties, task: &EcsTaskProperties, platform: Platform) -> Check {
    require(!one.image.is_empty(), "ECS Container Image must be provided.")?;
    container::check_environment(one.environment.as_deref().unwrap_or_default())?;
    requirement::complete(
        one.resource_requirements.as_deref().unwrap_or_default(),
        None,
        None,
        platform,
    )?;
    one.linux_parameters.as_ref().map_or(Ok(()), linux::check)?;
    one.log_configuration.as_ref().map_or(Ok(()), log::check)?;
    one.user.as_deref().map_or(Ok(()), container::user)?;
    if platform == Platform::Fargate {
        fargate::no_ulimits(one.ulimits.as_ref())?;
        one.linux_parameters.as_ref().map_or(Ok(()), fargate::linux)?;
        if let Some(log) = &one.log_configuration {
            fargate::log_driver(&log.log_driver)?;
        }
    }
    if platform == Platform::ManagedInstances
        && let Some(log) = &one.log_configuration
    {
        fargate::log_driver_of("MANAGED_INSTANCES", &log.log_driver)?;
    }
    let secret_options = one
        .log_configuration
        .iter()
        .flat_map(|log| &log.secret_options)
        .flatten();
    let has_secrets = one
        .secrets
        .iter()
        .flatten()
        .chain(secret_options)
        .next()
        .is_some();
    require(
        !has_secrets || task.execution_role_arn.is_some(),
        "executionRoleArn cannot be empty when using secrets or secretOptions",
    )?;
    check_dependencies(one, task)
}

fn check_dependencies(one: &TaskContainerProperties, task: &EcsTaskProperties) -> Check {
    let dependencies = one.depends_on.as_deref().unwrap_or_default();
    require(
        dependencies.is_empty() || task.containers.len() > 1,
        "Container dependency can not be used in a single-container job.",
    )?;
    for dependency in dependencies {
        let condition = dependency.condition.as_deref().unwrap_or_default();
        require(
            ["START", "COMPLETE", "SUCCESS"].contains(&condition),
            format!(
                "TaskContainer dependency {condition} is not valid. Valid values are: [START, COMPLETE, SUCCESS]"
            ),
        )?;
        let target = task
            .containers
            .iter()
            .find(|target| target.name == dependency.container_name);
        // Own words.
        require(
            target.is_some(),
            format!(
                "TaskContainer dependency on {} names no container.",
                dependency.container_name.as_deref().unwrap_or_default()
            ),
        )?;
        let is_essential = target.is_some_and(|target| target.essential != Some(false));
        require(
            condition == "START" || !is_essential,
            format!(
                "The container target of a dependency can not have condition {condition} if the target is essential"
            ),
        )?;
    }
    Ok(())
}

/// Whether containers wait for each other: then what is left when, again and again, all that wait for nothing are taken away is not empty.
fn has_circle(containers: &[TaskContainerProperties]) -> bool {
    let mut left: Vec<&TaskContainerProperties> = containers.iter().collect();
    loop {
        let names: BTreeSet<&str> = left.iter().filter_map(|one| one.name.as_deref()).collect();
        let waits = |one: &&TaskContainerProperties| {
            let mut on = one.depends_on.iter().flatten();
            on.any(|on| {
                on.container_name
                    .as_deref()
                    .is_some_and(|name| names.contains(name))
            })
        };
        let before = left.len();
        left.retain(waits);
        if left.len() == before {
            return before > 0;
        }
    }
}
