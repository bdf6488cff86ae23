//! What the tests with a real daemon share: the daemon, an image made of the machine's own busybox, an engine with a log store in
//! memory, and what it told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use batchyard_core::id::{AttemptKey, JobId, JobKey};
use batchyard_core::launch::{ContainerSpec, LaunchSpec, LogTarget, Runner, Variable};
use batchyard_core::report::Report;
use batchyard_core::resources::{GpuSet, Mebibytes, MilliVcpus, Resources};
use batchyard_core::time::{Millis, Timestamp};
use batchyard_engines::docker::{Config, DockerEngine};
use batchyard_runtime::engine::{BoxFuture, CurrentAttempt, Launch, Node, Order, Reports};
use batchyard_runtime::log::{Append, LogError, LogEvent, LogStore, StreamName};
use bollard::Docker;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

pub(crate) const IMAGE: &str = "batchyard-test:1";

/// Longest wait for anything in these tests; only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The daemon's address, or `None` with a line that says why the test is skipped.
pub(crate) fn host(test: &str) -> Option<String> {
    let host = std::env::var("BATCHYARD_TEST_DOCKER_HOST").ok();
    if host.is_none() {
        eprintln!("skipped {test}: BATCHYARD_TEST_DOCKER_HOST is not set (see scripts/docker-engine)");
    }
    host
}

/// A log store in memory.
#[derive(Default)]
pub(crate) struct Memory {
    inner: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    streams: BTreeMap<StreamName, Vec<LogEvent>>,
    cursors: BTreeMap<String, Vec<u8>>,
}

impl LogStore for Memory {
    fn append(&self, appends: Vec<Append>) -> BoxFuture<'_, Result<(), LogError>> {
        let mut kept = self.inner.lock().unwrap();
        for Append {
            stream,
            events,
            cursor,
        } in appends
        {
            kept.streams.entry(stream).or_default().extend(events);
            let Some(cursor) = cursor else { continue };
            match cursor.position {
                Some(position) => kept.cursors.insert(cursor.source, position),
                None => kept.cursors.remove(&cursor.source),
            };
        }
        Box::pin(async { Ok(()) })
    }

    fn cursor(&self, source: &str) -> Result<Option<Vec<u8>>, LogError> {
        Ok(self.inner.lock().unwrap().cursors.get(source).cloned())
    }

    fn cursors(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, LogError> {
        let kept = self.inner.lock().unwrap();
        let all = kept
            .cursors
            .iter()
            .filter(|(source, _)| source.starts_with(prefix));
        Ok(all
            .map(|(source, position)| (source.clone(), position.clone()))
            .collect())
    }
}

impl Memory {
    pub(crate) fn lines(&self, attempt: AttemptKey) -> Vec<String> {
        let kept = self.inner.lock().unwrap();
        let events = kept.streams.get(&stream_of(attempt));
        events
            .into_iter()
            .flatten()
            .map(|event| event.message.clone())
            .collect()
    }

    pub(crate) fn has_stream(&self, attempt: AttemptKey) -> bool {
        self.inner
            .lock()
            .unwrap()
            .streams
            .contains_key(&stream_of(attempt))
    }
}

/// One engine, and all it told.
pub(crate) struct Site {
    pub(crate) engine: DockerEngine,
    pub(crate) logs: Arc<Memory>,
    pub(crate) namespace: String,
    reports: mpsc::Receiver<(AttemptKey, Report)>,
}

pub(crate) fn namespace() -> String {
    format!("test-{}", random())
}

impl Site {
    pub(crate) async fn new(host: &str) -> Site {
        let site = Site::over(host, namespace(), Arc::default());
        ensure_image(host).await;
        site
    }

    /// Another engine on the same data, as after a restart of the server.
    pub(crate) fn over(host: &str, namespace: String, logs: Arc<Memory>) -> Site {
        let mut config = Config::new(namespace);
        config.host = Some(host.to_owned());
        Site::configured(config, logs)
    }

    pub(crate) fn configured(config: Config, logs: Arc<Memory>) -> Site {
        let (told, reports) = Reports::channel(1024);
        let namespace = config.namespace.clone();
        let store: Arc<dyn LogStore> = Arc::<Memory>::clone(&logs);
        Site {
            engine: DockerEngine::connect(config, told, store).unwrap(),
            logs,
            namespace,
            reports,
        }
    }

    pub(crate) fn restarted(self, host: &str) -> Site {
        let Site {
            engine,
            logs,
            namespace,
            reports,
        } = self;
        drop((engine, reports));
        Site::over(host, namespace, logs)
    }

    pub(crate) async fn launch(&self, job: Job) -> AttemptKey {
        let launch = job.launch();
        let attempt = launch.attempt;
        self.engine.order(Order::Launch(Box::new(launch))).await;
        attempt
    }

    pub(crate) async fn stop(&self, attempt: AttemptKey, grace: Millis) {
        self.engine.order(Order::Stop { attempt, grace }).await;
    }

    /// The next report about anything.
    pub(crate) async fn next(&mut self) -> (AttemptKey, Report) {
        tokio::time::timeout(PATIENCE, self.reports.recv())
            .await
            .expect("a report in time")
            .expect("the engine lives")
    }

    pub(crate) async fn recover(&self, current: &[CurrentAttempt]) -> BTreeSet<AttemptKey> {
        tokio::time::timeout(PATIENCE, async {
            loop {
                match self.engine.recover(current.to_vec()).await.known().await {
                    Ok(known) => return known,
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        })
        .await
        .expect("a daemon in time")
    }

    /// Runs a job to its end: what was told after `Started`, and its output.
    pub(crate) async fn run(&mut self, job: Job) -> Outcome {
        let attempt = self.launch(job).await;
        self.end_of(attempt).await
    }

    /// Waits until the job has ended, others' reports set aside.
    pub(crate) async fn end_of(&mut self, wanted: AttemptKey) -> Outcome {
        let mut has_started = false;
        loop {
            let (attempt, report) = self.next().await;
            if attempt != wanted {
                continue;
            }
            let (exit_code, reason) = match report {
                Report::Preparing => continue,
                Report::Started { .. } => {
                    has_started = true;
                    continue;
                }
                Report::Exited {
                    exit_code, reason, ..
                } => (exit_code, reason),
                Report::NotStarted { reason, .. } => (None, Some(format!("not started: {reason}"))),
                Report::Lost { .. } => (None, Some("lost".to_owned())),
            };
            let lines = self.logs.lines(attempt);
            return Outcome {
                attempt,
                has_started,
                exit_code,
                reason,
                lines,
            };
        }
    }

    pub(crate) async fn started(&mut self, wanted: AttemptKey) {
        loop {
            let (attempt, report) = self.next().await;
            if attempt == wanted && matches!(report, Report::Started { .. }) {
                return;
            }
            assert!(attempt != wanted, "{report:?}");
        }
    }

    pub(crate) async fn until_lines(&self, attempt: AttemptKey, count: usize) {
        until(|| async { self.logs.lines(attempt).len() >= count }).await;
    }

    pub(crate) async fn forget(&self, attempt: AttemptKey) {
        self.engine.order(Order::Forget { attempt }).await;
    }
}

#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) attempt: AttemptKey,
    pub(crate) has_started: bool,
    pub(crate) exit_code: Option<i32>,
    pub(crate) reason: Option<String>,
    pub(crate) lines: Vec<String>,
}

impl Outcome {
    /// For `expect!`.
    pub(crate) fn summary(&self) -> String {
        let Outcome {
            attempt: _,
            has_started,
            exit_code,
            reason,
            lines,
        } = self;
        let start = if *has_started { "started" } else { "not started" };
        let exit = exit_code.map_or("-".to_owned(), |code| code.to_string());
        let reason = reason.as_deref().unwrap_or("-");
        let lines: String = lines.iter().map(|line| format!("\n| {line}")).collect();
        format!("{start}, exit {exit}, reason {reason}{lines}")
    }
}

/// Looks again and again at what the daemon or another task changes, until it holds.
pub(crate) async fn until<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    tokio::time::timeout(PATIENCE, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("it holds in time");
}

/// A job to launch.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) attempt: AttemptKey,
    pub(crate) command: Vec<String>,
    pub(crate) environment: Vec<(&'static str, &'static str)>,
    pub(crate) container: ContainerSpec,
    pub(crate) memory_mib: u64,
    pub(crate) node: Option<Node>,
}

impl Job {
    pub(crate) fn shell(script: &str) -> Job {
        Job::command(&["/bin/sh", "-c", script])
    }

    pub(crate) fn command(words: &[&str]) -> Job {
        Job {
            attempt: AttemptKey {
                job: JobKey::whole(JobId::new(Timestamp::from_millis(0), random())),
                attempt: 1,
            },
            command: words.iter().map(|word| (*word).to_owned()).collect(),
            environment: Vec::new(),
            container: ContainerSpec {
                image: IMAGE.to_owned(),
                ..ContainerSpec::default()
            },
            memory_mib: 64,
            node: None,
        }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut ContainerSpec)) -> Job {
        change(&mut self.container);
        self
    }

    /// These jobs as the nodes of one job, of which the first is the main one.
    pub(crate) fn nodes<const N: usize>(jobs: [Job; N]) -> [Job; N] {
        let id = JobId::new(Timestamp::from_millis(0), random());
        let attempt = |index| AttemptKey {
            job: JobKey::child(id, index),
            attempt: 1,
        };
        let mut index = 0;
        jobs.map(|mut job| {
            job.attempt = attempt(index);
            job.node = Some(Node {
                index,
                main: attempt(0),
            });
            index += 1;
            job
        })
    }

    fn launch(self) -> Launch {
        let Job {
            attempt,
            command,
            environment,
            container,
            memory_mib,
            node,
        } = self;
        Launch {
            attempt,
            spec: Arc::new(LaunchSpec {
                runner: Runner::Container(Box::new(container)),
                command,
                environment: Vec::new(),
                resources: Resources {
                    vcpus: MilliVcpus::whole(1),
                    memory: Mebibytes(memory_mib),
                    gpus: 0,
                },
                log: Some(LogTarget {
                    group: "/aws/batch/job".to_owned(),
                    stream_prefix: String::new(),
                }),
                stop_timeout: Millis::from_seconds(30),
                role: None,
                training: None,
            }),
            environment: environment
                .into_iter()
                .map(|(name, value)| Variable {
                    name: name.to_owned(),
                    value: value.to_owned(),
                })
                .collect(),
            stream: Some(stream_of(attempt)),
            gpus: GpuSet::default(),
            node,
            members: Vec::new(),
        }
    }
}

pub(crate) fn current(attempt: AttemptKey, was_started: bool) -> CurrentAttempt {
    CurrentAttempt {
        attempt,
        was_started,
        kind: None,
    }
}

pub(crate) fn client(host: &str) -> Docker {
    let version = bollard::ClientVersion {
        major_version: 1,
        minor_version: 41,
    };
    Docker::connect_with_unix(host, 60, &version).unwrap()
}

/// Ids of a namespace's containers.
pub(crate) async fn containers(host: &str, namespace: &str) -> Vec<String> {
    let options = bollard::query_parameters::ListContainersOptions {
        all: true,
        filters: Some(filter(namespace)),
        ..Default::default()
    };
    let listed = client(host).list_containers(Some(options)).await.unwrap();
    listed.into_iter().filter_map(|container| container.id).collect()
}

pub(crate) async fn volumes(host: &str, namespace: &str) -> Vec<String> {
    let options = bollard::query_parameters::ListVolumesOptions {
        filters: Some(filter(namespace)),
    };
    let listed = client(host).list_volumes(Some(options)).await.unwrap();
    listed
        .volumes
        .unwrap_or_default()
        .into_iter()
        .map(|volume| volume.name)
        .collect()
}

pub(crate) async fn networks(host: &str, namespace: &str) -> Vec<String> {
    let options = bollard::query_parameters::ListNetworksOptions {
        filters: Some(filter(namespace)),
    };
    let listed = client(host).list_networks(Some(options)).await.unwrap();
    listed.into_iter().filter_map(|network| network.name).collect()
}

pub(crate) fn filter(namespace: &str) -> std::collections::HashMap<String, Vec<String>> {
    [(
        "label".to_owned(),
        vec![format!("batchyard.namespace={namespace}")],
    )]
    .into()
}

fn stream_of(attempt: AttemptKey) -> StreamName {
    StreamName {
        group: "/aws/batch/job".to_owned(),
        stream: format!("test/{attempt}"),
    }
}

fn random() -> u128 {
    use std::hash::{BuildHasher as _, RandomState};
    let half = || u128::from(RandomState::new().hash_one(0));
    half() << 64 | half()
}

/// Makes the image once: a root file system with busybox and its applets in `/bin`.
pub(crate) async fn ensure_image(host: &str) {
    let client = client(host);
    if client.inspect_image(IMAGE).await.is_ok() {
        return;
    }
    let options = bollard::query_parameters::CreateImageOptions {
        from_src: Some("-".to_owned()),
        repo: Some("batchyard-test".to_owned()),
        tag: Some("1".to_owned()),
        changes: vec!["CMD [\"/bin/echo\",\"the image's command\"]".to_owned()],
        ..Default::default()
    };
    let tar = bollard::body_full(root_file_system().into());
    let mut progress = client.create_image(Some(options), Some(tar), None);
    while let Some(step) = progress.next().await {
        step.unwrap();
    }
}

fn root_file_system() -> Vec<u8> {
    let root = tempfile::tempdir().unwrap();
    for folder in ["bin", "tmp", "etc", "proc", "sys", "dev"] {
        std::fs::create_dir(root.path().join(folder)).unwrap();
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .iter()
        .find(|path| std::fs::metadata(path).is_ok())
        .expect("busybox-static is installed");
    std::fs::copy(busybox, root.path().join("bin/busybox")).unwrap();
    for applet in [
        "sh", "echo", "cat", "sleep", "id", "true", "seq", "head", "tr", "dd", "env", "ls", "touch",
        "printf", "yes", "tail",
    ] {
        std::os::unix::fs::symlink("busybox", root.path().join("bin").join(applet)).unwrap();
    }
    let tar = std::process::Command::new("tar")
        .args(["-c", "-C"])
        .arg(root.path())
        .arg(".")
        .output()
        .unwrap();
    assert!(tar.status.success());
    tar.stdout
}
