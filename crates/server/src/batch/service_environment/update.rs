//! UpdateServiceEnvironment: what is given changes, limits as a whole.

use batchyard_core::command::{Command, PutEnvironment};
use batchyard_core::environment::{Capacity, EnvironmentSpec, Life, Switch};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    ServiceEnvironmentState, UpdateServiceEnvironmentRequest, UpdateServiceEnvironmentResponse,
};

use super::{limits, not_found};
use crate::batch::{Batch, unavailable};
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn update_service_env(
        &self,
        caller: &Caller,
        input: UpdateServiceEnvironmentRequest,
    ) -> Result<UpdateServiceEnvironmentResponse, Fault> {
        let UpdateServiceEnvironmentRequest {
            capacity_limits,
            service_environment: reference,
            state,
        } = input;
        let row = self.service_environment(&reference).await?;
        let row = row.ok_or_else(|| not_found(&reference))?;
        if row.life == Life::Deleting {
            return Err(client_exception("Cannot update, resource is being modified"));
        }
        let capacity = match &capacity_limits {
            Some(given) => Capacity::Units {
                limits: limits::limits(given, self.limits.capacity_limits)?,
            },
            None => row.spec.capacity.clone(),
        };
        let put = PutEnvironment {
            name: row.name.clone(),
            switch: match state {
                Some(ServiceEnvironmentState::Enabled) => Switch::Enabled,
                Some(ServiceEnvironmentState::Disabled) => Switch::Disabled,
                Some(ServiceEnvironmentState::Unknown(_)) | None => row.switch,
            },
            spec: EnvironmentSpec { capacity, ..row.spec },
            document: row.document,
            tags: Vec::new(),
            is_valid: true,
        };
        let command = Command::UpdateEnvironment {
            put: Box::new(put),
            version: row.version,
            renewal: None,
        };
        self.command(caller, command)
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(UpdateServiceEnvironmentResponse {
            service_environment_arn: self.account.batch(&row.name.resource()),
            service_environment_name: row.name.given().to_owned(),
        })
    }
}
