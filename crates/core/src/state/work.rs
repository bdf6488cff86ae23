//! What a queue has to do: what is runnable in it, and what its shares hold. It follows from the queue's jobs and its policy.

use std::collections::BTreeMap;

use crate::id::{JobKey, QueueId};
use crate::job::Job;
use crate::queue::{Order, Runnable};
use crate::share::{Shares, share_of};
use crate::state::State;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Work {
    pub(super) runnable: Runnable,
    pub(super) shares: Shares,
    /// Live jobs, arrays counting once.
    pub(super) jobs: usize,
}

impl Work {
    /// Adds a job that never ran, an array's children that never did, or a job or child that is tried again, to the order.
    pub(super) fn enter(&mut self, job: &Job, key: JobKey, was_tried: bool) {
        let Work { runnable, shares, .. } = self;
        let is_first = runnable.add(key, &job.profile, job.sequence, was_tried);
        if is_first && runnable.order() == Order::FairShare {
            shares.note_waits(share_of(&job.profile), true);
        }
    }

    /// Takes it out again, if it is there.
    pub(super) fn leave(&mut self, job: &Job, key: JobKey, was_tried: bool) {
        let Work { runnable, shares, .. } = self;
        let is_last = runnable.remove(key, &job.profile, job.sequence, was_tried);
        if is_last && runnable.order() == Order::FairShare {
            shares.note_waits(share_of(&job.profile), false);
        }
    }

    /// Counts a new live job.
    pub(super) fn add_job(&mut self, job: &Job) {
        self.shares.add_job(job);
        self.jobs += 1;
    }

    /// One has ended.
    pub(super) fn remove_job(&mut self, job: &Job) {
        self.shares.remove_job(job);
        self.jobs -= 1;
    }

    /// Of a queue, for a job of it.
    pub(super) fn of(work: &mut BTreeMap<QueueId, Work>, queue: QueueId) -> &mut Work {
        work.get_mut(&queue)
            .expect("queues stay until their last job ends")
    }
}

impl State {
    pub(super) fn work_mut(&mut self, queue: QueueId) -> &mut Work {
        Work::of(&mut self.work, queue)
    }

    /// Adds a job that never ran, an array's children that never did, or a job or child that is tried again, to its queue's order.
    pub(super) fn enter_queue(&mut self, key: JobKey, was_tried: bool) {
        let State { jobs, work, .. } = self;
        let job = jobs.get(key.id).expect("only live jobs enter a queue's order");
        Work::of(work, job.queue).enter(job, key, was_tried);
    }

    /// Takes it out again, if it is there.
    pub(super) fn leave_queue(&mut self, key: JobKey, was_tried: bool) {
        let State { jobs, work, .. } = self;
        let job = jobs.get(key.id).expect("only live jobs leave their queue");
        Work::of(work, job.queue).leave(job, key, was_tried);
    }
}
