//! The reasons why a job waits, each with its numbers, as programs read them.
//!
//! vCPUs are numbers with up to three digits, memory is in MiB, times are milliseconds since the epoch, as in the Batch API.

use batchyard_core::explain::{Because, Explanation, Held, ShareTurn};
use batchyard_core::name::EnvironmentName;
use batchyard_core::outlook::{Basis, Opening};
use batchyard_core::resources::{MilliVcpus, Resources};
use batchyard_core::schedule::{Gate, Hindrance};
use batchyard_core::share::Standing;
use serde::{Deserialize, Serialize};

/// Why a job waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Reason {
    /// Another job must succeed first.
    Dependency {
        /// Which.
        job_id: String,
    },
    /// It is an array that has ended when all its children have.
    Children {
        /// Children that wait for other jobs.
        pending: u32,
        /// Children that wait for their turn or for room.
        runnable: u32,
        /// Children that are being started.
        starting: u32,
        /// Children that run.
        running: u32,
    },
    /// It is a node, and starts when its main node runs.
    MainNode,
    /// Others of its queue, or of its share, go first.
    Behind {
        /// So many, an array counting once.
        ahead: usize,
        /// Whether there are more.
        is_at_least: bool,
        /// The first of them, where it cannot start; what follows in the list is in its way.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_up_by: Option<String>,
        /// Whether jobs may start before one that waits for room.
        backfill: bool,
    },
    /// It starts with the next pass.
    AboutToStart,
    /// Its array has as many children under way as its tag `batchyard:max-concurrency` lets it.
    ArrayConcurrency {
        /// As many as that.
        max: u32,
        /// So many are.
        started: usize,
    },
    /// Its queue runs as many attempts as its tag `batchyard:max-concurrency` lets it.
    QueueConcurrency {
        /// As many as that.
        max: u32,
        /// So many run.
        running: u32,
    },
    /// There is not enough of a consumable resource.
    ConsumableResource {
        /// Of which.
        name: String,
        /// What the job takes.
        quantity: u64,
        /// What is left.
        available: u64,
        /// What jobs hold that will give it back.
        in_use: u64,
    },
    /// The compute reservation of the queue's policy keeps the rest for shares without jobs.
    ComputeReservation {
        /// What the queue may have at most.
        vcpus: f64,
        /// What is kept of it.
        reserved_vcpus: f64,
        /// What its jobs hold.
        used_vcpus: f64,
        /// How many shares are active.
        active_shares: usize,
    },
    /// Its quota share holds as much of a unit as it may.
    QuotaShare {
        /// Which share.
        quota_share: String,
        /// The unit, such as `ml.m5.large`.
        capacity_unit: String,
        /// What the job takes.
        quantity: u32,
        /// What the share has for itself.
        limit: u32,
        /// What its jobs hold.
        used: u32,
        /// What of its own is neither used nor lent.
        own_free: u32,
        /// What it may borrow at most; absent without a limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        borrow_max: Option<u32>,
        /// What others leave that may be borrowed now.
        idle: u32,
    },
    /// It would borrow of a unit what is being given back to the shares that it belongs to.
    GivenBack {
        /// The unit, such as `ml.m5.large`.
        capacity_unit: String,
        /// What the job takes.
        quantity: u32,
        /// What jobs of those shares wait for.
        waiting: u32,
    },
    /// An environment of the queue has no place for it.
    Environment {
        /// Which.
        environment: String,
        /// Why not, in a word: `disabled`, `deleting`, `invalid`, `singleNodesOnly`, `platform`, `overMaximum`, `overTypes`, `noSuchType`, `overHost`,
        /// `overUnits` need something of the environment to be changed; `maximumReached`, `unitsReached` and `hostBusy` pass.
        because: String,
        /// The same as a sentence, after the environment's name.
        text: String,
        /// What of the environment would have to change, in words; absent where only time helps, or nothing does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remedy: Option<String>,
        /// What the environment may have at most, of what there is too little of: vCPUs or units.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
        /// What it has, or what its jobs hold of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        now: Option<f64>,
        /// What the host has free, or all it has where that is too little.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<Amounts>,
    },
    /// There will be room.
    Opening {
        /// About when.
        at: i64,
        /// When this job ends.
        after_job_id: String,
        /// How that is known: `runs` of its definition, or its `timeout`.
        basis: String,
    },
}

/// vCPUs, memory, GPUs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Amounts {
    /// vCPUs.
    vcpus: f64,
    /// Memory in MiB.
    memory_mib: u64,
    /// Whole GPUs.
    gpus: u16,
}

/// How a job's share stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShareReason {
    /// The job's share.
    own: ShareStanding,
    /// The share that goes next, if it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<ShareStanding>,
    /// Shares with jobs that go before the job's.
    ahead: usize,
}

/// What a share has used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShareStanding {
    /// The share.
    share_identifier: String,
    /// What it has used within the decay window, older use counting less, in vCPU-seconds.
    used_vcpu_seconds: f64,
    /// Its weight factor, times the active shares of its prefix where a prefix gives it.
    weight_factor: f64,
}

/// The reasons of an explanation.
pub(crate) fn of(found: &Explanation) -> Vec<Reason> {
    match &found.because {
        Because::WaitsFor(jobs) => {
            let dependency = |job: &batchyard_core::id::JobKey| Reason::Dependency {
                job_id: job.to_string(),
            };
            jobs.iter().map(dependency).collect()
        }
        Because::Behind {
            ahead,
            is_at_least,
            front,
            may_overtake,
        } => {
            let behind = Reason::Behind {
                ahead: *ahead,
                is_at_least: *is_at_least,
                held_up_by: front.as_ref().map(|(job, _)| job.to_string()),
                backfill: *may_overtake,
            };
            let front = front.iter().flat_map(|(_, held)| of_held(held));
            [behind].into_iter().chain(front).collect()
        }
        Because::ArrayConcurrency { max, started } => vec![Reason::ArrayConcurrency {
            max: *max,
            started: *started,
        }],
        Because::Held(held) => of_held(held),
        Because::AboutToStart => vec![Reason::AboutToStart],
        Because::ChildrenLive(counts) => vec![Reason::Children {
            pending: counts.pending,
            runnable: counts.runnable,
            starting: counts.starting,
            running: counts.running,
        }],
        Because::WaitsForMain(_) => vec![Reason::MainNode],
        Because::Active { .. } | Because::NodesActive { .. } | Because::Ended => Vec::new(),
    }
}

/// How the share of a job stands.
pub(crate) fn of_turn(turn: &ShareTurn) -> ShareReason {
    ShareReason {
        own: standing(&turn.own),
        next: turn.next.as_ref().map(standing),
        ahead: turn.ahead,
    }
}

fn of_held(held: &Held) -> Vec<Reason> {
    let Held {
        need,
        gates,
        hindrances,
        opening,
    } = held;
    let gates = gates.iter().map(of_gate);
    let environments = hindrances
        .iter()
        .map(|(environment, hindrance)| of_hindrance(environment, hindrance, *need));
    let opening = opening
        .iter()
        .map(|Opening { at, after, basis }| Reason::Opening {
            at: at.as_millis(),
            after_job_id: after.to_string(),
            basis: match basis {
                Basis::Runs => "runs",
                Basis::Timeout => "timeout",
            }
            .to_owned(),
        });
    gates.chain(environments).chain(opening).collect()
}

fn of_gate(gate: &Gate) -> Reason {
    match gate {
        Gate::QueueConcurrency { max, now } => Reason::QueueConcurrency {
            max: *max,
            running: *now,
        },
        Gate::Consumable {
            name,
            quantity,
            available,
            in_use,
        } => Reason::ConsumableResource {
            name: name.to_string(),
            quantity: *quantity,
            available: *available,
            in_use: *in_use,
        },
        Gate::Reserved {
            capacity,
            reserved,
            held,
            active,
        } => Reason::ComputeReservation {
            vcpus: vcpus(*capacity),
            reserved_vcpus: vcpus(*reserved),
            used_vcpus: vcpus(*held),
            active_shares: *active,
        },
        Gate::Quota { standing, quantity } => Reason::QuotaShare {
            quota_share: standing.share.to_string(),
            capacity_unit: standing.unit.to_string(),
            quantity: *quantity,
            limit: standing.limit,
            used: standing.used,
            own_free: standing.own_free,
            borrow_max: Some(standing.borrow_max).filter(|max| *max < u32::MAX),
            idle: standing.idle,
        },
        Gate::GivenBack {
            unit,
            quantity,
            waiting,
        } => Reason::GivenBack {
            capacity_unit: unit.to_string(),
            quantity: *quantity,
            waiting: *waiting,
        },
    }
}

fn of_hindrance(environment: &EnvironmentName, hindrance: &Hindrance, need: Resources) -> Reason {
    let number = |number: &u32| Some(f64::from(*number));
    let (because, max, now, host) = match hindrance {
        Hindrance::Disabled => ("disabled", None, None, None),
        Hindrance::Deleting => ("deleting", None, None, None),
        Hindrance::Invalid => ("invalid", None, None, None),
        Hindrance::SingleNodesOnly => ("singleNodesOnly", None, None, None),
        Hindrance::Platform(_) => ("platform", None, None, None),
        Hindrance::OverMaximum { vcpus_max } => ("overMaximum", number(vcpus_max), None, None),
        Hindrance::OverTypes => ("overTypes", None, None, None),
        Hindrance::NoSuchType(_) => ("noSuchType", None, None, None),
        Hindrance::OverHost { host } => ("overHost", None, None, Some(*host)),
        Hindrance::MaximumReached { vcpus_max, vcpus_now } => {
            ("maximumReached", number(vcpus_max), number(vcpus_now), None)
        }
        Hindrance::OverUnits { unit: _, max } => ("overUnits", number(max), None, None),
        Hindrance::UnitsReached { unit: _, max, now } => ("unitsReached", number(max), number(now), None),
        Hindrance::HostBusy { free } => ("hostBusy", None, None, Some(*free)),
    };
    Reason::Environment {
        environment: environment.given().to_owned(),
        because: because.to_owned(),
        text: hindrance.to_string(),
        remedy: hindrance.remedy(need),
        max,
        now,
        host: host.map(amounts),
    }
}

fn amounts(resources: Resources) -> Amounts {
    Amounts {
        vcpus: vcpus(resources.vcpus),
        memory_mib: resources.memory.0,
        gpus: resources.gpus,
    }
}

fn standing(standing: &Standing) -> ShareStanding {
    // Both are shown with few digits: what decides are the core's whole numbers.
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let (used, weight) = (standing.used as f64, standing.weight as f64);
    ShareStanding {
        share_identifier: standing.share.to_string(),
        used_vcpu_seconds: (used / 1_000.0).round() / 1_000.0,
        weight_factor: weight / 10_000.0,
    }
}

fn vcpus(vcpus: MilliVcpus) -> f64 {
    f64::from(vcpus.0) / 1_000.0
}
