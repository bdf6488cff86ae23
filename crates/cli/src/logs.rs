//! `batchyard logs`: what a job wrote.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use crate::ServerArguments;
use crate::follow::{self, LineStyle};
use crate::job::{self, JobId};

/// Whose output to show, and how.
#[derive(Args, Debug)]
pub(crate) struct LogsArguments {
    /// The job's id; for one child of an array job the array's id with `:` and the child's index
    #[arg(value_name = "JOB")]
    job: String,
    /// Go on until the job has ended, through all its attempts
    #[arg(long, short, conflicts_with = "attempt")]
    follow: bool,
    /// Show this attempt, the first being 1 [default: the latest]
    #[arg(long, value_name = "N")]
    attempt: Option<usize>,
    /// Begin each line with its time
    #[arg(long, short)]
    timestamps: bool,
    #[command(flatten)]
    server: ServerArguments,
}

/// Shows what the job wrote.
pub(crate) async fn run(arguments: &LogsArguments) -> anyhow::Result<ExitCode> {
    let client = arguments.server.client()?;
    let id = JobId::from(arguments.job.clone());
    let style = LineStyle {
        has_timestamps: arguments.timestamps,
    };
    let mut job = job::describe_one(&client, &id).await?;
    let mut id = id;
    // What a job of several nodes writes as a whole is what its main node writes.
    if let Some(nodes) = &job.node_properties {
        id = id.node(nodes.main_node);
        job = job::describe_one(&client, &id).await?;
    }
    if arguments.follow {
        follow::follow(&client, &id, style).await?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(size) = job.array_properties.as_ref().and_then(|array| array.size) {
        bail!(
            "job {id} is an array of {size} jobs\n\
             hint: `batchyard logs {id}:0` shows the first one, `batchyard logs --follow {id}` all of them"
        );
    }
    follow::show_attempt(&client, &job, arguments.attempt, style).await?;
    Ok(ExitCode::SUCCESS)
}
