//! Jobs as real processes under a real supervisor.
//!
//! Nothing here waits for time to pass: tests wait for reports and lines.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "process/depth.rs"]
mod depth;
#[path = "process/faults.rs"]
mod faults;
#[path = "process/site.rs"]
mod site;

use std::path::Path;

use batchyard_core::report::Report;
use batchyard_core::time::Millis;
use expect_test::{Expect, expect};

use site::{Job, SUPERVISOR, Site, running, until};

/// No test, but the supervisor's program when an engine of these tests starts it (see `site.rs`).
#[test]
fn the_supervisor_when_asked() {
    let arguments: Vec<String> = std::env::args().collect();
    let [.., skip, directory] = arguments.as_slice() else {
        return;
    };
    if arguments.iter().any(|argument| argument == SUPERVISOR) && skip == "--skip" {
        batchyard_engines::process::supervise(Path::new(directory)).unwrap();
    }
}

async fn check(job: Job, expected: Expect) {
    let mut site = Site::new().await;
    let outcome = site.run(&job).await;
    expected.assert_eq(&outcome.summary());
}

#[tokio::test]
async fn exit_codes_and_signals_are_told() {
    check(Job::new(["true"]), expect!["started, exit 0, reason -"]).await;
    check(
        Job::sh("echo hi; exit 3"),
        expect![[r#"
        started, exit 3, reason -
        | hi"#]],
    )
    .await;
    check(Job::sh("kill -9 $$"), expect!["started, exit 137, reason -"]).await;
    check(Job::sh("kill -TERM $$"), expect!["started, exit 143, reason -"]).await;
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    check(
        Job::new(["no-such-program"]),
        expect![[r#"not started, exit -, reason not started: CannotStartContainerError: exec "no-such-program": no such file or directory"#]],
    )
    .await;
    check(
        Job::new(["/etc/passwd"]),
        expect![[r#"not started, exit -, reason not started: CannotStartContainerError: exec "/etc/passwd": permission denied"#]],
    )
    .await;
    check(
        Job::new(["true"]).directory(Path::new("/no/such/folder")),
        expect![[r#"not started, exit -, reason not started: CannotStartContainerError: chdir to "/no/such/folder": no such file or directory"#]],
    )
    .await;
    check(
        Job::new(["true"]).ulimit("nofiles", 1, 1),
        expect![[
            r#"not started, exit -, reason not started: CannotStartContainerError: unknown ulimit "nofiles""#
        ]],
    )
    .await;
}

#[tokio::test]
async fn output_comes_whole_in_order_and_with_times() {
    let mut site = Site::new().await;
    let outcome = site
        .run(&Job::sh("echo out; echo err >&2; printf 'a\\r\\n\\377\\nno end'"))
        .await;
    expect![[r#"
        started, exit 0, reason -
        | out
        | err
        | a
        | �
        | no end"#]]
    .assert_eq(&outcome.summary());
    let mut site = Site::new().await;
    let attempt = site.launch(&Job::sh("printf 'a question? '; sleep 1000")).await;
    // A line without end is shown while the job waits.
    site.until_line(attempt, "a question? ").await;
    let events = site.logs.events(attempt);
    site.stop(attempt, Millis::new(0)).await;
    let outcome = site.end_of(attempt).await;
    assert!(outcome.started_at.unwrap() <= events[0].timestamp && events[0].timestamp <= outcome.stopped_at);
    assert_eq!(outcome.lines, ["a question? "], "it is not told twice");
}

#[tokio::test]
async fn long_lines_and_much_output_lose_nothing() {
    let mut site = Site::new().await;
    let outcome = site
        .run(&Job::sh("head -c 300000 /dev/zero | tr '\\0' x; echo; echo end"))
        .await;
    let lengths: Vec<usize> = outcome.lines.iter().map(String::len).collect();
    assert_eq!(lengths, [262_118, 37_882, 3]);
    let outcome = site.run(&Job::sh("seq 1 3000000")).await;
    assert_eq!(outcome.lines.len(), 3_000_000);
    let in_order = outcome
        .lines
        .iter()
        .zip(1..)
        .all(|(line, number)| *line == number.to_string());
    assert!(in_order);
}

#[tokio::test]
async fn the_environment_is_the_given_one_and_the_usual_one() {
    let folder = tempfile::tempdir().unwrap();
    let job = Job::sh("pwd; echo $A; env | cut -d= -f1 | sort | tr '\\n' ' '; umask; ulimit -n; trap; readlink /proc/self/fd/0; ls /proc/self/fd | wc -l")
        .variable("A", "b c")
        .variable("HOME", "/elsewhere")
        .directory(folder.path())
        .ulimit("nofile", 64, 128);
    let mut site = Site::new().await;
    let summary = site.run(&job).await.summary();
    let summary = summary.replace(&folder.path().display().to_string(), "FOLDER");
    expect![[r#"
        started, exit 0, reason -
        | FOLDER
        | b c
        | A HOME LOGNAME PATH PWD SHELL USER 0022
        | 64
        | /dev/null
        | 4"#]]
    .assert_eq(&summary);
}

#[tokio::test]
async fn a_job_may_end_itself_when_asked_to_stop_and_is_killed_when_it_does_not() {
    let mut site = Site::new().await;
    let polite = site
        .launch(&Job::sh(
            "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.05; done",
        ))
        .await;
    let deaf = site
        .launch(&Job::sh("trap '' TERM; echo ready; while :; do sleep 1000; done"))
        .await;
    for attempt in [polite, deaf] {
        site.until_line(attempt, "ready").await;
    }
    site.stop(polite, Millis::from_seconds(1000)).await;
    // Between them the shell may say "Terminated" of its `sleep`, as the whole group is asked.
    let outcome = site.end_of(polite).await;
    assert_eq!((outcome.exit_code, outcome.reason), (Some(5), None));
    assert_eq!(outcome.lines.first().map(String::as_str), Some("ready"));
    assert_eq!(outcome.lines.last().map(String::as_str), Some("bye"));
    site.stop(deaf, Millis::new(50)).await;
    assert_eq!(site.end_of(deaf).await.exit_code, Some(137));
}

#[tokio::test]
async fn what_a_job_leaves_behind_is_killed_with_it_and_does_not_hold_it() {
    let mut site = Site::new().await;
    // Children in the same group, which hold the pipe and would run for ever.
    let outcome = site
        .run(&Job::sh(
            "for i in 1 2 3; do sleep 7654321 & done; echo $!; exit 4",
        ))
        .await;
    assert_eq!(outcome.exit_code, Some(4));
    let survivor = outcome.lines[0].clone();
    until(|| !is_sleeping(&survivor)).await;
    // One that has left the session: control groups find it.
    let outcome = site.run(&Job::sh("setsid sleep 7654321 & echo $!; exit 0")).await;
    assert_eq!(outcome.exit_code, Some(0));
    if site.engine.capabilities().cgroup.is_some() {
        let survivor = outcome.lines[0].clone();
        until(|| !is_sleeping(&survivor)).await;
    }
}

fn is_sleeping(pid: &str) -> bool {
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    command.windows(7).any(|part| part == b"7654321")
}

#[tokio::test]
async fn memory_is_limited_where_control_groups_are() {
    let mut site = Site::new().await;
    if !site.engine.capabilities().memory_limit {
        eprintln!("skipped memory_is_limited_where_control_groups_are: no control groups can be made here");
        return;
    }
    // The shell's last command takes its place: the job's own process is killed.
    let job = Job::sh("exec tail /dev/zero").memory_mib(32);
    expect!["started, exit 137, reason OutOfMemoryError: Container killed due to memory usage"]
        .assert_eq(&site.run(&job).await.summary());
    // The group is used again, and the next job has nothing to do with it.
    expect!["started, exit 1, reason -"]
        .assert_eq(&site.run(&Job::new(["false"]).memory_mib(64)).await.summary());
}

#[tokio::test]
async fn what_a_job_leaves_in_memory_does_not_count_for_the_next() {
    let mut site = Site::new().await;
    if !site.engine.capabilities().memory_limit {
        eprintln!(
            "skipped what_a_job_leaves_in_memory_does_not_count_for_the_next: no control groups can be made here"
        );
        return;
    }
    let left = format!("/dev/shm/batchyard-test-{}", std::process::id());
    let group = "cat /proc/self/cgroup";
    let first = site.run(&Job::sh(group)).await.lines;
    // Groups are used again as a rule.
    assert_eq!(site.run(&Job::sh(group)).await.lines, first);
    let leaving = Job::sh(&format!("head -c 8M /dev/zero > {left}; {group}"));
    assert_eq!(site.run(&leaving.memory_mib(64)).await.lines, first);
    assert_ne!(site.run(&Job::sh(group).memory_mib(64)).await.lines, first);
    std::fs::remove_file(left).unwrap();
}

#[tokio::test]
async fn a_restarted_server_finds_jobs_with_all_their_output_and_their_ends() {
    let mut site = Site::new().await;
    let gate = site.folder.path().join("gate");
    let script = format!(
        "echo before; while [ ! -e {} ]; do sleep 0.01; done; echo after; exit 7",
        gate.display()
    );
    let waits = site.launch(&Job::sh(&script)).await;
    site.started(waits).await;
    site.until_line(waits, "before").await;
    let ended = site.launch(&Job::sh("echo all; exit 2")).await;
    assert_eq!(site.end_of(ended).await.exit_code, Some(2));

    let mut site = site.restarted().await;
    std::fs::write(&gate, "").unwrap();
    let known = site.recover(&[running(waits), running(ended)]).await;
    assert_eq!(known.into_iter().collect::<Vec<_>>(), [waits, ended]);
    // Both are told again, in any order.
    let mut ends = std::collections::BTreeMap::new();
    while ends.len() < 2 {
        if let (attempt, Report::Exited { exit_code, .. }) = site.next().await {
            ends.insert(attempt, exit_code);
        }
    }
    assert_eq!(
        ends.into_iter().collect::<Vec<_>>(),
        [(waits, Some(7)), (ended, Some(2))]
    );
    assert_eq!(site.logs.lines(waits), ["before", "after"]);
    assert_eq!(site.logs.lines(ended), ["all"]);
}

#[tokio::test]
async fn what_the_core_does_not_hold_for_alive_is_dropped() {
    let mut site = Site::new().await;
    let orphan = site.launch(&Job::sh("echo $$; exec sleep 7654321")).await;
    site.started(orphan).await;
    until(|| !site.logs.lines(orphan).is_empty()).await;
    let pid = site.logs.lines(orphan)[0].clone();
    assert!(site.recover(&[]).await.is_empty());
    until(|| !is_sleeping(&pid)).await;
    // Nothing is left of it: a second look knows nothing either.
    assert!(site.recover(&[running(orphan)]).await.is_empty());
}

#[tokio::test]
async fn asking_twice_starts_once() {
    let mut site = Site::new().await;
    let job = Job::sh("echo once; cat /dev/null");
    site.launch(&job).await;
    let attempt = site.launch(&job).await;
    assert_eq!(site.end_of(attempt).await.lines, ["once"]);
    site.launch(&job).await;
    site.run(&Job::new(["true"])).await;
    assert_eq!(
        site.logs.lines(attempt),
        ["once"],
        "an ended attempt is not started again"
    );
    site.forget(attempt).await;
    assert!(site.recover(&[running(attempt)]).await.is_empty());
}

#[tokio::test]
async fn a_killed_supervisor_loses_its_jobs_visibly_and_is_replaced() {
    let mut site = Site::new().await;
    let ended = site.launch(&Job::sh("exit 9")).await;
    assert_eq!(site.end_of(ended).await.exit_code, Some(9));
    let lost = site.launch(&Job::sh("echo $$; exec sleep 7654321")).await;
    site.started(lost).await;
    until(|| !site.logs.lines(lost).is_empty()).await;
    let pid = site.logs.lines(lost)[0].clone();

    let supervisor = nix::unistd::Pid::from_raw(site.folder.supervisor_pid());
    nix::sys::signal::kill(supervisor, nix::sys::signal::Signal::SIGKILL).unwrap();
    // The new one finds what the old one left, ends it, and says so.
    assert_eq!(site.end_of(lost).await.reason.as_deref(), Some("lost"));
    until(|| !is_sleeping(&pid)).await;
    expect![[r#"
        started, exit 0, reason -
        | next"#]]
    .assert_eq(&site.run(&Job::new(["echo", "next"])).await.summary());
    // What had ended before is still known.
    assert_eq!(site.recover(&[running(ended)]).await.len(), 1);
    assert_eq!(site.end_of(ended).await.exit_code, Some(9));
}

#[tokio::test]
async fn a_full_log_store_makes_jobs_wait_and_loses_nothing() {
    let mut site = Site::new().await;
    site.logs.set_full(true);
    let attempt = site.launch(&Job::sh("seq 1 1000")).await;
    let silent = site.launch(&Job::sh("seq 1 1000").without_log()).await;
    // Its output goes nowhere, but facts are in order: nothing is told before it can be kept.
    site.logs.set_full(false);
    let outcome = site.end_of(attempt).await;
    assert_eq!((outcome.lines.len(), outcome.exit_code), (1000, Some(0)));
    site.launch(&Job::new(["true"])).await;
    assert!(site.logs.lines(silent).is_empty());
}

#[tokio::test]
async fn two_thousand_jobs_are_started_and_told() {
    let mut site = Site::new().await;
    let mut open = std::collections::BTreeSet::new();
    for number in 0..2000 {
        let job = Job::sh(&format!("exit {}", number % 256));
        open.insert(site.launch(&job).await);
    }
    while !open.is_empty() {
        let (attempt, report) = site.next().await;
        if let Report::Exited { exit_code, .. } = report {
            assert!(exit_code.is_some());
            open.remove(&attempt);
            site.forget(attempt).await;
        }
    }
    assert!(site.recover(&[]).await.is_empty());
}
