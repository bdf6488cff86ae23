//! TerminateServiceJob, and the same for many jobs (sections B.7, K2).

use batchyard_core::command::Command;
use batchyard_wire::Fault;
use batchyard_wire::batch::{
    TerminateServiceJobRequest, TerminateServiceJobResponse, TerminateServiceJobsErrorDetail,
    TerminateServiceJobsRequest, TerminateServiceJobsResponse,
};

use super::job_id;
use crate::batch::Batch;
use crate::batch::job::stop::Failure;
use crate::caller::Caller;

/// What stops the job that a reference names; `None` for what can be no reference.
fn stopping(reference: &str, reason: &str) -> Option<Command> {
    Some(Command::StopServiceJob {
        job: job_id(reference)?,
        reason: reason.to_owned(),
    })
}

impl Batch {
    pub(in crate::batch) async fn terminate_service(
        &self,
        caller: &Caller,
        input: TerminateServiceJobRequest,
    ) -> Result<TerminateServiceJobResponse, Fault> {
        self.stop(caller, &input.job_id, &input.reason, stopping).await?;
        Ok(TerminateServiceJobResponse {})
    }

    pub(in crate::batch) async fn terminate_many_service(
        &self,
        caller: &Caller,
        input: TerminateServiceJobsRequest,
    ) -> Result<TerminateServiceJobsResponse, Fault> {
        let (successful, failures) = self
            .stop_many(caller, input.jobs, &input.reason, stopping)
            .await?;
        let error = |Failure { job, code, message }| TerminateServiceJobsErrorDetail {
            job,
            code: code.into(),
            message,
        };
        Ok(TerminateServiceJobsResponse {
            successful,
            errors: failures.into_iter().map(error).collect(),
        })
    }
}
