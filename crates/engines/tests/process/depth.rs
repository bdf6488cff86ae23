//! What is rare or big: much output, output that cannot be kept, trees of processes, another user.

use std::collections::BTreeSet;

use batchyard_core::report::Report;
use batchyard_core::time::Millis;

use crate::site::{Job, Site, running, until};

#[tokio::test]
async fn much_output_needs_little_memory_and_disk() {
    let mut site = Site::new().await;
    // 100 MB.
    let outcome = site
        .run(&Job::sh(
            "awk 'BEGIN { for (i = 0; i < 1500000; i++) printf \"%07d %058d\\n\", i, 0 }'",
        ))
        .await;
    assert_eq!(outcome.lines.len(), 1_500_000);
    let status = std::fs::read_to_string(format!("/proc/{}/status", site.folder.supervisor_pid())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak_kib < 64 * 1024, "the supervisor took {peak_kib} KiB");
    until(|| site.folder.spool_bytes() < 50 << 20).await;
}

#[tokio::test]
async fn a_job_whose_output_cannot_be_kept_waits_and_others_do_not() {
    let site = Site::new().await;
    site.logs.set_full(true);
    let loud = site
        .launch(&Job::sh("head -c 100M /dev/zero | tr '\\0' '\\n'; echo done"))
        .await;
    until(|| site.folder.spool_bytes() >= 4 << 20).await;
    quiet_job(&site).await;
    let bytes = site.folder.spool_bytes();
    assert!(bytes < 6 << 20, "{bytes} bytes are in the spool");
    // Without a server nobody waits for what is written, and it may be more.
    let (folder, logs) = site.killed();
    until(|| folder.spool_bytes() >= 64 << 20).await;
    let mut site = Site::over(folder, logs).await;
    site.recover(&[running(loud)]).await;
    quiet_job(&site).await;
    let bytes = site.folder.spool_bytes();
    assert!(bytes < 72 << 20, "{bytes} bytes are in the spool");
    site.logs.set_full(false);
    let outcome = site.end_of(loud).await;
    assert_eq!(
        (outcome.exit_code, outcome.lines),
        (Some(0), vec!["done".to_owned()])
    );
}

#[tokio::test]
async fn many_loud_jobs_together_keep_the_spool_short() {
    let mut site = Site::new().await;
    site.logs.set_full(true);
    let script = "head -c 6M /dev/zero | tr '\\0' '\\n'; echo done";
    let mut loud = BTreeSet::new();
    for _ in 0..10 {
        loud.insert(site.launch(&Job::sh(script)).await);
    }
    until(|| site.folder.spool_bytes() >= 16 << 20).await;
    quiet_job(&site).await;
    let bytes = site.folder.spool_bytes();
    // Ten that may write little each come on top.
    assert!(bytes < 20 << 20, "{bytes} bytes are in the spool");
    site.logs.set_full(false);
    while !loud.is_empty() {
        let (attempt, report) = site.next().await;
        if let Report::Exited { exit_code, .. } = report {
            assert_eq!(exit_code, Some(0));
            loud.remove(&attempt);
        }
    }
}

/// Runs a job that takes a while, in which others would write much more if they could.
async fn quiet_job(site: &Site) {
    let mark = site.folder.path().join("mark");
    let script = format!("echo quiet; sleep 2; echo ended > {}", mark.display());
    site.launch(&Job::sh(&script)).await;
    until(|| mark.exists()).await;
    std::fs::remove_file(mark).unwrap();
}

#[tokio::test]
async fn a_growing_tree_is_killed_wholly() {
    let mut site = Site::new().await;
    let mark = (std::process::id() + 1_000_000).to_string();
    // Out of the group, and where that can be followed out of the session.
    let apart = match site.engine.capabilities().cgroup {
        Some(_) => "setsid",
        None => "set -m;",
    };
    let script = format!(
        "grow() {{ {apart} sleep {mark} & if [ $1 -gt 0 ]; then (grow $(($1 - 1))) & (grow $(($1 - 1))) & fi; wait; }}; \
         echo growing; grow 5"
    );
    let attempt = site.launch(&Job::sh(&script)).await;
    site.until_line(attempt, "growing").await;
    site.stop(attempt, Millis::new(0)).await;
    let exit_code = site.end_of(attempt).await.exit_code;
    assert!(matches!(exit_code, Some(137 | 143)), "{exit_code:?}");
    until(|| sleepers(&mark) == 0).await;
}

fn sleepers(mark: &str) -> usize {
    let wanted = format!("sleep\0{mark}\0");
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| line == wanted.as_bytes()).count()
}

#[tokio::test]
async fn a_job_that_was_not_started_need_not_be() {
    let mut site = Site::new().await;
    for _ in 0..200 {
        site.launch(&Job::new(["true"])).await;
    }
    let last = site.launch(&Job::new(["sleep", "1000"])).await;
    site.stop(last, Millis::from_seconds(1000)).await;
    let summary = site.end_of(last).await.summary();
    let reasons = [
        "started, exit 143, reason -",
        "not started, exit -, reason not started: CannotStartContainerError: stopped before it was started",
    ];
    assert!(reasons.contains(&summary.as_str()), "{summary}");
}

#[tokio::test]
async fn a_job_runs_as_the_user_that_is_configured() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped a_job_runs_as_the_user_that_is_configured: only root can");
        return;
    }
    let mut site = Site::running_as("nobody").await;
    let job = Job::sh("id -un; id -Gn; echo $USER $LOGNAME").directory(std::path::Path::new("/"));
    assert_eq!(site.run(&job).await.lines, ["nobody", "nogroup", "nobody nobody"]);
}
