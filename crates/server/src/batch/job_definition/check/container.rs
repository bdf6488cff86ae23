//! Container properties.

use batchyard_wire::batch::{ContainerProperties, KeyValuePair};

use super::{Check, Platform, fargate, linux, log, process, refuse, require, requirement, runtime, volume};

pub(super) fn check(container: &ContainerProperties, platform: Platform) -> Check {
    let image = container.image.as_deref().unwrap_or_default();
    require(!image.is_empty(), "ECS Container Image must be provided.")?;
    check_environment(container.environment.as_deref().unwrap_or_default())?;
    let requirements = container.resource_requirements.as_deref().unwrap_or_default();
    match platform {
        Platform::Fargate => on_fargate(container)?,
        Platform::Ec2 => on_ec2(container)?,
        Platform::ManagedInstances => refuse("Cannot use ECS containerProperties for MANAGED_INSTANCES")?,
    }
    requirement::complete(requirements, container.vcpus, container.memory, platform)?;
    container.linux_parameters.as_ref().map_or(Ok(()), linux::check)?;
    container.log_configuration.as_ref().map_or(Ok(()), log::check)?;
    container
        .runtime_platform
        .as_ref()
        .map_or(Ok(()), |platform| runtime::check(platform, requirements))?;
    let volumes = container.volumes.as_deref().unwrap_or_default();
    volume::check(volumes, platform, container.job_role_arn.is_some())?;
    volume::mounts(container.mount_points.as_ref(), volumes, "")?;
    linux::ulimits(container.ulimits.as_ref())?;
    container.user.as_deref().map_or(Ok(()), user)?;
    let secret_options = container
        .log_configuration
        .iter()
        .flat_map(|log| &log.secret_options)
        .flatten();
    let has_secrets = container
        .secrets
        .iter()
        .flatten()
        .chain(secret_options)
        .next()
        .is_some();
    require(
        !has_secrets || container.execution_role_arn.is_some(),
        "executionRoleArn cannot be empty when using secrets or secretOptions",
    )?;
    process::path(image).map_or(Ok(()), |path| process::check(container, path))
}

fn on_fargate(container: &ContainerProperties) -> Check {
    require(
        container.execution_role_arn.is_some(),
        "executionRoleArn is required for Fargate jobs.",
    )?;
    fargate::no_ulimits(container.ulimits.as_ref())?;
    container
        .linux_parameters
        .as_ref()
        .map_or(Ok(()), fargate::linux)?;
    // Own words.
    require(
        container.privileged != Some(true),
        "privileged is not applicable for Fargate.",
    )?;
    if let Some(log) = &container.log_configuration {
        fargate::log_driver(&log.log_driver)?;
    }
    fargate::storage(container.ephemeral_storage.as_ref())?;
    let version = container
        .fargate_platform_configuration
        .as_ref()
        .and_then(|platform| platform.platform_version.as_deref());
    efs_version(
        version,
        container
            .volumes
            .iter()
            .flatten()
            .any(|volume| volume.efs_volume_configuration.is_some()),
    )
}

/// File systems need a platform of version 1.4.0 (section A3.7).
fn efs_version(version: Option<&str>, uses_efs: bool) -> Check {
    let Some(version) = version.filter(|version| *version != "LATEST" && uses_efs) else {
        return Ok(());
    };
    let parts: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    require(
        parts >= vec![1, 4, 0],
        format!("EFS is supported for Fargate platform versions 1.4.0 or later, provided {version}"),
    )
}

fn on_ec2(container: &ContainerProperties) -> Check {
    let members = [
        ("networkConfiguration", container.network_configuration.is_some()),
        (
            "fargatePlatformConfiguration",
            container.fargate_platform_configuration.is_some(),
        ),
    ];
    for (member, is_given) in members {
        require(!is_given, format!("{member} not applicable for EC2."))?;
    }
    require(
        container.runtime_platform.is_none(),
        "runtimePlatform is not applicable for EC2.",
    )
}

/// Checks variables, of definitions and of overrides.
pub(crate) fn check_environment(environment: &[KeyValuePair]) -> Check {
    for KeyValuePair { name, value: _ } in environment {
        let Some(name) = name.as_deref().filter(|name| !name.is_empty()) else {
            return refuse("Environment variable name is required.");
        };
        // Own words (section A3.13).
        require(
            !name.starts_with("AWS_BATCH"),
            format!(
                "Environment variable {name} is not allowed: names that begin with AWS_BATCH are reserved."
            ),
        )?;
    }
    Ok(())
}

/// A name or a number, each with a group or not (section A3.16).
pub(super) fn user(user: &str) -> Check {
    let is_name = |text: &str| {
        let mut bytes = text.bytes();
        let is_first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        text.len() <= 31
            && bytes.next().is_some_and(is_first)
            && bytes.all(|byte| is_first(byte) || byte == b'-')
    };
    let parts: Vec<&str> = user.split(':').collect();
    require(
        parts.len() <= 2 && parts.iter().all(|part| is_name(part)),
        format!("User '{user}' does not match regex"),
    )
}
