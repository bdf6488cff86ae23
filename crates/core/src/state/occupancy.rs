//! What is held of the host, of environments and of instances by attempts.

use std::collections::BTreeMap;

use crate::environment::{Capacity, Environment};
use crate::fleet::{Hold, is_kept};
use crate::id::{EnvironmentId, InstanceId, JobKey};
use crate::item::{Item, ItemKey, KeptItem};
use crate::job::{ConsumableClaim, Placement, Profile};
use crate::limits::IDLE_INSTANCE_DELAY;
use crate::quota::quota_claim;
use crate::state::work::Work;
use crate::state::{Deadline, State};
use crate::time::{Millis, Timestamp};

/// What an attempt holds of consumable resources and gives back: of a multi-node parallel job the main node's does. Whether a resource
/// comes back never changes, and one that live jobs name is not deleted.
fn held_claims<'a>(
    items: &'a BTreeMap<ItemKey, KeptItem>,
    profile: &'a Profile,
    key: JobKey,
) -> impl Iterator<Item = &'a ConsumableClaim> {
    let is_holder = profile.nodes.is_none() || key.child == Some(profile.main_node());
    let claims = profile.consumables.iter().filter(move |_| is_holder);
    claims.filter(|claim| {
        let key = ItemKey::ConsumableResource(claim.name.clone());
        let item = items.get(&key).map(|kept| &kept.item);
        matches!(item, Some(Item::ConsumableResource(resource)) if resource.is_replenishable)
    })
}

impl State {
    /// An attempt takes its place.
    pub(super) fn occupy(&mut self, key: JobKey, placement: Placement) {
        let job = self.jobs.get(key.id).expect("only live jobs are placed");
        let hold = Hold::of(&job.profile, key.child);
        let shares = &mut Work::of(&mut self.work, job.queue).shares;
        shares.occupy(&job.profile, hold.need);
        self.live.insert(key, ());
        if let Some((share, claim)) = quota_claim(&job.profile) {
            let held = self.quotas.entry((job.queue, share.clone())).or_default();
            held.take(key, claim);
        }
        for claim in held_claims(&self.items, &job.profile, key) {
            *self.claimed.entry(claim.name.clone()).or_default() += claim.quantity;
        }
        if let Some(instance) = placement.instance {
            let environment = self.fleet.environment(placement.environment);
            if let Some(due) = idle_deadline(environment, placement.environment, instance) {
                self.deadlines.remove(due);
            }
        }
        self.fleet.occupy(placement, hold);
    }

    /// An attempt gives its place back.
    pub(super) fn vacate(&mut self, key: JobKey, placement: Placement, at: Timestamp) {
        let job = self.jobs.get(key.id).expect("only live jobs have places");
        let hold = Hold::of(&job.profile, key.child);
        let shares = &mut Work::of(&mut self.work, job.queue).shares;
        shares.vacate(&job.profile, hold.need);
        self.live.remove(key);
        if let Some((share, claim)) = quota_claim(&job.profile) {
            let of_share = (job.queue, share.clone());
            let held = self.quotas.get_mut(&of_share).expect("the attempt has taken it");
            held.give_back(key, claim);
            if held.is_empty() {
                self.quotas.remove(&of_share);
            }
        }
        for claim in held_claims(&self.items, &job.profile, key) {
            let held = self
                .claimed
                .get_mut(&claim.name)
                .expect("the attempt has taken it");
            *held -= claim.quantity;
            // As after a restart.
            if *held == 0 {
                self.claimed.remove(&claim.name);
            }
        }
        self.fleet.vacate(placement, hold, at);
        if let Some(instance) = placement.instance {
            let environment = self.fleet.environment(placement.environment);
            let due = idle_deadline(environment, placement.environment, instance);
            self.deadlines.extend(due);
        }
    }

    /// Makes the deadlines of an environment's instances anew: which of them its minimum keeps may have changed, or its delay.
    pub(super) fn renew_idle_deadlines(&mut self, id: EnvironmentId) {
        self.deadlines
            .retain(|(_, deadline)| !matches!(deadline, Deadline::Idle(of, _) if *of == id));
        let environment = self.fleet.environment(id);
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
    if instance.leaving.is_some() {
        let due = (instance.last_used_at, Deadline::Idle(id, instance_id));
        return instance.is_idle().then_some(due);
    }
    let delay = match &environment.spec.capacity {
        // One that was never used is not worth keeping for long (section D3.2).
        Capacity::Instances(plan) if !instance.was_used => plan.idle_delay.min(IDLE_INSTANCE_DELAY),
        Capacity::Instances(plan) => plan.idle_delay,
        // The environment has been changed to one without instances: those left go at once.
        Capacity::Shared { .. } | Capacity::Units { .. } => Millis::default(),
    };
    (instance.is_idle() && !is_kept(environment, instance_id))
        .then(|| (instance.last_used_at + delay, Deadline::Idle(id, instance_id)))
}
