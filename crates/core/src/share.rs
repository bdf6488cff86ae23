//! The shares of a queue: what each holds, what it has used lately, and whose turn it is (section C.3).
//!
//! Use is counted in *milli-vCPU milliseconds* (service jobs: thousandths of an instance), whole numbers throughout. The window of the
//! policy is divided into equal parts; what was used in the newest part counts in full, in the one before by a twentieth less, and so
//! on to nothing. The rate at which a share uses capacity is constant between starts and ends of its attempts, so what it has used is
//! known at any time from one [`Ledger`] and the rate.
//!
//! Long because the tests of the ledger's arithmetic stand beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::item::{FairShare, ShareWeight};
use crate::job::{Job, Profile};
use crate::limits::{FAIR_SHARE_PARTS, FAIR_SHARE_START_FEE, FAIR_SHARE_WINDOW_MIN};
use crate::resources::Resources;
use crate::time::{Millis, Timestamp};

/// The name of a share; empty for jobs without one.
pub type ShareName = Arc<str>;

/// A share's weight where the policy names none: 1, in ten-thousandths.
pub const WEIGHT_ONE: u32 = 10_000;

/// The scale of [`reserved_of`]: so much is all of it.
const WHOLE: u64 = 1_000_000_000;

/// What a share has used within the window of its policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Up to when everything is counted.
    pub as_of: Timestamp,
    /// The length of one part of the window, at least 1 ms.
    pub part: Millis,
    /// What was used in each part, newest first, in milli-vCPU milliseconds; what is missing at the end is 0.
    pub used: Vec<u64>,
}

/// A share of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Share {
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
    /// What the ledger comes to for now.
    sum: Sum,
    /// The entry of the policy that gives its weight.
    entry: Option<usize>,
}

/// What a ledger comes to in the part of the window that its last entry is in: until then use only adds to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Sum {
    used: u64,
    /// The end of that part.
    until: Option<Timestamp>,
}

/// The shares of one queue.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Shares {
    policy: Option<FairShare>,
    /// Active shares for each entry of the policy.
    matching: Vec<u32>,
    shares: BTreeMap<ShareName, Share>,
    /// Active ones: those with a ledger.
    active: usize,
    /// What all attempts of the queue use in a millisecond.
    rate: u64,
    /// How many attempts the queue has.
    attempts: u32,
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

/// The part of a window that a policy counts use in.
fn part_of(policy: &FairShare) -> Millis {
    let window = policy.decay.max(FAIR_SHARE_WINDOW_MIN);
    Millis::new(window.as_millis() / u64::from(FAIR_SHARE_PARTS))
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

impl Ledger {
    /// Nothing used yet.
    #[must_use]
    pub fn new(as_of: Timestamp, policy: &FairShare) -> Self {
        Ledger {
            as_of,
            part: part_of(policy),
            used: Vec::new(),
        }
    }

    fn part_at(&self, at: Timestamp) -> i64 {
        let part = i64::try_from(self.part.as_millis()).unwrap_or(i64::MAX).max(1);
        at.as_millis().div_euclid(part)
    }

    /// The amounts by age in parts, as of `now`: what is kept, and what has come at `rate` since. Ages beyond the window are left out.
    fn amounts(&self, now: Timestamp, rate: u64) -> impl Iterator<Item = (u32, u64)> {
        let now = now.max(self.as_of);
        let newest = self.part_at(now);
        let shift = u32::try_from(newest - self.part_at(self.as_of)).unwrap_or(FAIR_SHARE_PARTS);
        let kept = (shift..FAIR_SHARE_PARTS).zip(&self.used);
        let kept = kept.map(|(age, used)| (age, *used));
        let since = (0..=shift.min(FAIR_SHARE_PARTS - 1)).filter_map(move |age| {
            if rate == 0 {
                return None;
            }
            let part = i64::try_from(self.part.as_millis()).unwrap_or(i64::MAX).max(1);
            let begin = (newest - i64::from(age)).saturating_mul(part);
            let from = begin.max(self.as_of.as_millis());
            let to = begin.saturating_add(part).min(now.as_millis());
            let time = u64::try_from(to - from).unwrap_or(0);
            Some((age, rate.saturating_mul(time)))
        });
        kept.chain(since)
    }

    /// What it comes to as of its last entry.
    fn sum(&self) -> Sum {
        let part = i64::try_from(self.part.as_millis()).unwrap_or(i64::MAX).max(1);
        let end = (self.part_at(self.as_of) + 1).saturating_mul(part);
        Sum {
            used: self.used_at(self.as_of, 0),
            until: Some(Timestamp::from_millis(end)),
        }
    }

    /// What counts of the use, as of `now`, if it has gone on at `rate` since.
    #[must_use]
    pub fn used_at(&self, now: Timestamp, rate: u64) -> u64 {
        let weighed = self.amounts(now, rate).map(|(age, used)| {
            let factor = u128::from(FAIR_SHARE_PARTS - age);
            u128::from(used) * factor
        });
        let sum: u128 = weighed.sum();
        u64::try_from(sum / u128::from(FAIR_SHARE_PARTS)).unwrap_or(u64::MAX)
    }

    /// The same use, counted up to `now`, in parts as the policy now has them.
    #[must_use]
    pub fn settled(&self, now: Timestamp, rate: u64, policy: &FairShare) -> Self {
        let now = now.max(self.as_of);
        let mut settled = Ledger {
            as_of: now,
            part: part_of(policy),
            used: vec![0; usize::try_from(FAIR_SHARE_PARTS).unwrap_or(0)],
        };
        let newest = settled.part_at(now);
        for (age, used) in self.amounts(now, rate) {
            // Where the length of the parts has changed, what was used in a part counts as of the part's beginning.
            let age = if settled.part == self.part {
                i64::from(age)
            } else {
                let part = i64::try_from(self.part.as_millis()).unwrap_or(i64::MAX);
                let begin = (self.part_at(now) - i64::from(age)).saturating_mul(part);
                newest - settled.part_at(Timestamp::from_millis(begin))
            };
            let slot = usize::try_from(age)
                .ok()
                .and_then(|age| settled.used.get_mut(age));
            if let Some(slot) = slot {
                *slot = slot.saturating_add(used);
            }
        }
        settled.trim();
        settled
    }

    /// Adds what the start of an attempt counts besides the time that follows, so that shares take turns even at one instant.
    pub(crate) fn charge_start(&mut self, rate: u64) {
        if self.used.is_empty() {
            self.used.push(0);
        }
        if let Some(newest) = self.used.first_mut() {
            *newest = newest.saturating_add(rate.saturating_mul(FAIR_SHARE_START_FEE.as_millis()));
        }
    }

    fn trim(&mut self) {
        while self.used.last() == Some(&0) {
            self.used.pop();
        }
    }
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
        let names: Vec<ShareName> = self.shares.keys().cloned().collect();
        for name in names {
            let entry = self.entry_for(&name);
            if let Some(share) = self.shares.get_mut(&name) {
                share.entry = entry;
                let is_active = share.ledger.is_some();
                if let Some(count) = entry
                    .filter(|_| is_active)
                    .and_then(|entry| self.matching.get_mut(entry))
                {
                    *count += 1;
                }
            }
        }
    }

    fn entry_for(&self, name: &str) -> Option<usize> {
        let shares = &self.policy.as_ref()?.shares;
        shares.iter().position(|entry| match entry.is_prefix {
            true => name.starts_with(&*entry.share),
            false => *entry.share == *name,
        })
    }

    /// The shares by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ShareName, &Share)> {
        self.shares.iter()
    }

    /// The name of a share as it is kept.
    pub(crate) fn name(&self, name: &str) -> Option<&ShareName> {
        self.shares.get_key_value(name).map(|(name, _)| name)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Share> {
        self.shares.get(name)
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
        let expired = self.shares.iter().filter(|(_, share)| {
            let ledger = share.ledger.as_ref();
            share.jobs == 0 && ledger.is_some_and(|ledger| ledger.as_of + window <= now)
        });
        expired.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// The weight of an active share, in ten-thousandths.
    fn weight(&self, share: &Share) -> u64 {
        let entry = share
            .entry
            .and_then(|entry| Some((entry, self.policy.as_ref()?.shares.get(entry)?)));
        match entry {
            None => u64::from(WEIGHT_ONE),
            Some((
                _,
                ShareWeight {
                    is_prefix: false,
                    weight,
                    ..
                },
            )) => u64::from(*weight),
            // The shares of a prefix are one to the others: each of them counts as often as there are (section C3.3).
            Some((entry, ShareWeight { weight, .. })) => {
                let count = self.matching.get(entry).copied().unwrap_or(1).max(1);
                u64::from(*weight) * u64::from(count)
            }
        }
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
        let share = self.shares.get(name)?;
        Some(u128::from(Self::used(share, now)?) * u128::from(self.weight(share)))
    }

    /// The same of all shares whose use is counted, by name.
    pub(crate) fn scores(&self, now: Timestamp) -> impl Iterator<Item = (&ShareName, u128)> {
        self.shares.iter().filter_map(move |(name, share)| {
            let used = Self::used(share, now)?;
            Some((name, u128::from(used) * u128::from(self.weight(share))))
        })
    }

    /// How a share stands by `now`; `None` where use is not counted.
    pub(crate) fn standing(&self, name: &str, now: Timestamp) -> Option<Standing> {
        let (name, share) = self.shares.get_key_value(name)?;
        let used = Self::used(share, now)?;
        let weight = self.weight(share);
        Some(Standing {
            share: Arc::clone(name),
            used,
            weight,
            score: u128::from(used) * u128::from(weight),
        })
    }

    fn entry_mut(&mut self, name: &str) -> &mut Share {
        if !self.shares.contains_key(name) {
            let entry = self.entry_for(name);
            let share = Share {
                entry,
                ..Share::default()
            };
            self.shares.insert(name.into(), share);
        }
        self.shares.get_mut(name).expect("it was just put there")
    }

    fn drop_if_unused(&mut self, name: &str) {
        let is_unused = self
            .shares
            .get(name)
            .is_some_and(|share| share.jobs == 0 && share.attempts == 0 && share.ledger.is_none());
        if is_unused {
            self.shares.remove(name);
        }
    }

    pub(crate) fn add_job(&mut self, job: &Job) {
        self.entry_mut(share_of(&job.profile)).jobs += 1;
    }

    pub(crate) fn remove_job(&mut self, job: &Job) {
        let name = share_of(&job.profile);
        self.entry_mut(name).jobs -= 1;
        self.drop_if_unused(name);
    }

    pub(crate) fn occupy(&mut self, profile: &Profile, need: Resources) {
        let rate = rate_of(profile, need);
        self.rate += rate;
        self.attempts += 1;
        let share = self.entry_mut(share_of(profile));
        share.held = share.held.plus(need);
        share.rate += rate;
        share.attempts += 1;
    }

    pub(crate) fn vacate(&mut self, profile: &Profile, need: Resources) {
        let rate = rate_of(profile, need);
        self.rate -= rate;
        self.attempts -= 1;
        let name = share_of(profile);
        let share = self.entry_mut(name);
        share.held = share.held.minus(need);
        share.rate -= rate;
        share.attempts -= 1;
        self.drop_if_unused(name);
    }

    /// Notes what a share has used, and that it is active.
    pub(crate) fn charge(&mut self, name: &str, ledger: Ledger) {
        let share = self.entry_mut(name);
        share.sum = ledger.sum();
        let was_active = share.ledger.replace(ledger).is_some();
        let entry = share.entry;
        if !was_active {
            self.active += 1;
            if let Some(count) = entry.and_then(|entry| self.matching.get_mut(entry)) {
                *count += 1;
            }
        }
    }

    /// Forgets what a share has used: it is not active any more.
    pub(crate) fn forget(&mut self, name: &str) {
        let share = self.entry_mut(name);
        let entry = share.entry;
        share.sum = Sum::default();
        if share.ledger.take().is_some() {
            self.active -= 1;
            if let Some(count) = entry.and_then(|entry| self.matching.get_mut(entry)) {
                *count -= 1;
            }
        }
        self.drop_if_unused(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(decay: u64) -> FairShare {
        FairShare {
            decay: Millis::from_seconds(decay),
            ..FairShare::default()
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn use_counts_in_full_at_first_and_fades_to_nothing_within_the_window() {
        // Parts of 30 s. Ten vCPU-seconds in the newest part.
        let policy = policy(600);
        let mut ledger = Ledger::new(at(0), &policy);
        ledger = ledger.settled(at(10), 1000, &policy);
        let used = [10, 29, 30, 60, 300, 599, 600, 10_000].map(|now| ledger.used_at(at(now), 0) / 1_000_000);
        assert_eq!(used, [10, 10, 9, 9, 5, 0, 0, 0]);
        assert_eq!(ledger.used_at(at(570), 0), 10_000_000 / 20);
        assert_eq!(ledger.used_at(at(600), 0), 0);
    }

    #[test]
    fn a_running_attempt_counts_as_if_it_had_been_settled_at_any_time() {
        let policy = policy(0);
        let ledger = Ledger::new(at(7), &policy);
        let mut stepwise = ledger.clone();
        for now in 8..2000 {
            stepwise = stepwise.settled(at(now), 2500, &policy);
            assert_eq!(
                stepwise.used_at(at(now), 2500),
                ledger.used_at(at(now), 2500),
                "{now}"
            );
            assert_eq!(stepwise, ledger.settled(at(now), 2500, &policy));
        }
        // The whole window at 2.5 vCPU: half of it in the mean, for the parts fade evenly.
        let steady = stepwise.used_at(at(1999), 2500);
        assert!((700_000_000..=800_000_000).contains(&steady), "{steady}");
    }

    #[test]
    fn another_window_keeps_what_was_used() {
        let (short, long) = (policy(600), policy(6000));
        let ledger = Ledger::new(at(0), &short).settled(at(400), 1000, &short);
        let sum = |ledger: &Ledger| ledger.used.iter().sum::<u64>();
        let longer = ledger.settled(at(400), 0, &long);
        assert_eq!(
            (sum(&longer), longer.part),
            (sum(&ledger), Millis::from_seconds(300))
        );
        assert!(longer.used_at(at(400), 0) > ledger.used_at(at(400), 0));
    }

    #[test]
    fn the_reservation_shrinks_with_each_active_share() {
        let reserved = |percent, active| reserved_of(64_000, percent, active);
        assert_eq!(
            [1, 2, 3].map(|active| reserved(50, active)),
            [32_000, 16_000, 8_000]
        );
        assert_eq!(
            [1, 2, 3].map(|active| reserved(25, active)),
            [16_000, 4_000, 1_000]
        );
        assert_eq!(
            (reserved(0, 1), reserved(99, 0), reserved(50, 500)),
            (0, 64_000, 0)
        );
    }
}
