//! Tasks of several containers on a real daemon: what is made, started, told, found again and removed.
//!
//! Needs `BATCHYARD_TEST_DOCKER_HOST`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod docker {
    #[expect(dead_code, reason = "the tests of `docker.rs` use the rest")]
    pub(crate) mod site;
}

use std::sync::Arc;

use batchyard_core::id::AttemptKey;
use batchyard_core::launch::{
    ContainerCondition, ContainerDependency, ContainerSpec, LaunchSpec, Mount, MountSource, Runner, Sharing,
    TaskContainer, TaskEnd, TaskSpec,
};
use batchyard_core::report::Report;
use batchyard_core::resources::{GpuSet, Mebibytes, MilliVcpus, Resources};
use batchyard_core::time::Millis;
use batchyard_engines::docker::Config;
use batchyard_runtime::engine::{Launch, MemberLaunch, Order};
use docker::site::{
    IMAGE, Job, Site, client, containers, current, ensure_image, host, namespace, until, volumes,
};
use expect_test::{Expect, expect};

const UNTIL_STOPPED: &str = "trap 'exit 143' TERM; while :; do sleep 0.02; done";

fn container(name: &str, script: &str) -> TaskContainer {
    TaskContainer {
        name: name.to_owned(),
        container: ContainerSpec {
            image: IMAGE.to_owned(),
            mounts: vec![Mount {
                source: MountSource::Scratch("shared".to_owned()),
                container_path: "/work".to_owned(),
                is_readonly: false,
            }],
            ..ContainerSpec::default()
        },
        command: ["/bin/sh", "-c", script].map(str::to_owned).into(),
        environment: Vec::new(),
        resources: Resources {
            vcpus: MilliVcpus::whole(1),
            memory: Mebibytes(32),
            gpus: 0,
        },
        log: None,
        depends_on: Vec::new(),
        is_essential: true,
        start_timeout: None,
        stop_timeout: Millis::from_seconds(30),
    }
}

fn side(name: &str, script: &str) -> TaskContainer {
    TaskContainer {
        is_essential: false,
        ..container(name, script)
    }
}

fn after(condition: ContainerCondition, on: &str, container: TaskContainer) -> TaskContainer {
    TaskContainer {
        depends_on: vec![ContainerDependency {
            on: on.to_owned(),
            condition,
        }],
        ..container
    }
}

fn task(containers: Vec<TaskContainer>) -> Launch {
    let member = MemberLaunch {
        environment: Vec::new(),
        stream: None,
        gpus: GpuSet::default(),
    };
    let members = containers.iter().map(|_| member.clone()).collect();
    Launch {
        attempt: Job::shell("").attempt,
        spec: Arc::new(LaunchSpec {
            runner: Runner::Task(Box::new(TaskSpec {
                are_hosts: false,
                containers,
                processes: Sharing::Usual,
                ipc: Sharing::Usual,
                end: TaskEnd::FirstEssential,
            })),
            command: Vec::new(),
            environment: Vec::new(),
            resources: Resources::default(),
            log: None,
            stop_timeout: Millis::from_seconds(30),
            role: None,
            training: None,
        }),
        environment: Vec::new(),
        stream: None,
        gpus: GpuSet::default(),
        members,
        node: None,
    }
}

async fn launch(site: &Site, launch: &Launch) -> AttemptKey {
    site.engine.order(Order::Launch(Box::new(launch.clone()))).await;
    launch.attempt
}

/// The next fact as it is told, without its time.
async fn told(site: &mut Site) -> String {
    let (result, containers) = match site.next().await.1 {
        Report::Preparing => return "preparing".to_owned(),
        Report::Started { .. } => return "started".to_owned(),
        Report::Lost { .. } => return "lost".to_owned(),
        Report::Exited {
            exit_code,
            containers,
            ..
        } => (format!("exited {exit_code:?}"), containers),
        Report::NotStarted {
            reason, containers, ..
        } => (format!("not started: {reason}"), containers),
    };
    let containers = containers
        .into_iter()
        .map(|end| format!("\n  {} {:?} {:?}", end.name, end.exit_code, end.reason));
    result + &containers.collect::<String>()
}

async fn check(site: &mut Site, expected: Expect) {
    let mut facts = told(site).await;
    while facts.ends_with("started") {
        facts = facts + "\n" + &told(site).await;
    }
    expected.assert_eq(&facts);
}

#[tokio::test]
async fn a_task_leaves_nothing_behind() {
    let Some(host) = host("a_task_leaves_nothing_behind") else {
        return;
    };
    let mut site = Site::new(&host).await;
    let task = task(vec![
        side("helper", UNTIL_STOPPED),
        side("first", "echo 4 > /work/code"),
        after(
            ContainerCondition::Success,
            "first",
            container("app", "exit $(cat /work/code)"),
        ),
    ]);
    let attempt = launch(&site, &task).await;
    check(
        &mut site,
        expect![[r#"
        started
        exited Some(4)
          helper Some(143) None
          first Some(0) None
          app Some(4) None"#]],
    )
    .await;
    assert_eq!(containers(&host, &site.namespace).await.len(), 3);
    assert_eq!(volumes(&host, &site.namespace).await.len(), 1);
    site.forget(attempt).await;
    until(|| async {
        containers(&host, &site.namespace).await.is_empty()
            && volumes(&host, &site.namespace).await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_launch_twice_starts_once() {
    let Some(host) = host("a_launch_twice_starts_once") else {
        return;
    };
    let mut site = Site::new(&host).await;
    let task = task(vec![
        container("app", "echo once >> /work/file; sleep 0.3"),
        side("other", UNTIL_STOPPED),
    ]);
    let attempt = launch(&site, &task).await;
    launch(&site, &task).await;
    // So does another server, which is told of it.
    assert_eq!(told(&mut site).await, "started");
    site = site.restarted(&host);
    assert!(site.recover(&[current(attempt, false)]).await.contains(&attempt));
    launch(&site, &task).await;
    check(
        &mut site,
        expect![[r#"
        started
        exited Some(0)
          app Some(0) None
          other Some(143) None"#]],
    )
    .await;
    assert_eq!(containers(&host, &site.namespace).await.len(), 2);
    site.forget(attempt).await;
    until(|| async { containers(&host, &site.namespace).await.is_empty() }).await;
}

#[tokio::test]
async fn a_task_that_was_only_made_is_launched_again() {
    let Some(host) = host("a_task_that_was_only_made_is_launched_again") else {
        return;
    };
    let site = Site::new(&host).await;
    // The second image is not there, and its pull takes a moment: meanwhile the first container is made and not started.
    let mut missing = container("app", "exit 5");
    missing.container.image = "localhost:1/nothing:1".to_owned();
    let failing = task(vec![container("first", "true"), missing]);
    let attempt = launch(&site, &failing).await;
    until(|| async { !containers(&host, &site.namespace).await.is_empty() }).await;
    let mut site = site.restarted(&host);
    assert!(site.recover(&[current(attempt, false)]).await.is_empty());
    until(|| async { containers(&host, &site.namespace).await.is_empty() }).await;
    let mut again = task(vec![side("first", "true"), container("app", "exit 5")]);
    again.attempt = attempt;
    launch(&site, &again).await;
    check(
        &mut site,
        expect![[r#"
        started
        exited Some(5)
          first Some(0) None
          app Some(5) None"#]],
    )
    .await;
    site.forget(attempt).await;
    until(|| async { containers(&host, &site.namespace).await.is_empty() }).await;
}

#[tokio::test]
async fn what_is_not_current_any_more_is_removed_as_a_whole() {
    let Some(host) = host("what_is_not_current_any_more_is_removed_as_a_whole") else {
        return;
    };
    let mut site = Site::new(&host).await;
    let task = task(vec![
        container("one", UNTIL_STOPPED),
        container("two", UNTIL_STOPPED),
    ]);
    launch(&site, &task).await;
    assert_eq!(told(&mut site).await, "started");
    let site = site.restarted(&host);
    assert!(site.recover(&[]).await.is_empty());
    until(|| async {
        containers(&host, &site.namespace).await.is_empty()
            && volumes(&host, &site.namespace).await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_stop_asks_all_and_kills_each_in_its_time() {
    let Some(host) = host("a_stop_asks_all_and_kills_each_in_its_time") else {
        return;
    };
    let mut site = Site::new(&host).await;
    let mut stubborn = side("stubborn", "trap '' TERM; while :; do sleep 0.02; done");
    stubborn.stop_timeout = Millis::from_seconds(1);
    let task = task(vec![container("app", UNTIL_STOPPED), stubborn]);
    let attempt = launch(&site, &task).await;
    assert_eq!(told(&mut site).await, "started");
    site.stop(attempt, Millis::from_seconds(600)).await;
    check(
        &mut site,
        expect![[r#"
        exited Some(143)
          app Some(143) None
          stubborn Some(137) None"#]],
    )
    .await;
    site.forget(attempt).await;
    until(|| async { containers(&host, &site.namespace).await.is_empty() }).await;
}

#[tokio::test]
async fn a_network_that_is_not_the_hosts_is_held_and_found_again() {
    let Some(host) = host("a_network_that_is_not_the_hosts_is_held_and_found_again") else {
        return;
    };
    ensure_image(&host).await;
    let config = || Config {
        host: Some(host.clone()),
        network: "none".to_owned(),
        ..Config::new("x".to_owned())
    };
    let namespace = namespace();
    let mut site = Site::configured(
        Config {
            namespace: namespace.clone(),
            ..config()
        },
        Arc::default(),
    );
    let show = "ls -l /proc/self/ns/net > /work/$0; sleep 0.1";
    let task = task(vec![
        side("one", &show.replace("$0", "one")),
        after(
            ContainerCondition::Complete,
            "one",
            container(
                "two",
                "ls -l /proc/self/ns/net | tail -c 12 > /work/two; tail -c 12 /work/one | head -c 100 > /work/three; \
                 [ \"$(cat /work/two)\" = \"$(cat /work/three)\" ]",
            ),
        ),
    ]);
    site.recover(&[]).await;
    let attempt = launch(&site, &task).await;
    check(
        &mut site,
        expect![[r#"
        started
        exited Some(0)
          one Some(0) None
          two Some(0) None"#]],
    )
    .await;
    // One more than the task's own.
    assert_eq!(containers(&host, &namespace).await.len(), 3);
    let names = client(&host)
        .list_containers(Some(bollard::query_parameters::ListContainersOptions {
            filters: Some(docker::site::filter(&namespace)),
            ..Default::default()
        }))
        .await
        .unwrap();
    assert_eq!(names.len(), 1, "only what holds the network still runs");
    let site = Site::configured(
        Config {
            namespace: namespace.clone(),
            ..config()
        },
        site.logs,
    );
    assert!(site.recover(&[current(attempt, true)]).await.contains(&attempt));
    site.forget(attempt).await;
    until(|| async { containers(&host, &namespace).await.is_empty() }).await;
}
