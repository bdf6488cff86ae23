//! Whether a scheduling pass kept the order: each of its decisions is looked at by the state it was made from.
//!
//! What is asked for is written here a second time, from the outside: by what `explain` says of the fronts of all lines, not by the
//! scheduler's own way through them; and what `explain` asks the scheduler's own code for, by counting what lives.

use batchyard_core::change::Change;
use batchyard_core::environment::{Life, Switch};
use batchyard_core::explain::{Because, Held, explain};
use batchyard_core::id::{AttemptKey, JobKey, QueueId};
use batchyard_core::item::{Item, ItemKey, SchedulingPolicy, Sharing};
use batchyard_core::job::{Body, Job, Profile};
use batchyard_core::queue::Order;
use batchyard_core::resources::Resources;
use batchyard_core::share::{Standing, reserved_of};
use batchyard_core::state::State;
use batchyard_core::time::Timestamp;

/// Checks every placement of a pass that began with this state and made these changes; how many there were.
pub(crate) fn check(settled: &State, changes: &[Change], now: Timestamp) -> usize {
    let mut decisions = 0;
    let mut before = settled.clone();
    let mut state = settled.clone();
    for change in changes {
        state.apply(change);
        let placed = match change {
            Change::AttemptPlaced { job, .. } => *job,
            Change::GangPlaced(placed) => JobKey::whole(placed.job),
            // These say nothing of who goes where, and what is asked below may rest on them.
            Change::SharesForgotten { .. } | Change::QueueBlocked { .. } => {
                before.apply(change);
                continue;
            }
            _ => continue,
        };
        decisions += 1;
        check_decision(&before, &state, placed, now);
        check_limits(&before, &state, placed);
        before = state.clone();
    }
    decisions
}

fn check_decision(before: &State, after: &State, placed: JobKey, now: Timestamp) {
    let job = before.job(placed.id).expect("it was live before it started");
    let order = before.runnable(job.queue).order();
    let line = before.runnable(job.queue).line_of(&job.profile);
    let (front, _) = before.front(job.queue, line).expect("it was in this line");
    let is_front = front == placed || job.profile.nodes.is_some() && front.id == placed.id;
    if is_front {
        let because = because(before, placed, now);
        assert_eq!(because, Because::AboutToStart, "{placed} started");
    } else {
        check_overtaking(before, after, job.queue, (front, placed), now);
    }
    let rank = |id: QueueId| (std::cmp::Reverse(before.queue(id).priority), id);
    for (other, queue) in before.queues() {
        if rank(other) < rank(job.queue) && queue.life == Life::Valid {
            for line in before.runnable(other).lines() {
                check_waits(before, other, line, placed, now);
            }
        }
    }
    if order == Order::FairShare {
        let standings = before.standings(job.queue, now);
        let own = standings.iter().find(|standing| *standing.share == *line);
        let own = place_of(own.expect("shares with jobs are active"));
        for other in standings.iter().filter(|other| place_of(other) < own) {
            check_waits(before, job.queue, &other.share, placed, now);
        }
    }
}

/// What keeps jobs from starting besides want of room, counted anew from what lives.
fn check_limits(before: &State, after: &State, placed: JobKey) {
    let job = before.job(placed.id).expect("it was live before it started");
    let queue = before.queue(job.queue);
    let profile = &*job.profile;
    let of_queue = before.live_attempts();
    let of_queue =
        of_queue.filter(|(key, _, _)| before.job(key.job.id).is_some_and(|one| one.queue == job.queue));
    let held: Vec<_> = of_queue.map(|(key, profile, _)| (key, profile)).collect();
    if let Some(max) = queue.options.max_concurrency {
        let now = held.len();
        assert!(
            usize::try_from(max).is_ok_and(|max| now < max),
            "{placed} is one more than {max}"
        );
    }
    if let (Body::Array(array), Some(child)) = (&job.body, placed.child)
        && let Some(max) = array.max_concurrency
        && !array.executions.contains_key(&child)
    {
        let now = array.executions.len();
        assert!(
            usize::try_from(max).is_ok_and(|max| now < max),
            "{placed} is one more than {max}"
        );
    }
    for claim in &profile.consumables {
        let key = ItemKey::ConsumableResource(claim.name.clone());
        let Some(Item::ConsumableResource(resource)) = before.item(&key).map(|kept| &kept.item) else {
            panic!("{placed} takes of {}, which there is not", claim.name);
        };
        let takes = |(key, profile, _): (AttemptKey, &Profile, _)| {
            let counts = profile.nodes.is_none() || key.job.child == Some(profile.main_node());
            let claims = profile
                .consumables
                .iter()
                .filter(|one| counts && one.name == claim.name);
            claims.map(|one| one.quantity).sum::<u64>()
        };
        let taken: u64 = match resource.is_replenishable {
            true => before.live_attempts().map(takes).sum(),
            false => 0,
        };
        assert!(
            taken + claim.quantity <= resource.total,
            "{placed} takes {} of {}, of which {taken} of {} are taken",
            claim.quantity,
            claim.name,
            resource.total
        );
    }
    check_reservation(before, job, &held, placed);
    check_quota(before, job, &held, placed);
    let places = after
        .live_attempts()
        .filter(|(key, _, _)| key.job.id == placed.id);
    let places = places.filter(|(key, _, _)| placed.child.is_none() || key.job == placed);
    for (_, _, execution) in places {
        let place = execution
            .attempt
            .as_ref()
            .expect("it is live")
            .placement
            .environment;
        let environment = before.environment(place);
        assert!(
            queue.environments.contains(&place),
            "{placed} is in an environment of other queues"
        );
        assert_eq!(environment.spec.platform, profile.platform, "{placed}");
        assert_eq!(
            (environment.life, environment.switch),
            (Life::Valid, Switch::Enabled),
            "{placed}"
        );
        assert!(
            profile.nodes.is_none() || !environment.spec.refuses_multi_node,
            "{placed}"
        );
    }
}

/// A quota share takes more than its limit only if it may borrow, and no more than that (section C.4).
fn check_quota(before: &State, job: &Job, held: &[(AttemptKey, &Profile)], placed: JobKey) {
    let Some(claim) = &job.profile.service else { return };
    let Some(name) = &claim.quota_share else { return };
    let key = ItemKey::QuotaShare(before.queue(job.queue).name.clone(), name.clone());
    let Some(Item::QuotaShare(share)) = before.item(&key).map(|kept| &kept.item) else {
        panic!("{placed} is of quota share {name}, which there is not");
    };
    let others = held.iter().filter_map(|(_, profile)| profile.service.as_ref());
    let others = others.filter(|other| other.quota_share == claim.quota_share && other.unit == claim.unit);
    let used: u32 = claim.count + others.map(|other| other.count).sum::<u32>();
    let limit = share.limits.iter().find(|limit| limit.unit == claim.unit);
    let limit = limit.map_or(0, |limit| limit.max);
    let borrowed = match share.sharing {
        Sharing::Reserve | Sharing::Lend => 0,
        Sharing::LendAndBorrow { borrow_percent_max } => {
            borrow_percent_max.map_or(u32::MAX, |percent| limit * percent / 100)
        }
    };
    assert!(
        used <= limit.saturating_add(borrowed),
        "{placed} takes {name} to {used} of {limit}, and it may borrow {borrowed}"
    );
}

/// What a fair-share queue keeps for shares without jobs stays free, unless nothing runs (section C3.5).
fn check_reservation(before: &State, job: &Job, held: &[(AttemptKey, &Profile)], placed: JobKey) {
    let policy = before
        .queue(job.queue)
        .policy
        .clone()
        .map(ItemKey::SchedulingPolicy);
    let policy = policy.and_then(|key| before.item(&key)).map(|kept| &kept.item);
    let Some(Item::SchedulingPolicy(SchedulingPolicy::FairShare(policy))) = policy else {
        return;
    };
    if held.is_empty() || policy.reservation_percent == 0 {
        return;
    }
    let rate = |profile: &Profile, need: Resources| {
        let instances = profile.service.as_ref().map_or(0, |claim| u64::from(claim.count));
        u64::from(need.vcpus.0) + 1000 * instances
    };
    let own = rate(&job.profile, job.profile.resources);
    let others = held
        .iter()
        .map(|(key, profile)| rate(profile, profile.need(key.job.child)));
    let used = own + others.sum::<u64>();
    let host = u64::from(before.host().resources.vcpus.0);
    let maxima = before.queue(job.queue).environments.iter();
    let maxima = maxima.map(|id| before.environment(*id).spec.capacity.rate_max().unwrap_or(host));
    let capacity: u64 = maxima.sum();
    let active = before
        .standings(job.queue, Timestamp::from_millis(i64::MAX / 2))
        .len();
    let reserved = reserved_of(capacity, policy.reservation_percent, active);
    assert!(
        used <= capacity - reserved,
        "{placed} takes of the {reserved} that are reserved"
    );
}

fn place_of(standing: &Standing) -> (u128, &str) {
    (standing.score, &standing.share)
}

/// The front of a line that goes before could not start, if there is one.
fn check_waits(before: &State, queue: QueueId, line: &str, placed: JobKey, now: Timestamp) {
    let Some((front, _)) = before.front(queue, line) else {
        return;
    };
    let because = because(before, front, now);
    assert!(
        matches!(because, Because::Held(_)),
        "{placed} started before {front}, which goes first: {because:?}"
    );
}

/// A job may start before its front where the queue says so, while the front waits for room, and if that comes no later for it.
fn check_overtaking(
    before: &State,
    after: &State,
    queue: QueueId,
    (front, placed): (JobKey, JobKey),
    now: Timestamp,
) {
    let may_overtake =
        before.queue(queue).options.backfill && before.runnable(queue).order() == Order::Submission;
    assert!(
        may_overtake,
        "{placed} started before {front}, the front of its line"
    );
    let (was, is) = (held(before, front, now), held(after, front, now));
    assert!(
        was.gates.is_empty(),
        "{front} was overtaken while it waited for {was:?}"
    );
    let opening = |held: &Held| held.opening.as_ref().map(|opening| opening.at);
    let (was, is) = (opening(&was), opening(&is));
    assert!(
        is.is_some() && is <= was,
        "{placed} delays {front} from {was:?} to {is:?}"
    );
}

fn held(state: &State, front: JobKey, now: Timestamp) -> Held {
    match because(state, front, now) {
        Because::Held(held) => held,
        because => panic!("{front} was overtaken though {because:?}"),
    }
}

fn because(state: &State, key: JobKey, now: Timestamp) -> Because {
    explain(state, key, now).expect("it is live").because
}
