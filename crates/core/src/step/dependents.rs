//! What follows for others when a job or child ends. Runs over a list of work instead of calling itself: chains of dependencies can be
//! longer than the stack is deep.

use crate::change::{ArrayEnded, Change, JobFailed};
use crate::id::{JobId, JobKey};
use crate::interval_set::{Interval, IntervalSet};
use crate::job::{Body, Dependency};
use crate::reason::{ARRAY_CHILD_FAILED, DEPENDENT_JOB_FAILED, StatusReason};
use crate::state::Dependent;
use crate::step::Step;

/// Something that has ended and whose consequences are still to be drawn.
#[derive(Debug)]
pub(super) enum Ending {
    /// A single job, or an array as a whole. Its dependents were read before it was forgotten.
    Whole {
        id: JobId,
        has_succeeded: bool,
        dependents: Vec<Dependent>,
    },
    /// Children of an array.
    Children {
        id: JobId,
        children: IntervalSet,
        has_succeeded: bool,
    },
}

impl Step<'_> {
    /// Draws all consequences of an end.
    pub(super) fn follow(&mut self, ending: Ending) {
        let mut endings = Vec::new();
        let mut next = Some(ending);
        while let Some(ending) = next {
            match ending {
                Ending::Whole {
                    id,
                    has_succeeded,
                    dependents,
                } => {
                    for dependent in dependents {
                        self.whole_ended(id, has_succeeded, dependent, &mut endings);
                    }
                }
                Ending::Children {
                    id,
                    children,
                    has_succeeded,
                } => {
                    let dependents: Vec<Dependent> = self.state().dependents(id).collect();
                    for dependent in dependents {
                        self.children_ended(id, &children, has_succeeded, dependent, &mut endings);
                    }
                    self.next_of_sequence(id, &children, has_succeeded, &mut endings);
                    self.end_array_if_done(id, &mut endings);
                }
            }
            next = endings.pop();
        }
    }

    fn whole_ended(
        &mut self,
        id: JobId,
        has_succeeded: bool,
        dependent: Dependent,
        endings: &mut Vec<Ending>,
    ) {
        let Dependent {
            job,
            child,
            is_pairing,
        } = dependent;
        if self.state().job(job).is_none() {
            return;
        }
        if is_pairing {
            self.commit(Change::PairingClosed { job, on: id });
            return;
        }
        let dependency = Dependency {
            on: JobKey { id, child },
        };
        self.dependency_ended(job, dependency, has_succeeded, endings);
    }

    fn dependency_ended(
        &mut self,
        job: JobId,
        dependency: Dependency,
        has_succeeded: bool,
        endings: &mut Vec<Ending>,
    ) {
        if has_succeeded {
            self.commit(Change::DependencyMet { job, dependency });
            self.release(job);
        } else {
            self.fail_waiting(job, &DEPENDENT_JOB_FAILED, endings);
        }
    }

    fn children_ended(
        &mut self,
        id: JobId,
        children: &IntervalSet,
        has_succeeded: bool,
        dependent: Dependent,
        endings: &mut Vec<Ending>,
    ) {
        let Dependent {
            job,
            child,
            is_pairing,
        } = dependent;
        if self.state().job(job).is_none() {
            return;
        }
        if let Some(child) = child.filter(|child| children.contains(*child)) {
            let dependency = Dependency {
                on: JobKey::child(id, child),
            };
            self.dependency_ended(job, dependency, has_succeeded, endings);
        }
        if !is_pairing {
            return;
        }
        if has_succeeded {
            self.commit(Change::PairingMet {
                job,
                on: id,
                children: children.clone(),
            });
            self.release_children(job, children);
        } else {
            self.fail_children(job, children, &DEPENDENT_JOB_FAILED, endings);
        }
    }

    /// Children that something they waited for has just come for: only they are looked at, not the whole array.
    fn release_children(&mut self, id: JobId, candidates: &IntervalSet) {
        let Some(job) = self.state().job(id) else { return };
        let (queue, Body::Array(array)) = (job.queue, &job.body) else {
            return;
        };
        let ready: IntervalSet = match candidates.intervals() {
            [one] if one.count() == 1 => [one.first()]
                .into_iter()
                .filter(|child| array.is_ready(*child))
                .collect(),
            _ => array.ready().intersection(candidates),
        };
        if !ready.is_empty() {
            self.commit(Change::ChildrenReady {
                job: id,
                children: ready,
            });
            self.core.wake(queue);
        }
    }

    fn next_of_sequence(
        &mut self,
        id: JobId,
        ended: &IntervalSet,
        has_succeeded: bool,
        endings: &mut Vec<Ending>,
    ) {
        let Some(Body::Array(array)) = self.state().job(id).map(|job| &job.body) else {
            return;
        };
        let (Some(first), true) = (ended.first(), array.is_sequential) else {
            return;
        };
        if has_succeeded {
            if let Some(next) = first.checked_add(1).filter(|next| *next < array.size) {
                self.release_children(id, &Interval::one(next).into());
            }
        } else if let Some(last) = array.size.checked_sub(1).filter(|last| *last > first) {
            let rest = Interval::new(first + 1, last).into();
            self.fail_children(id, &rest, &DEPENDENT_JOB_FAILED, endings);
        }
    }

    /// A job that waits fails, an array with all its children that wait.
    pub(super) fn fail_new(&mut self, id: JobId, reason: &StatusReason) {
        let mut endings = Vec::new();
        self.fail_waiting(id, reason, &mut endings);
        for ending in endings {
            self.follow(ending);
        }
    }

    /// Children fail because those that they are paired with have failed.
    pub(super) fn fail_children_for_dependency(&mut self, id: JobId, children: &IntervalSet) {
        let mut endings = Vec::new();
        self.fail_children(id, children, &DEPENDENT_JOB_FAILED, &mut endings);
        for ending in endings {
            self.follow(ending);
        }
    }

    fn fail_waiting(&mut self, id: JobId, reason: &StatusReason, endings: &mut Vec<Ending>) {
        let Some(job) = self.state().job(id) else { return };
        match &job.body {
            Body::Waiting(_) | Body::Ready(_) | Body::MultiNode(_) => {
                let dependents = self.state().dependents(id).collect();
                let failed = JobFailed {
                    job: JobKey::whole(id),
                    status_reason: reason.clone(),
                    stopped_by: None,
                    at: self.now,
                };
                self.commit(Change::JobFailed(Box::new(failed)));
                endings.push(Ending::Whole {
                    id,
                    has_succeeded: false,
                    dependents,
                });
            }
            Body::Array(array) => {
                let waiting = array.waiting.clone();
                self.fail_children(id, &waiting, reason, endings);
            }
        }
    }

    fn fail_children(
        &mut self,
        id: JobId,
        children: &IntervalSet,
        reason: &StatusReason,
        endings: &mut Vec<Ending>,
    ) {
        let Some(Body::Array(array)) = self.state().job(id).map(|job| &job.body) else {
            return;
        };
        let children = array.waiting.intersection(children);
        if children.is_empty() {
            return;
        }
        let failed = children.clone();
        self.commit(Change::ChildrenFailed {
            job: id,
            children,
            status_reason: reason.clone(),
            at: self.now,
        });
        endings.push(Ending::Children {
            id,
            children: failed,
            has_succeeded: false,
        });
    }

    /// Ends an array when all its children have ended.
    fn end_array_if_done(&mut self, id: JobId, endings: &mut Vec<Ending>) {
        let Some(Body::Array(array)) = self.state().job(id).map(|job| &job.body) else {
            return;
        };
        if !array.has_ended() {
            return;
        }
        let has_succeeded = array.failed.is_empty();
        let array = array.clone();
        let dependents = self.state().dependents(id).collect();
        // An array that succeeded has no reason: the ordinary one speaks of a container, which a parent has not.
        let failed_for_dependency = array
            .unstarted
            .iter()
            .filter(|failure| failure.status_reason == DEPENDENT_JOB_FAILED);
        let failed_for_dependency: u32 = failed_for_dependency
            .map(|failure| failure.children.count())
            .sum();
        let status_reason = match failed_for_dependency == array.size {
            // A job that it waited for as a whole has failed (section B9.5).
            true => Some(DEPENDENT_JOB_FAILED),
            false => (!has_succeeded).then_some(ARRAY_CHILD_FAILED),
        };
        let ended = ArrayEnded {
            job: id,
            has_succeeded,
            status_reason,
            at: self.now,
            array,
        };
        self.commit(Change::ArrayEnded(Box::new(ended)));
        endings.push(Ending::Whole {
            id,
            has_succeeded,
            dependents,
        });
    }
}
