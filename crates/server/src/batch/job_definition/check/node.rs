//! `nodeProperties`: a job of several nodes.

use batchyard_wire::batch::{NodeProperties, NodeRangeProperty};

use super::{Check, Platform, container, ecs, eks, require};
use crate::config::LimitsConfig;

pub(super) fn check(nodes: &NodeProperties, limits: &LimitsConfig) -> Check {
    let NodeProperties {
        main_node,
        node_range_properties: ranges,
        num_nodes,
    } = nodes;
    check_count(*num_nodes, limits)?;
    require(
        (0..*num_nodes).contains(main_node),
        "Main node index is out of range, must be less than numNodes.",
    )?;
    let most = limits.node_ranges;
    require(
        ranges.len() <= most,
        format!("Maximum allowed size of node range properties is {most}"),
    )?;
    let mut covered = vec![false; usize::try_from(*num_nodes).unwrap_or(0)];
    for range in ranges {
        check_range(range, limits)?;
        let (first, last) = bounds(&range.target_nodes, *num_nodes);
        for node in first..=last {
            let slot = usize::try_from(node).ok().and_then(|node| covered.get_mut(node));
            // Own words.
            match slot {
                Some(slot) => *slot = true,
                None => require(
                    false,
                    format!("Node range {} is out of range.", range.target_nodes),
                )?,
            }
        }
    }
    // Own words.
    require(
        covered.into_iter().all(|is_covered| is_covered),
        "Node ranges must cover all nodes from 0 to numNodes - 1.",
    )
}

/// Whether a job may have so many nodes.
pub(crate) fn check_count(count: i32, limits: &LimitsConfig) -> Check {
    let most = i32::try_from(limits.nodes).unwrap_or(i32::MAX);
    require(
        (1..=most).contains(&count),
        format!("Number of nodes must be between 1 and {most}."),
    )
}

fn check_range(range: &NodeRangeProperty, limits: &LimitsConfig) -> Check {
    let NodeRangeProperty {
        consumable_resource_properties,
        container,
        ecs_properties,
        eks_properties,
        instance_types,
        target_nodes,
    } = range;
    let is_index = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = target_nodes.split(':').collect();
    require(
        parts.len() <= 2 && !target_nodes.is_empty() && parts.iter().all(|part| is_index(part)),
        "targetNodes should contain only digits.",
    )?;
    require(
        container.is_none() || ecs_properties.is_none(),
        "NodeRangeProperties can not use both ecsProperties and container fields",
    )?;
    require(
        instance_types.as_ref().is_none_or(Vec::is_empty) || ecs_properties.is_some(),
        "Using instanceTypes with nodeRangeProperty is only allowed for ecsProperties jobs.",
    )?;
    consumable_resource_properties
        .as_ref()
        .map_or(Ok(()), |properties| super::consumable(properties, limits))?;
    match (container, ecs_properties, eks_properties) {
        (Some(container), _, _) => container::check(container, Platform::Ec2),
        (None, Some(ecs), _) => ecs::check(ecs, Platform::Ec2, limits),
        (None, None, Some(eks)) => eks::check(eks, limits),
        (None, None, None) => require(
            false,
            format!("Must specify container for node range {target_nodes}"),
        ),
    }
}

/// The first and last node of a range (section E7.2).
pub(crate) fn bounds(text: &str, count: i32) -> (i32, i32) {
    match text.split_once(':') {
        None => {
            let node = text.parse().unwrap_or(i32::MAX);
            (node, node)
        }
        Some((first, last)) => (
            if first.is_empty() {
                0
            } else {
                first.parse().unwrap_or(i32::MAX)
            },
            if last.is_empty() {
                count - 1
            } else {
                last.parse().unwrap_or(i32::MAX)
            },
        ),
    }
}
