//! The hosts that a training job runs on: `ResourceConfig`.

use batchyard_core::instance_type::InstanceType;
use batchyard_wire::Fault;
use serde_json::{Value, json};

use super::part::Part;
use crate::batch::service_environment::instance_unit;
use crate::limits::TRAINING_HOSTS_MAX;

/// The group of instances that a training job without groups has (SageMaker).
const GROUP: &str = "homogeneousCluster";

/// The hosts of a training job. All are of one type, as a job takes units of one type.
pub(super) struct Cluster {
    /// The type of the instances, for example `ml.m5.large`.
    pub(super) unit: String,
    /// The same type as EC2 has it.
    pub(super) instance: &'static InstanceType,
    /// 1..=20.
    pub(super) hosts: Vec<Host>,
}

/// A host of a training job.
pub(super) struct Host {
    /// `algo-1` and so on, as SageMaker names them.
    pub(super) name: String,
    /// The name of its group of instances.
    pub(super) group: String,
}

/// A group of instances as the request has it.
struct Group<'a> {
    name: String,
    unit: Part<'a>,
    count: Part<'a>,
}

/// Reads it.
pub(super) fn read(resources: &Part<'_>) -> Result<Cluster, Fault> {
    let groups = match resources.member("InstanceGroups")? {
        None => vec![Group {
            name: GROUP.to_owned(),
            unit: resources.required("InstanceType")?,
            count: resources.required("InstanceCount")?,
        }],
        Some(list) => groups(resources, &list)?,
    };
    let first = &groups[0].unit;
    let unit = first.text()?;
    let instance = instance_unit(unit)
        .ok_or_else(|| first.wrong(&format!("{} is not a known instance type", first.value)))?;
    let mut hosts = Vec::new();
    for group in &groups {
        if group.unit.text()? != unit {
            return Err(group.unit.wrong(
                "must be the type of the other groups: instances of several types are not served here",
            ));
        }
        let count = group.count.number()?;
        let left = TRAINING_HOSTS_MAX - hosts.len();
        let fits = usize::try_from(count).is_ok_and(|count| (1..=left).contains(&count));
        if !fits {
            return Err(group
                .count
                .wrong(&format!("a training job has 1 to {TRAINING_HOSTS_MAX} instances")));
        }
        for _ in 0..count {
            hosts.push(Host {
                name: format!("algo-{}", hosts.len() + 1),
                group: group.name.clone(),
            });
        }
    }
    Ok(Cluster {
        unit: unit.to_owned(),
        instance,
        hosts,
    })
}

fn groups<'a>(resources: &Part<'a>, list: &Part<'a>) -> Result<Vec<Group<'a>>, Fault> {
    for other in ["InstanceType", "InstanceCount"] {
        if let Some(other) = resources.member(other)? {
            return Err(other.wrong("cannot be given together with InstanceGroups"));
        }
    }
    let mut groups: Vec<Group<'_>> = Vec::new();
    for part in list.items()? {
        let name = part.required("InstanceGroupName")?;
        let given = name.text()?;
        if groups.iter().any(|group| group.name == given) {
            return Err(name.wrong("is given more than once"));
        }
        groups.push(Group {
            name: given.to_owned(),
            unit: part.required("InstanceType")?,
            count: part.required("InstanceCount")?,
        });
    }
    if groups.is_empty() {
        return Err(list.wrong("must have at least one group"));
    }
    Ok(groups)
}

impl Cluster {
    /// Whether there is but one host, whose folders are the attempt's own.
    pub(super) fn is_single(&self) -> bool {
        self.hosts.len() == 1
    }

    /// The names of the groups, each once, in order.
    pub(super) fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = self.hosts.iter().map(|host| host.group.as_str()).collect();
        groups.dedup();
        groups
    }

    /// What a host reads about itself and the others.
    pub(super) fn resources(&self, host: &Host) -> Value {
        let names = |group: Option<&str>| -> Vec<&str> {
            let of_group = self
                .hosts
                .iter()
                .filter(|host| group.is_none_or(|group| host.group == group));
            of_group.map(|host| host.name.as_str()).collect()
        };
        let groups = self.groups().into_iter().map(|group| {
            json!({
                "instance_group_name": group,
                "instance_type": self.unit,
                "hosts": names(Some(group)),
            })
        });
        json!({
            "current_host": host.name,
            "current_instance_type": self.unit,
            "current_group_name": host.group,
            "hosts": names(None),
            "instance_groups": groups.collect::<Vec<Value>>(),
            "network_interface_name": "eth0",
        })
    }
}
