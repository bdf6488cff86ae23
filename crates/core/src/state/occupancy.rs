//! What is held of the host, of environments and of instances by attempts.

use crate::environment::{Capacity, Environment, Life};
use crate::id::{EnvironmentId, InstanceId, QueueId};
use crate::job::{Job, Placement, ServiceClaim};
use crate::resources::Resources;
use crate::state::gang::Hold;
use crate::state::{Deadline, State};
use crate::time::{Millis, Timestamp};

/// Who holds what an attempt has.
pub(super) struct Holder {
    queue: QueueId,
    share: Option<Box<str>>,
    /// What a service job takes besides.
    service: Option<ServiceClaim>,
}

impl Holder {
    pub(super) fn of(job: &Job) -> Self {
        let share = job.profile.share.as_ref();
        // A priority without a share can be given at any time; it belongs to the same share as none.
        let share = share.filter(|share| !share.identifier.is_empty());
        Holder {
            queue: job.queue,
            share: share.map(|share| share.identifier.clone()),
            service: job.profile.service.clone(),
        }
    }
}

/// What the attempts of a share hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Held {
    pub(super) resources: Resources,
    attempts: u32,
}

impl State {
    /// An attempt takes its place.
    pub(super) fn occupy(&mut self, holder: &Holder, placement: Placement, hold: Hold) {
        let Hold { need, is_alone } = hold;
        let usage = self.usage.entry(holder.queue).or_default();
        let held = usage.entry(holder.share.clone()).or_default();
        held.resources = held.resources.plus(need);
        held.attempts += 1;
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
        if let Some(claim) = &holder.service {
            *environment.units.entry(claim.unit.clone()).or_default() += claim.count;
        }
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
        let held = if is_alone { instance.capacity } else { need };
        instance.in_use = instance.in_use.plus(held);
        instance.gpus_in_use = instance.gpus_in_use.with(gpus);
        instance.attempts += 1;
        if let Some(due) = due {
            self.deadlines.remove(&due);
        }
    }

    /// An attempt gives its place back.
    pub(super) fn vacate(&mut self, holder: &Holder, placement: Placement, hold: Hold, at: Timestamp) {
        let Hold { need, is_alone } = hold;
        let usage = self.usage.get_mut(&holder.queue).expect("the attempt is counted");
        let held = usage.get_mut(&holder.share).expect("the attempt is counted");
        held.resources = held.resources.minus(need);
        held.attempts -= 1;
        if held.attempts == 0 {
            usage.remove(&holder.share);
        }
        if usage.is_empty() {
            self.usage.remove(&holder.queue);
        }
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
        if let Some(claim) = &holder.service {
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
        Capacity::Shared { .. } | Capacity::Units { .. } => Millis::default(),
    };
    (instance.is_idle() && !is_kept(environment, instance_id))
        .then(|| (instance.last_used_at + delay, Deadline::Idle(id, instance_id)))
}

/// Whether the environment's minimum keeps an instance, jobs or not: the oldest ones, until they have that many vCPUs.
pub(super) fn is_kept(environment: &Environment, instance_id: InstanceId) -> bool {
    let vcpus_min = match &environment.spec.capacity {
        Capacity::Instances(plan) => plan.vcpus_min,
        Capacity::Shared { .. } | Capacity::Units { .. } => 0,
    };
    let older = environment.instances.range(..instance_id);
    let older_vcpus: u32 = older.map(|(_, instance)| instance.capacity.vcpus.ceil()).sum();
    older_vcpus < vcpus_min && environment.life == Life::Valid
}
