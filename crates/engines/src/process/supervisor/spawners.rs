//! The threads that start programs. Each waits in `clone` for its child's `exec`, so that the main loop never does. They take launches
//! from one queue and put results into another, and ring its bell. They know no attempt but the one at hand. Start with [`Spawners::start`].

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use batchyard_core::id::AttemptKey;
use batchyard_core::time::Timestamp;
use nix::fcntl::OFlag;
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::cgroup::{Group, Groups};
use super::clock;
use super::spawn::{Cause, Error, Prepared, Stack};
use crate::process::limits;
use crate::process::protocol::Program;

/// A launch that was tried.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) attempt: AttemptKey,
    pub(super) at: Timestamp,
    pub(super) result: Result<Spawned, Failed>,
}

/// A program that runs.
#[derive(Debug)]
pub(super) struct Spawned {
    pub(super) pid: i32,
    /// Readable when the program has ended.
    pub(super) pidfd: OwnedFd,
    pub(super) uptime_ms: u64,
    pub(super) output: OwnedFd,
    pub(super) group: Option<Group>,
}

/// A program that does not.
#[derive(Debug)]
pub(super) struct Failed {
    /// The process that did not become the program and must be reaped.
    pub(super) pid: Option<i32>,
    pub(super) error: Error,
}

/// The threads, from the main loop's side.
#[derive(Debug)]
pub(super) struct Spawners {
    programs: Sender<Box<Program>>,
    results: Receiver<Tried>,
    bell: Arc<EventFd>,
    threads: usize,
    busy: usize,
}

impl Spawners {
    /// Starts the threads. They end with the process.
    pub(super) fn start(null: OwnedFd, groups: Arc<Groups>) -> std::io::Result<Spawners> {
        let threads = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(limits::SPAWNERS_MAX);
        let (programs, waiting) = channel();
        let (done, results) = channel();
        let bell = Arc::new(EventFd::from_flags(
            EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK,
        )?);
        let (waiting, null) = (Arc::new(Mutex::new(waiting)), Arc::new(null));
        for _ in 0..threads {
            let spawner = Spawner {
                waiting: Arc::clone(&waiting),
                done: done.clone(),
                bell: Arc::clone(&bell),
                null: Arc::clone(&null),
                groups: Arc::clone(&groups),
            };
            std::thread::Builder::new()
                .name("spawner".to_owned())
                .spawn(move || spawner.run())?;
        }
        Ok(Spawners {
            programs,
            results,
            bell,
            threads,
            busy: 0,
        })
    }

    /// Whether another program may be handed over.
    pub(super) fn has_room(&self) -> bool {
        self.busy < self.threads * limits::LAUNCHES_PER_SPAWNER
    }

    /// Hands a program over.
    pub(super) fn spawn(&mut self, program: Box<Program>) {
        self.busy += 1;
        self.programs
            .send(program)
            .expect("the threads live as long as the process");
    }

    /// The next result, if there is one.
    pub(super) fn next(&mut self) -> Option<Tried> {
        let tried = self.results.try_recv().ok()?;
        self.busy -= 1;
        Some(tried)
    }

    /// Readable when there are results; [`Spawners::silence`] it before taking them.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Stops the bell.
    pub(super) fn silence(&self) {
        // The only failure is that it does not ring.
        let _is_silent = self.bell.read();
    }
}

/// One thread's things.
struct Spawner {
    waiting: Arc<Mutex<Receiver<Box<Program>>>>,
    done: Sender<Tried>,
    bell: Arc<EventFd>,
    null: Arc<OwnedFd>,
    groups: Arc<Groups>,
}

impl Spawner {
    fn run(self) {
        // Signals are the main loop's, and a signal between `clone` and `exec` would run in shared memory.
        nix::sys::signal::SigSet::all()
            .thread_block()
            .expect("blocking all signals is always possible");
        let mut stack = Stack::new();
        loop {
            let next = self
                .waiting
                .lock()
                .expect("no thread panics while it waits")
                .recv();
            let Ok(program) = next else { return };
            let attempt = program.attempt;
            let result = self.spawn(&program, &mut stack);
            let tried = Tried {
                attempt,
                at: clock::now(),
                result,
            };
            if self.done.send(tried).is_err() {
                return;
            }
            // Fails only when it rings already, 2^64 times.
            let _rings = self.bell.write(1);
        }
    }

    fn spawn(&self, program: &Program, stack: &mut Stack) -> Result<Spawned, Failed> {
        let failed = |error| Failed { pid: None, error };
        let no_process = |errno| failed(Error::Process(Cause(errno)));
        let prepared = Prepared::new(program).map_err(failed)?;
        let (output, write_end) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(no_process)?;
        // Only our end: the job's must block.
        nix::fcntl::fcntl(&output, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(no_process)?;
        let group = self
            .groups
            .take(&program.resources)
            .map_err(|errno| failed(Error::Group(Cause(errno))))?;
        let uptime_ms = clock::uptime_ms();
        let joined = group.as_ref().map_or_else(Vec::new, Group::doors);
        match prepared.spawn(stack, write_end.as_fd(), self.null.as_fd(), &joined) {
            Ok(pid) => match super::spawn::pidfd(pid) {
                Ok(pidfd) => Ok(Spawned {
                    pid,
                    pidfd,
                    uptime_ms,
                    output,
                    group,
                }),
                Err(errno) => {
                    super::spawn::kill_session(pid);
                    if let Some(group) = group {
                        self.groups.give_back(group);
                    }
                    Err(Failed {
                        pid: Some(pid),
                        error: Error::Process(Cause(errno)),
                    })
                }
            },
            Err((pid, error)) => {
                if let Some(group) = group {
                    self.groups.give_back(group);
                }
                Err(Failed { pid, error })
            }
        }
    }
}
