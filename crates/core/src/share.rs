//! The shares of a queue: what each holds, what it has used lately, and whose turn it is (section C.3).

mod rules;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::course::{Courses, Part};
use crate::item::FairShare;
use crate::job::{Job, Profile};
use crate::ledger::{Sum, part_of};
use crate::limits::FAIR_SHARE_WINDOW_MIN;
use crate::lookup::Lookup;
use crate::resources::Resources;
use crate::time::{Millis, Timestamp};

use rules::Rules;

pub use crate::ledger::Ledger;

/// The name of a share; empty for jobs without one.
pub type ShareName = Arc<str>;

/// A share's weight where the policy names none: 1, in ten-thousandths.
pub const WEIGHT_ONE: u32 = 10_000;

/// The scale of [`reserved_of`]: so much is all of it.
const WHOLE: u64 = 1_000_000_000;

/// A share of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Share {
    name: ShareName,
    /// What its attempts hold.
    pub(crate) held: Resources,
    /// What its attempts use in a millisecond.
    pub(crate) rate: u64,
    /// How many attempts it has.
    pub(crate) attempts: u32,
    /// How many live jobs, arrays counting once.
    pub(crate) jobs: usize,
    /// What it has used; in fair-share queues only, and there for all active shares.
    pub(crate) ledger: Option<Ledger>,
    /// Whether it has something to run.
    waits: bool,
    /// What the ledger comes to for now.
    sum: Sum,
    /// The entry of the policy that gives its weight.
    entry: Option<usize>,
}

/// The shares of one queue.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Shares {
    policy: Option<FairShare>,
    /// Active shares for each entry of the policy.
    matching: Vec<u32>,
    /// The share of the jobs that have none, which has the empty name.
    nameless: Share,
    /// The others, by name.
    shares: Lookup<ShareName, Share>,
    /// Those that wait, in the order of their turns.
    courses: Courses,
    /// Those that are active for their past only, by when that began to be so.
    resting: BTreeSet<(Timestamp, ShareName)>,
    /// Active ones: those with a ledger.
    active: usize,
    /// What all attempts of the queue use in a millisecond.
    rate: u64,
    /// How many attempts the queue has.
    attempts: u32,
}

impl Share {
    /// Whether there is anything to remember of it.
    fn is_used(&self) -> bool {
        self.jobs > 0 || self.attempts > 0 || self.ledger.is_some()
    }
}

fn share_mut<'a>(
    nameless: &'a mut Share,
    shares: &'a mut Lookup<ShareName, Share>,
    name: &str,
) -> Option<&'a mut Share> {
    match name.is_empty() {
        true => Some(nameless),
        false => shares.get_mut(name),
    }
}

/// What a share has used, as people are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The share.
    pub share: ShareName,
    /// What it has used lately, older use counting less, in milli-vCPU milliseconds.
    pub used: u64,
    /// Its weight in ten-thousandths, times the number of active shares where a prefix gives it.
    pub weight: u64,
    /// What decides: use times weight. The lowest goes next.
    pub score: u128,
}

/// The share that a job is counted for; empty for none.
#[must_use]
pub fn share_of(profile: &Profile) -> &str {
    profile.share.as_ref().map_or("", |share| &*share.identifier)
}

/// What an attempt uses in a millisecond: milli-vCPUs, or thousandths of the instances of a service job.
pub(crate) fn rate_of(profile: &Profile, need: Resources) -> u64 {
    let instances = profile.service.as_ref().map_or(0, |claim| u64::from(claim.count));
    u64::from(need.vcpus.0) + instances * 1000
}

/// How long after its last job a share stays active: the window (section C3.4).
fn window_of(policy: &FairShare) -> Millis {
    policy.decay.max(FAIR_SHARE_WINDOW_MIN)
}

/// What of `total` is kept for shares without jobs while `active` shares have some: (percent / 100) to the power of `active` (section
/// C3.5), rounded down.
#[must_use]
pub fn reserved_of(total: u64, percent: u8, active: usize) -> u64 {
    let mut fraction = WHOLE;
    for _ in 0..active {
        fraction = fraction * u64::from(percent) / 100;
        if fraction == 0 {
            return 0;
        }
    }
    let reserved = u128::from(total) * u128::from(fraction) / u128::from(WHOLE);
    u64::try_from(reserved).unwrap_or(u64::MAX)
}

impl Shares {
    /// The fair-share policy that the queue has.
    pub(crate) fn policy(&self) -> Option<&FairShare> {
        self.policy.as_ref()
    }

    /// Gives the queue another policy, or none. Ledgers are kept.
    pub(crate) fn set_policy(&mut self, policy: Option<FairShare>) {
        self.matching = vec![0; policy.as_ref().map_or(0, |policy| policy.shares.len())];
        self.policy = policy;
        self.resting.clear();
        let names: Vec<ShareName> = self.iter().map(|(name, _)| Arc::clone(name)).collect();
        for name in names {
            let entry = self.rules().entry_for(&name);
            if let Some(share) = share_mut(&mut self.nameless, &mut self.shares, &name) {
                share.entry = entry;
                let is_active = share.ledger.is_some();
                if let Some(count) = entry
                    .filter(|_| is_active)
                    .and_then(|entry| self.matching.get_mut(entry))
                {
                    *count += 1;
                }
                let share = self.get(&name);
                if let Some(since) = share.and_then(|share| self.rules().rests_since(share)) {
                    self.resting.insert((since, name));
                }
            }
        }
        self.order_anew();
    }

    fn rules(&self) -> Rules<'_> {
        Rules {
            policy: self.policy.as_ref(),
            matching: &self.matching,
            part: self.courses.part(),
        }
    }

    /// The shares by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ShareName, &Share)> {
        let nameless = self.get("").map(|share| (&share.name, share));
        nameless.into_iter().chain(self.shares.in_order())
    }

    /// The name of a share as it is kept.
    pub(crate) fn name(&self, name: &str) -> Option<&ShareName> {
        self.get(name).map(|share| &share.name)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Share> {
        match name.is_empty() {
            true => Some(&self.nameless).filter(|share| share.is_used()),
            false => self.shares.get(name),
        }
    }

    /// How many shares are active: have a live job, or had one within the window.
    pub(crate) fn active(&self) -> usize {
        self.active
    }

    /// What all attempts of the queue use in a millisecond.
    pub(crate) fn rate(&self) -> u64 {
        self.rate
    }

    /// How many attempts the queue has.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Shares that are active for their past only, and not even that by `now`.
    pub(crate) fn expired(&self, now: Timestamp) -> Vec<ShareName> {
        let Some(policy) = &self.policy else {
            return Vec::new();
        };
        let window = window_of(policy);
        let expired = self
            .resting
            .iter()
            .take_while(|(since, _)| *since + window <= now);
        let mut expired: Vec<ShareName> = expired.map(|(_, name)| Arc::clone(name)).collect();
        expired.sort_unstable();
        expired
    }

    /// What a share has used by `now`; `None` where use is not counted.
    fn used(share: &Share, now: Timestamp) -> Option<u64> {
        let ledger = share.ledger.as_ref()?;
        let Sum { used, until } = share.sum;
        if until.is_some_and(|until| now < until) {
            let since = now.since(ledger.as_of).as_millis();
            return Some(used.saturating_add(share.rate.saturating_mul(since)));
        }
        Some(ledger.used_at(now, share.rate))
    }

    /// What decides whose turn it is by `now`; `None` where use is not counted.
    pub(crate) fn score(&self, name: &str, now: Timestamp) -> Option<u128> {
        let share = self.get(name)?;
        Some(u128::from(Self::used(share, now)?) * u128::from(self.rules().weight(share)))
    }

    /// How a share stands by `now`; `None` where use is not counted.
    pub(crate) fn standing(&self, name: &str, now: Timestamp) -> Option<Standing> {
        let share = self.get(name)?;
        let used = Self::used(share, now)?;
        let weight = self.rules().weight(share);
        Some(Standing {
            share: Arc::clone(&share.name),
            used,
            weight,
            score: u128::from(used) * u128::from(weight),
        })
    }

    /// The shares that wait, in the order of their turns.
    pub(crate) fn courses(&self) -> &Courses {
        &self.courses
    }

    /// The part of the window that the latest use was counted in; `None` while the parts of the shares differ, because the policy was changed.
    fn present_part(&self) -> Option<Part> {
        let part = part_of(self.policy.as_ref()?);
        let differs = |share: &Share| share.ledger.as_ref().is_some_and(|ledger| ledger.part != part);
        if differs(&self.nameless) || self.shares.any(|_, share| differs(share)) {
            return None;
        }
        let as_of = |share: &Share| Some(share.ledger.as_ref()?.as_of);
        let latest = as_of(&self.nameless).max(self.shares.greatest(as_of))?;
        Some(
            Ledger {
                as_of: latest,
                part,
                used: Vec::new(),
            }
            .part_of_window(),
        )
    }

    /// Puts all that wait in order.
    fn order_anew(&mut self) {
        self.courses = Courses::of(self.present_part());
        let courses = self.iter().filter_map(|(name, share)| {
            let course = self.rules().course_of(share)?;
            Some((course, Arc::clone(name)))
        });
        for (course, name) in courses.collect::<Vec<_>>() {
            self.courses.insert(course, name);
        }
    }

    /// Changes a share, and its places in what is kept in order.
    fn change(&mut self, name: &str, change: impl FnOnce(&mut Share)) {
        if self.get(name).is_none() {
            let name = ShareName::from(name);
            let share = Share {
                name: Arc::clone(&name),
                entry: self.rules().entry_for(&name),
                ..Share::default()
            };
            match name.is_empty() {
                true => self.nameless = share,
                false => drop(self.shares.insert(name, share)),
            }
        }
        let Shares {
            policy,
            matching,
            nameless,
            shares,
            courses,
            resting,
            ..
        } = self;
        let share = share_mut(nameless, shares, name).expect("it is there now");
        let Some(policy) = policy else {
            change(share);
            return;
        };
        let rules = Rules {
            policy: Some(policy),
            matching,
            part: courses.part(),
        };
        let (course, since) = (rules.course_of(share), rules.rests_since(share));
        change(share);
        let (course_now, since_now) = (rules.course_of(share), rules.rests_since(share));
        if course != course_now {
            if let Some(course) = course {
                courses.remove(course, &share.name);
            }
            if let Some(course) = course_now {
                courses.insert(course, Arc::clone(&share.name));
            }
        }
        if since != since_now {
            if let Some(since) = since {
                resting.remove(&(since, Arc::clone(&share.name)));
            }
            resting.extend(since_now.map(|since| (since, Arc::clone(&share.name))));
        }
    }

    /// Changes a share of which something is taken away, and drops it if nothing is left.
    fn reduce(&mut self, name: &str, reduce: impl FnOnce(&mut Share)) {
        let mut is_unused = false;
        self.change(name, |share| {
            reduce(share);
            is_unused = !share.is_used();
        });
        match (is_unused, name.is_empty()) {
            (false, _) => {}
            (true, true) => self.nameless = Share::default(),
            (true, false) => drop(self.shares.remove(name)),
        }
    }

    pub(crate) fn add_job(&mut self, job: &Job) {
        self.change(share_of(&job.profile), |share| share.jobs += 1);
    }

    pub(crate) fn remove_job(&mut self, job: &Job) {
        self.reduce(share_of(&job.profile), |share| share.jobs -= 1);
    }

    /// Notes whether a share of a queue that goes by share has something to run.
    pub(crate) fn note_waits(&mut self, name: &str, waits: bool) {
        self.change(name, |share| share.waits = waits);
    }

    /// None has anything to run, as far as the queue goes by share.
    pub(crate) fn none_waits(&mut self) {
        self.nameless.waits = false;
        self.shares.change_each(|share| share.waits = false);
        self.order_anew();
    }

    pub(crate) fn occupy(&mut self, profile: &Profile, need: Resources) {
        let rate = rate_of(profile, need);
        self.rate += rate;
        self.attempts += 1;
        self.change(share_of(profile), |share| {
            share.held = share.held.plus(need);
            share.rate += rate;
            share.attempts += 1;
        });
    }

    pub(crate) fn vacate(&mut self, profile: &Profile, need: Resources) {
        let rate = rate_of(profile, need);
        self.rate -= rate;
        self.attempts -= 1;
        self.reduce(share_of(profile), |share| {
            share.held = share.held.minus(need);
            share.rate -= rate;
            share.attempts -= 1;
        });
    }

    /// Notes what a share has used, and that it is active.
    pub(crate) fn charge(&mut self, name: &str, ledger: Ledger) {
        let was_active = self.get(name).is_some_and(|share| share.ledger.is_some());
        let part = ledger.part_of_window();
        self.change(name, |share| {
            share.sum = ledger.sum();
            share.ledger = Some(ledger);
        });
        let has_new_weights = !was_active && self.count_active(name, true);
        if has_new_weights || self.courses.part() != Some(part) {
            self.order_anew();
        }
    }

    /// Forgets what a share has used: it is not active any more.
    pub(crate) fn forget(&mut self, name: &str) {
        let mut forgotten = None;
        self.change(name, |share| {
            share.sum = Sum::default();
            forgotten = share.ledger.take();
        });
        if let Some(ledger) = forgotten {
            let has_new_weights = self.count_active(name, false);
            if has_new_weights
                || self
                    .courses
                    .part()
                    .is_none_or(|part| part == ledger.part_of_window())
            {
                self.order_anew();
            }
        }
        self.reduce(name, |_| {});
    }

    /// Counts a share that has become active, or is not so any more. Whether that changes the weights of others: of those that one prefix
    /// gives them.
    fn count_active(&mut self, name: &str, is_active: bool) -> bool {
        self.active = if is_active {
            self.active + 1
        } else {
            self.active - 1
        };
        // One that has just been forgotten still counts for its entry.
        let share = share_mut(&mut self.nameless, &mut self.shares, name);
        let Some(entry) = share.and_then(|share| share.entry) else {
            return false;
        };
        if let Some(count) = self.matching.get_mut(entry) {
            *count = if is_active { *count + 1 } else { *count - 1 };
        }
        let weights = self.policy.as_ref().and_then(|policy| policy.shares.get(entry));
        weights.is_some_and(|weight| weight.is_prefix)
    }
}

#[cfg(test)]
mod tests;
