//! From the words of a script to what a client would ask for.

use std::sync::Arc;

use batchyard_core::blocked::{LimitedReason, TimeLimitAction};
use batchyard_core::change::{Document, JobContent};
use batchyard_core::command::{PutEnvironment, PutItem, PutQueue};
use batchyard_core::environment::{
    Capacity, EnvironmentSpec, InstanceChoice, InstancePlan, InstanceTypeName, Platform, Switch,
};
use batchyard_core::id::JobId;
use batchyard_core::item::{
    CapacityLimit, ConsumableResource, FairShare, Item, ItemKey, QuotaShare, SchedulingPolicy, ShareWeight,
    Sharing,
};
use batchyard_core::job::{ConsumableClaim, Profile, ServiceClaim, ShareClaim};
use batchyard_core::launch::{LaunchSpec, ProcessSpec, Runner};
use batchyard_core::multi_node::{NodeGroup, NodeShape};
use batchyard_core::name::{
    ConsumableResourceName, DefinitionName, EnvironmentName, QueueName, QuotaShareName, SchedulingPolicyName,
};
use batchyard_core::options::{BACKFILL, DEPTH, MAX_CONCURRENCY};
use batchyard_core::resources::{Mebibytes, Resources};
use batchyard_core::retry::{EvaluateOnExit, Pattern, RetryAction, RetryStrategy};
use batchyard_core::time::{Millis, Timestamp};

use crate::words::Words;

pub(crate) fn put_environment(name: &str, words: &Words) -> Box<PutEnvironment> {
    let limits = limits(words);
    if !limits.is_empty() {
        return Box::new(PutEnvironment {
            name: EnvironmentName::parse_service(name).expect("it is a name"),
            switch: switch(words),
            spec: EnvironmentSpec {
                platform: Platform::Service,
                capacity: Capacity::Units { limits },
                refuses_multi_node: false,
                reservable_vcpus: None,
            },
            document: document(),
            tags: Vec::new(),
            is_valid: true,
        });
    }
    let capacity = match words.list("types") {
        types if types.is_empty() => Capacity::Shared {
            vcpus_max: words
                .value("max")
                .map(|max| max.parse().expect("a number of vCPUs")),
        },
        types => Capacity::Instances(InstancePlan {
            types: types
                .into_iter()
                .map(|name| InstanceTypeName::find(name).expect("the table has it"))
                .collect(),
            choice: match words.value("choice") {
                None => InstanceChoice::Smallest,
                Some("ordered") => InstanceChoice::Ordered,
                Some("progressive") => InstanceChoice::Progressive,
                Some("roomiest") => InstanceChoice::Roomiest,
                Some(other) => panic!("{other:?} is not a choice"),
            },
            vcpus_min: words.number("min", 0),
            vcpus_desired: words.number("desired", 0),
            vcpus_max: words.number("max", 4),
            idle_delay: Millis::from_seconds(words.number("idle", 60)),
        }),
    };
    Box::new(PutEnvironment {
        name: environment_name(name),
        switch: switch(words),
        spec: EnvironmentSpec {
            platform: platform(words),
            capacity,
            refuses_multi_node: words.has("spot"),
            reservable_vcpus: words
                .value("said")
                .map(|vcpus| vcpus.parse().expect("a number of vCPUs")),
        },
        document: document(),
        tags: Vec::new(),
        is_valid: !words.has("invalid"),
    })
}

fn limits(words: &Words) -> Vec<CapacityLimit> {
    let units = words.all("unit").map(|text| {
        let (unit, max) = text.split_once(':').expect("a limit is UNIT:MAX");
        CapacityLimit {
            unit: unit.into(),
            max: max.parse().expect("a number"),
        }
    });
    units.collect()
}

pub(crate) fn put_queue(name: &str, words: &Words, environments_from: usize) -> Box<PutQueue> {
    let environments = words
        .plain()
        .skip(environments_from)
        .filter(|word| !["disabled", "backfill"].contains(word));
    Box::new(PutQueue {
        name: queue_name(name),
        switch: switch(words),
        priority: words.number("priority", 1),
        environments: environments.map(environment_name).collect(),
        policy: words
            .value("policy")
            .map(|name| SchedulingPolicyName::parse(name).expect("it is a name")),
        actions: words.all("limit").map(action).collect(),
        document: document(),
        tags: tags(words),
    })
}

fn action(text: &str) -> TimeLimitAction {
    let (reason, seconds) = text.split_once(':').expect("a limit is REASON:SECONDS");
    TimeLimitAction {
        reason: match reason {
            "capacity" => LimitedReason::InsufficientCapacity,
            "maximum" => LimitedReason::EnvironmentMaximum,
            "requirement" => LimitedReason::Requirement,
            "service" => LimitedReason::ServiceEnvironmentMaximum,
            "quota" => LimitedReason::QuotaLimit,
            other => panic!("{other:?} is not a reason"),
        },
        after: Millis::from_seconds(seconds.parse().expect("a number of seconds")),
    }
}

/// The key with this resource path.
pub(crate) fn item_key(path: &str) -> ItemKey {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["scheduling-policy", name] => {
            ItemKey::SchedulingPolicy(SchedulingPolicyName::parse(name).expect("it is a name"))
        }
        ["consumable-resource", name] => ItemKey::ConsumableResource(consumable_name(name)),
        ["job-queue", queue, "quota-share", name] => ItemKey::QuotaShare(
            queue_name(queue),
            QuotaShareName::parse(name).expect("it is a name"),
        ),
        _ => panic!("{path:?} is not the path of an item"),
    }
}

pub(crate) fn put_item(path: &str, words: &Words) -> Box<PutItem> {
    let key = item_key(path);
    let item = match &key {
        ItemKey::SchedulingPolicy(_) if words.has("quota") => {
            Item::SchedulingPolicy(SchedulingPolicy::QuotaShare)
        }
        ItemKey::SchedulingPolicy(_) => Item::SchedulingPolicy(SchedulingPolicy::FairShare(FairShare {
            decay: Millis::from_seconds(words.number("decay", 0)),
            reservation_percent: words.number("reserve", 0),
            shares: words.list("weights").into_iter().map(weight).collect(),
        })),
        ItemKey::ConsumableResource(_) => Item::ConsumableResource(ConsumableResource {
            is_replenishable: !words.has("burns"),
            total: words.number("total", 1),
        }),
        ItemKey::QuotaShare(..) => Item::QuotaShare(QuotaShare {
            switch: switch(words),
            limits: limits(words),
            sharing: match (words.value("borrow"), words.has("lend")) {
                (Some("all"), _) => Sharing::LendAndBorrow {
                    borrow_percent_max: None,
                },
                (Some(percent), _) => Sharing::LendAndBorrow {
                    borrow_percent_max: Some(percent.parse().expect("a percentage")),
                },
                (None, true) => Sharing::Lend,
                (None, false) => Sharing::Reserve,
            },
            preempts_in_share: words.has("preempt"),
        }),
    };
    Box::new(PutItem {
        key,
        item,
        document: document(),
        tags: Vec::new(),
    })
}

/// `NAME:0.5`, or `PREFIX*:2`.
fn weight(text: &str) -> ShareWeight {
    let (share, weight) = text.split_once(':').expect("a weight is SHARE:NUMBER");
    let (whole, part) = weight.split_once('.').unwrap_or((weight, ""));
    ShareWeight {
        share: share.trim_end_matches('*').into(),
        is_prefix: share.ends_with('*'),
        weight: format!("{whole}{part:0<4}").parse().expect("a weight"),
    }
}

pub(crate) fn consumable_name(text: &str) -> ConsumableResourceName {
    ConsumableResourceName::parse(text).expect("it is a name")
}

pub(crate) fn profile(words: &Words) -> Profile {
    let rules = words.all("exit-on").map(|text| (text, RetryAction::Exit));
    let rules = rules.chain(words.all("retry-on").map(|text| (text, RetryAction::Retry)));
    let rules = rules.map(|(text, action)| {
        let (field, pattern) = text.split_once(':').expect("a rule is FIELD:PATTERN");
        let pattern_of = |name| (field == name).then(|| Pattern(pattern.to_owned()));
        EvaluateOnExit {
            on_status_reason: pattern_of("status"),
            on_reason: pattern_of("reason"),
            on_exit_code: pattern_of("code"),
            action,
        }
    });
    let takes = words.all("take").map(|text| {
        let (name, quantity) = text.split_once(':').expect("what is taken is NAME:QUANTITY");
        ConsumableClaim {
            name: consumable_name(name),
            quantity: quantity.parse().expect("a number"),
        }
    });
    let resources = Resources {
        vcpus: words.milli("vcpus", 1_000),
        memory: Mebibytes(words.number("memory", 512)),
        gpus: words.number("gpus", 0),
    };
    let nodes = words.value("nodes").map(|count| shape(count, words, resources));
    let service = words.value("unit").map(|text| {
        let (unit, count) = text.split_once(':').expect("what is taken is UNIT:COUNT");
        ServiceClaim {
            unit: unit.into(),
            count: count.parse().expect("a number"),
            quota_share: words
                .value("quota")
                .map(|name| QuotaShareName::parse(name).expect("it is a name")),
            preemptions_max: words
                .value("preemptions")
                .map(|count| count.parse().expect("a number")),
        }
    });
    let resources = Resources {
        vcpus: words.milli("vcpus", 1_000),
        memory: Mebibytes(words.number("memory", 512)),
        gpus: words.number("gpus", 0),
    };
    Profile {
        platform: match service {
            Some(_) => Platform::Service,
            None => platform(words),
        },
        resources: match service {
            Some(_) => Resources {
                gpus: resources.gpus,
                ..Resources::default()
            },
            None => nodes.as_ref().map_or(resources, NodeShape::total),
        },
        retry: RetryStrategy {
            attempts: words.number("attempts", 1),
            rules: rules.collect(),
        },
        timeout: words
            .value("timeout")
            .map(|seconds| Millis::from_seconds(seconds.parse().expect("a number of seconds"))),
        stop_timeout: Millis::from_seconds(30),
        // Service jobs may have a priority without a share.
        share: words
            .value("share")
            .or(words.value("priority").map(|_| ""))
            .map(|identifier| ShareClaim {
                identifier: identifier.into(),
                priority: words.number("priority", 0),
            }),
        consumables: takes.collect(),
        definition: None,
        nodes,
        service,
    }
}

/// The main node needs what a single job would, the others `other-vcpus` of it.
fn shape(count: &str, words: &Words, resources: Resources) -> NodeShape {
    let count: u32 = count.parse().expect("a number of nodes");
    let main = words.number("main", 0);
    let others = Resources {
        vcpus: words.milli("other-vcpus", resources.vcpus.0),
        ..resources
    };
    let instance_type = words.value("type");
    let instance_type = instance_type.map(|name| InstanceTypeName::find(name).expect("the table has it"));
    let group = |first, last, resources| NodeGroup {
        first,
        last,
        resources,
        instance_type,
    };
    let mut groups = Vec::new();
    if main > 0 {
        groups.push(group(0, main - 1, others));
    }
    groups.push(group(main, main, resources));
    if main + 1 < count {
        groups.push(group(main + 1, count - 1, others));
    }
    NodeShape { count, main, groups }
}

pub(crate) fn platform(words: &Words) -> Platform {
    match words.value("platform") {
        None => Platform::Ec2,
        Some("fargate") => Platform::Fargate,
        Some(other) => panic!("{other:?} is not a platform"),
    }
}

pub(crate) fn switch(words: &Words) -> Switch {
    if words.has("disabled") {
        Switch::Disabled
    } else {
        Switch::Enabled
    }
}

pub(crate) fn environment_name(text: &str) -> EnvironmentName {
    EnvironmentName::read(text).expect("it is a name")
}

pub(crate) fn queue_name(text: &str) -> QueueName {
    QueueName::parse(text).expect("it is a name")
}

pub(crate) fn definition() -> DefinitionName {
    DefinitionName::parse("definition").expect("it is a name")
}

pub(crate) fn document() -> Document {
    Document(Arc::from("{}"))
}

pub(crate) fn content(name: &str, words: &Words) -> JobContent {
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
        name: name.to_owned(),
        definition: words.value("definition").map_or_else(definition, |name| {
            DefinitionName::parse(name).expect("it is a name")
        }),
        revision: 1,
        launch: Arc::new(launch),
        nodes: None,
        document: document(),
        tags: tags(words),
    }
}

/// `most=N`, `backfill` and `depth=N`, as tags.
pub(crate) fn tags(words: &Words) -> Vec<(String, String)> {
    let most = words
        .value("most")
        .map(|most| (MAX_CONCURRENCY.to_owned(), most.to_owned()));
    let backfill = words
        .has("backfill")
        .then(|| (BACKFILL.to_owned(), "on".to_owned()));
    let depth = words
        .value("depth")
        .map(|depth| (DEPTH.to_owned(), depth.to_owned()));
    most.into_iter().chain(backfill).chain(depth).collect()
}

/// Identifiers as scripts make them: the time of submission, and a number.
pub(crate) fn job_id(at: Timestamp, number: usize) -> JobId {
    JobId::new(at, u128::try_from(number).expect("it fits"))
}
