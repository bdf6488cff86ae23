//! From a container in the client's words to what an engine runs (section E.3).

use std::path::PathBuf;

use batchyard_core::launch::{
    ContainerSpec, Device, LaunchSpec, LogDriver, LogTarget, ProcessSpec, RoleReference, Runner, Tmpfs,
    Ulimit, Variable,
};
use batchyard_core::resources::Resources;
use batchyard_core::secret::{ImageCredentials, SecretVariable};
use batchyard_core::time::Millis;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    ContainerProperties, DeviceCgroupPermission, KeyValuePair, LinuxParameters, LogConfiguration,
    LogDriver as WireLogDriver, Secret,
};

use super::{secret, volume};
use crate::provisions::Provisions;

/// What images of process jobs begin with; the path behind it is the folder they run in.
const PROCESS: &str = "host://";

/// The log group of jobs that choose none (section F5.1).
pub(super) const LOG_GROUP: &str = "/aws/batch/job";

/// Characters of the definition's name in the name of a log stream (section F5.1).
pub(super) const STREAM_NAME_PART_MAX: usize = 200;

/// What a launch is made from.
pub(super) struct Source<'a> {
    pub(super) container: &'a ContainerProperties,
    /// The name of the definition.
    pub(super) definition: &'a str,
    /// The middle part of the log stream's name.
    pub(super) stream_part: &'a str,
    pub(super) is_fargate: bool,
    pub(super) resources: Resources,
    pub(super) stop_timeout: Millis,
    pub(super) provisions: &'a Provisions,
}

/// Whether an image stands for a process of the host.
pub(super) fn is_process(image: &str) -> bool {
    image.starts_with(PROCESS)
}

/// How to run the job.
///
/// # Errors
/// For a process job without a command; for secrets and volumes that cannot be had, which were refused with the definition.
pub(super) fn spec(source: &Source<'_>) -> Result<LaunchSpec, Fault> {
    let Source {
        container,
        definition,
        stream_part,
        is_fargate,
        resources,
        stop_timeout,
        provisions,
    } = source;
    let image = container.image.as_deref().unwrap_or_default();
    let command = container.command.clone().unwrap_or_default();
    let secrets = secrets(container).map_err(client_exception)?;
    let runner = match image.strip_prefix(PROCESS) {
        // Own words.
        Some(_) if command.is_empty() => {
            return Err(client_exception("A process job (image host://) needs a command."));
        }
        Some(folder) => Runner::Process(ProcessSpec {
            working_directory: (!folder.is_empty()).then(|| PathBuf::from(folder)),
            ulimits: ulimits(container),
            secrets: secrets.variables,
        }),
        None => {
            let mounts = volume::mounts(container, provisions).map_err(client_exception)?;
            let mut spec = container_spec(container, *is_fargate, secrets);
            spec.mounts = mounts;
            Runner::Container(Box::new(spec))
        }
    };
    let log = container.log_configuration.as_ref();
    let is_process = is_process(image);
    Ok(LaunchSpec {
        runner,
        command,
        environment: container
            .environment
            .iter()
            .flatten()
            .filter_map(variable)
            .collect(),
        resources: *resources,
        log: log_target(log, is_process, definition, stream_part),
        stop_timeout: *stop_timeout,
        role: role(container.job_role_arn.as_deref()),
        training: None,
    })
}

/// The role that a definition names.
pub(super) fn role(reference: Option<&str>) -> Option<RoleReference> {
    let reference = reference.filter(|reference| !reference.is_empty())?;
    Some(RoleReference(reference.into()))
}

fn variable(pair: &KeyValuePair) -> Option<Variable> {
    let name = pair.name.clone().filter(|name| !name.is_empty())?;
    Some(Variable {
        name,
        value: pair.value.clone().unwrap_or_default(),
    })
}

/// Output of processes is always kept here: no other driver could have it.
fn log_target(
    log: Option<&LogConfiguration>,
    is_process: bool,
    definition: &str,
    stream_part: &str,
) -> Option<LogTarget> {
    let is_awslogs = log.is_none_or(|log| log.log_driver == WireLogDriver::Awslogs);
    if !is_awslogs && !is_process {
        return None;
    }
    let option = |name: &str| log.filter(|_| is_awslogs)?.options.as_ref()?.get(name).cloned();
    let prefix = option("awslogs-stream-prefix")
        .unwrap_or_else(|| definition.chars().take(STREAM_NAME_PART_MAX).collect());
    Some(LogTarget {
        group: option("awslogs-group").unwrap_or_else(|| LOG_GROUP.to_owned()),
        stream_prefix: format!("{prefix}/{stream_part}/"),
    })
}

/// What a container has of secrets.
pub(super) struct Secrets {
    pub(super) variables: Vec<SecretVariable>,
    pub(super) log_options: Vec<SecretVariable>,
    pub(super) credentials: Option<ImageCredentials>,
}

/// The secrets of a container.
///
/// # Errors
/// For what means no secret.
pub(super) fn secrets(container: &ContainerProperties) -> Result<Secrets, String> {
    let of = |secrets: &Option<Vec<Secret>>, member| {
        secret::variables(member, secrets.as_deref().unwrap_or_default())
    };
    let log = container.log_configuration.as_ref();
    Ok(Secrets {
        variables: of(&container.secrets, "secrets")?,
        log_options: match log {
            Some(log) => of(&log.secret_options, "logConfiguration.secretOptions")?,
            None => Vec::new(),
        },
        credentials: container
            .repository_credentials
            .as_ref()
            .map(secret::credentials)
            .transpose()?,
    })
}

fn container_spec(container: &ContainerProperties, is_fargate: bool, secrets: Secrets) -> ContainerSpec {
    let Secrets {
        variables,
        log_options,
        credentials,
    } = secrets;
    let linux = container.linux_parameters.clone().unwrap_or_default();
    let LinuxParameters {
        devices: _,
        init_process_enabled,
        max_swap,
        shared_memory_size,
        swappiness,
        tmpfs: _,
    } = linux;
    let architecture = container
        .runtime_platform
        .as_ref()
        .and_then(|platform| platform.cpu_architecture.as_deref());
    ContainerSpec {
        image: container.image.clone().unwrap_or_default(),
        entrypoint: None,
        vcpus_are_a_ceiling: is_fargate,
        ulimits: ulimits(container),
        user: container.user.clone().filter(|user| !user.is_empty()),
        is_privileged: container.privileged.unwrap_or(false),
        has_readonly_root: container.readonly_root_filesystem.unwrap_or(false),
        has_init: init_process_enabled.unwrap_or(false),
        devices: devices(container),
        shared_memory_mib: shared_memory_size.and_then(|size| u64::try_from(size).ok()),
        tmpfs: tmpfs(container),
        swap_mib: max_swap.and_then(|size| u64::try_from(size).ok()),
        swappiness: max_swap
            .and(swappiness)
            .and_then(|value| u8::try_from(value).ok()),
        platform: match architecture {
            Some("ARM64") => Some("linux/arm64".to_owned()),
            Some("X86_64") => Some("linux/amd64".to_owned()),
            _ => None,
        },
        log_driver: container
            .log_configuration
            .as_ref()
            .and_then(|log| log_driver(log, log_options)),
        secrets: variables,
        credentials,
        ephemeral_storage_gib: container
            .ephemeral_storage
            .as_ref()
            .and_then(|storage| u32::try_from(storage.size_in_gib).ok()),
        pod: None,
        ..ContainerSpec::default()
    }
}

fn log_driver(log: &LogConfiguration, secret_options: Vec<SecretVariable>) -> Option<LogDriver> {
    (log.log_driver != WireLogDriver::Awslogs).then(|| LogDriver {
        name: log.log_driver.to_string(),
        options: log.options.clone().unwrap_or_default(),
        secret_options,
    })
}

fn ulimits(container: &ContainerProperties) -> Vec<Ulimit> {
    let ulimit = |limit: &batchyard_wire::batch::Ulimit| Ulimit {
        name: limit.name.clone(),
        soft: i64::from(limit.soft_limit),
        hard: i64::from(limit.hard_limit),
    };
    container.ulimits.iter().flatten().map(ulimit).collect()
}

fn devices(container: &ContainerProperties) -> Vec<Device> {
    let device = |device: &batchyard_wire::batch::Device| {
        let given = device.permissions.as_deref().unwrap_or_default();
        let letters = [
            (DeviceCgroupPermission::Read, 'r'),
            (DeviceCgroupPermission::Write, 'w'),
            (DeviceCgroupPermission::Mknod, 'm'),
        ];
        // None given means all (section E.3).
        let allowed = letters
            .into_iter()
            .filter(|(permission, _)| given.is_empty() || given.contains(permission));
        Device {
            host_path: device.host_path.clone(),
            container_path: device
                .container_path
                .clone()
                .unwrap_or_else(|| device.host_path.clone()),
            permissions: allowed.map(|(_, letter)| letter).collect(),
        }
    };
    let linux = container.linux_parameters.as_ref();
    linux
        .and_then(|linux| linux.devices.as_deref())
        .unwrap_or_default()
        .iter()
        .map(device)
        .collect()
}

fn tmpfs(container: &ContainerProperties) -> Vec<Tmpfs> {
    let tmpfs = |mount: &batchyard_wire::batch::Tmpfs| Tmpfs {
        container_path: mount.container_path.clone(),
        size_mib: u64::try_from(mount.size).unwrap_or(0),
        options: mount.mount_options.clone().unwrap_or_default(),
    };
    let linux = container.linux_parameters.as_ref();
    linux
        .and_then(|linux| linux.tmpfs.as_deref())
        .unwrap_or_default()
        .iter()
        .map(tmpfs)
        .collect()
}
