//! What of a pod this version cannot carry out.

use std::collections::BTreeSet;

use batchyard_core::launch::Mount;
use batchyard_wire::batch::{EksContainer, EksPodProperties};

use super::container::{credentials, identity, must_not_be_root, seccomp_type};
use super::{members, volume};
use crate::batch::job::secret::NO_FOLDER;
use crate::provisions::Provisions;

/// What of a pod this version cannot carry out, if anything.
pub(in crate::batch::job) fn check(pod: &EksPodProperties, provisions: &Provisions) -> Result<(), String> {
    let EksPodProperties {
        containers: _,
        init_containers: _,
        image_pull_secrets: _,
        security_context: _,
        volumes,
        host_network: _,
        share_process_namespace: _,
        // No cluster is there whose account or names they could be, and names are resolved as the host does it.
        service_account_name: _,
        dns_policy: _,
        metadata: _,
    } = pod;
    let members = members(pod);
    let mut names = BTreeSet::new();
    if let Some(twice) = members.iter().find(|member| !names.insert(member.name())) {
        return Err(format!(
            "containers and initContainers must have different names, and two have the name {}",
            twice.name()
        ));
    }
    let has_secret = volumes.iter().flatten().any(|volume| volume.secret.is_some());
    if (credentials(pod)?.is_some() || has_secret) && !provisions.has_secrets {
        return Err(NO_FOLDER.to_owned());
    }
    let mut mounts: Vec<Mount> = Vec::new();
    for member in &members {
        security(pod, member.container)?;
        mounts.extend(volume::mounts(pod, member.container, provisions)?);
    }
    volume::check_parts(mounts.iter())
}

fn security(pod: &EksPodProperties, container: &EksContainer) -> Result<(), String> {
    let security = container.security_context.clone().unwrap_or_default();
    match seccomp_type(pod, &security) {
        None | Some("RuntimeDefault" | "Unconfined") => {}
        Some(other) => {
            return Err(format!(
                "securityContext.seccompProfile: the type {other} is not implemented yet, only RuntimeDefault and Unconfined"
            ));
        }
    }
    let of_pod = pod.security_context.as_ref();
    let ids = [
        ("runAsUser", identity(pod, &security).0),
        ("runAsGroup", identity(pod, &security).1),
        ("fsGroup", of_pod.and_then(|security| security.fs_group)),
    ];
    for (member, id) in ids {
        if id.is_some_and(|id| u32::try_from(id).is_err()) {
            return Err(format!(
                "securityContext.{member} must be between 0 and 4294967295"
            ));
        }
    }
    match identity(pod, &security) {
        (None, Some(_)) => Err("securityContext.runAsGroup needs runAsUser".to_owned()),
        (Some(0), _) if must_not_be_root(pod, &security) => {
            Err("securityContext.runAsNonRoot contradicts runAsUser 0".to_owned())
        }
        _ => Ok(()),
    }
}
