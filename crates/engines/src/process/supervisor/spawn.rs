//! Starts a program: the one place with raw system calls.
//!
//! As `posix_spawn` does it, the child shares our memory until it calls `exec` (`CLONE_VM | CLONE_VFORK`), so its cost does not depend on our size,
//! and it leaves word in that memory when a step fails, so no failure to start is lost. `posix_spawn` itself knows
//! neither control groups nor users, limits and folders.
//!
//! Between `clone` and `exec` the child may only make system calls: no allocation, no lock, no libc function that does more than one call
//! (`setuid` of libc would change the user of our other threads). All it needs is made ready in [`Prepared`]. Start with [`Prepared::spawn`].
//! What follows a start (signals, reaping) is at the end.
//!
//! Long because all unsafe system calls are kept together.

use std::ffi::{CString, c_char, c_int, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use batchyard_core::launch::Ulimit;
use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::process::account::Account;
use crate::process::protocol::Program;

/// Bytes of the child's stack: it calls nothing deep.
const STACK_BYTES: usize = 64 * 1024;

/// Where programs are looked for if the job's environment has no PATH.
const PATH_DEFAULT: &str = "/usr/local/bin:/usr/bin:/bin";

/// Memory for the child's stack, used again for the next child.
#[derive(Debug)]
pub(super) struct Stack(Vec<u128>);

/// All that the child needs, in the form the kernel takes it.
#[derive(Debug)]
pub(super) struct Prepared {
    name: String,
    /// What to try, in order of PATH.
    candidates: Vec<CString>,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    directory: CString,
    directory_shown: PathBuf,
    limits: Vec<(c_int, libc::rlimit, String)>,
    account: Option<Account>,
}

/// The program was not started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    #[error("{what} contains a NUL character")]
    Nul { what: &'static str },
    #[error("no command given")]
    NoCommand,
    #[error("unknown ulimit {0:?}")]
    UnknownLimit(String),
    #[error("exec {name:?}: {errno}")]
    Exec { name: String, errno: Cause },
    #[error("chdir to {directory:?}: {errno}")]
    Directory { directory: PathBuf, errno: Cause },
    #[error("set ulimit {name}: {errno}")]
    Limit { name: String, errno: Cause },
    #[error("run as user {name:?}: {errno}")]
    User { name: String, errno: Cause },
    #[error("join the control group: {0}")]
    Group(Cause),
    #[error("make a process: {0}")]
    Process(Cause),
}

/// An error number in words that begin in lower case, as in the middle of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cause(pub(super) Errno);

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.0.desc();
        let mut characters = text.chars();
        match characters.next() {
            Some(first) => write!(f, "{}{}", first.to_ascii_lowercase(), characters.as_str()),
            None => Ok(()),
        }
    }
}

impl Stack {
    /// A new one.
    pub(super) fn new() -> Stack {
        Stack(vec![0; STACK_BYTES / size_of::<u128>()])
    }

    /// Stacks grow downwards on every architecture that we run on.
    fn top(&mut self) -> *mut c_void {
        self.0.as_mut_ptr_range().end.cast()
    }
}

impl Prepared {
    /// Makes all ready, looking at nothing but the program's own words.
    pub(super) fn new(program: &Program) -> Result<Prepared, Error> {
        let Program {
            command,
            environment,
            directory,
            ulimits,
            account,
            attempt: _,
            resources: _,
            stream: _,
        } = program;
        let name = command
            .first()
            .filter(|name| !name.is_empty())
            .ok_or(Error::NoCommand)?;
        let text = |text: &str, what| CString::new(text).map_err(|_| Error::Nul { what });
        let path = environment.iter().find(|variable| variable.name == "PATH");
        let path = path.map_or(PATH_DEFAULT, |variable| &variable.value);
        Ok(Prepared {
            name: name.clone(),
            candidates: candidates(name, path)?,
            arguments: command
                .iter()
                .map(|word| text(word, "an argument"))
                .collect::<Result<_, _>>()?,
            environment: environment
                .iter()
                .map(|variable| text(&format!("{}={}", variable.name, variable.value), "a variable"))
                .collect::<Result<_, _>>()?,
            directory: CString::new(directory.as_os_str().as_bytes())
                .map_err(|_| Error::Nul { what: "the folder" })?,
            directory_shown: directory.clone(),
            // Our own limit of open files is raised; a job gets what we were given, unless it says otherwise.
            limits: std::iter::once(Ok(open_files_given()))
                .chain(ulimits.iter().map(limit))
                .collect::<Result<_, _>>()?,
            account: account.clone(),
        })
    }

    /// Starts the program with `output` as standard output and error and `null` as input, in a session of its own, in the groups
    /// whose `cgroup.procs` are open as `groups`. Its pid; it is a child of this process, to be reaped by the caller, also after some failures:
    /// then the pid is in the error's place.
    pub(super) fn spawn(
        &self,
        stack: &mut Stack,
        output: BorrowedFd<'_>,
        null: BorrowedFd<'_>,
        groups: &[RawFd],
    ) -> Result<i32, (Option<i32>, Error)> {
        let pointers = |texts: &[CString]| -> Vec<*const c_char> {
            texts
                .iter()
                .map(|text| text.as_ptr())
                .chain([std::ptr::null()])
                .collect()
        };
        let users_groups: Vec<libc::gid_t> = self
            .account
            .iter()
            .flat_map(|account| account.groups.clone())
            .collect();
        let (arguments, environment) = (pointers(&self.arguments), pointers(&self.environment));
        let mut child = Child {
            prepared: self,
            arguments: &arguments,
            environment: &environment,
            users_groups: &users_groups,
            output: output.as_raw_fd(),
            null: null.as_raw_fd(),
            groups,
            failure: None,
        };
        // SAFETY: the child runs `run_child` on a stack of its own that outlives it, because CLONE_VFORK suspends this thread until the child
        // has called exec or ended; until then it only reads what `child` borrows and writes `failure`, which nobody else touches.
        let pid = unsafe {
            libc::clone(
                run_child,
                stack.top(),
                libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
                (&raw mut child).cast(),
            )
        };
        if pid < 0 {
            return Err((None, Error::Process(Cause(Errno::last()))));
        }
        match child.failure {
            None => Ok(pid),
            Some((step, errno)) => Err((Some(pid), self.explain(step, Cause(Errno::from_raw(errno))))),
        }
    }

    fn explain(&self, step: Step, errno: Cause) -> Error {
        match step {
            Step::Process => Error::Process(errno),
            Step::Group => Error::Group(errno),
            Step::Limit(index) => Error::Limit {
                name: self.limits[index].2.clone(),
                errno,
            },
            Step::User => Error::User {
                name: self
                    .account
                    .as_ref()
                    .map_or_else(String::new, |account| account.name.clone()),
                errno,
            },
            Step::Directory => Error::Directory {
                directory: self.directory_shown.clone(),
                errno,
            },
            Step::Exec => Error::Exec {
                name: self.name.clone(),
                errno,
            },
        }
    }
}

/// What the child was doing when it failed.
#[derive(Clone, Copy, Debug)]
enum Step {
    Process,
    Group,
    Limit(usize),
    User,
    Directory,
    Exec,
}

/// What parent and child share.
struct Child<'a> {
    prepared: &'a Prepared,
    arguments: &'a [*const c_char],
    environment: &'a [*const c_char],
    users_groups: &'a [libc::gid_t],
    output: RawFd,
    null: RawFd,
    groups: &'a [RawFd],
    failure: Option<(Step, c_int)>,
}

extern "C" fn run_child(argument: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes a pointer to a `Child` that lives while this runs, and does not touch it meanwhile.
    let child = unsafe { &mut *argument.cast::<Child<'_>>() };
    let step = become_program(child);
    child.failure = Some((step, Errno::last_raw()));
    // SAFETY: ends the child without running anything of the parent's.
    unsafe { libc::_exit(127) }
}

/// Does all steps in order and ends in `exec`; returns only the step that failed, with its reason in `errno`.
fn become_program(child: &Child<'_>) -> Step {
    let Child {
        prepared,
        arguments,
        environment,
        users_groups,
        output,
        null,
        groups,
        failure: _,
    } = child;
    // SAFETY: only system calls, with pointers to memory that `child` borrows. The dispositions and the mask are the child's own, as CLONE_SIGHAND
    // is not set, and so are the file descriptors, as CLONE_FILES is not.
    unsafe {
        if libc::setsid() < 0 {
            return Step::Process;
        }
        for group in *groups {
            if libc::write(*group, c"0".as_ptr().cast(), 1) != 1 {
                return Step::Group;
            }
        }
        for (index, (resource, limit, _)) in prepared.limits.iter().enumerate() {
            let resource = *resource;
            if libc::syscall(libc::SYS_prlimit64, 0, resource, &raw const *limit, 0) != 0 {
                return Step::Limit(index);
            }
        }
        if let Some(Account { uid, gid, .. }) = &prepared.account {
            // The calls and not libc's functions, which would change all threads of the parent.
            if libc::syscall(libc::SYS_setgroups, users_groups.len(), users_groups.as_ptr()) != 0
                || libc::syscall(libc::SYS_setresgid, *gid, *gid, *gid) != 0
                || libc::syscall(libc::SYS_setresuid, *uid, *uid, *uid) != 0
            {
                return Step::User;
            }
        }
        if libc::chdir(prepared.directory.as_ptr()) != 0 {
            return Step::Directory;
        }
        if libc::dup2(*null, 0) < 0
            || libc::dup2(*output, 1) < 0
            || libc::dup2(*output, 2) < 0
            || libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) != 0
        {
            return Step::Process;
        }
        // The supervisor ignores SIGPIPE and nothing else, and ignoring is inherited.
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        execute(&prepared.candidates, arguments, environment);
    }
    Step::Exec
}

/// Tries the candidates in order. As shells do: what is not there is passed over, and "permission denied" is told only if nothing else was found.
///
/// # Safety
/// Both lists must be of C strings and end with a null pointer.
unsafe fn execute(candidates: &[CString], arguments: &[*const c_char], environment: &[*const c_char]) {
    let mut was_denied = false;
    for candidate in candidates {
        // SAFETY: the caller's promise.
        unsafe { libc::execve(candidate.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
        match Errno::last_raw() {
            libc::EACCES => was_denied = true,
            libc::ENOENT | libc::ENOTDIR => {}
            _ => return,
        }
    }
    if was_denied {
        Errno::EACCES.set();
    }
}

/// Where a program may be: as it is named if there is a slash in it, else in every folder of the path.
fn candidates(name: &str, path: &str) -> Result<Vec<CString>, Error> {
    let text = |text: String| CString::new(text).map_err(|_| Error::Nul { what: "the command" });
    if name.contains('/') {
        return Ok(vec![text(name.to_owned())?]);
    }
    let in_folder = |folder: &str| match folder {
        "" => format!("./{name}"),
        folder => format!("{folder}/{name}"),
    };
    path.split(':').map(|folder| text(in_folder(folder))).collect()
}

/// The limit of open files that we were started with.
static OPEN_FILES: std::sync::OnceLock<libc::rlimit> = std::sync::OnceLock::new();

/// Raises our limit of open files to the most that is allowed: each job has two.
pub(super) fn raise_open_files() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: writes to and reads from one structure of ours.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            OPEN_FILES.get_or_init(|| limit);
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

fn open_files_given() -> (c_int, libc::rlimit, String) {
    let resource = c_int::try_from(libc::RLIMIT_NOFILE).expect("there are sixteen resources");
    let usual = libc::rlimit {
        rlim_cur: 1024,
        rlim_max: 1024,
    };
    (resource, *OPEN_FILES.get().unwrap_or(&usual), "nofile".to_owned())
}

/// A server that goes away must not kill us.
pub(super) fn ignore_broken_pipes() {
    // SAFETY: no handler of ours is replaced.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
}

/// A descriptor that is readable when the process, a child of ours that is not reaped, has ended.
pub(super) fn pidfd(pid: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: the call gives a new descriptor that nobody else owns.
    unsafe {
        let descriptor = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        match c_int::try_from(descriptor) {
            Ok(descriptor) if descriptor >= 0 => Ok(OwnedFd::from_raw_fd(descriptor)),
            _ => Err(Errno::last()),
        }
    }
}

/// Reaps a child of ours that has ended or is about to: its exit code, 128 + n for a death by signal n.
pub(super) fn reap(pid: i32) -> i32 {
    loop {
        match waitpid(Pid::from_raw(pid), None) {
            Ok(WaitStatus::Exited(_, code)) => return code,
            Ok(WaitStatus::Signaled(_, signal, _)) => return 128 + signal as i32,
            Ok(_) | Err(Errno::EINTR) => {}
            // Not a child of ours: nobody knows how it ended.
            Err(_) => return 255,
        }
    }
}

/// Asks the processes of a program's group to end. Only while the program is not reaped.
pub(super) fn terminate_session(pid: i32) {
    signal_session(pid, Signal::SIGTERM);
    // Who is stopped cannot end.
    signal_session(pid, Signal::SIGCONT);
}

/// Kills the processes of a program's group. Only while the program is not reaped.
pub(super) fn kill_session(pid: i32) {
    signal_session(pid, Signal::SIGKILL);
}

fn signal_session(pid: i32, signal: Signal) {
    // A program leads the group of its own number. That nobody is left is what is wanted.
    let _nobody_is_left = killpg(Pid::from_raw(pid), signal);
}

/// Kills every process of a program's session, also those that have left its group. Only while the program is not reaped. Looks at all
/// processes of the host.
pub(super) fn kill_whole_session(pid: i32) {
    for process in processes() {
        if session_and_start(process).is_some_and(|(session, _)| session == pid) {
            // It may have ended by itself.
            let _has_ended = nix::sys::signal::kill(Pid::from_raw(process), Signal::SIGKILL);
        }
    }
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Kills what an earlier supervisor's job left: every process of its session. Whether the number is still the job's is told by when its
/// process started; where that has ended already, others of the session are told by the session's number.
pub(super) fn kill_leftover(pid: i32, uptime_ms: u64) {
    /// Between asking for the time and the kernel's making the process, and for the grain of the kernel's clock.
    const TOLERANCE_MS: u64 = 2_000;
    for process in processes() {
        let Some((session, started_ms)) = session_and_start(process) else {
            continue;
        };
        let is_leader_of_later_job = process == pid && started_ms.abs_diff(uptime_ms) > TOLERANCE_MS;
        if is_leader_of_later_job {
            return;
        }
        if session == pid && started_ms + TOLERANCE_MS >= uptime_ms {
            // It may have ended by itself.
            let _has_ended = nix::sys::signal::kill(Pid::from_raw(process), Signal::SIGKILL);
        }
    }
}

/// The session of a process, and when it started in milliseconds since the host did.
fn session_and_start(pid: i32) -> Option<(i32, u64)> {
    /// Of the fields in `/proc`, on every architecture of Linux.
    const TICKS_PER_SECOND: u64 = 100;
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may have spaces and parentheses in it.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let session = fields.get(3)?.parse().ok()?;
    let ticks: u64 = fields.get(19)?.parse().ok()?;
    Some((session, ticks * 1000 / TICKS_PER_SECOND))
}

fn limit(ulimit: &Ulimit) -> Result<(c_int, libc::rlimit, String), Error> {
    let Ulimit { name, soft, hard } = ulimit;
    let resource = match name.as_str() {
        "core" => libc::RLIMIT_CORE,
        "cpu" => libc::RLIMIT_CPU,
        "data" => libc::RLIMIT_DATA,
        "fsize" => libc::RLIMIT_FSIZE,
        "locks" => libc::RLIMIT_LOCKS,
        "memlock" => libc::RLIMIT_MEMLOCK,
        "msgqueue" => libc::RLIMIT_MSGQUEUE,
        "nice" => libc::RLIMIT_NICE,
        "nofile" => libc::RLIMIT_NOFILE,
        "nproc" => libc::RLIMIT_NPROC,
        "rss" => libc::RLIMIT_RSS,
        "rtprio" => libc::RLIMIT_RTPRIO,
        "rttime" => libc::RLIMIT_RTTIME,
        "sigpending" => libc::RLIMIT_SIGPENDING,
        "stack" => libc::RLIMIT_STACK,
        _ => return Err(Error::UnknownLimit(name.clone())),
    };
    let resource = c_int::try_from(resource).expect("there are sixteen resources");
    // -1 is unlimited, as is whatever is below.
    let value = |value: i64| libc::rlim_t::try_from(value).unwrap_or(libc::RLIM_INFINITY);
    let limit = libc::rlimit {
        rlim_cur: value(*soft),
        rlim_max: value(*hard),
    };
    Ok((resource, limit, name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::supervisor::clock;

    /// A child that leads a session of its own.
    fn sleeper() -> i32 {
        let child = std::process::Command::new("setsid")
            .args(["sleep", "1000"])
            .spawn();
        let pid = i32::try_from(child.expect("util-linux is there").id()).expect("a pid fits");
        while session_and_start(pid).is_none_or(|(session, _)| session != pid) {
            std::thread::yield_now();
        }
        pid
    }

    /// Where there are control groups they find left-over processes first, so that only here it shows.
    #[test]
    fn a_left_over_session_is_killed_and_a_later_one_of_the_same_number_is_not() {
        let started_ms = clock::uptime_ms();
        let (left, later) = (sleeper(), sleeper());
        kill_leftover(left, started_ms);
        kill_leftover(later, started_ms.saturating_sub(60_000));
        assert_eq!(reap(left), 128 + libc::SIGKILL);
        terminate_session(later);
        assert_eq!(reap(later), 128 + libc::SIGTERM);
    }
}
