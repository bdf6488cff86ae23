//! DeleteJobQueue.

use batchyard_core::command::{Command, Rejection};
use batchyard_core::name::QueueName;
use batchyard_runtime::driver::CommandError;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{DeleteJobQueueRequest, DeleteJobQueueResponse};

use crate::arn;
use crate::batch::{Batch, unavailable};
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn delete_queue(
        &self,
        caller: &Caller,
        input: &DeleteJobQueueRequest,
    ) -> Result<DeleteJobQueueResponse, Fault> {
        let done = Ok(DeleteJobQueueResponse {});
        let Ok(name) = QueueName::parse(arn::name("job-queue", &input.job_queue)) else {
            return done;
        };
        match self.command(caller, Command::DeleteQueue(name)).await {
            // Deleting what is not there succeeds (section 0.13; own decision where AWS is silent).
            Ok(_) | Err(CommandError::Rejected(Rejection::QueueNotFound(_))) => done,
            Err(CommandError::Rejected(Rejection::QueueBusy(_))) => {
                Err(client_exception("Cannot delete, resource is being modified"))
            }
            Err(error) => Err(unavailable(&error)),
        }
    }
}
