//! A job definition as submissions use it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use batchyard_core::change::Document;
use batchyard_core::environment::Platform;
use batchyard_core::job::Profile;
use batchyard_core::launch::{LaunchSpec, NodeLaunches};
use batchyard_core::retry;
use batchyard_core::time::Millis;
use batchyard_runtime::store::DefinitionRevision;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    ContainerDetail, ContainerProperties, EcsPropertiesDetail, EcsTaskDetails, EcsTaskProperties,
    JobDefinition, JobTimeout, NodeProperties, PlatformCapability, RetryAction, RetryStrategy,
    TaskContainerDetails, TaskContainerProperties,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::document::JobDocument;
use super::overrides::Kind;
use super::{launch, resources};
use crate::batch::job_definition::check::Platform as Capability;
use crate::batch::job_definition::check::check_fargate_size;

/// Time between asking an attempt to stop and killing it, unless the definition says otherwise (section F.6).
const STOP_TIMEOUT: Millis = Millis::from_seconds(30);

/// Why process jobs are refused where they are.
pub(super) const PROCESSES_ARE_OFF: &str =
    "process jobs (image host://) are off on this server; allow_processes turns them on";

/// A job definition that was read, or why its jobs cannot run here.
pub(in crate::batch) struct Template {
    definition: Result<Definition, String>,
    /// What jobs without anything of their own come to; most jobs are such.
    plain: OnceLock<Result<Prepared, Fault>>,
}

/// What of a definition submissions look at.
pub(super) struct Definition {
    revision: DefinitionRevision,
    pub(super) capability: PlatformCapability,
    /// Without content where there are nodes.
    pub(super) container: ContainerProperties,
    pub(super) nodes: Option<NodeProperties>,
    /// The task it came from, where the definition has `ecsProperties`.
    task: Option<EcsTaskProperties>,
    pub(super) parameters: BTreeMap<String, String>,
    retry_strategy: Option<RetryStrategy>,
    timeout: Option<JobTimeout>,
    propagate_tags: bool,
    scheduling_priority: Option<i32>,
}

/// What a job adds to its definition, beside its container.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Additions {
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) retry_strategy: Option<RetryStrategy>,
    pub(super) timeout: Option<JobTimeout>,
    pub(super) propagate_tags: Option<bool>,
    pub(super) depends_on: Vec<batchyard_wire::batch::JobDependency>,
}

/// A job as far as it does not depend on its name, queue and identifier.
#[derive(Clone)]
pub(super) struct Prepared {
    pub(super) profile: Profile,
    pub(super) launch: Arc<LaunchSpec>,
    pub(super) nodes: Option<Arc<NodeLaunches>>,
    pub(super) document: Document,
}

impl Template {
    /// Reads a definition. What this version does not run is kept as a refusal: it can be registered and described, but its
    /// jobs are refused with a reason.
    pub(in crate::batch) fn new(
        revision: &DefinitionRevision,
        definition: JobDefinition,
        allows_processes: bool,
    ) -> Template {
        let definition = Definition::read(revision, definition).and_then(|definition| {
            if let Some(nodes) = &definition.nodes {
                super::node::check(nodes, allows_processes)?;
                return Ok(definition);
            }
            let is_process = definition
                .container
                .image
                .as_deref()
                .is_some_and(launch::is_process);
            match unsupported(&definition.container) {
                _ if is_process && !allows_processes => Err(PROCESSES_ARE_OFF.to_owned()),
                Some(member) => Err(format!("{member} is not implemented yet")),
                None => Ok(definition),
            }
        });
        Template {
            definition,
            plain: OnceLock::new(),
        }
    }

    /// The definition, if jobs of it can run here.
    pub(super) fn definition(&self) -> Result<&Definition, Fault> {
        self.definition.as_ref().map_err(|reason| {
            client_exception(format!(
                "Jobs of this definition are not served by this version of Batchyard: {reason}"
            ))
        })
    }

    /// A job that adds nothing to the definition: computed once.
    pub(super) fn plain(&self) -> Result<Prepared, Fault> {
        let definition = self.definition()?;
        let prepare = || {
            if let Some(nodes) = &definition.nodes {
                return super::node::prepare(definition, nodes, None, Additions::default());
            }
            let container =
                super::substitute::substitute(definition.container.clone(), &definition.parameters)?;
            definition.prepare(container, Additions::default())
        };
        self.plain.get_or_init(prepare).clone()
    }
}

impl Definition {
    fn read(revision: &DefinitionRevision, definition: JobDefinition) -> Result<Definition, String> {
        let JobDefinition {
            consumable_resource_properties,
            container_orchestration_type: _,
            container_properties,
            ecs_properties,
            eks_properties,
            job_definition_arn: _,
            job_definition_name: _,
            node_properties,
            parameters,
            platform_capabilities,
            propagate_tags,
            retry_strategy,
            revision: _,
            scheduling_priority,
            status: _,
            tags: _,
            timeout,
            r#type: _,
        } = definition;
        if eks_properties.is_some() {
            return Err("jobs on Kubernetes are not implemented yet".to_owned());
        }
        let consumables =
            consumable_resource_properties.and_then(|properties| properties.consumable_resource_list);
        if consumables.is_some_and(|list| !list.is_empty()) {
            return Err("consumable resources are not implemented yet".to_owned());
        }
        let mut tasks = ecs_properties
            .map(|properties| properties.task_properties)
            .unwrap_or_default();
        let task = (!tasks.is_empty()).then(|| tasks.remove(0));
        let container = match (container_properties, &task) {
            _ if node_properties.is_some() => ContainerProperties::default(),
            (Some(container), _) => container,
            (None, Some(task)) => of_task(task)?,
            (None, None) => return Err("it has no container".to_owned()),
        };
        Ok(Definition {
            revision: revision.clone(),
            capability: platform_capabilities
                .and_then(|capabilities| capabilities.into_iter().next())
                .unwrap_or(PlatformCapability::Ec2),
            container,
            nodes: node_properties,
            task,
            parameters: parameters.unwrap_or_default(),
            retry_strategy,
            timeout,
            propagate_tags: propagate_tags.unwrap_or(false),
            scheduling_priority,
        })
    }

    /// The priority of a job within its share: its own, else the definition's, else 0 (section C3.6).
    pub(super) fn priority(&self, own: Option<i32>) -> u16 {
        let priority = own.or(self.scheduling_priority).unwrap_or(0);
        u16::try_from(priority).unwrap_or(0)
    }

    pub(super) fn capability(&self) -> Capability {
        match self.capability {
            PlatformCapability::Fargate => Capability::Fargate,
            PlatformCapability::ManagedInstances => Capability::ManagedInstances,
            PlatformCapability::Ec2 | PlatformCapability::Unknown(_) => Capability::Ec2,
        }
    }

    pub(super) fn is_fargate(&self) -> bool {
        self.capability == PlatformCapability::Fargate
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.revision.name.as_str()
    }

    /// What the overrides of a submission apply to.
    pub(super) fn overridable(&self) -> Kind<'_> {
        Kind {
            has_task: self.task.is_some(),
            container_name: self.container_name(),
        }
    }

    /// The name that overrides of a task's container use.
    fn container_name(&self) -> Option<&str> {
        self.task.as_ref()?.containers.first()?.name.as_deref()
    }

    /// A job of this definition with its final container.
    pub(super) fn prepare(
        &self,
        container: ContainerProperties,
        additions: Additions,
    ) -> Result<Prepared, Fault> {
        let stop_timeout = stop_timeout(self.task.as_ref());
        let needed = resources::needed(&container)?;
        if self.is_fargate() {
            check_fargate_size(needed.vcpus.0, needed.memory.0)?;
        }
        let (retry, timeout) = self.retry_and_timeout(&additions);
        let profile = Profile {
            platform: match self.capability() {
                Capability::Fargate => Platform::Fargate,
                Capability::ManagedInstances => Platform::ManagedInstances,
                Capability::Ec2 => Platform::Ec2,
            },
            resources: needed,
            retry,
            timeout,
            stop_timeout,
            share: None,
            consumables: Vec::new(),
            nodes: None,
            service: None,
        };
        let source = launch::Source {
            container: &container,
            definition: self.revision.name.as_str(),
            stream_part: self.container_name().unwrap_or("default"),
            is_fargate: self.is_fargate(),
            resources: needed,
            stop_timeout,
        };
        let launch = Arc::new(launch::spec(&source)?);
        let document = JobDocument {
            ecs_properties: self.task.as_ref().map(|task| task_detail(task, &container)),
            container: self.task.is_none().then(|| detail(container)),
            ..self.document(additions)
        };
        Ok(Prepared {
            profile,
            launch,
            nodes: None,
            document: document.write(),
        })
    }

    /// When a job is tried again, and how long an attempt may run. Given with the job they replace the definition's, and are not
    /// merged with them (section A4.10).
    pub(super) fn retry_and_timeout(&self, additions: &Additions) -> (retry::RetryStrategy, Option<Millis>) {
        let strategy = additions.retry_strategy.as_ref().or(self.retry_strategy.as_ref());
        let timeout = additions.timeout.as_ref().or(self.timeout.as_ref());
        let seconds = timeout.and_then(|timeout| timeout.attempt_duration_seconds);
        let timeout = seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map(Millis::from_seconds);
        (strategy.map(retry_rules).unwrap_or_default(), timeout)
    }

    /// What descriptions show of a job besides what it runs.
    pub(super) fn document(&self, additions: Additions) -> JobDocument {
        let Additions {
            parameters,
            retry_strategy,
            timeout,
            propagate_tags,
            depends_on,
        } = additions;
        let mut all = self.parameters.clone();
        all.extend(parameters);
        JobDocument {
            container: None,
            ecs_properties: None,
            node_properties: None,
            depends_on,
            parameters: all,
            retry_strategy: retry_strategy.or_else(|| self.retry_strategy.clone()),
            timeout: timeout.or_else(|| self.timeout.clone()),
            propagate_tags: propagate_tags.unwrap_or(self.propagate_tags),
            platform_capabilities: vec![self.capability.clone()],
            scheduling_priority: self.scheduling_priority,
        }
    }
}

/// Time between asking an attempt to stop and killing it.
pub(super) fn stop_timeout(task: Option<&EcsTaskProperties>) -> Millis {
    let seconds = task.and_then(|task| task.containers.first()?.stop_timeout);
    seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map_or(STOP_TIMEOUT, Millis::from_seconds)
}

/// The member of a container that this version cannot carry out, if there is one.
pub(super) fn unsupported(container: &ContainerProperties) -> Option<&'static str> {
    let some = |list: &Option<Vec<batchyard_wire::batch::Secret>>| {
        list.as_ref().is_some_and(|list| !list.is_empty())
    };
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

/// The one container of a task, in the form of `containerProperties`.
pub(super) fn of_task(task: &EcsTaskProperties) -> Result<ContainerProperties, String> {
    let [container] = task.containers.as_slice() else {
        return Err("tasks of several containers are not implemented yet".to_owned());
    };
    if container.firelens_configuration.is_some() {
        return Err("firelensConfiguration is not implemented yet".to_owned());
    }
    let modes = [("ipcMode", &task.ipc_mode), ("pidMode", &task.pid_mode)];
    if let Some((member, _)) = modes.iter().find(|(_, mode)| mode.is_some()) {
        return Err(format!("{member} is not implemented yet"));
    }
    let TaskContainerProperties {
        command,
        depends_on: _,
        environment,
        essential: _,
        firelens_configuration: _,
        image,
        linux_parameters,
        log_configuration,
        mount_points,
        name: _,
        privileged,
        readonly_root_filesystem,
        repository_credentials,
        resource_requirements,
        secrets,
        start_timeout: _,
        stop_timeout: _,
        ulimits,
        user,
    } = container.clone();
    Ok(ContainerProperties {
        command,
        environment,
        image: Some(image),
        linux_parameters,
        log_configuration,
        mount_points,
        privileged,
        readonly_root_filesystem,
        repository_credentials,
        resource_requirements,
        secrets,
        ulimits,
        user,
        ephemeral_storage: task.ephemeral_storage.clone(),
        execution_role_arn: task.execution_role_arn.clone(),
        job_role_arn: task.task_role_arn.clone(),
        runtime_platform: task.runtime_platform.clone(),
        volumes: task.volumes.clone(),
        ..ContainerProperties::default()
    })
}

/// From one shape to another whose members are a superset: the detail shapes repeat those of the request.
fn widened<From: Serialize, To: DeserializeOwned>(from: &From) -> To {
    let value = serde_json::to_value(from).expect("shapes have only text keys");
    serde_json::from_value(value)
        .expect("a detail shape has every member of the request's shape, of the same type")
}

pub(super) fn detail(container: ContainerProperties) -> ContainerDetail {
    ContainerDetail {
        network_interfaces: Some(Vec::new()),
        ..widened(&container)
    }
}

pub(super) fn task_detail(task: &EcsTaskProperties, container: &ContainerProperties) -> EcsPropertiesDetail {
    let mut detail: EcsTaskDetails = widened(task);
    if let Some(first) = detail
        .containers
        .as_mut()
        .and_then(|containers| containers.first_mut())
    {
        let first: &mut TaskContainerDetails = first;
        first.command.clone_from(&container.command);
        first.environment.clone_from(&container.environment);
        first
            .resource_requirements
            .clone_from(&container.resource_requirements);
    }
    EcsPropertiesDetail {
        task_properties: Some(vec![detail]),
    }
}

/// A strategy in the core's words; what it refuses was refused before.
fn retry_rules(strategy: &RetryStrategy) -> retry::RetryStrategy {
    let pattern = |text: &Option<String>| text.clone().map(retry::Pattern);
    let rules = strategy
        .evaluate_on_exit
        .iter()
        .flatten()
        .map(|rule| retry::EvaluateOnExit {
            on_status_reason: pattern(&rule.on_status_reason),
            on_reason: pattern(&rule.on_reason),
            on_exit_code: pattern(&rule.on_exit_code),
            // Actions may have any case (section B6.7).
            action: match RetryAction::from(rule.action.as_str().to_ascii_uppercase().as_str()) {
                RetryAction::Retry => retry::RetryAction::Retry,
                RetryAction::Exit | RetryAction::Unknown(_) => retry::RetryAction::Exit,
            },
        });
    let attempts = strategy
        .attempts
        .and_then(|attempts| u8::try_from(attempts).ok())
        .unwrap_or(1);
    retry::RetryStrategy {
        attempts,
        rules: rules.collect(),
    }
}
