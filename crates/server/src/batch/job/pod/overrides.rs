//! What a submission changes of a pod (section E1.3).

use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    EksContainer, EksContainerEnvironmentVariable, EksContainerOverride, EksPodProperties,
    EksPodPropertiesOverride,
};

use super::NAME;

/// The pod with what a submission changes of it.
pub(in crate::batch::job) fn overridden(
    mut pod: EksPodProperties,
    overrides: EksPodPropertiesOverride,
) -> Result<EksPodProperties, Fault> {
    let EksPodPropertiesOverride {
        containers,
        init_containers,
        metadata,
    } = overrides;
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
        let present = pod.containers.as_deref_mut().unwrap_or_default();
        let changed = apply("container", present, one)?;
        crate::batch::job_definition::check::check_pod_container(changed)?;
    }
    for one in init_containers.into_iter().flatten() {
        let present = pod.init_containers.as_deref_mut().unwrap_or_default();
        apply("init container", present, one)?;
    }
    Ok(pod)
}

/// Changes the container that is meant. The only one of a list need not be named.
fn apply<'a>(
    kind: &str,
    present: &'a mut [EksContainer],
    one: EksContainerOverride,
) -> Result<&'a EksContainer, Fault> {
    let EksContainerOverride {
        args,
        command,
        env,
        image,
        name,
        resources,
    } = one;
    let is_only = present.len() == 1;
    let is_meant = |container: &EksContainer| {
        let own = container.name.as_deref().unwrap_or(NAME);
        name.as_deref().map_or(is_only || own == NAME, |name| name == own)
    };
    let Some(present) = present.iter_mut().find(|container| is_meant(container)) else {
        // Own words.
        return Err(client_exception(format!(
            "eksPropertiesOverride names the {kind} {}, which the definition does not have.",
            name.as_deref().unwrap_or(NAME)
        )));
    };
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
    Ok(present)
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
