//! All that the core remembers, and the only ways to read it. It is changed by [`State::apply`] alone.
//!
//! Half of it is *primary*: environments, queues, definitions, jobs. The other half follows from the first and is kept beside it so that
//! no decision has to search: names, runnable jobs in order, who waits for whom, what is free, what is due. [`State::restore`] makes
//! the second half from the first, and the tests compare it with what step after step has made.

mod apply;
mod departing;
mod gang;
mod jobs;
mod occupancy;
mod restore;
mod shared;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::chunks::Chunks;
use crate::command::Ended;
use crate::effect::Effect;
use crate::environment::Environment;
use crate::fleet::Fleet;
use crate::id::{ArrayIndex, AttemptKey, EnvironmentId, InstanceId, JobId, JobKey, QueueId, Sequence};
use crate::interval_set::IntervalSet;
use crate::item::{ItemKey, KeptItem};
use crate::job::{Body, Execution, Job, JobStatus, Profile};
use crate::name::{ConsumableResourceName, DefinitionName, EnvironmentName, QueueName, QuotaShareName};
use crate::queue::{Queue, Runnable};
use crate::quota::QuotaUse;
use crate::resources::Resources;
use crate::runs::RunTimes;
use crate::share::{ShareName, Shares, Standing};
use crate::time::Timestamp;
use crate::token::KeptToken;

use jobs::Jobs;
use shared::Shared;
use work::Work;

pub use crate::fleet::Host;
pub use restore::{RestoreError, Stored, StoredInstance};

/// The revisions of a job definition.
#[derive(Clone, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Revisions {
    /// The highest ever registered; the next gets one more (section A3.1).
    pub highest: u32,
    /// Those that take new jobs.
    pub active: IntervalSet,
}

/// The numbers that the next new things get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counters {
    /// For the next job.
    pub sequence: Sequence,
    /// For the next compute environment.
    pub environment: EnvironmentId,
    /// For the next queue.
    pub queue: QueueId,
    /// For the next instance.
    pub instance: InstanceId,
}

/// Someone who waits for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dependent {
    /// The job that waits.
    pub(crate) job: JobId,
    /// Which child of the other it waits for, if not the whole.
    pub(crate) child: Option<ArrayIndex>,
    /// Whether its children wait for the other's children one by one.
    pub(crate) is_pairing: bool,
}

/// Something that is due at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deadline {
    /// A running attempt reaches its timeout.
    Timeout(AttemptKey),
    /// An instance has been idle for long enough.
    Idle(EnvironmentId, InstanceId),
    /// An instance goes, and what runs on it is stopped.
    Leaving(EnvironmentId, InstanceId),
    /// Jobs on instances that are being replaced have had their time.
    Renewal(EnvironmentId),
    /// The front of a queue has been blocked for too long.
    Blocked(QueueId),
}

/// All that the core remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    next: Counters,
    fleet: Fleet,
    queues: BTreeMap<QueueId, Queue>,
    definitions: BTreeMap<DefinitionName, Revisions>,
    items: BTreeMap<ItemKey, KeptItem>,
    run_times: BTreeMap<DefinitionName, RunTimes>,
    jobs: Jobs,
    tokens: BTreeMap<Box<str>, KeptToken>,

    environment_names: BTreeMap<EnvironmentName, EnvironmentId>,
    queue_names: BTreeMap<QueueName, QueueId>,
    /// How many jobs have which profile. Counted here, not by its owners: copies of the state share it.
    profiles: BTreeMap<Shared, u32>,
    /// Of every queue.
    work: BTreeMap<QueueId, Work>,
    /// Whether any queue has a fair-share policy.
    counts_use: bool,
    /// Whether any queue or environment is being deleted, or an environment renewed.
    has_departing: bool,
    /// The jobs, children and nodes that have an attempt.
    live: Chunks<JobKey, ()>,
    /// What the attempts of quota shares hold, in queues that have such shares.
    quotas: BTreeMap<(QueueId, QuotaShareName), QuotaUse>,
    /// What live attempts hold of consumable resources that come back; none that is 0.
    claimed: BTreeMap<ConsumableResourceName, u64>,
    dependents: BTreeMap<JobId, BTreeSet<Dependent>>,
    /// Client tokens by when they count no more.
    token_ages: BTreeSet<(Timestamp, Box<str>)>,
    deadlines: Chunks<(Timestamp, Deadline), ()>,
}

impl Default for Counters {
    fn default() -> Self {
        Counters {
            sequence: Sequence(1),
            environment: EnvironmentId(1),
            queue: QueueId(1),
            instance: InstanceId(1),
        }
    }
}

impl State {
    /// A state that has nothing yet.
    #[must_use]
    pub fn empty(host: Host) -> Self {
        State {
            next: Counters::default(),
            fleet: Fleet::empty(host),
            queues: BTreeMap::new(),
            definitions: BTreeMap::new(),
            items: BTreeMap::new(),
            run_times: BTreeMap::new(),
            jobs: Jobs::default(),
            tokens: BTreeMap::new(),
            token_ages: BTreeSet::new(),
            environment_names: BTreeMap::new(),
            queue_names: BTreeMap::new(),
            profiles: BTreeMap::new(),
            work: BTreeMap::new(),
            counts_use: false,
            has_departing: false,
            live: Chunks::default(),
            quotas: BTreeMap::new(),
            claimed: BTreeMap::new(),
            dependents: BTreeMap::new(),
            deadlines: Chunks::default(),
        }
    }

    /// The host that jobs are placed on.
    #[must_use]
    pub fn host(&self) -> Host {
        self.fleet.host()
    }

    /// What jobs are placed on.
    #[must_use]
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// The numbers that the next new things get.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.next
    }

    /// The compute environments in order of creation.
    pub fn environments(&self) -> impl Iterator<Item = (EnvironmentId, &Environment)> {
        self.fleet.environments()
    }

    /// A compute environment.
    ///
    /// # Panics
    /// If it does not exist: numbers are only had from the state.
    #[must_use]
    pub fn environment(&self, id: EnvironmentId) -> &Environment {
        self.fleet.environment(id)
    }

    /// The compute environment of this name.
    #[must_use]
    pub fn environment_named(&self, name: &EnvironmentName) -> Option<(EnvironmentId, &Environment)> {
        let id = *self.environment_names.get(name)?;
        Some((id, self.environment(id)))
    }

    /// The queues in order of creation.
    pub fn queues(&self) -> impl Iterator<Item = (QueueId, &Queue)> {
        self.queues.iter().map(|(id, queue)| (*id, queue))
    }

    /// A queue.
    ///
    /// # Panics
    /// If it does not exist: numbers are only had from the state.
    #[must_use]
    pub fn queue(&self, id: QueueId) -> &Queue {
        self.queues
            .get(&id)
            .expect("queues are removed only when they have no jobs")
    }

    /// The queue of this name.
    #[must_use]
    pub fn queue_named(&self, name: &QueueName) -> Option<(QueueId, &Queue)> {
        let id = *self.queue_names.get(name)?;
        Some((id, self.queue(id)))
    }

    /// The revisions of a definition; none if it was never registered.
    #[must_use]
    pub fn revisions(&self, name: &DefinitionName) -> Option<&Revisions> {
        self.definitions.get(name)
    }

    /// How long the last jobs of a definition ran that succeeded; `None` if none did.
    #[must_use]
    pub fn run_times(&self, definition: &DefinitionName) -> Option<&RunTimes> {
        self.run_times.get(definition)
    }

    /// How long the last jobs of each definition ran, by name.
    pub fn histories(&self) -> impl Iterator<Item = (&DefinitionName, &RunTimes)> {
        self.run_times.iter()
    }

    /// A scheduling policy, consumable resource or quota share.
    #[must_use]
    pub fn item(&self, key: &ItemKey) -> Option<&KeptItem> {
        self.items.get(key)
    }

    /// All of them, by kind and name.
    pub fn items(&self) -> impl DoubleEndedIterator<Item = (&ItemKey, &KeptItem)> {
        self.items.iter()
    }

    /// A client token that was used and not forgotten yet.
    pub(crate) fn token(&self, token: &str) -> Option<&KeptToken> {
        self.tokens.get(token)
    }

    /// How many client tokens are kept.
    pub(crate) fn token_count(&self) -> usize {
        self.tokens.len()
    }

    /// The tokens that count no more, those first that have not counted for longest.
    pub(crate) fn expired_tokens(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        let by_age = self.token_ages.iter().map(|(_, token)| &**token);
        by_age.take_while(move |token| {
            self.tokens
                .get(*token)
                .is_some_and(|kept| kept.expires_at() <= now)
        })
    }

    /// What live attempts hold of a consumable resource.
    pub(crate) fn claimed(&self, name: &ConsumableResourceName) -> u64 {
        self.claimed.get(name).copied().unwrap_or(0)
    }

    /// Whether a live job takes of a consumable resource.
    pub(crate) fn is_claimed(&self, name: &ConsumableResourceName) -> bool {
        let claims = |profile: &Profile| profile.consumables.iter().any(|claim| claim.name == *name);
        self.jobs.any(|job| claims(&job.profile))
    }

    /// A live job; `None` if it has ended or never was.
    #[must_use]
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(id)
    }

    /// Whether it is a live service job.
    #[must_use]
    pub fn is_service_job(&self, id: JobId) -> bool {
        self.job(id).is_some_and(|job| job.profile.service.is_some())
    }

    /// The live jobs in order of their identifiers. They are put in order first: nothing for each step.
    pub fn jobs(&self) -> impl Iterator<Item = (JobId, &Job)> {
        self.jobs.in_order()
    }

    /// How many live jobs there are, an array counting once.
    #[must_use]
    pub fn job_count(&self) -> usize {
        self.jobs.len()
    }

    /// How many live jobs a queue has, an array counting once.
    #[must_use]
    pub fn jobs_in(&self, queue: QueueId) -> usize {
        self.work.get(&queue).map_or(0, |work| work.jobs)
    }

    /// What the attempts of a queue's jobs hold, by share; jobs without a share are under `None`.
    pub fn usage(&self, queue: QueueId) -> impl Iterator<Item = (Option<&ShareName>, Resources)> {
        let shares = self.shares(queue).iter();
        let held = shares.filter(|(_, share)| share.attempts > 0);
        held.map(|(name, share)| (Some(name).filter(|name| !name.is_empty()), share.held))
    }

    /// The shares of a queue.
    pub(crate) fn shares(&self, queue: QueueId) -> &Shares {
        static NONE: std::sync::LazyLock<Shares> = std::sync::LazyLock::new(Shares::default);
        self.work.get(&queue).map_or_else(|| &*NONE, |work| &work.shares)
    }

    /// Whether any queue has a fair-share policy.
    pub(crate) fn counts_use(&self) -> bool {
        self.counts_use
    }

    /// How the active shares of a fair-share queue stand by `now`, next first; none in other queues.
    #[must_use]
    pub fn standings(&self, queue: QueueId, now: Timestamp) -> Vec<Standing> {
        let shares = self.shares(queue);
        let standings = shares.iter().filter_map(|(name, _)| shares.standing(name, now));
        let mut standings: Vec<Standing> = standings.collect();
        standings.sort_by(|one, other| (one.score, &one.share).cmp(&(other.score, &other.share)));
        standings
    }

    /// The state of a live job, child or node; `None` if the job or the node's attempt has ended, or there is no such child.
    #[must_use]
    pub fn status(&self, key: JobKey) -> Option<JobStatus> {
        let job = self.jobs.get(key.id)?;
        match (key.child, &job.body) {
            (None, _) => Some(job.status()),
            (Some(child), Body::Array(array)) => array.child_status(child),
            (Some(node), Body::MultiNode(multi_node)) => {
                multi_node.node_status(job.profile.nodes.as_ref()?, node)
            }
            (Some(node), Body::Waiting(_)) => {
                let shape = job.profile.nodes.as_ref()?;
                (node < shape.count).then_some(JobStatus::Pending)
            }
            (Some(_), Body::Ready(_)) => None,
        }
    }

    /// The runnable jobs of a queue in order.
    #[must_use]
    pub fn runnable(&self, queue: QueueId) -> &Runnable {
        static NONE: std::sync::LazyLock<Runnable> = std::sync::LazyLock::new(Runnable::default);
        self.work
            .get(&queue)
            .map_or_else(|| &*NONE, |work| &work.runnable)
    }

    /// The job or child that a line of a queue runs next, and what it needs.
    #[must_use]
    pub fn front(&self, queue: QueueId, line: &str) -> Option<(JobKey, &Arc<Profile>)> {
        let entry = self.work.get(&queue)?.runnable.front(line)?;
        let job = self.jobs.get(entry.id)?;
        let key = match (entry.child, &job.body) {
            // The children that never ran have one entry, which is their array's.
            (None, Body::Array(array)) => JobKey::child(entry.id, array.runnable.first()?),
            (_, Body::Array(_) | Body::Waiting(_) | Body::Ready(_) | Body::MultiNode(_)) => entry,
        };
        Some((key, &job.profile))
    }

    /// The execution of a live single job, child or node, if it has one.
    #[must_use]
    pub fn execution(&self, key: JobKey) -> Option<&Execution> {
        self.jobs.get(key.id)?.execution(key.child)
    }

    /// Whether the engine was asked to launch this live attempt: all are as soon as they have their place, but for the nodes that wait
    /// for their main node (section B11.3).
    #[must_use]
    pub fn is_launched(&self, key: JobKey) -> bool {
        let Some(job) = self.jobs.get(key.id) else {
            return false;
        };
        let main = job.profile.main_node();
        match &job.body {
            Body::MultiNode(multi_node) if key.child != Some(main) => multi_node
                .gang
                .as_ref()
                .is_some_and(|gang| gang.has_started(main)),
            Body::Waiting(_) | Body::Ready(_) | Body::Array(_) | Body::MultiNode(_) => true,
        }
    }

    /// Who waits for a job.
    pub(crate) fn dependents(&self, of: JobId) -> impl Iterator<Item = Dependent> {
        self.dependents.get(&of).into_iter().flatten().copied()
    }

    /// The first thing that is due.
    pub(crate) fn first_deadline(&self) -> Option<(Timestamp, Deadline)> {
        self.deadlines.first().map(|(due, ())| due)
    }

    /// Every attempt that is alive, with its execution.
    pub fn live_attempts(&self) -> impl Iterator<Item = (AttemptKey, &Profile, &Execution)> {
        self.live.iter().filter_map(|(job, ())| {
            let execution = self.execution(job)?;
            let attempt = execution.attempt_number();
            let profile = &*self.jobs.get(job.id)?.profile;
            Some((AttemptKey { job, attempt }, profile, execution))
        })
    }

    /// What the attempts of a quota share hold.
    pub(crate) fn quota_use(&self, queue: QueueId, share: &QuotaShareName) -> Option<&QuotaUse> {
        self.quotas.get(&(queue, share.clone()))
    }

    /// What the attempts of each quota share of a queue hold, by name; those of shares that were deleted meanwhile too.
    pub(crate) fn quota_uses(&self, queue: QueueId) -> impl Iterator<Item = (&QuotaShareName, &QuotaUse)> {
        let of_queue = self.quotas.iter().filter(move |((of, _), _)| *of == queue);
        of_queue.map(|((_, share), held)| (share, held))
    }

    /// All that the world should have been asked for by now: what a restarted server asks for again.
    #[must_use]
    pub fn effects(&self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (key, profile, execution) in self.live_attempts() {
            let Some(attempt) = &execution.attempt else {
                continue;
            };
            if attempt.started_at.is_none() && attempt.stopping.is_none() && self.is_launched(key.job) {
                effects.push(Effect::Launch {
                    attempt: key,
                    placement: attempt.placement,
                });
            }
            if attempt.stopping.is_some() {
                effects.push(Effect::Stop {
                    attempt: key,
                    grace: profile.stop_timeout,
                });
            }
        }
        effects
    }

    /// How a live array stands, for jobs that pair with its children: its size and the children that have succeeded and failed.
    pub(crate) fn pairing_of(&self, on: JobId) -> Option<(u32, &IntervalSet, &IntervalSet)> {
        match &self.jobs.get(on)?.body {
            Body::Array(array) => Some((array.size, &array.succeeded, &array.failed)),
            Body::Waiting(_) | Body::Ready(_) | Body::MultiNode(_) => None,
        }
    }

    /// How a child of a live array ended, for jobs that depend on it; `None` if it has not.
    pub(crate) fn child_ended(&self, key: JobKey) -> Option<Ended> {
        let status = self.status(key).filter(|status| status.is_terminal())?;
        key.child.map(|_| Ended { status, array: None })
    }
}
