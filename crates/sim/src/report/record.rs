//! What happened in a playback, as far as reports tell: who held what from when to when, and since when it could have started.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use batchyard_core::change::{AfterAttempt, AttemptEnded, Change};
use batchyard_core::environment::InstanceTypeName;
use batchyard_core::id::{ArrayIndex, InstanceId, JobId, JobKey, QueueId};
use batchyard_core::interval_set::IntervalSet;
use batchyard_core::job::Body;
use batchyard_core::reason::{StatusReason, TIMED_OUT};
use batchyard_core::resources::Resources;
use batchyard_core::share::share_of;
use batchyard_core::state::State;
use batchyard_core::time::Timestamp;

/// All that was seen.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Queues and their shares, as they first held something.
    pub(super) lanes: Vec<Lane>,
    /// In order of their starts.
    pub(super) slices: Vec<Slice>,
    /// In the order in which they were made.
    pub(super) instances: Vec<Lifetime>,
    /// Jobs and children that failed without having run.
    pub(super) never_ran: usize,
    lane_numbers: BTreeMap<QueueId, BTreeMap<Box<str>, u32>>,
    /// Slices that go on. A hash map, as its order shows nowhere.
    open: HashMap<JobKey, usize, Mixing>,
    ready: HashMap<JobId, Ready, Mixing>,
    open_instances: BTreeMap<InstanceId, usize>,
}

/// A share of a queue; of a queue without shares all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) queue: QueueId,
    pub(super) share: Box<str>,
}

/// What one attempt held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice {
    pub(super) lane: u32,
    pub(super) need: Resources,
    /// Whether it ran on an instance.
    pub(super) is_on_instance: bool,
    /// Since when nothing but want of room, or of a turn, kept it.
    pub(super) ready: Timestamp,
    pub(super) start: Timestamp,
    /// Whether it ran already when the playback began: then its wait is not the playback's.
    pub(super) was_running: bool,
    /// Whether it is an attempt of a job or child, or the main node's: the other nodes of a job end with that.
    pub(super) speaks_for_job: bool,
    /// `None` while it runs.
    pub(super) end: Option<Timestamp>,
    /// `None` while it runs, and for what succeeded.
    pub(super) failure: Option<Failure>,
}

/// How an attempt ended that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) cause: FailureCause,
    /// Whether another attempt follows.
    pub(super) is_retried: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureCause {
    /// Its program said so.
    Program,
    /// It ran longer than its timeout.
    Timeout,
    /// What it ran on was taken away.
    Interruption,
}

/// An instance from its making to its end.
#[derive(Clone, Debug)]
pub(super) struct Lifetime {
    pub(super) instance_type: InstanceTypeName,
    pub(super) start: Timestamp,
    pub(super) end: Option<Timestamp>,
}

/// Since when a job is runnable, or its children are.
#[derive(Clone, Debug)]
enum Ready {
    Whole(Timestamp),
    /// Apart, as most jobs have none, and there may be many jobs.
    Children(Box<ReadyChildren>),
}

#[derive(Clone, Debug, Default)]
struct ReadyChildren {
    /// Those that became ready together, latest last.
    sets: Vec<(IntervalSet, Timestamp)>,
    /// Those that are tried again.
    retried: BTreeMap<ArrayIndex, Timestamp>,
}

/// Hashes identifiers, which nobody chooses to collide.
type Mixing = BuildHasherDefault<Mixer>;

/// Multiplies each part by an odd number with bits all over, and turns the sum.
#[derive(Clone, Copy, Debug, Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
    }
}

impl Record {
    /// Notes what runs and waits in a state that a playback begins with.
    #[must_use]
    pub fn of(state: &State, now: Timestamp) -> Self {
        let mut record = Record::default();
        for (key, _, execution) in state.live_attempts() {
            if let Some(attempt) = &execution.attempt {
                record.begin(state, key.job, attempt.placement.instance.is_some(), now);
            }
        }
        for slice in &mut record.slices {
            slice.was_running = true;
        }
        for (_, facts) in state.environments() {
            for (id, instance) in &facts.instances {
                record.add_instance(*id, instance.instance_type, now);
            }
        }
        for (id, job) in state.jobs() {
            let ready = match &job.body {
                Body::Array(array) => Ready::Children(Box::new(ReadyChildren {
                    sets: vec![(array.runnable.clone(), id.submitted_at())],
                    retried: BTreeMap::new(),
                })),
                Body::Ready(_) | Body::MultiNode(_) => Ready::Whole(id.submitted_at()),
                Body::Waiting(_) => continue,
            };
            record.ready.insert(id, ready);
        }
        record
    }

    /// Notes a change. `state` is as it was left by the step that made it.
    pub fn note(&mut self, state: &State, change: &Change, now: Timestamp) {
        match change {
            Change::JobReady(id) => {
                self.ready.insert(*id, Ready::Whole(now));
            }
            Change::ChildrenReady { job, children } => {
                let ready = self.ready.entry(*job).or_insert(Ready::Children(Box::default()));
                if let Ready::Children(ready) = ready {
                    ready.sets.push((children.clone(), now));
                }
            }
            Change::AttemptPlaced { job, placement, .. } => {
                self.begin(state, *job, placement.instance.is_some(), now);
            }
            Change::GangPlaced(placed) => {
                for (node, placement) in (0..).zip(&placed.placements) {
                    let key = JobKey::child(placed.job, node);
                    self.begin(state, key, placement.instance.is_some(), now);
                }
            }
            Change::AttemptEnded(ended) => {
                self.end(ended, now);
                if ended.next == AfterAttempt::Retried {
                    self.ready_again(ended.job, now);
                }
                if ended.job.child.is_none() && ended.next.status().is_terminal() {
                    self.ready.remove(&ended.job.id);
                }
            }
            Change::JobFailed(failed) => {
                self.never_ran += 1;
                self.ready.remove(&failed.job.id);
            }
            Change::ChildrenFailed { children, .. } => {
                self.never_ran += usize::try_from(children.count()).unwrap_or(usize::MAX);
            }
            Change::ArrayEnded(ended) => {
                self.ready.remove(&ended.job);
            }
            Change::InstanceAdded(added) => self.add_instance(added.id, added.instance_type, now),
            Change::InstanceRemoved { instance, .. } => {
                if let Some(index) = self.open_instances.remove(instance) {
                    self.instances[index].end = Some(now);
                }
            }
            _ => {}
        }
    }

    fn add_instance(&mut self, id: InstanceId, instance_type: InstanceTypeName, start: Timestamp) {
        self.open_instances.insert(id, self.instances.len());
        self.instances.push(Lifetime {
            instance_type,
            start,
            end: None,
        });
    }

    fn begin(&mut self, state: &State, key: JobKey, is_on_instance: bool, now: Timestamp) {
        // It was live when it was placed. What ends within the same step holds nothing for any time.
        let Some(job) = state.job(key.id) else {
            return;
        };
        let ready = match self.ready.get_mut(&key.id) {
            Some(Ready::Whole(at)) => *at,
            Some(Ready::Children(children)) => children.take(key.child).unwrap_or(now),
            None => now,
        };
        let lane = self.lane(job.queue, share_of(&job.profile));
        self.open.insert(key, self.slices.len());
        self.slices.push(Slice {
            lane,
            need: job.profile.need(key.child),
            is_on_instance,
            ready,
            start: now,
            was_running: false,
            speaks_for_job: job.profile.nodes.is_none() || key.child == Some(job.profile.main_node()),
            end: None,
            failure: None,
        });
    }

    fn end(&mut self, ended: &AttemptEnded, now: Timestamp) {
        let Some(index) = self.open.remove(&ended.job) else {
            return;
        };
        let slice = &mut self.slices[index];
        slice.end = Some(now);
        slice.failure = match ended.next {
            AfterAttempt::Succeeded => None,
            AfterAttempt::Retried | AfterAttempt::Failed => Some(Failure {
                cause: cause_of(ended),
                is_retried: ended.next == AfterAttempt::Retried,
            }),
        };
    }

    /// It is tried again. Of an array that concerns one child: the others wait since they did before.
    fn ready_again(&mut self, key: JobKey, now: Timestamp) {
        match (key.child, self.ready.get_mut(&key.id)) {
            (Some(child), Some(Ready::Children(children))) => {
                children.retried.insert(child, now);
            }
            _ => {
                self.ready.insert(key.id, Ready::Whole(now));
            }
        }
    }

    fn lane(&mut self, queue: QueueId, share: &str) -> u32 {
        let of_queue = self.lane_numbers.entry(queue).or_default();
        if let Some(number) = of_queue.get(share) {
            return *number;
        }
        let number = u32::try_from(self.lanes.len()).expect("there are fewer shares than jobs");
        of_queue.insert(share.into(), number);
        self.lanes.push(Lane {
            queue,
            share: share.into(),
        });
        number
    }
}

fn cause_of(ended: &AttemptEnded) -> FailureCause {
    if ended.status_reason == TIMED_OUT {
        FailureCause::Timeout
    } else if ended.status_reason == StatusReason::host_terminated(ended.placement.instance) {
        FailureCause::Interruption
    } else {
        FailureCause::Program
    }
}

impl ReadyChildren {
    /// Since when a child that starts now was runnable: as was said of it last.
    fn take(&mut self, child: Option<ArrayIndex>) -> Option<Timestamp> {
        let child = child?;
        if let Some(at) = self.retried.remove(&child) {
            return Some(at);
        }
        let mut latest_first = self.sets.iter().rev();
        let (_, at) = latest_first.find(|(children, _)| children.contains(child))?;
        Some(*at)
    }
}
