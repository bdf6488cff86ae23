//! What the tests with real processes share: an engine with its supervisor in a folder of its own, a log store in memory, and what
//! was told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use batchyard_core::id::{AttemptKey, JobId, JobKey};
use batchyard_core::launch::{LaunchSpec, LogTarget, ProcessSpec, Runner, Ulimit, Variable};
use batchyard_core::report::Report;
use batchyard_core::resources::{GpuSet, Mebibytes, MilliVcpus, Resources};
use batchyard_core::time::{Millis, Timestamp};
use batchyard_engines::process::{Config, ProcessEngine};
use batchyard_runtime::engine::{BoxFuture, CurrentAttempt, Launch, Order, Reports};
use batchyard_runtime::log::{Append, LogError, LogEvent, LogStore, StreamName};
use tokio::sync::mpsc;

/// Longest wait for anything in these tests; only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The test that is no test, but the supervisor's program.
pub(crate) const SUPERVISOR: &str = "the_supervisor_when_asked";

/// A log store in memory, which can be told to be full.
#[derive(Default)]
pub(crate) struct Memory {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    streams: BTreeMap<StreamName, Vec<LogEvent>>,
    cursors: BTreeMap<String, Vec<u8>>,
    is_full: bool,
}

impl LogStore for Memory {
    fn append(&self, appends: Vec<Append>) -> BoxFuture<'_, Result<(), LogError>> {
        let mut kept = self.kept.lock().unwrap();
        if kept.is_full {
            return Box::pin(async { Err(LogError::Full("the test says so".into())) });
        }
        for Append {
            stream,
            events,
            cursor,
        } in appends
        {
            kept.streams.entry(stream).or_default().extend(events);
            if let Some(cursor) = cursor {
                let position = cursor.position.expect("the process engine removes no cursors");
                kept.cursors.insert(cursor.source, position);
            }
        }
        Box::pin(async { Ok(()) })
    }

    fn cursor(&self, source: &str) -> Result<Option<Vec<u8>>, LogError> {
        Ok(self.kept.lock().unwrap().cursors.get(source).cloned())
    }

    fn cursors(&self, _prefix: &str) -> Result<Vec<(String, Vec<u8>)>, LogError> {
        unimplemented_here()
    }
}

fn unimplemented_here<T>() -> T {
    panic!("the process engine has one cursor")
}

impl Memory {
    pub(crate) fn events(&self, attempt: AttemptKey) -> Vec<LogEvent> {
        let kept = self.kept.lock().unwrap();
        kept.streams.get(&stream_of(attempt)).cloned().unwrap_or_default()
    }

    pub(crate) fn lines(&self, attempt: AttemptKey) -> Vec<String> {
        self.events(attempt)
            .into_iter()
            .map(|event| event.message)
            .collect()
    }

    pub(crate) fn set_full(&self, is_full: bool) {
        self.kept.lock().unwrap().is_full = is_full;
    }
}

/// One engine, and all it told.
pub(crate) struct Site {
    pub(crate) engine: ProcessEngine,
    pub(crate) logs: Arc<Memory>,
    reports: mpsc::Receiver<(AttemptKey, Report)>,
    pub(crate) folder: Arc<Folder>,
}

/// The supervisor's folder; when it is removed, the supervisor sees that, and ends with its jobs.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Arc<Folder> {
        Arc::new(Folder(tempfile::tempdir().unwrap()))
    }

    pub(crate) fn supervisor(&self) -> PathBuf {
        self.0.path().join("supervisor")
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// What the spool takes on disk.
    pub(crate) fn spool_bytes(&self) -> u64 {
        let entries = std::fs::read_dir(self.supervisor()).unwrap().flatten();
        let segments = entries.filter(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "spool")
        });
        segments
            .filter_map(|entry| Some(entry.metadata().ok()?.len()))
            .sum()
    }

    /// The supervisor's process.
    pub(crate) fn supervisor_pid(&self) -> i32 {
        let lock = std::fs::canonicalize(self.supervisor().join("lock")).unwrap();
        let holder = std::fs::read_dir("/proc").unwrap().flatten().find_map(|process| {
            let pid: i32 = process.file_name().to_str()?.parse().ok()?;
            let mut open = std::fs::read_dir(process.path().join("fd")).ok()?.flatten();
            let holds = open.any(|open| std::fs::read_link(open.path()).is_ok_and(|path| path == lock));
            (holds && pid != i32::try_from(std::process::id()).unwrap()).then_some(pid)
        });
        holder.expect("a supervisor holds its lock")
    }
}

impl Site {
    pub(crate) async fn new() -> Site {
        Site::over(Folder::new(), Arc::default()).await
    }

    pub(crate) async fn running_as(user: &str) -> Site {
        Site::over_as(Folder::new(), Arc::default(), Some(user.to_owned())).await
    }

    pub(crate) async fn over(folder: Arc<Folder>, logs: Arc<Memory>) -> Site {
        Site::over_as(folder, logs, None).await
    }

    async fn over_as(folder: Arc<Folder>, logs: Arc<Memory>, run_as: Option<String>) -> Site {
        let (told, reports) = Reports::channel(1024);
        let config = Config {
            directory: folder.supervisor(),
            supervisor_program: std::env::current_exe().unwrap(),
            // The directory that follows is taken for the name of tests to leave out.
            supervisor_arguments: [SUPERVISOR, "--exact", "--nocapture", "--skip"]
                .map(Into::into)
                .to_vec(),
            run_as,
            secrets: batchyard_engines::secrets::Secrets::default(),
        };
        let store: Arc<dyn LogStore> = Arc::<Memory>::clone(&logs);
        let engine = ProcessEngine::start(config, told, store).await.unwrap();
        Site {
            engine,
            logs,
            reports,
            folder,
        }
    }

    /// Ends the engine, as a kill of the server does.
    pub(crate) fn killed(self) -> (Arc<Folder>, Arc<Memory>) {
        (self.folder, self.logs)
    }

    /// Another engine on the same folder.
    pub(crate) async fn restarted(self) -> Site {
        let (folder, logs) = self.killed();
        Site::over(folder, logs).await
    }

    pub(crate) async fn launch(&self, job: &Job) -> AttemptKey {
        let launch = job.launch();
        let attempt = launch.attempt;
        self.engine.order(Order::Launch(Box::new(launch))).await;
        attempt
    }

    pub(crate) async fn stop(&self, attempt: AttemptKey, grace: Millis) {
        self.engine.order(Order::Stop { attempt, grace }).await;
    }

    pub(crate) async fn forget(&self, attempt: AttemptKey) {
        self.engine.order(Order::Forget { attempt }).await;
    }

    pub(crate) async fn recover(&self, current: &[CurrentAttempt]) -> BTreeSet<AttemptKey> {
        tokio::time::timeout(PATIENCE, async {
            loop {
                match self.engine.recover(current).await {
                    Ok(known) => return known,
                    // The supervisor is being started anew.
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        })
        .await
        .expect("an answer in time")
    }

    /// The next report about anything.
    pub(crate) async fn next(&mut self) -> (AttemptKey, Report) {
        tokio::time::timeout(PATIENCE, self.reports.recv())
            .await
            .expect("a report in time")
            .expect("the engine lives")
    }

    pub(crate) async fn run(&mut self, job: &Job) -> Outcome {
        let attempt = self.launch(job).await;
        self.end_of(attempt).await
    }

    /// Waits until the job has ended, others' reports set aside.
    pub(crate) async fn end_of(&mut self, wanted: AttemptKey) -> Outcome {
        let mut started_at = None;
        loop {
            let (attempt, report) = self.next().await;
            if attempt != wanted {
                continue;
            }
            let (exit_code, reason, stopped_at) = match report {
                // Only told of training jobs.
                Report::Preparing => continue,
                Report::Started { at } => {
                    started_at = Some(at);
                    continue;
                }
                Report::Exited {
                    exit_code,
                    reason,
                    at,
                    ..
                } => (exit_code, reason, at),
                Report::NotStarted { reason, at, .. } => (None, Some(format!("not started: {reason}")), at),
                Report::Lost { at } => (None, Some("lost".to_owned()), at),
            };
            return Outcome {
                started_at,
                stopped_at,
                exit_code,
                reason,
                lines: self.logs.lines(attempt),
            };
        }
    }

    pub(crate) async fn started(&mut self, wanted: AttemptKey) {
        loop {
            let (attempt, report) = self.next().await;
            if attempt == wanted {
                assert!(matches!(report, Report::Started { .. }), "{report:?}");
                return;
            }
        }
    }

    pub(crate) async fn until_line(&self, attempt: AttemptKey, line: &str) {
        until(|| self.logs.lines(attempt).iter().any(|found| found == line)).await;
    }
}

/// Looks again and again at what another process changes, until it holds.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    tokio::time::timeout(PATIENCE, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("it holds in time");
}

/// How a job ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) stopped_at: Timestamp,
    pub(crate) exit_code: Option<i32>,
    pub(crate) reason: Option<String>,
    pub(crate) lines: Vec<String>,
}

impl Outcome {
    /// For `expect!`.
    pub(crate) fn summary(&self) -> String {
        let start = if self.started_at.is_some() {
            "started"
        } else {
            "not started"
        };
        let exit = self.exit_code.map_or("-".to_owned(), |code| code.to_string());
        let reason = self.reason.as_deref().unwrap_or("-");
        let lines: String = self.lines.iter().map(|line| format!("\n| {line}")).collect();
        format!("{start}, exit {exit}, reason {reason}{lines}")
    }
}

/// A job to be run.
#[derive(Clone)]
pub(crate) struct Job {
    attempt: AttemptKey,
    command: Vec<String>,
    environment: Vec<Variable>,
    process: ProcessSpec,
    memory_mib: u64,
    has_log: bool,
}

impl Job {
    pub(crate) fn new<const N: usize>(command: [&str; N]) -> Job {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let id = JobId::new(Timestamp::from_millis(1_700_000_000_000), u128::from(number));
        Job {
            attempt: AttemptKey {
                job: JobKey::whole(id),
                attempt: 1,
            },
            command: command.map(str::to_owned).to_vec(),
            environment: Vec::new(),
            process: ProcessSpec::default(),
            memory_mib: 1024,
            has_log: true,
        }
    }

    pub(crate) fn sh(script: &str) -> Job {
        Job::new(["sh", "-c", script])
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Job {
        self.environment.push(Variable {
            name: name.to_owned(),
            value: value.to_owned(),
        });
        self
    }

    pub(crate) fn directory(mut self, path: &Path) -> Job {
        self.process.working_directory = Some(path.to_owned());
        self
    }

    pub(crate) fn ulimit(mut self, name: &str, soft: i64, hard: i64) -> Job {
        self.process.ulimits.push(Ulimit {
            name: name.to_owned(),
            soft,
            hard,
        });
        self
    }

    pub(crate) fn memory_mib(mut self, memory_mib: u64) -> Job {
        self.memory_mib = memory_mib;
        self
    }

    pub(crate) fn without_log(mut self) -> Job {
        self.has_log = false;
        self
    }

    fn launch(&self) -> Launch {
        let stream = stream_of(self.attempt);
        Launch {
            attempt: self.attempt,
            spec: Arc::new(LaunchSpec {
                runner: Runner::Process(self.process.clone()),
                command: self.command.clone(),
                environment: Vec::new(),
                resources: Resources {
                    vcpus: MilliVcpus::whole(1),
                    memory: Mebibytes(self.memory_mib),
                    gpus: 0,
                },
                log: Some(LogTarget {
                    group: stream.group.clone(),
                    stream_prefix: "test/default".to_owned(),
                }),
                stop_timeout: Millis::from_seconds(30),
                role: None,
                training: None,
            }),
            environment: self.environment.clone(),
            stream: self.has_log.then_some(stream),
            gpus: GpuSet::default(),
            node: None,
            members: Vec::new(),
        }
    }
}

fn stream_of(attempt: AttemptKey) -> StreamName {
    StreamName {
        group: "/aws/batch/job".to_owned(),
        stream: attempt.to_string(),
    }
}

/// As the core holds an attempt that it knows to run.
pub(crate) fn running(attempt: AttemptKey) -> CurrentAttempt {
    CurrentAttempt {
        attempt,
        was_started: true,
        kind: None,
    }
}
