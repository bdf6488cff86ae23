//! UpdateComputeEnvironment: what is given changes, the rest stays (section A1.24).

use batchyard_core::command::{Command, PutEnvironment};
use batchyard_core::environment::{Life, Switch};
use batchyard_core::time::Millis;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    CEState, CRAllocationStrategy, CRType, ComputeResource, ComputeResourceUpdate,
    UpdateComputeEnvironmentRequest, UpdateComputeEnvironmentResponse, UpdatePolicy,
};

use super::{EnvironmentDocument, capacity, check, flaw, managed_instances};
use crate::batch::{Batch, unavailable};
use crate::caller::Caller;
use crate::limits::JOB_EXECUTION_TIMEOUT_MINUTES;

impl Batch {
    pub(in crate::batch) async fn update_environment(
        &self,
        caller: &Caller,
        input: UpdateComputeEnvironmentRequest,
    ) -> Result<UpdateComputeEnvironmentResponse, Fault> {
        let Some(row) = self.environment(&input.compute_environment).await? else {
            // Own words (section L.1).
            return Err(client_exception(format!(
                "ComputeEnvironment {} not found.",
                input.compute_environment
            )));
        };
        if row.life == Life::Deleting || row.is_renewing {
            return Err(client_exception("Cannot update, resource is being modified"));
        }
        let mut document = EnvironmentDocument::read(&row.document);
        let before = document.compute_resources.clone();
        apply(&mut document, &input, row.instance_vcpus)?;
        let spec = capacity::spec(
            document.compute_resources.as_ref(),
            document.unmanaged_vcpus,
            document.eks_configuration.is_some(),
            &self.prices,
        )?;
        let is_infrastructure_update = before
            .zip(document.compute_resources.as_ref())
            .is_some_and(|(before, after)| replaces_instances(&before, after));
        let grace = grace(document.update_policy.as_ref());
        let put = PutEnvironment {
            name: row.name.clone(),
            switch: match input.state {
                Some(CEState::Enabled) => Switch::Enabled,
                Some(CEState::Disabled) => Switch::Disabled,
                Some(CEState::Unknown(_)) | None => row.switch,
            },
            spec,
            document: document.write(),
            tags: Vec::new(),
            is_valid: flaw::flaw(&document).is_none(),
        };
        let command = Command::UpdateEnvironment {
            put: Box::new(put),
            version: row.version,
            renewal: is_infrastructure_update.then_some(grace),
        };
        self.command(caller, command)
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(UpdateComputeEnvironmentResponse {
            compute_environment_arn: Some(self.account.environment(row.name.as_str())),
            compute_environment_name: Some(row.name.to_string()),
        })
    }
}

/// Whether a change of compute resources replaces the instances: every change but those of the scaling settings, and of the network of
/// Fargate (sections D4.1 and D4.2).
fn replaces_instances(before: &ComputeResource, after: &ComputeResource) -> bool {
    let without_scaling = |resources: &ComputeResource| ComputeResource {
        desired_vcpus: None,
        max_vcpus: 0,
        min_vcpus: None,
        scaling_policy: None,
        ..resources.clone()
    };
    let is_fargate = matches!(after.r#type, CRType::Fargate | CRType::FargateSpot);
    !is_fargate && without_scaling(before) != without_scaling(after)
}

/// How long jobs on instances that are replaced may go on (section D4.3).
fn grace(policy: Option<&UpdatePolicy>) -> Millis {
    let minutes = policy
        .and_then(|policy| policy.job_execution_timeout_minutes)
        .and_then(|minutes| u64::try_from(minutes).ok());
    match policy.and_then(|policy| policy.terminate_jobs_on_update) {
        Some(true) => Millis::default(),
        Some(false) | None => Millis::from_seconds(60 * minutes.unwrap_or(JOB_EXECUTION_TIMEOUT_MINUTES)),
    }
}

/// Changes what the request gives.
fn apply(
    document: &mut EnvironmentDocument,
    input: &UpdateComputeEnvironmentRequest,
    instance_vcpus: u32,
) -> Result<(), Fault> {
    let UpdateComputeEnvironmentRequest {
        compute_environment: _,
        compute_resources,
        context,
        ecs_settings,
        eks_configuration,
        service_role,
        state: _,
        unmanaged_vcpus,
        update_policy,
    } = input;
    let is_managed = document.compute_resources.is_some();
    if is_managed && unmanaged_vcpus.is_some() {
        return Err(client_exception(
            "unmanagedvCpus is not applicable for managed Compute Environments",
        ));
    }
    if !is_managed && compute_resources.is_some() {
        // Own words (section A1.5).
        return Err(client_exception(
            "computeResources is not applicable for unmanaged Compute Environments",
        ));
    }
    if unmanaged_vcpus.is_some_and(|count| count < 0) {
        return Err(client_exception("unmanagedvCpus must not be negative."));
    }
    replace(&mut document.context, context);
    replace(&mut document.ecs_settings, ecs_settings);
    check::same_kind_of_role(document.service_role.as_deref(), service_role.as_deref())?;
    replace(&mut document.service_role, service_role);
    replace(&mut document.unmanaged_vcpus, unmanaged_vcpus);
    if let Some(policy) = update_policy {
        if policy
            .job_execution_timeout_minutes
            .is_some_and(|minutes| !(1..=360).contains(&minutes))
        {
            // Own words (section A.1).
            return Err(client_exception(
                "jobExecutionTimeoutMinutes must be between 1 and 360.",
            ));
        }
        document.update_policy = Some(policy.clone());
    }
    match (&mut document.eks_configuration, eks_configuration) {
        (Some(present), Some(update)) => replace(&mut present.access_entry, &update.access_entry),
        (None, Some(_)) => {
            return Err(client_exception(
                "eksConfiguration is only applicable for EKS Compute Environments.",
            ));
        }
        (_, None) => {}
    }
    if let (Some(present), Some(update)) = (&mut document.compute_resources, compute_resources) {
        merge(
            present,
            update,
            document.eks_configuration.is_some(),
            instance_vcpus,
        )?;
        check::resources(present, document.eks_configuration.as_ref())?;
    }
    Ok(())
}

fn merge(
    present: &mut ComputeResource,
    update: &ComputeResourceUpdate,
    is_eks: bool,
    instance_vcpus: u32,
) -> Result<(), Fault> {
    if *update == ComputeResourceUpdate::default() {
        // Own words (section A1.25).
        return Err(client_exception(
            "At least one compute resource attribute must be provided.",
        ));
    }
    let ComputeResourceUpdate {
        allocation_strategy,
        bid_percentage,
        capacity_tags,
        desired_vcpus,
        ec2_configuration,
        ec2_key_pair,
        image_id,
        instance_role,
        instance_types,
        launch_template,
        managed_instances_provider,
        max_vcpus,
        min_vcpus,
        placement_group,
        scaling_policy,
        security_group_ids,
        subnets,
        tags,
        r#type,
        // Only says that images are to be renewed; there are none here.
        update_to_latest_image_version: _,
    } = update;
    if let Some(desired) = desired_vcpus {
        if is_eks {
            // Own words (section A1.26).
            return Err(client_exception(
                "desiredvCpus cannot be updated for EKS Compute Environments.",
            ));
        }
        if i64::from(*desired) < i64::from(instance_vcpus) || *desired < present.desired_vcpus.unwrap_or(0) {
            return Err(client_exception(
                "Manually scaling down compute environment is not supported. Disconnecting job queues from compute \
                 environment will cause it to scale-down to minvCpus",
            ));
        }
    }
    if let Some(strategy) = allocation_strategy {
        present.allocation_strategy = Some(CRAllocationStrategy::from(strategy.as_str()));
    }
    if let Some(max) = max_vcpus {
        present.max_vcpus = *max;
        // What was wished before is cut to the new maximum; only a wish in this very request can contradict it.
        present.desired_vcpus = present.desired_vcpus.map(|desired| desired.min(*max));
    }
    if let Some(min) = min_vcpus {
        present.min_vcpus = Some(*min);
        present.desired_vcpus = present.desired_vcpus.map(|desired| desired.max(*min));
    }
    if let Some(kind) = r#type {
        let managed = CRType::EcsManagedInstances;
        // Own words (section K.1).
        if (*kind == managed) != (present.r#type == managed) {
            return Err(client_exception(
                "The type of an ECS_MANAGED_INSTANCES compute environment cannot be changed.",
            ));
        }
        present.r#type = kind.clone();
    }
    if let Some(update) = managed_instances_provider {
        managed_instances::merge(&mut present.managed_instances_provider, update)?;
    }
    replace(&mut present.bid_percentage, bid_percentage);
    replace(&mut present.capacity_tags, capacity_tags);
    replace(&mut present.desired_vcpus, desired_vcpus);
    replace(&mut present.instance_role, instance_role);
    replace(&mut present.instance_types, instance_types);
    replace(&mut present.launch_template, launch_template);
    replace(&mut present.scaling_policy, scaling_policy);
    replace(&mut present.tags, tags);
    replace_or_remove(&mut present.ec2_key_pair, ec2_key_pair, String::is_empty);
    replace_or_remove(&mut present.image_id, image_id, String::is_empty);
    replace_or_remove(&mut present.placement_group, placement_group, String::is_empty);
    replace_or_remove(&mut present.ec2_configuration, ec2_configuration, Vec::is_empty);
    let is_fargate = matches!(present.r#type, CRType::Fargate | CRType::FargateSpot);
    for (place, new) in [
        (&mut present.subnets, subnets),
        (&mut present.security_group_ids, security_group_ids),
    ] {
        match new {
            // No change on Fargate, where an empty list would leave nothing to run in (section A1.24).
            Some(list) if list.is_empty() && is_fargate => {}
            _ => replace(place, new),
        }
    }
    Ok(())
}

fn replace<T: Clone>(present: &mut Option<T>, new: &Option<T>) {
    if new.is_some() {
        present.clone_from(new);
    }
}

/// An empty value takes the present one away.
fn replace_or_remove<T: Clone>(present: &mut Option<T>, new: &Option<T>, is_empty: impl Fn(&T) -> bool) {
    replace(present, new);
    if present.as_ref().is_some_and(is_empty) {
        *present = None;
    }
}
