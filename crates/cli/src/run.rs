//! `batchyard run`: a command as a job, as if it ran here: its output on standard output, its exit code as ours.
//!
//! Where to start reading: [`run`], then `request` (what is submitted) and `definition` (the job definition behind it).

mod definition;
mod request;

use std::pin::pin;
use std::process::ExitCode;

use anyhow::Context as _;
use batchyard_wire::batch::{JobDetail, JobStatus, TerminateJobRequest};

use crate::client::Client;
use crate::follow::{self, LineStyle};
use crate::job::{self, End, JobId};
use crate::output;
use crate::serve::StopSignals;

pub(crate) use request::RunArguments;

/// Exit code of a program that SIGINT ended.
const INTERRUPTED: u8 = 130;

/// Submits the command as a job and, unless told not to, stays with it until it has ended.
pub(crate) async fn run(arguments: &RunArguments) -> anyhow::Result<ExitCode> {
    let client = arguments.server().client()?;
    let image = arguments.image()?;
    let definition = definition::find_or_register(&client, &image)
        .await
        .context("failed to register a job definition")?;
    let request = arguments.request(definition);
    let submitted = client
        .call(&request)
        .await
        .with_context(|| format!("failed to submit to the queue {}", request.job_queue))?;
    let id = JobId::from(submitted.job_id);
    if arguments.is_detached() {
        output::print(format_args!("{id}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::note(format_args!("job {id}"));
    let mut stop = StopSignals::listen()?;
    let mut followed = pin!(follow::follow(&client, &id, LineStyle::default()));
    let mut is_interrupted = false;
    loop {
        tokio::select! {
            job = &mut followed => return Ok(exit_code(&job?)),
            () = stop.first() => {
                if is_interrupted {
                    output::note(format_args!("leaving job {id} to itself"));
                    return Ok(ExitCode::from(INTERRUPTED));
                }
                is_interrupted = true;
                output::note(format_args!("terminating job {id}; Ctrl-C again leaves it to itself"));
                terminate(&client, &id).await?;
            }
        }
    }
}

async fn terminate(client: &Client, id: &JobId) -> anyhow::Result<()> {
    let request = TerminateJobRequest {
        job_id: id.to_string(),
        reason: "interrupted at `batchyard run`".to_owned(),
    };
    client
        .call(&request)
        .await
        .with_context(|| format!("failed to terminate job {id}"))?;
    Ok(())
}

/// The exit code that stands for the job's end. What the job cannot have told itself is told here.
fn exit_code(job: &JobDetail) -> ExitCode {
    let is_array = job
        .array_properties
        .as_ref()
        .is_some_and(|array| array.size.is_some());
    if is_array {
        return array_exit_code(job);
    }
    match job::end(job) {
        Some(End::Succeeded) => ExitCode::SUCCESS,
        Some(End::Exited { code, reason }) => {
            if let Some(reason) = reason {
                output::complain(format_args!("job {} failed: {reason}", job.job_id));
            }
            ExitCode::from(code)
        }
        Some(End::Failed(reason)) => {
            output::complain(format_args!("job {} failed: {reason}", job.job_id));
            ExitCode::FAILURE
        }
        None => unreachable!("jobs are followed to their end"),
    }
}

fn array_exit_code(job: &JobDetail) -> ExitCode {
    if job.status == JobStatus::Succeeded {
        return ExitCode::SUCCESS;
    }
    let array = job.array_properties.as_ref();
    let failed = array.and_then(|array| array.status_summary.as_ref()?.get("FAILED").copied());
    let size = array.and_then(|array| array.size).unwrap_or_default();
    let id = &job.job_id;
    match failed.filter(|failed| *failed > 0) {
        Some(failed) => output::complain(format_args!(
            "{failed} of the {size} jobs of array {id} failed\nhint: `batchyard explain {id}:INDEX` says why"
        )),
        None => output::complain(format_args!(
            "array {id} failed: {}",
            job::reason(job).unwrap_or_default()
        )),
    }
    ExitCode::FAILURE
}
