//! What the server asks for.

use batchyard_core::id::AttemptKey;

use super::Supervisor;
use super::job::{Job, Start, State};
use crate::process::limits;
use crate::process::protocol::{Answer, Ending, Known, Program, Request};
use crate::process::spool::{Fact, Position, Record};

impl Supervisor {
    pub(super) fn request(&mut self, request: Request) {
        match request {
            Request::Launch(program) => self.launch(program),
            Request::Stop { attempt, grace } => self.stop(attempt, grace),
            Request::Forget { attempt } => self.forget(attempt),
            Request::Consumed { position } => self.consume(position),
            Request::List { number } => {
                let kept = self.jobs.iter().filter(|(_, job)| !job.is_forgotten());
                let attempts = kept.map(|(attempt, job)| known(*attempt, job)).collect();
                self.answer(Answer::Known { number, attempts });
            }
            Request::EndWhenIdle => self.is_told_to_end = true,
        }
    }

    /// Takes a launch; one that is known already is the same launch asked for twice.
    fn launch(&mut self, program: Box<Program>) {
        if self.jobs.contains_key(&program.attempt) {
            return;
        }
        let (attempt, stream) = (program.attempt, program.stream.clone());
        let position = self.spool.push(&Record {
            attempt,
            fact: Fact::Accepted {
                stream: stream.clone(),
            },
        });
        self.jobs
            .insert(attempt, Job::new(stream, State::Waiting, position.segment));
        if self.waiting.len() >= limits::LAUNCHES_WAITING_MAX {
            // The core places no more on a host than fits; this guards against one that does.
            self.end_unstarted(
                attempt,
                "CannotStartContainerError: too many jobs wait to be started",
            );
            return;
        }
        self.waiting.push_back(program);
    }

    fn forget(&mut self, attempt: AttemptKey) {
        let Some(job) = self.jobs.get_mut(&attempt) else {
            return;
        };
        match &mut job.state {
            State::Waiting => self.waiting.retain(|program| program.attempt != attempt),
            State::Ended { .. } => {}
            State::Starting { asked } => {
                asked.is_forgotten = true;
                return;
            }
            State::Running(running) => {
                running.is_forgotten = true;
                self.kill(attempt);
                return;
            }
        }
        self.drop_job(attempt);
    }

    /// Nothing is held of an ended attempt any more.
    pub(super) fn drop_job(&mut self, attempt: AttemptKey) {
        if let Some(job) = self.jobs.remove(&attempt) {
            self.unread -= job.unread.total();
            self.paused.remove(&attempt);
            self.spool.push(&Record {
                attempt,
                fact: Fact::Forgotten,
            });
        }
    }

    /// The server has all up to a position: its space comes back, and jobs that waited may write again.
    fn consume(&mut self, position: Position) {
        self.consumed = self.consumed.max(position);
        for job in self.jobs.values_mut().filter(|job| job.unread.total() > 0) {
            self.unread -= job.unread.consume(position);
        }
        self.resume_paused();
        self.delete_consumed();
    }

    /// Deletes segments that are consumed. Facts of attempts that are not forgotten are written again first.
    fn delete_consumed(&mut self) {
        while let Some(oldest) = self.spool.oldest_before(self.consumed) {
            let kept: Vec<AttemptKey> = self
                .jobs
                .iter()
                .filter(|(_, job)| job.kept_in <= oldest)
                .map(|(attempt, _)| *attempt)
                .collect();
            for attempt in kept {
                self.write_again(attempt);
            }
            // Only when they are in the file may the old ones go.
            if let Err(error) = self.spool.write().and_then(|()| self.spool.delete_oldest()) {
                tracing::warn!(%error, "a consumed part of the spool cannot be deleted yet");
                return;
            }
            self.tell_written();
        }
    }

    /// Writes an attempt's facts at the end of the spool. The server knows them already; repeating them does no harm.
    pub(super) fn write_again(&mut self, attempt: AttemptKey) {
        let Some(job) = self.jobs.get_mut(&attempt) else {
            return;
        };
        let stream = job.stream.clone();
        let first = self.spool.push(&Record {
            attempt,
            fact: Fact::Accepted { stream },
        });
        job.kept_in = first.segment;
        if let Some(Start { at, pid, uptime_ms }) = job.start {
            let fact = Fact::Started { at, pid, uptime_ms };
            self.spool.push(&Record { attempt, fact });
        }
        if let State::Ended { ending, position } = &mut job.state {
            let fact = Fact::Ended(ending.clone());
            *position = self.spool.push(&Record { attempt, fact });
        }
    }
}

fn known(attempt: AttemptKey, job: &Job) -> Known {
    let ended: Option<(Ending, Position)> = match &job.state {
        State::Waiting | State::Starting { .. } | State::Running(_) => None,
        State::Ended { ending, position } => Some((ending.clone(), *position)),
    };
    Known {
        attempt,
        stream: job.stream.clone(),
        started_at: job.start.map(|start| start.at),
        ended,
    }
}
