//! The one place where the state changes. Nothing here decides, nothing cascades, nothing fails.
//!
//! Long because it is one place by design: every change of the state can be read in one file.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::array::{Array, UnstartedFailure};
use crate::change::{
    AfterAttempt, ArrayEnded, AttemptEnded, Change, DefinitionRegistered, EnvironmentPut, InstanceAdded,
    ItemPut, JobAdded, JobFailed, QueuePut, StopKind,
};
use crate::environment::{Environment, Instance, Leaving, Life, Switch};
use crate::id::{AttemptKey, EnvironmentId, InstanceId, JobId, JobKey, QueueId, Sequence};
use crate::interval_set::{Interval, IntervalSet};
use crate::item::{Item, ItemKey, KeptItem, SchedulingPolicy};
use crate::job::{Attempt, Body, Dependency, Execution, Job, Profile};
use crate::name::ConsumableResourceName;
use crate::queue::{Order, Queue, Runnable};
use crate::resources::{GpuSet, Resources};
use crate::state::occupancy::idle_deadline;
use crate::state::work::Work;
use crate::state::{Deadline, Dependent, Shared, State};
use crate::time::Timestamp;
use crate::token::KeptToken;

const HAS_ATTEMPTS: &str = "only what runs, or runs again, has attempts";

impl State {
    /// Makes one change.
    ///
    /// # Panics
    /// If the change does not fit the state: changes come from the core's own decisions, or from the store in the order in which
    /// they were made.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::EnvironmentPut(put) => self.put_environment(put),
            Change::EnvironmentRenewal { environment, renewal } => {
                self.environment_mut(*environment).renewal = *renewal;
                self.note_departing();
                self.note_renewal_deadline(*environment);
            }
            Change::EnvironmentDeleting(id) => {
                self.environment_mut(*id).life = Life::Deleting;
                self.note_departing();
                self.renew_idle_deadlines(*id);
            }
            Change::EnvironmentRemoved(id) => self.remove_environment(*id),
            Change::InstanceAdded(added) => self.add_instance(added),
            Change::InstanceRemoved {
                environment,
                instance,
            } => self.remove_instance(*environment, *instance),
            Change::InstanceLeaving {
                environment,
                instance,
                leaving,
            } => self.note_leaving(*environment, *instance, *leaving),
            Change::QueuePut(put) => self.put_queue(put),
            Change::QueueBlocked { queue, line, blocked } => {
                let notes = &mut self.queues.get_mut(queue).expect("it exists").blocked;
                match blocked {
                    Some(blocked) => notes.insert(Arc::clone(line), (**blocked).clone()),
                    None => notes.remove(line),
                };
                self.renew_blocked_deadline(*queue);
            }
            Change::ShareCharged { queue, share, ledger } => {
                self.work_mut(*queue).shares.charge(share, (**ledger).clone());
            }
            Change::SharesForgotten { queue, shares } => {
                let of_queue = &mut self.work_mut(*queue).shares;
                for share in shares {
                    of_queue.forget(share);
                }
            }
            Change::QueueDeleting(id) => {
                self.queues.get_mut(id).expect("it exists").life = Life::Deleting;
                self.note_departing();
            }
            Change::QueueRemoved(id) => self.remove_queue(*id),
            Change::DefinitionRegistered(registered) => self.register_definition(registered),
            Change::DefinitionDeregistered {
                name,
                revision,
                at: _,
            } => {
                let revisions = self.definitions.get_mut(name).expect("it was registered");
                revisions.active.remove(Interval::one(*revision));
            }
            Change::ItemPut(put) => self.put_item(put),
            Change::ItemRemoved(key) => {
                self.items.remove(key);
            }
            Change::RunTimesNoted { definition, runs } => {
                // Most often the definition is known.
                match self.run_times.get_mut(definition) {
                    Some(known) => *known = runs.clone(),
                    None => {
                        self.run_times.insert(definition.clone(), runs.clone());
                    }
                }
            }
            Change::SupplyBurned { name, left } => self.burn_supply(name, *left),
            Change::QueueOptionsChanged { queue, options } => {
                self.queues.get_mut(queue).expect("it exists").options = *options;
            }
            Change::ArrayConcurrencyChanged { job, max } => {
                self.array_mut(*job).max_concurrency = *max;
                self.offer_children(*job);
            }
            // What tags tell queues and jobs is a change of its own.
            Change::TagsChanged(_) => {}
            Change::TokenKept(kept) => self.keep_token(kept),
            Change::TokensForgotten(tokens) => {
                for kept in tokens.iter().filter_map(|token| self.tokens.remove(token)) {
                    let expires_at = kept.expires_at();
                    self.token_ages.remove(&(expires_at, kept.token.token));
                }
            }
            Change::JobAdded(added) => self.add_job(added),
            Change::DependencyMet { job, dependency } => self.meet_dependency(*job, *dependency),
            Change::PairingMet { job, on, children } => {
                for pairing in self
                    .array_mut(*job)
                    .pairings
                    .iter_mut()
                    .filter(|pairing| pairing.on == *on)
                {
                    pairing.satisfied.extend(children);
                }
            }
            Change::PairingClosed { job, on } => self.close_pairing(*job, *on),
            Change::ProfileChanged { job, profile } => self.change_profile(*job, profile),
            Change::JobReady(id) => self.make_ready(*id),
            Change::ChildrenReady { job, children } => self.make_children_ready(*job, children),
            Change::AttemptPlaced {
                job,
                attempt: _,
                placement,
                scheduled_at,
            } => {
                self.take_from_queue(*job);
                self.occupy(*job, *placement);
                let attempt = Attempt {
                    placement: *placement,
                    is_scheduled: scheduled_at.is_some(),
                    started_at: None,
                    stopping: None,
                };
                self.execution_mut(*job).attempt = Some(Box::new(attempt));
            }
            Change::AttemptPreparing { job, attempt: _ } => self.attempt_mut(*job).is_scheduled = false,
            Change::AttemptStarted { job, attempt, at } => {
                let started = self.attempt_mut(*job);
                started.is_scheduled = false;
                started.started_at = Some(*at);
                let deadline = self.timeout_deadline(AttemptKey {
                    job: *job,
                    attempt: *attempt,
                });
                self.deadlines.extend(deadline);
            }
            Change::GangPlaced(placed) => self.place_gang(placed),
            Change::GangStarted {
                job,
                main,
                attempt,
                at,
            } => self.start_gang(*job, *main, *attempt, *at),
            Change::GangEnded(ended) => self.end_gang(ended),
            Change::StopRequested { job, cause } if self.is_multi_node(*job) => self.stop_gang(job.id, cause),
            Change::StopRequested { job, cause } => {
                let attempt = self
                    .execution(*job)
                    .expect("only live attempts are stopped")
                    .attempt_number();
                if let Some(deadline) = self.timeout_deadline(AttemptKey { job: *job, attempt }) {
                    self.deadlines.remove(deadline);
                }
                self.attempt_mut(*job).stopping = Some(cause.clone());
            }
            Change::CancelNoted(job) => match self.multi_node_mut(job.id) {
                Some(multi_node) => multi_node.is_cancelled = true,
                None => self.execution_mut(*job).is_cancelled = true,
            },
            Change::ArrayStopNoted { job, kind } => match kind {
                StopKind::Cancel => self.array_mut(*job).is_cancelled = true,
                StopKind::Terminate => self.array_mut(*job).is_terminated = true,
            },
            Change::AttemptEnded(ended) => self.end_attempt(ended),
            Change::JobFailed(failed) => self.fail_job(failed),
            Change::ChildrenFailed {
                job,
                children,
                status_reason,
                at,
            } => {
                self.take_children(*job, children);
                let array = self.array_mut(*job);
                array.failed.extend(children);
                let (children, status_reason) = (children.clone(), status_reason.clone());
                array.unstarted.push(UnstartedFailure {
                    children,
                    status_reason,
                    at: *at,
                });
            }
            Change::ArrayEnded(ended) => {
                let ArrayEnded {
                    job,
                    has_succeeded: _,
                    status_reason: _,
                    at: _,
                    array: _,
                } = &**ended;
                self.remove_job(*job);
            }
        }
    }

    fn put_environment(&mut self, put: &EnvironmentPut) {
        let EnvironmentPut {
            id,
            name,
            version,
            switch,
            life,
            spec,
            document: _,
        } = put;
        let environment = Environment {
            name: name.clone(),
            version: *version,
            switch: *switch,
            life: *life,
            spec: spec.clone(),
            renewal: None,
            instances: BTreeMap::new(),
            in_use: Resources::default(),
            attempts: 0,
            units: BTreeMap::new(),
        };
        let environment = match self.fleet.find(*id).cloned() {
            None => environment,
            Some(Environment {
                renewal,
                instances,
                in_use,
                attempts,
                units,
                ..
            }) => Environment {
                renewal,
                instances,
                in_use,
                attempts,
                units,
                ..environment
            },
        };
        self.fleet.put(*id, environment);
        self.note_departing();
        self.environment_names.insert(name.clone(), *id);
        self.next.environment = self.next.environment.max(EnvironmentId(id.0 + 1));
        self.renew_idle_deadlines(*id);
    }

    /// Makes the deadline of an environment's renewal anew.
    pub(super) fn note_renewal_deadline(&mut self, id: EnvironmentId) {
        let deadline = Deadline::Renewal(id);
        self.deadlines.retain(|(_, other)| *other != deadline);
        let renewal = self.fleet.find(id).and_then(|environment| environment.renewal);
        let due = renewal.and_then(|renewal| renewal.due);
        self.deadlines.extend(due.map(|at| (at, deadline)));
    }

    fn remove_environment(&mut self, id: EnvironmentId) {
        let environment = self.fleet.remove(id);
        self.environment_names.remove(&environment.name);
        self.note_departing();
    }

    fn add_instance(&mut self, added: &InstanceAdded) {
        let InstanceAdded {
            environment: environment_id,
            id,
            instance_type,
            capacity,
            gpus,
            at,
        } = added;
        let instance = Instance {
            instance_type: *instance_type,
            capacity: *capacity,
            gpus: *gpus,
            in_use: Resources::default(),
            gpus_in_use: GpuSet::default(),
            attempts: 0,
            last_used_at: *at,
            was_used: false,
            leaving: None,
        };
        self.fleet.add_instance(*environment_id, *id, instance);
        self.next.instance = self.next.instance.max(InstanceId(id.0 + 1));
        let deadline = idle_deadline(self.environment(*environment_id), *environment_id, *id);
        self.deadlines.extend(deadline);
    }

    fn remove_instance(&mut self, environment_id: EnvironmentId, id: InstanceId) {
        self.forget_leaving(environment_id, id);
        self.fleet.remove_instance(environment_id, id);
        self.renew_idle_deadlines(environment_id);
    }

    fn note_leaving(&mut self, environment: EnvironmentId, id: InstanceId, leaving: Leaving) {
        self.forget_leaving(environment, id);
        let instances = &mut self.environment_mut(environment).instances;
        instances.get_mut(&id).expect("it exists").leaving = Some(leaving);
        let deadline = Deadline::Leaving(environment, id);
        self.deadlines.extend(leaving.due.map(|at| (at, deadline)));
        self.renew_idle_deadlines(environment);
    }

    fn forget_leaving(&mut self, environment: EnvironmentId, id: InstanceId) {
        let due = self.environment(environment).instances[&id]
            .leaving
            .and_then(|leaving| leaving.due);
        if let Some(at) = due {
            self.deadlines.remove((at, Deadline::Leaving(environment, id)));
        }
    }

    fn put_item(&mut self, put: &ItemPut) {
        let ItemPut {
            key,
            version,
            item,
            document: _,
            at: _,
        } = put;
        let kept = KeptItem {
            version: *version,
            item: item.clone(),
        };
        self.items.insert(key.clone(), kept);
        if let ItemKey::SchedulingPolicy(name) = key {
            let users = self
                .queues
                .iter()
                .filter(|(_, queue)| queue.policy.as_ref() == Some(name));
            let users: Vec<QueueId> = users.map(|(id, _)| *id).collect();
            for queue in users {
                self.follow_policy(queue);
            }
        }
    }

    fn put_queue(&mut self, put: &QueuePut) {
        let QueuePut {
            id,
            name,
            version,
            switch,
            priority,
            environments,
            policy,
            actions,
            document: _,
        } = put;
        let queue = Queue {
            name: name.clone(),
            version: *version,
            switch: *switch,
            life: Life::Valid,
            priority: *priority,
            environments: environments.clone(),
            policy: policy.clone(),
            actions: actions.clone(),
            options: self.queues.get(id).map(|queue| queue.options).unwrap_or_default(),
            blocked: self
                .queues
                .get(id)
                .map(|queue| queue.blocked.clone())
                .unwrap_or_default(),
        };
        self.queues.insert(*id, queue);
        self.renew_blocked_deadline(*id);
        self.queue_names.insert(name.clone(), *id);
        self.follow_policy(*id);
        self.next.queue = self.next.queue.max(QueueId(id.0 + 1));
    }

    /// Makes the deadline of a queue's blocked front anew.
    pub(super) fn renew_blocked_deadline(&mut self, id: QueueId) {
        self.deadlines
            .retain(|(_, deadline)| *deadline != Deadline::Blocked(id));
        let due = self.queues.get(&id).and_then(Queue::action_due);
        self.deadlines
            .extend(due.map(|(at, ..)| (at, Deadline::Blocked(id))));
    }

    fn remove_queue(&mut self, id: QueueId) {
        let queue = self.queues.remove(&id).expect("it exists");
        debug_assert_eq!(queue.switch, Switch::Disabled);
        self.queue_names.remove(&queue.name);
        self.work.remove(&id);
        self.note_departing();
        self.note_counting();
        self.renew_blocked_deadline(id);
    }

    fn register_definition(&mut self, registered: &DefinitionRegistered) {
        let DefinitionRegistered {
            name,
            revision,
            document: _,
            at: _,
        } = registered;
        let revisions = self.definitions.entry(name.clone()).or_default();
        revisions.highest = revisions.highest.max(*revision);
        revisions.active.insert(Interval::one(*revision));
    }

    pub(super) fn keep_token(&mut self, kept: &KeptToken) {
        let token = &kept.token.token;
        self.token_ages.insert((kept.expires_at(), token.clone()));
        self.tokens.insert(token.clone(), kept.clone());
    }

    fn add_job(&mut self, added: &JobAdded) {
        let JobAdded {
            id,
            sequence,
            queue,
            profile,
            dependencies,
            array,
            content: _,
            at: _,
        } = added;
        let body = match array {
            Some(array) => Body::Array(array.clone()),
            None => Body::Waiting(dependencies.clone().into()),
        };
        let profile = self.shared_profile(Arc::clone(profile));
        let job = Job {
            sequence: *sequence,
            queue: *queue,
            profile,
            body,
        };
        self.register_dependent(*id, &job.body);
        self.work_mut(*queue).add_job(&job);
        self.jobs.insert(*id, job);
        self.next.sequence = self.next.sequence.max(Sequence(sequence.0 + 1));
    }

    /// Notes with the jobs that this one waits for that it does.
    pub(super) fn register_dependent(&mut self, job: JobId, body: &Body) {
        let whole = |dependency: &Dependency| {
            (
                dependency.on.id,
                Dependent {
                    job,
                    child: dependency.on.child,
                    is_pairing: false,
                },
            )
        };
        let entries: Vec<(JobId, Dependent)> = match body {
            Body::Ready(_) | Body::MultiNode(_) => Vec::new(),
            Body::Waiting(dependencies) => dependencies.iter().map(whole).collect(),
            Body::Array(array) => {
                let open = array.pairings.iter().filter(|pairing| pairing.is_open);
                let paired = open.map(|pairing| {
                    (
                        pairing.on,
                        Dependent {
                            job,
                            child: None,
                            is_pairing: true,
                        },
                    )
                });
                array.gate.iter().map(whole).chain(paired).collect()
            }
        };
        for (on, dependent) in entries {
            self.dependents.entry(on).or_default().insert(dependent);
        }
    }

    fn unregister_dependent(&mut self, on: JobId, dependent: Dependent) {
        if let Some(dependents) = self.dependents.get_mut(&on) {
            dependents.remove(&dependent);
            if dependents.is_empty() {
                self.dependents.remove(&on);
            }
        }
    }

    fn meet_dependency(&mut self, id: JobId, met: Dependency) {
        match &mut self.job_mut(id).body {
            Body::Waiting(dependencies) => {
                *dependencies = dependencies.iter().filter(|one| **one != met).copied().collect()
            }
            Body::Array(array) => array.gate.retain(|dependency| *dependency != met),
            Body::Ready(_) | Body::MultiNode(_) => {}
        }
        self.unregister_dependent(
            met.on.id,
            Dependent {
                job: id,
                child: met.on.child,
                is_pairing: false,
            },
        );
    }

    fn close_pairing(&mut self, id: JobId, on: JobId) {
        for pairing in self
            .array_mut(id)
            .pairings
            .iter_mut()
            .filter(|pairing| pairing.on == on)
        {
            pairing.is_open = false;
        }
        self.unregister_dependent(
            on,
            Dependent {
                job: id,
                child: None,
                is_pairing: true,
            },
        );
    }

    fn make_ready(&mut self, id: JobId) {
        let job = self.job_mut(id);
        job.body = match job.profile.nodes {
            None => Body::Ready(Execution::new()),
            Some(_) => Body::MultiNode(Box::default()),
        };
        self.enter_queue(JobKey::whole(id), false);
    }

    fn make_children_ready(&mut self, id: JobId, children: &IntervalSet) {
        let array = self.array_mut(id);
        array.waiting.subtract(children);
        array.runnable.extend(children);
        self.offer_children(id);
    }

    /// Takes a runnable job or child out of its queue's order, whether it is fresh or to be tried again, and gives a fresh child its
    /// record.
    fn take_from_queue(&mut self, key: JobKey) {
        let State { jobs, work, .. } = self;
        let job = jobs.get(key.id).expect("only live jobs leave their queue");
        match job.execution(key.child) {
            Some(execution) => Work::of(work, job.queue).leave(job, key, execution.attempts_ended > 0),
            None => {
                let child = key
                    .child
                    .expect("a single job has an execution when it is runnable");
                self.take_children(key.id, &Interval::one(child).into());
                self.array_mut(key.id).executions.insert(child, Execution::new());
                self.offer_children(key.id);
            }
        }
    }

    /// Takes children that never ran out of where they wait.
    fn take_children(&mut self, id: JobId, children: &IntervalSet) {
        let array = self.array_mut(id);
        array.waiting.subtract(children);
        array.runnable.subtract(children);
        self.offer_children(id);
    }

    /// Has an array's children that never ran in the queue's order if one of them may start.
    fn offer_children(&mut self, id: JobId) {
        if self.array_mut(id).offers_child() {
            self.enter_queue(JobKey::whole(id), false);
            return;
        }
        self.leave_queue(JobKey::whole(id), false);
    }

    fn burn_supply(&mut self, name: &ConsumableResourceName, left: u64) {
        let key = ItemKey::ConsumableResource(name.clone());
        let kept = self.items.get_mut(&key).expect("only what exists is taken");
        // An update that was computed from the amount of before would bring it back.
        kept.version += 1;
        match &mut kept.item {
            Item::ConsumableResource(resource) => resource.total = left,
            Item::SchedulingPolicy(_) | Item::QuotaShare(_) => unreachable!("the key names the kind"),
        }
    }

    fn end_attempt(&mut self, ended: &AttemptEnded) {
        let AttemptEnded {
            job: key,
            attempt,
            placement,
            stopped_at,
            is_preempted,
            next,
            ..
        } = ended;
        if let Some(deadline) = self.timeout_deadline(AttemptKey {
            job: *key,
            attempt: *attempt,
        }) {
            self.deadlines.remove(deadline);
        }
        self.vacate(*key, *placement, *stopped_at);
        let job = self.job_mut(key.id);
        let is_node = matches!(job.body, Body::MultiNode(_));
        let execution = job.execution_mut(key.child).expect(HAS_ATTEMPTS);
        execution.attempt = None;
        execution.attempts_ended += 1;
        execution.preemptions += u16::from(*is_preempted);
        if is_node {
            self.end_node(ended);
            return;
        }
        match next {
            AfterAttempt::Retried => {
                self.enter_queue(*key, true);
            }
            AfterAttempt::Succeeded => self.settle(*key, true),
            AfterAttempt::Failed => self.settle(*key, false),
        }
    }

    fn fail_job(&mut self, failed: &JobFailed) {
        let JobFailed {
            job: key,
            status_reason: _,
            stopped_by: _,
            at: _,
        } = failed;
        match (self.execution(*key), key.child) {
            (None, None) if self.is_multi_node(*key) => self.take_gang_from_queue(key.id),
            (Some(_), _) => self.take_from_queue(*key),
            (None, Some(child)) => self.take_children(key.id, &Interval::one(child).into()),
            (None, None) => {}
        }
        self.settle(*key, false);
    }

    /// Puts a child where the ended ones are; a single job is forgotten.
    fn settle(&mut self, key: JobKey, has_succeeded: bool) {
        let Some(child) = key.child else {
            self.remove_job(key.id);
            return;
        };
        let array = self.array_mut(key.id);
        array.executions.remove(&child);
        let ended = if has_succeeded {
            &mut array.succeeded
        } else {
            &mut array.failed
        };
        ended.insert(Interval::one(child));
        self.offer_children(key.id);
    }

    pub(super) fn remove_job(&mut self, id: JobId) {
        let job = self.jobs.remove(id).expect("only live jobs end");
        self.work_mut(job.queue).remove_job(&job);
        match &job.body {
            Body::Ready(_) | Body::MultiNode(_) => {}
            Body::Waiting(dependencies) => {
                for Dependency { on } in dependencies {
                    self.unregister_dependent(
                        on.id,
                        Dependent {
                            job: id,
                            child: on.child,
                            is_pairing: false,
                        },
                    );
                }
            }
            Body::Array(array) => {
                for Dependency { on } in &array.gate {
                    self.unregister_dependent(
                        on.id,
                        Dependent {
                            job: id,
                            child: on.child,
                            is_pairing: false,
                        },
                    );
                }
                for pairing in array.pairings.iter().filter(|pairing| pairing.is_open) {
                    self.unregister_dependent(
                        pairing.on,
                        Dependent {
                            job: id,
                            child: None,
                            is_pairing: true,
                        },
                    );
                }
            }
        }
        self.release_profile(job.profile);
    }

    fn change_profile(&mut self, id: JobId, profile: &Profile) {
        let profile = self.shared_profile(Arc::new(profile.clone()));
        for (key, attempts_ended) in self.entries_of(id) {
            self.leave_queue(key, attempts_ended > 0);
        }
        let before = std::mem::replace(&mut self.job_mut(id).profile, profile);
        self.release_profile(before);
        self.restore_place_in_queue(id);
    }

    /// The policy that a queue has, if it is there.
    pub(crate) fn policy_of(&self, queue: QueueId) -> Option<&SchedulingPolicy> {
        let key = ItemKey::SchedulingPolicy(self.queues.get(&queue)?.policy.clone()?);
        match &self.items.get(&key)?.item {
            Item::SchedulingPolicy(policy) => Some(policy),
            Item::ConsumableResource(_) | Item::QuotaShare(_) => None,
        }
    }

    /// Orders a queue's jobs as its policy now says.
    pub(super) fn follow_policy(&mut self, id: QueueId) {
        let policy = self.policy_of(id).cloned();
        let order = Order::of(policy.as_ref());
        let work = self.work.entry(id).or_default();
        if work.runnable.order() != order {
            let before = std::mem::replace(&mut work.runnable, Runnable::new(order));
            work.shares.none_waits();
            let keys: Vec<JobKey> = before.all().collect();
            for key in keys {
                self.restore_place_in_queue(key.id);
            }
        }
        let policy = match policy {
            Some(SchedulingPolicy::FairShare(policy)) => Some(policy),
            Some(SchedulingPolicy::QuotaShare) | None => None,
        };
        let shares = &mut self.work_mut(id).shares;
        if shares.policy() != policy.as_ref() {
            shares.set_policy(policy);
            self.note_counting();
        }
    }

    fn note_counting(&mut self) {
        self.counts_use = self.work.values().any(|work| work.shares.policy().is_some());
    }

    /// Forgets a profile that a job has had, if that was the last.
    fn release_profile(&mut self, profile: Arc<Profile>) {
        let shared = Shared(profile);
        if let Some(jobs) = self.profiles.get_mut(&shared) {
            *jobs -= 1;
            if *jobs == 0 {
                self.profiles.remove(&shared);
            }
        }
    }

    /// The profile equal to `profile` that jobs share, for one more of them.
    pub(super) fn shared_profile(&mut self, profile: Arc<Profile>) -> Arc<Profile> {
        let entry = self.profiles.entry(Shared(profile));
        let profile = Arc::clone(&entry.key().0);
        *entry.or_default() += 1;
        profile
    }

    /// When a running attempt that nobody has asked to stop reaches its timeout.
    pub(super) fn timeout_deadline(&self, key: AttemptKey) -> Option<(Timestamp, Deadline)> {
        let job = self.jobs.get(key.job.id)?;
        let timeout = job.profile.timeout?;
        let attempt = job.execution(key.job.child)?.attempt.as_ref()?;
        // The timeout is the whole job's: its main node's.
        let has_nodes = matches!(job.body, Body::MultiNode(_));
        let is_other_node = has_nodes && key.job.child != Some(job.profile.main_node());
        if is_other_node || attempt.stopping.is_some() {
            return None;
        }
        Some((attempt.started_at? + timeout, Deadline::Timeout(key)))
    }

    /// Whether the key is that of a multi-node parallel job as a whole.
    fn is_multi_node(&self, key: JobKey) -> bool {
        key.child.is_none() && self.multi_node(key.id).is_some()
    }

    pub(super) fn profile(&self, id: JobId) -> &Profile {
        &self.jobs.get(id).expect("only live jobs change").profile
    }

    fn environment_mut(&mut self, id: EnvironmentId) -> &mut Environment {
        self.fleet.environment_mut(id)
    }

    pub(super) fn job_mut(&mut self, id: JobId) -> &mut Job {
        self.jobs.get_mut(id).expect("only live jobs change")
    }

    fn array_mut(&mut self, id: JobId) -> &mut Array {
        match &mut self.job_mut(id).body {
            Body::Array(array) => array,
            Body::Waiting(_) | Body::Ready(_) | Body::MultiNode(_) => {
                unreachable!("only arrays have children")
            }
        }
    }

    fn execution_mut(&mut self, key: JobKey) -> &mut Execution {
        let execution = self.job_mut(key.id).execution_mut(key.child);
        execution.expect(HAS_ATTEMPTS)
    }

    pub(super) fn attempt_mut(&mut self, key: JobKey) -> &mut Attempt {
        self.execution_mut(key)
            .attempt
            .as_mut()
            .expect("an attempt changes only while it is alive")
    }
}
