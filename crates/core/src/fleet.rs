//! What jobs are placed on: the host, the compute environments with their instances, and what of it all is held.
//!
//! It is a value of its own, apart from the jobs, so that a question of the kind "what if these attempts had ended" is asked of a
//! copy ([`backfill`](crate::schedule), [`explain`](mod@crate::explain)).

use std::collections::BTreeMap;

use crate::environment::{Capacity, Environment, Instance, Life};
use crate::id::{EnvironmentId, InstanceId};
use crate::job::{Placement, Profile, ServiceClaim};
use crate::resources::{GpuSet, Resources};
use crate::schedule::{Plan, Site};
use crate::time::Timestamp;

/// What the machine has that jobs are placed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// vCPUs, memory, and how many GPUs.
    pub resources: Resources,
}

/// The host, the environments and instances, and what is held of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    host: Host,
    environments: BTreeMap<EnvironmentId, Environment>,
    host_in_use: Resources,
    gpus_in_use: GpuSet,
}

/// What an attempt holds, and whether it has its instance for itself.
#[derive(Clone, Copy)]
pub(crate) struct Hold<'a> {
    pub(crate) need: Resources,
    pub(crate) is_alone: bool,
    /// What a service job takes besides.
    pub(crate) service: Option<&'a ServiceClaim>,
}

impl<'a> Hold<'a> {
    /// Of an attempt of a single job, of a child or of a node.
    pub(crate) fn of(profile: &'a Profile, child: Option<crate::id::ArrayIndex>) -> Self {
        Hold {
            need: profile.need(child),
            // A node is the only task of its instance (section B11.6).
            is_alone: profile.nodes.is_some(),
            service: profile.service.as_ref(),
        }
    }
}

impl Fleet {
    pub(crate) fn empty(host: Host) -> Self {
        Fleet {
            host,
            environments: BTreeMap::new(),
            host_in_use: Resources::default(),
            gpus_in_use: GpuSet::default(),
        }
    }

    /// The host that jobs are placed on.
    #[must_use]
    pub fn host(&self) -> Host {
        self.host
    }

    /// What of the host no instance and no job holds.
    #[must_use]
    pub fn host_free(&self) -> Resources {
        self.host.resources.minus(self.host_in_use)
    }

    /// The GPUs of the host that no instance and no job holds.
    #[must_use]
    pub fn gpus_free(&self) -> GpuSet {
        GpuSet::first(self.host.resources.gpus).without(self.gpus_in_use)
    }

    /// The compute environments in order of creation.
    pub fn environments(&self) -> impl Iterator<Item = (EnvironmentId, &Environment)> {
        self.environments
            .iter()
            .map(|(id, environment)| (*id, environment))
    }

    pub(crate) fn find(&self, id: EnvironmentId) -> Option<&Environment> {
        self.environments.get(&id)
    }

    /// A compute environment.
    ///
    /// # Panics
    /// If it does not exist: numbers are only had from the state.
    #[must_use]
    pub fn environment(&self, id: EnvironmentId) -> &Environment {
        self.find(id)
            .expect("environments are removed only when nothing refers to them")
    }

    pub(crate) fn environment_mut(&mut self, id: EnvironmentId) -> &mut Environment {
        self.environments
            .get_mut(&id)
            .expect("only environments that exist change")
    }

    /// Puts an environment there, and gives back the one of before.
    pub(crate) fn put(&mut self, id: EnvironmentId, environment: Environment) -> Option<Environment> {
        self.environments.insert(id, environment)
    }

    pub(crate) fn remove(&mut self, id: EnvironmentId) -> Environment {
        self.environments.remove(&id).expect("it exists")
    }

    pub(crate) fn add_instance(&mut self, of: EnvironmentId, id: InstanceId, instance: Instance) {
        self.host_in_use = self.host_in_use.plus(instance.capacity);
        self.gpus_in_use = self.gpus_in_use.with(instance.gpus);
        self.environment_mut(of).instances.insert(id, instance);
    }

    pub(crate) fn remove_instance(&mut self, of: EnvironmentId, id: InstanceId) {
        let instances = &mut self.environment_mut(of).instances;
        let instance = instances.remove(&id).expect("it exists");
        self.host_in_use = self.host_in_use.minus(instance.capacity);
        self.gpus_in_use = self.gpus_in_use.without(instance.gpus);
    }

    /// An attempt takes its place.
    pub(crate) fn occupy(&mut self, placement: Placement, hold: Hold<'_>) {
        let Hold {
            need,
            is_alone,
            service,
        } = hold;
        let Placement {
            environment: id,
            instance,
            gpus,
        } = placement;
        let environment = self.environment_mut(id);
        environment.in_use = environment.in_use.plus(need);
        environment.attempts += 1;
        if let Some(claim) = service {
            *environment.units.entry(claim.unit.clone()).or_default() += claim.count;
        }
        let Some(instance_id) = instance else {
            self.host_in_use = self.host_in_use.plus(need);
            self.gpus_in_use = self.gpus_in_use.with(gpus);
            return;
        };
        let instance = environment
            .instances
            .get_mut(&instance_id)
            .expect("jobs are placed on instances that exist");
        let held = if is_alone { instance.capacity } else { need };
        instance.in_use = instance.in_use.plus(held);
        instance.gpus_in_use = instance.gpus_in_use.with(gpus);
        instance.attempts += 1;
    }

    /// An attempt gives its place back.
    pub(crate) fn vacate(&mut self, placement: Placement, hold: Hold<'_>, at: Timestamp) {
        let Hold {
            need,
            is_alone,
            service,
        } = hold;
        let Placement {
            environment: id,
            instance,
            gpus,
        } = placement;
        let environment = self.environment_mut(id);
        environment.in_use = environment.in_use.minus(need);
        environment.attempts -= 1;
        if let Some(claim) = service {
            let held = environment
                .units
                .get_mut(&claim.unit)
                .expect("the attempt has taken its units");
            *held -= claim.count;
            // A unit of which nothing is held has no entry, as after a restart.
            if *held == 0 {
                environment.units.remove(&claim.unit);
            }
        }
        let Some(instance_id) = instance else {
            self.host_in_use = self.host_in_use.minus(need);
            self.gpus_in_use = self.gpus_in_use.without(gpus);
            return;
        };
        let instance = environment
            .instances
            .get_mut(&instance_id)
            .expect("instances stay until their last attempt ends");
        let held = if is_alone { instance.capacity } else { need };
        instance.in_use = instance.in_use.minus(held);
        instance.gpus_in_use = instance.gpus_in_use.without(gpus);
        instance.attempts -= 1;
        instance.last_used_at = instance.last_used_at.max(at);
        instance.was_used = true;
    }

    /// Makes a place and takes it, in a copy that is asked what would be; which one.
    pub(crate) fn take(&mut self, plan: &Plan, hold: Hold<'_>) -> Placement {
        for (environment, instance) in &plan.reclaimed {
            self.remove_instance(*environment, *instance);
        }
        let environment = plan.environment;
        let instance = match &plan.site {
            Site::Host => None,
            Site::Instance(id) => Some(*id),
            Site::New(new) => {
                // No other has this number.
                let id = InstanceId(u32::MAX);
                let instance = Instance {
                    instance_type: new.instance_type,
                    capacity: new.capacity,
                    gpus: self.gpus_free().lowest(new.capacity.gpus).unwrap_or_default(),
                    in_use: Resources::default(),
                    gpus_in_use: GpuSet::default(),
                    attempts: 0,
                    last_used_at: Timestamp::default(),
                    was_used: false,
                    leaving: None,
                };
                self.add_instance(environment, id, instance);
                Some(id)
            }
        };
        let free = match instance {
            None => self.gpus_free(),
            Some(id) => {
                let instance = &self.environment(environment).instances[&id];
                instance.gpus.without(instance.gpus_in_use)
            }
        };
        let placement = Placement {
            environment,
            instance,
            gpus: free.lowest(hold.need.gpus).unwrap_or_default(),
        };
        self.occupy(placement, hold);
        placement
    }

    /// An idle instance that may be given back for others: of any environment, beyond what its minimum keeps.
    pub(crate) fn reclaimable(&self) -> impl Iterator<Item = (EnvironmentId, InstanceId, &Instance)> {
        self.environments.iter().flat_map(|(id, environment)| {
            let idle = environment
                .instances
                .iter()
                .filter(|(id, instance)| instance.is_idle() && !is_kept(environment, **id));
            idle.map(|(instance_id, instance)| (*id, *instance_id, instance))
        })
    }
}

/// Whether the environment's minimum keeps an instance, jobs or not: the oldest ones, until they have that many vCPUs.
pub(crate) fn is_kept(environment: &Environment, instance_id: InstanceId) -> bool {
    let vcpus_min = match &environment.spec.capacity {
        Capacity::Instances(plan) => plan.vcpus_min,
        Capacity::Shared { .. } | Capacity::Units { .. } => 0,
    };
    let older = environment.instances.range(..instance_id);
    let older_vcpus: u32 = older.map(|(_, instance)| instance.capacity.vcpus.ceil()).sum();
    older_vcpus < vcpus_min && environment.life == Life::Valid
}
