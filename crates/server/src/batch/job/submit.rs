//! SubmitJob (section A.4).

use std::collections::BTreeMap;
use std::sync::Arc;

use batchyard_core::change::JobContent;
use batchyard_core::command::{Command, DependsOn, Rejection, Reply, SubmitJob};
use batchyard_core::environment::Platform;
use batchyard_core::id::{JobId, JobKey};
use batchyard_core::job::ShareClaim;
use batchyard_core::token::ClientToken;
use batchyard_runtime::driver::CommandError;
use batchyard_runtime::store::{Store, StoreError};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{ArrayJobDependency, JobDependency, SubmitJobRequest, SubmitJobResponse};

use super::early_failure::{early_failure, impossible_role};
use super::overrides::Overrides;
use super::template::{Additions, Prepared};
use super::{node, overrides, substitute};
use crate::batch::job_definition::check::{
    check_node_count, check_retry_strategy, check_timeout, consumable,
};
use crate::batch::job_definition::{Known, Reference};
use crate::batch::scheduling_policy::{bad_share_identifier, is_share_identifier};
use crate::batch::too_many_requests;
use crate::batch::{Batch, tags, unavailable, wrapped};
use crate::caller::Caller;
use crate::config::LimitsConfig;

/// How often a submission is tried whose dependency ended between being looked up and being submitted. Each try sees
/// later state, so a second one is rare and a third practically never.
const TRIES_MAX: usize = 5;

impl Batch {
    pub(in crate::batch) async fn submit(
        &self,
        caller: &Caller,
        input: SubmitJobRequest,
    ) -> Result<SubmitJobResponse, Fault> {
        if let Some(submissions) = &self.submissions
            && submissions.check().is_err()
        {
            return Err(too_many_requests());
        }
        check(caller, &input, &self.limits)?;
        // First of all: what the job was made from may be gone by now.
        if let Some(job) = self.submitted_before(caller.client_token.as_ref()).await? {
            return Ok(self.submitted(job, input.job_name));
        }
        let Some(reference) = Reference::parse(&input.job_definition) else {
            let name = &input.job_definition;
            return Err(wrapped(
                &format!("Provided name {name} is not supported pattern[a-zA-Z_0-9-]{{1,128}}"),
                caller,
            ));
        };
        let Some(known) = self.known_definition(&reference).await? else {
            // Own words (section L.1).
            return Err(client_exception(format!(
                "JobDefinition {} not found.",
                input.job_definition
            )));
        };
        let queue = crate::arn::name("job-queue", &input.job_queue);
        let queue = batchyard_core::name::QueueName::parse(queue)
            .map_err(|_| client_exception(format!("JobQueue {} not found.", input.job_queue)))?;
        let job_name = input.job_name.clone();
        let array_size = array_size(&input)?;
        let depends_on = input.depends_on.clone().unwrap_or_default();
        let (dependencies, is_sequential) = dependencies(&depends_on)?;
        let tags = tags::pairs(input.tags.clone());
        let (share, priority) = (input.share_identifier.clone(), input.scheduling_priority_override);
        let propagated = self.propagated_tags(known.template.definition()?, &input).await?;
        let failure = early_failure(caller, &input, &propagated, &self.limits);
        let mut prepared = prepare(&known, input)?;
        let failure = failure.or_else(|| impossible_role(&prepared));
        if !propagated.is_empty() {
            prepared.label(&propagated);
        }
        let Prepared {
            mut profile,
            launch,
            nodes,
            document,
        } = prepared;
        if nodes.is_some() && array_size.is_some() {
            // Own words.
            return Err(client_exception(
                "A multi-node parallel job cannot be an array job.",
            ));
        }
        // A priority without a share belongs to none, but its queue is to say so.
        if share.is_some() || priority.is_some() {
            let definition = known.template.definition()?;
            profile.share = Some(ShareClaim {
                identifier: share.unwrap_or_default().into(),
                priority: definition.priority(priority),
            });
        }
        let id = JobId::new(self.now(), random());
        let mut submit = SubmitJob {
            id,
            queue,
            profile: Arc::new(profile),
            array_size,
            is_sequential,
            dependencies: Vec::new(),
            content: JobContent {
                name: job_name.clone(),
                definition: known.revision.name.clone(),
                revision: known.revision.revision,
                launch,
                nodes,
                document,
                tags,
            },
            token: caller.client_token.clone(),
            failure,
        };
        let mut tries = 0;
        loop {
            tries += 1;
            submit.dependencies = self.looked_up(&dependencies).await?;
            let has_dependencies = !submit.dependencies.is_empty();
            let result = self
                .command(caller, Command::SubmitJob(Box::new(submit.clone())))
                .await;
            match result {
                // Another one if the same submission got in before this one.
                Ok(Reply::Job(id)) => return Ok(self.submitted(id, job_name)),
                Ok(_) => unreachable!("a submission is answered with a job"),
                // It may have ended since it was looked up; then the store knows by now.
                Err(CommandError::Rejected(Rejection::DependencyNotFound(_)))
                    if has_dependencies && tries < TRIES_MAX => {}
                Err(error) => return Err(refusal(&error, submit.profile.platform)),
            }
        }
    }

    fn submitted(&self, id: JobId, job_name: String) -> SubmitJobResponse {
        SubmitJobResponse {
            job_arn: Some(self.account.job(JobKey::whole(id))),
            job_id: id.to_string(),
            job_name,
        }
    }

    /// The job that this very request made before, where a client token says that it is the same.
    pub(in crate::batch) async fn submitted_before(
        &self,
        token: Option<&ClientToken>,
    ) -> Result<Option<JobId>, Fault> {
        let Some(ClientToken {
            token,
            digest,
            life: _,
        }) = token.cloned()
        else {
            return Ok(None);
        };
        let now = self.now();
        let kept = self.read(move |store| store.client_token(&token)).await?;
        match kept.filter(|kept| now < kept.expires_at()) {
            None => Ok(None),
            Some(kept) if kept.token.digest == digest => Ok(Some(kept.job)),
            Some(kept) => Err(crate::batch::refusal::text(&Rejection::TokenUsed(kept.job))),
        }
    }

    /// The dependencies, each with how it ended if it has.
    async fn looked_up(&self, dependencies: &[(JobKey, bool)]) -> Result<Vec<DependsOn>, Fault> {
        if dependencies.is_empty() {
            return Ok(Vec::new());
        }
        let asked = dependencies.to_vec();
        self.read(move |store| {
            let depends_on = |(on, is_pairing)| {
                let ended = match store.ended(on)? {
                    Some(ended) if !is_service_job(store, on)? => Some(ended),
                    Some(_) | None => None,
                };
                Ok(DependsOn {
                    on,
                    is_pairing,
                    ended,
                })
            };
            asked.into_iter().map(depends_on).collect()
        })
        .await
    }
}

/// Whether it is a job of another kind, which others cannot wait for.
fn is_service_job(store: &dyn Store, key: JobKey) -> Result<bool, StoreError> {
    let rows = store.jobs(&[key])?;
    Ok(rows.iter().any(|row| row.profile.service.is_some()))
}

/// What the request alone shows to be wrong.
fn check(caller: &Caller, input: &SubmitJobRequest, limits: &LimitsConfig) -> Result<(), Fault> {
    let bytes_max = limits.submit_job_bytes;
    if caller.body_bytes > bytes_max {
        // Own words (section A4.11).
        return Err(client_exception(format!(
            "A job can have at most {bytes_max} bytes."
        )));
    }
    if !is_job_name(&input.job_name) {
        return Err(wrapped("Job name should match valid pattern", caller));
    }
    if let Some(share) = &input.share_identifier
        && !is_share_identifier(share)
    {
        return Err(bad_share_identifier());
    }
    if input
        .scheduling_priority_override
        .is_some_and(|priority| !(0..=9_999).contains(&priority))
    {
        return Err(client_exception(
            "Scheduling priority must be between 0 and 9999.",
        ));
    }
    // Own words from here.
    if let Some(strategy) = &input.retry_strategy {
        check_retry_strategy(strategy, limits)?;
    }
    if let Some(timeout) = &input.timeout {
        check_timeout(timeout)?;
    }
    let nodes = input.node_overrides.as_ref();
    if let Some(count) = nodes.and_then(|nodes| nodes.num_nodes) {
        check_node_count(count, limits)?;
    }
    let of_ranges = nodes.and_then(|nodes| nodes.node_property_overrides.as_deref());
    let of_ranges = of_ranges.unwrap_or_default().iter();
    let consumables = of_ranges.filter_map(|range| range.consumable_resource_properties_override.as_ref());
    consumables
        .chain(&input.consumable_resource_properties_override)
        .try_for_each(|properties| consumable(properties, limits))?;
    tags::check(input.tags.as_ref(), limits)
}

/// The pattern of section 0.17.
pub(in crate::batch) fn is_job_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=128).contains(&name.len())
        && name.bytes().all(is_inner)
        && name
            .bytes()
            .next()
            .is_some_and(|first| first.is_ascii_alphanumeric())
}

/// The size of an array; whether it is allowed the core says, which knows the limit.
fn array_size(input: &SubmitJobRequest) -> Result<Option<u32>, Fault> {
    let Some(size) = input
        .array_properties
        .as_ref()
        .and_then(|properties| properties.size)
    else {
        return Ok(None);
    };
    let size = u32::try_from(size).map_err(|_| client_exception("Array job size must not be negative."))?;
    Ok(Some(size))
}

/// Jobs to wait for, each with whether it is by pairs; and whether children wait for one another.
fn dependencies(depends_on: &[JobDependency]) -> Result<(Vec<(JobKey, bool)>, bool), Fault> {
    let (mut on, mut is_sequential) = (Vec::new(), false);
    for JobDependency { job_id, r#type } in depends_on {
        let is_pairing = *r#type == Some(ArrayJobDependency::NToN);
        match job_id.as_deref().filter(|id| !id.is_empty()) {
            Some(id) => {
                // Own words (section L.1).
                let key = crate::arn::name("job", id)
                    .parse()
                    .map_err(|_| client_exception(format!("Job {id} in dependsOn not found.")))?;
                on.push((key, is_pairing));
            }
            None if *r#type == Some(ArrayJobDependency::Sequential) => {}
            None => {
                return Err(client_exception(
                    "dependsOn entries need a jobId unless their type is SEQUENTIAL.",
                ));
            }
        }
        is_sequential |= *r#type == Some(ArrayJobDependency::Sequential);
    }
    Ok((on, is_sequential))
}

/// The job as its definition and its own additions make it.
fn prepare(known: &Known, input: SubmitJobRequest) -> Result<Prepared, Fault> {
    let definition = known.template.definition()?;
    let additions = Additions {
        parameters: input.parameters.unwrap_or_default(),
        retry_strategy: input.retry_strategy,
        timeout: input.timeout,
        propagate_tags: input.propagate_tags,
        depends_on: input.depends_on.unwrap_or_default(),
        consumables: input.consumable_resource_properties_override,
    };
    // Own words.
    if let Some(nodes) = &definition.nodes {
        if input.eks_properties_override.is_some() {
            return Err(client_exception(
                "eksPropertiesOverride is only applicable for definitions with eksProperties.",
            ));
        }
        if input.container_overrides.is_some() || input.ecs_properties_override.is_some() {
            return Err(client_exception(
                "containerOverrides and ecsPropertiesOverride are not applicable for multi-node parallel jobs; use nodeOverrides.",
            ));
        }
        if input.node_overrides.is_none() && additions == Additions::default() {
            return known.template.plain();
        }
        if additions.consumables.is_some() {
            return Err(client_exception(
                "consumableResourcePropertiesOverride is not applicable for multi-node parallel jobs; use nodeOverrides.",
            ));
        }
        return node::prepare(definition, nodes, input.node_overrides, additions);
    }
    if input.node_overrides.is_some() {
        return Err(client_exception(
            "nodeOverrides is only applicable for multi-node parallel jobs.",
        ));
    }
    let overrides = Overrides {
        container: input.container_overrides,
        ecs: input.ecs_properties_override,
        eks: input.eks_properties_override,
    };
    let overridden = overrides::of_request(&definition.work, definition.capability(), overrides)?;
    if overridden.is_none() && additions == Additions::default() {
        return known.template.plain();
    }
    let work = overridden.unwrap_or_else(|| definition.work.clone());
    let mut parameters: BTreeMap<String, String> = definition.parameters.clone();
    parameters.extend(additions.parameters.clone());
    definition.prepare(substitute::substitute(work, &parameters)?, additions)
}

fn refusal(error: &CommandError, platform: Platform) -> Fault {
    match error {
        CommandError::Rejected(Rejection::PlatformMismatch(_)) => {
            let capability = match platform {
                Platform::Fargate => "FARGATE",
                Platform::ManagedInstances => "MANAGED_INSTANCES",
                Platform::Ec2 | Platform::Service => "EC2",
                // Own word: the live service's is not known.
                Platform::Eks => "EKS",
            };
            client_exception(format!(
                "Job Queue is attached to Compute Environment that can not run Jobs with capability {capability}"
            ))
        }
        error => unavailable(error),
    }
}

/// Random bits for an identifier.
pub(in crate::batch) fn random() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    u128::from_ne_bytes(bytes)
}
