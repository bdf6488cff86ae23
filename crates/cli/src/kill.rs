//! `batchyard kill`: ends jobs.

use std::process::ExitCode;

use batchyard_wire::batch::{CancelJobRequest, TerminateJobRequest};
use clap::Args;

use crate::ServerArguments;
use crate::client::CallError;
use crate::job::{self, JobId, NoSuchJob};
use crate::output;

/// What to end, and how.
#[derive(Args, Debug)]
pub(crate) struct KillArguments {
    /// Ids of the jobs
    #[arg(value_name = "JOB", required = true)]
    jobs: Vec<String>,
    /// Why, for those who look at the jobs later
    #[arg(long, value_name = "TEXT", default_value = "terminated by `batchyard kill`")]
    reason: String,
    /// Only end jobs that have not started: leave those that run alone
    #[arg(long)]
    cancel: bool,
    #[command(flatten)]
    server: ServerArguments,
}

/// Ends the jobs, each on its own: what fails for one is told and does not keep the others.
pub(crate) async fn run(arguments: &KillArguments) -> anyhow::Result<ExitCode> {
    let client = arguments.server.client()?;
    let reason = &arguments.reason;
    let mut code = ExitCode::SUCCESS;
    let ids: Vec<JobId> = arguments.jobs.iter().cloned().map(JobId::from).collect();
    // The API takes the end of a job that is not there for done; a person has mistyped its id.
    let found = job::describe(&client, &ids).await?;
    for id in ids {
        if !found.iter().any(|job| job.job_id == id.as_str()) {
            output::complain(NoSuchJob(id));
            code = ExitCode::FAILURE;
            continue;
        }
        let (job_id, reason) = (id.to_string(), reason.clone());
        let result = match arguments.cancel {
            true => client.call(&CancelJobRequest { job_id, reason }).await.map(drop),
            false => client
                .call(&TerminateJobRequest { job_id, reason })
                .await
                .map(drop),
        };
        match result {
            Ok(()) => {}
            Err(CallError::Refused(fault)) => {
                output::complain(format_args!("failed to end job {id}: {}", fault.message));
                code = ExitCode::FAILURE;
            }
            // Without a server the next one fails in the same way.
            Err(error) => return Err(error.into()),
        }
    }
    Ok(code)
}
