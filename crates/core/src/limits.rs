//! Every bound of the core, with its source.

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// The service's quotas as far as the core keeps them; each may be configured otherwise (section I).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Compute environments of an account.
    pub compute_environments: usize,
    /// Service environments of an account.
    pub service_environments: usize,
    /// Job queues of an account.
    pub job_queues: usize,
    /// Jobs that a job may depend on.
    pub job_dependencies: usize,
    /// Children of an array job.
    pub array_size: u32,
    /// Scheduling policies of an account.
    pub scheduling_policies: usize,
    /// Consumable resources of an account.
    pub consumable_resources: usize,
    /// Quota shares of a queue.
    pub quota_shares_per_queue: usize,
    /// Active share identifiers of a queue.
    pub share_identifiers_per_queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            compute_environments: ENVIRONMENTS_MAX,
            service_environments: SERVICE_ENVIRONMENTS_MAX,
            job_queues: QUEUES_MAX,
            job_dependencies: DEPENDENCIES_MAX,
            array_size: ARRAY_SIZE_MAX,
            scheduling_policies: SCHEDULING_POLICIES_MAX,
            consumable_resources: CONSUMABLE_RESOURCES_MAX,
            quota_shares_per_queue: QUOTA_SHARES_PER_QUEUE_MAX,
            share_identifiers_per_queue: SHARE_IDENTIFIERS_PER_QUEUE_MAX,
        }
    }
}

/// Bytes of a secret's name: those of a parameter (1,011) and a little more. Own choice.
pub const SECRET_NAME_BYTES_MAX: usize = 1024;

/// Job queues of an account (section I).
pub const QUEUES_MAX: usize = 50;

/// Compute environments of an account (section I).
pub const ENVIRONMENTS_MAX: usize = 50;

/// Service environments of an account (section I).
pub const SERVICE_ENVIRONMENTS_MAX: usize = 50;

/// Jobs that a job may depend on (section I).
pub const DEPENDENCIES_MAX: usize = 20;

/// Children of an array job unless configured otherwise (section I).
pub const ARRAY_SIZE_MAX: u32 = 10_000;

/// Nodes of a multi-node parallel job (section B11.7).
pub const NODES_MAX: u32 = 1000;

/// Attempts of a job (section B.5).
pub const ATTEMPTS_MAX: u8 = 10;

/// Conditions of a retry strategy (section A3.10).
pub const EVALUATE_ON_EXIT_MAX: usize = 5;

/// Jobs that one scheduling pass starts before it lets commands and reports in again (own choice: about a millisecond).
pub const PLACEMENTS_PER_PASS_MAX: usize = 1024;

/// Jobs that one pass ends while a queue is being deleted (own choice; the service drains about 16 a second).
pub const DRAINED_PER_PASS_MAX: usize = 1024;

/// How long an instance stays without a job before it is given back (own choice; the service names no number, and an instance that
/// another environment needs is given back at once).
pub const IDLE_INSTANCE_DELAY: Millis = Millis::from_seconds(60);

/// Run times that are kept of each definition (own choice: enough for a tenth of them to mean something).
pub const RUNS_KEPT_MAX: usize = 32;

/// Running attempts that are looked at to see when there is room for a job (own choice: more than one machine runs).
pub const RELEASES_LOOKED_AT_MAX: usize = 4096;

/// Jobs behind a queue's front that one pass looks at to start them early, unless the queue says otherwise (own choice).
pub const BACKFILL_DEPTH: usize = 100;

/// The most that a queue may say (own choice: a pass over so many takes about a millisecond).
pub const BACKFILL_DEPTH_MAX: u32 = 10_000;

/// How far `explain` counts the jobs ahead of one (own choice: keeps a question cheap in a queue of millions).
pub const POSITION_COUNTED_MAX: usize = 10_000;

/// Jobs at the front of a queue that a snapshot shows (section A.4).
pub const SNAPSHOT_JOBS_MAX: usize = 100;

/// Changes of a queue's order whose times are kept (own choice: enough for the jobs that a snapshot shows).
pub const RANK_TIMES_MAX: usize = 256;

/// Lines of a queue for which such times are kept (own choice: as many as there are active shares, and some).
pub const RANKED_LINES_MAX: usize = 1024;

/// Client tokens that are kept (own choice: as many as the jobs that may wait to be looked at, section I).
pub const CLIENT_TOKENS_MAX: usize = 1_000_000;

/// Expired client tokens that one submission clears away (own choice: more than come in).
pub const CLIENT_TOKENS_CLEARED_MAX: usize = 16;

/// Scheduling policies of an account (own choice; the service names no number).
pub const SCHEDULING_POLICIES_MAX: usize = 500;

/// Consumable resources of an account (section I).
pub const CONSUMABLE_RESOURCES_MAX: usize = 50_000;

/// Quota shares of a queue (section I).
pub const QUOTA_SHARES_PER_QUEUE_MAX: usize = 20;

/// The shortest window of a fair-share policy (section C3.4).
pub const FAIR_SHARE_WINDOW_MIN: Millis = Millis::from_seconds(600);

/// Parts that a fair-share window is counted in (own choice: use fades in steps of a twentieth).
pub const FAIR_SHARE_PARTS: u32 = 20;

/// For how long the start of an attempt counts as use before it has used anything (own choice), so that shares take turns where many
/// jobs start at one instant.
pub const FAIR_SHARE_START_FEE: Millis = Millis::from_seconds(1);

/// Active share identifiers of a queue (section I).
pub const SHARE_IDENTIFIERS_PER_QUEUE_MAX: usize = 500;
