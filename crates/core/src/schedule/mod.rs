//! Which job starts next, and where: one bounded pass over the queues that something happened to.
//!
//! A queue is looked at when a job became runnable in it, or when capacity came free that it may use; only its front is, however long
//! it is. A front that finds no place blocks its queue (section C1.4) until the queue is woken again.

mod choose;
mod gang;
mod grow;

use crate::blocked::{Blocked, Cause};
use crate::change::{Change, GangPlaced, InstanceAdded};
use crate::effect::Effect;
use crate::id::{AttemptKey, AttemptNumber, EnvironmentId, InstanceId, JobId, JobKey, QueueId};
use crate::job::Placement;
use crate::limits::PLACEMENTS_PER_PASS_MAX;
use crate::resources::Resources;
use crate::step::Step;

pub use choose::{Hindrance, Verdict};
use choose::{NewInstance, Plan, Site};
pub(crate) use choose::{consider, wanted_type};
pub use gang::GangPlan;

/// What became of the front of a queue.
enum Front {
    /// It started: so many attempts.
    Started(usize),
    /// It waits, or there is none; and what holds the queue up, if that is more than others at work.
    Waits(Option<(JobKey, Cause)>),
}

impl Step<'_> {
    /// Starts jobs: of the queue with the highest priority as long as its front finds a place, then of the next (section C1.1).
    pub(crate) fn schedule(&mut self) {
        let mut left = PLACEMENTS_PER_PASS_MAX;
        while left > 0 {
            let Some((_, queue)) = self.core.woken.first().copied() else {
                return;
            };
            match self.start_front(queue) {
                Front::Waits(found) => {
                    self.core.woken.pop_first();
                    self.note_blocked(queue, found);
                    left -= 1;
                }
                Front::Started(attempts) => left = left.saturating_sub(attempts),
            }
        }
    }

    /// Notes what holds a queue up whose front did not start, if that is new.
    fn note_blocked(&mut self, queue: QueueId, found: Option<(JobKey, Cause)>) {
        let known = self.state().queue(queue).blocked.as_ref();
        if known.map(|blocked| (blocked.job, blocked.cause)) == found {
            return;
        }
        let since = self.now;
        let blocked = found.map(|(job, cause)| Box::new(Blocked { job, cause, since }));
        self.commit(Change::QueueBlocked { queue, blocked });
    }

    /// Starts the front of a queue, if there is one and it has a place.
    fn start_front(&mut self, queue: QueueId) -> Front {
        let Some((key, profile)) = self.state().front(queue) else {
            return Front::Waits(None);
        };
        let need = profile.resources;
        match consider(self.state(), queue, profile) {
            Verdict::Place(plan) => {
                self.unblock(queue);
                let placement = self.make_place(plan, need);
                self.place(key, placement);
                Front::Started(1)
            }
            Verdict::PlaceGang(plan) => {
                self.unblock(queue);
                let attempts = plan.sites.len();
                self.place_gang(key.id, plan);
                Front::Started(attempts)
            }
            Verdict::Wait(hindrances) => {
                let environments = self.state().queue(queue).environments.iter();
                let environments = environments.map(|id| self.state().environment(*id));
                let hindrances = hindrances.iter().map(|(_, hindrance)| hindrance);
                let cause = Cause::of(environments.zip(hindrances), profile);
                Front::Waits(cause.map(|cause| (key, cause)))
            }
        }
    }

    fn unblock(&mut self, queue: QueueId) {
        if self.state().queue(queue).blocked.is_some() {
            self.commit(Change::QueueBlocked { queue, blocked: None });
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
        let mut host_gpus = self.state().gpus_free();
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
        let attempt = AttemptNumber::from(ended) + 1;
        let main = shape.main;
        let placement = usize::try_from(main).ok().and_then(|main| placements.get(main));
        let placement = *placement.expect("the main node is one of the nodes");
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
                let gpus = self.state().gpus_free().lowest(need.gpus).expect(free);
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
        let attempt = self
            .state()
            .execution(job)
            .map_or(1, crate::job::Execution::attempt_number);
        self.commit(Change::AttemptPlaced {
            job,
            attempt,
            placement,
        });
        self.cause(Effect::Launch {
            attempt: AttemptKey { job, attempt },
            placement,
        });
    }
}
