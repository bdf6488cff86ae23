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
    EksPropertiesDetail, LogDriver,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{launch, pod, resources, secret, task, volume};
use crate::batch::job_definition::check::{Platform as Capability, check_fargate_size};
use crate::provisions::Provisions;

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
    pub(super) provisions: &'a Provisions,
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
    pub(super) fn check(&self, provisions: &Provisions) -> Result<(), String> {
        let containers = match self {
            Work::Container(container) => std::slice::from_ref(&**container),
            Work::Task { task, containers } => {
                task::check(task, containers)?;
                containers.as_slice()
            }
            Work::Pod(pod) => return pod::check(pod, provisions),
        };
        for container in containers {
            let is_process = container.image.as_deref().is_some_and(launch::is_process);
            if is_process && !provisions.allows_processes {
                return Err(PROCESSES_ARE_OFF.to_owned());
            }
            check_secrets(container, is_process, provisions)?;
            volume::mounts(container, provisions)?;
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
        provisions,
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
        provisions,
    })
}

/// What DescribeJobs shows of a single container.
pub(super) fn detail(container: &ContainerProperties) -> ContainerDetail {
    ContainerDetail {
        network_interfaces: Some(Vec::new()),
        ..widened(container)
    }
}

/// What keeps the secrets of a container from being had here, if anything.
fn check_secrets(
    container: &ContainerProperties,
    is_process: bool,
    provisions: &Provisions,
) -> Result<(), String> {
    let launch::Secrets {
        variables,
        log_options,
        credentials,
    } = launch::secrets(container)?;
    if !variables.is_empty() || !log_options.is_empty() || credentials.is_some() {
        if !provisions.has_secrets {
            return Err(secret::NO_FOLDER.to_owned());
        }
        if is_process && credentials.is_some() {
            return Err(
                "repositoryCredentials are for containers, not for processes (image host://)".to_owned(),
            );
        }
        let takes_options = container
            .log_configuration
            .as_ref()
            .is_some_and(|log| log.log_driver != LogDriver::Awslogs);
        if !log_options.is_empty() && (is_process || !takes_options) {
            return Err("logConfiguration.secretOptions are for log drivers other than awslogs, which processes do not have".to_owned());
        }
    }
    Ok(())
}

/// From one shape to another whose members are a superset: the detail shapes repeat those of the request.
pub(super) fn widened<From: Serialize, To: DeserializeOwned>(from: &From) -> To {
    let value = serde_json::to_value(from).expect("shapes have only text keys");
    serde_json::from_value(value)
        .expect("a detail shape has every member of the request's shape, of the same type")
}
