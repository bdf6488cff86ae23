//! Fair share: what the shares of a queue have used is brought up to date whenever the rate of its use changes (section C.3).

use std::sync::Arc;

use crate::change::Change;
use crate::id::{JobId, JobKey, QueueId};
use crate::item::SchedulingPolicy;
use crate::queue::Order;
use crate::resources::Resources;
use crate::share::{Ledger, ShareName, rate_of, share_of};
use crate::step::Step;

/// Whose ledger a change touches, and what the start of attempts costs.
struct Touched {
    queue: QueueId,
    share: ShareName,
    /// What attempts that start will use in a millisecond.
    starts: u64,
}

impl Step<'_> {
    /// Brings the ledger of the share up to date that a change, which is about to be made, concerns.
    pub(super) fn charge_for(&mut self, change: &Change) {
        // Most servers have no fair-share queue: then nothing has to be looked up.
        if !self.state().counts_use() {
            return;
        }
        let Some(Touched { queue, share, starts }) = self.touched(change) else {
            return;
        };
        let shares = self.state().shares(queue);
        let Some(policy) = shares.policy() else {
            return;
        };
        let known = shares.get(&share);
        let counted = known.and_then(|known| Some((known, known.ledger.as_ref()?)));
        let is_newly_active = counted.is_none();
        let mut ledger = match counted {
            None => Ledger::new(self.now, policy),
            Some((known, ledger)) => ledger.settled(self.now, known.rate, policy),
        };
        if starts > 0 {
            ledger.charge_start(starts);
        }
        self.apply(Change::ShareCharged {
            queue,
            share,
            ledger: Box::new(ledger),
        });
        // Less is kept for others now (section C3.5), which may let jobs start even if the new one only waits.
        if is_newly_active {
            self.core.wake(queue);
        }
    }

    fn touched(&self, change: &Change) -> Option<Touched> {
        let of_job = |id: JobId| {
            let job = self.state().job(id)?;
            let is_fair = self.state().runnable(job.queue).order() == Order::FairShare;
            is_fair.then(|| (job, self.share_name(job.queue, share_of(&job.profile))))
        };
        let touched = |id: JobId| {
            let (job, share) = of_job(id)?;
            Some(Touched {
                queue: job.queue,
                share,
                starts: 0,
            })
        };
        let starting = |key: JobKey, need: fn(&crate::job::Profile, JobKey) -> Resources| {
            let (job, share) = of_job(key.id)?;
            Some(Touched {
                queue: job.queue,
                share,
                starts: rate_of(&job.profile, need(&job.profile, key)),
            })
        };
        match change {
            Change::JobAdded(added) if self.state().runnable(added.queue).order() == Order::FairShare => {
                let share = self.share_name(added.queue, share_of(&added.profile));
                let shares = self.state().shares(added.queue);
                let is_active = shares.get(&share).is_some_and(|share| share.ledger.is_some());
                (!is_active).then_some(Touched {
                    queue: added.queue,
                    share,
                    starts: 0,
                })
            }
            Change::AttemptPlaced { job, .. } => starting(*job, |profile, key| profile.need(key.child)),
            Change::GangPlaced(placed) => starting(JobKey::whole(placed.job), |profile, _| profile.resources),
            Change::AttemptEnded(ended) => touched(ended.job.id),
            Change::GangEnded(ended) => touched(ended.job),
            Change::ArrayEnded(ended) => touched(ended.job),
            Change::JobFailed(failed) if failed.job.child.is_none() => touched(failed.job.id),
            _ => None,
        }
    }

    /// The name as the state has it, so that it is kept once.
    fn share_name(&self, queue: QueueId, name: &str) -> ShareName {
        let shares = self.state().shares(queue);
        shares.name(name).map_or_else(|| name.into(), Arc::clone)
    }

    /// Forgets the shares of a queue that are not active any more.
    pub(crate) fn forget_expired_shares(&mut self, queue: QueueId) {
        let shares = self.state().shares(queue).expired(self.now);
        if !shares.is_empty() {
            self.commit(Change::SharesForgotten { queue, shares });
        }
    }

    /// A queue is about to have another policy: use is counted from now on, or not any more.
    pub(super) fn change_policy(&mut self, queue: QueueId, put: Change) {
        let is_fair = |step: &Self| {
            matches!(
                step.state().policy_of(queue),
                Some(SchedulingPolicy::FairShare(_))
            )
        };
        let was_fair = self.state().queues().any(|(id, _)| id == queue) && is_fair(self);
        self.commit(put);
        match (was_fair, is_fair(self)) {
            (true, true) | (false, false) => {}
            (true, false) => {
                let shares = self.state().shares(queue).iter();
                let counted = shares.filter(|(_, share)| share.ledger.is_some());
                let shares = counted.map(|(name, _)| Arc::clone(name)).collect();
                self.commit(Change::SharesForgotten { queue, shares });
            }
            (false, true) => {
                let names: Vec<ShareName> = self
                    .state()
                    .shares(queue)
                    .iter()
                    .map(|(name, _)| Arc::clone(name))
                    .collect();
                let policy = self.state().shares(queue).policy().cloned();
                for (share, policy) in names.into_iter().zip(std::iter::repeat(policy)) {
                    let Some(policy) = policy else {
                        return;
                    };
                    let ledger = Box::new(Ledger::new(self.now, &policy));
                    self.commit(Change::ShareCharged { queue, share, ledger });
                }
            }
        }
    }
}
