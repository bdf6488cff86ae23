//! Starting programs.

use std::os::fd::AsFd as _;

use batchyard_core::id::AttemptKey;

use super::Supervisor;
use super::job::{Asked, Running, Start, State};
use super::spawners::{Failed, Spawned, Tried};
use super::{clock, spawn};
use crate::lines::LineBuffer;
use crate::process::limits;
use crate::process::protocol::Ending;
use crate::process::spool::{Fact, Record};

impl Supervisor {
    /// Hands waiting launches to the threads as long as they have room.
    pub(super) fn start_waiting(&mut self) {
        while self.spawners.has_room()
            && let Some(program) = self.waiting.pop_front()
        {
            if let Some(job) = self.jobs.get_mut(&program.attempt) {
                job.state = State::Starting {
                    asked: Asked::default(),
                };
                self.spawners.spawn(program);
            }
        }
    }

    /// Takes the threads' results.
    pub(super) fn take_spawned(&mut self) {
        self.spawners.silence();
        while let Some(Tried { attempt, at, result }) = self.spawners.next() {
            match result {
                Ok(spawned) => self.program_started(attempt, at, spawned),
                Err(Failed { pid, error }) => {
                    if let Some(pid) = pid {
                        // It ended before it became a program: its end is immediate.
                        let _status = spawn::reap(pid);
                    }
                    let was_forgotten = self.asked(attempt).is_forgotten;
                    self.end_unstarted(attempt, &format!("CannotStartContainerError: {error}"));
                    if was_forgotten {
                        self.drop_job(attempt);
                    }
                }
            }
        }
    }

    fn program_started(
        &mut self,
        attempt: AttemptKey,
        at: batchyard_core::time::Timestamp,
        spawned: Spawned,
    ) {
        let Spawned {
            pid,
            pidfd,
            uptime_ms,
            output,
            group,
        } = spawned;
        let Asked { stop, is_forgotten } = self.asked(attempt);
        self.spool.push(&Record {
            attempt,
            fact: Fact::Started { at, pid, uptime_ms },
        });
        if let Err(error) = self.events.watch_job(attempt, output.as_fd(), pidfd.as_fd()) {
            // Out of memory for watches: it could neither be read nor reaped.
            tracing::error!(%error, %attempt, "a program cannot be watched");
            spawn::kill_session(pid);
        }
        if let Some(job) = self.jobs.get_mut(&attempt) {
            job.start = Some(Start { at, pid, uptime_ms });
            job.state = State::Running(Box::new(Running {
                pid,
                pidfd,
                output,
                group,
                lines: LineBuffer::default(),
                partial_line_due: None,
                kill_due: None,
                is_forgotten,
                exit: None,
            }));
        }
        if is_forgotten {
            self.kill(attempt);
        } else if let Some(grace) = stop {
            self.stop(attempt, grace);
        }
        // Not to wait for the pipe's first event where more is to be read than the others' turn allows.
        self.resume_paused();
    }

    fn asked(&self, attempt: AttemptKey) -> Asked {
        match self.jobs.get(&attempt).map(|job| &job.state) {
            Some(State::Starting { asked }) => *asked,
            Some(State::Waiting | State::Running(_) | State::Ended { .. }) | None => Asked::default(),
        }
    }

    /// An attempt ended without a program.
    pub(super) fn end_unstarted(&mut self, attempt: AttemptKey, reason: &str) {
        let ending = Ending::NotStarted {
            at: clock::now(),
            reason: reason.chars().take(limits::REASON_CHARACTERS_MAX).collect(),
        };
        self.record_end(attempt, ending);
    }

    /// Writes down how an attempt ended.
    pub(super) fn record_end(&mut self, attempt: AttemptKey, ending: Ending) {
        let position = self.spool.push(&Record {
            attempt,
            fact: Fact::Ended(ending.clone()),
        });
        if let Some(job) = self.jobs.get_mut(&attempt) {
            job.state = State::Ended { ending, position };
        }
    }
}
