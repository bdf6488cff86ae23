//! SubmitJob: checks what only the state can tell, resolves dependencies, and adds the job.

use std::sync::Arc;

use crate::array::{Array, Pairing};
use crate::change::{Change, JobAdded, JobContent};
use crate::command::{BadDependency, DependsOn, Ended, Rejection, Reply, SubmitJob};
use crate::environment::{EnvironmentSpec, Life, Platform, Switch};
use crate::id::{EnvironmentId, JobId, QueueId};
use crate::interval_set::IntervalSet;
use crate::item::{Item, ItemKey, SchedulingPolicy};
use crate::job::{Dependency, JobStatus, Profile, ServiceClaim, ShareClaim};
use crate::limits::{CLIENT_TOKENS_CLEARED_MAX, CLIENT_TOKENS_MAX};
use crate::name::QueueName;
use crate::options::max_concurrency_of;
use crate::queue::Queue;
use crate::reason::DEPENDENT_JOB_FAILED;
use crate::share::share_of;
use crate::step::Step;
use crate::token::{ClientToken, KeptToken};

/// What the dependencies of a new job come to.
#[derive(Default)]
struct Resolved {
    /// Not met yet.
    open: Vec<Dependency>,
    /// Arrays to pair with, and the children that failed there already.
    pairings: Vec<(Pairing, IntervalSet)>,
    /// Whether one has failed: then so does the job.
    has_failed: bool,
}

impl Step<'_> {
    pub(super) fn submit_job(&mut self, submit: SubmitJob) -> Result<Reply, Rejection> {
        let SubmitJob {
            id,
            queue,
            mut profile,
            array_size,
            is_sequential,
            dependencies,
            content,
            token,
            failure,
        } = submit;
        if let Some(token) = &token
            && let Some(job) = self.known_token(token)?
        {
            return Ok(Reply::Job(job));
        }
        if self.state().job(id).is_some() {
            return Err(Rejection::JobExists(id));
        }
        let queue = self.queue_for(queue, &profile)?;
        if profile.nodes.is_some() && array_size.is_some() {
            return Err(Rejection::ArrayOfNodes);
        }
        match &profile.service {
            Some(claim) => self.check_service_share(queue, profile.share.as_ref(), claim)?,
            None => {
                self.check_share(queue, profile.share.as_ref())?;
                self.check_definition(&content)?;
            }
        }
        self.check_consumables(&profile)?;
        self.check_share_count(queue, &profile)?;
        self.check_array(array_size, is_sequential, &dependencies)?;
        let Resolved {
            open,
            pairings,
            has_failed,
        } = self.resolve(&dependencies, array_size)?;

        let (pairings, lost): (Vec<Pairing>, Vec<IntervalSet>) = pairings.into_iter().unzip();
        let array = array_size.map(|size| Array {
            gate: open.clone(),
            pairings,
            is_sequential,
            max_concurrency: max_concurrency_of(&content.tags),
            ..Array::new(size)
        });
        let definition = Some(&content.definition).filter(|_| profile.service.is_none());
        if profile.definition.as_ref() != definition {
            Arc::make_mut(&mut profile).definition = definition.cloned();
        }
        let added = JobAdded {
            id,
            sequence: self.state().counters().sequence,
            queue,
            profile,
            dependencies: if array.is_some() { Vec::new() } else { open },
            array: array.map(Box::new),
            content,
            at: self.now,
        };
        if let Some(token) = token {
            self.keep_token(token, id);
        }
        self.commit(Change::JobAdded(Box::new(added)));
        if let Some(reason) = failure.or_else(|| has_failed.then_some(DEPENDENT_JOB_FAILED)) {
            self.fail_new(id, &reason);
        } else {
            let lost = union(lost);
            if !lost.is_empty() {
                self.fail_children_for_dependency(id, &lost);
            }
            self.release(id);
        }
        Ok(Reply::Job(id))
    }

    /// The job that came of the same submission before; none if the token is new, or old enough to be so again.
    fn known_token(&self, token: &ClientToken) -> Result<Option<JobId>, Rejection> {
        let count = self.state().token_count();
        match self.state().token(&token.token) {
            Some(kept) if kept.expires_at() <= self.now => Ok(None),
            Some(kept) if kept.token.digest == token.digest => Ok(Some(kept.job)),
            Some(kept) => Err(Rejection::TokenUsed(kept.job)),
            None if count >= CLIENT_TOKENS_MAX && self.state().expired_tokens(self.now).next().is_none() => {
                Err(Rejection::TooManyTokens(count))
            }
            None => Ok(None),
        }
    }

    fn keep_token(&mut self, token: ClientToken, job: JobId) {
        let expired = self.state().expired_tokens(self.now);
        let mut forgotten: Vec<Box<str>> = expired.take(CLIENT_TOKENS_CLEARED_MAX).map(Box::from).collect();
        // It may stand for a job of long ago without being among the oldest.
        if self.state().token(&token.token).is_some() && !forgotten.contains(&token.token) {
            forgotten.push(token.token.clone());
        }
        if !forgotten.is_empty() {
            self.commit(Change::TokensForgotten(forgotten));
        }
        let at = self.now;
        self.commit(Change::TokenKept(Box::new(KeptToken { token, job, at })));
    }

    fn check_definition(&self, content: &JobContent) -> Result<(), Rejection> {
        let active = self
            .state()
            .revisions(&content.definition)
            .map(|revisions| &revisions.active);
        if active.is_some_and(|active| active.contains(content.revision)) {
            return Ok(());
        }
        Err(Rejection::DefinitionNotActive(
            content.definition.clone(),
            content.revision,
        ))
    }

    /// A service job may have a priority in any queue; it has a share, or a quota share, if and only if its queue has such a policy
    /// (section A.8).
    fn check_service_share(
        &self,
        id: QueueId,
        share: Option<&ShareClaim>,
        claim: &ServiceClaim,
    ) -> Result<(), Rejection> {
        let queue = self.state().queue(id);
        let is_quota = matches!(self.state().policy_of(id), Some(SchedulingPolicy::QuotaShare));
        match &claim.quota_share {
            Some(_) if !is_quota => return Err(Rejection::QuotaShareNotAllowed(queue.name.clone())),
            None if is_quota => return Err(Rejection::QuotaShareMissing(queue.name.clone())),
            None => {}
            Some(name) => {
                let key = ItemKey::QuotaShare(queue.name.clone(), name.clone());
                match self.state().item(&key).map(|kept| &kept.item) {
                    Some(Item::QuotaShare(share)) if share.switch == Switch::Enabled => {}
                    Some(_) => return Err(Rejection::ItemDisabled(key)),
                    None => return Err(Rejection::ItemNotFound(key)),
                }
            }
        }
        match share.filter(|share| !share.identifier.is_empty()) {
            None if !matches!(self.state().policy_of(id), Some(SchedulingPolicy::FairShare(_))) => Ok(()),
            None => Err(Rejection::ShareMissing(queue.name.clone())),
            Some(_) => self.check_share(id, share),
        }
    }

    /// UpdateServiceJob: another priority, which a job has until it ends.
    pub(super) fn prioritize(&mut self, id: JobId, priority: u16) -> Result<Reply, Rejection> {
        let job = self.state().job(id);
        let Some(job) = job.filter(|job| job.profile.service.is_some()) else {
            return Err(Rejection::JobNotLive(id));
        };
        let identifier = job.profile.share.as_ref();
        let share = ShareClaim {
            identifier: identifier
                .map(|share| share.identifier.clone())
                .unwrap_or_default(),
            priority,
        };
        let profile = Profile {
            share: Some(share),
            ..(*job.profile).clone()
        };
        let queue = job.queue;
        self.commit(Change::ProfileChanged {
            job: id,
            profile: Box::new(profile),
        });
        // It may have come to the front of its line, and find room where the front before did not.
        self.core.wake(queue);
        Ok(Reply::Job(id))
    }

    /// A job has a share if and only if its queue orders by share (section A4.4).
    fn check_share(&self, queue: QueueId, share: Option<&ShareClaim>) -> Result<(), Rejection> {
        let by_share = matches!(
            self.state().policy_of(queue),
            Some(SchedulingPolicy::FairShare(_))
        );
        let queue = self.state().queue(queue);
        match share {
            Some(_) if !by_share => Err(Rejection::ShareNotAllowed(queue.name.clone())),
            // A priority that came without a share.
            Some(share) if share.identifier.is_empty() => Err(Rejection::ShareMissing(queue.name.clone())),
            None if by_share => Err(Rejection::ShareMissing(queue.name.clone())),
            Some(_) | None => Ok(()),
        }
    }

    /// What a job takes must exist; that there is enough of it is not asked (section C5.1).
    fn check_consumables(&self, profile: &Profile) -> Result<(), Rejection> {
        let keys = profile
            .consumables
            .iter()
            .map(|claim| ItemKey::ConsumableResource(claim.name.clone()));
        match keys.into_iter().find(|key| self.state().item(key).is_none()) {
            Some(key) => Err(Rejection::ItemNotFound(key)),
            None => Ok(()),
        }
    }

    /// A queue has so many active shares at most (section A4.4).
    fn check_share_count(&self, queue: QueueId, profile: &Profile) -> Result<(), Rejection> {
        let shares = self.state().shares(queue);
        let max = self.core.config.limits.share_identifiers_per_queue;
        if shares.policy().is_none() || shares.active() < max {
            return Ok(());
        }
        let is_active = shares
            .get(share_of(profile))
            .is_some_and(|share| share.ledger.is_some());
        let active = shares.active() - shares.expired(self.now).len();
        if is_active || active < max {
            return Ok(());
        }
        Err(Rejection::TooManyShares(
            self.state().queue(queue).name.clone(),
            max,
        ))
    }

    fn queue_for(&self, name: QueueName, profile: &Profile) -> Result<QueueId, Rejection> {
        match self.state().queue_named(&name) {
            None
            | Some((
                _,
                Queue {
                    life: Life::Deleting, ..
                },
            )) => Err(Rejection::QueueNotFound(name)),
            Some((
                _,
                Queue {
                    switch: Switch::Disabled,
                    ..
                },
            )) => Err(Rejection::QueueDisabled(name)),
            Some((id, queue)) => {
                let spec = |id: &EnvironmentId| &self.state().environment(*id).spec;
                let mut specs = queue.environments.iter().map(spec);
                let is_service = |spec: &EnvironmentSpec| spec.platform == Platform::Service;
                if profile.platform != Platform::Service && specs.clone().any(is_service) {
                    Err(Rejection::ServiceQueue(name))
                } else if !specs.clone().any(|spec| spec.platform == profile.platform) {
                    Err(Rejection::PlatformMismatch(name))
                } else if profile.nodes.is_some() && specs.all(|spec| spec.refuses_multi_node) {
                    Err(Rejection::NoMultiNodeEnvironment(name))
                } else {
                    Ok(id)
                }
            }
        }
    }

    fn check_array(
        &self,
        size: Option<u32>,
        is_sequential: bool,
        dependencies: &[DependsOn],
    ) -> Result<(), Rejection> {
        let max = self.core.config.limits.array_size;
        if let Some(size) = size.filter(|size| !(2..=max).contains(size)) {
            return Err(Rejection::ArraySize { size, max });
        }
        if dependencies.len() + usize::from(is_sequential) > self.core.config.limits.job_dependencies {
            return Err(Rejection::BadDependency(BadDependency::TooMany));
        }
        let needs_array = is_sequential || dependencies.iter().any(|dependency| dependency.is_pairing);
        if needs_array && size.is_none() {
            return Err(Rejection::BadDependency(BadDependency::NotAnArray));
        }
        Ok(())
    }

    fn resolve(&self, dependencies: &[DependsOn], array_size: Option<u32>) -> Result<Resolved, Rejection> {
        let mut resolved = Resolved::default();
        for dependency in dependencies {
            let on = dependency.on;
            let profile = self.state().job(on.id).map(|job| &job.profile);
            // Nodes end with their job, and nothing can wait for one. Service jobs are no jobs to others.
            if profile.is_some_and(|profile| {
                on.child.is_some() && profile.nodes.is_some() || profile.service.is_some()
            }) {
                return Err(Rejection::DependencyNotFound(on));
            }
            if dependency.is_pairing {
                let size = array_size.expect("pairings of single jobs were refused");
                let pairing = self.resolve_pairing(dependency, size)?;
                if !resolved
                    .pairings
                    .iter()
                    .any(|(known, _)| known.on == pairing.0.on)
                {
                    resolved.pairings.push(pairing);
                }
                continue;
            }
            let DependsOn {
                on,
                is_pairing: _,
                ended,
            } = dependency;
            let ended = self.state().child_ended(*on).or_else(|| ended.clone());
            match (self.state().status(*on), ended) {
                (
                    _,
                    Some(Ended {
                        status: JobStatus::Succeeded,
                        ..
                    }),
                ) => {}
                (_, Some(_)) => resolved.has_failed = true,
                (Some(_), None) if resolved.open.contains(&Dependency { on: *on }) => {}
                (Some(_), None) => resolved.open.push(Dependency { on: *on }),
                (None, None) => return Err(Rejection::DependencyNotFound(*on)),
            }
        }
        Ok(resolved)
    }

    fn resolve_pairing(
        &self,
        dependency: &DependsOn,
        size: u32,
    ) -> Result<(Pairing, IntervalSet), Rejection> {
        let DependsOn {
            on,
            is_pairing: _,
            ended,
        } = dependency;
        let differ = Rejection::BadDependency(BadDependency::SizesDiffer);
        if on.child.is_some() {
            return Err(differ);
        }
        if let Some((other_size, succeeded, failed)) = self.state().pairing_of(on.id) {
            let pairing = Pairing {
                on: on.id,
                satisfied: succeeded.clone(),
                is_open: true,
            };
            return if other_size == size {
                Ok((pairing, failed.clone()))
            } else {
                Err(differ)
            };
        }
        match ended {
            Some(Ended {
                status: _,
                array: Some((other_size, succeeded)),
            }) if *other_size == size => {
                let mut failed = IntervalSet::up_to(size);
                failed.subtract(succeeded);
                Ok((
                    Pairing {
                        on: on.id,
                        satisfied: succeeded.clone(),
                        is_open: false,
                    },
                    failed,
                ))
            }
            Some(_) => Err(differ),
            None if self.state().job(on.id).is_some() => Err(differ),
            None => Err(Rejection::DependencyNotFound(*on)),
        }
    }

    /// A job that was just added, or waits no longer: what of it may run does so.
    pub(super) fn release(&mut self, id: JobId) {
        use crate::job::Body;
        let Some(job) = self.state().job(id) else { return };
        let queue = job.queue;
        let change = match &job.body {
            Body::Waiting(dependencies) => dependencies.is_empty().then_some(Change::JobReady(id)),
            Body::Ready(_) | Body::MultiNode(_) => None,
            Body::Array(array) => {
                let children = array.ready();
                (!children.is_empty()).then_some(Change::ChildrenReady { job: id, children })
            }
        };
        if let Some(change) = change {
            self.commit(change);
            self.core.wake(queue);
        }
    }
}

fn union(sets: Vec<IntervalSet>) -> IntervalSet {
    sets.into_iter().fold(IntervalSet::default(), |mut all, set| {
        all.extend(&set);
        all
    })
}
