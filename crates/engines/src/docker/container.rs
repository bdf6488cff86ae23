//! From a launch to what the daemon is asked to create (section E.3, Docker column). Pure.
//!
//! It must not talk to the daemon. Start with [`creation`].

use std::collections::HashMap;

use batchyard_core::launch::{
    ContainerSpec, Device, LogDriver, Mount, MountSource, PodContainer, Tmpfs, Ulimit, Variable,
};
use batchyard_core::resources::{GpuSet, MilliVcpus, Resources};
use batchyard_runtime::engine::MAIN_ADDRESS;
use bollard::models::{
    ContainerCreateBody, DeviceMapping, DeviceRequest, HostConfig, HostConfigLogConfig, Mount as DaemonMount,
    MountType, ResourcesUlimits,
};

use super::labels::Labels;
use super::limits::{CPU_SHARES_MIN, LOG_FILE_BYTES_MAX, LOG_FILES_MAX, MEMORY_MIB_MIN};
use super::network::Membership;
use super::secret::Values;
use super::volume;
use crate::secrets::Resolved;

const MIB: u64 = 1024 * 1024;

/// The host's network.
pub(super) const HOST: &str = "host";

/// The network that the daemon has by itself.
const BRIDGE: &str = "bridge";

/// What is created from.
#[derive(Clone, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) container: &'a ContainerSpec,
    pub(super) command: &'a [String],
    pub(super) environment: &'a [Variable],
    pub(super) resources: Resources,
    pub(super) gpus: GpuSet,
    pub(super) labels: &'a Labels,
    /// Scratch volumes of the attempt, by the place of their names in this list.
    pub(super) scratch: &'a [&'a str],
    pub(super) namespaces: Namespaces,
    /// The network of the node's attempt, for nodes of a multi-node parallel job.
    pub(super) membership: Option<&'a Membership>,
    /// Where the attempt's own folder is, if it has one.
    pub(super) folder: Option<&'a str>,
    pub(super) secrets: &'a Values,
    /// For each mount where it is, if that had to be looked for.
    pub(super) places: &'a [Option<String>],
}

/// Whose namespaces a container is in, as the daemon is told; `None` is what it does by itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Namespaces {
    /// The network mode of containers without a network of their own.
    pub(super) network: String,
    pub(super) processes: Option<String>,
    pub(super) ipc: Option<String>,
}

/// The body of the request that creates the container.
pub(super) fn creation(wanted: Wanted<'_>) -> ContainerCreateBody {
    let Wanted {
        container,
        command,
        environment,
        resources,
        gpus,
        labels,
        scratch,
        mut namespaces,
        membership,
        folder,
        secrets,
        places,
    } = wanted;
    if let Some(membership) = membership {
        namespaces.network.clone_from(&membership.network);
    }
    let environment = &match container.pod {
        Some(_) => expanded_variables(environment),
        None => environment.to_vec(),
    };
    let words = |words: &[String]| -> Vec<String> {
        match container.pod {
            Some(_) => words.iter().map(|word| expanded(word, environment)).collect(),
            None => words.to_vec(),
        }
    };
    ContainerCreateBody {
        image: Some(container.image.clone()),
        entrypoint: container.entrypoint.as_deref().map(words),
        // An empty list would not leave the image's command but clear it.
        cmd: (!command.is_empty()).then(|| words(command)),
        env: Some(environment_lines(
            environment,
            &secrets.variables,
            gpus,
            membership,
        )),
        hostname: membership.map(|membership| membership.host.clone()),
        networking_config: membership.map(Membership::to_config),
        user: container.user.clone(),
        labels: Some(labels.with(&container.labels)),
        host_config: Some(HostConfig {
            binds: Some(
                container
                    .mounts
                    .iter()
                    .filter_map(|mount| bind(mount, folder))
                    .collect(),
            ),
            ..host_config(
                container,
                resources,
                gpus,
                volume::mounts(&container.mounts, scratch, labels)
                    .into_iter()
                    .chain(placed_mounts(&container.mounts, places))
                    .collect(),
                namespaces,
                &secrets.log_options,
            )
        }),
        ..ContainerCreateBody::default()
    }
}

/// The names of the volumes that these containers mount and that are made for their attempt, each once.
pub(super) fn scratch_names<'a>(containers: impl Iterator<Item = &'a ContainerSpec>) -> Vec<&'a str> {
    let mut names = Vec::new();
    for mount in containers.flat_map(|container| &container.mounts) {
        if let Some(name) = volume::own_name(&mount.source)
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

fn host_config(
    container: &ContainerSpec,
    resources: Resources,
    gpus: GpuSet,
    mounts: Vec<DaemonMount>,
    namespaces: Namespaces,
    secret_log_options: &[Resolved],
) -> HostConfig {
    let Namespaces {
        network,
        processes,
        ipc,
    } = namespaces;
    let ContainerSpec {
        image: _,
        entrypoint: _,
        labels: _,
        user: _,
        // Their values are given apart.
        secrets: _,
        credentials: _,
        // The platform is a parameter of the request, not part of its body.
        platform: _,
        vcpus_are_a_ceiling,
        // Given apart, as their places are.
        mounts: _,
        ulimits,
        is_privileged,
        has_readonly_root,
        has_init,
        devices,
        shared_memory_mib,
        tmpfs,
        swap_mib,
        swappiness,
        log_driver,
        ephemeral_storage_gib,
        pod,
    } = container;
    let Resources {
        vcpus,
        memory,
        gpus: _,
    } = resources;
    let memory_mib = if memory.0 == 0 {
        0
    } else {
        memory.0.max(MEMORY_MIB_MIN)
    };
    let (cpu_shares, nano_cpus) = if *vcpus_are_a_ceiling {
        (None, Some(i64::from(vcpus.0) * 1_000_000))
    } else {
        let vcpus_max = pod.as_ref().and_then(|pod| pod.vcpus_max);
        (
            Some(shares(vcpus)),
            vcpus_max.map(|vcpus| i64::from(vcpus.0) * 1_000_000),
        )
    };
    HostConfig {
        cpu_shares,
        nano_cpus,
        memory: (memory_mib > 0).then(|| bytes(memory_mib)),
        memory_swap: swap_mib
            .filter(|_| memory_mib > 0)
            .map(|swap| bytes(memory_mib.saturating_add(swap))),
        // Without a limit of swap AWS ignores it.
        memory_swappiness: swap_mib.and(swappiness.map(i64::from)),
        device_requests: gpu_request(gpus),
        devices: Some(devices.iter().map(device).collect()),
        ulimits: Some(ulimits.iter().map(ulimit).collect()),
        mounts: Some(mounts),
        tmpfs: Some(tmpfs.iter().map(memory_file_system).collect()),
        shm_size: shared_memory_mib.map(bytes),
        init: has_init.then_some(true),
        privileged: Some(*is_privileged),
        readonly_rootfs: Some(*has_readonly_root),
        log_config: Some(log_config(log_driver.as_ref(), secret_log_options)),
        network_mode: Some(network),
        pid_mode: processes,
        ipc_mode: ipc,
        storage_opt: ephemeral_storage_gib.map(|gib| HashMap::from([("size".to_owned(), format!("{gib}G"))])),
        ..pod.as_ref().map(of_pod).unwrap_or_default()
    }
}

/// What only containers of pods have, but for the limit of processors.
fn of_pod(pod: &PodContainer) -> HostConfig {
    let PodContainer {
        vcpus_max: _,
        pull: _,
        may_gain_privileges,
        must_not_be_root: _,
        has_own_network: _,
        is_unconfined,
        capabilities_added,
        capabilities_dropped,
        volume_group,
    } = pod;
    let options = [
        (!may_gain_privileges).then_some("no-new-privileges"),
        is_unconfined.then_some("seccomp=unconfined"),
    ];
    let options: Vec<String> = options.into_iter().flatten().map(str::to_owned).collect();
    let unless_empty = |words: &Vec<String>| (!words.is_empty()).then(|| words.clone());
    HostConfig {
        security_opt: unless_empty(&options),
        cap_add: unless_empty(capabilities_added),
        cap_drop: unless_empty(capabilities_dropped),
        group_add: volume_group.map(|group| vec![group.to_string()]),
        ..HostConfig::default()
    }
}

/// The network mode of a container, where this one is configured.
pub(super) fn network_of<'a>(configured: &'a str, container: &ContainerSpec) -> &'a str {
    let is_apart = container.pod.as_ref().is_some_and(|pod| pod.has_own_network);
    if is_apart && configured == HOST {
        BRIDGE
    } else {
        configured
    }
}

/// Variables of a pod: in each value those before it can be named as in commands.
fn expanded_variables(environment: &[Variable]) -> Vec<Variable> {
    let mut variables: Vec<Variable> = Vec::with_capacity(environment.len());
    for Variable { name, value } in environment {
        let value = expanded(value, &variables);
        variables.push(Variable {
            name: name.clone(),
            value,
        });
    }
    variables
}

/// A word of a pod's command with its variables: `$(NAME)` is replaced where there is such a variable, `$$` is a dollar
/// that begins none (section E2.5).
fn expanded(word: &str, environment: &[Variable]) -> String {
    let mut result = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        let name = after.strip_prefix('(').and_then(|name| name.split_once(')'));
        let value = name.and_then(|(name, after)| {
            let variable = environment.iter().find(|variable| variable.name == name)?;
            Some((variable.value.as_str(), after))
        });
        rest = match (after.strip_prefix('$'), value) {
            (Some(after), _) => {
                result.push('$');
                after
            }
            (None, Some((value, after))) => {
                result.push_str(value);
                after
            }
            (None, None) => {
                result.push('$');
                after
            }
        };
    }
    result + rest
}

/// The amount in bytes; absurd amounts become the largest the daemon can be told.
fn bytes(mib: u64) -> i64 {
    i64::try_from(mib.saturating_mul(MIB)).unwrap_or(i64::MAX)
}

fn shares(vcpus: MilliVcpus) -> i64 {
    let shares = (u64::from(vcpus.0) * 1024 / 1000).max(CPU_SHARES_MIN);
    i64::try_from(shares).expect("32 bits times 1.024 fit in 63")
}

/// The variables with the main node's address, which only the other nodes have.
pub(super) fn with_main_address(environment: &[Variable], membership: Option<&Membership>) -> Vec<Variable> {
    let mut variables = environment.to_vec();
    // Names are unique, and this one is not the user's (section F1.1).
    if let Some(address) = membership.and_then(|membership| membership.main_address.as_ref()) {
        variables.retain(|variable| variable.name != MAIN_ADDRESS);
        variables.push(Variable {
            name: MAIN_ADDRESS.to_owned(),
            value: address.clone(),
        });
    }
    variables
}

fn environment_lines(
    environment: &[Variable],
    secrets: &[Resolved],
    gpus: GpuSet,
    membership: Option<&Membership>,
) -> Vec<String> {
    let is_secret = |name: &str| secrets.iter().any(|secret| secret.name == name);
    let mut lines: Vec<String> = with_main_address(environment, membership)
        .iter()
        .filter(|variable| !is_secret(&variable.name))
        .map(|Variable { name, value }| format!("{name}={value}"))
        .collect();
    lines.extend(
        secrets
            .iter()
            .map(|Resolved { name, value }| format!("{name}={}", value.expose())),
    );
    if !gpus.is_empty() {
        let indexes: Vec<String> = gpus.indexes().map(|index| index.to_string()).collect();
        lines.push(format!("NVIDIA_VISIBLE_DEVICES={}", indexes.join(",")));
    }
    lines
}

fn gpu_request(gpus: GpuSet) -> Option<Vec<DeviceRequest>> {
    if gpus.is_empty() {
        return None;
    }
    Some(vec![DeviceRequest {
        driver: Some("nvidia".to_owned()),
        device_ids: Some(gpus.indexes().map(|index| index.to_string()).collect()),
        capabilities: Some(vec![vec!["gpu".to_owned()]]),
        ..DeviceRequest::default()
    }])
}

/// A bind and not a mount of kind bind: only for binds the daemon makes a missing folder.
fn bind(mount: &Mount, folder: Option<&str>) -> Option<String> {
    let Mount {
        source,
        container_path,
        is_readonly,
    } = mount;
    let path = match source {
        MountSource::Host(path) => path.clone(),
        MountSource::Attempt(path) => format!("{}/{path}", folder?),
        // Those are no binds.
        MountSource::Scratch(_)
        | MountSource::Memory { .. }
        | MountSource::Secret { .. }
        | MountSource::Below { .. } => return None,
    };
    let mode = if *is_readonly { ":ro" } else { "" };
    Some(format!("{path}:{container_path}{mode}"))
}

/// Not binds: these must be there, and their paths may have colons.
fn placed_mounts(mounts: &[Mount], places: &[Option<String>]) -> impl Iterator<Item = DaemonMount> {
    let placed = mounts.iter().zip(places);
    placed.filter_map(|(mount, place)| {
        Some(DaemonMount {
            target: Some(mount.container_path.clone()),
            source: Some(place.clone()?),
            typ: Some(MountType::BIND),
            read_only: Some(mount.is_readonly),
            ..DaemonMount::default()
        })
    })
}

fn device(device: &Device) -> DeviceMapping {
    let Device {
        host_path,
        container_path,
        permissions,
    } = device;
    DeviceMapping {
        path_on_host: Some(host_path.clone()),
        path_in_container: Some(container_path.clone()),
        cgroup_permissions: Some(permissions.clone()),
    }
}

fn ulimit(ulimit: &Ulimit) -> ResourcesUlimits {
    let Ulimit { name, soft, hard } = ulimit;
    ResourcesUlimits {
        name: Some(name.clone()),
        soft: Some(*soft),
        hard: Some(*hard),
    }
}

fn memory_file_system(tmpfs: &Tmpfs) -> (String, String) {
    let Tmpfs {
        container_path,
        size_mib,
        options,
    } = tmpfs;
    let mut words = options.clone();
    words.push(format!("size={size_mib}m"));
    (container_path.clone(), words.join(","))
}

/// The job's own driver, or the one whose output Batchyard reads.
///
/// `local` and not `json-file`: it keeps bytes as they are, where `json-file` damages a character that lies across
/// the border of two pieces of a long line. All options are given, since the daemon adds its configured ones to those left out.
fn log_config(driver: Option<&LogDriver>, secret_options: &[Resolved]) -> HostConfigLogConfig {
    if let Some(LogDriver {
        name,
        options,
        secret_options: _,
    }) = driver
    {
        let secret = |option: &Resolved| (option.name.clone(), option.value.expose().to_owned());
        return HostConfigLogConfig {
            typ: Some(name.clone()),
            config: Some(
                options
                    .clone()
                    .into_iter()
                    .chain(secret_options.iter().map(secret))
                    .collect(),
            ),
        };
    }
    let options = [
        ("max-size", LOG_FILE_BYTES_MAX),
        ("max-file", LOG_FILES_MAX),
        ("compress", "false"),
        ("mode", "blocking"),
    ];
    HostConfigLogConfig {
        typ: Some("local".to_owned()),
        config: Some(
            options
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        ),
    }
}

#[cfg(test)]
mod tests;
