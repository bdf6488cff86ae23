//! What the supervisor waits for: one epoll over the socket, the connection, the spawners' bell, and each job's pipe and pidfd.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Instant;

use batchyard_core::id::AttemptKey;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::process::socket;

const KNOCK: u64 = 0;
const CONNECTION: u64 = 1;
const BELL: u64 = 2;
/// Tokens of jobs: even ones for pipes, the odd one after it for the pidfd.
const JOBS: u64 = 16;

/// Events taken at once.
const EVENTS_MAX: usize = 256;

/// Something happened.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A server connects.
    Knock,
    /// The server says something, takes something, or is gone.
    Connection,
    /// A launch was tried.
    Bell,
    /// A job wrote something.
    Output(AttemptKey),
    /// A program ended.
    Exit(AttemptKey),
}

#[derive(Debug)]
pub(super) struct Events {
    epoll: Epoll,
    listener: UnixListener,
    jobs: HashMap<u64, AttemptKey>,
    tokens: HashMap<AttemptKey, u64>,
    next_token: u64,
}

impl Events {
    pub(super) fn new(directory: &Path) -> io::Result<Events> {
        let listener = socket::listen(directory)?;
        listener.set_nonblocking(true)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, KNOCK))?;
        Ok(Events {
            epoll,
            listener,
            jobs: HashMap::new(),
            tokens: HashMap::new(),
            next_token: JOBS,
        })
    }

    pub(super) fn watch_bell(&self, bell: BorrowedFd<'_>) -> io::Result<()> {
        Ok(self.epoll.add(bell, EpollEvent::new(EpollFlags::EPOLLIN, BELL))?)
    }

    /// Waits until something happens, or until `until`.
    pub(super) fn wait(&self, until: Instant) -> Vec<Event> {
        let left = until.saturating_duration_since(Instant::now());
        // Rounded up, or the last millisecond would be spent turning round.
        let millis = i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        let timeout = EpollTimeout::try_from(millis).unwrap_or(EpollTimeout::MAX);
        let mut found = [EpollEvent::empty(); EVENTS_MAX];
        // Interrupted is as good as nothing.
        let count = self.epoll.wait(&mut found, timeout).unwrap_or(0);
        found[..count]
            .iter()
            .filter_map(|event| self.event(event.data()))
            .collect()
    }

    fn event(&self, token: u64) -> Option<Event> {
        match token {
            KNOCK => Some(Event::Knock),
            CONNECTION => Some(Event::Connection),
            BELL => Some(Event::Bell),
            _ => {
                let attempt = *self.jobs.get(&(token & !1))?;
                Some(if token & 1 == 0 {
                    Event::Output(attempt)
                } else {
                    Event::Exit(attempt)
                })
            }
        }
    }

    /// The next server that connects.
    pub(super) fn accept(&self) -> Option<UnixStream> {
        self.listener.accept().ok().map(|(stream, _)| stream)
    }

    pub(super) fn watch_connection(&self, stream: &UnixStream) -> io::Result<()> {
        Ok(self
            .epoll
            .add(stream, EpollEvent::new(EpollFlags::EPOLLIN, CONNECTION))?)
    }

    /// Whether it is told when the connection takes more.
    pub(super) fn await_room(&self, stream: &UnixStream, awaits: bool) {
        let flags = match awaits {
            true => EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT,
            false => EpollFlags::EPOLLIN,
        };
        // Fails only for descriptors that are not watched.
        let _was_unwatched = self.epoll.modify(stream, &mut EpollEvent::new(flags, CONNECTION));
    }

    /// Nobody finds us any more.
    pub(super) fn stop_listening(&self, directory: &Path) {
        socket::remove(directory);
    }

    /// Watches a job's pipe and pidfd.
    pub(super) fn watch_job(
        &mut self,
        attempt: AttemptKey,
        output: BorrowedFd<'_>,
        pidfd: BorrowedFd<'_>,
    ) -> io::Result<()> {
        let token = self.next_token;
        self.next_token += 2;
        self.jobs.insert(token, attempt);
        self.tokens.insert(attempt, token);
        self.epoll
            .add(output, EpollEvent::new(EpollFlags::EPOLLIN, token))?;
        self.epoll
            .add(pidfd, EpollEvent::new(EpollFlags::EPOLLIN, token | 1))?;
        Ok(())
    }

    /// Whether a job's pipe is read.
    pub(super) fn listen_to_output(&self, attempt: AttemptKey, output: BorrowedFd<'_>, listens: bool) {
        let Some(token) = self.tokens.get(&attempt) else {
            return;
        };
        let flags = match listens {
            true => EpollFlags::EPOLLIN,
            false => EpollFlags::empty(),
        };
        if listens || !self.is_hung_up(output) {
            // Fails only for descriptors that are not watched.
            let _was_unwatched = self.epoll.modify(output, &mut EpollEvent::new(flags, *token));
            return;
        }
        // A hang-up is always reported: out with it until it is listened to again.
        let _was_unwatched = self.epoll.delete(output);
    }

    /// Listens again to a pipe that may have been taken out.
    pub(super) fn listen_again(&self, attempt: AttemptKey, output: BorrowedFd<'_>) {
        let Some(token) = self.tokens.get(&attempt) else {
            return;
        };
        let mut event = EpollEvent::new(EpollFlags::EPOLLIN, *token);
        if self.epoll.modify(output, &mut event).is_err() {
            let _is_watched = self.epoll.add(output, event);
        }
    }

    /// The program was reaped: its pidfd is of no more interest.
    pub(super) fn unwatch(&self, descriptor: impl AsFd) {
        let _was_unwatched = self.epoll.delete(descriptor);
    }

    /// Nothing more is expected of a job.
    pub(super) fn forget_job(&mut self, attempt: AttemptKey) {
        if let Some(token) = self.tokens.remove(&attempt) {
            self.jobs.remove(&token);
        }
    }

    /// Whether nobody holds the other end of a pipe.
    pub(super) fn is_hung_up(&self, descriptor: BorrowedFd<'_>) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        debug_assert!(descriptor.as_raw_fd() >= 0);
        let mut found = [PollFd::new(descriptor, PollFlags::empty())];
        let count = poll(&mut found, PollTimeout::ZERO).unwrap_or(0);
        count > 0
    }
}
