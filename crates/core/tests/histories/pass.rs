//! Whether a scheduling pass kept the order: each of its decisions is looked at by the state it was made from.
//!
//! What is asked for is written here a second time, from the outside: by what `explain` says of the fronts of all lines, not by the
//! scheduler's own way through them.

use batchyard_core::change::Change;
use batchyard_core::environment::Life;
use batchyard_core::explain::{Because, Held, explain};
use batchyard_core::id::{JobKey, QueueId};
use batchyard_core::queue::Order;
use batchyard_core::share::Standing;
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
