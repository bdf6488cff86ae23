//! Numbered batches, and what of them a store has.

use std::sync::Arc;

use batchyard_core::change::{Change, Document, EnvironmentPut, JobAdded, JobContent, QueuePut};
use batchyard_core::command::{Command, Input};
use batchyard_core::environment::{Capacity, EnvironmentSpec, Life, Platform, Switch};
use batchyard_core::id::{EnvironmentId, JobId, QueueId, Sequence};
use batchyard_core::job::{Body, Execution, Job, Profile};
use batchyard_core::launch::{LaunchSpec, ProcessSpec, Runner};
use batchyard_core::name::{DefinitionName, EnvironmentName, QueueName};
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_core::retry::RetryStrategy;
use batchyard_core::state::Counters;
use batchyard_core::time::{Millis, Timestamp};
use batchyard_runtime::store::{Batch, JournalEntry, Store};

/// Jobs that each batch adds.
pub(crate) const JOBS: u64 = 3;

/// The batch with this number. The first also has the environment and the queue.
pub(crate) fn batch(number: u64) -> Batch {
    let mut changes = Vec::new();
    if number == 0 {
        changes.extend([environment(), queue()]);
    }
    let sequences = number * JOBS + 1..=(number + 1) * JOBS;
    for sequence in sequences.clone() {
        let added = job(sequence);
        let id = added.id;
        changes.extend([Change::JobAdded(Box::new(added)), Change::JobReady(id)]);
    }
    let entry = JournalEntry {
        at: Timestamp::from_millis(1_000),
        principal: None,
        input: Input::Command(Command::DeleteQueue(
            QueueName::parse(&format!("batch{number}")).unwrap(),
        )),
    };
    Batch {
        changes,
        arrays: Vec::new(),
        journal: vec![entry],
        counters: Counters {
            sequence: Sequence(sequences.end() + 1),
            environment: EnvironmentId(2),
            queue: QueueId(2),
            ..Counters::default()
        },
        events: None,
    }
}

/// How many batches the store has, of which nothing else may be there.
pub(crate) fn batches_in(store: &dyn Store) -> u64 {
    let stored = store.load().unwrap();
    let Sequence(next) = stored.counters.sequence;
    let count = (next - 1) / JOBS;
    assert_eq!(next, count * JOBS + 1, "a part of a batch is there");
    let expected = (1..next).map(|sequence| {
        let added = job(sequence);
        let job = Job {
            sequence: added.sequence,
            queue: added.queue,
            profile: added.profile,
            body: Body::Ready(Execution::new()),
        };
        (added.id, job)
    });
    assert!(
        stored.jobs.into_iter().eq(expected),
        "jobs are missing, or there are others"
    );
    count
}

fn environment() -> Change {
    let put = EnvironmentPut {
        id: EnvironmentId(1),
        name: EnvironmentName::parse("ce").unwrap(),
        version: 1,
        switch: Switch::Enabled,
        life: Life::Valid,
        spec: EnvironmentSpec {
            platform: Platform::Ec2,
            capacity: Capacity::Shared { vcpus_max: None },
            refuses_multi_node: false,
            reservable_vcpus: None,
        },
        document: document(),
    };
    Change::EnvironmentPut(Box::new(put))
}

fn queue() -> Change {
    let put = QueuePut {
        id: QueueId(1),
        name: QueueName::parse("q").unwrap(),
        version: 1,
        switch: Switch::Enabled,
        priority: 1,
        environments: vec![EnvironmentId(1)],
        policy: None,
        actions: Vec::new(),
        document: document(),
    };
    Change::QueuePut(Box::new(put))
}

fn job(sequence: u64) -> JobAdded {
    let resources = Resources {
        vcpus: MilliVcpus(1_000),
        memory: Mebibytes(512),
        gpus: 0,
    };
    let launch = LaunchSpec {
        runner: Runner::Process(ProcessSpec::default()),
        command: vec!["true".to_owned()],
        environment: Vec::new(),
        resources,
        log: None,
        stop_timeout: Millis::from_seconds(30),
        role: None,
        training: None,
    };
    JobAdded {
        id: JobId::new(Timestamp::from_millis(0), u128::from(sequence)),
        sequence: Sequence(sequence),
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
            name: format!("job{sequence}"),
            definition: DefinitionName::parse("d").unwrap(),
            revision: 1,
            launch: Arc::new(launch),
            nodes: None,
            document: document(),
            tags: Vec::new(),
        },
        at: Timestamp::from_millis(1_000),
    }
}

fn document() -> Document {
    Document(Arc::from("{}"))
}
