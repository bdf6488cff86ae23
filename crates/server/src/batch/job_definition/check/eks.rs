//! `eksProperties`: a pod.

use std::collections::BTreeMap;

use batchyard_wire::batch::{EksContainer, EksProperties};

use super::{Check, refuse, require};
use crate::config::LimitsConfig;

pub(super) fn check(eks: &EksProperties, limits: &LimitsConfig) -> Check {
    // Own words but where marked.
    let Some(pod) = &eks.pod_properties else {
        return refuse("podProperties must be provided.");
    };
    let containers = pod.containers.as_deref().unwrap_or_default();
    let init_containers = pod.init_containers.as_deref().unwrap_or_default();
    let (most, most_init) = (limits.containers_per_task, limits.init_containers_per_pod);
    require(
        (1..=most).contains(&containers.len()),
        format!("Number of containers must be between 1 and {most}"),
    )?;
    require(
        init_containers.len() <= most_init,
        format!("Number of initContainers must be at most {most_init}"),
    )?;
    containers.iter().try_for_each(check_pod_container)?;
    let annotations = pod
        .metadata
        .iter()
        .flat_map(|metadata| &metadata.annotations)
        .flatten();
    for (key, value) in annotations {
        require(
            value.len() <= 255,
            format!("The value of annotation {key} can have at most 255 characters."),
        )?;
    }
    Ok(())
}

/// Checks a container of a pod, of a definition or with what a job changes of it.
pub(crate) fn check_pod_container(container: &EksContainer) -> Check {
    require(
        !container.image.is_empty(),
        "EKS Container Image must be provided.",
    )?;
    let empty = BTreeMap::new();
    let resources = container.resources.as_ref();
    let limits = resources
        .and_then(|resources| resources.limits.as_ref())
        .unwrap_or(&empty);
    let requests = resources
        .and_then(|resources| resources.requests.as_ref())
        .unwrap_or(&empty);
    for kind in ["cpu", "memory"] {
        require(
            limits.contains_key(kind) || requests.contains_key(kind),
            format!("{kind} must be provided in the limits or requests of resources."),
        )?;
    }
    // The service's words from here on (section A3.20).
    if let (Some(limit), Some(request)) = (limits.get("cpu"), requests.get("cpu")) {
        require(
            quantity(request) <= quantity(limit),
            "cpu request must be <= to cpu limit if both are provided.",
        )?;
    }
    for (kind, name) in [("memory", "memory"), ("nvidia.com/gpu", "gpu")] {
        if let (Some(limit), Some(request)) = (limits.get(kind), requests.get(kind)) {
            require(
                limit == request,
                format!("{name} request must be equal to {name} limit if both are provided."),
            )?;
        }
    }
    Ok(())
}

/// CPUs in thousandths: `2`, `0.25` or `250m`.
fn quantity(text: &str) -> Option<u32> {
    match text.strip_suffix('m') {
        Some(thousandths) => thousandths.parse().ok(),
        None => super::fargate::milli_vcpus(text),
    }
}
