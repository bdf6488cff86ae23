//! The form in which a definition is kept and described (section A3.23).

use batchyard_wire::batch::{
    ContainerProperties, EcsProperties, FargatePlatformConfiguration, JobDefinition, JobDefinitionType,
    KeyValuePair, LinuxParameters, LogConfiguration, NodeProperties, OrchestrationType, PlatformCapability,
    RegisterJobDefinitionRequest, RetryAction, RetryStrategy,
};

/// The definition without what its row has: ARN, revision, status and tags.
pub(crate) fn normalise(request: RegisterJobDefinitionRequest) -> JobDefinition {
    let RegisterJobDefinitionRequest {
        consumable_resource_properties,
        container_properties,
        ecs_properties,
        eks_properties,
        job_definition_name,
        node_properties,
        parameters,
        platform_capabilities,
        propagate_tags,
        retry_strategy,
        scheduling_priority,
        tags: _,
        timeout,
        r#type,
    } = request;
    let is_eks = eks_properties.is_some();
    let platform_capabilities = platform_capabilities.filter(|capabilities| !capabilities.is_empty());
    let is_fargate = platform_capabilities
        .iter()
        .flatten()
        .any(|capability| *capability == PlatformCapability::Fargate);
    let is_multinode = r#type == JobDefinitionType::Multinode;
    JobDefinition {
        job_definition_name,
        r#type: r#type.to_string(),
        parameters: Some(parameters.unwrap_or_default()),
        container_properties: container_properties
            .filter(|_| !is_multinode)
            .map(|properties| container(properties, is_fargate)),
        ecs_properties: ecs_properties.map(|properties| ecs(properties, is_fargate)),
        eks_properties,
        node_properties: node_properties.map(nodes),
        platform_capabilities: match is_eks {
            true => None,
            false => Some(platform_capabilities.unwrap_or_else(|| vec![PlatformCapability::Ec2])),
        },
        container_orchestration_type: Some(match is_eks {
            true => OrchestrationType::Eks,
            false => OrchestrationType::Ecs,
        }),
        propagate_tags: Some(propagate_tags.unwrap_or(false)),
        retry_strategy: retry_strategy.map(retry),
        scheduling_priority,
        timeout,
        consumable_resource_properties,
        ..JobDefinition::default()
    }
}

fn container(mut container: ContainerProperties, is_fargate: bool) -> ContainerProperties {
    container.command.get_or_insert_default();
    container.environment = Some(environment(container.environment));
    container.mount_points.get_or_insert_default();
    container.resource_requirements.get_or_insert_default();
    container.secrets.get_or_insert_default();
    container.ulimits.get_or_insert_default();
    container.volumes.get_or_insert_default();
    container.linux_parameters = container.linux_parameters.map(linux);
    container.log_configuration = container.log_configuration.map(log);
    if is_fargate {
        let platform = container
            .fargate_platform_configuration
            .get_or_insert_with(FargatePlatformConfiguration::default);
        platform
            .platform_version
            .get_or_insert_with(|| "LATEST".to_owned());
    }
    container
}

/// Variables without a value are no variables.
fn environment(environment: Option<Vec<KeyValuePair>>) -> Vec<KeyValuePair> {
    let mut environment = environment.unwrap_or_default();
    environment.retain(|variable| variable.value.as_deref().is_some_and(|value| !value.is_empty()));
    environment
}

fn linux(mut linux: LinuxParameters) -> LinuxParameters {
    for device in linux.devices.get_or_insert_default() {
        device.permissions.get_or_insert_default();
    }
    for tmpfs in linux.tmpfs.get_or_insert_default() {
        tmpfs.mount_options.get_or_insert_default();
    }
    linux
}

fn log(mut log: LogConfiguration) -> LogConfiguration {
    log.options.get_or_insert_default();
    log.secret_options.get_or_insert_default();
    log
}

fn ecs(mut ecs: EcsProperties, is_fargate: bool) -> EcsProperties {
    for task in &mut ecs.task_properties {
        if is_fargate {
            task.platform_version.get_or_insert_with(|| "LATEST".to_owned());
        }
        task.volumes.get_or_insert_default();
        for container in &mut task.containers {
            container.essential.get_or_insert(true);
            container.command.get_or_insert_default();
            container.depends_on.get_or_insert_default();
            container.environment = Some(environment(container.environment.take()));
            container.mount_points.get_or_insert_default();
            container.resource_requirements.get_or_insert_default();
            container.secrets.get_or_insert_default();
            container.ulimits.get_or_insert_default();
            container.linux_parameters = container.linux_parameters.take().map(linux);
            container.log_configuration = container.log_configuration.take().map(log);
        }
    }
    ecs
}

fn nodes(mut nodes: NodeProperties) -> NodeProperties {
    for range in &mut nodes.node_range_properties {
        range.container = range
            .container
            .take()
            .map(|properties| container(properties, false));
        range.ecs_properties = range
            .ecs_properties
            .take()
            .map(|properties| ecs(properties, false));
    }
    nodes
}

/// Actions come back in lower case, whatever case they were given in.
fn retry(mut retry: RetryStrategy) -> RetryStrategy {
    for rule in retry.evaluate_on_exit.get_or_insert_default() {
        rule.action = RetryAction::from(rule.action.to_string().to_ascii_lowercase().as_str());
    }
    retry
}
