//! Quota shares in a pass: whose turn it is, and who is stopped for whom (section C.4).
//!
//! Fronts that fit their share's own limit go first, by submission; then those that borrow, by submission: so idle capacity goes to
//! whoever has waited longest. A front that has a right to capacity that others borrowed has as many of them stopped as it lacks;
//! where a share asks for it, a front stops jobs of its own share that have a lower priority.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::environment::{Capacity, NUM_INSTANCES};
use crate::id::{AttemptKey, EnvironmentId, JobKey, QueueId};
use crate::job::{Job, Preemption, Profile, StopCause};
use crate::name::QuotaShareName;
use crate::quota::{QuotaRoom, quota_claim, units_max};
use crate::state::State;
use crate::step::Step;
use crate::time::Timestamp;

/// What fronts that wait in this pass will take of capacity that is being freed, by unit.
pub(super) type Promised = BTreeMap<Box<str>, u32>;

/// An attempt that may be stopped for another.
struct Victim {
    key: AttemptKey,
    count: u32,
    /// The one to be stopped first is the least: the lowest priority, then the one that has run for the shortest time.
    rank: (u16, Reverse<Timestamp>, Reverse<JobKey>),
}

/// The turn of a line: lower goes first.
pub(super) fn turn(state: &State, queue: QueueId, line: &str) -> u128 {
    let front = state
        .front(queue, line)
        .and_then(|(front, _)| state.job(front.id));
    front.map_or(0, |job| turn_of(state, job, 0))
}

/// The turn of a job at the front of its line, if the jobs of its share held `more` of its unit than they do.
pub(crate) fn turn_of(state: &State, job: &Job, more: u32) -> u128 {
    let count = job.profile.service.as_ref().map_or(0, |claim| claim.count);
    let standing = state.quota_standing(job.queue, &job.profile);
    let room = standing.map(|standing| standing.room(count.saturating_add(more)));
    let is_own = room.is_none_or(|room| matches!(room, QuotaRoom::Own | QuotaRoom::Lent));
    (u128::from(!is_own) << 64) | u128::from(job.sequence.0)
}

impl Step<'_> {
    /// Has attempts stopped that are in the way of a front which cannot start; how many. They free their place when they have ended.
    pub(super) fn preempt_for(&mut self, queue: QueueId, front: JobKey, promised: &mut Promised) -> usize {
        let state = self.state();
        let Some(profile) = state.job(front.id).map(|job| &job.profile) else {
            return 0;
        };
        let Some(((share, claim), standing)) = quota_claim(profile).zip(state.quota_standing(queue, profile))
        else {
            return 0;
        };
        let (share, unit, count) = (share.clone(), claim.unit.clone(), claim.count);
        let room = standing.room(count);
        let is_own = matches!(room, QuotaRoom::Own | QuotaRoom::Lent);
        let mut lacks = lack(state, queue, &unit, count, promised);
        if room == QuotaRoom::Lent {
            lacks = lacks.max(lack_of_lent(state, queue, &unit, count, promised));
        }
        // Nobody is stopped for a front that would wait for GPUs afterwards.
        let choose = |victims, lacks| {
            choose(victims, lacks)
                .filter(|chosen| gpus_will_do(state, profile, chosen))
                .unwrap_or_default()
        };
        let mut chosen = Vec::new();
        if is_own {
            chosen = choose(borrowers(state, queue, &share, &unit), lacks);
            if !chosen.is_empty() {
                *promised.entry(unit).or_default() += count;
                return self.preempt_all(chosen, Preemption::CrossShare);
            }
        }
        let preempts_in_share = state
            .quota_share(queue, &share)
            .is_some_and(|share| share.preempts_in_share);
        if preempts_in_share && (is_own || room == QuotaRoom::None) {
            let leaving = leaving(state, queue, &share, &unit);
            let beyond = count.saturating_sub(standing.left().saturating_add(leaving));
            lacks = lacks.max(beyond);
            chosen = choose(lower(state, queue, &share, &unit, profile), lacks);
        }
        if lacks == 0 || !chosen.is_empty() {
            *promised.entry(unit).or_default() += count;
        }
        self.preempt_all(chosen, Preemption::InShare)
    }

    fn preempt_all(&mut self, chosen: Vec<AttemptKey>, preemption: Preemption) -> usize {
        let count = chosen.len();
        for attempt in chosen {
            self.ask_to_stop(attempt, StopCause::Preempted(preemption));
        }
        count
    }
}

/// What a front lacks of a unit in the queue's environments, beyond what is idle, or comes free and is promised to nobody.
fn lack(state: &State, queue: QueueId, unit: &str, count: u32, promised: &Promised) -> u32 {
    let environments: &[EnvironmentId] = &state.queue(queue).environments;
    let mut there = 0_u32;
    for id in environments {
        let environment = state.environment(*id);
        let max = units_max(&environment.spec.capacity, unit);
        // Where all units count together, so do those that are held of others.
        let counted = match &environment.spec.capacity {
            Capacity::Units { limits } if limits.iter().any(|limit| &*limit.unit == NUM_INSTANCES) => {
                NUM_INSTANCES
            }
            Capacity::Units { .. } | Capacity::Shared { .. } | Capacity::Instances(_) => unit,
        };
        there = there.saturating_add(max.saturating_sub(environment.units_of(counted)));
    }
    let leaving = state
        .quota_uses(queue)
        .map(|(share, _)| leaving(state, queue, share, unit));
    let coming = leaving.fold(there, u32::saturating_add);
    let promised = promised.get(unit).copied().unwrap_or(0);
    count.saturating_sub(coming.saturating_sub(promised))
}

/// What fronts within their shares' limits wait for of a unit while attempts are being stopped, where a borrower that takes `count` would
/// have it before them: else whoever is stopped first would be back at once, and be stopped again, for ever.
pub(super) fn awaited_by_owners(state: &State, queue: QueueId, unit: &str, count: u32) -> Option<u32> {
    let mut shares = state.quota_uses(queue);
    if !shares.any(|(share, _)| leaving(state, queue, share, unit) > 0) {
        return None;
    }
    let fronts = state.runnable(queue).lines();
    let owners = fronts.filter_map(|line| {
        let (_, profile) = state.front(queue, line)?;
        let (_, claim) = quota_claim(profile)?;
        let room = state.quota_standing(queue, profile)?.room(claim.count);
        (&*claim.unit == unit && matches!(room, QuotaRoom::Own | QuotaRoom::Lent)).then_some(claim.count)
    });
    let awaited = owners.fold(0, u32::saturating_add);
    let promised = Promised::from([(unit.into(), awaited)]);
    (awaited > 0 && lack(state, queue, unit, count, &promised) > 0).then_some(awaited)
}

/// What a front that has lent too much lacks of its own, beyond what is given back already and promised to nobody.
fn lack_of_lent(state: &State, queue: QueueId, unit: &str, count: u32, promised: &Promised) -> u32 {
    let lent = state
        .quota_uses(queue)
        .map(|(share, _)| still_borrowed(state, queue, share, unit));
    let left = state
        .quota_lendable(queue, unit)
        .saturating_sub(lent.fold(0, u32::saturating_add));
    let promised = promised.get(unit).copied().unwrap_or(0);
    count.saturating_sub(left.saturating_sub(promised))
}

/// What a share has borrowed of a unit and is not giving back already.
fn still_borrowed(state: &State, queue: QueueId, share: &QuotaShareName, unit: &str) -> u32 {
    let borrowed = state.quota_borrowed(queue, share, unit);
    borrowed.saturating_sub(leaving(state, queue, share, unit))
}

/// What a share's attempts hold of a unit that are being stopped already.
fn leaving(state: &State, queue: QueueId, share: &QuotaShareName, unit: &str) -> u32 {
    let jobs = state
        .quota_use(queue, share)
        .into_iter()
        .flat_map(|held| held.jobs());
    let leaving = jobs.filter_map(|job| {
        let attempt = state.execution(job)?.attempt.as_ref()?;
        let claim = state.job(job.id)?.profile.service.as_ref()?;
        (attempt.stopping.is_some() && &*claim.unit == unit).then_some(claim.count)
    });
    leaving.sum()
}

/// The attempts of a share that hold some of a unit and that nobody has asked to stop.
fn running<'a>(
    state: &'a State,
    queue: QueueId,
    share: &'a QuotaShareName,
    unit: &'a str,
) -> impl Iterator<Item = Victim> + 'a {
    let jobs = state
        .quota_use(queue, share)
        .into_iter()
        .flat_map(|held| held.jobs());
    jobs.filter_map(move |job| {
        let execution = state.execution(job)?;
        let attempt = execution.attempt.as_ref()?;
        let profile = &state.job(job.id)?.profile;
        let claim = profile.service.as_ref()?;
        let started_at = attempt.started_at.unwrap_or(Timestamp::from_millis(i64::MAX));
        let is_candidate = attempt.stopping.is_none() && &*claim.unit == unit;
        is_candidate.then_some(Victim {
            key: AttemptKey {
                job,
                attempt: execution.attempt_number(),
            },
            count: claim.count,
            rank: (priority_of(profile), Reverse(started_at), Reverse(job)),
        })
    })
}

fn priority_of(profile: &Profile) -> u16 {
    profile.share.as_ref().map_or(0, |share| share.priority)
}

/// Who gives back what other shares have borrowed of a unit, first those of the share that has borrowed most.
fn borrowers(state: &State, queue: QueueId, own: &QuotaShareName, unit: &str) -> Vec<Victim> {
    let mut left: Vec<(u32, &QuotaShareName, Vec<Victim>)> = Vec::new();
    let others = state.quota_uses(queue).map(|(share, _)| share);
    for share in others.filter(|share| *share != own) {
        let borrowed = still_borrowed(state, queue, share, unit);
        let mut victims: Vec<Victim> = running(state, queue, share, unit).collect();
        // The first to go is taken from the end.
        victims.sort_by_key(|victim| Reverse(victim.rank));
        left.push((borrowed, share, victims));
    }
    let mut order = Vec::new();
    loop {
        let most = left
            .iter_mut()
            .filter(|(borrowed, _, victims)| *borrowed > 0 && !victims.is_empty());
        let most = most.max_by(|one, other| (one.0, Reverse(one.1)).cmp(&(other.0, Reverse(other.1))));
        let Some((borrowed, _, victims)) = most else {
            return order;
        };
        if let Some(victim) = victims.pop() {
            *borrowed = borrowed.saturating_sub(victim.count);
            order.push(victim);
        }
    }
}

/// The attempts of the front's own share that have a lower priority than the front.
fn lower(state: &State, queue: QueueId, share: &QuotaShareName, unit: &str, front: &Profile) -> Vec<Victim> {
    let victims = running(state, queue, share, unit);
    let mut victims: Vec<Victim> = victims
        .filter(|victim| victim.rank.0 < priority_of(front))
        .collect();
    victims.sort_by_key(|victim| victim.rank);
    victims
}

/// Whether the host has the front's GPUs when these and all that are being stopped have ended.
fn gpus_will_do(state: &State, front: &Profile, chosen: &[AttemptKey]) -> bool {
    let fleet = state.fleet();
    let mut free = fleet.host_free().gpus;
    if front.resources.gpus <= free {
        return true;
    }
    free += fleet
        .reclaimable()
        .map(|(_, _, instance)| instance.capacity.gpus)
        .sum::<u16>();
    for (key, _, execution) in state.live_attempts() {
        if let Some(attempt) = &execution.attempt
            && attempt.placement.instance.is_none()
            && (attempt.stopping.is_some() || chosen.contains(&key))
        {
            free += attempt.placement.gpus.count();
        }
    }
    front.resources.gpus <= free
}

/// As many of them, in order, as are needed to free so much; `None` where all together are not enough, or nothing is lacking.
fn choose(victims: Vec<Victim>, lacks: u32) -> Option<Vec<AttemptKey>> {
    let mut freed = 0_u32;
    let mut chosen = Vec::new();
    for victim in victims {
        if freed >= lacks {
            break;
        }
        freed = freed.saturating_add(victim.count);
        chosen.push(victim.key);
    }
    (lacks > 0 && freed >= lacks).then_some(chosen)
}
