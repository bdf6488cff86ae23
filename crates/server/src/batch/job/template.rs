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
    ConsumableResourceProperties, ContainerProperties, JobDefinition, JobTimeout, NodeProperties,
    PlatformCapability, RetryAction, RetryStrategy,
};

use super::consumable;
use super::document::JobDocument;
use super::work::{Plan, Setting, Shown, Work};
use crate::batch::job_definition::check::Platform as Capability;
use crate::provisions::Provisions;

/// A job definition that was read, or why its jobs cannot run here.
pub(in crate::batch) struct Template {
    definition: Result<Definition, String>,
    /// What jobs without anything of their own come to; most jobs are such.
    plain: OnceLock<Result<Prepared, Fault>>,
}

/// What of a definition submissions look at.
pub(super) struct Definition {
    pub(super) revision: DefinitionRevision,
    pub(super) capability: PlatformCapability,
    /// Without content where there are nodes.
    pub(super) work: Work,
    pub(super) nodes: Option<NodeProperties>,
    pub(super) parameters: BTreeMap<String, String>,
    retry_strategy: Option<RetryStrategy>,
    timeout: Option<JobTimeout>,
    pub(super) propagate_tags: bool,
    scheduling_priority: Option<i32>,
    consumables: Option<ConsumableResourceProperties>,
    provisions: Arc<Provisions>,
}

/// What a job adds to its definition, beside its containers.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Additions {
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) retry_strategy: Option<RetryStrategy>,
    pub(super) timeout: Option<JobTimeout>,
    pub(super) propagate_tags: Option<bool>,
    pub(super) depends_on: Vec<batchyard_wire::batch::JobDependency>,
    pub(super) consumables: Option<ConsumableResourceProperties>,
}

/// A job as far as it does not depend on its name, queue and identifier.
#[derive(Clone)]
pub(super) struct Prepared {
    pub(super) profile: Profile,
    pub(super) launch: Arc<LaunchSpec>,
    pub(super) nodes: Option<Arc<NodeLaunches>>,
    pub(super) document: Document,
}

impl Prepared {
    /// Has the containers carry these labels.
    pub(super) fn label(&mut self, labels: &BTreeMap<String, String>) {
        Arc::make_mut(&mut self.launch).runner.label(labels);
        let nodes = self.nodes.as_mut().map(Arc::make_mut);
        for group in nodes.into_iter().flat_map(|nodes| &mut nodes.groups) {
            Arc::make_mut(&mut group.launch).runner.label(labels);
        }
    }
}

impl Template {
    /// Reads a definition. What this version does not run is kept as a refusal: it can be registered and described, but its
    /// jobs are refused with a reason.
    pub(in crate::batch) fn new(
        revision: &DefinitionRevision,
        definition: JobDefinition,
        provisions: &Arc<Provisions>,
    ) -> Template {
        let definition = Definition::read(revision, definition, provisions).and_then(|definition| {
            if let Some(nodes) = &definition.nodes {
                super::node::check(nodes, provisions)?;
                return Ok(definition);
            }
            definition.work.check(provisions)?;
            Ok(definition)
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
            let work = super::substitute::substitute(definition.work.clone(), &definition.parameters)?;
            definition.prepare(work, Additions::default())
        };
        self.plain.get_or_init(prepare).clone()
    }
}

impl Definition {
    fn read(
        revision: &DefinitionRevision,
        definition: JobDefinition,
        provisions: &Arc<Provisions>,
    ) -> Result<Definition, String> {
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
        let task = ecs_properties.and_then(|properties| properties.task_properties.into_iter().next());
        let pod = eks_properties.and_then(|properties| properties.pod_properties);
        let work = match (container_properties, task, pod) {
            _ if node_properties.is_some() => Work::Container(Box::<ContainerProperties>::default()),
            (Some(container), _, _) => Work::Container(Box::new(container)),
            (None, Some(task), _) => Work::Task {
                containers: super::task::containers(&task),
                task: Box::new(task),
            },
            (None, None, Some(pod)) => Work::Pod(Box::new(pod)),
            (None, None, None) => return Err("it has no container".to_owned()),
        };
        Ok(Definition {
            revision: revision.clone(),
            capability: platform_capabilities
                .and_then(|capabilities| capabilities.into_iter().next())
                .unwrap_or(PlatformCapability::Ec2),
            work,
            nodes: node_properties,
            parameters: parameters.unwrap_or_default(),
            retry_strategy,
            timeout,
            propagate_tags: propagate_tags.unwrap_or(false),
            scheduling_priority,
            consumables: consumable_resource_properties,
            provisions: Arc::clone(provisions),
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

    /// What the operator provides.
    pub(super) fn provisions(&self) -> &Provisions {
        &self.provisions
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.revision.name.as_str()
    }

    /// A job of this definition with its final containers.
    pub(super) fn prepare(&self, work: Work, additions: Additions) -> Result<Prepared, Fault> {
        let Plan {
            platform,
            resources,
            stop_timeout,
            launch,
            shown,
        } = work.plan(Setting {
            definition: self.name(),
            capability: self.capability(),
            provisions: &self.provisions,
        })?;
        let Shown { container, ecs, eks } = shown;
        let consumables = consumable::chosen(additions.consumables.clone(), self.consumables.as_ref());
        let consumables = consumable::claims(consumables.as_ref(), 1)?;
        let (retry, timeout) = self.retry_and_timeout(&additions);
        let profile = Profile {
            platform,
            resources,
            retry,
            timeout,
            stop_timeout,
            share: None,
            consumables,
            definition: None,
            nodes: None,
            service: None,
        };
        let document = self.document(additions);
        let document = JobDocument {
            container,
            ecs_properties: ecs,
            eks_properties: eks,
            // Pods have none (section A3.3).
            platform_capabilities: match platform {
                Platform::Eks => Vec::new(),
                Platform::Ec2 | Platform::Fargate | Platform::ManagedInstances | Platform::Service => {
                    document.platform_capabilities
                }
            },
            ..document
        };
        Ok(Prepared {
            profile,
            launch: Arc::new(launch),
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
            consumables: _,
        } = additions;
        let mut all = self.parameters.clone();
        all.extend(parameters);
        JobDocument {
            container: None,
            ecs_properties: None,
            eks_properties: None,
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
