//! UpdateServiceJob: another priority, for a job that has not ended.

use batchyard_core::command::{Command, Rejection};
use batchyard_runtime::driver::CommandError;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{UpdateServiceJobRequest, UpdateServiceJobResponse};

use crate::batch::{Batch, unavailable};
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn update_service(
        &self,
        caller: &Caller,
        input: UpdateServiceJobRequest,
    ) -> Result<UpdateServiceJobResponse, Fault> {
        let UpdateServiceJobRequest {
            job_id: reference,
            scheduling_priority,
        } = input;
        let priority = u16::try_from(scheduling_priority)
            .ok()
            .filter(|priority| *priority <= 9_999)
            .ok_or_else(|| client_exception("Scheduling priority must be between 0 and 9999."))?;
        let row = self.service_job(&reference).await?;
        let job = row.key.id;
        let command = Command::PrioritizeServiceJob { job, priority };
        match self.command(caller, command).await {
            Ok(_) => {}
            // Own words.
            Err(CommandError::Rejected(Rejection::JobNotLive(_))) => {
                return Err(client_exception(format!(
                    "ServiceJob {reference} has ended and cannot be updated."
                )));
            }
            Err(error) => return Err(unavailable(&error)),
        }
        Ok(UpdateServiceJobResponse {
            job_arn: Some(self.service_job_arn(job)),
            job_id: Some(job.to_string()),
            job_name: Some(row.content.name),
        })
    }
}
