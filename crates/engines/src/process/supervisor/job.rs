//! A job as the supervisor sees it: an attempt and what is known of it.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::Instant;

use batchyard_core::time::{Millis, Timestamp};
use batchyard_runtime::log::StreamName;

use super::cgroup::Group;
use crate::lines::LineBuffer;
use crate::process::protocol::Ending;
use crate::process::spool::Position;

/// One attempt.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) stream: Option<StreamName>,
    /// Stays when it has ended: both facts are told again.
    pub(super) start: Option<Start>,
    pub(super) state: State,
    /// The segment of the spool that has its oldest fact.
    pub(super) kept_in: u64,
    pub(super) unread: Unread,
}

/// Where it stands.
#[derive(Debug)]
pub(super) enum State {
    /// Its launch waits for its turn.
    Waiting,
    /// A thread is starting it. What was asked meanwhile is done then.
    Starting { asked: Asked },
    /// Its program runs, or has ended and its output is still being read.
    Running(Box<Running>),
    /// It ended; the position is behind that fact.
    Ended { ending: Ending, position: Position },
}

/// When and as which process a program was started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) at: Timestamp,
    pub(super) pid: i32,
    /// Milliseconds from the host's start.
    pub(super) uptime_ms: u64,
}

/// What was asked of an attempt while it could not be done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    pub(super) stop: Option<Millis>,
    pub(super) is_forgotten: bool,
}

/// A program that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) pid: i32,
    /// Readable when the program has ended.
    pub(super) pidfd: OwnedFd,
    pub(super) output: OwnedFd,
    pub(super) group: Option<Group>,
    pub(super) lines: LineBuffer,
    /// When the beginning of a line is shown without its end.
    pub(super) partial_line_due: Option<Instant>,
    pub(super) kill_due: Option<Instant>,
    pub(super) is_forgotten: bool,
    /// Set once the program has ended.
    pub(super) exit: Option<Exit>,
}

/// How a program ended, while the rest of its output is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exit {
    pub(super) at: Timestamp,
    pub(super) exit_code: i32,
    pub(super) was_out_of_memory: bool,
    /// When to stop waiting for those who hold the pipe and write nothing.
    pub(super) give_up_due: Option<Instant>,
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    ShowPartialLine,
    Kill,
    GiveUpOutput,
}

/// Output that is in the spool and that the server has not consumed, in bytes.
#[derive(Debug, Default)]
pub(super) struct Unread {
    total: u64,
    /// Bytes by the end of the stretch of the spool they are in.
    stretches: VecDeque<(Position, u64)>,
}

/// Stretches are no finer than this, so that there are few.
const STRETCH_BYTES: u64 = 1 << 20;

impl Unread {
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Bytes were written; the position is behind them.
    pub(super) fn add(&mut self, position: Position, bytes: u64) {
        self.total += bytes;
        match self.stretches.back_mut() {
            Some((end, count))
                if end.segment == position.segment
                    && end.offset / STRETCH_BYTES == position.offset / STRETCH_BYTES =>
            {
                *end = position;
                *count += bytes;
            }
            Some(_) | None => self.stretches.push_back((position, bytes)),
        }
    }

    /// The server has consumed all up to a position. How many bytes were among that.
    pub(super) fn consume(&mut self, position: Position) -> u64 {
        let mut consumed = 0;
        while let Some((_, bytes)) = self.stretches.pop_front_if(|(end, _)| *end <= position) {
            consumed += bytes;
        }
        self.total -= consumed;
        consumed
    }
}

impl Job {
    pub(super) fn new(stream: Option<StreamName>, state: State, kept_in: u64) -> Job {
        Job {
            stream,
            start: None,
            state,
            kept_in,
            unread: Unread::default(),
        }
    }

    /// Whether it only lives on until its program is gone.
    pub(super) fn is_forgotten(&self) -> bool {
        match &self.state {
            State::Starting { asked } => asked.is_forgotten,
            State::Running(running) => running.is_forgotten,
            State::Waiting | State::Ended { .. } => false,
        }
    }

    pub(super) fn running(&mut self) -> Option<&mut Running> {
        match &mut self.state {
            State::Running(running) => Some(running),
            State::Waiting | State::Starting { .. } | State::Ended { .. } => None,
        }
    }
}
