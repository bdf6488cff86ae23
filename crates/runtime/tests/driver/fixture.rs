//! One environment, one queue, one definition, and jobs that differ by their number.

use std::sync::Arc;

use batchyard_core::CoreConfig;
use batchyard_core::change::{Document, JobContent};
use batchyard_core::command::{Command, PutEnvironment, PutQueue, RegisterDefinition, SubmitJob};
use batchyard_core::environment::{Capacity, EnvironmentSpec, Platform, Switch};
use batchyard_core::id::JobId;
use batchyard_core::job::Profile;
use batchyard_core::launch::{LaunchSpec, NodeLaunch, NodeLaunches, ProcessSpec, Runner};
use batchyard_core::multi_node::{NodeGroup, NodeShape};
use batchyard_core::name::{DefinitionName, EnvironmentName, QueueName};
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_core::retry::RetryStrategy;
use batchyard_core::time::{Millis, Timestamp};

/// Attempts that fit on the host at once.
pub(crate) const SLOTS: usize = 3;

pub(crate) fn config() -> CoreConfig {
    CoreConfig::new(Resources {
        vcpus: MilliVcpus(3_000),
        memory: Mebibytes(8_192),
        gpus: 0,
    })
}

fn document() -> Document {
    Document(Arc::from("{}"))
}

/// What makes jobs possible.
pub(crate) fn registry() -> [Command; 3] {
    let environment = EnvironmentName::parse("ce").unwrap();
    let put_environment = PutEnvironment {
        name: environment.clone(),
        switch: Switch::Enabled,
        spec: EnvironmentSpec {
            platform: Platform::Ec2,
            capacity: Capacity::Shared { vcpus_max: None },
            refuses_multi_node: false,
            reservable_vcpus: None,
        },
        document: document(),
        tags: Vec::new(),
        is_valid: true,
    };
    let put_queue = PutQueue {
        name: QueueName::parse("q").unwrap(),
        switch: Switch::Enabled,
        priority: 1,
        environments: vec![environment],
        policy: None,
        actions: Vec::new(),
        document: document(),
        tags: Vec::new(),
    };
    let register = RegisterDefinition {
        name: DefinitionName::parse("d").unwrap(),
        document: document(),
        tags: Vec::new(),
    };
    [
        Command::CreateEnvironment(Box::new(put_environment)),
        Command::CreateQueue(Box::new(put_queue)),
        Command::RegisterDefinition(Box::new(register)),
    ]
}

pub(crate) fn job_id(number: usize) -> JobId {
    let number = u128::try_from(number).unwrap();
    JobId::new(Timestamp::from_millis(0), (number + 1) * 0x9e37_79b9)
}

/// A single job of one vCPU, tried once.
pub(crate) fn submission(number: usize) -> SubmitJob {
    let resources = Resources {
        vcpus: MilliVcpus(1_000),
        memory: Mebibytes(512),
        gpus: 0,
    };
    let stop_timeout = Millis::from_seconds(30);
    let launch = LaunchSpec {
        runner: Runner::Process(ProcessSpec::default()),
        command: vec!["echo".to_owned(), number.to_string()],
        environment: Vec::new(),
        resources,
        log: None,
        stop_timeout,
        role: None,
        training: None,
    };
    SubmitJob {
        id: job_id(number),
        queue: QueueName::parse("q").unwrap(),
        profile: Arc::new(Profile {
            platform: Platform::Ec2,
            resources,
            retry: RetryStrategy::default(),
            timeout: None,
            stop_timeout,
            share: None,
            consumables: Vec::new(),
            definition: None,
            nodes: None,
            service: None,
        }),
        array_size: None,
        is_sequential: false,
        dependencies: Vec::new(),
        content: JobContent {
            name: format!("job{number}"),
            definition: DefinitionName::parse("d").unwrap(),
            revision: 1,
            launch: Arc::new(launch),
            nodes: None,
            document: document(),
            tags: Vec::new(),
        },
        token: None,
        failure: None,
    }
}

/// The submission with so many nodes, each of its size; the last one is the main one.
pub(crate) fn with_nodes(mut submit: SubmitJob, count: u32) -> SubmitJob {
    let (first, last) = (0, count - 1);
    let shape = NodeShape {
        count,
        main: last,
        groups: vec![NodeGroup {
            first,
            last,
            resources: submit.profile.resources,
            instance_type: None,
        }],
    };
    let profile = Arc::make_mut(&mut submit.profile);
    profile.resources = shape.total();
    profile.nodes = Some(shape);
    submit.content.nodes = Some(Arc::new(NodeLaunches {
        count,
        main: last,
        groups: vec![NodeLaunch {
            first,
            last,
            launch: Arc::clone(&submit.content.launch),
        }],
    }));
    submit
}
