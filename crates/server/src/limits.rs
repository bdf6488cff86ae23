//! Every bound of the server, with its source.

use std::time::Duration;

use batchyard_core::time::Millis;

/// Largest body of any request, in bytes: PutLogEvents takes 1 MiB of events (its quota), the rest is room for framing.
pub(crate) const BODY_BYTES_MAX: usize = 2 << 20;

/// Largest RegisterJobDefinition, in bytes (section A3.21).
pub(crate) const REGISTER_BYTES_MAX: usize = 24 << 10;

/// Largest SubmitServiceJob, in bytes (section I).
pub(crate) const SERVICE_SUBMIT_BYTES_MAX: usize = 30 << 10;

/// Largest payload of SubmitServiceJob, in bytes (section I).
pub(crate) const SERVICE_PAYLOAD_BYTES_MAX: usize = 10 << 10;

/// Largest SubmitJob, in bytes (section A4.11).
pub(crate) const SUBMIT_BYTES_MAX: usize = 30 << 10;

/// Characters of what a job changes of its containers (section A4.12: a limit of ECS).
pub(crate) const CONTAINER_OVERRIDES_CHARACTERS_MAX: usize = 8_192;

/// Characters of an `evaluateOnExit` condition (section A3.10).
pub(crate) const CONDITION_CHARACTERS_MAX: usize = 512;

/// Containers of a task or a pod, and init containers of a pod (sections A3.17, A3.20).
pub(crate) const CONTAINERS_MAX: usize = 10;

/// Ranges of the nodes of a multi-node parallel job (section A3.18).
pub(crate) const NODE_RANGES_MAX: usize = 5;

/// Consumable resources that a job takes of (section A3.19).
pub(crate) const CONSUMABLE_RESOURCES_PER_JOB_MAX: usize = 5;

/// Shares that a scheduling policy gives a weight (section A.5).
pub(crate) const SHARE_DISTRIBUTION_MAX: usize = 500;

/// Capacity limits of a service environment or a quota share (sections A.6, A.8).
pub(crate) const CAPACITY_LIMITS_MAX: usize = 5;

/// Compute environments of an EKS cluster (section D1.4).
pub(crate) const ENVIRONMENTS_PER_CLUSTER_MAX: usize = 5;

/// Largest request line and headers together, in bytes (own choice; presigned URLs with session tokens are the longest).
pub(crate) const HEADER_BYTES_MAX: usize = 32 << 10;

/// Connections that are served at once (own choice); more wait in the listener's backlog.
pub(crate) const CONNECTIONS_MAX: usize = 4_096;

/// Requests that are worked on at once (own choice); one more is answered with `TooManyRequestsException`.
pub(crate) const REQUESTS_MAX: usize = 2_048;

/// Events of one answer (own choice: a few megabytes).
pub(crate) const EVENTS_PAGE_MAX: usize = 1_000;

/// Events that one look goes over for a filter (own choice: some tens of milliseconds); the answer may then have none, and goes on after
/// them.
pub(crate) const EVENTS_SKIPPED_MAX: usize = 5_000;

/// Committed batches whose events are read at once (own choice; most batches have a few events, the largest some thousands).
pub(crate) const EVENT_BATCHES_PER_READ: usize = 64;

/// Requests for events that wait at once (own choice); one more is answered with `TooManyRequestsException`.
pub(crate) const EVENT_READERS_MAX: usize = 256;

/// How long a request may wait for events, in seconds (own choice; below the timeouts of most clients and proxies).
pub(crate) const EVENT_WAIT_SECONDS_MAX: u64 = 20;

/// How long credentials of a job's role are good, in seconds (own choice; clients renew them a quarter of an hour before).
pub(crate) const TASK_CREDENTIALS_SECONDS: i64 = 3_600;

/// How long a client may take to send a request's headers (own choice).
pub(crate) const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may take to send a request's body (own choice).
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Queries that read the store at once (own choice): more than the disk and the processors can serve anyway.
pub(crate) const READS_MAX: usize = 16;

/// How long requests that are under way at the end may take (own choice).
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Jobs that one DescribeJobs names (section A4.14).
pub(crate) const DESCRIBE_JOBS_MAX: usize = 100;

/// Names that one describe call of environments, queues, definitions or policies has, and items of a page but one of ListJobs without
/// filters (sections A1, A2, A3, A4.20).
pub(crate) const PAGE_MAX: usize = 100;

/// Items of a page of ListJobs without filters (section A4.20).
pub(crate) const LIST_JOBS_MAX: usize = 1_000;

/// Characters of the reason of a cancellation or termination (section A.4).
pub(crate) const STOP_REASON_MAX: usize = 1_024;

/// Jobs of one CancelJobs or TerminateJobs (section K2).
pub(crate) const STOP_JOBS_MAX: usize = 50;

/// Compute environments of a queue (section A2.2).
pub(crate) const COMPUTE_ENVIRONMENTS_PER_QUEUE_MAX: usize = 3;

/// Least that a job may block its queue before an action, in seconds (section A2.9).
pub(crate) const TIME_LIMIT_SECONDS_MIN: u32 = 600;

/// Longest that a job may block its queue before an action, in seconds (section A2.9).
pub(crate) const TIME_LIMIT_SECONDS_MAX: u32 = 86_400;

/// Longest notice before an instance is taken away, in seconds (own choice: a day).
pub(crate) const INTERRUPTION_NOTICE_SECONDS_MAX: u32 = 86_400;

/// Attempts that gave way to other jobs which a service job's description shows (own choice; the service names no number).
pub(crate) const PREEMPTED_ATTEMPTS_SHOWN_MAX: usize = 10;

/// Instances of a training job (SageMaker's quota).
pub(crate) const TRAINING_HOSTS_MAX: usize = 20;

/// Shares that a queue's snapshot names (section A.4).
pub(crate) const SNAPSHOT_SHARES_MAX: usize = 20;

/// Characters of the header `X-Batchyard-Client-Token` (own choice: twice what the service's own tokens have).
pub(crate) const CLIENT_TOKEN_MAX: usize = 128;

/// How long such a token counts (own choice).
pub(crate) const CLIENT_TOKEN_LIFE: Millis = Millis::from_seconds(24 * 3_600);

/// How long the service's own client tokens count (section A.7; of SubmitServiceJob own choice).
pub(crate) const SERVICE_TOKEN_LIFE: Millis = Millis::from_seconds(8 * 3_600);

/// How long jobs on instances that are replaced may go on unless said otherwise, in minutes (section A.1).
pub(crate) const JOB_EXECUTION_TIMEOUT_MINUTES: u64 = 30;

/// Tags of a resource (section G.7).
pub(crate) const TAGS_MAX: usize = 50;

/// Job definitions that are kept ready for SubmitJob (own choice).
pub(crate) const DEFINITIONS_CACHED_MAX: usize = 256;

/// How often jobs, journal and log events that are past their time are looked for (own choice).
pub(crate) const PURGE_INTERVAL: Duration = Duration::from_secs(60);

/// Rows that one purge removes at once, so that commits get their turn (own choice).
pub(crate) const PURGE_ROWS_MAX: usize = 1_000;

/// A copy of the core is made when so many times as long has passed as the last one took (own choice): copies cost the driver at most a
/// twentieth of its time.
pub(crate) const DRIVER_SHARE: u32 = 20;

/// A forecast is used again for so many times as long as it took to make (own choice): forecasts take at most a fifth of one processor.
pub(crate) const PROCESSOR_SHARE: u32 = 4;

/// How long one forecast may take to make (own choice); what it did not come to is known to be later.
pub(crate) const FORECAST_TIME_MAX: Duration = Duration::from_secs(2);

/// Jobs of one answer of a forecast (own choice, as of a page of ListJobs).
pub(crate) const FORECAST_JOBS_MAX: usize = 1_000;

/// Live jobs of a state that is handed out (own choice: some tens of megabytes, as much as clients read).
pub(crate) const STATE_JOBS_MAX: usize = 100_000;
