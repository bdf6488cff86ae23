//! DeleteServiceEnvironment: of one that is DISABLED and in no queue.

use batchyard_core::command::{Command, Rejection};
use batchyard_runtime::driver::CommandError;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{DeleteServiceEnvironmentRequest, DeleteServiceEnvironmentResponse};

use super::name;
use crate::batch::{Batch, unavailable};
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn delete_service_env(
        &self,
        caller: &Caller,
        input: &DeleteServiceEnvironmentRequest,
    ) -> Result<DeleteServiceEnvironmentResponse, Fault> {
        let done = Ok(DeleteServiceEnvironmentResponse {});
        let Some(name) = name(&input.service_environment) else {
            return done;
        };
        match self.command(caller, Command::DeleteEnvironment(name)).await {
            // Deleting what is not there succeeds (section 0.13; own decision where AWS is silent).
            Ok(_) | Err(CommandError::Rejected(Rejection::EnvironmentNotFound(_))) => done,
            Err(CommandError::Rejected(Rejection::EnvironmentBusy(_))) => {
                Err(client_exception("Cannot delete, resource is being modified"))
            }
            Err(error) => Err(unavailable(&error)),
        }
    }
}
