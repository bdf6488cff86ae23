//! The few kinds of things that histories are made of.

use std::sync::Arc;

use batchyard_core::change::{Document, JobContent};
use batchyard_core::environment::{
    Capacity, EnvironmentSpec, InstanceChoice, InstancePlan, InstanceTypeName, NUM_INSTANCES, Platform,
    Switch,
};
use batchyard_core::item::{
    CapacityLimit, ConsumableResource, FairShare, Item, ItemKey, QuotaShare, SchedulingPolicy, ShareWeight,
    Sharing,
};
use batchyard_core::job::{ConsumableClaim, JobStatus, Profile, ServiceClaim};
use batchyard_core::launch::{LaunchSpec, ProcessSpec, Runner};
use batchyard_core::multi_node::{NodeGroup, NodeShape};
use batchyard_core::name::{
    ConsumableResourceName, DefinitionName, QueueName, QuotaShareName, SchedulingPolicyName,
};
use batchyard_core::options::{BACKFILL, MAX_CONCURRENCY};
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_core::retry::{EvaluateOnExit, Pattern, RetryAction, RetryStrategy};
use batchyard_core::time::Millis;

use crate::op::{NodesOp, ProfileOp};

pub(super) fn status(has_succeeded: bool) -> JobStatus {
    if has_succeeded {
        JobStatus::Succeeded
    } else {
        JobStatus::Failed
    }
}

pub(super) fn switch(is_enabled: bool) -> Switch {
    if is_enabled {
        Switch::Enabled
    } else {
        Switch::Disabled
    }
}

pub(super) fn document() -> Document {
    Document(Arc::from("{}"))
}

pub(super) fn definition() -> DefinitionName {
    DefinitionName::parse("d").expect("it is a name")
}

pub(super) fn policy_name(kind: u8) -> SchedulingPolicyName {
    SchedulingPolicyName::parse(&format!("p{kind}")).expect("it is a name")
}

pub(super) fn consumable_name(kind: u8) -> ConsumableResourceName {
    ConsumableResourceName::parse(&format!("r{kind}")).expect("it is a name")
}

/// The quota share that a number stands for; they are all of the queue q1.
pub(super) fn quota_share(number: u16) -> QuotaShareName {
    QuotaShareName::parse(if number.is_multiple_of(2) { "a" } else { "b" }).expect("it is a name")
}

/// 0 and 1 are fair-share policies, 2 a consumable resource that comes back, 3 one that does not, 4 the policy of quota shares, 5 and 6 two
/// of these.
pub(super) fn item(kind: u8, amount: u8) -> (ItemKey, Item) {
    let weight = |share: &str, is_prefix, weight| ShareWeight {
        share: share.into(),
        is_prefix,
        weight,
    };
    match kind {
        0 | 1 => {
            let policy = FairShare {
                decay: Millis::from_seconds(u64::from(amount) * 100),
                reservation_percent: if kind == 1 { amount } else { 0 },
                shares: vec![weight("s0", false, 5_000), weight("s2", true, 20_000)],
            };
            let item = Item::SchedulingPolicy(SchedulingPolicy::FairShare(policy));
            (ItemKey::SchedulingPolicy(policy_name(kind)), item)
        }
        4 => {
            let item = Item::SchedulingPolicy(SchedulingPolicy::QuotaShare);
            (ItemKey::SchedulingPolicy(policy_name(2)), item)
        }
        5 | 6 => {
            let queue = QueueName::parse("q1").expect("it is a name");
            let share = QuotaShare {
                switch: Switch::Enabled,
                limits: vec![CapacityLimit {
                    unit: "ml.m5.large".into(),
                    max: u32::from(amount % 3),
                }],
                sharing: match amount / 3 % 4 {
                    0 => Sharing::Reserve,
                    1 => Sharing::Lend,
                    2 => Sharing::LendAndBorrow {
                        borrow_percent_max: None,
                    },
                    _ => Sharing::LendAndBorrow {
                        borrow_percent_max: Some(100),
                    },
                },
                preempts_in_share: amount >= 45,
            };
            let key = ItemKey::QuotaShare(queue, quota_share(u16::from(kind) - 5));
            (key, Item::QuotaShare(share))
        }
        _ => {
            let resource = ConsumableResource {
                is_replenishable: kind == 2,
                total: u64::from(amount % 10),
            };
            let key = ItemKey::ConsumableResource(consumable_name(kind));
            (key, Item::ConsumableResource(resource))
        }
    }
}

/// The tags that limit how many run at once, and let others go before.
pub(super) fn limit_tags(most: Option<u8>, backfill: bool) -> Vec<(String, String)> {
    let most = most.map(|most| (MAX_CONCURRENCY.to_owned(), most.to_string()));
    let backfill = backfill.then(|| (BACKFILL.to_owned(), "on".to_owned()));
    most.into_iter().chain(backfill).collect()
}

pub(super) fn content(most: Option<u8>) -> JobContent {
    let launch = LaunchSpec {
        runner: Runner::Process(ProcessSpec::default()),
        command: Vec::new(),
        environment: Vec::new(),
        resources: Resources::default(),
        log: None,
        stop_timeout: Millis::from_seconds(30),
        role: None,
        training: None,
    };
    JobContent {
        name: "j".to_owned(),
        definition: definition(),
        revision: 1,
        launch: Arc::new(launch),
        nodes: None,
        document: document(),
        tags: limit_tags(most, false),
    }
}

pub(super) fn profile_of(op: &ProfileOp) -> Profile {
    let ProfileOp {
        milli_vcpus,
        memory,
        gpus,
        attempts,
        rule: rules,
        timeout_ms,
        is_fargate,
        nodes,
        units,
        share: _,
        take,
        most: _,
    } = op;
    let service = units.map(|count| ServiceClaim {
        unit: "ml.m5.large".into(),
        count,
        quota_share: None,
        preemptions_max: (attempts % 2 == 0).then_some(u16::from(*attempts)),
    });
    let pattern = |text: &str| Some(Pattern(text.to_owned()));
    let rule = |on_status_reason, on_exit_code, action| EvaluateOnExit {
        on_status_reason,
        on_reason: None,
        on_exit_code,
        action,
    };
    let rules = match rules {
        0 => vec![rule(None, pattern("1"), RetryAction::Exit)],
        1 => vec![
            rule(pattern("Host EC2*"), None, RetryAction::Retry),
            rule(None, pattern("*"), RetryAction::Exit),
        ],
        _ => Vec::new(),
    };
    let resources = Resources {
        vcpus: MilliVcpus(*milli_vcpus),
        memory: Mebibytes(*memory),
        gpus: *gpus,
    };
    let nodes = nodes.as_ref().map(|nodes| shape_of(nodes, resources));
    Profile {
        platform: match (units, is_fargate) {
            (Some(_), _) => Platform::Service,
            (None, true) => Platform::Fargate,
            (None, false) => Platform::Ec2,
        },
        resources: match units {
            Some(_) => Resources {
                gpus: *gpus,
                ..Resources::default()
            },
            None => nodes.as_ref().map_or(resources, NodeShape::total),
        },
        retry: RetryStrategy {
            attempts: *attempts,
            rules,
        },
        timeout: timeout_ms.map(|ms| Millis::new(u64::from(ms))),
        stop_timeout: Millis::from_seconds(30),
        share: None,
        consumables: take
            .map(|(kind, quantity)| ConsumableClaim {
                name: consumable_name(kind),
                quantity,
            })
            .into_iter()
            .filter(|_| units.is_none())
            .collect(),
        // Of some it is known how long they run.
        definition: (*milli_vcpus < 1_500).then(definition),
        nodes: nodes.filter(|_| units.is_none()),
        service,
    }
}

fn shape_of(op: &NodesOp, resources: Resources) -> NodeShape {
    let NodesOp { count, main, large } = *op;
    let small = Resources {
        vcpus: MilliVcpus(250),
        memory: Mebibytes(512),
        gpus: 0,
    };
    let group = |first, end: u32, resources| NodeGroup {
        first,
        last: end - 1,
        resources,
        // Some ask for a type.
        instance_type: (count == 3 && first == 0)
            .then(|| InstanceTypeName::find("m5.large").expect("the table has it")),
    };
    let groups = match large {
        0 => vec![group(0, count, small)],
        large if large == count => vec![group(0, count, resources)],
        large => vec![group(0, large, resources), group(large, count, small)],
    };
    NodeShape { count, main, groups }
}

pub(super) fn environment_spec(kind: u8) -> EnvironmentSpec {
    let plan = |types: &[&str], choice, vcpus_min, vcpus_desired, vcpus_max| {
        let types = types
            .iter()
            .map(|name| InstanceTypeName::find(name).expect("the table has it"));
        Capacity::Instances(InstancePlan {
            types: types.collect(),
            choice,
            vcpus_min,
            vcpus_desired,
            vcpus_max,
            idle_delay: Millis::from_seconds(60),
        })
    };
    let (platform, capacity) = match kind {
        0 => (Platform::Ec2, Capacity::Shared { vcpus_max: None }),
        1 => (Platform::Ec2, Capacity::Shared { vcpus_max: Some(2) }),
        2 => (Platform::Fargate, Capacity::Shared { vcpus_max: Some(4) }),
        3 => (
            Platform::Ec2,
            plan(&["m5.large", "m5.xlarge"], InstanceChoice::Progressive, 0, 0, 3),
        ),
        4 => (
            Platform::Ec2,
            plan(&["m5.xlarge", "m5.large"], InstanceChoice::Ordered, 2, 4, 6),
        ),
        5 => (
            Platform::Ec2,
            plan(
                &["g4dn.xlarge", "g5.12xlarge"],
                InstanceChoice::Roomiest,
                0,
                2,
                64,
            ),
        ),
        7 => (Platform::Ec2, Capacity::Shared { vcpus_max: Some(3) }),
        8 => (
            Platform::Service,
            Capacity::Units {
                limits: vec![CapacityLimit {
                    unit: NUM_INSTANCES.into(),
                    max: 3,
                }],
            },
        ),
        9 => (
            Platform::Ec2,
            plan(&["g5.12xlarge"], InstanceChoice::Ordered, 0, 0, 64),
        ),
        _ => (
            Platform::Ec2,
            plan(&["m5.large"], InstanceChoice::Ordered, 2, 0, 3),
        ),
    };
    EnvironmentSpec {
        platform,
        capacity,
        refuses_multi_node: matches!(kind, 2 | 7),
        reservable_vcpus: None,
    }
}
