//! The supervisor: the process that jobs are children of, and that outlives the server.
//!
//! One thread waits for events and does everything but starting programs (`spawners.rs`): it reads the jobs' pipes, writes the
//! [spool](super::spool), reaps, stops and kills, and talks to the server when there is one. Nothing it does waits for a server.
//!
//! It decides nothing about jobs and knows nothing of the API. Start with [`supervise`], then [`Supervisor::run`]; `job.rs` has the states of
//! a job, the other files what happens to it: `launch`, `output`, `end`, `stop`; `recover` is the start after a predecessor's death.

mod cgroup;
mod clock;
mod connection;
mod end;
mod events;
mod job;
mod launch;
mod output;
mod recover;
mod requests;
mod spawn;
mod spawners;
mod stop;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use batchyard_core::id::AttemptKey;

use super::limits;
use super::protocol::Program;
use super::spool;
use cgroup::Groups;
use connection::Connection;
use events::{Event, Events};
use job::{Job, Timer};
use spawners::Spawners;

/// The supervisor cannot work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory or something in it cannot be used.
    #[error("use {path}")]
    Directory {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The spool cannot be used.
    #[error("use the spool")]
    Spool(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The system refuses something basic.
    #[error("{what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Supervises the jobs of this directory until there is nothing to do for a while, or the directory is gone. Returns at once where another
/// process does so already.
///
/// # Errors
/// When it cannot begin. What goes wrong later is written to the log, and the work goes on.
pub fn supervise(directory: &Path) -> Result<(), Error> {
    let of_directory = |source| Error::Directory {
        path: directory.to_owned(),
        source,
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(of_directory)?;
    let directory = std::fs::canonicalize(directory).map_err(of_directory)?;
    let Some(lock) = lock(&directory)? else {
        return Ok(());
    };
    detach()?;
    let mut supervisor = Supervisor::new(directory, lock)?;
    supervisor.recover()?;
    supervisor.run();
    supervisor.groups.remove_all();
    Ok(())
}

/// All that the one thread owns.
struct Supervisor {
    directory: PathBuf,
    /// Device and inode of the directory: whether it is still the same one.
    identity: (u64, u64),
    events: Events,
    connection: Option<Connection>,
    spawners: Spawners,
    groups: Arc<Groups>,
    spool: spool::Writer,
    /// The position up to which the server has consumed the spool.
    consumed: spool::Position,
    /// Until when the disk is left alone after it refused to be written.
    disk_refuses_until: Option<Instant>,
    jobs: BTreeMap<AttemptKey, Job>,
    /// Launches that wait for their turn.
    waiting: VecDeque<Box<Program>>,
    timers: BTreeSet<(Instant, AttemptKey, Timer)>,
    /// Jobs whose pipes are not read because of what is unread already.
    paused: BTreeSet<AttemptKey>,
    /// Bytes of output that the server has not consumed, over all jobs.
    unread: u64,
    next_directory_check: Instant,
    idle_since: Option<Instant>,
    is_told_to_end: bool,
    _lock: File,
}

impl Supervisor {
    fn new(directory: PathBuf, lock: File) -> Result<Supervisor, Error> {
        let system = |what| move |source| Error::System { what, source };
        let null = File::open("/dev/null").map_err(system("open /dev/null"))?;
        let metadata = std::fs::metadata(&directory).map_err(|source| Error::Directory {
            path: directory.clone(),
            source,
        })?;
        let identity = (metadata.dev(), metadata.ino());
        let groups = Arc::new(Groups::find(&format!(
            "batchyard-{:x}-{:x}",
            identity.0, identity.1
        )));
        let events = Events::new(&directory).map_err(system("listen for the server"))?;
        let spawners = Spawners::start(OwnedFd::from(null), Arc::clone(&groups))
            .map_err(system("start the threads that start programs"))?;
        events
            .watch_bell(spawners.bell())
            .map_err(system("listen to the threads that start programs"))?;
        let spool = spool::Writer::open(&directory).map_err(|error| Error::Spool(error.into()))?;
        Ok(Supervisor {
            directory,
            identity,
            events,
            connection: None,
            spawners,
            groups,
            spool,
            consumed: spool::Position::default(),
            disk_refuses_until: None,
            jobs: BTreeMap::new(),
            waiting: VecDeque::new(),
            timers: BTreeSet::new(),
            paused: BTreeSet::new(),
            unread: 0,
            next_directory_check: Instant::now() + limits::DIRECTORY_CHECK,
            idle_since: None,
            is_told_to_end: false,
            _lock: lock,
        })
    }

    fn run(&mut self) {
        loop {
            for event in self.events.wait(self.next_wake()) {
                match event {
                    Event::Knock => self.accept(),
                    Event::Connection => self.serve_connection(),
                    Event::Bell => self.take_spawned(),
                    Event::Output(attempt) => self.read_output(attempt),
                    Event::Exit(attempt) => self.program_ended(attempt),
                }
            }
            let now = Instant::now();
            self.fire_timers(now);
            self.start_waiting();
            self.write_spool(now);
            self.send();
            if now >= self.next_directory_check {
                self.next_directory_check = now + limits::DIRECTORY_CHECK;
                if !self.is_directory_there() {
                    tracing::warn!("the directory is gone; killing all jobs");
                    self.kill_all();
                    return;
                }
            }
            if self.may_end(now) {
                self.events.stop_listening(&self.directory);
                return;
            }
        }
    }

    /// When to wake though nothing happens.
    fn next_wake(&self) -> Instant {
        let timer = self.timers.first().map(|(at, _, _)| *at);
        let idle = self.idle_since.map(|since| since + limits::IDLE_END);
        [timer, idle, self.disk_refuses_until]
            .into_iter()
            .flatten()
            .fold(self.next_directory_check, Instant::min)
    }

    fn fire_timers(&mut self, now: Instant) {
        while let Some((at, attempt, timer)) = self.timers.first().copied() {
            if at > now {
                return;
            }
            self.timers.pop_first();
            match timer {
                Timer::ShowPartialLine => self.show_partial_line(attempt),
                Timer::Kill => self.kill(attempt),
                Timer::GiveUpOutput => self.finish(attempt),
            }
        }
    }

    /// Writes what waits to the spool, and tells the server how far it reaches.
    fn write_spool(&mut self, now: Instant) {
        if self.disk_refuses_until.is_some_and(|until| until > now) {
            return;
        }
        let before = self.spool.position();
        let was_refused = self.disk_refuses_until.take().is_some();
        if let Err(error) = self.spool.write() {
            if !was_refused {
                tracing::warn!(%error, cause = ?std::error::Error::source(&error), "the spool cannot be written; trying again");
            }
            self.disk_refuses_until = Some(now + limits::DISK_RETRY);
        } else {
            if was_refused {
                tracing::info!("the spool can be written again");
            }
            // Jobs may have waited for this write only: without a server nothing else would let them go on.
            self.resume_paused();
        }
        if self.spool.position() != before {
            self.tell_written();
        }
    }

    fn is_directory_there(&self) -> bool {
        let metadata = std::fs::metadata(&self.directory);
        metadata.is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity)
    }

    /// Whether there has been nothing to do and nothing to keep for long enough, and nobody is there to ask for more.
    fn may_end(&mut self, now: Instant) -> bool {
        let is_idle = self.jobs.is_empty() && self.waiting.is_empty() && self.spool.unwritten() == 0;
        if !is_idle || (self.connection.is_some() && !self.is_told_to_end) {
            self.idle_since = None;
            return false;
        }
        let since = *self.idle_since.get_or_insert(now);
        self.is_told_to_end || now.duration_since(since) >= limits::IDLE_END
    }
}

/// Takes the lock of the directory; `None` where another supervisor has it.
fn lock(directory: &Path) -> Result<Option<File>, Error> {
    let path = directory.join("lock");
    let failed = |source| Error::Directory {
        path: path.clone(),
        source,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Leaves whoever started us: their terminal's signals, folder and file mask are not ours.
fn detach() -> Result<(), Error> {
    let system = |what| move |source: std::io::Error| Error::System { what, source };
    // Fails only where we lead a session already.
    let _leads_already = nix::unistd::setsid();
    std::env::set_current_dir("/").map_err(system("change to /"))?;
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    spawn::ignore_broken_pipes();
    spawn::raise_open_files();
    Ok(())
}
