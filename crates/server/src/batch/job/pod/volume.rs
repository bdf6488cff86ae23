//! Volumes of pods: from where they are mounted (section E5.1).

use batchyard_core::launch::{ContainerSpec, Mount, MountSource};
use batchyard_core::secret::SecretName;
use batchyard_wire::batch::{EksContainer, EksContainerVolumeMount, EksPodProperties, EksVolume};

use super::container::memory_mib;
use super::namespace;
use crate::batch::job::quantity::mebibytes;
use crate::batch::job::volume::inner_path;
use crate::provisions::Provisions;

/// Whether a container mounts what is made for its pod alone, which needs more than the container itself.
pub(super) fn has_own(container: &ContainerSpec) -> bool {
    container.mounts.iter().any(|mount| match mount.source {
        MountSource::Scratch(_) | MountSource::Memory { .. } | MountSource::Secret { .. } => true,
        MountSource::Host(_) | MountSource::Attempt(_) | MountSource::Below { .. } => false,
    })
}

/// What a container mounts.
///
/// # Errors
/// For a volume that is not there, or of a kind, or mounted in a way, that cannot be carried out here.
pub(super) fn mounts(
    pod: &EksPodProperties,
    container: &EksContainer,
    provisions: &Provisions,
) -> Result<Vec<Mount>, String> {
    let volumes = pod.volumes.as_deref().unwrap_or_default();
    let mount = |mount: &EksContainerVolumeMount| {
        let name = mount.name.as_deref().unwrap_or_default();
        let volume = volumes
            .iter()
            .find(|volume| volume.name == name)
            .ok_or_else(|| format!("volumeMounts names the volume {name}, which the pod does not have"))?;
        let path = inner_path(mount.sub_path.as_deref().unwrap_or_default())
            .map_err(|reason| format!("volumeMounts.subPath: {reason}"))?;
        let (source, is_readonly) = source(pod, volume, &path, provisions)?;
        Ok(Mount {
            source,
            container_path: mount.mount_path.clone().unwrap_or_default(),
            is_readonly: is_readonly || mount.read_only.unwrap_or(false),
        })
    };
    container.volume_mounts.iter().flatten().map(mount).collect()
}

/// From where the part of a volume at `path` is mounted, and whether it cannot be written whoever mounts it.
fn source(
    pod: &EksPodProperties,
    volume: &EksVolume,
    path: &str,
    provisions: &Provisions,
) -> Result<(MountSource, bool), String> {
    let EksVolume {
        empty_dir,
        host_path,
        name,
        persistent_volume_claim,
        secret,
    } = volume;
    let below = |folder: String| MountSource::Below {
        folder,
        path: path.to_owned(),
        // As Kubernetes makes what a `subPath` names.
        is_made: !path.is_empty(),
    };
    if let Some(claim) = persistent_volume_claim {
        let folder = provisions
            .claim(namespace(pod), &claim.claim_name)
            .map_err(|reason| format!("volumes.persistentVolumeClaim: {reason}"))?;
        return Ok((below(folder), claim.read_only.unwrap_or(false)));
    }
    if let Some(secret) = secret {
        if !path.is_empty() {
            return Err("volumeMounts.subPath of a volume of a secret is not implemented yet".to_owned());
        }
        let key = format!("{}/{}", namespace(pod), secret.secret_name);
        let source = MountSource::Secret {
            name: name.clone(),
            secret: SecretName::parse(&key).map_err(|error| format!("volumes.secret: {error}"))?,
            is_optional: secret.optional.unwrap_or(false),
        };
        return Ok((source, true));
    }
    if let Some(host) = host_path.as_ref().and_then(|host| host.path.clone()) {
        let source = match path {
            "" => MountSource::Host(host),
            _ => below(host),
        };
        return Ok((source, false));
    }
    // Parts that do not overlap are as good as volumes of their own; names of volumes have no slash.
    let name = match path {
        "" => name.clone(),
        _ => format!("{name}/{path}"),
    };
    let empty = empty_dir.clone().unwrap_or_default();
    if empty.medium.as_deref() != Some("Memory") {
        return Ok((MountSource::Scratch(name), false));
    }
    let size = match empty.size_limit.as_deref() {
        None => memory_mib(pod),
        Some(limit) => mebibytes(limit).ok_or("the sizeLimit of emptyDir is not valid")?,
    };
    let source = MountSource::Memory {
        name,
        size_mib: size.max(1),
    };
    Ok((source, false))
}

/// Checks that the parts of each `emptyDir` that are mounted do not overlap, unless they are the same.
///
/// # Errors
/// For the first that do.
pub(super) fn check_parts<'a>(mounts: impl Iterator<Item = &'a Mount>) -> Result<(), String> {
    let name = |mount: &'a Mount| match &mount.source {
        MountSource::Scratch(name) | MountSource::Memory { name, .. } => Some(name.as_str()),
        MountSource::Host(_)
        | MountSource::Attempt(_)
        | MountSource::Below { .. }
        | MountSource::Secret { .. } => None,
    };
    let names: Vec<&str> = mounts.filter_map(name).collect();
    let holds = |outer: &str, inner: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    for outer in &names {
        if let Some(inner) = names.iter().find(|inner| holds(outer, inner)) {
            return Err(format!(
                "volumeMounts.subPath: {inner} of an emptyDir is mounted beside {outer} that it is in, which is not implemented yet"
            ));
        }
    }
    Ok(())
}
