//! What a share of a queue has used lately.
//!
//! Use is counted in *milli-vCPU milliseconds* (service jobs: thousandths of an instance), whole numbers throughout. The window of the
//! policy is divided into equal parts; what was used in the newest part counts in full, in the one before by a twentieth less, and so
//! on to nothing. The rate at which a share uses capacity is constant between starts and ends of its attempts, so what it has used is
//! known at any time from one [`Ledger`] and the rate.

use serde::{Deserialize, Serialize};

use crate::course::Part;
use crate::item::FairShare;
use crate::limits::{FAIR_SHARE_PARTS, FAIR_SHARE_START_FEE, FAIR_SHARE_WINDOW_MIN};
use crate::time::{Millis, Timestamp};

/// [`FAIR_SHARE_PARTS`], as an array has it.
const PARTS: usize = FAIR_SHARE_PARTS as usize;

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

/// What a ledger comes to in the part of the window that its last entry is in: until then use only adds to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Sum {
    pub(crate) used: u64,
    /// The end of that part.
    pub(crate) until: Option<Timestamp>,
}

/// The part of a window that a policy counts use in.
pub(crate) fn part_of(policy: &FairShare) -> Millis {
    let window = policy.decay.max(FAIR_SHARE_WINDOW_MIN);
    Millis::new(window.as_millis() / u64::from(FAIR_SHARE_PARTS))
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
    pub(crate) fn sum(&self) -> Sum {
        Sum {
            used: self.used_at(self.as_of, 0),
            until: Some(self.part_of_window().end),
        }
    }

    /// The part of the window that its last entry is in.
    pub(crate) fn part_of_window(&self) -> Part {
        let part = i64::try_from(self.part.as_millis()).unwrap_or(i64::MAX).max(1);
        let number = self.part_at(self.as_of);
        let [begin, end] = [number, number + 1].map(|number| number.saturating_mul(part));
        Part {
            begin: Timestamp::from_millis(begin),
            end: Timestamp::from_millis(end),
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
        let mut settled = Ledger::new(now, policy);
        let mut parts = [0_u64; PARTS];
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
            let slot = usize::try_from(age).ok().and_then(|age| parts.get_mut(age));
            if let Some(slot) = slot {
                *slot = slot.saturating_add(used);
            }
        }
        let last = parts.iter().rposition(|used| *used > 0);
        settled.used = parts[..last.map_or(0, |last| last + 1)].to_vec();
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
}
