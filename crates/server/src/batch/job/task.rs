//! `ecsProperties`: a task of one container or several (section E.4).

use batchyard_core::launch::{
    ContainerCondition, ContainerDependency, LaunchSpec, Runner, Sharing, TaskContainer, TaskEnd, TaskSpec,
};
use batchyard_core::resources::Resources;
use batchyard_core::time::Millis;
use batchyard_wire::Fault;
use batchyard_wire::batch::{
    ContainerProperties, EcsPropertiesDetail, EcsTaskDetails, EcsTaskProperties, TaskContainerDependency,
    TaskContainerProperties,
};

use super::launch::{is_process, role};
use super::work::{STOP_TIMEOUT, Setting, one, widened};

/// What of a task this version cannot carry out, if anything.
pub(super) fn check(task: &EcsTaskProperties, containers: &[ContainerProperties]) -> Result<(), String> {
    if task
        .containers
        .iter()
        .any(|container| container.firelens_configuration.is_some())
    {
        return Err("firelensConfiguration is not implemented yet".to_owned());
    }
    let has_process = containers
        .iter()
        .any(|container| container.image.as_deref().is_some_and(is_process));
    if has_process && containers.len() > 1 {
        return Err("process containers (image host://) run alone, not in a task of several".to_owned());
    }
    if has_process && (task.ipc_mode.is_some() || task.pid_mode.is_some()) {
        return Err("ipcMode and pidMode are for containers, not for processes (image host://)".to_owned());
    }
    Ok(())
}

/// The containers of a task, each in the form of `containerProperties`.
pub(super) fn containers(task: &EcsTaskProperties) -> Vec<ContainerProperties> {
    let container = |container: &TaskContainerProperties| {
        let TaskContainerProperties {
            command,
            depends_on: _,
            environment,
            essential: _,
            firelens_configuration: _,
            image,
            linux_parameters,
            log_configuration,
            mount_points,
            name: _,
            privileged,
            readonly_root_filesystem,
            repository_credentials,
            resource_requirements,
            secrets,
            start_timeout: _,
            stop_timeout: _,
            ulimits,
            user,
        } = container.clone();
        ContainerProperties {
            command,
            environment,
            image: Some(image),
            linux_parameters,
            log_configuration,
            mount_points,
            privileged,
            readonly_root_filesystem,
            repository_credentials,
            resource_requirements,
            secrets,
            ulimits,
            user,
            ephemeral_storage: task.ephemeral_storage.clone(),
            execution_role_arn: task.execution_role_arn.clone(),
            job_role_arn: task.task_role_arn.clone(),
            runtime_platform: task.runtime_platform.clone(),
            volumes: task.volumes.clone(),
            ..ContainerProperties::default()
        }
    };
    task.containers.iter().map(container).collect()
}

/// How to run it. A single container that shares nothing is run as any other.
pub(super) fn launch(
    task: &EcsTaskProperties,
    containers: &[ContainerProperties],
    setting: Setting<'_>,
) -> Result<LaunchSpec, Fault> {
    let (processes, ipc) = (sharing(&task.pid_mode), sharing(&task.ipc_mode));
    if let ([only], [container]) = (task.containers.as_slice(), containers)
        && (processes, ipc) == (Sharing::Usual, Sharing::Usual)
    {
        let name = only.name.as_deref().unwrap_or("default");
        return one(container, setting, name, stop_timeout(only));
    }
    let members = task.containers.iter().zip(containers).enumerate();
    let members = members.map(|(index, (own, container))| member(index, own, container, setting));
    let members: Vec<TaskContainer> = members.collect::<Result<_, Fault>>()?;
    let resources = members.iter().fold(Resources::default(), |sum, container| {
        sum.plus(container.resources)
    });
    let stop_timeout = members.iter().map(|container| container.stop_timeout).max();
    Ok(LaunchSpec {
        runner: Runner::Task(Box::new(TaskSpec {
            are_hosts: false,
            containers: members,
            processes,
            ipc,
            end: TaskEnd::FirstEssential,
        })),
        command: Vec::new(),
        environment: Vec::new(),
        resources,
        log: None,
        stop_timeout: stop_timeout.unwrap_or(STOP_TIMEOUT),
        role: role(task.task_role_arn.as_deref()),
        training: None,
    })
}

fn member(
    index: usize,
    own: &TaskContainerProperties,
    container: &ContainerProperties,
    setting: Setting<'_>,
) -> Result<TaskContainer, Fault> {
    let name = own.name.clone().unwrap_or_else(|| format!("container-{index}"));
    let LaunchSpec {
        runner,
        command,
        environment,
        resources,
        log,
        stop_timeout,
        // The task's, which has it once for all.
        role: _,
        training: _,
    } = one(container, setting, &name, stop_timeout(own))?;
    let Runner::Container(container) = runner else {
        unreachable!("processes run alone, which was checked when the definition was read")
    };
    Ok(TaskContainer {
        name,
        container: *container,
        command,
        environment,
        resources,
        log,
        depends_on: own.depends_on.iter().flatten().filter_map(dependency).collect(),
        is_essential: own.essential.unwrap_or(true),
        start_timeout: own
            .start_timeout
            .map(|timeout| seconds(Some(timeout), Millis::new(0))),
        stop_timeout,
    })
}

/// Time between asking a container to stop and killing it.
pub(super) fn stop_timeout(container: &TaskContainerProperties) -> Millis {
    seconds(container.stop_timeout, STOP_TIMEOUT)
}

fn dependency(dependency: &TaskContainerDependency) -> Option<ContainerDependency> {
    Some(ContainerDependency {
        on: dependency.container_name.clone()?,
        // The conditions were checked when the definition was registered.
        condition: match dependency.condition.as_deref()? {
            "COMPLETE" => ContainerCondition::Complete,
            "SUCCESS" => ContainerCondition::Success,
            _ => ContainerCondition::Start,
        },
    })
}

fn seconds(given: Option<i32>, otherwise: Millis) -> Millis {
    given
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map_or(otherwise, Millis::from_seconds)
}

fn sharing(mode: &Option<String>) -> Sharing {
    match mode.as_deref() {
        Some("host") => Sharing::Host,
        Some("task") => Sharing::Task,
        Some("none") => Sharing::Own,
        _ => Sharing::Usual,
    }
}

/// What DescribeJobs shows: the definition with what the job changed of it.
pub(super) fn detail(task: &EcsTaskProperties, containers: &[ContainerProperties]) -> EcsPropertiesDetail {
    let mut detail: EcsTaskDetails = widened(task);
    for (shown, container) in detail.containers.iter_mut().flatten().zip(containers) {
        shown.command.clone_from(&container.command);
        shown.environment.clone_from(&container.environment);
        shown
            .resource_requirements
            .clone_from(&container.resource_requirements);
        shown.network_interfaces = Some(Vec::new());
    }
    EcsPropertiesDetail {
        task_properties: Some(vec![detail]),
    }
}
