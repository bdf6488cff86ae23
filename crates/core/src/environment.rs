//! Compute environments and their instances, as far as scheduling goes.
//!
//! What a client wrote besides (subnets, roles, tags, …) is a document that passes through the core to the store unread.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::InstanceId;
use crate::instance_type::InstanceType;
use crate::item::CapacityLimit;
use crate::name::EnvironmentName;
use crate::resources::{GpuSet, Resources};
use crate::time::{Millis, Timestamp};

/// A compute environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// Counts its updates from 1, so that an update made from an outdated reading is refused.
    pub version: u64,
    /// Whether it takes new jobs.
    pub switch: Switch,
    /// Whether it exists, or is going away.
    pub life: Life,
    /// What it offers.
    pub spec: EnvironmentSpec,
    /// Which of its instances are being replaced, if any.
    pub renewal: Option<Renewal>,
    /// The slices of hosts that it has, where its capacity comes in instances.
    pub instances: BTreeMap<InstanceId, Instance>,
    /// What the jobs placed in it hold together.
    pub in_use: Resources,
    /// How many attempts run in it, or are about to.
    pub attempts: u32,
    /// The units that its service jobs hold, by unit; none that is 0.
    pub units: BTreeMap<Box<str>, u32>,
}

/// The replacement of an environment's instances after an infrastructure update (section D4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// Older instances take no further jobs, and go when their last one has ended.
    pub outdated_before: InstanceId,
    /// When their jobs are stopped; `None` once they were.
    pub due: Option<Timestamp>,
}

/// What a compute environment offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentSpec {
    /// Which jobs it can run.
    pub platform: Platform,
    /// Where its capacity comes from.
    pub capacity: Capacity,
    /// Whether it takes no multi-node parallel jobs: Spot, Fargate and unmanaged ones (section B11.7).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refuses_multi_node: bool,
    /// vCPUs that a compute reservation is a part of (section C3.5), where they are not the most that it may have: those that an unmanaged
    /// environment is said to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservable_vcpus: Option<u32>,
}

/// Which jobs an environment runs, and which environments a job can run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// ECS on EC2, Spot or unmanaged capacity.
    Ec2,
    /// ECS on Fargate or Fargate Spot.
    Fargate,
    /// ECS on instances that the service chooses by what jobs ask for.
    ManagedInstances,
    /// Kubernetes.
    Eks,
    /// A service that runs jobs of its own kind: SageMaker training.
    Service,
}

/// Where the capacity of an environment comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capacity {
    /// Jobs are placed straight on the host: Fargate, unmanaged environments, and EC2 types that leave the choice of
    /// instances to the service.
    Shared {
        /// Most vCPUs of all jobs together; `None` is as many as the host has.
        vcpus_max: Option<u32>,
    },
    /// Jobs are placed on instances, which are slices of the host the size of an EC2 instance type.
    Instances(InstancePlan),
    /// Service jobs, counted in units: of the host they take GPUs alone (section D.6).
    Units {
        /// How many of each unit, 1..=5 entries with units of their own; `NUM_INSTANCES` is all units together.
        limits: Vec<CapacityLimit>,
    },
}

impl Capacity {
    /// The most that jobs can use in a millisecond: milli-vCPUs, or thousandths of service instances; `None` is as much as the host has.
    #[must_use]
    pub fn rate_max(&self) -> Option<u64> {
        match self {
            Capacity::Shared { vcpus_max } => vcpus_max.map(|vcpus| u64::from(vcpus) * 1000),
            Capacity::Instances(plan) => Some(u64::from(plan.vcpus_max) * 1000),
            Capacity::Units { limits } => Some(limits.iter().map(|limit| u64::from(limit.max) * 1000).sum()),
        }
    }
}

/// The unit that counts instances of all types.
pub const NUM_INSTANCES: &str = "NUM_INSTANCES";

/// How instances come and go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstancePlan {
    /// The types to choose from, best first where the strategy asks for an order; never empty.
    pub types: Vec<InstanceTypeName>,
    /// Which type a new instance gets.
    pub choice: InstanceChoice,
    /// vCPUs that stay, jobs or not.
    pub vcpus_min: u32,
    /// vCPUs that instances are made up to, jobs or not; unlike the minimum they are given back when idle.
    pub vcpus_desired: u32,
    /// Most vCPUs of all instances together.
    pub vcpus_max: u32,
    /// How long an instance stays after its last job.
    pub idle_delay: Millis,
}

/// Which type a new instance gets (section D.5). What strategies say about prices is in the order of the types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceChoice {
    /// The smallest that fits the job: environments made before prices were known.
    Smallest,
    /// The first of the list that fits the job, and no other: BEST_FIT.
    Ordered,
    /// The first of the list that fits the job and of which there is a whole one: the progressive strategies, and Spot by price or priority.
    Progressive,
    /// The one of which there are most: Spot by capacity.
    Roomiest,
}

impl InstanceChoice {
    /// Whether the last instance may go beyond the environment's maximum (section C2.3).
    #[must_use]
    pub fn overshoots(self) -> bool {
        match self {
            InstanceChoice::Smallest | InstanceChoice::Ordered => false,
            InstanceChoice::Progressive | InstanceChoice::Roomiest => true,
        }
    }
}

/// The name of an instance type that the table has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(into = "&'static str")]
pub struct InstanceTypeName(&'static InstanceType);

/// A slice of a host with the size of an instance type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Which type it stands for.
    pub instance_type: InstanceTypeName,
    /// What jobs can have of it: the type's, or less where the host or the environment's maximum had less left.
    pub capacity: Resources,
    /// Its GPUs.
    pub gpus: GpuSet,
    /// What its jobs hold.
    pub in_use: Resources,
    /// The GPUs its jobs hold.
    pub gpus_in_use: GpuSet,
    /// How many attempts run on it, or are about to.
    pub attempts: u32,
    /// When its last attempt ended, or when it was made: since then it has been idle, if it is.
    pub last_used_at: Timestamp,
    /// Whether an attempt has ever ended on it.
    pub was_used: bool,
    /// That it is being taken away, if it is: it takes no further jobs, and goes when its last one has ended.
    pub leaving: Option<Leaving>,
}

/// An instance that is being taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// When its jobs are stopped; `None` once they were.
    pub due: Option<Timestamp>,
}

/// What a user wants of an environment or queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// Takes work.
    Enabled,
    /// Takes no new work.
    Disabled,
}

/// Whether something exists or is going away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// Usable.
    Valid,
    /// What its client wrote cannot work: it takes no jobs until it is updated. Compute environments only.
    Invalid,
    /// Gone as soon as its last job has ended.
    Deleting,
}

impl Environment {
    /// Whether new jobs may be placed in it.
    #[must_use]
    pub fn takes_jobs(&self) -> bool {
        self.switch == Switch::Enabled && self.life == Life::Valid
    }

    /// Whether an instance is being replaced, or taken away.
    #[must_use]
    pub fn is_outdated(&self, instance: InstanceId) -> bool {
        let is_replaced = self
            .renewal
            .is_some_and(|renewal| instance < renewal.outdated_before);
        is_replaced || self.is_leaving(instance)
    }

    /// Whether an instance is being taken away.
    #[must_use]
    pub fn is_leaving(&self, instance: InstanceId) -> bool {
        let leaves = |instance: &Instance| instance.leaving.is_some();
        self.instances.get(&instance).is_some_and(leaves)
    }

    /// vCPUs it has now, as `desiredvCpus` shows them: those of its instances, or of its jobs where it has none.
    #[must_use]
    pub fn vcpus_now(&self) -> u32 {
        match self.spec.capacity {
            Capacity::Shared { .. } | Capacity::Units { .. } => self.in_use.vcpus.ceil(),
            Capacity::Instances(_) => self
                .instances
                .values()
                .map(|instance| instance.capacity.vcpus.ceil())
                .sum(),
        }
    }
}

impl Environment {
    /// How many of a unit its service jobs hold.
    #[must_use]
    pub fn units_of(&self, unit: &str) -> u32 {
        match unit {
            NUM_INSTANCES => self
                .units
                .values()
                .fold(0, |sum, count| sum.saturating_add(*count)),
            _ => self.units.get(unit).copied().unwrap_or(0),
        }
    }
}

impl Instance {
    /// What is left for further jobs.
    #[must_use]
    pub fn free(&self) -> Resources {
        self.capacity.minus(self.in_use)
    }

    /// Whether no attempt runs on it.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.attempts == 0
    }
}

impl InstanceTypeName {
    /// The name of a type in the table.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        InstanceType::find(name).map(InstanceTypeName)
    }

    /// The types that an entry of a list stands for: a type, or all of a family such as `m5`, in order of name. Empty for what is neither.
    #[must_use]
    pub fn listed(entry: &str) -> Vec<Self> {
        match Self::find(entry) {
            Some(name) => vec![name],
            None => InstanceType::family(entry).map(InstanceTypeName).collect(),
        }
    }

    /// The type's facts.
    #[must_use]
    pub fn facts(self) -> &'static InstanceType {
        self.0
    }
}

impl Ord for InstanceTypeName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.name.cmp(other.0.name)
    }
}

impl PartialOrd for InstanceTypeName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<InstanceTypeName> for &'static str {
    fn from(name: InstanceTypeName) -> &'static str {
        name.0.name
    }
}

impl<'de> Deserialize<'de> for InstanceTypeName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let unknown = || serde::de::Error::custom(format!("instance type {name:?} is not in the table"));
        Self::find(&name).ok_or_else(unknown)
    }
}
