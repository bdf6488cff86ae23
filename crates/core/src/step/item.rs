//! Scheduling policies, consumable resources, quota shares.

use crate::change::{Change, ItemPut, StopKind};
use crate::command::{PutItem, Rejection, Reply};
use crate::environment::{Life, Switch};
use crate::id::JobKey;
use crate::item::{Item, ItemKey, SchedulingPolicy};
use crate::job::Profile;
use crate::name::{QueueName, QuotaShareName};
use crate::reason::QUOTA_SHARE_DELETED;
use crate::step::Step;

impl Step<'_> {
    pub(super) fn create_item(&mut self, put: PutItem) -> Result<Reply, Rejection> {
        debug_assert!(put.item.fits(&put.key), "{} is of another kind", put.key);
        if self.state().item(&put.key).is_some() {
            return Err(Rejection::ItemExists(put.key));
        }
        self.check_room(&put.key)?;
        if let ItemKey::QuotaShare(queue, _) = &put.key {
            match self.state().queue_named(queue) {
                Some((_, facts)) if facts.life == Life::Valid => {}
                Some(_) | None => return Err(Rejection::QueueNotFound(queue.clone())),
            }
        }
        self.put_item(put, 1);
        Ok(Reply::Done)
    }

    /// Refuses one more of a kind of which there are as many as may be.
    fn check_room(&self, key: &ItemKey) -> Result<(), Rejection> {
        let is_alike = |other: &ItemKey| match (key, other) {
            (ItemKey::SchedulingPolicy(_), ItemKey::SchedulingPolicy(_))
            | (ItemKey::ConsumableResource(_), ItemKey::ConsumableResource(_)) => true,
            (ItemKey::QuotaShare(queue, _), ItemKey::QuotaShare(of, _)) => queue == of,
            _ => false,
        };
        let limits = self.core.config.limits;
        let most = match key {
            ItemKey::SchedulingPolicy(_) => limits.scheduling_policies,
            ItemKey::ConsumableResource(_) => limits.consumable_resources,
            ItemKey::QuotaShare(..) => limits.quota_shares_per_queue,
        };
        let count = self.state().items().filter(|(other, _)| is_alike(other)).count();
        if count >= most {
            return Err(Rejection::TooManyItems(count));
        }
        Ok(())
    }

    pub(super) fn update_item(&mut self, put: PutItem, version: u64) -> Result<Reply, Rejection> {
        debug_assert!(put.item.fits(&put.key), "{} is of another kind", put.key);
        let Some(kept) = self.state().item(&put.key) else {
            return Err(Rejection::ItemNotFound(put.key));
        };
        if kept.version != version {
            return Err(Rejection::VersionConflict);
        }
        if !is_same_kind(&kept.item, &put.item) {
            return Err(Rejection::ItemKind(put.key));
        }
        self.put_item(put, version + 1);
        Ok(Reply::Done)
    }

    fn put_item(&mut self, put: PutItem, version: u64) {
        let PutItem {
            key,
            item,
            document,
            tags,
        } = put;
        let resource = key.resource();
        let put = ItemPut {
            key,
            version,
            item,
            document,
            at: self.now,
        };
        self.commit(Change::ItemPut(Box::new(put)));
        self.change_tags(resource, tags, Vec::new());
        self.core.wake_all();
    }

    pub(super) fn delete_item(&mut self, key: ItemKey) -> Result<Reply, Rejection> {
        let Some(kept) = self.state().item(&key) else {
            return Err(Rejection::ItemNotFound(key));
        };
        match (&key, &kept.item) {
            (ItemKey::SchedulingPolicy(name), _) => {
                let user = self
                    .state()
                    .queues()
                    .find(|(_, queue)| queue.policy.as_ref() == Some(name));
                if let Some((_, queue)) = user {
                    return Err(Rejection::ItemInUse(key.clone(), queue.name.clone()));
                }
            }
            (ItemKey::ConsumableResource(name), _) if self.state().is_claimed(name) => {
                return Err(Rejection::ItemNeeded(key));
            }
            (ItemKey::QuotaShare(..), Item::QuotaShare(share)) if share.switch == Switch::Enabled => {
                return Err(Rejection::ItemEnabled(key));
            }
            _ => {}
        }
        if let ItemKey::QuotaShare(queue, name) = &key {
            self.end_jobs_of_share(queue, name);
        }
        self.commit(Change::ItemRemoved(key));
        self.core.wake_all();
        Ok(Reply::Done)
    }

    /// The jobs of a quota share end with it (section A.6). A share has as many as users have submitted to it, all told in one step.
    fn end_jobs_of_share(&mut self, queue: &QueueName, name: &QuotaShareName) {
        let Some((queue, _)) = self.state().queue_named(queue) else {
            return;
        };
        let is_of_share = |profile: &Profile| {
            let claim = profile.service.as_ref();
            claim.and_then(|claim| claim.quota_share.as_ref()) == Some(name)
        };
        let jobs = self.state().jobs();
        let of_share = jobs.filter(|(_, job)| job.queue == queue && is_of_share(&job.profile));
        let keys: Vec<JobKey> = of_share.map(|(id, _)| JobKey::whole(id)).collect();
        for key in keys {
            self.stop_job(key, StopKind::Terminate, QUOTA_SHARE_DELETED.as_str());
        }
    }

    /// What belongs to a queue goes with it.
    pub(super) fn remove_quota_shares(&mut self, queue: &QueueName) {
        let of_queue = |key: &ItemKey| matches!(key, ItemKey::QuotaShare(of, _) if of == queue);
        let keys: Vec<ItemKey> = self
            .state()
            .items()
            .filter(|(key, _)| of_queue(key))
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            self.commit(Change::ItemRemoved(key));
        }
    }
}

/// A policy stays what it is for life (section A.5); other items have but one kind each.
fn is_same_kind(kept: &Item, put: &Item) -> bool {
    match (kept, put) {
        (Item::SchedulingPolicy(kept), Item::SchedulingPolicy(put)) => matches!(
            (kept, put),
            (SchedulingPolicy::FairShare(_), SchedulingPolicy::FairShare(_))
                | (SchedulingPolicy::QuotaShare, SchedulingPolicy::QuotaShare)
        ),
        (Item::ConsumableResource(kept), Item::ConsumableResource(put)) => {
            kept.is_replenishable == put.is_replenishable
        }
        _ => true,
    }
}
