//! What reads must answer, worked out from the changes in the plainest way: every child has a record, every list is a search.

mod job;
mod query;
mod registry;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use batchyard_core::blocked::Blocked;
use batchyard_core::change::Change;
use batchyard_core::id::{EnvironmentId, InstanceId, JobId, JobKey, QueueId};
use batchyard_core::item::ItemKey;
use batchyard_core::job::{Dependency, JobStatus, Placement};
use batchyard_core::name::{DefinitionName, EnvironmentName, QueueName};
use batchyard_core::reason::StatusReason;
use batchyard_core::share::ShareName;
use batchyard_core::time::Timestamp;
use batchyard_core::token::KeptToken;
use batchyard_runtime::store::{DefinitionRow, EnvironmentRow, ItemRow, JobRow, PlaceRow, QueueRow};

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) environments: BTreeMap<EnvironmentId, EnvironmentRow>,
    pub(crate) queues: BTreeMap<QueueId, QueueRow>,
    pub(crate) definitions: BTreeMap<(DefinitionName, Reverse<u32>), DefinitionRow>,
    blocked: BTreeMap<(QueueId, ShareName), Blocked>,
    pub(crate) tokens: BTreeMap<Box<str>, KeptToken>,
    deregistered: BTreeMap<(DefinitionName, Reverse<u32>), Timestamp>,
    pub(crate) items: BTreeMap<ItemKey, ItemRow>,
    pub(crate) jobs: BTreeMap<JobId, ModelJob>,
    pub(crate) tags: BTreeMap<String, BTreeMap<String, String>>,
    instances: BTreeMap<InstanceId, (EnvironmentId, u32)>,
    /// Also of those that are gone.
    environment_names: BTreeMap<EnvironmentId, EnvironmentName>,
    queue_names: BTreeMap<QueueId, QueueName>,
}

/// A job, and its children if it is an array, or its nodes.
pub(crate) struct ModelJob {
    pub(crate) queue: QueueId,
    /// Without tags, and without counts of children: those are put in when it is asked for.
    whole: JobRow,
    children: Vec<ModelChild>,
}

struct ModelChild {
    row: JobRow,
    /// Why it failed, if it did together with others that never ran.
    unstarted: Option<StatusReason>,
}

impl Model {
    pub(crate) fn follow(&mut self, change: &Change) {
        match change {
            Change::EnvironmentPut(put) => self.put_environment(put),
            Change::EnvironmentRenewal { environment, renewal } => {
                let row = self.environments.get_mut(environment).unwrap();
                row.is_renewing = renewal.is_some();
            }
            Change::EnvironmentDeleting(id) => self.environment_is_deleting(*id),
            Change::EnvironmentRemoved(id) => self.remove_environment(*id),
            Change::InstanceAdded(added) => {
                let vcpus = added.capacity.vcpus.ceil();
                self.instances.insert(added.id, (added.environment, vcpus));
            }
            Change::InstanceRemoved { instance, .. } => {
                self.instances.remove(instance);
            }
            Change::QueuePut(put) => self.put_queue(put),
            Change::QueueBlocked { queue, line, blocked } => {
                let key = (*queue, line.clone());
                self.blocked.remove(&key);
                self.blocked
                    .extend(blocked.as_deref().map(|blocked| (key, blocked.clone())));
            }
            // What the core alone reads; loading is compared with it.
            Change::ShareCharged { .. }
            | Change::SharesForgotten { .. }
            | Change::InstanceLeaving { .. }
            | Change::RunTimesNoted { .. }
            | Change::QueueOptionsChanged { .. }
            | Change::ArrayConcurrencyChanged { .. } => {}
            Change::SupplyBurned { name, left } => self.burn(name, *left),
            Change::QueueDeleting(id) => self.queue_is_deleting(*id),
            Change::QueueRemoved(id) => self.remove_queue(*id),
            Change::DefinitionRegistered(registered) => self.register(registered),
            Change::DefinitionDeregistered { name, revision, at } => self.deregister(name, *revision, *at),
            Change::ItemPut(put) => self.put_item(put),
            Change::ItemRemoved(key) => {
                self.items.remove(key);
                self.tags.remove(&key.resource());
            }
            Change::TagsChanged(changed) => self.change_tags(changed),
            Change::TokenKept(kept) => {
                self.tokens.insert(kept.token.token.clone(), (**kept).clone());
            }
            Change::TokensForgotten(tokens) => {
                for token in tokens {
                    self.tokens.remove(token);
                }
            }
            Change::JobAdded(added) => self.add_job(added),
            Change::DependencyMet { job, dependency } => self.meet(*job, *dependency),
            Change::PairingMet { .. } | Change::PairingClosed { .. } => {}
            Change::ProfileChanged { job, profile } => {
                let job = self.jobs.get_mut(job).unwrap();
                job.whole.profile = (**profile).clone();
                for child in &mut job.children {
                    child.row.profile = (**profile).clone();
                }
            }
            Change::JobReady(job) => self.row(JobKey::whole(*job)).state.status = JobStatus::Runnable,
            Change::ChildrenReady { job, children } => {
                for child in children.indexes() {
                    self.row(JobKey::child(*job, child)).state.status = JobStatus::Runnable;
                }
            }
            Change::AttemptPlaced {
                job,
                attempt,
                placement,
                scheduled_at,
            } => {
                self.place(*job, *attempt, *placement);
                self.schedule(*job, *scheduled_at);
            }
            Change::AttemptPreparing { job, attempt: _ } => self.row(*job).state.status = JobStatus::Starting,
            Change::AttemptStarted { job, attempt: _, at } => self.start(*job, *at),
            Change::GangPlaced(placed) => self.place_gang(placed),
            Change::GangStarted { job, main, at, .. } => {
                self.start(JobKey::child(*job, *main), *at);
                self.start(JobKey::whole(*job), *at);
            }
            Change::GangEnded(ended) => self.end_gang(ended),
            Change::StopRequested { job, cause } => self.request_stop(*job, cause),
            Change::CancelNoted(job) => self.row(*job).state.is_cancelled = true,
            Change::ArrayStopNoted { job, kind } => self.note_stop(JobKey::whole(*job), *kind),
            Change::AttemptEnded(ended) => self.end_attempt(ended),
            Change::JobFailed(failed) => self.fail_job(failed),
            Change::ChildrenFailed {
                job,
                children,
                status_reason,
                at,
            } => self.fail_children(*job, children, status_reason, *at),
            Change::ArrayEnded(ended) => self.end_array(ended),
        }
    }

    /// Who waits does not wait for this any more.
    fn meet(&mut self, job: JobId, met: Dependency) {
        let row = self.row(JobKey::whole(job));
        row.dependencies.retain(|dependency| *dependency != met);
    }

    fn row(&mut self, key: JobKey) -> &mut JobRow {
        let job = self.jobs.get_mut(&key.id).unwrap();
        match key.child {
            None => &mut job.whole,
            Some(child) => &mut job.children[child as usize].row,
        }
    }

    fn place_of(&self, placement: Placement) -> PlaceRow {
        PlaceRow {
            placement,
            environment: self.environment_names[&placement.environment].clone(),
        }
    }

    pub(crate) fn tags_of(&self, resource: &str) -> Vec<(String, String)> {
        let tags = self.tags.get(resource);
        tags.into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}
