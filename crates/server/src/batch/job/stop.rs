//! CancelJob, TerminateJob, and both for many jobs (sections B.7, K2).

use batchyard_core::change::StopKind;
use batchyard_core::command::Command;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    CancelJobRequest, CancelJobResponse, CancelJobsErrorDetail, CancelJobsRequest, CancelJobsResponse,
    TerminateJobRequest, TerminateJobResponse, TerminateJobsErrorDetail, TerminateJobsRequest,
    TerminateJobsResponse,
};

use crate::batch::{Batch, job_key, unavailable};
use crate::caller::Caller;
use crate::limits::{STOP_JOBS_MAX, STOP_REASON_MAX};

/// A job of a bulk call that could not be stopped.
struct Failure {
    job: String,
    code: &'static str,
    message: String,
}

impl Batch {
    pub(in crate::batch) async fn cancel(
        &self,
        caller: &Caller,
        input: CancelJobRequest,
    ) -> Result<CancelJobResponse, Fault> {
        self.stop(caller, &input.job_id, input.reason, StopKind::Cancel)
            .await?;
        Ok(CancelJobResponse {})
    }

    pub(in crate::batch) async fn terminate(
        &self,
        caller: &Caller,
        input: TerminateJobRequest,
    ) -> Result<TerminateJobResponse, Fault> {
        self.stop(caller, &input.job_id, input.reason, StopKind::Terminate)
            .await?;
        Ok(TerminateJobResponse {})
    }

    pub(in crate::batch) async fn cancel_many(
        &self,
        caller: &Caller,
        input: CancelJobsRequest,
    ) -> Result<CancelJobsResponse, Fault> {
        let (successful, failures) = self
            .stop_many(caller, input.jobs, &input.reason, StopKind::Cancel)
            .await?;
        let error = |Failure { job, code, message }| CancelJobsErrorDetail {
            job,
            code: code.into(),
            message,
        };
        Ok(CancelJobsResponse {
            successful,
            errors: failures.into_iter().map(error).collect(),
        })
    }

    pub(in crate::batch) async fn terminate_many(
        &self,
        caller: &Caller,
        input: TerminateJobsRequest,
    ) -> Result<TerminateJobsResponse, Fault> {
        let (successful, failures) = self
            .stop_many(caller, input.jobs, &input.reason, StopKind::Terminate)
            .await?;
        let error = |Failure { job, code, message }| TerminateJobsErrorDetail {
            job,
            code: code.into(),
            message,
        };
        Ok(TerminateJobsResponse {
            successful,
            errors: failures.into_iter().map(error).collect(),
        })
    }

    async fn stop(&self, caller: &Caller, job: &str, reason: String, kind: StopKind) -> Result<(), Fault> {
        if job.is_empty() {
            return Err(client_exception(
                "'jobId' is a required field (cannot be an empty string)",
            ));
        }
        check_reason(&reason)?;
        // An unknown job is no error (section A.4), and what cannot be an id names no job.
        let Some(job) = job_key(job) else { return Ok(()) };
        let command = Command::StopJob { job, kind, reason };
        self.command(caller, command)
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(())
    }

    async fn stop_many(
        &self,
        caller: &Caller,
        jobs: Vec<String>,
        reason: &str,
        kind: StopKind,
    ) -> Result<(Vec<String>, Vec<Failure>), Fault> {
        check_reason(reason)?;
        if jobs.is_empty() || jobs.len() > STOP_JOBS_MAX {
            // Own words (section K2).
            return Err(client_exception(format!(
                "jobs must have between 1 and {STOP_JOBS_MAX} entries."
            )));
        }
        let (mut successful, mut failures) = (Vec::new(), Vec::new());
        for job in jobs {
            let Some(key) = job_key(&job) else {
                failures.push(Failure {
                    message: format!("{job:?} is not a job id."),
                    job,
                    code: "ValidationException",
                });
                continue;
            };
            let command = Command::StopJob {
                job: key,
                kind,
                reason: reason.to_owned(),
            };
            match self.command(caller, command).await {
                Ok(_) => successful.push(job),
                Err(error) => {
                    let fault = unavailable(&error);
                    let code = match fault.status {
                        429 => "ThrottlingException",
                        500.. => "ServerException",
                        _ => "ClientException",
                    };
                    failures.push(Failure {
                        job,
                        code,
                        message: fault.message,
                    });
                }
            }
        }
        Ok((successful, failures))
    }
}

fn check_reason(reason: &str) -> Result<(), Fault> {
    if reason.is_empty() {
        return Err(client_exception(
            "'reason' is a required field (cannot be an empty string)",
        ));
    }
    if reason.chars().count() > STOP_REASON_MAX {
        // Own words (section A.4).
        return Err(client_exception(format!(
            "reason must have at most {STOP_REASON_MAX} characters."
        )));
    }
    Ok(())
}
