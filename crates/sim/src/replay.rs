//! A workload as a script: jobs come when they are submitted, and run as long as they are said to.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use batchyard_core::change::{AfterAttempt, Change};
use batchyard_core::command::{Command, Ended, Rejection};
use batchyard_core::id::{AttemptKey, JobId, JobKey};
use batchyard_core::job::{JobStatus, ShareClaim};
use batchyard_core::name::{DefinitionName, QueueName};
use batchyard_core::state::State;
use batchyard_core::time::{Millis, Timestamp};

use crate::limits::ATTEMPTS_MAX;
use crate::playback::{Run, Script};
use crate::report::Record;
use crate::submission::{Request, Submissions, job_id, number_of};
use crate::workload::{Job, Workload};

/// Plays a workload, and notes what happens.
#[derive(Debug)]
pub struct Replay<'a> {
    jobs: &'a [Job],
    /// By definition; `None` for jobs that name none.
    submissions: BTreeMap<Option<DefinitionName>, Submissions>,
    /// For jobs that name no queue.
    queue: QueueName,
    /// Queues with shares, and those without: their jobs are given or relieved of one.
    has_shares: BTreeMap<QueueName, bool>,
    /// Attempts of jobs that do not say how many they may have.
    attempts: u8,
    next: usize,
    /// Jobs whose time to think begins with the end of another, by that other.
    thinking: BTreeMap<u32, Vec<u32>>,
    /// Those whose time to think has begun, by its end.
    thought: BinaryHeap<Reverse<(Timestamp, u32)>>,
    ids: Vec<Option<JobId>>,
    ends: Vec<Option<End>>,
    /// What was submitted last, and when.
    last: Option<(JobId, Timestamp)>,
    /// What happened.
    pub record: Record,
    /// Commands that were refused: how many, and the first with its reason.
    pub refused: Option<(usize, Rejection)>,
}

#[derive(Clone, Copy, Debug)]
struct End {
    at: Timestamp,
    has_succeeded: bool,
}

impl<'a> Replay<'a> {
    /// A replay for a site with these queues, the first of which takes the jobs that name none. The second of each pair: whether it is a
    /// fair-share queue. `attempts`: of jobs that do not say how many they may have, 1 to 10; 0 is 1.
    ///
    /// # Panics
    /// If there is no queue.
    #[must_use]
    pub fn new(
        workload: &'a Workload,
        queues: impl IntoIterator<Item = (QueueName, bool)>,
        attempts: u8,
    ) -> Self {
        let queues: Vec<(QueueName, bool)> = queues.into_iter().collect();
        let count = workload.jobs.len();
        Replay {
            jobs: &workload.jobs,
            submissions: workload
                .definitions()
                .map(|name| (Some(name.clone()), Submissions::of(name.clone())))
                .chain([(None, Submissions::default())])
                .collect(),
            queue: queues.first().expect("a site has a queue").0.clone(),
            has_shares: queues.into_iter().collect(),
            attempts,
            next: 0,
            thinking: BTreeMap::new(),
            thought: BinaryHeap::new(),
            ids: vec![None; count],
            ends: vec![None; count],
            last: None,
            record: Record::default(),
            refused: None,
        }
    }

    fn job(&self, number: u32) -> Option<&'a Job> {
        self.jobs.get(usize::try_from(number).ok()?)
    }

    fn end(&self, number: u32) -> Option<End> {
        *self.ends.get(usize::try_from(number).ok()?)?
    }

    fn submit(&mut self, number: u32, now: Timestamp) -> Option<Command> {
        let job = self.job(number)?;
        let Job {
            line: _,
            submit: _,
            run: _,
            exit_code: _,
            failures: _,
            attempts,
            definition,
            need,
            queue,
            share,
            timeout,
            array_size,
            after,
            think,
        } = job;
        let queue = queue.as_ref().unwrap_or(&self.queue);
        let takes_shares = self.has_shares.get(queue).copied().unwrap_or(false);
        let share = takes_shares.then(|| {
            share.clone().unwrap_or_else(|| ShareClaim {
                identifier: "default".into(),
                priority: 0,
            })
        });
        let request = Request {
            queue: queue.clone(),
            need: *need,
            share,
            timeout: *timeout,
            array_size: *array_size,
            array_concurrency: None,
            attempts: attempts.unwrap_or(self.attempts).clamp(1, ATTEMPTS_MAX),
        };
        // One that has thought does not wait for what it has thought about.
        let after = after.iter().filter(|_| think.is_none());
        let ids = after.filter_map(|other| self.ids.get(usize::try_from(*other).ok()?).copied().flatten());
        let ids: Vec<JobId> = ids.collect();
        let id = job_id(now, number);
        if let Some(slot) = usize::try_from(number).ok().and_then(|at| self.ids.get_mut(at)) {
            *slot = Some(id);
        }
        self.last = Some((id, now));
        let submissions = self.submissions.get_mut(definition);
        let submissions = submissions.expect("there is one for each definition of the workload");
        Some(submissions.submit(id, &request, &ids))
    }

    /// A job has ended: those that think about it begin to.
    fn note_end(&mut self, id: JobId, at: Timestamp, has_succeeded: bool) {
        let number = number_of(id);
        if let Some(slot) = usize::try_from(number)
            .ok()
            .and_then(|index| self.ends.get_mut(index))
        {
            *slot = Some(End { at, has_succeeded });
        }
        for thinking in self.thinking.remove(&number).unwrap_or_default() {
            let think = self.job(thinking).and_then(|job| job.think).unwrap_or_default();
            self.thought.push(Reverse((at + think, thinking)));
        }
    }
}

impl Script for Replay<'_> {
    fn run(&mut self, _: &State, attempt: AttemptKey, _: Millis) -> Run {
        match self.job(number_of(attempt.job.id)) {
            Some(job) => Run::Ends {
                after: job.run,
                exit_code: job.exit_code_of(attempt.attempt),
            },
            None => Run::Endless,
        }
    }

    fn saw(&mut self, state: &State, change: &Change, now: Timestamp) {
        self.record.note(state, change, now);
        match change {
            Change::AttemptEnded(ended) if ended.job.child.is_none() => match ended.next {
                AfterAttempt::Succeeded => self.note_end(ended.job.id, now, true),
                AfterAttempt::Failed => self.note_end(ended.job.id, now, false),
                AfterAttempt::Retried => {}
            },
            Change::ArrayEnded(ended) => self.note_end(ended.job, now, ended.has_succeeded),
            Change::JobFailed(failed) if failed.job.child.is_none() => {
                self.note_end(failed.job.id, now, false);
            }
            _ => {}
        }
    }

    fn next_arrival(&self) -> Option<Timestamp> {
        let next = self.jobs.get(self.next).map(|job| job.submit);
        let thought = self.thought.peek().map(|Reverse((at, _))| *at);
        [next, thought].into_iter().flatten().min()
    }

    fn arrive(&mut self, now: Timestamp) -> Option<Command> {
        if let Some(Reverse((at, number))) = self.thought.peek().copied()
            && at <= now
        {
            self.thought.pop();
            return self.submit(number, now);
        }
        while let Some(job) = self.jobs.get(self.next).filter(|job| job.submit <= now) {
            let number = u32::try_from(self.next).ok()?;
            self.next += 1;
            let about = job.think.and_then(|think| Some((think, *job.after.first()?)));
            let Some((think, other)) = about else {
                return self.submit(number, now);
            };
            match self.end(other) {
                Some(end) if end.at + think <= now => return self.submit(number, now),
                Some(end) => self.thought.push(Reverse((end.at + think, number))),
                None => self.thinking.entry(other).or_default().push(number),
            }
        }
        None
    }

    fn refused(&mut self, rejection: Rejection) {
        match &mut self.refused {
            Some((count, _)) => *count += 1,
            None => self.refused = Some((1, rejection)),
        }
        // What waits for it never runs, and what thinks about it may go on.
        if let Some((id, at)) = self.last.take() {
            self.note_end(id, at, false);
        }
    }

    fn ended(&self, job: JobKey) -> Option<Ended> {
        let end = self.end(number_of(job.id));
        let status = match end.is_some_and(|end| end.has_succeeded) {
            true => JobStatus::Succeeded,
            false => JobStatus::Failed,
        };
        Some(Ended { status, array: None })
    }

    /// Its number: the time of its submission may be another one on another site.
    fn key(&self, job: JobKey) -> u128 {
        u128::from(number_of(job.id))
    }
}
