//! What the store and an observer make of an output: the changes are followed, and whatever must hold is checked.

use std::collections::BTreeSet;

use batchyard_core::Output;
use batchyard_core::change::{AfterAttempt, Change};
use batchyard_core::command::{DependsOn, Ended};
use batchyard_core::effect::Effect;
use batchyard_core::environment::Life;
use batchyard_core::id::{AttemptKey, JobKey};
use batchyard_core::interval_set::IntervalSet;
use batchyard_core::job::JobStatus;
use batchyard_core::state::State;

use crate::invariant;
use crate::world::World;
use crate::world::fixture::status;

/// What is checked of each output: effects, replay, restoring, live attempts, and the invariants.
const CHECKS_PER_OUTPUT: usize = 4 + invariant::CHECKS;

impl World {
    /// Follows the changes, and checks all that must hold.
    pub(super) fn take(&mut self, out: Output) {
        let mut placed = Vec::new();
        let mut ended = Vec::new();
        for change in &out.changes {
            self.replica.apply(change);
            self.follow(change, &mut placed, &mut ended);
        }
        for effect in &out.effects {
            match effect {
                Effect::Launch { attempt, placement } => {
                    let position = placed.iter().position(|one| *one == (*attempt, *placement));
                    match position {
                        Some(position) => {
                            placed.remove(position);
                        }
                        // A node whose main node has started.
                        None => {
                            let held = self.held.remove(attempt);
                            assert_eq!(held, Some(*placement), "only what was placed is launched");
                            self.launched.push(*attempt);
                        }
                    }
                    assert!(self.core.state().is_launched(attempt.job));
                }
                Effect::Stop { attempt, .. } => assert!(self.launched.contains(attempt)),
                Effect::Forget { attempt } => {
                    ended.retain(|one| one != attempt);
                    assert!(!self.live.contains(attempt), "a live attempt is forgotten");
                    if self.launched.contains(attempt) {
                        self.forgotten.insert(*attempt);
                    }
                }
            }
        }
        self.tally.add("checks", CHECKS_PER_OUTPUT);
        assert!(placed.is_empty(), "placed and not launched: {placed:?}");
        assert!(ended.is_empty(), "ended and not forgotten: {ended:?}");
        let state = self.core.state();
        assert_same(&self.replica, state, "replaying the changes");
        let restored = State::restore(state.host(), state.to_stored()).expect("the state agrees with itself");
        assert_same(&restored, state, "restoring what was stored");
        invariant::check(state, self.now);
        let live: BTreeSet<AttemptKey> = state.live_attempts().map(|(key, _, _)| key).collect();
        assert_eq!(live, self.live);
        self.outputs.push(out);
    }

    fn follow(
        &mut self,
        change: &Change,
        placed: &mut Vec<(AttemptKey, batchyard_core::job::Placement)>,
        ended: &mut Vec<AttemptKey>,
    ) {
        match change {
            Change::AttemptPlaced {
                job,
                attempt,
                placement,
                scheduled_at,
            } => {
                let key = AttemptKey {
                    job: *job,
                    attempt: *attempt,
                };
                let is_service = job.child.is_none() && self.replica.is_service_job(job.id);
                let of_service = is_service.then_some(self.now);
                assert_eq!(*scheduled_at, of_service, "{key} is placed at another time");
                assert!(!self.launched.contains(&key), "{key} was launched before");
                assert!(
                    !self.live.iter().any(|live| live.job == *job),
                    "{job} has two attempts"
                );
                self.check_needs(*job);
                let is_stopped = self.stopped.contains(job) || self.stopped.contains(&JobKey::whole(job.id));
                assert!(!is_stopped, "{key} follows a stop");
                let queue = self.replica.job(job.id).expect("it is live").queue;
                assert_eq!(
                    self.replica.queue(queue).life,
                    Life::Valid,
                    "{key} starts in a deleted queue"
                );
                placed.push((key, *placement));
                self.launched.push(key);
                self.live.insert(key);
                // An instance that is there may be used after the maximum was lowered below what it has.
                if placement.instance.is_none() {
                    invariant::check_maximum(&self.replica, placement.environment);
                }
            }
            Change::GangPlaced(gang) => {
                self.check_needs(JobKey::whole(gang.job));
                let queue = self.replica.job(gang.job).expect("it is live").queue;
                assert_eq!(self.replica.queue(queue).life, Life::Valid);
                assert!(
                    !self.stopped.contains(&JobKey::whole(gang.job)),
                    "it follows a stop"
                );
                for (node, placement) in (0..).zip(&gang.placements) {
                    let key = AttemptKey {
                        job: JobKey::child(gang.job, node),
                        attempt: gang.attempt,
                    };
                    assert!(!self.launched.contains(&key), "{key} was launched before");
                    assert!(!self.live.iter().any(|live| live.job == key.job));
                    self.live.insert(key);
                    if node == gang.main {
                        placed.push((key, *placement));
                        self.launched.push(key);
                    } else {
                        self.held.insert(key, *placement);
                    }
                    if placement.instance.is_none() {
                        invariant::check_maximum(&self.replica, placement.environment);
                    }
                }
            }
            Change::GangStarted {
                job,
                main,
                attempt,
                at: _,
            } => {
                let key = AttemptKey {
                    job: JobKey::child(*job, *main),
                    attempt: *attempt,
                };
                assert!(self.live.contains(&key));
            }
            Change::GangEnded(end) => {
                assert!(
                    !self.live.iter().any(|live| live.job.id == end.job),
                    "a node is left"
                );
                let whole = JobKey::whole(end.job);
                match end.end.next {
                    AfterAttempt::Retried => {}
                    AfterAttempt::Succeeded => self.one_ended(whole, true),
                    AfterAttempt::Failed => self.one_ended(whole, false),
                }
            }
            Change::InstanceAdded(added) => invariant::check_maximum(&self.replica, added.environment),
            Change::AttemptEnded(end) => {
                let key = AttemptKey {
                    job: end.job,
                    attempt: end.attempt,
                };
                assert!(self.live.remove(&key));
                assert!(
                    end.started_at
                        .is_none_or(|started_at| started_at <= end.stopped_at)
                );
                ended.push(key);
                self.held.remove(&key);
                // What becomes of a job with nodes is told with the end of them all.
                if self.replica.multi_node(end.job.id).is_some() {
                    return;
                }
                match end.next {
                    AfterAttempt::Retried => {}
                    AfterAttempt::Succeeded => self.one_ended(end.job, true),
                    AfterAttempt::Failed => self.one_ended(end.job, false),
                }
            }
            Change::JobFailed(failed) => self.one_ended(failed.job, false),
            Change::ChildrenFailed { job, children, .. } => {
                for child in children.indexes() {
                    self.one_ended(JobKey::child(*job, child), false);
                }
            }
            Change::ArrayEnded(end) => {
                let array = &end.array;
                assert!(array.has_ended());
                assert_eq!(end.has_succeeded, array.failed.is_empty());
                let succeeded =
                    (0..array.size).filter(|child| self.children[&JobKey::child(end.job, *child)]);
                assert_eq!(succeeded.collect::<IntervalSet>(), array.succeeded);
                let ended = Ended {
                    status: status(end.has_succeeded),
                    array: Some((array.size, array.succeeded.clone())),
                };
                assert_eq!(self.ended.insert(end.job, ended), None, "it ends once");
            }
            _ => {}
        }
    }

    /// All that a job that starts depends on has succeeded, as clients saw it.
    fn check_needs(&self, key: JobKey) {
        let (dependencies, is_sequential) = &self.needs[&key.id];
        let has_succeeded = |on: JobKey| match on.child {
            Some(_) => self.children.get(&on) == Some(&true),
            None => self
                .ended
                .get(&on.id)
                .is_some_and(|ended| ended.status == JobStatus::Succeeded),
        };
        for DependsOn { on, is_pairing, .. } in dependencies {
            let on = match (is_pairing, key.child) {
                (true, Some(child)) => JobKey::child(on.id, child),
                _ => *on,
            };
            assert!(has_succeeded(on), "{key} starts before {on} has succeeded");
        }
        if let Some(before) = key
            .child
            .and_then(|child| child.checked_sub(1))
            .filter(|_| *is_sequential)
        {
            let before = JobKey::child(key.id, before);
            assert!(
                has_succeeded(before),
                "{key} starts before {before} has succeeded"
            );
        }
    }

    fn one_ended(&mut self, key: JobKey, has_succeeded: bool) {
        let before = match key.child {
            Some(_) => self.children.insert(key, has_succeeded).map(|_| ()),
            None => {
                let ended = Ended {
                    status: status(has_succeeded),
                    array: None,
                };
                self.ended.insert(key.id, ended).map(|_| ())
            }
        };
        assert_eq!(before, None, "{key} ends once");
    }
}

/// Says where two states differ, line by line: printed whole they would fill a screen.
fn assert_same(left: &State, right: &State, what: &str) {
    if left == right {
        return;
    }
    let (left, right) = (format!("{left:#?}"), format!("{right:#?}"));
    let differences = left
        .lines()
        .zip(right.lines())
        .filter(|(left, right)| left != right);
    let differences: Vec<_> = differences.take(10).collect();
    panic!("{what} gives another state: {differences:#?}");
}
