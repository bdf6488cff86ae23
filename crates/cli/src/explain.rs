//! `batchyard explain`: why a job is in the state it is in.

use std::process::ExitCode;

use clap::Args;
use jiff::tz::TimeZone;

use crate::ServerArguments;
use crate::client::Explanation;
use crate::duration::now;
use crate::job::JobId;
use crate::output;

/// What to explain.
#[derive(Args, Debug)]
pub(crate) struct ExplainArguments {
    /// The job's id
    #[arg(value_name = "JOB")]
    job: String,
    /// Print the reasons with their numbers, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArguments,
}

/// Prints the server's explanation.
pub(crate) async fn run(arguments: &ExplainArguments) -> anyhow::Result<ExitCode> {
    let id = JobId::from(arguments.job.clone());
    let found = arguments.server.client()?.explain(id.as_str()).await?;
    if arguments.json {
        output::print(format_args!("{found:#}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let Explanation {
        job_id,
        status,
        explanation,
        expected_start,
    } = serde_json::from_value(found)?;
    let explanation = explanation.trim_end();
    // The server's sentences name job and state as a rule; where they do not, the reader still needs them.
    if !explanation.contains(&status) {
        output::print(format_args!("{job_id} is {status}\n"))?;
    }
    output::print(format_args!("{explanation}\n"))?;
    let expected = expected_start.map(|expected| expected.sentences(now(), &TimeZone::system()));
    if let Some(expected) = expected.filter(|expected| !expected.is_empty()) {
        output::print(format_args!("{expected}\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}
