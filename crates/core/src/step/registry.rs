//! Compute environments, queues, definitions and tags.

use crate::change::{Change, DefinitionRegistered, EnvironmentPut, QueuePut, StopKind, TagsChanged};
use crate::command::{PutEnvironment, PutQueue, RegisterDefinition, Rejection, Reply};
use crate::environment::{Life, Switch};
use crate::id::{EnvironmentId, JobId, QueueId};
use crate::item::{Item, ItemKey, SchedulingPolicy};
use crate::job::{Body, Placement, StopCause};
use crate::name::{DefinitionName, EnvironmentKind, EnvironmentName, QueueName, SchedulingPolicyName};
use crate::options::{MAX_CONCURRENCY, max_concurrency_of};
use crate::share::ShareName;
use crate::step::Step;
use crate::time::Millis;

impl Step<'_> {
    pub(super) fn create_environment(&mut self, put: PutEnvironment) -> Result<Reply, Rejection> {
        if self.state().environment_named(&put.name).is_some() {
            return Err(Rejection::EnvironmentExists(put.name));
        }
        let kind = put.name.kind();
        let alike = self.state().environments();
        let count = alike
            .filter(|(_, environment)| environment.name.kind() == kind)
            .count();
        let limits = self.core.config.limits;
        let most = match kind {
            EnvironmentKind::Compute => limits.compute_environments,
            EnvironmentKind::Service => limits.service_environments,
        };
        if count >= most {
            return Err(Rejection::TooManyEnvironments(kind, count));
        }
        let id = self.state().counters().environment;
        self.put_environment(id, put, 1, None);
        Ok(Reply::Environment(id))
    }

    pub(super) fn update_environment(
        &mut self,
        put: PutEnvironment,
        version: u64,
        renewal: Option<Millis>,
    ) -> Result<Reply, Rejection> {
        let Some((id, environment)) = self.state().environment_named(&put.name) else {
            return Err(Rejection::EnvironmentNotFound(put.name));
        };
        if environment.life == Life::Deleting || environment.renewal.is_some() {
            return Err(Rejection::EnvironmentBusy(put.name));
        }
        if environment.version != version {
            return Err(Rejection::VersionConflict);
        }
        self.put_environment(id, put, version + 1, renewal);
        Ok(Reply::Environment(id))
    }

    fn put_environment(
        &mut self,
        id: EnvironmentId,
        put: PutEnvironment,
        version: u64,
        renewal: Option<Millis>,
    ) {
        let PutEnvironment {
            name,
            switch,
            spec,
            document,
            tags,
            is_valid,
        } = put;
        let resource = name.resource();
        let put = EnvironmentPut {
            id,
            name,
            version,
            switch,
            life: if is_valid { Life::Valid } else { Life::Invalid },
            spec,
            document,
        };
        self.commit(Change::EnvironmentPut(Box::new(put)));
        self.change_tags(resource, tags, Vec::new());
        if let Some(grace) = renewal {
            self.begin_renewal(id, grace);
        }
        self.grow_to_minimum(id);
        self.core.wake_all();
    }

    pub(super) fn delete_environment(&mut self, name: &EnvironmentName) -> Result<Reply, Rejection> {
        let Some((id, environment)) = self.state().environment_named(name) else {
            return Err(Rejection::EnvironmentNotFound(name.clone()));
        };
        if environment.life == Life::Deleting || environment.renewal.is_some() {
            return Err(Rejection::EnvironmentBusy(name.clone()));
        }
        let user = self
            .state()
            .queues()
            .find(|(_, queue)| queue.environments.contains(&id));
        if let Some((_, queue)) = user {
            return Err(Rejection::EnvironmentInUse(name.clone(), queue.name.clone()));
        }
        if environment.switch == Switch::Enabled {
            return Err(Rejection::EnvironmentEnabled(name.clone()));
        }
        self.commit(Change::EnvironmentDeleting(id));
        // Whatever still runs loses its host.
        self.stop_attempts_in(id, |_| true, StopCause::EnvironmentDeleted);
        Ok(Reply::Done)
    }

    /// Stops the attempts in an environment whose placement is wanted and that were not told to stop yet.
    pub(super) fn stop_attempts_in(
        &mut self,
        id: EnvironmentId,
        is_wanted: impl Fn(&Placement) -> bool,
        cause: StopCause,
    ) {
        let in_environment = self.state().live_attempts().filter_map(|(key, _, execution)| {
            let attempt = execution.attempt.as_ref()?;
            let placement = &attempt.placement;
            let is_to_stop =
                placement.environment == id && attempt.stopping.is_none() && is_wanted(placement);
            is_to_stop.then_some(key)
        });
        let in_environment: Vec<_> = in_environment.collect();
        for attempt in in_environment {
            let id = attempt.job.id;
            if let Some(multi_node) = self.state().multi_node(id) {
                // All nodes are in one environment, and the first of them stands for all.
                if multi_node
                    .gang
                    .as_ref()
                    .is_some_and(|gang| gang.stopping.is_none())
                {
                    self.stop_gang(id, cause.clone());
                }
                continue;
            }
            self.ask_to_stop(attempt, cause.clone());
        }
    }

    pub(super) fn create_queue(&mut self, put: PutQueue) -> Result<Reply, Rejection> {
        if self.state().queue_named(&put.name).is_some() {
            return Err(Rejection::QueueExists(put.name));
        }
        let count = self.state().queues().count();
        if count >= self.core.config.limits.job_queues {
            return Err(Rejection::TooManyQueues(count));
        }
        let id = self.state().counters().queue;
        self.put_queue(id, put, 1)
    }

    pub(super) fn update_queue(&mut self, put: PutQueue, version: u64) -> Result<Reply, Rejection> {
        let Some((id, queue)) = self.state().queue_named(&put.name) else {
            return Err(Rejection::QueueNotFound(put.name));
        };
        if queue.life == Life::Deleting {
            return Err(Rejection::QueueBusy(put.name));
        }
        if queue.version != version {
            return Err(Rejection::VersionConflict);
        }
        self.put_queue(id, put, version + 1)
    }

    fn put_queue(&mut self, id: QueueId, put: PutQueue, version: u64) -> Result<Reply, Rejection> {
        let PutQueue {
            name,
            switch,
            priority,
            environments,
            policy,
            actions,
            document,
            tags,
        } = put;
        let environments = self.environments_for_queue(id, environments)?;
        let policy_key = policy.clone().map(ItemKey::SchedulingPolicy);
        if let Some(key) = policy_key.filter(|key| self.state().item(key).is_none()) {
            return Err(Rejection::ItemNotFound(key));
        }
        self.check_quota_environment(id, &environments, policy.as_ref())?;
        let resource = format!("job-queue/{name}");
        let put = QueuePut {
            id,
            name,
            version,
            switch,
            priority,
            environments,
            policy,
            actions,
            document,
        };
        self.change_policy(id, Change::QueuePut(Box::new(put)));
        self.change_tags(resource, tags, Vec::new());
        self.core.wake_all();
        Ok(Reply::Queue(id))
    }

    /// Environments that are usable; those that the queue has already may have become invalid since.
    fn environments_for_queue(
        &self,
        queue: QueueId,
        names: Vec<EnvironmentName>,
    ) -> Result<Vec<EnvironmentId>, Rejection> {
        let present = self.state().queues().find(|(id, _)| *id == queue);
        let has = |environment: &EnvironmentId| {
            present.is_some_and(|(_, queue)| queue.environments.contains(environment))
        };
        let mut ids = Vec::with_capacity(names.len());
        let mut platforms = std::collections::BTreeSet::new();
        for name in names {
            match self.state().environment_named(&name) {
                Some((id, environment))
                    if environment.life == Life::Valid || environment.life == Life::Invalid && has(&id) =>
                {
                    platforms.insert(environment.spec.platform);
                    ids.push(id);
                }
                Some(_) | None => return Err(Rejection::EnvironmentNotFound(name)),
            }
        }
        if platforms.len() > 1 {
            return Err(Rejection::MixedPlatforms);
        }
        Ok(ids)
    }

    /// An environment of a queue with quota shares is that queue's alone (section C4.5).
    fn check_quota_environment(
        &self,
        id: QueueId,
        environments: &[EnvironmentId],
        policy: Option<&SchedulingPolicyName>,
    ) -> Result<(), Rejection> {
        let is_quota = |policy: Option<&SchedulingPolicyName>| {
            let key = policy.cloned().map(ItemKey::SchedulingPolicy);
            let kept = key.and_then(|key| self.state().item(&key));
            kept.is_some_and(|kept| kept.item == Item::SchedulingPolicy(SchedulingPolicy::QuotaShare))
        };
        let is_own = is_quota(policy);
        for environment in environments {
            let other = self.state().queues().find(|(other, queue)| {
                *other != id
                    && queue.environments.contains(environment)
                    && (is_own || is_quota(queue.policy.as_ref()))
            });
            if let Some((_, queue)) = other {
                let name = self.state().environment(*environment).name.clone();
                return Err(Rejection::EnvironmentTaken(name, queue.name.clone()));
            }
        }
        Ok(())
    }

    pub(super) fn delete_queue(&mut self, name: &QueueName) -> Result<Reply, Rejection> {
        let Some((id, queue)) = self.state().queue_named(name) else {
            return Err(Rejection::QueueNotFound(name.clone()));
        };
        if queue.life == Life::Deleting {
            return Err(Rejection::QueueBusy(name.clone()));
        }
        if queue.switch == Switch::Enabled {
            return Err(Rejection::QueueEnabled(name.clone()));
        }
        let blocked: Vec<ShareName> = queue.blocked.keys().cloned().collect();
        for line in blocked {
            self.commit(Change::QueueBlocked {
                queue: id,
                line,
                blocked: None,
            });
        }
        self.commit(Change::QueueDeleting(id));
        // None of its jobs starts any more, however many passes it takes to end them.
        self.core.forget_queue(id);
        self.core.draining.insert(id, None);
        Ok(Reply::Done)
    }

    pub(super) fn register_definition(&mut self, register: RegisterDefinition) -> Result<Reply, Rejection> {
        let RegisterDefinition { name, document, tags } = register;
        let revision = self
            .state()
            .revisions(&name)
            .map_or(0, |revisions| revisions.highest)
            + 1;
        let resource = format!("job-definition/{name}:{revision}");
        let registered = DefinitionRegistered {
            name,
            revision,
            document,
            at: self.now,
        };
        self.commit(Change::DefinitionRegistered(Box::new(registered)));
        self.change_tags(resource, tags, Vec::new());
        Ok(Reply::Revision(revision))
    }

    pub(super) fn deregister_definition(
        &mut self,
        name: DefinitionName,
        revision: u32,
    ) -> Result<Reply, Rejection> {
        let is_active = self
            .state()
            .revisions(&name)
            .is_some_and(|revisions| revisions.active.contains(revision));
        if !is_active {
            return Err(Rejection::DefinitionNotActive(name, revision));
        }
        self.commit(Change::DefinitionDeregistered {
            name,
            revision,
            at: self.now,
        });
        Ok(Reply::Done)
    }

    pub(super) fn change_tags(&mut self, resource: String, set: Vec<(String, String)>, removed: Vec<String>) {
        if !set.is_empty() || !removed.is_empty() {
            self.follow_tags(&resource, &set, &removed);
            self.commit(Change::TagsChanged(Box::new(TagsChanged {
                resource,
                set,
                removed,
            })));
        }
    }

    /// What tags tell queues and array jobs.
    fn follow_tags(&mut self, resource: &str, set: &[(String, String)], removed: &[String]) {
        let Some((kind, name)) = resource.split_once('/') else {
            return;
        };
        if let Some((id, queue)) = QueueName::parse(name)
            .ok()
            .filter(|_| kind == "job-queue")
            .and_then(|name| self.state().queue_named(&name))
        {
            // A value without meaning, which the server refuses, changes nothing.
            let options = set.iter().fold(queue.options, |options, (key, value)| {
                options.with_tag(key, value).unwrap_or(options)
            });
            let options = removed
                .iter()
                .fold(options, |options, key| options.without_tag(key));
            if options != queue.options {
                self.commit(Change::QueueOptionsChanged { queue: id, options });
                self.core.wake_all();
            }
        }
        if let Some(job) = name.parse::<JobId>().ok().filter(|_| kind == "job")
            && let Some(Body::Array(array)) = self.state().job(job).map(|job| &job.body)
        {
            let before = array.max_concurrency;
            let kept = before.filter(|_| !removed.iter().any(|key| key == MAX_CONCURRENCY));
            let max = max_concurrency_of(set).or(kept);
            if max != before {
                self.commit(Change::ArrayConcurrencyChanged { job, max });
                self.core.wake_all();
            }
        }
    }

    /// The kind of stop that a queue's deletion is to its jobs.
    pub(super) const QUEUE_DELETION: StopKind = StopKind::Terminate;
}
