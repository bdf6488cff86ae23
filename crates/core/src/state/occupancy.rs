//! What is held of the host, of environments and of instances by attempts.

use crate::environment::{Capacity, Environment, Life};
use crate::id::{EnvironmentId, InstanceId};
use crate::job::Placement;
use crate::resources::Resources;
use crate::state::{Deadline, State};
use crate::time::{Millis, Timestamp};

impl State {
    /// An attempt takes its place.
    pub(super) fn occupy(&mut self, placement: Placement, need: Resources) {
        let Placement {
            environment: id,
            instance,
            gpus,
        } = placement;
        let environment = self
            .environments
            .get_mut(&id)
            .expect("jobs are placed in environments that exist");
        environment.in_use = environment.in_use.plus(need);
        environment.attempts += 1;
        let Some(instance_id) = instance else {
            self.host_in_use = self.host_in_use.plus(need);
            self.gpus_in_use = self.gpus_in_use.with(gpus);
            return;
        };
        let due = idle_deadline(environment, id, instance_id);
        let instance = environment
            .instances
            .get_mut(&instance_id)
            .expect("jobs are placed on instances that exist");
        instance.in_use = instance.in_use.plus(need);
        instance.gpus_in_use = instance.gpus_in_use.with(gpus);
        instance.attempts += 1;
        if let Some(due) = due {
            self.deadlines.remove(&due);
        }
    }

    /// An attempt gives its place back.
    pub(super) fn vacate(&mut self, placement: Placement, need: Resources, at: Timestamp) {
        let Placement {
            environment: id,
            instance,
            gpus,
        } = placement;
        let environment = self
            .environments
            .get_mut(&id)
            .expect("environments stay until their last attempt ends");
        environment.in_use = environment.in_use.minus(need);
        environment.attempts -= 1;
        let Some(instance_id) = instance else {
            self.host_in_use = self.host_in_use.minus(need);
            self.gpus_in_use = self.gpus_in_use.without(gpus);
            return;
        };
        let instance = environment
            .instances
            .get_mut(&instance_id)
            .expect("instances stay until their last attempt ends");
        instance.in_use = instance.in_use.minus(need);
        instance.gpus_in_use = instance.gpus_in_use.without(gpus);
        instance.attempts -= 1;
        instance.last_used_at = instance.last_used_at.max(at);
        self.deadlines.extend(idle_deadline(environment, id, instance_id));
    }

    /// Makes the deadlines of an environment's instances anew: which of them its minimum keeps may have changed, or its delay.
    pub(super) fn renew_idle_deadlines(&mut self, id: EnvironmentId) {
        self.deadlines
            .retain(|(_, deadline)| !matches!(deadline, Deadline::Idle(of, _) if *of == id));
        let environment = self
            .environments
            .get(&id)
            .expect("the caller has just put it there");
        let instances = environment.instances.keys();
        self.deadlines
            .extend(instances.filter_map(|instance| idle_deadline(environment, id, *instance)));
    }
}

/// When an instance has been idle for long enough; `None` while it has jobs, and for those that the minimum keeps.
pub(super) fn idle_deadline(
    environment: &Environment,
    id: EnvironmentId,
    instance_id: InstanceId,
) -> Option<(Timestamp, Deadline)> {
    let instance = environment.instances.get(&instance_id)?;
    let delay = match &environment.spec.capacity {
        Capacity::Instances(plan) => plan.idle_delay,
        // The environment has been changed to one without instances: those left go at once.
        Capacity::Shared { .. } => Millis::default(),
    };
    (instance.is_idle() && !is_kept(environment, instance_id))
        .then(|| (instance.last_used_at + delay, Deadline::Idle(id, instance_id)))
}

/// Whether the environment's minimum keeps an instance, jobs or not: the oldest ones, until they have that many vCPUs.
pub(super) fn is_kept(environment: &Environment, instance_id: InstanceId) -> bool {
    let vcpus_min = match &environment.spec.capacity {
        Capacity::Instances(plan) => plan.vcpus_min,
        Capacity::Shared { .. } => 0,
    };
    let older = environment.instances.range(..instance_id);
    let older_vcpus: u32 = older.map(|(_, instance)| instance.capacity.vcpus.ceil()).sum();
    older_vcpus < vcpus_min && environment.life == Life::Valid
}
