//! Backfill: later jobs of a queue that asks for it start before its front, where that does not delay the front.
//!
//! The front is expected to start when enough of the running attempts have ended. A later job may start now if it has ended by then, or
//! if there is room for the front at that time although it has not.

use crate::fleet::Hold;
use crate::id::{JobKey, QueueId};
use crate::job::{Body, Profile};
use crate::limits::BACKFILL_LOOKED_AT_MAX;
use crate::outlook::{has_place_at, opening, releases, run_bound};
use crate::queue::Order;
use crate::schedule::choose::{Plan, Verdict, consider};
use crate::schedule::gates;
use crate::step::Step;

impl Step<'_> {
    /// Starts later jobs of a queue whose front waits for room; how many.
    pub(super) fn backfill(&mut self, queue: QueueId, left: usize) -> usize {
        let mut started = 0;
        let mut looked_at = 0;
        while started < left
            && let Some((key, plan)) = self.backfill_candidate(queue, &mut looked_at)
        {
            let Some(need) = self.state().job(key.id).map(|job| job.profile.need(key.child)) else {
                break;
            };
            let placement = self.make_place(plan, need);
            self.place(key, placement);
            started += 1;
        }
        started
    }

    /// The first job behind the front that may start now. `looked_at`: how many jobs of the line were, which are not looked at again.
    fn backfill_candidate(&self, queue: QueueId, looked_at: &mut usize) -> Option<(JobKey, Plan)> {
        let state = self.state();
        let runnable = state.runnable(queue);
        if !state.queue(queue).options.backfill || runnable.order() != Order::Submission {
            return None;
        }
        let (front, front_profile) = state.front(queue, "")?;
        // A front that waits for something else than room may start at any time.
        if !gates(state, queue, front_profile).is_empty() {
            return None;
        }
        let environments = &state.queue(queue).environments;
        let releases = releases(state, self.now);
        let opening = opening(state.fleet(), environments, front_profile, &releases)?;
        let later = runnable.iter("").skip(1 + *looked_at);
        for entry in later.take(BACKFILL_LOOKED_AT_MAX.saturating_sub(*looked_at)) {
            *looked_at += 1;
            let Some((key, profile)) = self.single(entry).filter(|(key, _)| *key != front) else {
                continue;
            };
            if !gates(state, queue, profile).is_empty() {
                continue;
            }
            let Verdict::Place(plan) = consider(state.fleet(), environments, profile) else {
                continue;
            };
            let ends_before = run_bound(state, profile).is_some_and(|run| self.now + run <= opening.at);
            let delays = || {
                let mut fleet = state.fleet().clone();
                fleet.take(&plan, Hold::of(profile, key.child));
                !has_place_at(&fleet, environments, front_profile, &releases, opening.at)
            };
            if ends_before || !delays() {
                // Another child of the same array may follow.
                *looked_at -= 1;
                return Some((key, plan));
            }
        }
        None
    }

    /// What an entry of a line stands for: a job, or the next child of an array. Jobs with nodes wait for their turn.
    fn single(&self, entry: JobKey) -> Option<(JobKey, &Profile)> {
        let job = self.state().job(entry.id)?;
        if job.profile.nodes.is_some() {
            return None;
        }
        let key = match (&job.body, entry.child) {
            (Body::Array(array), None) => JobKey::child(entry.id, array.runnable.first()?),
            (Body::Array(_) | Body::Ready(_) | Body::Waiting(_) | Body::MultiNode(_), _) => entry,
        };
        Some((key, &job.profile))
    }
}
