//! CreateServiceEnvironment.

use batchyard_core::command::{Command, PutEnvironment};
use batchyard_core::environment::{Capacity, EnvironmentSpec, Platform, Switch};
use batchyard_core::name::EnvironmentName;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    CreateServiceEnvironmentRequest, CreateServiceEnvironmentResponse, ServiceEnvironmentState,
};

use super::{document, limits};
use crate::batch::{Batch, tags, unavailable};
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn create_service_env(
        &self,
        caller: &Caller,
        input: CreateServiceEnvironmentRequest,
    ) -> Result<CreateServiceEnvironmentResponse, Fault> {
        let CreateServiceEnvironmentRequest {
            capacity_limits,
            service_environment_name,
            service_environment_type: _,
            state,
            tags,
        } = input;
        let name = EnvironmentName::parse_service(&service_environment_name)
            .map_err(|_| client_exception("Service environment name should match a valid pattern."))?;
        let limits = limits::limits(&capacity_limits, self.limits.capacity_limits)?;
        tags::check(tags.as_ref(), &self.limits)?;
        let put = PutEnvironment {
            name: name.clone(),
            switch: match state {
                Some(ServiceEnvironmentState::Disabled) => Switch::Disabled,
                _ => Switch::Enabled,
            },
            spec: EnvironmentSpec {
                platform: Platform::Service,
                capacity: Capacity::Units { limits },
                refuses_multi_node: false,
                reservable_vcpus: None,
            },
            document: document(),
            tags: tags::pairs(tags),
            is_valid: true,
        };
        self.command(caller, Command::CreateEnvironment(Box::new(put)))
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(CreateServiceEnvironmentResponse {
            service_environment_arn: self.account.batch(&name.resource()),
            service_environment_name,
        })
    }
}
