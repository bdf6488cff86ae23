//! What clients do.

use std::sync::Arc;

use batchyard_core::blocked::{LimitedReason, TimeLimitAction};
use batchyard_core::change::StopKind;
use batchyard_core::command::{
    Command, DependsOn, Ended, PutEnvironment, PutItem, PutQueue, RegisterDefinition, Reply, SubmitJob,
};
use batchyard_core::environment::{Platform, Switch};
use batchyard_core::id::{AttemptKey, JobId, JobKey};
use batchyard_core::job::ShareClaim;
use batchyard_core::name::{EnvironmentName, QueueName};
use batchyard_core::options::{BACKFILL, MAX_CONCURRENCY};
use batchyard_core::queue::Order;
use batchyard_core::reason::StatusReason;
use batchyard_core::time::{Millis, Timestamp};
use batchyard_core::token::ClientToken;

use crate::op::{DependencyOp, EnvironmentOp, ItemOp, LimitOp, ProfileOp, QueueOp, SubmitOp, Verb};
use crate::world::fixture::{
    content, definition, document, environment_spec, item, limit_tags, policy_name, profile_of, quota_share,
    status, switch,
};
use crate::world::{World, pick_of};

impl World {
    pub(super) fn environment(&mut self, op: &EnvironmentOp) {
        let EnvironmentOp {
            verb,
            name,
            kind,
            is_enabled,
            is_outdated,
            renewal,
        } = op;
        let name = EnvironmentName::parse(&format!("ce{name}")).expect("it is a name");
        let put = Box::new(PutEnvironment {
            name: name.clone(),
            switch: switch(*is_enabled),
            spec: environment_spec(*kind),
            document: document(),
            tags: Vec::new(),
            // An update from an outdated reading is refused: only new ones are invalid, until they are updated.
            is_valid: !(*is_outdated && *is_enabled),
        });
        let known = self.core.state().environment_named(&name);
        let version = known.map_or(1, |(_, environment)| environment.version) + u64::from(*is_outdated);
        self.command(match verb {
            Verb::Create => Command::CreateEnvironment(put),
            Verb::Update => Command::UpdateEnvironment {
                put,
                version,
                renewal: renewal.map(|ms| Millis::new(u64::from(ms))),
            },
            Verb::Delete => Command::DeleteEnvironment(name),
        });
    }

    pub(super) fn queue(&mut self, op: &QueueOp) {
        let QueueOp {
            verb,
            name,
            priority,
            environments,
            is_enabled,
            policy,
        } = op;
        let name = QueueName::parse(&format!("q{name}")).expect("it is a name");
        let environments = environments
            .iter()
            .map(|name| EnvironmentName::parse(&format!("ce{name}")).expect("it is a name"));
        let put = Box::new(PutQueue {
            actions: actions(&name),
            name: name.clone(),
            switch: switch(*is_enabled),
            priority: *priority,
            environments: environments.collect(),
            policy: policy.map(policy_name),
            document: document(),
            tags: vec![("a".to_owned(), "b".to_owned())],
        });
        let version = self.queue_version(&name);
        self.command(match verb {
            Verb::Create => Command::CreateQueue(put),
            Verb::Update => Command::UpdateQueue { put, version },
            Verb::Delete => Command::DeleteQueue(name),
        });
    }

    /// Takes an environment from all queues that have another one, then deletes it under whatever runs there.
    pub(super) fn drop_environment(&mut self, number: u8) {
        let name = EnvironmentName::parse(&format!("ce{number}")).expect("it is a name");
        for queue in 0..3 {
            let Some(put) = self.queue_put(queue) else {
                continue;
            };
            let environments = put
                .environments
                .iter()
                .filter(|one| **one != name)
                .cloned()
                .collect();
            let version = self.queue_version(&put.name);
            let put = Box::new(PutQueue { environments, ..put });
            if !put.environments.is_empty() {
                self.command(Command::UpdateQueue { put, version });
            }
        }
        let kind = 0;
        for verb in [Verb::Update, Verb::Delete] {
            self.environment(&EnvironmentOp {
                verb,
                name: number,
                kind,
                is_enabled: false,
                is_outdated: false,
                renewal: None,
            });
        }
    }

    /// A queue as a client would write it to change a part of it.
    fn queue_put(&self, number: u8) -> Option<PutQueue> {
        let name = QueueName::parse(&format!("q{number}")).expect("it is a name");
        let state = self.core.state();
        let (_, queue) = state.queue_named(&name)?;
        let environments = queue
            .environments
            .iter()
            .map(|id| state.environment(*id).name.clone());
        Some(PutQueue {
            name,
            switch: queue.switch,
            priority: queue.priority,
            environments: environments.collect(),
            policy: queue.policy.clone(),
            actions: queue.actions.clone(),
            document: document(),
            tags: Vec::new(),
        })
    }

    fn queue_version(&self, name: &QueueName) -> u64 {
        self.core
            .state()
            .queue_named(name)
            .map_or(1, |(_, queue)| queue.version)
    }

    pub(super) fn submit(&mut self, op: &SubmitOp) {
        let SubmitOp {
            queue,
            profile,
            array_size,
            is_sequential,
            token,
            dependencies,
            is_raw,
        } = op;
        let (queue, profile) = match is_raw {
            true => (*queue, profile.clone()),
            false => self.fitting(*queue, profile),
        };
        let profile = &profile;
        // The time of submission does not order identifiers here: that is the sequence's work.
        let random = u128::try_from(self.outputs.len()).expect("it fits") * 0x9e37_79b9;
        let id = JobId::new(
            Timestamp::from_millis(i64::from(self.outputs.len().is_multiple_of(7))),
            random,
        );
        let dependencies = dependencies.iter().filter_map(|op| self.depends_on(op));
        let dependencies: Vec<DependsOn> = dependencies.collect();
        let needs = (dependencies.clone(), *is_sequential);
        let queue = QueueName::parse(&format!("q{queue}")).expect("it is a name");
        let state = self.core.state();
        let is_by_share = state
            .queue_named(&queue)
            .is_some_and(|(id, _)| state.runnable(id).order() == Order::FairShare);
        let is_by_quota = state
            .queue_named(&queue)
            .is_some_and(|(id, _)| state.runnable(id).order() == Order::QuotaShare);
        let (share, priority) = profile.share;
        let quota_share = quota_share(u16::from(share));
        // One of the shares is none at all, which is refused.
        let claim = ShareClaim {
            identifier: if share == 3 {
                ""
            } else {
                ["s0", "s20", "s21"][usize::from(share)]
            }
            .into(),
            priority,
        };
        let mut of_job = profile_of(profile);
        if let Some(service) = &mut of_job.service {
            service.quota_share = is_by_quota.then_some(quota_share);
        }
        of_job.share = if is_by_quota {
            Some(ShareClaim {
                identifier: "".into(),
                priority,
            })
        } else {
            is_by_share.then_some(claim)
        };
        let submit = SubmitJob {
            id,
            queue,
            profile: Arc::new(of_job),
            array_size: *array_size,
            is_sequential: *is_sequential,
            dependencies,
            content: content(profile.most),
            token: token.map(|number| ClientToken {
                token: format!("t{}", number / 2).into(),
                digest: [number % 2; 16],
                life: Millis::from_seconds(if number < 2 { 2 } else { 86_400 }),
            }),
            // Some of those fail at once.
            failure: (*token == Some(3)).then(|| StatusReason::given("it cannot be run".to_owned())),
        };
        self.needs.insert(id, needs);
        // A token that was used answers the first job.
        if self.command(Command::SubmitJob(Box::new(submit))) == Some(Reply::Job(id)) {
            self.jobs.push(id);
        }
    }

    /// A queue that there is, if there is one, and the profile as its environments run it.
    fn fitting(&self, queue: u8, profile: &ProfileOp) -> (u8, ProfileOp) {
        let queues = (0..3).map(|step| (queue + step) % 3);
        let state = self.core.state();
        let known = queues.filter_map(|number| {
            let name = QueueName::parse(&format!("q{number}")).expect("it is a name");
            let (_, queue) = state.queue_named(&name)?;
            (queue.switch == Switch::Enabled).then_some((number, queue))
        });
        let Some((number, queue)) = known.into_iter().next() else {
            return (queue, profile.clone());
        };
        let first = queue.environments.first();
        let platform = first.map(|id| state.environment(*id).spec.platform);
        let is_service = platform == Some(Platform::Service);
        let profile = ProfileOp {
            units: is_service.then(|| profile.units.unwrap_or(1)),
            is_fargate: platform == Some(Platform::Fargate),
            nodes: profile.nodes.clone().filter(|_| platform == Some(Platform::Ec2)),
            ..profile.clone()
        };
        (number, profile)
    }

    pub(super) fn item(&mut self, op: &ItemOp) {
        let ItemOp { verb, kind, amount } = op;
        let (key, item) = item(*kind, *amount);
        let version = self.core.state().item(&key).map_or(1, |kept| kept.version);
        let put = Box::new(PutItem {
            key: key.clone(),
            item,
            document: document(),
            tags: Vec::new(),
        });
        self.command(match verb {
            Verb::Create => Command::CreateItem(put),
            Verb::Update => Command::UpdateItem { put, version },
            Verb::Delete => Command::DeleteItem(key),
        });
    }

    pub(super) fn limit(&mut self, op: &LimitOp) {
        let LimitOp {
            pick,
            queue,
            most,
            backfill,
        } = op;
        let job = pick.and_then(|pick| pick_of(&self.jobs, pick));
        let set = limit_tags(*most, *backfill && job.is_none());
        let keys = [MAX_CONCURRENCY, BACKFILL].map(str::to_owned);
        let removed = keys
            .into_iter()
            .filter(|key| !set.iter().any(|(other, _)| other == key))
            .collect();
        let resource = job.map_or_else(|| format!("job-queue/q{queue}"), |job| format!("job/{job}"));
        self.command(Command::ChangeTags {
            resource,
            set,
            removed,
        });
    }

    fn depends_on(&self, op: &DependencyOp) -> Option<DependsOn> {
        let DependencyOp {
            pick,
            child,
            is_pairing,
        } = op;
        let id = pick_of(&self.jobs, *pick)?;
        let child = child.map(u32::from).filter(|_| !is_pairing);
        let ended = match (self.ended.get(&id), child) {
            (None, _) => None,
            (Some(whole), None) => Some(whole.clone()),
            (Some(_), Some(child)) => {
                self.children
                    .get(&JobKey::child(id, child))
                    .map(|has_succeeded| Ended {
                        status: status(*has_succeeded),
                        array: None,
                    })
            }
        };
        Some(DependsOn {
            on: JobKey { id, child },
            is_pairing: *is_pairing,
            ended,
        })
    }

    pub(super) fn stop(&mut self, job: JobKey, kind: StopKind) {
        if self.core.state().is_service_job(job.id) {
            // To the other calls it is as unknown.
            let reason = "other".to_owned();
            self.command(Command::StopJob { job, kind, reason });
            let job = job.id;
            match kind {
                StopKind::Cancel => self.command(Command::PrioritizeServiceJob { job, priority: 7 }),
                StopKind::Terminate => {
                    self.stopped.insert(JobKey::whole(job));
                    let reason = "enough".to_owned();
                    self.command(Command::StopServiceJob { job, reason })
                }
            };
            return;
        }
        let state = self.core.state();
        let shape = state.job(job.id).and_then(|job| job.profile.nodes.as_ref());
        match (shape, job.child) {
            // The main node stands for the whole; the end of another is its own.
            (Some(shape), Some(node)) if node == shape.main => {
                self.stopped.insert(JobKey::whole(job.id));
            }
            (Some(_), Some(_)) => {}
            (_, _) if state.status(job).is_some() => {
                self.stopped.insert(job);
            }
            (_, _) => {}
        }
        self.command(Command::StopJob {
            job,
            kind,
            reason: "enough".to_owned(),
        });
    }

    /// What runs has its place taken away.
    pub(super) fn interrupt(&mut self, attempt: AttemptKey, notice: Millis, is_instance: bool) {
        let execution = self.core.state().execution(attempt.job);
        let place = execution.and_then(|execution| execution.attempt.as_ref());
        let instance = place.and_then(|attempt| attempt.placement.instance);
        self.tally.count("fault.interruption");
        self.command(match instance.filter(|_| is_instance) {
            Some(instance) => Command::InterruptInstance { instance, notice },
            None => Command::InterruptJob {
                job: attempt.job,
                notice,
            },
        });
    }

    pub(super) fn register(&mut self, deregister: bool) {
        let name = definition();
        let revision = self
            .core
            .state()
            .revisions(&name)
            .map_or(1, |revisions| revisions.highest);
        // Revision 1 stays, or nothing could be submitted any more.
        self.command(if deregister && revision > 1 {
            Command::DeregisterDefinition { name, revision }
        } else {
            Command::RegisterDefinition(Box::new(RegisterDefinition {
                name,
                document: document(),
                tags: Vec::new(),
            }))
        });
    }

    pub(super) fn drop_queue(&mut self, number: u8) {
        let Some(queue) = self.queue_put(number) else {
            return;
        };
        let (name, version) = (queue.name.clone(), self.queue_version(&queue.name));
        let put = Box::new(PutQueue {
            switch: Switch::Disabled,
            ..queue
        });
        self.command(Command::UpdateQueue { put, version });
        self.command(Command::DeleteQueue(name));
    }
}

/// One of the queues lets nothing block it for long.
fn actions(queue: &QueueName) -> Vec<TimeLimitAction> {
    let reasons = LimitedReason::ALL.into_iter().filter(|_| queue.as_str() == "q2");
    let actions = reasons.map(|reason| TimeLimitAction {
        reason,
        after: Millis::new(1_500),
    });
    actions.collect()
}
