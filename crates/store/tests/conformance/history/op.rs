//! What can happen in a history, with few names and small numbers so that things meet.

use batchyard_core::environment::Platform;
use batchyard_core::job::{Profile, ServiceClaim};
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_core::retry::{EvaluateOnExit, Pattern, RetryAction, RetryStrategy};
use batchyard_core::time::Millis;
use proptest::prelude::*;

/// One thing that happens, and whether what happened so far is committed then.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) op: Op,
    pub(super) is_committed: bool,
}

/// Numbers called `pick` choose among what there is when it happens.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Environment(EnvironmentOp),
    Queue(QueueOp),
    Submit(SubmitOp),
    Stop {
        pick: u8,
        child: Option<u8>,
        terminate: bool,
    },
    /// An engine tells something about an attempt that was launched at some time, by its own clock.
    Report {
        pick: u8,
        fact: Fact,
        skew_ms: i32,
    },
    /// An engine tells something about an attempt that is live.
    Progress {
        pick: u8,
        fact: Fact,
    },
    Register {
        deregister: bool,
    },
    Tag {
        queue: u8,
        set: Vec<u8>,
        removed: Vec<u8>,
    },
    Item(ItemOp),
    Elapse {
        ms: u32,
    },
    DropQueue {
        name: u8,
    },
    DropEnvironment {
        name: u8,
    },
    Restart,
    Purge {
        age_ms: u32,
    },
}

#[derive(Clone, Debug)]
pub(super) struct EnvironmentOp {
    pub(super) verb: Verb,
    pub(super) name: u8,
    pub(super) kind: u8,
    pub(super) is_enabled: bool,
}

#[derive(Clone, Debug)]
pub(super) struct ItemOp {
    pub(super) verb: Verb,
    /// 0 a policy, 1 a consumable resource, 2 a quota share.
    pub(super) kind: u8,
    pub(super) name: u8,
    pub(super) queue: u8,
    pub(super) is_enabled: bool,
}

#[derive(Clone, Debug)]
pub(super) struct QueueOp {
    pub(super) verb: Verb,
    pub(super) name: u8,
    pub(super) priority: i32,
    pub(super) environments: Vec<u8>,
    pub(super) policy: Option<u8>,
    pub(super) is_enabled: bool,
}

#[derive(Clone, Debug)]
pub(super) struct SubmitOp {
    pub(super) queue: u8,
    pub(super) profile: ProfileOp,
    pub(super) array_size: Option<u32>,
    /// How many nodes.
    pub(super) nodes: Option<u32>,
    pub(super) is_sequential: bool,
    pub(super) dependencies: Vec<DependencyOp>,
}

#[derive(Clone, Debug)]
pub(super) struct ProfileOp {
    milli_vcpus: u32,
    gpus: u16,
    attempts: u8,
    has_rule: bool,
    timeout_ms: Option<u32>,
    /// Of a service job: how many units it takes, instead of the resources.
    units: Option<u32>,
}

#[derive(Clone, Debug)]
pub(super) struct DependencyOp {
    pub(super) pick: u8,
    pub(super) child: Option<u8>,
    pub(super) is_pairing: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Verb {
    Create,
    Update,
    Delete,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Fact {
    Preparing,
    Started,
    Exited(Option<i32>),
    NotStarted,
    Lost,
}

impl ProfileOp {
    pub(super) fn profile(&self) -> Profile {
        let ProfileOp {
            milli_vcpus,
            gpus,
            attempts,
            has_rule,
            timeout_ms,
            units,
        } = *self;
        let service = units.map(|count| ServiceClaim {
            unit: "ml.m5.large".into(),
            count,
            quota_share: None,
            preemptions_max: None,
        });
        let resources = Resources {
            vcpus: MilliVcpus(milli_vcpus),
            memory: Mebibytes(512),
            gpus,
        };
        let rule = EvaluateOnExit {
            on_status_reason: None,
            on_reason: None,
            on_exit_code: Some(Pattern("1".to_owned())),
            action: RetryAction::Retry,
        };
        Profile {
            platform: match service {
                Some(_) => Platform::Service,
                None => Platform::Ec2,
            },
            resources: match service {
                Some(_) => Resources::default(),
                None => resources,
            },
            retry: RetryStrategy {
                attempts,
                rules: if has_rule { vec![rule] } else { Vec::new() },
            },
            timeout: timeout_ms.map(|ms| Millis::new(u64::from(ms))),
            stop_timeout: Millis::from_seconds(30),
            share: None,
            consumables: Vec::new(),
            definition: None,
            nodes: None,
            service,
        }
    }
}

/// A history that starts with environments, queues and a definition, as nothing runs without.
pub(super) fn history() -> impl Strategy<Value = Vec<Step>> {
    let prelude = (0u8..8, 0u8..8).prop_map(|(first, second)| {
        let environment = |name, kind| {
            Op::Environment(EnvironmentOp {
                verb: Verb::Create,
                name,
                kind,
                is_enabled: true,
            })
        };
        let queue = |name, environments| {
            Op::Queue(QueueOp {
                verb: Verb::Create,
                name,
                priority: 1,
                environments,
                policy: None,
                is_enabled: true,
            })
        };
        vec![
            environment(0, first),
            environment(1, second),
            queue(0, vec![0]),
            queue(1, vec![1, 0]),
            Op::Register { deregister: false },
        ]
    });
    let prelude = prelude.prop_map(|ops| {
        let steps = ops.into_iter().map(|op| Step {
            op,
            is_committed: false,
        });
        steps.collect::<Vec<_>>()
    });
    let step = (op(), prop::bool::weighted(0.3)).prop_map(|(op, is_committed)| Step { op, is_committed });
    (prelude, prop::collection::vec(step, 1..50)).prop_map(|(mut all, rest)| {
        all.extend(rest);
        all
    })
}

fn op() -> impl Strategy<Value = Op> {
    let tags = || prop::collection::vec(0u8..4, 0..3);
    prop_oneof![
        2 => environment().prop_map(Op::Environment),
        2 => queue().prop_map(Op::Queue),
        10 => submit().prop_map(Op::Submit),
        4 => (any::<u8>(), child(), any::<bool>()).prop_map(|(pick, child, terminate)| Op::Stop { pick, child, terminate }),
        3 => (any::<u8>(), fact(), -5_000i32..100_000).prop_map(|(pick, fact, skew_ms)| Op::Report { pick, fact, skew_ms }),
        14 => (any::<u8>(), fact()).prop_map(|(pick, fact)| Op::Progress { pick, fact }),
        1 => any::<bool>().prop_map(|deregister| Op::Register { deregister }),
        2 => item().prop_map(Op::Item),
        1 => (0u8..3, tags(), tags()).prop_map(|(queue, set, removed)| Op::Tag { queue, set, removed }),
        3 => prop_oneof![0u32..2_000, Just(5_000), Just(70_000)].prop_map(|ms| Op::Elapse { ms }),
        1 => (0u8..3).prop_map(|name| Op::DropQueue { name }),
        2 => (0u8..3).prop_map(|name| Op::DropEnvironment { name }),
        1 => Just(Op::Restart),
        1 => prop_oneof![Just(0u32), 0u32..10_000].prop_map(|age_ms| Op::Purge { age_ms }),
    ]
}

fn environment() -> impl Strategy<Value = EnvironmentOp> {
    (verb(), 0u8..3, 0u8..8, prop::bool::weighted(0.6)).prop_map(|(verb, name, kind, is_enabled)| {
        EnvironmentOp {
            verb,
            name,
            kind,
            is_enabled,
        }
    })
}

fn queue() -> impl Strategy<Value = QueueOp> {
    let environments = prop::sample::select(vec![
        vec![0],
        vec![1],
        vec![2],
        vec![0, 1],
        vec![1, 0],
        vec![2, 1, 0],
    ]);
    let policy = prop::option::weighted(0.2, 0u8..2);
    (
        verb(),
        0u8..3,
        0i32..3,
        environments,
        policy,
        prop::bool::weighted(0.6),
    )
        .prop_map(
            |(verb, name, priority, environments, policy, is_enabled)| QueueOp {
                verb,
                name,
                priority,
                environments,
                policy,
                is_enabled,
            },
        )
}

fn item() -> impl Strategy<Value = ItemOp> {
    (verb(), 0u8..3, 0u8..2, 0u8..3, any::<bool>()).prop_map(|(verb, kind, name, queue, is_enabled)| ItemOp {
        verb,
        kind,
        name,
        queue,
        is_enabled,
    })
}

fn verb() -> impl Strategy<Value = Verb> {
    prop_oneof![1 => Just(Verb::Create), 3 => Just(Verb::Update), 2 => Just(Verb::Delete)]
}

fn submit() -> impl Strategy<Value = SubmitOp> {
    let array_size = prop_oneof![1 => Just(None), 1 => (2u32..6).prop_map(Some)];
    let dependency =
        (any::<u8>(), child(), prop::bool::weighted(0.4)).prop_map(|(pick, child, is_pairing)| {
            DependencyOp {
                pick,
                child,
                is_pairing,
            }
        });
    let dependencies = prop::collection::vec(dependency, 0..3);
    (
        0u8..3,
        profile(),
        array_size,
        prop::option::weighted(0.3, 1u32..5),
        prop::bool::weighted(0.2),
        dependencies,
    )
        .prop_map(
            |(queue, profile, array_size, nodes, is_sequential, dependencies)| SubmitOp {
                queue,
                profile,
                array_size: array_size.filter(|_| nodes.is_none()),
                nodes,
                is_sequential: is_sequential && array_size.is_some() && nodes.is_none(),
                dependencies,
            },
        )
}

fn profile() -> impl Strategy<Value = ProfileOp> {
    let milli_vcpus = prop::sample::select(vec![250, 1_000, 1_000, 1_500, 4_000]);
    let gpus = prop::sample::select(vec![0u16, 0, 0, 0, 0, 1]);
    let timeout_ms = prop_oneof![2 => Just(None), 1 => (0u32..3_000).prop_map(Some)];
    let units = prop_oneof![4 => Just(None), 1 => (1u32..4).prop_map(Some)];
    (milli_vcpus, gpus, 1u8..4, any::<bool>(), timeout_ms, units).prop_map(
        |(milli_vcpus, gpus, attempts, has_rule, timeout_ms, units)| ProfileOp {
            milli_vcpus,
            gpus,
            attempts,
            has_rule,
            timeout_ms,
            units,
        },
    )
}

fn child() -> impl Strategy<Value = Option<u8>> + Clone {
    prop_oneof![2 => Just(None), 1 => (0u8..6).prop_map(Some)]
}

fn fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        3 => Just(Fact::Preparing),
        6 => Just(Fact::Started),
        4 => Just(Fact::Exited(Some(0))),
        3 => Just(Fact::Exited(Some(1))),
        1 => Just(Fact::Exited(None)),
        1 => Just(Fact::NotStarted),
        1 => Just(Fact::Lost),
    ]
}
