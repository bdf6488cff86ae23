//! Backfill: later jobs of a queue that asks for it start before its front, where that does not delay the front.
//!
//! The front is expected to start when enough of the running attempts have ended. A later job may start now if it has ended by then and
//! leaves no instance in the front's way, or if there is room for the front at that time although it has not.
//!
//! A pass looks at a bounded number of jobs behind the front, at each of them once. What the front is going to find is reckoned out when
//! the first of them fits, and kept through the pass as long as what starts can be taken into account.

use crate::environment::Platform;
use crate::fleet::{Fleet, Hold};
use crate::id::{EnvironmentId, JobKey, QueueId};
use crate::job::{Body, Profile};
use crate::outlook::{opening_and_fleet, releases, run_bound};
use crate::queue::Order;
use crate::resources::Resources;
use crate::schedule::choose::{Plan, Site, Verdict, consider, has_place};
use crate::schedule::gates;
use crate::state::State;
use crate::step::Step;
use crate::time::Timestamp;

/// Needs that are remembered to find no room (own choice: where there are more, they are looked at anew).
const TOO_LARGE_MAX: usize = 8;

/// What is known in a pass of a queue, and need not be found out again.
#[derive(Default)]
struct Known {
    /// How many jobs of the line were looked at.
    looked_at: usize,
    outlook: Option<Outlook>,
    too_large: TooLarge,
}

/// What the front is going to find.
struct Outlook {
    /// When there is room for it.
    opens_at: Timestamp,
    /// What is held then, if nothing else starts.
    fleet: Fleet,
}

/// Needs for which there is no room: neither is there for anything that needs as much of everything.
#[derive(Default)]
struct TooLarge(Vec<(Platform, Resources)>);

impl Step<'_> {
    /// Starts later jobs of a queue whose front waits for room; how many.
    pub(super) fn backfill(&mut self, queue: QueueId, left: usize) -> usize {
        let is_asked_for = self.state().queue(queue).options.backfill;
        if !is_asked_for || self.state().runnable(queue).order() != Order::Submission {
            return 0;
        }
        let mut known = Known::default();
        let mut started = 0;
        while started < left
            && let Some((key, plan)) = next_candidate(self.state(), queue, self.now, &mut known)
        {
            let Some(need) = self.state().job(key.id).map(|job| job.profile.need(key.child)) else {
                break;
            };
            known.note_start(&plan);
            let placement = self.make_place(plan, need);
            self.place(key, placement);
            started += 1;
        }
        started
    }
}

/// The first job behind the front that was not looked at and may start now.
fn next_candidate(
    state: &State,
    queue: QueueId,
    now: Timestamp,
    known: &mut Known,
) -> Option<(JobKey, Plan)> {
    let (front, front_profile) = state.front(queue, "")?;
    // A front that waits for something else than room may start at any time.
    if !gates(state, queue, front_profile).is_empty() {
        return None;
    }
    let environments = &state.queue(queue).environments;
    let depth = state.queue(queue).options.backfill_depth();
    let later = state.runnable(queue).iter("").skip(1 + known.looked_at);
    for entry in later.take(depth.saturating_sub(known.looked_at)) {
        known.looked_at += 1;
        let Some((key, profile)) = single(state, entry).filter(|(key, _)| *key != front) else {
            continue;
        };
        if known.too_large.covers(profile) || !gates(state, queue, profile).is_empty() {
            continue;
        }
        let Verdict::Place(plan) = consider(state.fleet(), environments, profile) else {
            known.too_large.note(profile);
            continue;
        };
        if known.outlook.is_none() {
            known.outlook = Some(Outlook::new(state, environments, front_profile, now)?);
        }
        let outlook = known.outlook.as_mut().expect("it is there now");
        let ends_before = run_bound(state, profile).is_some_and(|run| now + run <= outlook.opens_at);
        let hold = Hold::of(profile, key.child);
        if outlook.leaves_room(&plan, hold, ends_before, environments, front_profile) {
            // Another child of the same array may follow.
            known.looked_at -= 1;
            return Some((key, plan));
        }
    }
    None
}

/// What an entry of a line stands for: a job, or the next child of an array. Jobs with nodes wait for their turn.
fn single(state: &State, entry: JobKey) -> Option<(JobKey, &Profile)> {
    let job = state.job(entry.id)?;
    if job.profile.nodes.is_some() {
        return None;
    }
    let key = match (&job.body, entry.child) {
        (Body::Array(array), None) => JobKey::child(entry.id, array.runnable.first()?),
        (Body::Array(_) | Body::Ready(_) | Body::Waiting(_) | Body::MultiNode(_), _) => entry,
    };
    Some((key, &job.profile))
}

impl Known {
    /// A job starts that was found by what is known.
    fn note_start(&mut self, plan: &Plan) {
        if !plan.is_plain() {
            // Instances come and go with it: what the front finds then has to be reckoned out anew.
            self.outlook = None;
        }
        if !plan.reclaimed.is_empty() {
            // What was given back may leave more room than what takes its place.
            self.too_large = TooLarge::default();
        }
    }
}

impl Plan {
    /// Whether it takes of the host and changes nothing else.
    fn is_plain(&self) -> bool {
        self.site == Site::Host && self.reclaimed.is_empty()
    }
}

impl Outlook {
    /// `None` where nothing says when there is room.
    fn new(state: &State, environments: &[EnvironmentId], front: &Profile, now: Timestamp) -> Option<Self> {
        let releases = releases(state, now);
        let (opening, fleet) = opening_and_fleet(state.fleet(), environments, front, &releases)?;
        Some(Outlook {
            opens_at: opening.at,
            fleet,
        })
    }

    /// Whether there is room for the front at its time although this place is taken: `ends_before`, or still then. What is still taken
    /// then counts as taken from now on, where that can be reckoned with.
    fn leaves_room(
        &mut self,
        plan: &Plan,
        hold: Hold<'_>,
        ends_before: bool,
        environments: &[EnvironmentId],
        front: &Profile,
    ) -> bool {
        if !plan.is_plain() {
            let mut fleet = self.fleet.clone();
            let placement = fleet.take(plan, hold);
            if ends_before {
                // An instance that was made for it, and for which others were given back, may be one that the minimum keeps.
                fleet.vacate(placement, hold, self.opens_at);
            }
            return has_place(&fleet, environments, front);
        }
        if ends_before {
            return true;
        }
        let placement = self.fleet.take(plan, hold);
        let has_place = has_place(&self.fleet, environments, front);
        if !has_place {
            self.fleet.vacate(placement, hold, Timestamp::default());
        }
        has_place
    }
}

impl TooLarge {
    fn covers(&self, profile: &Profile) -> bool {
        let need = profile.resources;
        let covers = |(platform, large): &(Platform, Resources)| {
            *platform == profile.platform && need.fits(*large) && profile.service.is_none()
        };
        self.0.iter().any(covers)
    }

    fn note(&mut self, profile: &Profile) {
        if profile.service.is_some() {
            return;
        }
        let need = profile.resources;
        self.0
            .retain(|(platform, large)| *platform != profile.platform || !large.fits(need));
        if self.0.len() < TOO_LARGE_MAX {
            self.0.push((profile.platform, need));
        }
    }
}
