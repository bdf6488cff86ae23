//! The end of a program: what is left of it is killed, its output read to the end, and the fact written down.

use std::os::fd::AsFd as _;
use std::time::Instant;

use batchyard_core::id::AttemptKey;

use super::cgroup::Group;
use super::job::{Exit, Job, Running, State, Timer};
use super::{Supervisor, clock, spawn};
use crate::process::limits;
use crate::process::protocol::Ending;

/// The reason of a job that the kernel killed for want of memory (section B.4).
const OUT_OF_MEMORY: &str = "OutOfMemoryError: Container killed due to memory usage";

impl Supervisor {
    /// The main process ended: it takes the rest of its session and group along, is reaped, and its output is read on.
    pub(super) fn program_ended(&mut self, attempt: AttemptKey) {
        let Some(running) = self.jobs.get_mut(&attempt).and_then(Job::running) else {
            return;
        };
        if running.exit.is_some() {
            return;
        }
        // Before it is reaped, so that its number cannot be another's yet.
        spawn::kill_session(running.pid);
        match &mut running.group {
            Some(group) => _ = group.kill(),
            // To look for others after every job would cost more than the jobs: who may be left mostly holds the pipe.
            None if !self.events.is_hung_up(running.output.as_fd()) => spawn::kill_whole_session(running.pid),
            None => {}
        }
        self.events.unwatch(&running.pidfd);
        let exit_code = spawn::reap(running.pid);
        let was_any_killed = running.group.as_mut().is_some_and(Group::was_out_of_memory);
        let was_out_of_memory = was_any_killed && exit_code != 0;
        running.exit = Some(Exit {
            at: clock::now(),
            exit_code,
            was_out_of_memory,
            give_up_due: None,
        });
        if let Some(due) = running.kill_due.take() {
            self.timers.remove(&(due, attempt, Timer::Kill));
        }
        self.read_output(attempt);
    }

    /// The pipe is empty. Once the program has ended, whoever still holds it gets a little time to write something.
    pub(super) fn wait_for_rest(&mut self, attempt: AttemptKey) {
        let Some(running) = self.jobs.get_mut(&attempt).and_then(Job::running) else {
            return;
        };
        let Some(exit) = &mut running.exit else {
            return;
        };
        if exit.give_up_due.is_none() {
            let due = Instant::now() + limits::DRAIN_AFTER_EXIT;
            exit.give_up_due = Some(due);
            self.timers.insert((due, attempt, Timer::GiveUpOutput));
        }
    }

    /// The pipe was closed. A program may do so long before it ends.
    pub(super) fn output_ended(&mut self, attempt: AttemptKey) {
        let Some(running) = self.jobs.get_mut(&attempt).and_then(Job::running) else {
            return;
        };
        self.events.unwatch(&running.output);
        match running.exit {
            Some(_) => self.finish(attempt),
            None => self.finish_lines(attempt),
        }
    }

    /// Writes down how a program ended whose output is complete.
    pub(super) fn finish(&mut self, attempt: AttemptKey) {
        self.finish_lines(attempt);
        let Some(job) = self.jobs.get_mut(&attempt) else {
            return;
        };
        let Some(exit) = job.running().and_then(|running| running.exit) else {
            return;
        };
        let Exit {
            at,
            exit_code,
            was_out_of_memory,
            give_up_due,
        } = exit;
        if let Some(due) = give_up_due {
            self.timers.remove(&(due, attempt, Timer::GiveUpOutput));
        }
        self.paused.remove(&attempt);
        self.events.forget_job(attempt);
        let State::Running(running) = std::mem::replace(&mut job.state, State::Waiting) else {
            unreachable!("only running jobs have an exit");
        };
        let Running {
            group, is_forgotten, ..
        } = *running;
        if let Some(group) = group {
            self.groups.give_back(group);
        }
        let reason = was_out_of_memory.then(|| OUT_OF_MEMORY.to_owned());
        self.record_end(
            attempt,
            Ending::Exited {
                at,
                exit_code,
                reason,
            },
        );
        if is_forgotten {
            self.drop_job(attempt);
        }
    }
}
