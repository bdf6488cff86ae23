//! The few kinds of things that the tests are made of.

use std::sync::Arc;

use batchyard_core::CoreConfig;
use batchyard_core::blocked::{LimitedReason, TimeLimitAction};
use batchyard_core::change::{Document, JobContent};
use batchyard_core::command::{PutEnvironment, PutItem, PutQueue, SubmitJob};
use batchyard_core::environment::{
    Capacity, EnvironmentSpec, InstanceChoice, InstancePlan, InstanceTypeName, Platform, Switch,
};
use batchyard_core::id::JobId;
use batchyard_core::item::{
    CapacityLimit, ConsumableResource, FairShare, Item, ItemKey, QuotaShare, SchedulingPolicy, ShareWeight,
    Sharing,
};
use batchyard_core::job::Profile;
use batchyard_core::launch::{LaunchSpec, NodeLaunch, NodeLaunches, ProcessSpec, Runner, Variable};
use batchyard_core::limits::Limits;
use batchyard_core::multi_node::{NodeGroup, NodeShape};
use batchyard_core::name::{
    ConsumableResourceName, DefinitionName, EnvironmentName, QueueName, QuotaShareName, SchedulingPolicyName,
};
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_core::retry::RetryStrategy;
use batchyard_core::time::{Millis, Timestamp};

/// Most children of an array here: a list of them fills several pages, and checking all of them is still quick.
pub(crate) const ARRAY_SIZE_MAX: u32 = 2_000_000;

pub(crate) fn config() -> CoreConfig {
    CoreConfig {
        host: Resources {
            vcpus: MilliVcpus(5_500),
            memory: Mebibytes(20_000),
            gpus: 2,
        },
        limits: Limits {
            array_size: ARRAY_SIZE_MAX,
            ..Limits::default()
        },
    }
}

pub(crate) fn environment_name(text: &str) -> EnvironmentName {
    EnvironmentName::parse(text).unwrap()
}

pub(crate) fn queue_name(text: &str) -> QueueName {
    QueueName::parse(text).unwrap()
}

pub(crate) fn definition_name(text: &str) -> DefinitionName {
    DefinitionName::parse(text).unwrap()
}

pub(crate) fn document(text: &str) -> Document {
    Document(Arc::from(text))
}

pub(crate) fn tag(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

/// An environment whose kind, 0..=7, is one of all there are.
pub(crate) fn environment_put(name: &str, kind: u8) -> PutEnvironment {
    PutEnvironment {
        name: environment_name(name),
        switch: Switch::Enabled,
        spec: environment_spec(kind),
        document: document(&format!("{{\"environment\":\"{name}\",\"kind\":{kind}}}")),
        tags: vec![tag("of", name)],
        is_valid: true,
    }
}

pub(crate) fn environment_spec(kind: u8) -> EnvironmentSpec {
    let plan = |types: &[&str], choice, vcpus_min, vcpus_desired, vcpus_max| {
        let types = types.iter().map(|name| InstanceTypeName::find(name).unwrap());
        Capacity::Instances(InstancePlan {
            types: types.collect(),
            choice,
            vcpus_min,
            vcpus_desired,
            vcpus_max,
            idle_delay: Millis::from_seconds(60),
        })
    };
    let shared = |vcpus_max| Capacity::Shared { vcpus_max };
    let (platform, capacity) = match kind {
        0 => (Platform::Ec2, shared(None)),
        1 => (Platform::Ec2, shared(Some(2))),
        2 => (Platform::Fargate, shared(Some(4))),
        3 => (
            Platform::Ec2,
            plan(&["m5.large", "m5.xlarge"], InstanceChoice::Smallest, 0, 0, 4),
        ),
        4 => (
            Platform::Ec2,
            plan(&["m5.xlarge", "m5.large"], InstanceChoice::Ordered, 2, 4, 6),
        ),
        5 => (
            Platform::Ec2,
            plan(&["g4dn.xlarge"], InstanceChoice::Smallest, 0, 2, 64),
        ),
        7 => (
            Platform::Service,
            Capacity::Units {
                limits: vec![CapacityLimit {
                    unit: "ml.m5.large".into(),
                    max: 3,
                }],
            },
        ),
        _ => (
            Platform::Ec2,
            plan(&["m5.large"], InstanceChoice::Ordered, 2, 0, 3),
        ),
    };
    EnvironmentSpec {
        platform,
        capacity,
        refuses_multi_node: kind == 2,
        reservable_vcpus: None,
    }
}

pub(crate) fn queue_put(name: &str, environments: &[&str]) -> PutQueue {
    PutQueue {
        name: queue_name(name),
        switch: Switch::Enabled,
        priority: 1,
        environments: environments.iter().map(|name| environment_name(name)).collect(),
        policy: None,
        // One of the queues lets nothing block it for long.
        actions: limits(name),
        document: document(&format!("{{\"queue\":\"{name}\"}}")),
        tags: vec![tag("of", name)],
    }
}

pub(crate) fn profile() -> Profile {
    Profile {
        platform: Platform::Ec2,
        resources: Resources {
            vcpus: MilliVcpus(1_000),
            memory: Mebibytes(512),
            gpus: 0,
        },
        retry: RetryStrategy::default(),
        timeout: None,
        stop_timeout: Millis::from_seconds(30),
        share: None,
        consumables: Vec::new(),
        definition: None,
        nodes: None,
        service: None,
    }
}

/// A submission with two nodes of its profile's size and more little ones, `count` together. Some have another main node than the first.
pub(crate) fn with_nodes(mut submit: SubmitJob, count: u32) -> SubmitJob {
    let last = count - 1;
    let border = last.min(1);
    let small = Resources {
        vcpus: MilliVcpus(250),
        ..profile().resources
    };
    let mut groups = vec![NodeGroup {
        first: 0,
        last: border,
        resources: submit.profile.resources,
        instance_type: None,
    }];
    let launch = |number: u32| {
        let mut launch = (*submit.content.launch).clone();
        launch.command.push(format!("range {number}"));
        Arc::new(launch)
    };
    let mut launches = vec![NodeLaunch {
        first: 0,
        last: border,
        launch: launch(0),
    }];
    if border < last {
        groups.push(NodeGroup {
            first: border + 1,
            last,
            resources: small,
            instance_type: None,
        });
        launches.push(NodeLaunch {
            first: border + 1,
            last,
            launch: launch(1),
        });
    }
    let main = count / 2;
    let shape = NodeShape { count, main, groups };
    Arc::make_mut(&mut submit.profile).resources = shape.total();
    Arc::make_mut(&mut submit.profile).nodes = Some(shape);
    submit.content.nodes = Some(Arc::new(NodeLaunches {
        count,
        main,
        groups: launches,
    }));
    submit
}

/// An identifier that differs for each number; their order is not that of the numbers.
pub(crate) fn job_id(number: usize) -> JobId {
    let number = u128::try_from(number).unwrap();
    let millis = i64::from(number.is_multiple_of(7));
    JobId::new(Timestamp::from_millis(millis), (number + 1) * 0x9e37_79b9)
}

/// A single job of definition `d`, revision 1, in queue `q0`. Its name and content say which number it has.
pub(crate) fn submission(number: usize) -> SubmitJob {
    let launch = LaunchSpec {
        runner: Runner::Process(ProcessSpec::default()),
        command: vec!["echo".to_owned(), number.to_string()],
        environment: vec![Variable {
            name: "NUMBER".to_owned(),
            value: number.to_string(),
        }],
        resources: profile().resources,
        log: None,
        stop_timeout: Millis::from_seconds(30),
        role: None,
        training: None,
    };
    SubmitJob {
        id: job_id(number),
        queue: queue_name("q0"),
        profile: Arc::new(profile()),
        array_size: None,
        is_sequential: false,
        dependencies: Vec::new(),
        content: JobContent {
            name: format!("job{number}"),
            definition: definition_name("d"),
            revision: 1,
            launch: Arc::new(launch),
            nodes: None,
            document: document(&format!("{{\"number\":{number}}}")),
            tags: if number.is_multiple_of(3) {
                vec![tag("number", &number.to_string())]
            } else {
                Vec::new()
            },
        },
        token: None,
        failure: None,
    }
}

pub(crate) fn policy_name(text: &str) -> SchedulingPolicyName {
    SchedulingPolicyName::parse(text).unwrap()
}

pub(crate) fn consumable_name(text: &str) -> ConsumableResourceName {
    ConsumableResourceName::parse(text).unwrap()
}

/// A fair-share policy with a weight.
pub(crate) fn fair_share_put(name: &str) -> PutItem {
    let policy = FairShare {
        decay: Millis::from_seconds(60),
        reservation_percent: 10,
        shares: vec![ShareWeight {
            share: "blue".into(),
            is_prefix: true,
            weight: 5_000,
        }],
    };
    let item = Item::SchedulingPolicy(SchedulingPolicy::FairShare(policy));
    item_put(ItemKey::SchedulingPolicy(policy_name(name)), item)
}

pub(crate) fn consumable_put(name: &str, total: u64) -> PutItem {
    let item = Item::ConsumableResource(ConsumableResource {
        // `c1` is used up.
        is_replenishable: name != "c1",
        total,
    });
    item_put(ItemKey::ConsumableResource(consumable_name(name)), item)
}

pub(crate) fn quota_share_put(queue: &str, name: &str, switch: Switch) -> PutItem {
    let item = Item::QuotaShare(QuotaShare {
        switch,
        limits: vec![CapacityLimit {
            unit: "ml.m5.large".into(),
            max: 3,
        }],
        sharing: Sharing::LendAndBorrow {
            borrow_percent_max: Some(50),
        },
        preempts_in_share: true,
    });
    let name = QuotaShareName::parse(name).unwrap();
    item_put(ItemKey::QuotaShare(queue_name(queue), name), item)
}

fn item_put(key: ItemKey, item: Item) -> PutItem {
    PutItem {
        document: document(&format!("{{\"item\":\"{key}\"}}")),
        tags: vec![tag("of", &key.resource())],
        key,
        item,
    }
}

fn limits(queue: &str) -> Vec<TimeLimitAction> {
    let reasons = LimitedReason::ALL.into_iter().filter(|_| queue == "q1");
    let actions = reasons.map(|reason| TimeLimitAction {
        reason,
        after: Millis::from_seconds(2),
    });
    actions.collect()
}
