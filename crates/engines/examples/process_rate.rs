//! How many no-op jobs the process engine runs per second, beside bare spawning of the same program on as many threads as there are
//! processors, in one run. Usage: `process_rate [JOBS]`.
//!
//! The program is its own supervisor when it is called as such.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use batchyard_core::id::{AttemptKey, JobId, JobKey};
use batchyard_core::launch::{LaunchSpec, ProcessSpec, Runner};
use batchyard_core::report::Report;
use batchyard_core::resources::{GpuSet, Mebibytes, MilliVcpus, Resources};
use batchyard_core::time::{Millis, Timestamp};
use batchyard_engines::process::{Config, ProcessEngine, supervise};
use batchyard_runtime::engine::{BoxFuture, Launch, Order, Reports};
use batchyard_runtime::log::{Append, LogError, LogStore};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const PROGRAM: &str = "/bin/true";

/// Jobs at work at any time: about what a host of this size is given.
const AT_ONCE: usize = 64;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, directory] = arguments.as_slice()
        && role == "supervisor"
    {
        return Ok(supervise(Path::new(directory))?);
    }
    let jobs = arguments.first().map_or(Ok(20_000), |jobs| jobs.parse())?;
    show("bare spawn", jobs, bare(jobs)?);
    show("process engine", jobs, engine(jobs)?);
    Ok(())
}

fn show(what: &str, jobs: usize, took: Duration) {
    let per_second = u128::try_from(jobs).unwrap_or(u128::MAX) * 1_000_000 / took.as_micros().max(1);
    println!("{what}: {jobs} in {took:.2?}, {per_second}/s");
}

fn bare(jobs: usize) -> Result<Duration, Failure> {
    let threads = std::thread::available_parallelism()?.get();
    let began = Instant::now();
    std::thread::scope(|scope| {
        let run = || -> std::io::Result<()> {
            for _ in 0..jobs / threads {
                std::process::Command::new(PROGRAM).status()?;
            }
            Ok(())
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        running
            .into_iter()
            .try_for_each(|thread| thread.join().expect("spawning does not panic"))
    })?;
    Ok(began.elapsed())
}

#[tokio::main]
async fn engine(jobs: usize) -> Result<Duration, Failure> {
    let folder = tempfile::tempdir()?;
    let (told, mut reports) = Reports::channel(1024);
    let config = Config {
        directory: folder.path().join("supervisor"),
        supervisor_program: std::env::current_exe()?,
        supervisor_arguments: vec!["supervisor".into()],
        run_as: None,
        secrets: batchyard_engines::secrets::Secrets::default(),
    };
    let engine = ProcessEngine::start(config, told, Arc::new(Nowhere)).await?;
    let spec = Arc::new(spec());
    let began = Instant::now();
    let mut open = BTreeSet::new();
    let (mut launched, mut ended) = (0, 0);
    while ended < jobs {
        while launched < jobs && open.len() < AT_ONCE {
            let attempt = attempt(launched);
            open.insert(attempt);
            engine
                .order(Order::Launch(Box::new(launch(attempt, &spec))))
                .await;
            launched += 1;
        }
        let (attempt, report) = reports.recv().await.ok_or("the engine is gone")?;
        if matches!(report, Report::Started { .. }) {
            continue;
        }
        if !matches!(
            report,
            Report::Exited {
                exit_code: Some(0),
                ..
            }
        ) {
            return Err(format!("{attempt} ended as {report:?}").into());
        }
        if open.remove(&attempt) {
            engine.order(Order::Forget { attempt }).await;
            ended += 1;
        }
    }
    let took = began.elapsed();
    engine.end_when_idle().await;
    Ok(took)
}

fn attempt(number: usize) -> AttemptKey {
    let random = u128::try_from(number).unwrap_or_default();
    AttemptKey {
        job: JobKey::whole(JobId::new(Timestamp::from_millis(1_700_000_000_000), random)),
        attempt: 1,
    }
}

fn launch(attempt: AttemptKey, spec: &Arc<LaunchSpec>) -> Launch {
    Launch {
        attempt,
        spec: Arc::clone(spec),
        environment: Vec::new(),
        stream: None,
        gpus: GpuSet::default(),
        node: None,
        members: Vec::new(),
    }
}

fn spec() -> LaunchSpec {
    LaunchSpec {
        runner: Runner::Process(ProcessSpec {
            working_directory: Some("/".into()),
            ulimits: Vec::new(),
            secrets: Vec::new(),
        }),
        command: vec![PROGRAM.to_owned()],
        environment: Vec::new(),
        resources: Resources {
            vcpus: MilliVcpus::whole(1),
            memory: Mebibytes(64),
            gpus: 0,
        },
        log: None,
        stop_timeout: Millis::from_seconds(30),
        role: None,
        training: None,
    }
}

/// A log store for jobs that write nothing.
struct Nowhere;

impl LogStore for Nowhere {
    fn append(&self, _appends: Vec<Append>) -> BoxFuture<'_, Result<(), LogError>> {
        Box::pin(async { Ok(()) })
    }

    fn cursor(&self, _source: &str) -> Result<Option<Vec<u8>>, LogError> {
        Ok(None)
    }

    fn cursors(&self, _prefix: &str) -> Result<Vec<(String, Vec<u8>)>, LogError> {
        Ok(Vec::new())
    }
}
