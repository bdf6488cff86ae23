//! What can happen in a history, with few names and small numbers so that things meet.
//!
//! Long because each thing that can happen is described and made here, side by side.

use proptest::prelude::*;

/// One thing that happens. Numbers called `pick` choose among what there is when it happens.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Environment(EnvironmentOp),
    Queue(QueueOp),
    Submit(SubmitOp),
    Stop {
        pick: u8,
        child: Option<u8>,
        terminate: bool,
    },
    /// An engine tells something about an attempt that it was asked to launch at some time.
    Report {
        pick: u8,
        fact: Fact,
        /// How far the clock of the engine's host is off.
        skew_ms: i32,
    },
    /// An engine tells something about an attempt that runs, so that histories get on.
    Progress {
        pick: u8,
        fact: Fact,
        /// The core hears of it when time has passed, or another server has come.
        is_late: bool,
    },
    /// A host goes away with all that runs on it: the instance of an attempt, or everything.
    LoseHost {
        pick: Option<u8>,
        /// Whether the engine says so now; otherwise the next server's engine does.
        is_noticed: bool,
    },
    /// A report about something that never was.
    Garbage {
        pick: u8,
        child: Option<u32>,
        attempt: u16,
        fact: Fact,
    },
    Register {
        deregister: bool,
    },
    /// A scheduling policy or a consumable resource is made, changed or deleted.
    Item(ItemOp),
    /// Tags of a queue or an array job that tell how many may run at once.
    Limit(LimitOp),
    Elapse {
        ms: u32,
    },
    /// The place under a running job is taken away, with its instance if it is on one.
    Interrupt {
        pick: u8,
        notice_ms: u32,
        is_instance: bool,
    },
    /// From now on several inputs come between two passes, or each has its own again.
    Crowd {
        is_crowded: bool,
    },
    /// A queue is disabled and deleted.
    DropQueue {
        name: u8,
    },
    /// An environment is taken from the queues, disabled and deleted.
    DropEnvironment {
        name: u8,
    },
    /// The server ends, and another one goes on from the store.
    Restart,
}

#[derive(Clone, Debug)]
pub(crate) struct EnvironmentOp {
    pub(crate) verb: Verb,
    pub(crate) name: u8,
    pub(crate) kind: u8,
    pub(crate) is_enabled: bool,
    pub(crate) is_outdated: bool,
    /// For an infrastructure update: the grace in milliseconds.
    pub(crate) renewal: Option<u32>,
}

#[derive(Clone, Debug)]
pub(crate) struct ItemOp {
    pub(crate) verb: Verb,
    pub(crate) kind: u8,
    pub(crate) amount: u8,
}

#[derive(Clone, Debug)]
pub(crate) struct LimitOp {
    /// Which array job, if it is not the queue's.
    pub(crate) pick: Option<u8>,
    pub(crate) queue: u8,
    pub(crate) most: Option<u8>,
    pub(crate) backfill: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct QueueOp {
    pub(crate) verb: Verb,
    pub(crate) name: u8,
    pub(crate) priority: i32,
    pub(crate) environments: Vec<u8>,
    pub(crate) is_enabled: bool,
    /// Which scheduling policy, if any.
    pub(crate) policy: Option<u8>,
}

#[derive(Clone, Debug)]
pub(crate) struct SubmitOp {
    pub(crate) queue: u8,
    pub(crate) profile: ProfileOp,
    pub(crate) array_size: Option<u32>,
    pub(crate) is_sequential: bool,
    /// Which client token, if it has one.
    pub(crate) token: Option<u8>,
    pub(crate) dependencies: Vec<DependencyOp>,
    /// Whether it goes to the queue as it is, or with what makes it fit there.
    pub(crate) is_raw: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct ProfileOp {
    pub(crate) milli_vcpus: u32,
    pub(crate) memory: u64,
    pub(crate) gpus: u16,
    pub(crate) attempts: u8,
    pub(crate) rule: u8,
    pub(crate) timeout_ms: Option<u32>,
    pub(crate) is_fargate: bool,
    pub(crate) nodes: Option<NodesOp>,
    /// Of a service job: how many units it takes, instead of the resources.
    pub(crate) units: Option<u32>,
    /// In a queue that orders by share: which, and the place in it.
    pub(crate) share: (u8, u16),
    /// What it takes of which consumable resource.
    pub(crate) take: Option<(u8, u64)>,
    /// Most children of an array at once.
    pub(crate) most: Option<u8>,
}

/// A multi-node parallel job: `count` nodes, of which the first `large` need what the profile says and the others little.
#[derive(Clone, Debug)]
pub(crate) struct NodesOp {
    pub(crate) count: u32,
    pub(crate) main: u32,
    pub(crate) large: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct DependencyOp {
    pub(crate) pick: u8,
    pub(crate) child: Option<u8>,
    pub(crate) is_pairing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Update,
    Delete,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fact {
    Preparing,
    Started,
    Exited(Option<i32>),
    NotStarted,
    Lost,
}

/// A history: mostly one that starts with an environment and a queue, as nothing runs without.
pub(crate) fn history() -> impl Strategy<Value = Vec<Op>> {
    let policy = prop_oneof![2 => Just(None), 1 => (0u8..2).prop_map(Some)];
    let priorities = [0i32..3, 0i32..3, 0i32..3];
    // Mostly those that run the most common jobs, of which a queue can have several.
    let common = || prop::sample::select(vec![0u8, 0, 1, 3, 4, 5, 6, 7, 9]);
    let kind = || prop_oneof![5 => common(), 1 => 0u8..10];
    let backfills = any::<bool>();
    let prelude = (kind(), kind(), policy, priorities, backfills);
    let prelude = prelude.prop_map(|(first, second, policy, priorities, backfill)| {
        let environment = |name, kind| {
            Op::Environment(EnvironmentOp {
                verb: Verb::Create,
                name,
                kind,
                is_enabled: true,
                is_outdated: false,
                renewal: None,
            })
        };
        let queue = |name: u8, environments| {
            Op::Queue(QueueOp {
                verb: Verb::Create,
                name,
                priority: priorities[usize::from(name)],
                environments,
                is_enabled: true,
                policy,
            })
        };
        let item = |kind, amount| {
            Op::Item(ItemOp {
                verb: Verb::Create,
                kind,
                amount,
            })
        };
        vec![
            item(0, 0),
            item(1, 40),
            item(2, 3),
            item(3, 9),
            item(4, 0),
            environment(0, first),
            environment(1, second),
            queue(0, vec![0]),
            queue(1, vec![1, 0]),
            queue(2, vec![1]),
            Op::Limit(LimitOp {
                pick: None,
                queue: 0,
                most: None,
                backfill,
            }),
            Op::Limit(LimitOp {
                pick: None,
                queue: 1,
                most: None,
                backfill,
            }),
        ]
    });
    let quota_shares = prop::collection::vec(0u8..90, 2..3).prop_map(|amounts| quota_prelude(&amounts));
    let prelude =
        prop_oneof![6 => prelude, 2 => quota_shares, 2 => backfill_prelude(), 1 => Just(Vec::new())];
    // Most are short, as most failures are; in some there is time for a lot to meet.
    let rest = prop_oneof![
        3 => prop::collection::vec(op(), 1..60),
        1 => prop::collection::vec(op(), 60..300),
    ];
    (prelude, rest).prop_map(|(mut all, rest)| {
        all.extend(rest);
        all
    })
}

/// A queue of service jobs with two quota shares, and one without.
fn quota_prelude(amounts: &[u8]) -> Vec<Op> {
    let item = |kind, amount| {
        Op::Item(ItemOp {
            verb: Verb::Create,
            kind,
            amount,
        })
    };
    let environment = Op::Environment(EnvironmentOp {
        verb: Verb::Create,
        name: 0,
        kind: 8,
        is_enabled: true,
        is_outdated: false,
        renewal: None,
    });
    let queue = |name, policy| {
        Op::Queue(QueueOp {
            verb: Verb::Create,
            name,
            priority: 1,
            environments: vec![0],
            is_enabled: true,
            policy,
        })
    };
    let mut all = vec![item(4, 0), environment, queue(1, Some(2)), queue(0, None)];
    all.extend((5..).zip(amounts).map(|(kind, amount)| item(kind, *amount)));
    all
}

/// A queue that backfills, and jobs of which all is known how long they run at most: some run, one waits for most of the host, and others,
/// shorter and longer ones, may go before it or not.
fn backfill_prelude() -> impl Strategy<Value = Vec<Op>> {
    let environment = Op::Environment(EnvironmentOp {
        verb: Verb::Create,
        name: 0,
        kind: 0,
        is_enabled: true,
        is_outdated: false,
        renewal: None,
    });
    let queue = Op::Queue(QueueOp {
        verb: Verb::Create,
        name: 0,
        priority: 1,
        environments: vec![0],
        is_enabled: true,
        policy: None,
    });
    let backfill = Op::Limit(LimitOp {
        pick: None,
        queue: 0,
        most: None,
        backfill: true,
    });
    let milli_vcpus = prop::sample::select(vec![250, 1_000, 1_500, 2_000, 4_000, 5_000, 5_500]);
    let job = (milli_vcpus, 200_u32..3_000, prop::option::weighted(0.2, 2_u32..4));
    let submit = job.prop_map(|(milli_vcpus, timeout_ms, array_size)| {
        Op::Submit(SubmitOp {
            queue: 0,
            profile: ProfileOp {
                milli_vcpus,
                memory: 512,
                gpus: 0,
                attempts: 1,
                rule: 2,
                timeout_ms: Some(timeout_ms),
                is_fargate: false,
                nodes: None,
                units: None,
                share: (0, 0),
                take: None,
                most: None,
            },
            array_size,
            is_sequential: false,
            token: None,
            dependencies: Vec::new(),
            is_raw: true,
        })
    });
    prop::collection::vec(submit, 3..9).prop_map(move |submissions| {
        let queue = [environment.clone(), queue.clone(), backfill.clone()];
        queue.into_iter().chain(submissions).collect()
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => environment().prop_map(Op::Environment),
        4 => queue().prop_map(Op::Queue),
        32 => submit().prop_map(Op::Submit),
        4 => (any::<u8>(), child(), any::<bool>()).prop_map(|(pick, child, terminate)| Op::Stop { pick, child, terminate }),
        8 => (any::<u8>(), fact(), -5_000i32..100_000).prop_map(|(pick, fact, skew_ms)| Op::Report { pick, fact, skew_ms }),
        40 => (any::<u8>(), fact(), prop::bool::weighted(0.1)).prop_map(|(pick, fact, is_late)| Op::Progress { pick, fact, is_late }),
        2 => (prop::option::of(any::<u8>()), any::<bool>()).prop_map(|(pick, is_noticed)| Op::LoseHost { pick, is_noticed }),
        1 => garbage(),
        1 => any::<bool>().prop_map(|deregister| Op::Register { deregister }),
        2 => (verb(), 0u8..7, 0u8..90).prop_map(|(verb, kind, amount)| Op::Item(ItemOp { verb, kind, amount })),
        3 => limit().prop_map(Op::Limit),
        8 => prop_oneof![0u32..2_000, Just(5_000), Just(70_000), Just(86_400_000)].prop_map(|ms| Op::Elapse { ms }),
        1 => Just(Op::Restart),
        2 => (any::<u8>(), 0u32..3_000, any::<bool>())
            .prop_map(|(pick, notice_ms, is_instance)| Op::Interrupt { pick, notice_ms, is_instance }),
        3 => any::<bool>().prop_map(|is_crowded| Op::Crowd { is_crowded }),
        1 => (0u8..3).prop_map(|name| Op::DropQueue { name }),
        1 => (0u8..3).prop_map(|name| Op::DropEnvironment { name }),
    ]
}

fn environment() -> impl Strategy<Value = EnvironmentOp> {
    (
        verb(),
        0u8..3,
        0u8..10,
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.1),
        prop_oneof![2 => Just(None), 1 => Just(Some(0)), 1 => (0u32..3_000).prop_map(Some)],
    )
        .prop_map(
            |(verb, name, kind, is_enabled, is_outdated, renewal)| EnvironmentOp {
                verb,
                name,
                kind,
                is_enabled,
                is_outdated,
                renewal,
            },
        )
}

fn limit() -> impl Strategy<Value = LimitOp> {
    let most = prop_oneof![1 => Just(None), 1 => (1u8..4).prop_map(Some)];
    (prop::option::of(any::<u8>()), 0u8..3, most, any::<bool>()).prop_map(|(pick, queue, most, backfill)| {
        LimitOp {
            pick,
            queue,
            most,
            backfill,
        }
    })
}

fn queue() -> impl Strategy<Value = QueueOp> {
    let environments = prop_oneof![
        Just(vec![0]),
        Just(vec![1]),
        Just(vec![2]),
        Just(vec![0, 1]),
        Just(vec![1, 0]),
        Just(vec![2, 1, 0]),
    ];
    let policy = prop_oneof![4 => Just(None), 2 => (0u8..2).prop_map(Some), 1 => Just(Some(2))];
    (
        verb(),
        0u8..3,
        0i32..3,
        environments,
        prop::bool::weighted(0.8),
        policy,
    )
        .prop_map(
            |(verb, name, priority, environments, is_enabled, policy)| QueueOp {
                verb,
                name,
                priority,
                environments,
                is_enabled,
                policy,
            },
        )
}

fn verb() -> impl Strategy<Value = Verb> {
    prop_oneof![4 => Just(Verb::Create), 3 => Just(Verb::Update), 1 => Just(Verb::Delete)]
}

fn submit() -> impl Strategy<Value = SubmitOp> {
    let array_size = prop_oneof![5 => Just(None), 4 => (2u32..6).prop_map(Some), 1 => prop_oneof![Just(Some(0)), Just(Some(1)), Just(Some(11))]];
    let dependency =
        (any::<u8>(), child(), prop::bool::weighted(0.4)).prop_map(|(pick, child, is_pairing)| {
            DependencyOp {
                pick,
                child,
                is_pairing,
            }
        });
    let dependencies = prop_oneof![
        20 => Just(Vec::new()),
        12 => prop::collection::vec(dependency.clone(), 1..3),
        1 => prop::collection::vec(dependency, 19..23),
    ];
    (
        0u8..3,
        profile(),
        array_size,
        prop::bool::weighted(0.15),
        prop_oneof![4 => Just(None), 1 => (0u8..4).prop_map(Some)],
        dependencies,
        prop::bool::weighted(0.15),
    )
        .prop_map(
            |(queue, profile, array_size, is_sequential, token, dependencies, is_raw)| SubmitOp {
                queue,
                // Arrays of nodes are refused: some are enough.
                array_size: array_size.filter(|size| profile.nodes.is_none() || *size < 2),
                is_sequential: is_sequential && profile.nodes.is_none(),
                profile,
                token,
                dependencies,
                is_raw,
            },
        )
}

fn profile() -> impl Strategy<Value = ProfileOp> {
    let milli_vcpus = prop::sample::select(vec![250, 1_000, 1_000, 1_500, 2_000, 4_000, 9_000]);
    let memory = prop::sample::select(vec![512u64, 512, 512, 6_000, 16_000]);
    let gpus = prop::sample::select(vec![0u16, 0, 0, 0, 0, 1, 1, 2]);
    let timeout_ms = prop_oneof![2 => Just(None), 1 => (0u32..3_000).prop_map(Some)];
    (
        milli_vcpus,
        memory,
        gpus,
        1u8..4,
        0u8..4,
        timeout_ms,
        prop::bool::weighted(0.1),
        prop::option::weighted(0.25, nodes()),
        prop_oneof![5 => Just(None), 1 => (1u32..4).prop_map(Some)],
        (
            (0u8..4, 0u16..3),
            prop_oneof![5 => Just(None), 1 => (2u8..4, 1u64..4).prop_map(Some)],
            prop_oneof![3 => Just(None), 1 => (1u8..4).prop_map(Some)],
        ),
    )
        .prop_map(
            |(
                milli_vcpus,
                memory,
                gpus,
                attempts,
                rule,
                timeout_ms,
                is_fargate,
                nodes,
                units,
                (share, take, most),
            )| ProfileOp {
                milli_vcpus,
                memory,
                gpus,
                attempts,
                rule,
                timeout_ms,
                is_fargate,
                nodes,
                units,
                share,
                take,
                most,
            },
        )
}

fn nodes() -> impl Strategy<Value = NodesOp> {
    (1u32..5, 0u32..4, 0u32..5).prop_map(|(count, main, large)| NodesOp {
        count,
        main: main % count,
        large: large.min(count),
    })
}

fn child() -> impl Strategy<Value = Option<u8>> + Clone {
    prop_oneof![2 => Just(None), 1 => (0u8..6).prop_map(Some)]
}

fn fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        3 => Just(Fact::Preparing),
        5 => Just(Fact::Started),
        4 => Just(Fact::Exited(Some(0))),
        3 => Just(Fact::Exited(Some(1))),
        1 => Just(Fact::Exited(None)),
        1 => Just(Fact::NotStarted),
        1 => Just(Fact::Lost),
    ]
}

fn garbage() -> impl Strategy<Value = Op> {
    let child = prop_oneof![
        Just(None),
        Just(Some(0)),
        Just(Some(u32::MAX)),
        (0u32..12).prop_map(Some)
    ];
    let attempt = prop_oneof![Just(0u16), Just(1), Just(2), Just(u16::MAX)];
    (any::<u8>(), child, attempt, fact()).prop_map(|(pick, child, attempt, fact)| Op::Garbage {
        pick,
        child,
        attempt,
        fact,
    })
}
