//! `eksProperties`: a pod of one container, run as a container of the engine (section E.5).

use batchyard_core::id::{AttemptKey, InstanceId, JobKey, TaskId};
use batchyard_core::launch::{
    ContainerSpec, ImagePull, LaunchSpec, LogTarget, Mount, MountSource, PodContainer, Runner, Tmpfs,
    Variable,
};
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_runtime::store::AttemptRow;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    EksAttemptContainerDetail, EksAttemptDetail, EksContainer, EksContainerEnvironmentVariable,
    EksContainerOverride, EksContainerSecurityContext, EksContainerVolumeMount, EksPodProperties,
    EksPodPropertiesDetail, EksPodPropertiesOverride, EksPropertiesDetail, EksVolume,
};

use super::launch::{LOG_GROUP, STREAM_NAME_PART_MAX};
use super::quantity::{mebibytes, milli_cpus};
use super::work::{STOP_TIMEOUT, Setting, widened};

/// The name of a container that has none (section E5.2).
const NAME: &str = "Default";

/// Where the variable of section F.1 comes from: there is one node, this host.
const NODE_UID: &str = "00000000-0000-4000-8000-000000000001";

/// What of a pod this version cannot carry out, if anything.
pub(super) fn check(pod: &EksPodProperties) -> Result<(), String> {
    let EksPodProperties {
        containers,
        image_pull_secrets,
        init_containers,
        security_context,
        volumes,
        // No cluster is there whose account, names or network they could be.
        service_account_name: _,
        dns_policy: _,
        host_network: _,
        metadata: _,
        // With one container there is nobody to share with.
        share_process_namespace: _,
    } = pod;
    let [container] = containers.as_deref().unwrap_or_default() else {
        return Err("pods of several containers are not implemented yet".to_owned());
    };
    let security = container.security_context.clone().unwrap_or_default();
    let volumes = volumes.as_deref().unwrap_or_default();
    let mounts = container.volume_mounts.as_deref().unwrap_or_default();
    let is_some_path = |path: &Option<String>| path.as_ref().is_some_and(|path| !path.is_empty());
    let pod_security = security_context.as_ref();
    for (member, is_used) in [
        (
            "initContainers",
            init_containers.as_ref().is_some_and(|list| !list.is_empty()),
        ),
        (
            "imagePullSecrets",
            image_pull_secrets.as_ref().is_some_and(|list| !list.is_empty()),
        ),
        (
            "volumes.secret",
            volumes.iter().any(|volume| volume.secret.is_some()),
        ),
        (
            "volumes.persistentVolumeClaim",
            volumes
                .iter()
                .any(|volume| volume.persistent_volume_claim.is_some()),
        ),
        (
            "volumeMounts.subPath",
            mounts.iter().any(|mount| is_some_path(&mount.sub_path)),
        ),
        ("securityContext.capabilities", security.capabilities.is_some()),
        (
            "securityContext.seccompProfile",
            security.seccomp_profile.is_some()
                || pod_security.is_some_and(|security| security.seccomp_profile.is_some()),
        ),
        (
            "securityContext.fsGroup",
            pod_security.is_some_and(|security| security.fs_group.is_some()),
        ),
    ] {
        if is_used {
            return Err(format!("{member} is not implemented yet"));
        }
    }
    match identity(pod, &security) {
        (None, Some(_)) => Err("securityContext.runAsGroup needs runAsUser".to_owned()),
        (Some(0), _) if must_not_be_root(pod, &security) => {
            Err("securityContext.runAsNonRoot contradicts runAsUser 0".to_owned())
        }
        _ => mount_sources(pod, container).map(|_| ()),
    }
}

/// The user and the group to run as: the container's, else the pod's.
fn identity(pod: &EksPodProperties, own: &EksContainerSecurityContext) -> (Option<i64>, Option<i64>) {
    let of_pod = pod.security_context.as_ref();
    (
        own.run_as_user
            .or_else(|| of_pod.and_then(|security| security.run_as_user)),
        own.run_as_group
            .or_else(|| of_pod.and_then(|security| security.run_as_group)),
    )
}

fn must_not_be_root(pod: &EksPodProperties, own: &EksContainerSecurityContext) -> bool {
    let of_pod = pod.security_context.as_ref();
    own.run_as_non_root
        .or_else(|| of_pod.and_then(|security| security.run_as_non_root))
        .unwrap_or(false)
}

/// Each mount with its volume.
fn mount_sources<'a>(
    pod: &'a EksPodProperties,
    container: &'a EksContainer,
) -> Result<Vec<(&'a EksContainerVolumeMount, &'a EksVolume)>, String> {
    let volumes = pod.volumes.as_deref().unwrap_or_default();
    let source = |mount: &'a EksContainerVolumeMount| {
        let name = mount.name.as_deref().unwrap_or_default();
        let volume = volumes.iter().find(|volume| volume.name == name);
        volume
            .map(|volume| (mount, volume))
            .ok_or_else(|| format!("volumeMounts names the volume {name}, which the pod does not have"))
    };
    container.volume_mounts.iter().flatten().map(source).collect()
}

/// How to run it.
pub(super) fn launch(pod: &EksPodProperties, setting: Setting<'_>) -> Result<LaunchSpec, Fault> {
    let container = only(pod);
    let limit = |kind: &str| quantity(container, kind, true);
    let request = |kind: &str| quantity(container, kind, false);
    // Own words. Requests decide where it fits, limits are copied to them where they are missing (section C2.5).
    let missing = |kind: &str| {
        client_exception(format!(
            "{kind} must be provided in the limits or requests of resources."
        ))
    };
    let invalid = |kind: &str, value: &str| {
        client_exception(format!("The value {value} of {kind} in resources is not valid."))
    };
    let cpus = |value: &str| milli_cpus(value).ok_or_else(|| invalid("cpu", value));
    let memory = |value: &str| mebibytes(value).ok_or_else(|| invalid("memory", value));
    let requested = request("cpu")
        .or_else(|| limit("cpu"))
        .ok_or_else(|| missing("cpu"))?;
    let memory_mib = memory(
        limit("memory")
            .or_else(|| request("memory"))
            .ok_or_else(|| missing("memory"))?,
    )?;
    let gpus = match limit("nvidia.com/gpu").or_else(|| request("nvidia.com/gpu")) {
        Some(value) => value.parse().map_err(|_| invalid("nvidia.com/gpu", value))?,
        None => 0,
    };
    let security = container.security_context.clone().unwrap_or_default();
    let (user, group) = identity(pod, &security);
    let (mounts, tmpfs) = mounts(pod, container, memory_mib)?;
    let spec = ContainerSpec {
        image: container.image.clone(),
        entrypoint: container.command.clone().filter(|command| !command.is_empty()),
        mounts,
        tmpfs,
        user: user.map(|user| match group {
            Some(group) => format!("{user}:{group}"),
            None => user.to_string(),
        }),
        is_privileged: security.privileged.unwrap_or(false),
        has_readonly_root: security.read_only_root_filesystem.unwrap_or(false),
        pod: Some(PodContainer {
            vcpus_max: limit("cpu").map(cpus).transpose()?.map(MilliVcpus),
            pull: match container.image_pull_policy.as_deref() {
                Some("Always") => Some(ImagePull::Always),
                Some("IfNotPresent") => Some(ImagePull::Missing),
                Some("Never") => Some(ImagePull::Never),
                // The server's own setting.
                _ => None,
            },
            may_gain_privileges: security.allow_privilege_escalation.unwrap_or(true),
        }),
        ..ContainerSpec::default()
    };
    let own = Variable {
        name: "AWS_BATCH_JOB_KUBERNETES_NODE_UID".to_owned(),
        value: NODE_UID.to_owned(),
    };
    let user = container.env.iter().flatten().map(|variable| Variable {
        name: variable.name.clone(),
        value: variable.value.clone().unwrap_or_default(),
    });
    let definition: String = setting.definition.chars().take(STREAM_NAME_PART_MAX).collect();
    let name = container.name.as_deref().unwrap_or(NAME);
    Ok(LaunchSpec {
        runner: Runner::Container(Box::new(spec)),
        command: container.args.clone().unwrap_or_default(),
        environment: std::iter::once(own).chain(user).collect(),
        resources: Resources {
            vcpus: MilliVcpus(cpus(requested)?),
            memory: Mebibytes(memory_mib),
            gpus,
        },
        log: Some(LogTarget {
            group: LOG_GROUP.to_owned(),
            stream_prefix: format!("{definition}/{name}/"),
        }),
        stop_timeout: STOP_TIMEOUT,
        role: None,
        training: None,
    })
}

fn only(pod: &EksPodProperties) -> &EksContainer {
    let containers = pod.containers.as_deref().unwrap_or_default();
    containers
        .first()
        .expect("a pod has one container, which was checked when the definition was read")
}

fn quantity<'a>(container: &'a EksContainer, kind: &str, is_limit: bool) -> Option<&'a str> {
    let resources = container.resources.as_ref()?;
    let amounts = match is_limit {
        true => resources.limits.as_ref()?,
        false => resources.requests.as_ref()?,
    };
    amounts.get(kind).map(String::as_str)
}

/// What is mounted; an `emptyDir` of the medium `Memory` is a file system in memory, of the container's size unless limited.
fn mounts(
    pod: &EksPodProperties,
    container: &EksContainer,
    memory_mib: u64,
) -> Result<(Vec<Mount>, Vec<Tmpfs>), Fault> {
    let (mut mounts, mut tmpfs) = (Vec::new(), Vec::new());
    for (mount, volume) in mount_sources(pod, container).map_err(client_exception)? {
        let container_path = mount.mount_path.clone().unwrap_or_default();
        let is_readonly = mount.read_only.unwrap_or(false);
        let host = volume.host_path.as_ref().and_then(|host| host.path.clone());
        let empty = volume.empty_dir.clone().unwrap_or_default();
        if host.is_none() && empty.medium.as_deref() == Some("Memory") {
            let size = empty.size_limit.as_deref().map_or(Some(memory_mib), mebibytes);
            tmpfs.push(Tmpfs {
                container_path,
                // Own words.
                size_mib: size.ok_or_else(|| client_exception("The sizeLimit of emptyDir is not valid."))?,
                options: if is_readonly {
                    vec!["ro".to_owned()]
                } else {
                    Vec::new()
                },
            });
            continue;
        }
        mounts.push(Mount {
            source: match host {
                Some(path) => MountSource::Host(path),
                None => MountSource::Scratch(volume.name.clone()),
            },
            container_path,
            is_readonly,
        });
    }
    Ok((mounts, tmpfs))
}

/// The pod with what a submission changes of it (section E1.3).
pub(super) fn overridden(
    mut pod: EksPodProperties,
    overrides: EksPodPropertiesOverride,
) -> Result<EksPodProperties, Fault> {
    let EksPodPropertiesOverride {
        containers,
        init_containers,
        metadata,
    } = overrides;
    // Own words throughout.
    if init_containers.is_some_and(|list| !list.is_empty()) {
        return Err(client_exception(
            "eksPropertiesOverride names initContainers, which the definition does not have.",
        ));
    }
    if let Some(metadata) = metadata {
        let present = pod.metadata.get_or_insert_default();
        if let Some(labels) = metadata.labels {
            present.labels.get_or_insert_default().extend(labels);
        }
        if let Some(annotations) = metadata.annotations {
            present.annotations.get_or_insert_default().extend(annotations);
        }
        present.namespace = metadata.namespace.or(present.namespace.take());
    }
    for one in containers.into_iter().flatten() {
        let present = pod.containers.iter_mut().flatten().next();
        let present =
            present.expect("a pod has one container, which was checked when the definition was read");
        let EksContainerOverride {
            args,
            command,
            env,
            image,
            name,
            resources,
        } = one;
        if name.is_some() && name.as_deref() != Some(present.name.as_deref().unwrap_or(NAME)) {
            return Err(client_exception(format!(
                "eksPropertiesOverride names the container {}, which the definition does not have.",
                name.unwrap_or_default()
            )));
        }
        present.args = args.or(present.args.take());
        present.command = command.or(present.command.take());
        if let Some(image) = image {
            present.image = image;
        }
        if let Some(env) = env {
            present.env = Some(merged(present.env.take().unwrap_or_default(), env));
        }
        if let Some(resources) = resources {
            let own = present.resources.get_or_insert_default();
            if let Some(limits) = resources.limits {
                own.limits.get_or_insert_default().extend(limits);
            }
            if let Some(requests) = resources.requests {
                own.requests.get_or_insert_default().extend(requests);
            }
        }
        crate::batch::job_definition::check::check_pod_container(present)?;
    }
    Ok(pod)
}

/// The override wins, new ones follow.
fn merged(
    present: Vec<EksContainerEnvironmentVariable>,
    overrides: Vec<EksContainerEnvironmentVariable>,
) -> Vec<EksContainerEnvironmentVariable> {
    let mut result = present;
    for variable in overrides {
        match result.iter_mut().find(|present| present.name == variable.name) {
            Some(present) => present.value = variable.value,
            None => result.push(variable),
        }
    }
    result
}

/// What DescribeJobs shows of it before it runs.
pub(super) fn detail(pod: &EksPodProperties) -> EksPropertiesDetail {
    let mut detail: EksPodPropertiesDetail = widened(pod);
    for container in detail.containers.iter_mut().flatten() {
        container.name.get_or_insert_with(|| NAME.to_owned());
    }
    EksPropertiesDetail {
        pod_properties: Some(detail),
    }
}

/// Adds what its latest attempt came to.
pub(super) fn fill(
    pod: &mut EksPodPropertiesDetail,
    attempt: Option<AttemptKey>,
    node: Option<InstanceId>,
    exit_code: Option<i32>,
    reason: Option<String>,
) {
    if let Some(attempt) = attempt {
        pod.pod_name = Some(pod_name(attempt));
        pod.node_name = Some(node_name(node));
    }
    if let Some(container) = pod.containers.iter_mut().flatten().next() {
        container.exit_code = exit_code;
        container.reason = reason;
    }
}

/// An attempt that has ended (section B5.2).
pub(super) fn attempt(key: JobKey, row: &AttemptRow, shown: &EksPropertiesDetail) -> EksAttemptDetail {
    let AttemptRow {
        attempt,
        place,
        started_at,
        stopped_at,
        exit_code,
        reason,
        status_reason,
        containers: _,
        is_preempted: _,
    } = row;
    let attempt = AttemptKey {
        job: key,
        attempt: *attempt,
    };
    let pod = shown.pod_properties.as_ref();
    let container = |container: &batchyard_wire::batch::EksContainerDetail| EksAttemptContainerDetail {
        container_id: None,
        exit_code: *exit_code,
        name: container.name.clone(),
        reason: reason.clone(),
    };
    let containers = pod.and_then(|pod| pod.containers.as_deref()).unwrap_or_default();
    EksAttemptDetail {
        containers: Some(containers.iter().map(container).collect()),
        eks_cluster_arn: None,
        init_containers: Some(Vec::new()),
        node_name: Some(node_name(place.placement.instance)),
        pod_name: Some(pod_name(attempt)),
        pod_namespace: pod.and_then(|pod| pod.metadata.as_ref()?.namespace.clone()),
        started_at: started_at.map(|at| at.as_millis()),
        status_reason: Some(status_reason.clone()),
        stopped_at: Some(stopped_at.as_millis()),
    }
}

/// `aws-batch.UUID` (section E5.3); the identifier is the attempt's.
fn pod_name(attempt: AttemptKey) -> String {
    let id = TaskId::of(attempt).to_string();
    let parts = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]];
    format!("aws-batch.{}", parts.join("-"))
}

/// As the instance is named where hosts are lost; what has none runs on the host itself.
fn node_name(instance: Option<InstanceId>) -> String {
    instance.unwrap_or(InstanceId(0)).ec2_id()
}
