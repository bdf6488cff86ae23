//! What the store does in a second here: commits of several sizes beside what the disk can do at all, and how long a large one takes to
//! load.
//!
//! `cargo run --release -p batchyard-store --example measure [FOLDER]`; the files are made in FOLDER (else the temporary one) and removed.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use batchyard_core::array::Array;
use batchyard_core::change::{
    AfterAttempt, AttemptEnded, Change, Document, EnvironmentPut, JobAdded, JobContent, QueuePut,
};
use batchyard_core::environment::{Capacity, EnvironmentSpec, Life, Platform, Switch};
use batchyard_core::id::{EnvironmentId, JobId, JobKey, QueueId, Sequence};
use batchyard_core::interval_set::IntervalSet;
use batchyard_core::job::{JobStatus, Placement, Profile};
use batchyard_core::launch::{LaunchSpec, LogTarget, ProcessSpec, Runner, Variable};
use batchyard_core::name::{DefinitionName, EnvironmentName, QueueName};
use batchyard_core::reason::ESSENTIAL_CONTAINER_EXITED;
use batchyard_core::resources::{GpuSet, Mebibytes, MilliVcpus, Resources};
use batchyard_core::retry::RetryStrategy;
use batchyard_core::state::{Counters, Host, State};
use batchyard_core::time::{Millis, Timestamp};
use batchyard_runtime::store::{Batch, JobFilter, JobQuery, JobScope, Store, TextMatch};
use batchyard_store::SqliteStore;

const QUEUED: u64 = 1_000_000;

fn main() {
    let folder = std::env::args_os()
        .nth(1)
        .unwrap_or_else(|| std::env::temp_dir().into());
    let folder = tempfile::tempdir_in(folder).expect("the folder can be written");
    let path = folder.path().join("measure.sqlite");
    println!("{:>9.0} bare fsyncs of 4 KiB/s", fsyncs(folder.path()));
    let mut site = Site::open(&path);
    for (size, commits) in [(1, 2_000), (64, 500), (1_024, 60)] {
        site.report("submitted", size, commits, submit);
    }
    for (size, commits) in [(1, 2_000), (64, 500), (1_024, 60)] {
        site.report("started and ended", size, commits, run);
    }
    println!("{:>9.0} bare fsyncs of 4 KiB/s", fsyncs(folder.path()));
    drop(site);
    measure_queue(&folder.path().join("queue.sqlite"));
    measure_array(&folder.path().join("array.sqlite"));
}

/// What the disk can do: appends that are synced one by one.
fn fsyncs(folder: &Path) -> f64 {
    let mut file = File::create(folder.join("fsync")).expect("the folder can be written");
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < Duration::from_secs(1) {
        file.write_all(&[0; 4096]).expect("the disk has room");
        file.sync_data().expect("the disk works");
        count += 1;
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}

struct Site {
    store: SqliteStore,
    /// Of the next job to be submitted, and to be run.
    submitted: u64,
    ran: u64,
}

impl Site {
    fn open(path: &Path) -> Self {
        let store = SqliteStore::open(path).expect("the file is new");
        let changes = vec![environment(), queue()];
        commit(&store, changes, 1);
        Site {
            store,
            submitted: 1,
            ran: 1,
        }
    }

    fn report(&mut self, what: &str, size: u64, commits: u32, change: impl Fn(&mut Site) -> Vec<Change>) {
        // Making the changes is not the store's work.
        let batches: Vec<_> = (0..commits)
            .map(|_| (0..size).flat_map(|_| change(self)).collect::<Vec<_>>())
            .collect();
        let begun = Instant::now();
        let mut longest: f64 = 0.0;
        for changes in batches {
            let begun = Instant::now();
            commit(&self.store, changes, self.submitted);
            longest = longest.max(millis(begun));
        }
        let spent = begun.elapsed().as_secs_f64();
        let per_second = f64::from(commits) / spent;
        println!(
            "{per_second:>9.0} commits/s of {size:>4} jobs {what}: {:>7.0} jobs/s, {longest:.1} ms the longest commit",
            per_second * f64::from(u32::try_from(size).expect("it is small"))
        );
    }
}

fn commit(store: &SqliteStore, changes: Vec<Change>, next: u64) {
    let batch = Batch {
        changes,
        arrays: Vec::new(),
        journal: Vec::new(),
        counters: Counters {
            sequence: Sequence(next),
            environment: EnvironmentId(2),
            queue: QueueId(2),
            ..Counters::default()
        },
        events: None,
    };
    store.commit(&batch).expect("the disk has room");
}

fn submit(site: &mut Site) -> Vec<Change> {
    let added = job(site.submitted);
    site.submitted += 1;
    let id = added.id;
    vec![Change::JobAdded(Box::new(added)), Change::JobReady(id)]
}

/// A job is placed, started and ended, as in the batches of a busy server.
fn run(site: &mut Site) -> Vec<Change> {
    let job = JobKey::whole(id(site.ran));
    site.ran += 1;
    let placement = Placement {
        environment: EnvironmentId(1),
        instance: None,
        gpus: GpuSet::default(),
    };
    let at = Timestamp::from_millis(1_700_000_000_000);
    let ended = AttemptEnded {
        job,
        attempt: 1,
        placement,
        started_at: Some(at),
        stopped_at: at,
        exit_code: Some(0),
        reason: None,
        status_reason: ESSENTIAL_CONTAINER_EXITED,
        is_preempted: false,
        next: AfterAttempt::Succeeded,
        containers: Vec::new(),
    };
    vec![
        Change::AttemptPlaced {
            job,
            attempt: 1,
            placement,
            scheduled_at: None,
        },
        Change::AttemptStarted { job, attempt: 1, at },
        Change::AttemptEnded(Box::new(ended)),
    ]
}

/// A million single jobs that wait.
fn measure_queue(path: &Path) {
    let mut site = Site::open(path);
    let begun = Instant::now();
    while site.submitted <= QUEUED {
        let changes = (0..1_024).flat_map(|_| submit(&mut site)).collect();
        commit(&site.store, changes, site.submitted);
    }
    println!("{QUEUED} jobs queued in {:.1} s", begun.elapsed().as_secs_f64());
    drop(site);
    let bytes = std::fs::metadata(path).expect("it was just written").len();
    let store = load(path);
    println!("  {} bytes of file per job", bytes / QUEUED);
    let list = |what: &str, status, filter| {
        let query = JobQuery {
            scope: JobScope::Queue(QueueId(1)),
            status,
            filter,
            after: None,
            limit: 100,
        };
        let begun = Instant::now();
        let page = store.list_jobs(&query).expect("it can be read");
        println!(
            "  {:>9.1} ms for a page of {what}: {} rows",
            millis(begun),
            page.rows.len()
        );
    };
    list("RUNNABLE ones", Some(JobStatus::Runnable), None);
    list("FAILED ones", Some(JobStatus::Failed), None);
    let named = |text: &str| {
        Some(JobFilter::Name(TextMatch {
            text: text.to_owned(),
            is_prefix: false,
        }))
    };
    list("the oldest's name", None, named("sample-1"));
    list("a name that none has", None, named("none"));
    let begun = Instant::now();
    store.counts(QueueId(1)).expect("it can be read");
    println!("  {:>9.1} ms for the queue's counts", millis(begun));
}

/// An array with a million children that wait.
fn measure_array(path: &Path) {
    let site = Site::open(path);
    let mut array = Array::new(1_000_000);
    let waiting = array.waiting.clone();
    let added = JobAdded {
        array: Some(Box::new(array.clone())),
        ..job(1)
    };
    let id = added.id;
    array.waiting = IntervalSet::default();
    array.runnable = waiting.clone();
    let ready = Change::ChildrenReady {
        job: id,
        children: waiting,
    };
    let batch = Batch {
        changes: vec![Change::JobAdded(Box::new(added)), ready],
        arrays: vec![(id, array)],
        counters: Counters {
            sequence: Sequence(2),
            environment: EnvironmentId(2),
            queue: QueueId(2),
            ..Counters::default()
        },
        ..Batch::default()
    };
    let begun = Instant::now();
    site.store.commit(&batch).expect("the disk has room");
    println!("array of 1000000 committed in {:.1} ms", millis(begun));
    drop(site);
    load(path);
}

/// Opens and loads, as a server does that starts.
fn load(path: &Path) -> SqliteStore {
    let begun = Instant::now();
    let store = SqliteStore::open(path).expect("it was closed");
    println!("  {:>9.1} ms to open", millis(begun));
    let begun = Instant::now();
    let stored = store.load().expect("it is whole");
    println!("  {:>9.1} ms to load", millis(begun));
    let begun = Instant::now();
    let host = Host {
        resources: Resources::default(),
    };
    State::restore(host, stored).expect("it is whole");
    println!("  {:>9.1} ms to restore the core's state from it", millis(begun));
    store
}

fn millis(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1_000.0
}

fn environment() -> Change {
    let put = EnvironmentPut {
        id: EnvironmentId(1),
        name: EnvironmentName::parse("ce").expect("it is a name"),
        version: 1,
        switch: Switch::Enabled,
        life: Life::Valid,
        spec: EnvironmentSpec {
            platform: Platform::Ec2,
            capacity: Capacity::Shared { vcpus_max: None },
            refuses_multi_node: false,
            reservable_vcpus: None,
        },
        document: Document(Arc::from("{}")),
    };
    Change::EnvironmentPut(Box::new(put))
}

fn queue() -> Change {
    let put = QueuePut {
        id: QueueId(1),
        name: QueueName::parse("q").expect("it is a name"),
        version: 1,
        switch: Switch::Enabled,
        priority: 1,
        environments: vec![EnvironmentId(1)],
        policy: None,
        actions: Vec::new(),
        document: Document(Arc::from("{}")),
    };
    Change::QueuePut(Box::new(put))
}

/// As the server makes them: the submission's time first, then what is random.
fn id(number: u64) -> JobId {
    let random = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let submitted_at = 1_700_000_000_000 + i64::try_from(number / 40).expect("it is small");
    JobId::new(Timestamp::from_millis(submitted_at), random)
}

/// A job of a pipeline: the command differs from job to job, most else does not.
fn job(number: u64) -> JobAdded {
    let resources = Resources {
        vcpus: MilliVcpus(1_000),
        memory: Mebibytes(2_048),
        gpus: 0,
    };
    let variable = |name: &str, value: String| Variable {
        name: name.to_owned(),
        value,
    };
    let launch = LaunchSpec {
        runner: Runner::Process(ProcessSpec::default()),
        command: vec![
            "process-sample".to_owned(),
            "--input".to_owned(),
            format!("s3://bucket/samples/{number}.bam"),
        ],
        environment: vec![
            variable("SAMPLE", number.to_string()),
            variable("REFERENCE", "GRCh38".to_owned()),
        ],
        resources,
        log: Some(LogTarget {
            group: "/aws/batch/job".to_owned(),
            stream_prefix: "process-sample/default/".to_owned(),
        }),
        stop_timeout: Millis::from_seconds(30),
        role: None,
        training: None,
    };
    let document = format!("{{\"sample\":{number},\"container\":\"{}\"}}", "x".repeat(570));
    JobAdded {
        id: id(number),
        sequence: Sequence(number),
        queue: QueueId(1),
        profile: Arc::new(Profile {
            platform: Platform::Ec2,
            resources,
            retry: RetryStrategy::default(),
            timeout: None,
            stop_timeout: Millis::from_seconds(30),
            share: None,
            consumables: Vec::new(),
            definition: None,
            nodes: None,
            service: None,
        }),
        dependencies: Vec::new(),
        array: None,
        content: JobContent {
            name: format!("sample-{number}"),
            definition: DefinitionName::parse("process-sample").expect("it is a name"),
            revision: 1,
            launch: Arc::new(launch),
            nodes: None,
            document: Document(Arc::from(document)),
            tags: Vec::new(),
        },
        at: Timestamp::from_millis(1_700_000_000_000),
    }
}
