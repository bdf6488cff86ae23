//! What a job runs, in the client's words, and what follows from it: the launch, what it needs, and what DescribeJobs shows.
//!
//! One file for each kind beside this one. Where to start reading: [`Work`], then [`Work::plan`].

use batchyard_core::environment::Platform;
use batchyard_core::launch::LaunchSpec;
use batchyard_core::resources::Resources;
use batchyard_core::time::Millis;
use batchyard_wire::Fault;
use batchyard_wire::batch::{
    ContainerDetail, ContainerProperties, EcsPropertiesDetail, EcsTaskProperties, EksPodProperties,
    EksPropertiesDetail, Secret,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{launch, pod, resources, task};
use crate::batch::job_definition::check::{Platform as Capability, check_fargate_size};

/// Time between asking an attempt to stop and killing it, unless the definition says otherwise (section F.6).
pub(super) const STOP_TIMEOUT: Millis = Millis::from_seconds(30);

/// Why process jobs are refused where they are.
pub(super) const PROCESSES_ARE_OFF: &str =
    "process jobs (image host://) are off on this server; allow_processes turns them on";

/// See the module.
#[derive(Clone)]
pub(super) enum Work {
    /// `containerProperties`.
    Container(Box<ContainerProperties>),
    /// `ecsProperties`: the task, and each of its containers in the form of `containerProperties`, which is what overrides
    /// and parameters change.
    Task {
        task: Box<EcsTaskProperties>,
        containers: Vec<ContainerProperties>,
    },
    /// `eksProperties`.
    Pod(Box<EksPodProperties>),
}

/// How a definition's jobs run, whatever they run.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    /// The definition's name.
    pub(super) definition: &'a str,
    pub(super) capability: Capability,
}

/// What work comes to.
pub(super) struct Plan {
    pub(super) platform: Platform,
    pub(super) resources: Resources,
    pub(super) stop_timeout: Millis,
    pub(super) launch: LaunchSpec,
    pub(super) shown: Shown,
}

/// What DescribeJobs shows of it; one of them.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) container: Option<ContainerDetail>,
    pub(super) ecs: Option<EcsPropertiesDetail>,
    pub(super) eks: Option<EksPropertiesDetail>,
}

impl Work {
    /// What of it this version cannot carry out, if anything.
    pub(super) fn check(&self, allows_processes: bool) -> Result<(), String> {
        let containers = match self {
            Work::Container(container) => std::slice::from_ref(&**container),
            Work::Task { task, containers } => {
                task::check(task, containers)?;
                containers.as_slice()
            }
            Work::Pod(pod) => return pod::check(pod),
        };
        for container in containers {
            let is_process = container.image.as_deref().is_some_and(launch::is_process);
            if is_process && !allows_processes {
                return Err(PROCESSES_ARE_OFF.to_owned());
            }
            if let Some(member) = unsupported(container) {
                return Err(format!("{member} is not implemented yet"));
            }
        }
        Ok(())
    }

    /// What DescribeJobs shows of it.
    pub(super) fn shown(&self) -> Shown {
        match self {
            Work::Container(container) => Shown {
                container: Some(detail(container)),
                ..Shown::default()
            },
            Work::Task { task, containers } => Shown {
                ecs: Some(task::detail(task, containers)),
                ..Shown::default()
            },
            Work::Pod(pod) => Shown {
                eks: Some(pod::detail(pod)),
                ..Shown::default()
            },
        }
    }

    /// What it comes to.
    ///
    /// # Errors
    /// For resources that are missing or do not fit together, and for a process without a command.
    pub(super) fn plan(self, setting: Setting<'_>) -> Result<Plan, Fault> {
        let launch = match &self {
            Work::Container(container) => one(container, setting, "default", STOP_TIMEOUT)?,
            Work::Task { task, containers } => task::launch(task, containers, setting)?,
            Work::Pod(pod) => pod::launch(pod, setting)?,
        };
        Ok(Plan {
            platform: match (&self, setting.capability) {
                (Work::Pod(_), _) => Platform::Eks,
                (_, Capability::Fargate) => Platform::Fargate,
                (_, Capability::ManagedInstances) => Platform::ManagedInstances,
                (_, Capability::Ec2) => Platform::Ec2,
            },
            resources: launch.resources,
            stop_timeout: launch.stop_timeout,
            launch,
            shown: self.shown(),
        })
    }
}

/// The launch of one container or process.
pub(super) fn one(
    container: &ContainerProperties,
    setting: Setting<'_>,
    stream_part: &str,
    stop_timeout: Millis,
) -> Result<LaunchSpec, Fault> {
    let Setting {
        definition,
        capability,
    } = setting;
    let is_fargate = capability == Capability::Fargate;
    let needed = resources::needed(container)?;
    if is_fargate {
        check_fargate_size(needed.vcpus.0, needed.memory.0)?;
    }
    launch::spec(&launch::Source {
        container,
        definition,
        stream_part,
        is_fargate,
        resources: needed,
        stop_timeout,
    })
}

/// What DescribeJobs shows of a single container.
pub(super) fn detail(container: &ContainerProperties) -> ContainerDetail {
    ContainerDetail {
        network_interfaces: Some(Vec::new()),
        ..widened(container)
    }
}

/// The member of a container that this version cannot carry out, if there is one.
pub(super) fn unsupported(container: &ContainerProperties) -> Option<&'static str> {
    let some = |list: &Option<Vec<Secret>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let volumes = container.volumes.as_deref().unwrap_or_default();
    let log_secrets = container
        .log_configuration
        .as_ref()
        .is_some_and(|log| some(&log.secret_options));
    [
        ("secrets", some(&container.secrets)),
        ("logConfiguration.secretOptions", log_secrets),
        (
            "repositoryCredentials",
            container.repository_credentials.is_some(),
        ),
        (
            "volumes.efsVolumeConfiguration",
            volumes
                .iter()
                .any(|volume| volume.efs_volume_configuration.is_some()),
        ),
        (
            "volumes.s3filesVolumeConfiguration",
            volumes
                .iter()
                .any(|volume| volume.s3files_volume_configuration.is_some()),
        ),
    ]
    .into_iter()
    .find_map(|(member, is_used)| is_used.then_some(member))
}

/// From one shape to another whose members are a superset: the detail shapes repeat those of the request.
pub(super) fn widened<From: Serialize, To: DeserializeOwned>(from: &From) -> To {
    let value = serde_json::to_value(from).expect("shapes have only text keys");
    serde_json::from_value(value)
        .expect("a detail shape has every member of the request's shape, of the same type")
}
