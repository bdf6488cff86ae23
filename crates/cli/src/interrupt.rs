//! `batchyard interrupt`: takes capacity away under its jobs, as EC2 does with Spot instances.

use std::process::ExitCode;

use clap::Args;

use crate::ServerArguments;

/// What to take away.
#[derive(Args, Debug)]
pub(crate) struct InterruptArguments {
    /// An instance (i-…), or a job: then the instance that it runs on, or its own place where it runs straight on the host
    #[arg(value_name = "INSTANCE|JOB")]
    target: String,
    /// How long the jobs of the instance may still run
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(..=86_400))]
    notice: u32,
    #[command(flatten)]
    server: ServerArguments,
}

/// Has it taken away.
pub(crate) async fn run(arguments: &InterruptArguments) -> anyhow::Result<ExitCode> {
    let client = arguments.server.client()?;
    client.interrupt(&arguments.target, arguments.notice).await?;
    Ok(ExitCode::SUCCESS)
}
