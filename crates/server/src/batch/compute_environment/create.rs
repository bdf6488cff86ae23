//! CreateComputeEnvironment.

use batchyard_core::command::{Command, PutEnvironment};
use batchyard_core::environment::Switch;
use batchyard_wire::Fault;
use batchyard_wire::batch::{CreateComputeEnvironmentRequest, CreateComputeEnvironmentResponse};

use super::{EnvironmentDocument, capacity, check};
use crate::batch::{Batch, tags, unavailable};
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn create_environment(
        &self,
        caller: &Caller,
        input: CreateComputeEnvironmentRequest,
    ) -> Result<CreateComputeEnvironmentResponse, Fault> {
        let name = check::creation(&input, &self.account.region)?;
        let CreateComputeEnvironmentRequest {
            compute_environment_name: _,
            compute_resources,
            context,
            ecs_settings,
            eks_configuration,
            service_role,
            state: _,
            tags,
            r#type,
            unmanaged_vcpus,
        } = input;
        let put = PutEnvironment {
            name: name.clone(),
            switch: Switch::Enabled,
            spec: capacity::spec(
                compute_resources.as_ref(),
                eks_configuration.is_some(),
                &self.prices,
            )?,
            document: EnvironmentDocument {
                r#type,
                compute_resources,
                unmanaged_vcpus,
                service_role,
                eks_configuration,
                ecs_settings,
                update_policy: None,
                context,
            }
            .write(),
            tags: tags::pairs(tags),
        };
        self.command(caller, Command::CreateEnvironment(Box::new(put)))
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(CreateComputeEnvironmentResponse {
            compute_environment_arn: Some(self.account.environment(name.as_str())),
            compute_environment_name: Some(name.to_string()),
        })
    }
}
