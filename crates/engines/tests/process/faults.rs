//! Kills of either side, at any moment.
//!
//! A server is a runtime of its own here: shutting that down ends its tasks wherever they wait, as a kill does.

use std::sync::Arc;

use batchyard_core::id::AttemptKey;
use batchyard_core::report::Report;
use batchyard_core::time::Millis;
use tokio::runtime::Runtime;

use crate::site::{Folder, Job, Memory, PATIENCE, Site, running};

/// A server that can be killed and started again.
struct Server {
    runtime: Option<Runtime>,
    site: Option<Site>,
    folder: Arc<Folder>,
    logs: Arc<Memory>,
}

impl Server {
    fn new() -> Server {
        let mut server = Server {
            runtime: None,
            site: None,
            folder: Folder::new(),
            logs: Arc::default(),
        };
        server.start();
        server
    }

    fn start(&mut self) {
        let runtime = Runtime::new().unwrap();
        let site = runtime.block_on(Site::over(Arc::clone(&self.folder), Arc::clone(&self.logs)));
        (self.runtime, self.site) = (Some(runtime), Some(site));
    }

    fn kill(&mut self) {
        self.runtime.take().unwrap().shutdown_timeout(PATIENCE);
        self.site = None;
    }

    /// Does something with the server that runs.
    fn with<T>(&mut self, act: impl AsyncFnOnce(&mut Site) -> T) -> T {
        let site = self.site.as_mut().unwrap();
        self.runtime.as_ref().unwrap().block_on(act(site))
    }

    fn launch(&mut self, job: &Job) -> AttemptKey {
        self.with(async |site| site.launch(job).await)
    }

    fn recover(&mut self, attempts: &[AttemptKey]) -> Vec<AttemptKey> {
        let current: Vec<_> = attempts.iter().map(|attempt| running(*attempt)).collect();
        let known = self.with(async |site| site.recover(&current).await);
        known.into_iter().collect()
    }

    fn exit_code(&mut self, attempt: AttemptKey) -> Option<i32> {
        self.with(async |site| site.end_of(attempt).await).exit_code
    }
}

#[test]
fn jobs_that_write_while_servers_are_killed_lose_and_double_nothing() {
    const LINES: usize = 20_000;
    const KILLS: usize = 6;
    let mut server = Server::new();
    let script = format!("i=0; while [ $i -lt {LINES} ]; do echo line $i; i=$((i+1)); done; exit 7");
    let attempts: Vec<_> = (0..3).map(|_| server.launch(&Job::sh(&script))).collect();
    for kill in 0..KILLS {
        let wanted = kill * LINES / (KILLS + 2);
        wait_until(|| server.logs.lines(attempts[0]).len() > wanted);
        server.kill();
        server.start();
        assert_eq!(server.recover(&attempts), attempts);
    }
    let mut open = attempts.clone();
    while !open.is_empty() {
        let (attempt, report) = server.with(async |site| site.next().await);
        if let Report::Exited { exit_code, .. } = report {
            assert_eq!(exit_code, Some(7));
            open.retain(|one| *one != attempt);
        }
    }
    let expected: Vec<String> = (0..LINES).map(|line| format!("line {line}")).collect();
    for attempt in attempts {
        assert!(
            server.logs.lines(attempt) == expected,
            "the output of {attempt} is not what was written"
        );
    }
}

#[test]
fn start_and_end_are_told_again_until_they_are_forgotten() {
    let mut server = Server::new();
    let attempt = server.launch(&Job::sh("echo hi; exit 9"));
    server.exit_code(attempt);
    for _ in 0..3 {
        server.kill();
        server.start();
        assert_eq!(server.recover(&[attempt]), [attempt]);
        let outcome = server.with(async |site| site.end_of(attempt).await);
        assert_eq!(outcome.summary(), "started, exit 9, reason -\n| hi");
    }
    server.with(async |site| site.forget(attempt).await);
    assert_eq!(server.recover(&[attempt]), []);
}

#[test]
fn a_job_is_killed_when_its_grace_is_over_though_no_server_runs() {
    let mut server = Server::new();
    let attempt = server.launch(&Job::sh("trap '' TERM; echo $$; while :; do sleep 0.01; done"));
    wait_until(|| !server.logs.lines(attempt).is_empty());
    let pid = server.logs.lines(attempt)[0].parse().unwrap();
    server.with(async |site| site.stop(attempt, Millis::new(100)).await);
    // The supervisor has taken the order when it answers what comes after it.
    server.recover(&[attempt]);
    server.kill();
    wait_until(|| !is_alive(pid));
    server.start();
    server.recover(&[attempt]);
    assert_eq!(server.exit_code(attempt), Some(137));
}

#[test]
fn both_sides_may_be_killed() {
    let mut server = Server::new();
    let ended = server.launch(&Job::sh("echo complete; exit 6"));
    server.exit_code(ended);
    let lost = server.launch(&Job::new(["sleep", "1000"]));
    server.with(async |site| site.started(lost).await);
    let supervisor = server.folder.supervisor_pid();
    server.kill();
    kill_hard(supervisor);
    wait_until(|| !is_alive(supervisor));
    server.start();
    assert_eq!(server.recover(&[ended, lost]), [ended, lost]);
    let mut told = std::collections::BTreeMap::new();
    while told.len() < 2 {
        match server.with(async |site| site.next().await) {
            (_, Report::Started { .. }) => {}
            (attempt, Report::Exited { exit_code, .. }) => _ = told.insert(attempt, format!("{exit_code:?}")),
            (attempt, report) => _ = told.insert(attempt, format!("{report:?}").chars().take(4).collect()),
        }
    }
    assert_eq!(told[&ended], "Some(6)");
    assert_eq!(told[&lost], "Lost");
    assert_eq!(server.logs.lines(ended), ["complete"]);
}

#[test]
fn a_folder_has_one_supervisor_which_ends_with_it_and_leaves_nothing() {
    let mut server = Server::new();
    let attempt = server.launch(&Job::sh("echo $$; exec sleep 1000"));
    wait_until(|| !server.logs.lines(attempt).is_empty());
    let pid = server.logs.lines(attempt)[0].parse().unwrap();
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let supervisor = server.folder.supervisor_pid();
    // A second one sees the first and returns.
    batchyard_engines::process::supervise(&server.folder.supervisor()).unwrap();
    server.kill();
    assert!(is_alive(pid) && is_alive(supervisor));
    drop(server);
    wait_until(|| !is_alive(supervisor));
    assert!(!is_alive(pid));
    for group in groups
        .lines()
        .filter_map(|line| Some((line.split(':').nth(1)?, line.split_once("/batchyard-")?.1)))
    {
        let folder = format!(
            "/sys/fs/cgroup/{}/batchyard-{}",
            group.0,
            group.1.split('/').next().unwrap()
        );
        assert!(!std::path::Path::new(&folder).exists(), "{folder} is left");
    }
}

#[test]
fn a_supervisor_that_is_told_to_ends_when_it_has_nothing_left() {
    let mut server = Server::new();
    let attempt = server.launch(&Job::new(["true"]));
    server.exit_code(attempt);
    let supervisor = server.folder.supervisor_pid();
    let end = |server: &mut Server| {
        let Site { engine, .. } = server.site.take().unwrap();
        server.runtime.as_ref().unwrap().block_on(engine.end_when_idle());
    };
    end(&mut server);
    // It still has an end to tell.
    server.start();
    assert_eq!(server.folder.supervisor_pid(), supervisor);
    assert_eq!(server.recover(&[attempt]), [attempt]);
    server.with(async |site| site.forget(attempt).await);
    let began = std::time::Instant::now();
    end(&mut server);
    wait_until(|| !is_alive(supervisor));
    // By itself it would wait for the next server.
    assert!(
        began.elapsed() < std::time::Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

fn wait_until(holds: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "it does not hold in time");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.trim_start().chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

fn kill_hard(pid: i32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
}
