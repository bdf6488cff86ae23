//! One container of a pod: how it is run.

use batchyard_core::launch::{ContainerSpec, ImagePull, LogTarget, PodContainer, TaskContainer, Variable};
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_core::secret::{ImageCredentials, SecretKind, SecretName, SecretReference};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{EksContainer, EksContainerSecurityContext, EksPodProperties, EksSeccompProfile};

use super::{Member, NODE_UID, namespace, volume};
use crate::batch::job::launch::{LOG_GROUP, STREAM_NAME_PART_MAX};
use crate::batch::job::quantity::{mebibytes, milli_cpus};
use crate::batch::job::work::{STOP_TIMEOUT, Setting};

/// The key of a pull secret that has Docker's configuration.
const DOCKER_CONFIG: &str = ".dockerconfigjson";

/// How to run a container of a pod, as if it waited for nothing.
pub(super) fn task_container(
    pod: &EksPodProperties,
    member: Member<'_>,
    setting: Setting<'_>,
) -> Result<TaskContainer, Fault> {
    let Member { container, .. } = member;
    let needed = needed(member)?;
    let own = Variable {
        name: "AWS_BATCH_JOB_KUBERNETES_NODE_UID".to_owned(),
        value: NODE_UID.to_owned(),
    };
    let user = container.env.iter().flatten().map(|variable| Variable {
        name: variable.name.clone(),
        value: variable.value.clone().unwrap_or_default(),
    });
    let definition: String = setting.definition.chars().take(STREAM_NAME_PART_MAX).collect();
    let name = member.name();
    Ok(TaskContainer {
        name: name.to_owned(),
        container: spec(pod, container, setting)?,
        command: container.args.clone().unwrap_or_default(),
        environment: std::iter::once(own).chain(user).collect(),
        resources: needed,
        log: Some(LogTarget {
            group: LOG_GROUP.to_owned(),
            stream_prefix: format!("{definition}/{name}/"),
        }),
        depends_on: Vec::new(),
        is_essential: true,
        start_timeout: None,
        stop_timeout: STOP_TIMEOUT,
    })
}

fn spec(
    pod: &EksPodProperties,
    container: &EksContainer,
    setting: Setting<'_>,
) -> Result<ContainerSpec, Fault> {
    let security = container.security_context.clone().unwrap_or_default();
    let (user, group) = identity(pod, &security);
    let capabilities = security.capabilities.clone().unwrap_or_default();
    let vcpus_max = quantity(container, "cpu", true).map(cpus).transpose()?;
    Ok(ContainerSpec {
        image: container.image.clone(),
        entrypoint: container.command.clone().filter(|command| !command.is_empty()),
        mounts: volume::mounts(pod, container, setting.provisions).map_err(client_exception)?,
        user: user.map(|user| match group {
            Some(group) => format!("{user}:{group}"),
            None => user.to_string(),
        }),
        is_privileged: security.privileged.unwrap_or(false),
        has_readonly_root: security.read_only_root_filesystem.unwrap_or(false),
        credentials: credentials(pod).map_err(client_exception)?,
        pod: Some(PodContainer {
            vcpus_max: vcpus_max.map(MilliVcpus),
            pull: match container.image_pull_policy.as_deref() {
                Some("Always") => Some(ImagePull::Always),
                Some("IfNotPresent") => Some(ImagePull::Missing),
                Some("Never") => Some(ImagePull::Never),
                // The server's own setting.
                _ => None,
            },
            may_gain_privileges: security.allow_privilege_escalation.unwrap_or(true),
            must_not_be_root: must_not_be_root(pod, &security),
            has_own_network: pod.host_network == Some(false),
            is_unconfined: seccomp_type(pod, &security) == Some("Unconfined"),
            capabilities_added: capabilities.add.unwrap_or_default(),
            capabilities_dropped: capabilities.drop.unwrap_or_default(),
            volume_group: fs_group(pod),
        }),
        ..ContainerSpec::default()
    })
}

/// What it reserves. Requests decide where it fits, limits are copied to them where they are missing (section C2.5). An init container may need
/// nothing.
fn needed(member: Member<'_>) -> Result<Resources, Fault> {
    let Member { container, is_init } = member;
    let limit = |kind: &str| quantity(container, kind, true);
    let request = |kind: &str| quantity(container, kind, false);
    // Own words.
    let missing = |kind: &str| {
        client_exception(format!(
            "{kind} must be provided in the limits or requests of resources."
        ))
    };
    let vcpus = match request("cpu").or_else(|| limit("cpu")) {
        Some(value) => cpus(value)?,
        None if is_init => 0,
        None => return Err(missing("cpu")),
    };
    let memory_mib = match limit("memory").or_else(|| request("memory")) {
        Some(value) => mebibytes(value).ok_or_else(|| invalid("memory", value))?,
        None if is_init => 0,
        None => return Err(missing("memory")),
    };
    let gpus = match limit("nvidia.com/gpu").or_else(|| request("nvidia.com/gpu")) {
        Some(value) => value.parse().map_err(|_| invalid("nvidia.com/gpu", value))?,
        None => 0,
    };
    Ok(Resources {
        vcpus: MilliVcpus(vcpus),
        memory: Mebibytes(memory_mib),
        gpus,
    })
}

fn cpus(value: &str) -> Result<u32, Fault> {
    milli_cpus(value).ok_or_else(|| invalid("cpu", value))
}

fn invalid(kind: &str, value: &str) -> Fault {
    client_exception(format!("The value {value} of {kind} in resources is not valid."))
}

fn quantity<'a>(container: &'a EksContainer, kind: &str, is_limit: bool) -> Option<&'a str> {
    let resources = container.resources.as_ref()?;
    let amounts = match is_limit {
        true => resources.limits.as_ref()?,
        false => resources.requests.as_ref()?,
    };
    amounts.get(kind).map(String::as_str)
}

/// The memory in MiB of all containers that run together.
pub(super) fn memory_mib(pod: &EksPodProperties) -> u64 {
    let of_one = |container: &EksContainer| {
        let given = quantity(container, "memory", true).or_else(|| quantity(container, "memory", false));
        given.and_then(mebibytes).unwrap_or(0)
    };
    pod.containers.iter().flatten().map(of_one).sum()
}

/// The user and the group to run as: the container's, else the pod's.
pub(super) fn identity(
    pod: &EksPodProperties,
    own: &EksContainerSecurityContext,
) -> (Option<i64>, Option<i64>) {
    let of_pod = pod.security_context.as_ref();
    (
        own.run_as_user
            .or_else(|| of_pod.and_then(|security| security.run_as_user)),
        own.run_as_group
            .or_else(|| of_pod.and_then(|security| security.run_as_group)),
    )
}

pub(super) fn must_not_be_root(pod: &EksPodProperties, own: &EksContainerSecurityContext) -> bool {
    let of_pod = pod.security_context.as_ref();
    own.run_as_non_root
        .or_else(|| of_pod.and_then(|security| security.run_as_non_root))
        .unwrap_or(false)
}

/// The kind of seccomp profile: the container's, else the pod's.
pub(super) fn seccomp_type<'a>(
    pod: &'a EksPodProperties,
    own: &'a EksContainerSecurityContext,
) -> Option<&'a str> {
    let of_pod = pod.security_context.as_ref();
    let profile: Option<&EksSeccompProfile> = own
        .seccomp_profile
        .as_ref()
        .or_else(|| of_pod.and_then(|security| security.seccomp_profile.as_ref()));
    profile.map(|profile| profile.r#type.as_str())
}

fn fs_group(pod: &EksPodProperties) -> Option<u32> {
    let group = pod.security_context.as_ref()?.fs_group?;
    u32::try_from(group).ok()
}

/// Who pulls its image.
///
/// # Errors
/// For names that no secret can have.
pub(super) fn credentials(pod: &EksPodProperties) -> Result<Option<ImageCredentials>, String> {
    let secrets = pod.image_pull_secrets.as_deref().unwrap_or_default();
    let reference = |name: &str| {
        let name = format!("{}/{name}/{DOCKER_CONFIG}", namespace(pod));
        Ok(SecretReference {
            kind: SecretKind::Kubernetes,
            name: SecretName::parse(&name).map_err(|error| format!("imagePullSecrets: {error}"))?,
            json_key: None,
        })
    };
    let references = secrets.iter().map(|secret| reference(&secret.name));
    let references = references.collect::<Result<Vec<SecretReference>, String>>()?;
    Ok((!references.is_empty()).then_some(ImageCredentials::DockerConfigs(references)))
}
