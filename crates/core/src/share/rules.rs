//! What the places of shares follow from: weights, courses, and since when one only rests.

use crate::course::{Course, Part};
use crate::item::{FairShare, ShareWeight};
use crate::share::{Share, WEIGHT_ONE};
use crate::time::Timestamp;

/// What the place of a share follows from besides itself.
pub(super) struct Rules<'a> {
    pub(super) policy: Option<&'a FairShare>,
    /// Active shares for each entry of the policy.
    pub(super) matching: &'a [u32],
    /// The part of the window that courses are kept for.
    pub(super) part: Option<Part>,
}

impl Rules<'_> {
    /// The entry of the policy that a name matches.
    pub(super) fn entry_for(&self, name: &str) -> Option<usize> {
        let shares = &self.policy?.shares;
        shares.iter().position(|entry| match entry.is_prefix {
            true => name.starts_with(&*entry.share),
            false => *entry.share == *name,
        })
    }

    /// The weight of an active share, in ten-thousandths.
    pub(super) fn weight(&self, share: &Share) -> u64 {
        let entry = share
            .entry
            .and_then(|entry| Some((entry, self.policy?.shares.get(entry)?)));
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

    /// How the score of a share goes on in the present part of the window, if it waits.
    pub(super) fn course_of(&self, share: &Share) -> Option<Course> {
        let Part { begin, end } = self.part.filter(|_| share.waits)?;
        let Some(ledger) = &share.ledger else {
            return Some(Course::through(begin, 0, 0));
        };
        let (used, at) = match share.sum.until {
            Some(until) if until == end => (share.sum.used, ledger.as_of),
            // Nothing has happened to it since an earlier part.
            _ => (ledger.used_at(begin, share.rate), begin),
        };
        let weight = u128::from(self.weight(share));
        let [score, slope] = [used, share.rate].map(|value| u128::from(value) * weight);
        Some(Course::through(at, score, slope))
    }

    /// Since when a share is active for its past only, if it is.
    pub(super) fn rests_since(&self, share: &Share) -> Option<Timestamp> {
        let ledger = share.ledger.as_ref().filter(|_| share.jobs == 0)?;
        self.policy.map(|_| ledger.as_of)
    }
}
