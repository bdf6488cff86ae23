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

/// A job of a bulk call that could not be stopped.
pub(in crate::batch) struct Failure {
    pub(in crate::batch) job: String,
    pub(in crate::batch) code: &'static str,
    pub(in crate::batch) message: String,
}

/// What stops the job that a reference names, for the reason given; `None` for what can be no reference.
type Stopping = fn(&str, &str) -> Option<Command>;

fn cancelling(job: &str, reason: &str) -> Option<Command> {
    Some(Command::StopJob {
        job: job_key(job)?,
        kind: StopKind::Cancel,
        reason: reason.to_owned(),
    })
}

fn terminating(job: &str, reason: &str) -> Option<Command> {
    Some(Command::StopJob {
        job: job_key(job)?,
        kind: StopKind::Terminate,
        reason: reason.to_owned(),
    })
}

impl Batch {
    pub(in crate::batch) async fn cancel(
        &self,
        caller: &Caller,
        input: CancelJobRequest,
    ) -> Result<CancelJobResponse, Fault> {
        self.stop(caller, &input.job_id, &input.reason, cancelling)
            .await?;
        Ok(CancelJobResponse {})
    }

    pub(in crate::batch) async fn terminate(
        &self,
        caller: &Caller,
        input: TerminateJobRequest,
    ) -> Result<TerminateJobResponse, Fault> {
        self.stop(caller, &input.job_id, &input.reason, terminating)
            .await?;
        Ok(TerminateJobResponse {})
    }

    pub(in crate::batch) async fn cancel_many(
        &self,
        caller: &Caller,
        input: CancelJobsRequest,
    ) -> Result<CancelJobsResponse, Fault> {
        let (successful, failures) = self
            .stop_many(caller, input.jobs, &input.reason, cancelling)
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
            .stop_many(caller, input.jobs, &input.reason, terminating)
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

    /// Stops a job as `stopping` has it, which knows the references of its kind.
    pub(in crate::batch) async fn stop(
        &self,
        caller: &Caller,
        job: &str,
        reason: &str,
        stopping: Stopping,
    ) -> Result<(), Fault> {
        if job.is_empty() {
            return Err(client_exception(
                "'jobId' is a required field (cannot be an empty string)",
            ));
        }
        check_reason(reason, self.limits.reason_characters)?;
        // An unknown job is no error (section A.4), and what cannot be an id names no job.
        let Some(command) = stopping(job, reason) else {
            return Ok(());
        };
        self.command(caller, command)
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(())
    }

    /// The same for many jobs: those that were stopped, and those that were not.
    pub(in crate::batch) async fn stop_many(
        &self,
        caller: &Caller,
        jobs: Vec<String>,
        reason: &str,
        stopping: Stopping,
    ) -> Result<(Vec<String>, Vec<Failure>), Fault> {
        check_reason(reason, self.limits.reason_characters)?;
        let most = self.limits.stop_jobs;
        if jobs.is_empty() || jobs.len() > most {
            // Own words (section K2).
            return Err(client_exception(format!(
                "jobs must have between 1 and {most} entries."
            )));
        }
        let (mut successful, mut failures) = (Vec::new(), Vec::new());
        for job in jobs {
            let Some(command) = stopping(&job, reason) else {
                failures.push(Failure {
                    message: format!("{job:?} is not a job id."),
                    job,
                    code: "ValidationException",
                });
                continue;
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

fn check_reason(reason: &str, most: usize) -> Result<(), Fault> {
    if reason.is_empty() {
        return Err(client_exception(
            "'reason' is a required field (cannot be an empty string)",
        ));
    }
    if reason.chars().count() > most {
        // Own words (section A.4).
        return Err(client_exception(format!(
            "reason must have at most {most} characters."
        )));
    }
    Ok(())
}
