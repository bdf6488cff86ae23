//! Reading what jobs write, as fast as it can be kept and no faster.

use std::os::fd::AsFd as _;
use std::time::Instant;

use batchyard_core::id::AttemptKey;
use nix::errno::Errno;

use super::job::{Job, Timer};
use super::{Supervisor, clock};
use crate::process::limits;
use crate::process::spool::encode_output;

/// How a look at a pipe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    /// There may be more.
    More,
    /// There is nothing now.
    Empty,
    /// There will be nothing any more.
    End,
}

impl Supervisor {
    /// Reads a job's pipe, unless too much of its output is unread.
    pub(super) fn read_output(&mut self, attempt: AttemptKey) {
        for _ in 0..limits::PIPE_READS_PER_TURN {
            if self.is_too_much_unread(attempt) {
                self.pause(attempt);
                return;
            }
            match self.read_once(attempt) {
                Read::More => {}
                Read::Empty => {
                    self.wait_for_rest(attempt);
                    return;
                }
                Read::End => {
                    self.output_ended(attempt);
                    return;
                }
            }
        }
    }

    fn read_once(&mut self, attempt: AttemptKey) -> Read {
        let Some(job) = self.jobs.get_mut(&attempt) else {
            return Read::Empty;
        };
        let has_stream = job.stream.is_some();
        let Some(running) = job.running() else {
            return Read::Empty;
        };
        let mut buffer = [0; limits::PIPE_READ_BYTES];
        let count = match nix::unistd::read(&running.output, &mut buffer) {
            Ok(0) => return Read::End,
            Ok(count) => count,
            Err(Errno::EINTR) => return Read::More,
            Err(Errno::EAGAIN) => return Read::Empty,
            Err(_) => return Read::End,
        };
        let at = clock::now();
        let mut bytes = 0;
        let spool = &mut self.spool;
        let mut position = spool.position();
        if has_stream {
            running.lines.take(&buffer[..count], |chunk| {
                bytes += u64::try_from(chunk.len()).expect("a length fits in 64 bits");
                position = spool.push_with(|into| encode_output(attempt, at, chunk, into));
            });
        }
        let is_inside_line = running.lines.is_inside_line();
        let due = running.partial_line_due.take();
        if let Some(due) = due {
            self.timers.remove(&(due, attempt, Timer::ShowPartialLine));
        }
        if is_inside_line {
            let due = Instant::now() + limits::PARTIAL_LINE_AFTER;
            running.partial_line_due = Some(due);
            self.timers.insert((due, attempt, Timer::ShowPartialLine));
        }
        if bytes > 0 {
            job.unread.add(position, bytes);
            self.unread += bytes;
        }
        if count < buffer.len() {
            Read::Empty
        } else {
            Read::More
        }
    }

    /// Shows the beginning of a line whose end does not come.
    pub(super) fn show_partial_line(&mut self, attempt: AttemptKey) {
        let Some(job) = self.jobs.get_mut(&attempt) else {
            return;
        };
        let Some(running) = job.running() else {
            return;
        };
        running.partial_line_due = None;
        let (at, spool) = (clock::now(), &mut self.spool);
        let mut added = None;
        running.lines.flush(|chunk| {
            let bytes = u64::try_from(chunk.len()).expect("a length fits in 64 bits");
            added = Some((
                spool.push_with(|into| encode_output(attempt, at, chunk, into)),
                bytes,
            ));
        });
        if let Some((position, bytes)) = added {
            job.unread.add(position, bytes);
            self.unread += bytes;
        }
    }

    /// Passes on what is left of a line when nothing will follow.
    pub(super) fn finish_lines(&mut self, attempt: AttemptKey) {
        let Some(running) = self.jobs.get_mut(&attempt).and_then(Job::running) else {
            return;
        };
        let due = running.partial_line_due.take();
        if let Some(due) = due {
            self.timers.remove(&(due, attempt, Timer::ShowPartialLine));
        }
        let (at, spool) = (clock::now(), &mut self.spool);
        running.lines.finish(|chunk| {
            spool.push_with(|into| encode_output(attempt, at, chunk, into));
        });
    }

    /// Lets jobs write again that were made to wait, where there is room again.
    pub(super) fn resume_paused(&mut self) {
        let ready: Vec<AttemptKey> = self
            .paused
            .iter()
            .copied()
            .filter(|attempt| !self.is_too_much_unread(*attempt))
            .collect();
        for attempt in ready {
            self.paused.remove(&attempt);
            if let Some(running) = self.jobs.get_mut(&attempt).and_then(Job::running) {
                self.events.listen_again(attempt, running.output.as_fd());
            }
        }
    }

    fn pause(&mut self, attempt: AttemptKey) {
        if let Some(running) = self.jobs.get_mut(&attempt).and_then(Job::running) {
            self.events
                .listen_to_output(attempt, running.output.as_fd(), false);
            self.paused.insert(attempt);
        }
    }

    fn is_too_much_unread(&self, attempt: AttemptKey) -> bool {
        let own = self.jobs.get(&attempt).map_or(0, |job| job.unread.total());
        let is_much = if self.connection.is_some() {
            own >= limits::UNREAD_PER_ATTEMPT_MAX
                || (self.unread >= limits::UNREAD_TOTAL_MAX && own >= limits::UNREAD_LITTLE)
        } else {
            own >= limits::UNATTENDED_PER_ATTEMPT_MAX
        };
        is_much
            || self.unread >= limits::UNATTENDED_TOTAL_MAX
            || self.spool.unwritten() >= limits::UNWRITTEN_MAX
    }
}
