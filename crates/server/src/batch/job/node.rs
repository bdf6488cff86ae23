//! Multi-node parallel jobs: from a definition's `nodeProperties` and a submission's `nodeOverrides` to what each node runs (sections A4.8,
//! B.11, E.7).

use std::collections::BTreeMap;
use std::sync::Arc;

use batchyard_core::environment::{InstanceTypeName, Platform};
use batchyard_core::job::Profile;
use batchyard_core::launch::{LaunchSpec, NodeLaunch, NodeLaunches, Runner};
use batchyard_core::multi_node::{NodeGroup, NodeShape};
use batchyard_core::resources::Resources;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    EcsProperties, EcsTaskProperties, EksProperties, NodeOverrides, NodeProperties, NodePropertyOverride,
    NodeRangeProperty,
};

use super::document::JobDocument;
use super::overrides::Overrides;
use super::template::{Additions, Definition, Prepared};
use super::work::{PROCESSES_ARE_OFF, Setting, Shown, Work};
use super::{consumable, overrides, substitute, task};
use crate::batch::job_definition::check::Platform as Capability;
use crate::batch::job_definition::check::node_bounds;
use crate::provisions::Provisions;

/// What keeps the jobs of such a definition from running here.
pub(super) fn check(nodes: &NodeProperties, provisions: &Provisions) -> Result<(), String> {
    for range in &nodes.node_range_properties {
        let target = &range.target_nodes;
        let work = work_of(range).map_err(|reason| format!("node range {target}: {reason}"))?;
        work.check(provisions).map_err(|reason| match reason {
            // It is not the range's matter.
            reason if reason == PROCESSES_ARE_OFF => reason,
            reason => format!("node range {target}: {reason}"),
        })?;
    }
    Ok(())
}

/// What the nodes of a range run, before a job changes it.
fn work_of(range: &NodeRangeProperty) -> Result<Work, String> {
    let pod = range
        .eks_properties
        .as_ref()
        .and_then(|eks| eks.pod_properties.as_ref());
    match (&range.container, task_of(range), pod) {
        (Some(container), ..) => Ok(Work::Container(Box::new(container.clone()))),
        (None, Some(task), _) => Ok(Work::Task {
            containers: task::containers(task),
            task: Box::new(task.clone()),
        }),
        (None, None, Some(pod)) => Ok(Work::Pod(Box::new(pod.clone()))),
        (None, None, None) => Err("it has no container".to_owned()),
    }
}

fn task_of(range: &NodeRangeProperty) -> Option<&EcsTaskProperties> {
    range.ecs_properties.as_ref()?.task_properties.first()
}

/// A job of a definition with nodes.
pub(super) fn prepare(
    definition: &Definition,
    nodes: &NodeProperties,
    node_overrides: Option<NodeOverrides>,
    additions: Additions,
) -> Result<Prepared, Fault> {
    let mut parameters: BTreeMap<String, String> = definition.parameters.clone();
    parameters.extend(additions.parameters.clone());
    let (mut nodes, mut of_ranges) = overridden(nodes, node_overrides)?;
    let mut ranges = Vec::new();
    for range in &mut nodes.node_range_properties {
        let work = work_of(range).map_err(client_exception)?;
        let work = match of_ranges.remove(&range.target_nodes) {
            Some(given) => apply(work, range, given)?,
            None => work,
        };
        let work = substitute::substitute(work, &parameters)?;
        ranges.push(Range::new(definition, range, work.clone())?);
        settle(range, work);
    }
    let Some(main) = u32::try_from(nodes.main_node).ok() else {
        return Err(client_exception("mainNode must not be negative."));
    };
    let groups = groups(&nodes);
    // Each node takes what its range says (section C5.3).
    let mut consumables = Vec::new();
    for group in &groups {
        let range = nodes.node_range_properties.get(group.range);
        let properties = range.and_then(|range| range.consumable_resource_properties.as_ref());
        let count = u64::from(group.last.saturating_sub(group.first)) + 1;
        consumables.extend(consumable::claims(properties, count)?);
    }
    let platform = ranges.first().map_or(Platform::Ec2, |range| range.platform);
    if ranges.iter().any(|range| range.platform != platform) {
        // Own words: no environment is of both kinds.
        return Err(client_exception(
            "The node ranges of a job must either all have eksProperties or none of them.",
        ));
    }
    let shape = NodeShape {
        count: u32::try_from(nodes.num_nodes).unwrap_or(0),
        main,
        groups: groups
            .iter()
            .filter_map(|group| {
                Some(NodeGroup {
                    first: group.first,
                    last: group.last,
                    resources: ranges.get(group.range)?.resources,
                    instance_type: ranges.get(group.range)?.instance_type,
                })
            })
            .collect(),
    };
    let launches = NodeLaunches {
        count: shape.count,
        main,
        groups: groups
            .iter()
            .filter_map(|group| {
                Some(NodeLaunch {
                    first: group.first,
                    last: group.last,
                    launch: Arc::clone(&ranges.get(group.range)?.launch),
                })
            })
            .collect(),
    };
    let is_process = |launch: &NodeLaunch| matches!(launch.launch.runner, Runner::Process(_));
    let processes = launches.groups.iter().filter(|launch| is_process(launch)).count();
    if processes != 0 && processes != launches.groups.len() {
        // Own words: a container's address means nothing to a process, nor the host's to a container.
        return Err(client_exception(
            "The nodes of a job must either all be processes (image host://) or all be containers.",
        ));
    }
    let launch = launches
        .of(main)
        .cloned()
        .ok_or_else(|| client_exception("Main node index is out of range, must be less than numNodes."))?;
    let stop_timeouts = launches.groups.iter().map(|group| group.launch.stop_timeout);
    let (retry, timeout) = definition.retry_and_timeout(&additions);
    let profile = Profile {
        platform,
        resources: shape.total(),
        retry,
        timeout,
        stop_timeout: stop_timeouts.max().unwrap_or_default(),
        share: None,
        consumables: consumable::sum(consumables),
        definition: None,
        service: None,
        nodes: Some(shape),
    };
    let mut document = JobDocument {
        node_properties: Some(nodes),
        ..definition.document(additions)
    };
    if platform == Platform::Eks {
        // Pods have none (section A3.3).
        document.platform_capabilities.clear();
    }
    Ok(Prepared {
        profile,
        launch,
        nodes: Some(Arc::new(launches)),
        document: document.write(),
    })
}

/// The instance type that a range asks for (section B11.10).
fn instance_type(range: &NodeRangeProperty, work: &Work) -> Result<Option<InstanceTypeName>, Fault> {
    let of_range = range.instance_types.as_ref().and_then(|types| types.first());
    let of_container = match work {
        Work::Container(container) => container.instance_type.as_ref(),
        Work::Task { .. } | Work::Pod(_) => None,
    };
    let Some(name) = of_range.or(of_container) else {
        return Ok(None);
    };
    // Own words; a type newer than our table is refused too, as nobody could say what it has.
    let known = InstanceTypeName::find(name)
        .ok_or_else(|| client_exception(format!("{name} is not an instance type that is known here")))?;
    Ok(Some(known))
}

/// What all nodes of a range run.
struct Range {
    platform: Platform,
    resources: Resources,
    instance_type: Option<InstanceTypeName>,
    launch: Arc<LaunchSpec>,
}

impl Range {
    fn new(definition: &Definition, range: &NodeRangeProperty, work: Work) -> Result<Range, Fault> {
        let instance_type = instance_type(range, &work)?;
        let plan = work.plan(Setting {
            definition: definition.name(),
            capability: Capability::Ec2,
            provisions: definition.provisions(),
        })?;
        Ok(Range {
            platform: plan.platform,
            resources: plan.resources,
            instance_type,
            launch: Arc::new(plan.launch),
        })
    }
}

/// The properties with as many nodes as the submission wants, and its changes by target.
fn overridden(
    nodes: &NodeProperties,
    node_overrides: Option<NodeOverrides>,
) -> Result<(NodeProperties, BTreeMap<String, NodePropertyOverride>), Fault> {
    let mut nodes = nodes.clone();
    let NodeOverrides {
        node_property_overrides,
        num_nodes,
    } = node_overrides.unwrap_or_default();
    let given = node_property_overrides.unwrap_or_default();
    let is_known = |target: &str| {
        let mut ranges = nodes.node_range_properties.iter();
        ranges.any(|range| range.target_nodes == target)
    };
    let unknown = given.iter().map(|one| one.target_nodes.as_str());
    let unknown: Vec<&str> = unknown.filter(|target| !is_known(target)).collect();
    if !unknown.is_empty() {
        return Err(client_exception(format!(
            "NodeOverride targets should match job definition. Non matching targets - {}",
            unknown.join(", ")
        )));
    }
    if let Some(count) = num_nodes {
        check_count(&nodes, count)?;
        nodes.num_nodes = count;
    }
    let of_ranges = given.into_iter().map(|one| (one.target_nodes.clone(), one));
    Ok((nodes, of_ranges.collect()))
}

/// Whether a definition lets the number of nodes be changed to this (section A4.8; the words are our own but for the last).
fn check_count(nodes: &NodeProperties, count: i32) -> Result<(), Fault> {
    let ranges = &nodes.node_range_properties;
    if !ranges.iter().any(|range| range.target_nodes.ends_with(':')) {
        return Err(client_exception(
            "numNodes can only be overridden where the job definition has an open-ended node range, such as 1: or 0:.",
        ));
    }
    for NodeRangeProperty { target_nodes, .. } in ranges {
        let (first, last) = node_bounds(target_nodes, count);
        if first >= count || last >= count {
            return Err(client_exception(format!(
                "Node range {target_nodes} of the job definition is out of range for numNodes {count}."
            )));
        }
    }
    if nodes.main_node >= count {
        return Err(client_exception(
            "Main node index is out of range, must be less than numNodes.",
        ));
    }
    Ok(())
}

fn apply(work: Work, range: &mut NodeRangeProperty, given: NodePropertyOverride) -> Result<Work, Fault> {
    let NodePropertyOverride {
        consumable_resource_properties_override,
        container_overrides,
        ecs_properties_override,
        eks_properties_override,
        instance_types,
        target_nodes: _,
    } = given;
    if consumable_resource_properties_override.is_some() {
        range.consumable_resource_properties = consumable_resource_properties_override;
    }
    // Own words from here.
    if eks_properties_override.is_some() && !matches!(work, Work::Pod(_)) {
        return Err(client_exception(
            "eksPropertiesOverride is only applicable for node ranges with eksProperties.",
        ));
    }
    if let Some(types) = instance_types.filter(|types| !types.is_empty()) {
        if range.ecs_properties.is_none() {
            return Err(client_exception(
                "Using instanceTypes with nodeRangeProperty is only allowed for ecsProperties jobs.",
            ));
        }
        range.instance_types = Some(types);
    }
    let mut container_overrides = container_overrides;
    let instance_type = container_overrides
        .as_mut()
        .and_then(|overrides| overrides.instance_type.take());
    let given = Overrides {
        container: container_overrides,
        ecs: ecs_properties_override,
        eks: eks_properties_override,
    };
    let mut work = overrides::of_request(&work, Capability::Ec2, given)?.unwrap_or(work);
    if let (Work::Container(container), Some(_)) = (&mut work, &instance_type) {
        container.instance_type = instance_type;
    }
    Ok(work)
}

/// Puts what finally runs where the range has it, for descriptions.
fn settle(range: &mut NodeRangeProperty, work: Work) {
    match work {
        Work::Container(container) => range.container = Some(*container),
        Work::Task { mut task, containers } => {
            for (of_task, container) in task.containers.iter_mut().zip(containers) {
                of_task.command = container.command;
                of_task.environment = container.environment;
                of_task.resource_requirements = container.resource_requirements;
            }
            range.ecs_properties = Some(EcsProperties {
                task_properties: vec![*task],
            });
        }
        Work::Pod(pod) => {
            range.eks_properties = Some(EksProperties {
                pod_properties: Some(*pod),
            });
        }
    }
}

/// Neighbouring nodes of one range.
struct Group {
    first: u32,
    last: u32,
    /// The range's place in the list.
    range: usize,
}

/// Which nodes belong to which range: of the ranges that have a node, to the narrowest (section E7.2), of equal ones to the last.
fn groups(nodes: &NodeProperties) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for node in 0..nodes.num_nodes {
        let Some(range) = range_of(nodes, node) else {
            continue;
        };
        let node = u32::try_from(node).unwrap_or(0);
        match groups.last_mut().filter(|group| group.range == range) {
            Some(group) => group.last = node,
            None => groups.push(Group {
                first: node,
                last: node,
                range,
            }),
        }
    }
    groups
}

fn range_of(nodes: &NodeProperties, node: i32) -> Option<usize> {
    let bounds = nodes
        .node_range_properties
        .iter()
        .map(|range| node_bounds(&range.target_nodes, nodes.num_nodes));
    let with_node = bounds
        .enumerate()
        .filter(|(_, (first, last))| (*first..=*last).contains(&node));
    // `min_by_key` gives the first of equal ones.
    let narrowest = with_node.min_by_key(|(index, (first, last))| (last - first, std::cmp::Reverse(*index)));
    narrowest.map(|(index, _)| index)
}

/// What a description of a node shows: its container, its task or its pod.
pub(super) fn details(nodes: &NodeProperties, node: u32) -> Shown {
    let range = i32::try_from(node).ok().and_then(|node| range_of(nodes, node));
    let range = range.and_then(|range| nodes.node_range_properties.get(range));
    range
        .and_then(|range| work_of(range).ok())
        .map_or(Shown::default(), |work| work.shown())
}
