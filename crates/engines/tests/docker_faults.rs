//! The Docker engine when something fails midway: the server restarted, the daemon killed, the daemon not there at all.
//!
//! Needs `BATCHYARD_TEST_DOCKER_HOST`; the test that kills a daemon starts its own by `scripts/docker-engine` and needs to be root for it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod docker {
    #[expect(dead_code, reason = "the tests of `docker.rs` use the rest")]
    pub(crate) mod site;
}

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use batchyard_core::launch::{Mount, MountSource};
use batchyard_core::report::Report;
use batchyard_core::time::Millis;
use batchyard_engines::docker::Config;
use docker::site::{Job, Site, client, current, filter, host, namespace, until};
use expect_test::expect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn counts_to(lines: &[String], last: u32) -> bool {
    lines.iter().map(|line| line.parse::<u32>().unwrap()).eq(1..=last)
}

#[tokio::test]
async fn output_is_whole_and_not_doubled_after_restarts_of_the_server() {
    let Some(host) = host("output_is_whole_and_not_doubled_after_restarts_of_the_server") else {
        return;
    };
    let mut site = Site::new(&host).await;
    let attempt = site
        .launch(Job::shell("for i in $(seq 300); do echo $i; sleep 0.01; done"))
        .await;
    for seen in [20, 100, 180] {
        site.until_lines(attempt, seen).await;
        site = site.restarted(&host);
        assert!(site.recover(&[current(attempt, true)]).await.contains(&attempt));
    }
    let outcome = site.end_of(attempt).await;
    assert!(counts_to(&outcome.lines, 300), "{:?}", outcome.lines);
    assert_eq!(outcome.exit_code, Some(0));
    site.forget(attempt).await;
}

#[tokio::test]
async fn what_ends_while_no_server_is_there_is_told_with_its_whole_output() {
    let Some(host) = host("what_ends_while_no_server_is_there_is_told_with_its_whole_output") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    let site = Site::new(&host).await;
    let job = Job::shell("echo 1; while ! [ -e /go/on ]; do sleep 0.01; done; seq 2 500; exit 9").with(
        |container| {
            container.mounts = vec![Mount {
                source: MountSource::Host(path),
                container_path: "/go".to_owned(),
                is_readonly: true,
            }];
        },
    );
    let attempt = site.launch(job).await;
    site.until_lines(attempt, 1).await;
    let (name, logs) = (site.namespace.clone(), Arc::clone(&site.logs));
    drop(site);
    std::fs::write(folder.path().join("on"), "").unwrap();
    until(|| async { !is_running(&host, &name).await }).await;
    let mut site = Site::over(&host, name, logs);
    site.recover(&[current(attempt, true)]).await;
    let outcome = site.end_of(attempt).await;
    assert!(counts_to(&outcome.lines, 500), "{}", outcome.lines.len());
    assert_eq!(outcome.exit_code, Some(9));
    site.forget(attempt).await;
}

#[tokio::test]
async fn a_daemon_killed_midway() {
    let name = "a_daemon_killed_midway";
    if host(name).is_none() {
        return;
    }
    let folder = tempfile::Builder::new().prefix("dk").tempdir_in("/tmp").unwrap();
    let Some(host) = daemon("start", folder.path()) else {
        eprintln!("skipped {name}: scripts/docker-engine cannot start a daemon here");
        return;
    };
    let mut site = Site::new(&host).await;
    let attempt = site.launch(Job::shell("echo before; sleep 1000")).await;
    site.started(attempt).await;
    site.until_lines(attempt, 1).await;
    let pid = std::fs::read_to_string(folder.path().join("docker.pid")).unwrap();
    kill(Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
    // Ordered while no daemon is there: it starts when one is.
    let later = site.launch(Job::shell("echo after")).await;
    daemon("start", folder.path()).expect("the daemon starts again");
    let mut summaries = Vec::new();
    let mut left = 2;
    while left > 0 {
        let (told, report) = site.next().await;
        let which = if told == attempt { "running" } else { "ordered" };
        match report {
            Report::Started { .. } => summaries.push(format!("{which} started")),
            Report::Exited { exit_code, .. } => {
                left -= 1;
                summaries.push(format!(
                    "{which} exited {exit_code:?} {:?}",
                    site.logs.lines(told)
                ));
            }
            other => panic!("{which} {other:?}"),
        }
    }
    summaries.sort();
    daemon("stop", folder.path());
    assert!(site.logs.has_stream(later));
    // A daemon that was killed ends its containers when it starts again, unless it is set to keep them.
    expect![[r#"
        ordered exited Some(0) ["after"]
        ordered started
        running exited Some(137) ["before"]"#]]
    .assert_eq(&summaries.join("\n"));
}

/// Runs the script; the daemon's address if it started one.
fn daemon(action: &str, folder: &Path) -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/docker-engine");
    let output = Command::new(script)
        .arg(action)
        .arg("--directory")
        .arg(folder)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().strip_prefix("DOCKER_HOST=").map(str::to_owned)
}

async fn is_running(host: &str, namespace: &str) -> bool {
    let options = bollard::query_parameters::ListContainersOptions {
        filters: Some(filter(namespace)),
        ..Default::default()
    };
    let listed = client(host).list_containers(Some(options)).await.unwrap();
    !listed.is_empty()
}

#[tokio::test]
async fn a_launch_without_a_daemon_fails_after_its_time() {
    let mut config = Config::new(namespace());
    config.host = Some("unix:///nonexistent/docker.sock".to_owned());
    config.unreachable_max = Millis::from_seconds(1);
    let mut site = Site::configured(config, Arc::default());
    let attempt = site.launch(Job::shell("true")).await;
    expect!["not started, exit -, reason not started: DockerTimeoutError: Could not transition to created; timed out after waiting 1s (Docker is not reachable at unix:///nonexistent/docker.sock)"].assert_eq(&site.end_of(attempt).await.summary());
    assert!(site.engine.recover(Vec::new()).await.known().await.is_err());
}

#[tokio::test]
async fn a_stop_ends_the_wait_for_a_daemon() {
    let mut config = Config::new(namespace());
    config.host = Some("unix:///nonexistent/docker.sock".to_owned());
    let mut site = Site::configured(config, Arc::default());
    let attempt = site.launch(Job::shell("true")).await;
    site.stop(attempt, Millis::from_seconds(30)).await;
    expect!["not started, exit -, reason not started: Stopped before the container was started"]
        .assert_eq(&site.end_of(attempt).await.summary());
}
