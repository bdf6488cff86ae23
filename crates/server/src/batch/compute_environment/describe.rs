//! DescribeComputeEnvironments.

use batchyard_core::environment::{Capacity, Life, Switch};
use batchyard_core::name::{EnvironmentKind, EnvironmentName};
use batchyard_runtime::store::{EnvironmentRow, Page, Select};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    CEState, CEStatus, ComputeEnvironmentDetail, ComputeResource, DescribeComputeEnvironmentsRequest,
    DescribeComputeEnvironmentsResponse, OrchestrationType, UpdatePolicy,
};

use super::check::SERVICE_LINKED_ROLE;
use super::{EnvironmentDocument, flaw};
use crate::arn;
use crate::batch::{Batch, page, tags};

impl Batch {
    pub(in crate::batch) async fn describe_environments(
        &self,
        input: DescribeComputeEnvironmentsRequest,
    ) -> Result<DescribeComputeEnvironmentsResponse, Fault> {
        let most = self.limits.page_items;
        let limit = page::limit(input.max_results, most)?;
        let names = input.compute_environments.unwrap_or_default();
        // Own words (section A.1: up to 100 names).
        if names.len() > most {
            return Err(client_exception(format!(
                "computeEnvironments can have at most {most} entries."
            )));
        }
        let select = if names.is_empty() {
            let after = page::cursor(input.next_token.as_deref())?;
            let after = after.map(|name| EnvironmentName::parse(&name)).transpose();
            Select::Page {
                after: after.map_err(|_| client_exception("nextToken is not valid."))?,
                limit,
            }
        } else {
            // Unknown names, and what cannot be a name, are left out without a word (section A1.21).
            let parse = |name: &String| EnvironmentName::parse(arn::name("compute-environment", name)).ok();
            Select::Named(names.iter().filter_map(parse).collect())
        };
        let Page { rows, next } = self
            .read(move |store| store.environments(EnvironmentKind::Compute, &select))
            .await?;
        Ok(DescribeComputeEnvironmentsResponse {
            compute_environments: Some(rows.into_iter().map(|row| self.environment_detail(row)).collect()),
            next_token: next.map(|name| page::token(name.as_str())),
        })
    }

    fn environment_detail(&self, row: EnvironmentRow) -> ComputeEnvironmentDetail {
        let EnvironmentRow {
            id,
            name,
            version: _,
            switch,
            life,
            spec,
            instance_vcpus,
            is_renewing,
            document,
            tags,
        } = row;
        let document = EnvironmentDocument::read(&document);
        let is_eks = document.eks_configuration.is_some();
        let flaw = flaw::flaw(&document).filter(|_| life == Life::Invalid);
        let compute_resources = document.compute_resources.map(|resources| {
            let has_instances = matches!(spec.capacity, Capacity::Instances(_));
            with_defaults(resources, has_instances.then_some(instance_vcpus))
        });
        ComputeEnvironmentDetail {
            compute_environment_arn: self.account.environment(name.as_str()),
            compute_environment_name: name.to_string(),
            ecs_cluster_arn: (!is_eks).then(|| self.account.cluster(name.as_str(), id)),
            compute_resources,
            container_orchestration_type: Some(if is_eks {
                OrchestrationType::Eks
            } else {
                OrchestrationType::Ecs
            }),
            context: document.context,
            ecs_settings: document.ecs_settings,
            eks_configuration: document.eks_configuration,
            service_role: Some(document.service_role.unwrap_or_else(|| self.service_role())),
            state: Some(match switch {
                Switch::Enabled => CEState::Enabled,
                Switch::Disabled => CEState::Disabled,
            }),
            status: Some(match life {
                Life::Valid | Life::Invalid if is_renewing => CEStatus::Updating,
                Life::Valid => CEStatus::Valid,
                Life::Invalid => CEStatus::Invalid,
                Life::Deleting => CEStatus::Deleting,
            }),
            status_reason: Some(flaw.unwrap_or_else(|| "ComputeEnvironment Healthy".to_owned())),
            tags: Some(tags::map(tags)),
            r#type: Some(document.r#type),
            unmanaged_vcpus: document.unmanaged_vcpus,
            update_policy: Some(document.update_policy.unwrap_or(UpdatePolicy {
                job_execution_timeout_minutes: Some(30),
                terminate_jobs_on_update: Some(false),
            })),
            uuid: Some(self.account.environment_uuid(id)),
        }
    }

    /// The role that AWS Batch makes for itself where none is given (section A1.7).
    fn service_role(&self) -> String {
        let account = &self.account;
        format!(
            "arn:{}:iam::{}:role/aws-service-role/batch.amazonaws.com/{SERVICE_LINKED_ROLE}",
            account.partition, account.id
        )
    }
}

/// The request's resources as they are echoed: with the present vCPUs, and the defaults of EC2 (sections A1.9, A1.20).
fn with_defaults(mut resources: ComputeResource, instance_vcpus: Option<u32>) -> ComputeResource {
    let is_ec2 = resources.instance_types.is_some();
    if !is_ec2 {
        return resources;
    }
    let min = resources.min_vcpus.unwrap_or(0);
    resources.min_vcpus = Some(min);
    let now = instance_vcpus.and_then(|count| i32::try_from(count).ok());
    resources.desired_vcpus = Some(now.unwrap_or_else(|| resources.desired_vcpus.unwrap_or(min)));
    resources
}
