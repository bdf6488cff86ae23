//! What a server can be told. Every key has a default; where the values come from (file, environment, flags) is the
//! command line's affair.

use std::net::SocketAddr;
use std::path::PathBuf;

use batchyard_core::limits::Limits;
use serde::{Deserialize, Serialize};

use crate::limits::{
    COMPUTE_ENVIRONMENTS_PER_QUEUE_MAX, DESCRIBE_JOBS_MAX, REGISTER_BYTES_MAX, SUBMIT_BYTES_MAX,
    TIME_LIMIT_SECONDS_MIN,
};

/// A server's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The address that jobs and clients use, where it differs from `listen`: behind a proxy, or in a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The account that the server plays: twelve digits.
    pub account_id: String,
    /// The region that it plays.
    pub region: String,
    /// The partition of its ARNs.
    pub partition: String,
    /// Whether requests must be signed. Turn it off only where everybody who reaches the port may do everything.
    pub verify_signatures: bool,
    /// Whether jobs with an image `host://…` may run, as processes of this host.
    pub allow_processes: bool,
    /// The user that process jobs run as, where the server is root. Otherwise they run as the server's own user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_user: Option<String>,
    /// How long ended jobs are kept, in days.
    pub job_retention_days: u32,
    /// How long deregistered job definitions are kept, in days (section A3.25).
    pub definition_retention_days: u32,
    /// How long the journal of accepted commands is kept, in days.
    pub journal_retention_days: u32,
    /// Whether jobs get `AWS_ENDPOINT_URL`, `AWS_REGION` and `AWS_DEFAULT_REGION` of this server.
    pub jobs_see_endpoint: bool,
    /// A file with what instance types cost, which allocation strategies go by (see the documentation of services).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prices: Option<PathBuf>,
    /// What jobs can have of this host.
    pub host: HostConfig,
    /// How containers run.
    pub docker: DockerConfig,
    /// How much there may be of what.
    pub limits: LimitsConfig,
}

/// What jobs can have of this host. More than it has is allowed, and means that jobs share it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostConfig {
    /// vCPUs; what the host has if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<u32>,
    /// Memory in MiB; what the host has if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    /// GPUs, 0 to 64.
    pub gpus: u16,
}

/// How containers run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DockerConfig {
    /// Whether container jobs are run at all.
    pub enabled: bool,
    /// The engine's address, such as `unix:///var/run/docker.sock`; that of `DOCKER_HOST`, else the default socket, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The network of containers, as Docker names it.
    pub network: String,
    /// When images are pulled: `missing`, `always` or `never`.
    pub pull: Pull,
}

/// The service's quotas (section I), its values as defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Compute environments.
    pub compute_environments: usize,
    /// Service environments.
    pub service_environments: usize,
    /// Job queues.
    pub job_queues: usize,
    /// Compute environments of a queue.
    pub compute_environments_per_queue: usize,
    /// Jobs that a job may depend on.
    pub job_dependencies: usize,
    /// Children of an array job.
    pub array_size: u32,
    /// Scheduling policies.
    pub scheduling_policies: usize,
    /// Consumable resources.
    pub consumable_resources: usize,
    /// Quota shares of a queue.
    pub quota_shares_per_queue: usize,
    /// Largest RegisterJobDefinition request, in bytes.
    pub register_job_definition_bytes: usize,
    /// Largest SubmitJob request, in bytes.
    pub submit_job_bytes: usize,
    /// Jobs that one DescribeJobs names.
    pub describe_jobs: usize,
    /// Least `maxTimeSeconds` of a queue's actions on jobs that block it.
    pub time_limit_seconds_min: u32,
    /// SubmitJob requests that are let through in a second; more are answered with `TooManyRequestsException`. 0 is no limit, the service
    /// has 50.
    pub submit_jobs_per_second: u32,
}

/// When images are pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pull {
    /// When the engine does not have them.
    Missing,
    /// Before each start, falling back to what the engine has.
    Always,
    /// Never: what the engine does not have cannot run.
    Never,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 4590)),
            endpoint: None,
            account_id: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            partition: "aws".to_owned(),
            verify_signatures: true,
            allow_processes: false,
            process_user: None,
            job_retention_days: 7,
            definition_retention_days: 180,
            journal_retention_days: 90,
            jobs_see_endpoint: true,
            prices: None,
            host: HostConfig::default(),
            docker: DockerConfig::default(),
            limits: LimitsConfig::default(),
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> LimitsConfig {
        let Limits {
            compute_environments,
            service_environments,
            job_queues,
            job_dependencies,
            array_size,
            scheduling_policies,
            consumable_resources,
            quota_shares_per_queue,
        } = Limits::default();
        LimitsConfig {
            compute_environments,
            service_environments,
            job_queues,
            compute_environments_per_queue: COMPUTE_ENVIRONMENTS_PER_QUEUE_MAX,
            job_dependencies,
            array_size,
            scheduling_policies,
            consumable_resources,
            quota_shares_per_queue,
            register_job_definition_bytes: REGISTER_BYTES_MAX,
            submit_job_bytes: SUBMIT_BYTES_MAX,
            describe_jobs: DESCRIBE_JOBS_MAX,
            time_limit_seconds_min: TIME_LIMIT_SECONDS_MIN,
            submit_jobs_per_second: 0,
        }
    }
}

impl LimitsConfig {
    /// Those that the core keeps.
    pub(crate) fn core(&self) -> Limits {
        Limits {
            compute_environments: self.compute_environments,
            service_environments: self.service_environments,
            job_queues: self.job_queues,
            job_dependencies: self.job_dependencies,
            array_size: self.array_size,
            scheduling_policies: self.scheduling_policies,
            consumable_resources: self.consumable_resources,
            quota_shares_per_queue: self.quota_shares_per_queue,
        }
    }
}

impl Default for DockerConfig {
    fn default() -> DockerConfig {
        DockerConfig {
            enabled: true,
            host: None,
            network: "host".to_owned(),
            pull: Pull::Missing,
        }
    }
}

/// A value that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct InvalidConfig {
    /// The key in the file.
    pub key: &'static str,
    /// What is wrong, and what would be right.
    pub reason: &'static str,
}

impl Config {
    /// Checks what types cannot.
    ///
    /// # Errors
    /// For the first value that cannot be used.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let is_word = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        let rules: [(bool, &'static str, &'static str); 6] = [
            (
                self.account_id.len() == 12 && self.account_id.bytes().all(|byte| byte.is_ascii_digit()),
                "account_id",
                "must be twelve digits",
            ),
            (
                is_word(&self.region),
                "region",
                "must be a name such as us-east-1",
            ),
            (
                is_word(&self.partition),
                "partition",
                "must be a name such as aws",
            ),
            (
                self.limits.array_size >= 2,
                "limits.array_size",
                "must be at least 2",
            ),
            (self.host.gpus <= 64, "host.gpus", "must be at most 64"),
            (self.host.vcpus != Some(0), "host.vcpus", "must be at least 1"),
        ];
        match rules.into_iter().find(|(is_good, ..)| !is_good) {
            Some((_, key, reason)) => Err(InvalidConfig { key, reason }),
            None => Ok(()),
        }
    }
}
