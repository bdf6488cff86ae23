//! Quota shares: what each holds of its limits, and what it may have beyond them (section C.4).
//!
//! A share's limit of a unit is its own: its jobs start within it, and if others have borrowed of it meanwhile, theirs are stopped.
//! What a share leaves idle others may borrow, if it lends; so may they what no share's limit covers. Beyond its limit a share
//! starts jobs only while something is idle, and while it has not borrowed as much as it may. What a share reserves stays idle: a lender
//! gets back what it lent, and does not start on what others keep for themselves.

use std::collections::{BTreeMap, BTreeSet};

use crate::environment::{Capacity, NUM_INSTANCES};
use crate::id::{JobKey, QueueId};
use crate::item::{Item, ItemKey, QuotaShare, Sharing};
use crate::job::{Profile, ServiceClaim};
use crate::name::QuotaShareName;
use crate::state::State;

/// What the attempts of a quota share hold.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct QuotaUse {
    /// By unit; none that is 0.
    units: BTreeMap<Box<str>, u32>,
    /// The jobs that hold it.
    jobs: BTreeSet<JobKey>,
}

/// How a quota share stands with a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaStanding {
    /// The share.
    pub share: QuotaShareName,
    /// The unit.
    pub unit: Box<str>,
    /// What it has for itself.
    pub limit: u32,
    /// What its jobs hold.
    pub used: u32,
    /// What of its own it could use now: neither its jobs hold it, nor has it lent it.
    pub own_free: u32,
    /// What it may have beyond its limit, if there is something idle; `u32::MAX` is no limit.
    pub borrow_max: u32,
    /// What of others' capacity, and of what is nobody's, is idle and may be borrowed.
    pub idle: u32,
}

/// Where a job of a quota share may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuotaRoom {
    /// Within the share's limit.
    Own,
    /// Within the share's limit, when others have given back what they borrowed.
    Lent,
    /// With borrowed capacity.
    Borrowed,
    /// Nowhere now.
    None,
    /// Nowhere, as long as limits stay as they are.
    Never,
}

/// The quota share of a service job, and what it takes.
pub(crate) fn quota_claim(profile: &Profile) -> Option<(&QuotaShareName, &ServiceClaim)> {
    let claim = profile.service.as_ref()?;
    Some((claim.quota_share.as_ref()?, claim))
}

impl QuotaUse {
    pub(crate) fn take(&mut self, job: JobKey, claim: &ServiceClaim) {
        self.jobs.insert(job);
        *self.units.entry(claim.unit.clone()).or_default() += claim.count;
    }

    pub(crate) fn give_back(&mut self, job: JobKey, claim: &ServiceClaim) {
        self.jobs.remove(&job);
        let held = self.units.get_mut(&claim.unit).expect("the attempt has taken it");
        *held -= claim.count;
        if *held == 0 {
            self.units.remove(&claim.unit);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// What is held of a unit.
    pub(crate) fn of(&self, unit: &str) -> u32 {
        self.units.get(unit).copied().unwrap_or(0)
    }

    /// What is held, by unit.
    pub(crate) fn units(&self) -> impl Iterator<Item = (&str, u32)> {
        self.units.iter().map(|(unit, held)| (&**unit, *held))
    }

    /// The jobs that hold it.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = JobKey> {
        self.jobs.iter().copied()
    }
}

impl QuotaStanding {
    /// Where a job that takes so many may start, and what it lacks where it may not.
    pub(crate) fn room(&self, count: u32) -> QuotaRoom {
        let wanted = self.used.saturating_add(count);
        if wanted <= self.limit {
            return match count <= self.own_free {
                true => QuotaRoom::Own,
                false => QuotaRoom::Lent,
            };
        }
        if count > self.limit.saturating_add(self.borrow_max) {
            return QuotaRoom::Never;
        }
        match count <= self.left() {
            true => QuotaRoom::Borrowed,
            false => QuotaRoom::None,
        }
    }

    /// How many more its jobs may take now.
    pub(crate) fn left(&self) -> u32 {
        let borrowed = self.used.saturating_sub(self.limit);
        let more = self.borrow_max.saturating_sub(borrowed).min(self.idle);
        self.own_free.saturating_add(more)
    }
}

impl QuotaShare {
    /// What it has of a unit for itself.
    pub(crate) fn limit(&self, unit: &str) -> u32 {
        let limit = self.limits.iter().find(|limit| &*limit.unit == unit);
        limit.map_or(0, |limit| limit.max)
    }

    /// What it may have of a unit beyond that.
    fn borrow_max(&self, unit: &str) -> u32 {
        match self.sharing {
            Sharing::Reserve | Sharing::Lend => 0,
            Sharing::LendAndBorrow {
                borrow_percent_max: None,
            } => u32::MAX,
            Sharing::LendAndBorrow {
                borrow_percent_max: Some(percent),
            } => {
                let most = u64::from(self.limit(unit)) * u64::from(percent) / 100;
                u32::try_from(most).unwrap_or(u32::MAX)
            }
        }
    }

    fn lends(&self) -> bool {
        matches!(self.sharing, Sharing::Lend | Sharing::LendAndBorrow { .. })
    }
}

impl State {
    /// A quota share of a queue, if it is there.
    pub(crate) fn quota_share(&self, queue: QueueId, name: &QuotaShareName) -> Option<&QuotaShare> {
        let key = ItemKey::QuotaShare(self.queue(queue).name.clone(), name.clone());
        match &self.item(&key)?.item {
            Item::QuotaShare(share) => Some(share),
            Item::SchedulingPolicy(_) | Item::ConsumableResource(_) => None,
        }
    }

    /// The quota shares of a queue by name.
    fn quota_shares(&self, queue: QueueId) -> impl Iterator<Item = (&QuotaShareName, &QuotaShare)> {
        let queue = &self.queue(queue).name;
        // They come last in the order of items, behind what may be tens of thousands of others.
        let shares = self.items().rev();
        let shares = shares.map_while(|(key, kept)| match (key, &kept.item) {
            (ItemKey::QuotaShare(of, name), Item::QuotaShare(share)) => Some((of, name, share)),
            _ => None,
        });
        let of_queue = shares.filter(move |(of, _, _)| *of == queue);
        of_queue.map(|(_, name, share)| (name, share))
    }

    /// What jobs of a quota share hold of a unit.
    pub(crate) fn quota_used(&self, queue: QueueId, share: &QuotaShareName, unit: &str) -> u32 {
        self.quota_use(queue, share).map_or(0, |held| held.of(unit))
    }

    /// What a quota share holds of a unit beyond its limit.
    pub(crate) fn quota_borrowed(&self, queue: QueueId, share: &QuotaShareName, unit: &str) -> u32 {
        let limit = self
            .quota_share(queue, share)
            .map_or(0, |share| share.limit(unit));
        self.quota_used(queue, share, unit).saturating_sub(limit)
    }

    /// How the quota share of a job stands with the unit that the job takes; `None` for jobs without one.
    pub(crate) fn quota_standing(&self, queue: QueueId, profile: &Profile) -> Option<QuotaStanding> {
        let (name, claim) = quota_claim(profile)?;
        let unit = &*claim.unit;
        let own = self.quota_share(queue, name);
        let limit = own.map_or(0, |share| share.limit(unit));
        let used = self.quota_used(queue, name, unit);
        let own_idle = limit.saturating_sub(used);
        let lends = own.is_some_and(QuotaShare::lends);
        let lent = self.quota_lent(queue, unit);
        let left = self.quota_lendable(queue, unit).saturating_sub(lent);
        Some(QuotaStanding {
            share: name.clone(),
            unit: claim.unit.clone(),
            limit,
            used,
            own_free: match lends && lent > 0 {
                true => own_idle.min(left),
                false => own_idle,
            },
            borrow_max: own.map_or(0, |share| share.borrow_max(unit)),
            idle: if lends {
                left.saturating_sub(own_idle)
            } else {
                left
            },
        })
    }

    /// What shares of a queue leave idle and lend of a unit, and what is in no share's limit; what of it is lent counts too.
    pub(crate) fn quota_lendable(&self, queue: QueueId, unit: &str) -> u32 {
        let environments = self.queue(queue).environments.iter();
        let there: u32 = environments
            .map(|id| units_max(&self.environment(*id).spec.capacity, unit))
            .fold(0, u32::saturating_add);
        let (mut assigned, mut idle) = (0_u32, 0_u32);
        for (name, share) in self.quota_shares(queue) {
            let limit = share.limit(unit);
            assigned = assigned.saturating_add(limit);
            if share.lends() {
                idle = idle.saturating_add(limit.saturating_sub(self.quota_used(queue, name, unit)));
            }
        }
        there.saturating_sub(assigned).saturating_add(idle)
    }

    /// What shares of a queue hold of a unit beyond their limits.
    fn quota_lent(&self, queue: QueueId, unit: &str) -> u32 {
        let borrowed = self
            .quota_uses(queue)
            .map(|(share, _)| self.quota_borrowed(queue, share, unit));
        borrowed.fold(0, u32::saturating_add)
    }
}

/// How many of a unit there may be in an environment at most.
pub(crate) fn units_max(capacity: &Capacity, unit: &str) -> u32 {
    let Capacity::Units { limits } = capacity else {
        return 0;
    };
    let counts = |limit: &&crate::item::CapacityLimit| &*limit.unit == NUM_INSTANCES || &*limit.unit == unit;
    limits.iter().find(counts).map_or(0, |limit| limit.max)
}
