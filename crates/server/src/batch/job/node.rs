//! Multi-node parallel jobs: from a definition's `nodeProperties` and a submission's `nodeOverrides` to what each node runs (sections A4.8,
//! B.11, E.7).

use std::collections::BTreeMap;
use std::sync::Arc;

use batchyard_core::environment::{InstanceTypeName, Platform};
use batchyard_core::job::Profile;
use batchyard_core::launch::{LaunchSpec, NodeLaunch, NodeLaunches, Runner};
use batchyard_core::multi_node::{NodeGroup, NodeShape};
use batchyard_core::resources::Resources;
use batchyard_core::time::Millis;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    ContainerDetail, ContainerProperties, EcsPropertiesDetail, EcsTaskProperties, NodeOverrides,
    NodeProperties, NodePropertyOverride, NodeRangeProperty,
};

use super::document::JobDocument;
use super::overrides::Overrides;
use super::template::{Additions, Definition, Prepared};
use super::work::{PROCESSES_ARE_OFF, STOP_TIMEOUT, Work, detail, unsupported};
use super::{consumable, launch, overrides, resources, substitute, task};
use crate::batch::job_definition::check::Platform as Capability;
use crate::batch::job_definition::check::node_bounds;

/// What keeps the jobs of such a definition from running here.
pub(super) fn check(nodes: &NodeProperties, allows_processes: bool) -> Result<(), String> {
    for range in &nodes.node_range_properties {
        let target = &range.target_nodes;
        let container = container_of(range).map_err(|reason| format!("node range {target}: {reason}"))?;
        let is_process = container.image.as_deref().is_some_and(launch::is_process);
        if is_process && !allows_processes {
            return Err(PROCESSES_ARE_OFF.to_owned());
        }
        if let Some(member) = unsupported(&container) {
            return Err(format!("node range {target}: {member} is not implemented yet"));
        }
    }
    Ok(())
}

/// The one container of a range, in the form of `container`.
fn container_of(range: &NodeRangeProperty) -> Result<ContainerProperties, String> {
    match (&range.container, task_of(range)) {
        (Some(container), _) => Ok(container.clone()),
        (None, Some(task)) => only_of(task),
        (None, None) if range.eks_properties.is_some() => {
            Err("jobs on Kubernetes are not implemented yet".to_owned())
        }
        (None, None) => Err("it has no container".to_owned()),
    }
}

/// The one container of a task.
fn only_of(task: &EcsTaskProperties) -> Result<ContainerProperties, String> {
    let mut containers = task::containers(task);
    if containers.len() != 1 {
        return Err("tasks of several containers are not implemented yet".to_owned());
    }
    task::check(task, &containers)?;
    let modes = [("ipcMode", &task.ipc_mode), ("pidMode", &task.pid_mode)];
    if let Some((member, _)) = modes.iter().find(|(_, mode)| mode.is_some()) {
        return Err(format!("{member} is not implemented yet for nodes"));
    }
    Ok(containers.remove(0))
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
        let container = container_of(range).map_err(client_exception)?;
        let container = match of_ranges.remove(&range.target_nodes) {
            Some(given) => apply(container, range, given)?,
            None => container,
        };
        let container = substitute::in_container(container, &parameters)?;
        ranges.push(Range::new(definition, range, &container)?);
        settle(range, container);
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
        platform: Platform::Ec2,
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
    let document = JobDocument {
        node_properties: Some(nodes),
        ..definition.document(additions)
    };
    Ok(Prepared {
        profile,
        launch,
        nodes: Some(Arc::new(launches)),
        document: document.write(),
    })
}

/// The instance type that a range asks for (section B11.10).
fn instance_type(
    range: &NodeRangeProperty,
    container: &ContainerProperties,
) -> Result<Option<InstanceTypeName>, Fault> {
    let of_range = range.instance_types.as_ref().and_then(|types| types.first());
    let Some(name) = of_range.or(container.instance_type.as_ref()) else {
        return Ok(None);
    };
    // Own words; a type newer than our table is refused too, as nobody could say what it has.
    let known = InstanceTypeName::find(name)
        .ok_or_else(|| client_exception(format!("{name} is not an instance type that is known here")))?;
    Ok(Some(known))
}

/// What all nodes of a range run.
struct Range {
    resources: Resources,
    instance_type: Option<InstanceTypeName>,
    launch: Arc<LaunchSpec>,
}

impl Range {
    fn new(
        definition: &Definition,
        range: &NodeRangeProperty,
        container: &ContainerProperties,
    ) -> Result<Range, Fault> {
        let task = task_of(range);
        let only = task.and_then(|task| task.containers.first());
        let stop_timeout: Millis = only.map_or(STOP_TIMEOUT, task::stop_timeout);
        let resources = resources::needed(container)?;
        let source = launch::Source {
            container,
            definition: definition.name(),
            stream_part: task
                .and_then(|task| task.containers.first()?.name.as_deref())
                .unwrap_or("default"),
            is_fargate: false,
            resources,
            stop_timeout,
        };
        Ok(Range {
            resources,
            instance_type: instance_type(range, container)?,
            launch: Arc::new(launch::spec(&source)?),
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

fn apply(
    container: ContainerProperties,
    range: &mut NodeRangeProperty,
    given: NodePropertyOverride,
) -> Result<ContainerProperties, Fault> {
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
    if eks_properties_override.is_some() {
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
        eks: None,
    };
    let work = match task_of(range) {
        Some(task) => Work::Task {
            task: Box::new(task.clone()),
            containers: vec![container.clone()],
        },
        None => Work::Container(Box::new(container.clone())),
    };
    let mut container = match overrides::of_request(&work, Capability::Ec2, given)? {
        Some(Work::Container(container)) => *container,
        Some(Work::Task { mut containers, .. }) => containers.remove(0),
        Some(Work::Pod(_)) | None => container,
    };
    if instance_type.is_some() {
        container.instance_type = instance_type;
    }
    Ok(container)
}

/// Puts the final container where the range has it, for descriptions.
fn settle(range: &mut NodeRangeProperty, container: ContainerProperties) {
    let task = range
        .ecs_properties
        .as_mut()
        .and_then(|ecs| ecs.task_properties.first_mut());
    match task.and_then(|task| task.containers.first_mut()) {
        Some(of_task) if range.container.is_none() => {
            of_task.command = container.command;
            of_task.environment = container.environment;
            of_task.resource_requirements = container.resource_requirements;
        }
        Some(_) | None => range.container = Some(container),
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

/// What a description of a node shows: its container, or its task.
pub(super) fn details(
    nodes: &NodeProperties,
    node: u32,
) -> (Option<ContainerDetail>, Option<EcsPropertiesDetail>) {
    let range = i32::try_from(node).ok().and_then(|node| range_of(nodes, node));
    let Some(range) = range.and_then(|range| nodes.node_range_properties.get(range)) else {
        return (None, None);
    };
    match (&range.container, task_of(range)) {
        (Some(container), _) => (Some(detail(container)), None),
        (None, Some(task)) => (None, Some(task::detail(task, &task::containers(task)))),
        (None, None) => (None, None),
    }
}
