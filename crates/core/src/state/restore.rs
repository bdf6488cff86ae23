//! From what the store kept to the state of before.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::environment::{Environment, Instance, Leaving};
use crate::id::{AttemptKey, EnvironmentId, InstanceId, JobId, JobKey, QueueId};
use crate::item::{ItemKey, KeptItem};
use crate::job::{Body, Execution, Job, Placement};
use crate::name::DefinitionName;
use crate::queue::Queue;
use crate::resources::{GpuSet, Resources};
use crate::runs::RunTimes;
use crate::share::{Ledger, ShareName};
use crate::state::{Counters, Deadline, Host, Revisions, State};
use crate::time::Timestamp;
use crate::token::KeptToken;

/// The primary half of a state, as a store gives it back.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stored {
    /// The numbers for the next new things.
    pub counters: Counters,
    /// The compute environments, without instances, and with nothing placed.
    pub environments: Vec<(EnvironmentId, Environment)>,
    /// Their instances, with nothing placed.
    pub instances: Vec<(EnvironmentId, InstanceId, StoredInstance)>,
    /// The queues.
    pub queues: Vec<(QueueId, Queue)>,
    /// The definitions.
    pub definitions: Vec<(DefinitionName, Revisions)>,
    /// The scheduling policies, consumable resources and quota shares.
    pub items: Vec<(ItemKey, KeptItem)>,
    /// The live jobs.
    pub jobs: Vec<(JobId, Job)>,
    /// The client tokens, by their text.
    pub tokens: Vec<KeptToken>,
    /// What the active shares of fair-share queues have used.
    pub ledgers: Vec<(QueueId, ShareName, Ledger)>,
    /// How long the last jobs of each definition ran.
    pub run_times: Vec<(DefinitionName, RunTimes)>,
}

/// An instance without what its attempts hold, which follows from them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredInstance {
    /// Which type it stands for.
    pub instance_type: crate::environment::InstanceTypeName,
    /// What jobs can have of it.
    pub capacity: Resources,
    /// Its GPUs.
    pub gpus: GpuSet,
    /// When its last attempt ended, or when it was made.
    pub last_used_at: Timestamp,
    /// Whether an attempt has ever ended on it.
    pub was_used: bool,
    /// That it is being taken away, if it is.
    pub leaving: Option<Leaving>,
}

/// The store's contents contradict themselves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// An instance belongs to no environment.
    #[error("instance {0:?} belongs to compute environment {1:?}, which does not exist")]
    InstanceWithoutEnvironment(InstanceId, EnvironmentId),
    /// A queue refers to an environment that is not there.
    #[error("job queue {0} refers to compute environment {1:?}, which does not exist")]
    QueueWithoutEnvironment(crate::name::QueueName, EnvironmentId),
    /// A job is in no queue.
    #[error("job {0} is in job queue {1:?}, which does not exist")]
    JobWithoutQueue(JobId, QueueId),
    /// A share belongs to no queue.
    #[error("share {0} belongs to job queue {1:?}, which does not exist")]
    ShareWithoutQueue(ShareName, QueueId),
    /// An attempt is placed nowhere.
    #[error("job {0} runs in a compute environment or on an instance that does not exist")]
    AttemptWithoutPlace(JobId),
}

impl State {
    /// The state that these rows describe.
    ///
    /// # Errors
    /// When they refer to something that is not among them.
    pub fn restore(host: Host, stored: Stored) -> Result<State, RestoreError> {
        let Stored {
            counters,
            environments,
            instances,
            queues,
            definitions,
            items,
            jobs,
            tokens,
            ledgers,
            run_times,
        } = stored;
        let mut state = State::empty(host);
        state.next = counters;
        for (id, environment) in environments {
            state.environment_names.insert(environment.name.clone(), id);
            state.fleet.put(id, environment);
        }
        for (environment, id, instance) in instances {
            state.restore_instance(environment, id, instance)?;
        }
        state.run_times = run_times.into_iter().collect();
        state.items = items.into_iter().collect();
        for (id, queue) in queues {
            let missing = queue
                .environments
                .iter()
                .find(|environment| state.fleet.find(**environment).is_none());
            if let Some(missing) = missing {
                return Err(RestoreError::QueueWithoutEnvironment(queue.name, *missing));
            }
            state.queue_names.insert(queue.name.clone(), id);
            state.queues.insert(id, queue);
            state.follow_policy(id);
            state.renew_blocked_deadline(id);
        }
        for (queue, share, ledger) in ledgers {
            if !state.queues.contains_key(&queue) {
                return Err(RestoreError::ShareWithoutQueue(share, queue));
            }
            state.work_mut(queue).shares.charge(&share, ledger);
        }
        state.note_departing();
        state.definitions = definitions.into_iter().collect();
        for (id, job) in jobs {
            state.restore_job(id, job)?;
        }
        for kept in &tokens {
            state.keep_token(kept);
        }
        let environments: Vec<EnvironmentId> = state.fleet.environments().map(|(id, _)| id).collect();
        for id in environments {
            state.renew_idle_deadlines(id);
            state.note_renewal_deadline(id);
        }
        Ok(state)
    }

    fn restore_instance(
        &mut self,
        environment_id: EnvironmentId,
        id: InstanceId,
        stored: StoredInstance,
    ) -> Result<(), RestoreError> {
        let StoredInstance {
            instance_type,
            capacity,
            gpus,
            last_used_at,
            was_used,
            leaving,
        } = stored;
        if self.fleet.find(environment_id).is_none() {
            return Err(RestoreError::InstanceWithoutEnvironment(id, environment_id));
        }
        let instance = Instance {
            instance_type,
            capacity,
            gpus,
            in_use: Resources::default(),
            gpus_in_use: GpuSet::default(),
            attempts: 0,
            last_used_at,
            was_used,
            leaving,
        };
        let due = leaving.and_then(|leaving| leaving.due);
        self.deadlines
            .extend(due.map(|at| (at, Deadline::Leaving(environment_id, id))));
        self.fleet.add_instance(environment_id, id, instance);
        Ok(())
    }

    fn restore_job(&mut self, id: JobId, mut job: Job) -> Result<(), RestoreError> {
        if !self.queues.contains_key(&job.queue) {
            return Err(RestoreError::JobWithoutQueue(id, job.queue));
        }
        job.profile = self.shared_profile(job.profile);
        self.register_dependent(id, &job.body);
        self.work_mut(job.queue).add_job(&job);
        self.jobs.insert(id, job);
        self.restore_place_in_queue(id);
        for (key, placement) in self.places_of(id) {
            let environment = self.fleet.find(placement.environment);
            let has_place = environment.is_some_and(|environment| {
                placement
                    .instance
                    .is_none_or(|instance| environment.instances.contains_key(&instance))
            });
            if !has_place {
                return Err(RestoreError::AttemptWithoutPlace(id));
            }
            self.occupy(key, placement);
        }
        let running: Vec<_> = self
            .attempts_of(id)
            .filter_map(|key| self.timeout_deadline(key))
            .collect();
        self.deadlines.extend(running);
        Ok(())
    }

    /// Puts what is runnable of a job into its queue's order.
    pub(super) fn restore_place_in_queue(&mut self, id: JobId) {
        for (key, attempts_ended) in self.entries_of(id) {
            self.enter_queue(key, attempts_ended > 0);
        }
    }

    /// The entries that a job has in its queue's order, with how often each was tried; of an array, its children that never ran are one.
    pub(super) fn entries_of(&self, id: JobId) -> Vec<(JobKey, u16)> {
        let of_execution = |key: JobKey, execution: &Execution| match &execution.attempt {
            Some(_) => None,
            None => Some((key, execution.attempts_ended)),
        };
        match self.jobs.get(id).map(|job| &job.body) {
            None | Some(Body::Waiting(_)) => Vec::new(),
            Some(Body::Ready(execution)) => of_execution(JobKey::whole(id), execution).into_iter().collect(),
            Some(Body::Array(array)) => {
                let tried = array.executions.iter();
                let tried =
                    tried.filter_map(|(child, execution)| of_execution(JobKey::child(id, *child), execution));
                let fresh = array.offers_child().then_some((JobKey::whole(id), 0));
                tried.chain(fresh).collect()
            }
            Some(Body::MultiNode(multi_node)) => match &multi_node.gang {
                Some(_) => Vec::new(),
                None => vec![(JobKey::whole(id), multi_node.attempts_ended)],
            },
        }
    }

    /// The places that the attempts of a job have.
    fn places_of(&self, id: JobId) -> Vec<(JobKey, Placement)> {
        let attempts = self.attempts_of(id);
        let places = attempts.filter_map(|attempt| {
            let attempt_there = self.execution(attempt.job)?.attempt.as_ref()?;
            Some((attempt.job, attempt_there.placement))
        });
        places.collect()
    }

    fn attempts_of(&self, id: JobId) -> impl Iterator<Item = AttemptKey> {
        let keys: Vec<AttemptKey> = match self.jobs.get(id).map(|job| &job.body) {
            Some(Body::Ready(execution)) => {
                vec![AttemptKey {
                    job: JobKey::whole(id),
                    attempt: execution.attempt_number(),
                }]
            }
            Some(Body::Array(array)) => {
                let children = array.executions.iter();
                children
                    .map(|(child, execution)| AttemptKey {
                        job: JobKey::child(id, *child),
                        attempt: execution.attempt_number(),
                    })
                    .collect()
            }
            Some(Body::MultiNode(multi_node)) => {
                let nodes = multi_node.gang.iter().flat_map(|gang| (0..).zip(&gang.nodes));
                nodes
                    .map(|(node, execution)| AttemptKey {
                        job: JobKey::child(id, node),
                        attempt: execution.attempt_number(),
                    })
                    .collect()
            }
            Some(Body::Waiting(_)) | None => Vec::new(),
        };
        keys.into_iter()
    }

    /// The primary half, as a store keeps it.
    #[must_use]
    pub fn to_stored(&self) -> Stored {
        let bare = |environment: &Environment| Environment {
            instances: std::collections::BTreeMap::new(),
            in_use: Resources::default(),
            attempts: 0,
            units: std::collections::BTreeMap::new(),
            ..environment.clone()
        };
        let instances = self.fleet.environments().flat_map(|(environment, facts)| {
            facts.instances.iter().map(move |(id, instance)| {
                let Instance {
                    instance_type,
                    capacity,
                    gpus,
                    in_use: _,
                    gpus_in_use: _,
                    attempts: _,
                    last_used_at,
                    was_used,
                    leaving,
                } = instance;
                let stored = StoredInstance {
                    instance_type: *instance_type,
                    capacity: *capacity,
                    gpus: *gpus,
                    last_used_at: *last_used_at,
                    was_used: *was_used,
                    leaving: *leaving,
                };
                (environment, *id, stored)
            })
        });
        let own_profile = |job: &Job| Job {
            profile: Arc::new((*job.profile).clone()),
            ..job.clone()
        };
        Stored {
            counters: self.next,
            environments: self
                .environments()
                .map(|(id, environment)| (id, bare(environment)))
                .collect(),
            instances: instances.collect(),
            queues: self
                .queues
                .iter()
                .map(|(id, queue)| (*id, queue.clone()))
                .collect(),
            definitions: self
                .definitions
                .iter()
                .map(|(name, revisions)| (name.clone(), revisions.clone()))
                .collect(),
            items: self
                .items
                .iter()
                .map(|(key, item)| (key.clone(), item.clone()))
                .collect(),
            jobs: self
                .jobs
                .in_order()
                .map(|(id, job)| (id, own_profile(job)))
                .collect(),
            tokens: self.tokens.values().cloned().collect(),
            run_times: self
                .run_times
                .iter()
                .map(|(name, runs)| (name.clone(), runs.clone()))
                .collect(),
            ledgers: self
                .work
                .iter()
                .flat_map(|(queue, work)| {
                    let shares = work.shares.iter();
                    let ledgers = shares.filter_map(|(name, share)| Some((name, share.ledger.as_ref()?)));
                    ledgers.map(|(name, ledger)| (*queue, name.clone(), ledger.clone()))
                })
                .collect(),
        }
    }
}
