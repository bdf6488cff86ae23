//! From what the store kept to the state of before.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::environment::{Environment, Instance};
use crate::id::{EnvironmentId, InstanceId, JobId, QueueId};
use crate::item::{ItemKey, KeptItem};
use crate::job::{Body, Execution, Job};
use crate::name::DefinitionName;
use crate::queue::Queue;
use crate::resources::{GpuSet, Resources};
use crate::state::gang::Hold;
use crate::state::occupancy::Holder;
use crate::state::{Counters, Host, Revisions, State};
use crate::token::KeptToken;

/// The primary half of a state, as a store gives it back.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
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
    pub last_used_at: crate::time::Timestamp,
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
        } = stored;
        let mut state = State::empty(host);
        state.next = counters;
        for (id, environment) in environments {
            state.environment_names.insert(environment.name.clone(), id);
            state.environments.insert(id, environment);
        }
        for (environment, id, instance) in instances {
            state.restore_instance(environment, id, instance)?;
        }
        for (id, queue) in queues {
            let missing = queue
                .environments
                .iter()
                .find(|environment| !state.environments.contains_key(environment));
            if let Some(missing) = missing {
                return Err(RestoreError::QueueWithoutEnvironment(queue.name, *missing));
            }
            state.queue_names.insert(queue.name.clone(), id);
            state.runnable.insert(id, crate::queue::Runnable::default());
            state.queues.insert(id, queue);
            state.renew_blocked_deadline(id);
        }
        state.definitions = definitions.into_iter().collect();
        state.items = items.into_iter().collect();
        for (id, job) in jobs {
            state.restore_job(id, job)?;
        }
        for kept in &tokens {
            state.keep_token(kept);
        }
        let environments: Vec<EnvironmentId> = state.environments.keys().copied().collect();
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
        } = stored;
        let environment = self.environments.get_mut(&environment_id);
        let environment = environment.ok_or(RestoreError::InstanceWithoutEnvironment(id, environment_id))?;
        let instance = Instance {
            instance_type,
            capacity,
            gpus,
            in_use: Resources::default(),
            gpus_in_use: GpuSet::default(),
            attempts: 0,
            last_used_at,
        };
        environment.instances.insert(id, instance);
        self.host_in_use = self.host_in_use.plus(capacity);
        self.gpus_in_use = self.gpus_in_use.with(gpus);
        Ok(())
    }

    fn restore_job(&mut self, id: JobId, mut job: Job) -> Result<(), RestoreError> {
        if !self.queues.contains_key(&job.queue) {
            return Err(RestoreError::JobWithoutQueue(id, job.queue));
        }
        job.profile = self.shared_profile(&job.profile);
        self.register_dependent(id, &job.body);
        self.restore_place_in_queue(id, &job);
        let executions: Vec<&Execution> = match &job.body {
            Body::Waiting(_) => Vec::new(),
            Body::Ready(execution) => vec![execution],
            Body::Array(array) => array.executions.values().collect(),
            Body::MultiNode(multi_node) => {
                let gang = multi_node.gang.iter();
                gang.flat_map(|gang| &gang.nodes).collect()
            }
        };
        let holder = Holder::of(&job);
        // Only of nodes it matters which one it is, and they are in order.
        for (index, attempt) in (0..).zip(executions) {
            let Some(attempt) = &attempt.attempt else {
                continue;
            };
            let placement = attempt.placement;
            let environment = self.environments.get(&placement.environment);
            let has_place = environment.is_some_and(|environment| {
                placement
                    .instance
                    .is_none_or(|instance| environment.instances.contains_key(&instance))
            });
            if !has_place {
                return Err(RestoreError::AttemptWithoutPlace(id));
            }
            let child = job.profile.nodes.is_some().then_some(index);
            self.occupy(&holder, placement, Hold::of(&job.profile, child));
        }
        *self.jobs_by_queue.entry(job.queue).or_default() += 1;
        self.jobs.insert(id, job);
        let running: Vec<_> = self
            .attempts_of(id)
            .filter_map(|key| self.timeout_deadline(key))
            .collect();
        self.deadlines.extend(running);
        Ok(())
    }

    fn restore_place_in_queue(&mut self, id: JobId, job: &Job) {
        let runnable = self.runnable.entry(job.queue).or_default();
        let mut add = |key: crate::id::JobKey, execution: &Execution| match (
            &execution.attempt,
            execution.attempts_ended,
        ) {
            (Some(_), _) => {}
            (None, 0) => runnable.add_fresh(key.id, job.sequence),
            (None, _) => runnable.add_retried(key, job.sequence),
        };
        match &job.body {
            Body::Waiting(_) => {}
            Body::Ready(execution) => add(crate::id::JobKey::whole(id), execution),
            Body::Array(array) => {
                for (child, execution) in &array.executions {
                    add(crate::id::JobKey::child(id, *child), execution);
                }
                if !array.runnable.is_empty() {
                    runnable.add_fresh(id, job.sequence);
                }
            }
            Body::MultiNode(multi_node) => match (&multi_node.gang, multi_node.attempts_ended) {
                (Some(_), _) => {}
                (None, 0) => runnable.add_fresh(id, job.sequence),
                (None, _) => runnable.add_retried(crate::id::JobKey::whole(id), job.sequence),
            },
        }
    }

    fn attempts_of(&self, id: JobId) -> impl Iterator<Item = crate::id::AttemptKey> {
        use crate::id::{AttemptKey, JobKey};
        let keys: Vec<AttemptKey> = match self.jobs.get(&id).map(|job| &job.body) {
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
        let instances = self.environments.iter().flat_map(|(environment, facts)| {
            facts.instances.iter().map(|(id, instance)| {
                let Instance {
                    instance_type,
                    capacity,
                    gpus,
                    in_use: _,
                    gpus_in_use: _,
                    attempts: _,
                    last_used_at,
                } = instance;
                let stored = StoredInstance {
                    instance_type: *instance_type,
                    capacity: *capacity,
                    gpus: *gpus,
                    last_used_at: *last_used_at,
                };
                (*environment, *id, stored)
            })
        });
        let own_profile = |job: &Job| Job {
            profile: Arc::new((*job.profile).clone()),
            ..job.clone()
        };
        Stored {
            counters: self.next,
            environments: self
                .environments
                .iter()
                .map(|(id, environment)| (*id, bare(environment)))
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
                .iter()
                .map(|(id, job)| (*id, own_profile(job)))
                .collect(),
            tokens: self.tokens.values().cloned().collect(),
        }
    }
}
