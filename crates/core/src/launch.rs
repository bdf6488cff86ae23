//! What an engine needs to know to run a job: made when the job is submitted, kept in the store, never in the core's
//! memory.
//!
//! These are the domain's words for sections E and F of the behaviour; what the API calls them is the server's matter.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::resources::{MilliVcpus, Resources};
use crate::secret::{ImageCredentials, SecretName, SecretVariable};
use crate::time::Millis;
use crate::training::TrainingSpec;

/// How to run a job: the same for all attempts, and for all children of an array job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchSpec {
    /// As a process of the host or as a container.
    pub runner: Runner,
    /// The program and its arguments. Empty only for containers, whose image then says what to run.
    pub command: Vec<String>,
    /// The user's variables; Batch's own are added at each launch.
    pub environment: Vec<Variable>,
    /// What the job may use.
    pub resources: Resources,
    /// Where its output goes; `None` where the job chose a log driver whose output Batchyard does not see.
    pub log: Option<LogTarget>,
    /// Time between asking the job to stop and killing it (section F.6: 30 s).
    pub stop_timeout: Millis,
    /// The role whose credentials the job can get; `None` of jobs that have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleReference>,
    /// What a training job has besides; `None` for other jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Box<TrainingSpec>>,
}

/// The name or the ARN of a role, as the client gave it: whether it could be one is checked where the job is submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoleReference(pub Box<str>);

/// How the nodes of a multi-node parallel job are run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeLaunches {
    /// How many nodes.
    pub count: u32,
    /// The main one.
    pub main: u32,
    /// How they are run, in order, without gaps and overlaps.
    pub groups: Vec<NodeLaunch>,
}

/// How neighbouring nodes are run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeLaunch {
    /// The first of them.
    pub first: u32,
    /// The last of them.
    pub last: u32,
    /// How each is run.
    pub launch: Arc<LaunchSpec>,
}

impl NodeLaunches {
    /// How this node is run; `None` if there is no such node.
    #[must_use]
    pub fn of(&self, node: u32) -> Option<&Arc<LaunchSpec>> {
        let is_of = |group: &&NodeLaunch| (group.first..=group.last).contains(&node);
        self.groups.iter().find(is_of).map(|group| &group.launch)
    }
}

/// What carries a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Runner {
    /// A process of the engine's host.
    Process(ProcessSpec),
    /// A container.
    Container(Box<ContainerSpec>),
    /// Several containers that begin and end together (section E.4). Command, environment and log are each container's own, and
    /// empty in the [`LaunchSpec`]; the resources there are those of all containers together.
    Task(Box<TaskSpec>),
}

impl Runner {
    /// The containers of a task; none of what is no task.
    #[must_use]
    pub fn containers(&self) -> &[TaskContainer] {
        match self {
            Runner::Task(task) => &task.containers,
            Runner::Process(_) | Runner::Container(_) => &[],
        }
    }

    /// Labels all its containers; a process has nothing that could carry them.
    pub fn label(&mut self, labels: &BTreeMap<String, String>) {
        match self {
            Runner::Process(_) => {}
            Runner::Container(container) => container.labels.clone_from(labels),
            Runner::Task(task) => {
                for container in &mut task.containers {
                    container.container.labels.clone_from(labels);
                }
            }
        }
    }
}

/// Several containers that are one attempt (section E.4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// 1..=10 containers, or 2..=20 hosts, with different names, in the order of the definition.
    pub containers: Vec<TaskContainer>,
    /// Whether each container is a host of its own on a private network, under its name: the task goes on when one has succeeded, and ends
    /// when all have, or one has failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub are_hosts: bool,
    /// Whose processes its containers see.
    pub processes: Sharing,
    /// Whose shared memory and queues its containers use.
    pub ipc: Sharing,
    /// When it is over.
    #[serde(default, skip_serializing_if = "TaskEnd::is_usual")]
    pub end: TaskEnd,
}

/// When a task is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskEnd {
    /// With the first essential container that ends: the others are stopped then (section E4.4).
    #[default]
    FirstEssential,
    /// When all its containers have ended, or one has failed for whose success others wait: a pod.
    All,
}

impl TaskEnd {
    fn is_usual(&self) -> bool {
        *self == TaskEnd::default()
    }
}

/// Whose namespace the containers of a task are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// What the container runtime does by itself.
    #[default]
    Usual,
    /// Each container its own, that no other can join.
    Own,
    /// All containers of the task the same.
    Task,
    /// The host's.
    Host,
}

/// One container of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskContainer {
    /// Unique in its task.
    pub name: String,
    /// The container.
    pub container: ContainerSpec,
    /// The program's arguments; empty leaves what the image says.
    pub command: Vec<String>,
    /// The user's variables.
    pub environment: Vec<Variable>,
    /// What it may use of the job's resources.
    pub resources: Resources,
    /// Where its output goes.
    pub log: Option<LogTarget>,
    /// What it waits for before it starts.
    pub depends_on: Vec<ContainerDependency>,
    /// Whether the task ends with it, and fails if it fails.
    pub is_essential: bool,
    /// How long it may wait for its dependencies; `None` is for ever.
    pub start_timeout: Option<Millis>,
    /// Time between asking it to stop and killing it.
    pub stop_timeout: Millis,
}

/// What a container of a task waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerDependency {
    /// The name of another container of the task.
    pub on: String,
    /// What it must have come to.
    pub condition: ContainerCondition,
}

/// What a container must have come to (section E4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerCondition {
    /// Started, and perhaps ended.
    Start,
    /// Ended, with whatever exit code.
    Complete,
    /// Ended with exit code 0.
    Success,
}

/// A job that runs as a process of the host: image `host://`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// The absolute folder to run in: the path behind `host://`. `None`: the home folder of the user it runs as.
    pub working_directory: Option<PathBuf>,
    /// Resource limits to set before the program starts.
    pub ulimits: Vec<Ulimit>,
    /// Variables with secrets for their values, which win over the user's of the same names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretVariable>,
}

/// A job that runs as a container (section E.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// The image's reference, as given.
    pub image: String,
    /// Replaces the image's entry point (EKS `command`); `None` leaves it.
    pub entrypoint: Option<Vec<String>>,
    /// Whether the vCPUs are a ceiling (Fargate) or a share that may grow on an idle host (EC2).
    pub vcpus_are_a_ceiling: bool,
    /// What is mounted where.
    pub mounts: Vec<Mount>,
    /// Resource limits of the container.
    pub ulimits: Vec<Ulimit>,
    /// `name`, `uid`, `name:group` or `uid:gid`; `None` is the image's user.
    pub user: Option<String>,
    /// Whether the container may do all that the host's root may.
    pub is_privileged: bool,
    /// Whether its root file system cannot be written.
    pub has_readonly_root: bool,
    /// Whether an init process reaps and forwards signals.
    pub has_init: bool,
    /// Devices of the host it may use.
    pub devices: Vec<Device>,
    /// Size of `/dev/shm` in MiB; `None` is the runtime's default.
    pub shared_memory_mib: Option<u64>,
    /// Memory file systems.
    pub tmpfs: Vec<Tmpfs>,
    /// Swap in MiB beyond the memory, 0 for none; `None` leaves the runtime's default.
    pub swap_mib: Option<u64>,
    /// 0..=100; only with `swap_mib`.
    pub swappiness: Option<u8>,
    /// Platform to pull for, such as `linux/arm64`; `None` is the host's.
    pub platform: Option<String>,
    /// The log driver and its options where it is not `awslogs`.
    pub log_driver: Option<LogDriver>,
    /// Size of the writable layer in GiB where the runtime's storage can limit it.
    pub ephemeral_storage_gib: Option<u32>,
    /// Labels that it carries besides those of its engine: the tags that are propagated to it (section G.7).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Variables with secrets for their values, which win over the user's of the same names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretVariable>,
    /// Who pulls its image; `None` is nobody in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<ImageCredentials>,
    /// What only containers of pods have (section E.5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodContainer>,
}

/// What a container of a pod says beyond one of ECS. In its command `$(NAME)` stands for a variable (section E2.5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodContainer {
    /// The vCPUs it never gets more than; the job's are what it is sure of.
    pub vcpus_max: Option<MilliVcpus>,
    /// When its image is pulled; `None` leaves it to the engine.
    pub pull: Option<ImagePull>,
    /// Whether its programs may get more rights than they started with.
    pub may_gain_privileges: bool,
    /// Whether it is not started where its user is root, or cannot be told not to be.
    #[serde(default)]
    pub must_not_be_root: bool,
    /// Whether it is not on the host's network, where that is what containers usually are on.
    #[serde(default)]
    pub has_own_network: bool,
    /// Whether it may make all system calls.
    #[serde(default)]
    pub is_unconfined: bool,
    /// Capabilities that it has besides the usual ones.
    #[serde(default)]
    pub capabilities_added: Vec<String>,
    /// Usual capabilities that it has not.
    #[serde(default)]
    pub capabilities_dropped: Vec<String>,
    /// A group that its programs belong to besides, and that the pod's own volumes belong to.
    #[serde(default)]
    pub volume_group: Option<u32>,
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImagePull {
    /// When it is not there.
    Missing,
    /// Each time.
    Always,
    /// Not at all.
    Never,
}

/// A variable of a job's environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Variable {
    /// Not empty, without `=` and NUL.
    pub name: String,
    /// Any text without NUL.
    pub value: String,
}

/// A log group and what the names of the job's streams begin with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTarget {
    /// For example `/aws/batch/job`.
    pub group: String,
    /// Everything before the task id, with the slash: for example `sleep60/default/`. Streams of training jobs have other names.
    pub stream_prefix: String,
}

/// Something mounted into a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where it comes from.
    pub source: MountSource,
    /// The absolute path in the container.
    pub container_path: String,
    /// Whether the container cannot write to it.
    pub is_readonly: bool,
}

/// Where a mount comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MountSource {
    /// A folder or file of the host, made as a folder where it is missing.
    Host(String),
    /// An empty volume that lives as long as the attempt; mounts with the same name share it.
    Scratch(String),
    /// An empty file system in memory that lives as long as the attempt; mounts with the same name share it (tasks only).
    Memory {
        /// The name, among those of scratch volumes.
        name: String,
        /// Its size in MiB.
        size_mib: u64,
    },
    /// A file system in memory with a file for each key of a secret of Kubernetes (tasks only).
    Secret {
        /// The name, among those of scratch volumes.
        name: String,
        /// The secret: `NAMESPACE/NAME`.
        secret: SecretName,
        /// Whether it is empty where there is no such secret; otherwise the attempt does not start.
        is_optional: bool,
    },
    /// A folder of the attempt's own folder, relative to it (training jobs only).
    Attempt(String),
    /// What is below a folder of the host that the operator provides, and nothing outside of it, whatever links there are.
    Below {
        /// The operator's folder, absolute.
        folder: String,
        /// The path below it, without `..`; empty is all of it.
        path: String,
        /// Whether folders on the way are made where they are missing; otherwise the attempt does not start.
        is_made: bool,
    },
}

/// A resource limit, named as `ulimit` names it without the prefix (`nofile`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// One of the 15 names of section E.3.
    pub name: String,
    /// What the process starts with; -1 is unlimited.
    pub soft: i64,
    /// What it may raise it to; -1 is unlimited.
    pub hard: i64,
}

/// A device of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Path on the host.
    pub host_path: String,
    /// Path in the container.
    pub container_path: String,
    /// Some of `r`, `w`, `m`, in that order.
    pub permissions: String,
}

/// A memory file system in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tmpfs {
    /// The absolute path in the container.
    pub container_path: String,
    /// Size in MiB.
    pub size_mib: u64,
    /// Mount options such as `noexec`.
    pub options: Vec<String>,
}

/// A log driver of the container runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogDriver {
    /// For example `json-file`.
    pub name: String,
    /// The driver's own options.
    pub options: BTreeMap<String, String>,
    /// Those that have secrets for their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secret_options: Vec<SecretVariable>,
}
