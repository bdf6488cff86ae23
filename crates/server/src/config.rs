//! What a server can be told. Every key has a default; where the values come from (file, environment, flags) is the
//! command line's affair.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use batchyard_core::limits::{ATTEMPTS_MAX, EVALUATE_ON_EXIT_MAX, Limits, NODES_MAX};
use serde::{Deserialize, Serialize};

use crate::limits::{
    CAPACITY_LIMITS_MAX, COMPUTE_ENVIRONMENTS_PER_QUEUE_MAX, CONDITION_CHARACTERS_MAX,
    CONSUMABLE_RESOURCES_PER_JOB_MAX, CONTAINER_OVERRIDES_CHARACTERS_MAX, CONTAINERS_MAX, DESCRIBE_JOBS_MAX,
    ENVIRONMENTS_PER_CLUSTER_MAX, LIST_JOBS_MAX, NODE_RANGES_MAX, PAGE_MAX, REGISTER_BYTES_MAX,
    SERVICE_PAYLOAD_BYTES_MAX, SERVICE_SUBMIT_BYTES_MAX, SHARE_DISTRIBUTION_MAX, STOP_JOBS_MAX,
    STOP_REASON_MAX, SUBMIT_BYTES_MAX, TAGS_MAX, TIME_LIMIT_SECONDS_MIN,
};
use crate::task_endpoint::takes_credentials_from;

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
    /// One more address to listen on, for running jobs alone: there they read their metadata and the credentials of their role. 169.254.170.2:80 is
    /// where clients look on AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_listen: Option<SocketAddr>,
    /// Whether jobs get `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_DEFAULT_REGION` and credentials of their role of this server.
    pub jobs_see_endpoint: bool,
    /// A file with what instance types cost, which allocation strategies go by (see the documentation of services).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prices: Option<PathBuf>,
    /// What jobs can have of this host.
    pub host: HostConfig,
    /// How containers run.
    pub docker: DockerConfig,
    /// Secrets of jobs.
    pub secrets: SecretsConfig,
    /// The store of objects that training jobs read and write.
    pub s3: S3Config,
    /// Folders of this host that stand for EFS and S3 file systems and their access points, by the identifiers of these
    /// (`fs-…`, `fsap-…`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub file_systems: BTreeMap<String, PathBuf>,
    /// Folders of this host that stand for persistent volume claims of pods, by `NAMESPACE/NAME`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, PathBuf>,
    /// What is told of what happens to jobs.
    pub events: EventsConfig,
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

/// Secrets of jobs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecretsConfig {
    /// The folder with their values, a file for each (see the documentation of services); jobs with secrets are refused if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
}

/// The store of objects that training jobs read and write: S3, or one that speaks its language.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Config {
    /// Its address, such as `http://127.0.0.1:9000`; training jobs that name `s3://…` as their data are refused if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Its region; the server's if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// A TOML file with `access_key_id`, `secret_access_key` and perhaps `session_token`. If absent these are what the server's own
    /// variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<PathBuf>,
}

/// What is told of what happens to jobs (section G).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventsConfig {
    /// How long events can be read, in hours; 0 keeps none. A job that was removed has none any more.
    pub retention_hours: u32,
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
    /// Active share identifiers of a queue.
    pub share_identifiers_per_queue: usize,
    /// Jobs that one DescribeJobs names.
    pub describe_jobs: usize,
    /// Attempts of a job.
    pub attempts: u8,
    /// Entries of `evaluateOnExit`.
    pub evaluate_on_exit: usize,
    /// Characters of each of their conditions.
    pub evaluate_on_exit_characters: usize,
    /// Containers of a task or a pod.
    pub containers_per_task: usize,
    /// Init containers of a pod.
    pub init_containers_per_pod: usize,
    /// Nodes of a multi-node parallel job.
    pub nodes: u32,
    /// Ranges of its nodes.
    pub node_ranges: usize,
    /// Consumable resources that a job, or a node range, takes of.
    pub consumable_resources_per_job: usize,
    /// Shares that a scheduling policy gives a weight.
    pub share_distribution: usize,
    /// Capacity limits of a service environment or a quota share.
    pub capacity_limits: usize,
    /// Compute environments of an EKS cluster.
    pub compute_environments_per_cluster: usize,
    /// Tags of a resource. A single request never has more than the 50 of the service's own model.
    pub tags: usize,
    /// Items of a page, and names that one describe call of environments, queues, definitions or policies has.
    pub page_items: usize,
    /// Items of a page of ListJobs without filters.
    pub list_jobs_page_items: usize,
    /// Jobs of one CancelJobs, TerminateJobs or TerminateServiceJobs.
    pub stop_jobs: usize,
    /// Characters of the reason of a cancellation or termination.
    pub reason_characters: usize,
    /// Largest SubmitServiceJob request, in bytes.
    pub submit_service_job_bytes: usize,
    /// Largest payload in it, in bytes.
    pub service_job_payload_bytes: usize,
    /// Characters of what a job changes of its containers, in JSON; a job with more fails. 0 is no limit.
    pub container_overrides_characters: usize,
    /// Least `maxTimeSeconds` of a queue's actions on jobs that block it.
    pub time_limit_seconds_min: u32,
    /// SubmitJob requests that are let through in a second; more are answered with `TooManyRequestsException`. 0 is no limit, the service
    /// has 50.
    pub submit_jobs_per_second: u32,
    /// The same of SubmitServiceJob requests, of which the service lets 5 through.
    pub submit_service_jobs_per_second: u32,
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
            task_listen: None,
            jobs_see_endpoint: true,
            prices: None,
            host: HostConfig::default(),
            docker: DockerConfig::default(),
            secrets: SecretsConfig::default(),
            s3: S3Config::default(),
            file_systems: BTreeMap::new(),
            claims: BTreeMap::new(),
            events: EventsConfig::default(),
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
            share_identifiers_per_queue,
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
            share_identifiers_per_queue,
            describe_jobs: DESCRIBE_JOBS_MAX,
            attempts: ATTEMPTS_MAX,
            evaluate_on_exit: EVALUATE_ON_EXIT_MAX,
            evaluate_on_exit_characters: CONDITION_CHARACTERS_MAX,
            containers_per_task: CONTAINERS_MAX,
            init_containers_per_pod: CONTAINERS_MAX,
            nodes: NODES_MAX,
            node_ranges: NODE_RANGES_MAX,
            consumable_resources_per_job: CONSUMABLE_RESOURCES_PER_JOB_MAX,
            share_distribution: SHARE_DISTRIBUTION_MAX,
            capacity_limits: CAPACITY_LIMITS_MAX,
            compute_environments_per_cluster: ENVIRONMENTS_PER_CLUSTER_MAX,
            tags: TAGS_MAX,
            page_items: PAGE_MAX,
            list_jobs_page_items: LIST_JOBS_MAX,
            stop_jobs: STOP_JOBS_MAX,
            reason_characters: STOP_REASON_MAX,
            submit_service_job_bytes: SERVICE_SUBMIT_BYTES_MAX,
            service_job_payload_bytes: SERVICE_PAYLOAD_BYTES_MAX,
            container_overrides_characters: CONTAINER_OVERRIDES_CHARACTERS_MAX,
            time_limit_seconds_min: TIME_LIMIT_SECONDS_MIN,
            submit_jobs_per_second: 0,
            submit_service_jobs_per_second: 0,
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
            share_identifiers_per_queue: self.share_identifiers_per_queue,
        }
    }
}

impl Default for EventsConfig {
    /// A day: as long as EventBridge tries to deliver.
    fn default() -> EventsConfig {
        EventsConfig { retention_hours: 24 }
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
        let rules: [(bool, &'static str, &'static str); 14] = [
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
            (self.limits.attempts >= 1, "limits.attempts", "must be at least 1"),
            (
                (1..=1_000).contains(&self.limits.page_items),
                "limits.page_items",
                "must be between 1 and 1000",
            ),
            (
                (1..=10_000).contains(&self.limits.list_jobs_page_items),
                "limits.list_jobs_page_items",
                "must be between 1 and 10000",
            ),
            (
                self.secrets.folder.iter().all(|folder| folder.is_dir()),
                "secrets.folder",
                "must be a folder that is there",
            ),
            (
                self.file_systems.values().all(|folder| is_host_path(folder)),
                "file_systems",
                "must name absolute paths, without colons",
            ),
            (
                self.claims.values().all(|folder| is_host_path(folder)),
                "claims",
                "must name absolute paths, without colons",
            ),
            (
                self.s3
                    .endpoint
                    .iter()
                    .all(|address| address.starts_with("http://") || address.starts_with("https://")),
                "s3.endpoint",
                "must be an address that begins with http:// or https://",
            ),
            (self.host.gpus <= 64, "host.gpus", "must be at most 64"),
            (
                self.task_listen
                    .is_none_or(|address| takes_credentials_from(address.ip())),
                "task_listen",
                "must be an address that clients take credentials from over plain HTTP: 169.254.170.2, 169.254.170.23, fd00:ec2::23, or one of the loopback",
            ),
            (self.host.vcpus != Some(0), "host.vcpus", "must be at least 1"),
        ];
        match rules.into_iter().find(|(is_good, ..)| !is_good) {
            Some((_, key, reason)) => Err(InvalidConfig { key, reason }),
            None => Ok(()),
        }
    }
}

/// Whether the container engine can be told of it: colons separate what it is told.
fn is_host_path(path: &Path) -> bool {
    path.is_absolute() && path.to_str().is_some_and(|text| !text.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::LimitsConfig;

    #[test]
    fn every_limit_is_in_the_manual() {
        let manual = include_str!("../../../docs/service.md");
        let keys = serde_json::to_value(LimitsConfig::default()).unwrap();
        let keys = keys.as_object().unwrap().keys();
        let missing: Vec<&String> = keys.filter(|key| !manual.contains(&format!("`{key}`"))).collect();
        assert!(missing.is_empty(), "docs/service.md has no {missing:?}");
    }
}
