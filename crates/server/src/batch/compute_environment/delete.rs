//! DeleteComputeEnvironment.

use batchyard_core::command::{Command, Rejection};
use batchyard_core::name::EnvironmentName;
use batchyard_runtime::driver::CommandError;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{DeleteComputeEnvironmentRequest, DeleteComputeEnvironmentResponse};

use crate::arn;
use crate::batch::{Batch, unavailable};
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn delete_environment(
        &self,
        caller: &Caller,
        input: &DeleteComputeEnvironmentRequest,
    ) -> Result<DeleteComputeEnvironmentResponse, Fault> {
        let done = Ok(DeleteComputeEnvironmentResponse {});
        let Ok(name) = EnvironmentName::parse(arn::name("compute-environment", &input.compute_environment))
        else {
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
