//! The EC2 instance types: how many vCPUs, how much memory and which GPUs each has.

use crate::generated::instance_types::INSTANCE_TYPES;
use crate::resources::{Mebibytes, MilliVcpus, Resources};

/// The facts of one instance type, as AWS publishes them.
#[derive(Debug, PartialEq, Eq)]
pub struct InstanceType {
    /// For example `m5.large`.
    pub name: &'static str,
    /// Whole vCPUs.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Whether it runs arm64 programs.
    pub arm64: bool,
    /// Whether it runs x86 programs.
    pub x86_64: bool,
    /// Whole GPUs.
    pub gpus: u16,
    /// For example `NVIDIA T4`; empty without GPUs.
    pub gpu_model: &'static str,
    /// Memory of all GPUs together, in MiB.
    pub gpu_memory_mib: u32,
    /// Whether AWS lists it as current generation.
    pub current_generation: bool,
    /// Whether it is a bare-metal machine.
    pub bare_metal: bool,
    /// Whether it is offered on demand.
    pub on_demand: bool,
    /// Whether it is offered as Spot.
    pub spot: bool,
}

/// Memory that the agent on an instance keeps for itself, in MiB: the ECS agent's default (section C2.1).
const AGENT_MEMORY_MIB: u64 = 32;

impl InstanceType {
    /// The type with this name, if there is one.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static InstanceType> {
        let position = INSTANCE_TYPES
            .binary_search_by(|candidate| candidate.name.cmp(name))
            .ok()?;
        Some(&INSTANCE_TYPES[position])
    }

    /// The types of a family such as `m5`, in order of name.
    pub fn family(family: &str) -> impl Iterator<Item = &'static InstanceType> {
        INSTANCE_TYPES
            .iter()
            .filter(move |candidate| candidate.family_name() == family)
    }

    /// The part of the name before the dot.
    #[must_use]
    pub fn family_name(&self) -> &'static str {
        self.name
            .split('.')
            .next()
            .expect("split yields at least one part")
    }

    /// What jobs can have of it: all but the agent's share of memory.
    #[must_use]
    pub fn capacity(&self) -> Resources {
        Resources {
            vcpus: MilliVcpus::whole(self.vcpus),
            memory: Mebibytes(u64::from(self.memory_mib).saturating_sub(AGENT_MEMORY_MIB)),
            gpus: self.gpus,
        }
    }
}
