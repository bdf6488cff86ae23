//! Stopping and killing.

use std::time::Instant;

use batchyard_core::id::AttemptKey;
use batchyard_core::time::Millis;

use super::job::{Job, State, Timer};
use super::{Supervisor, spawn};

impl Supervisor {
    /// Asks an attempt to end, and kills it when the grace is over. One that has no program yet gets none.
    pub(super) fn stop(&mut self, attempt: AttemptKey, grace: Millis) {
        let Some(job) = self.jobs.get_mut(&attempt) else {
            return;
        };
        match &mut job.state {
            State::Ended { .. } => {}
            State::Starting { asked } => asked.stop = Some(grace),
            State::Waiting => {
                self.waiting.retain(|program| program.attempt != attempt);
                self.end_unstarted(
                    attempt,
                    "CannotStartContainerError: stopped before it was started",
                );
            }
            State::Running(running) => {
                if running.kill_due.is_some() || running.exit.is_some() {
                    return;
                }
                spawn::terminate_session(running.pid);
                let due = Instant::now() + grace.as_duration();
                running.kill_due = Some(due);
                self.timers.insert((due, attempt, Timer::Kill));
            }
        }
    }

    /// Kills a running program with everything that belongs to it.
    pub(super) fn kill(&mut self, attempt: AttemptKey) {
        let Some(running) = self.jobs.get_mut(&attempt).and_then(Job::running) else {
            return;
        };
        if running.exit.is_some() {
            return;
        }
        spawn::kill_session(running.pid);
        match &mut running.group {
            Some(group) => _ = group.kill(),
            None => spawn::kill_whole_session(running.pid),
        }
    }

    /// Kills all that runs, and takes their groups away: nobody will ask for it again.
    pub(super) fn kill_all(&mut self) {
        self.waiting.clear();
        for job in std::mem::take(&mut self.jobs).into_values() {
            let State::Running(running) = job.state else {
                continue;
            };
            if running.exit.is_none() {
                spawn::kill_session(running.pid);
                let _status = spawn::reap(running.pid);
            }
            if let Some(group) = running.group {
                self.groups.give_back(group);
            }
        }
    }
}
