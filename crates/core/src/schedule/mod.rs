//! Which job starts next, and where: one bounded pass over the queues that something happened to.
//!
//! A queue is looked at when a job became runnable in it, or when capacity came free that it may use; only the fronts of its lines are,
//! however long they are. A front that finds no place blocks its line (section C1.4) until the queue is woken again.

mod backfill;
mod choose;
mod gang;
mod gate;
mod grow;
mod quota;
mod tried;
mod turns;

use std::sync::Arc;

use crate::blocked::{Blocked, Cause};
use crate::change::{Change, GangPlaced, InstanceAdded};
use crate::effect::Effect;
use crate::id::{AttemptKey, EnvironmentId, InstanceId, JobId, JobKey, QueueId};
use crate::item::{Item, ItemKey};
use crate::job::{Execution, Placement};
use crate::limits::PLACEMENTS_PER_PASS_MAX;
use crate::machine::Place;
use crate::resources::Resources;
use crate::share::ShareName;
use crate::step::Step;

use choose::NewInstance;
pub use choose::{Hindrance, Verdict};
pub(crate) use choose::{Plan, Site};
pub(crate) use choose::{consider, has_place, wanted_type};
pub use gang::GangPlan;
pub use gate::Gate;
pub(crate) use gate::gates;
use quota::Promised;
pub(crate) use quota::turn_of;
use tried::Tried;
use turns::Turns;

/// What became of the front of a line.
enum Front {
    /// It started: so many attempts.
    Started(usize),
    /// It waits, or there is none; and what holds the line up, if that is more than others at work.
    Waits(Option<(JobKey, Cause)>),
}

impl Step<'_> {
    /// Starts jobs: of the queue with the highest priority as long as a front of it finds a place, then of the next (section C1.1).
    pub(crate) fn schedule(&mut self) {
        let mut left = PLACEMENTS_PER_PASS_MAX;
        while left > 0 {
            let Some(place) = self.core.woken.pop_first() else {
                return;
            };
            if !self.start_jobs(place, &mut left) {
                self.core.woken.insert(place);
            }
        }
    }

    /// Starts jobs of a queue, the share that has used least first (section C3.9). Whether all was tried.
    fn start_jobs(&mut self, place: Place, left: &mut usize) -> bool {
        let (_, queue) = place;
        self.forget_expired_shares(queue);
        let mut turns = Turns::of(self.state(), queue, self.now);
        let mut promised = Promised::new();
        let mut tried = Tried::default();
        while let Some(line) = turns.next(self.state(), queue, self.now) {
            // Where capacity came free meanwhile, whoever goes before may start after all.
            let is_overtaken = self.core.woken.first().is_some_and(|first| first <= place);
            if *left == 0 || is_overtaken {
                return false;
            }
            let front = match tried.found(self.state(), queue, &line) {
                Some(found) => Front::Waits(found),
                None => {
                    let front = self.start_front(queue, &line, &mut promised);
                    tried.note(self.state(), queue, &line, &front);
                    front
                }
            };
            match front {
                // The line is not tried again in this pass: capacity only becomes less.
                Front::Waits(found) => {
                    self.note_blocked(queue, line, found);
                    if tried.is_all(self.state(), queue) {
                        self.note_none_blocked(queue, turns);
                        return true;
                    }
                    *left -= 1;
                    *left = left.saturating_sub(self.backfill(queue, *left));
                }
                Front::Started(attempts) => {
                    *left = left.saturating_sub(attempts);
                    let now = self.now;
                    turns.put_back(self.state(), queue, line, now);
                }
            }
        }
        true
    }

    /// Notes that the lines which are left wait for others at work, and nothing else.
    fn note_none_blocked(&mut self, queue: QueueId, mut left: Turns) {
        while !self.state().queue(queue).blocked.is_empty()
            && let Some(line) = left.next(self.state(), queue, self.now)
        {
            self.note_blocked(queue, line, None);
        }
    }

    /// Notes what holds a line up whose front did not start, if that is new.
    fn note_blocked(&mut self, queue: QueueId, line: ShareName, found: Option<(JobKey, Cause)>) {
        let known = self.state().queue(queue).blocked.get(&line);
        if known.map(|blocked| (blocked.job, blocked.cause)) == found {
            return;
        }
        let since = self.now;
        let blocked = found.map(|(job, cause)| Box::new(Blocked { job, cause, since }));
        self.commit(Change::QueueBlocked { queue, line, blocked });
    }

    /// Starts the front of a line, if there is one and it has a place.
    fn start_front(&mut self, queue: QueueId, line: &ShareName, promised: &mut Promised) -> Front {
        let Some((key, profile)) = self.state().front(queue, line) else {
            return Front::Waits(None);
        };
        let gates = gates(self.state(), queue, profile);
        if !gates.is_empty() {
            let is_limit = gates.iter().any(Gate::is_for_good);
            if gates.iter().all(|gate| matches!(gate, Gate::Quota { .. })) {
                self.preempt_for(queue, key, promised);
            }
            return Front::Waits(is_limit.then_some((key, Cause::QuotaLimit)));
        }
        let need = profile.resources;
        let environments = &self.state().queue(queue).environments;
        match consider(self.state().fleet(), environments, profile) {
            Verdict::Place(plan) => {
                self.unblock(queue, line);
                let placement = self.make_place(plan, need);
                self.place(key, placement);
                Front::Started(1)
            }
            Verdict::PlaceGang(plan) => {
                self.unblock(queue, line);
                let attempts = plan.sites.len();
                self.place_gang(key.id, plan);
                Front::Started(attempts)
            }
            Verdict::Wait(hindrances) => {
                let environments = environments.iter().map(|id| self.state().environment(*id));
                let hindrances = hindrances.iter().map(|(_, hindrance)| hindrance);
                let cause = Cause::of(environments.zip(hindrances), profile);
                if cause.is_none() {
                    self.preempt_for(queue, key, promised);
                }
                Front::Waits(cause.map(|cause| (key, cause)))
            }
        }
    }

    fn unblock(&mut self, queue: QueueId, line: &ShareName) {
        if self.state().queue(queue).blocked.contains_key(line) {
            let line = Arc::clone(line);
            self.commit(Change::QueueBlocked {
                queue,
                line,
                blocked: None,
            });
        }
    }

    /// Takes what the job consumes for good (section C5.1).
    fn consume(&mut self, job: JobId) {
        let Some(job) = self.state().job(job) else {
            return;
        };
        let burned = job.profile.consumables.iter().filter_map(|claim| {
            let key = ItemKey::ConsumableResource(claim.name.clone());
            match &self.state().item(&key)?.item {
                Item::ConsumableResource(resource) if !resource.is_replenishable => {
                    Some((claim.name.clone(), resource.total.saturating_sub(claim.quantity)))
                }
                _ => None,
            }
        });
        for (name, left) in burned.collect::<Vec<_>>() {
            self.commit(Change::SupplyBurned { name, left });
        }
    }

    /// Gives all nodes their places; only the main one is launched yet (section B11.3).
    fn place_gang(&mut self, job: JobId, plan: GangPlan) {
        let GangPlan {
            environment,
            sites,
            reclaimed,
        } = plan;
        self.give_back(reclaimed);
        let free = "the plan was made from this very state";
        let shape = self.state().job(job).and_then(|job| job.profile.nodes.clone());
        let shape = shape.expect("gangs are planned for jobs with nodes");
        let mut host_gpus = self.state().fleet().gpus_free();
        let mut placements = Vec::with_capacity(sites.len());
        for (node, site) in (0..).zip(sites) {
            let need = shape.need(node);
            let (instance, gpus) = match site {
                Site::Host => {
                    let gpus = host_gpus.lowest(need.gpus).expect(free);
                    host_gpus = host_gpus.without(gpus);
                    (None, gpus)
                }
                Site::Instance(id) => (
                    Some(id),
                    self.state().environment(environment).instances[&id].gpus,
                ),
                Site::New(new) => {
                    let (id, gpus) = self.add_instance(environment, new);
                    (Some(id), gpus)
                }
            };
            placements.push(Placement {
                environment,
                instance,
                gpus: gpus.lowest(need.gpus).expect(free),
            });
        }
        let ended = self
            .state()
            .multi_node(job)
            .map_or(0, |multi_node| multi_node.attempts_ended);
        let attempt = ended + 1;
        let main = shape.main;
        let placement = usize::try_from(main).ok().and_then(|main| placements.get(main));
        let placement = *placement.expect("the main node is one of the nodes");
        self.consume(job);
        self.commit(Change::GangPlaced(Box::new(GangPlaced {
            job,
            attempt,
            main,
            placements,
        })));
        self.cause(Effect::Launch {
            attempt: AttemptKey {
                job: JobKey::child(job, main),
                attempt,
            },
            placement,
        });
    }

    fn give_back(&mut self, reclaimed: Vec<(EnvironmentId, InstanceId)>) {
        if !reclaimed.is_empty() {
            // They may leave more free than what takes their place: then others find room that they did not find before.
            self.core.wake_all();
        }
        for (environment, instance) in reclaimed {
            self.commit(Change::InstanceRemoved {
                environment,
                instance,
            });
        }
    }

    fn make_place(&mut self, plan: Plan, need: Resources) -> Placement {
        let Plan {
            environment,
            site,
            reclaimed,
        } = plan;
        self.give_back(reclaimed);
        let free = "the plan was made from this very state";
        match site {
            Site::Host => {
                let gpus = self.state().fleet().gpus_free().lowest(need.gpus).expect(free);
                Placement {
                    environment,
                    instance: None,
                    gpus,
                }
            }
            Site::Instance(id) => {
                let instance = &self.state().environment(environment).instances[&id];
                let gpus = instance
                    .gpus
                    .without(instance.gpus_in_use)
                    .lowest(need.gpus)
                    .expect(free);
                Placement {
                    environment,
                    instance: Some(id),
                    gpus,
                }
            }
            Site::New(new) => {
                let (id, gpus) = self.add_instance(environment, new);
                Placement {
                    environment,
                    instance: Some(id),
                    gpus: gpus.lowest(need.gpus).expect(free),
                }
            }
        }
    }

    pub(crate) fn add_instance(
        &mut self,
        environment: EnvironmentId,
        new: NewInstance,
    ) -> (crate::id::InstanceId, crate::resources::GpuSet) {
        let NewInstance {
            instance_type,
            capacity,
        } = new;
        let id = self.state().counters().instance;
        let gpus = self
            .state()
            .fleet()
            .gpus_free()
            .lowest(capacity.gpus)
            .expect("capacity is cut to what the host has free");
        let added = InstanceAdded {
            environment,
            id,
            instance_type,
            capacity,
            gpus,
            at: self.now,
        };
        self.commit(Change::InstanceAdded(Box::new(added)));
        (id, gpus)
    }

    fn place(&mut self, job: JobKey, placement: Placement) {
        let facts = self.state().job(job.id).expect("places are found for live jobs");
        let attempt = facts.execution(job.child).map_or(1, Execution::attempt_number);
        // No service has arrays.
        let is_scheduled = job.child.is_none() && facts.profile.service.is_some();
        let scheduled_at = is_scheduled.then_some(self.now);
        if !facts.profile.consumables.is_empty() {
            self.consume(job.id);
        }
        self.commit(Change::AttemptPlaced {
            job,
            attempt,
            placement,
            scheduled_at,
        });
        self.cause(Effect::Launch {
            attempt: AttemptKey { job, attempt },
            placement,
        });
    }
}
