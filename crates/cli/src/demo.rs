//! `batchyard demo`: everything at work in a few seconds. Starts a server of its own, prices an option on it by Monte Carlo as
//! an array job and a job that joins the results, and compares the price with the closed form.
//!
//! Does nothing that any client could not do: all it asks of the server goes through the signed HTTP API.
//!
//! Where to start reading: [`run`]; `workload` is what is computed.

mod black_scholes;
mod progress;
mod report;
mod server;
mod workload;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use batchyard_wire::batch::{JobDetail, TerminateJobRequest};
use clap::Args;
use tempfile::TempDir;

use crate::client::Client;
use crate::job::{self, JobId};
use crate::output::{self, HEADING};
use crate::serve::StopSignals;
use crate::terminal;

use progress::{Counts, Progress};
use server::DemoServer;
use workload::{CALL, CHILDREN, QUEUE, Submitted};

/// Exit code of a program that SIGINT ended.
const INTERRUPTED: u8 = 130;

/// Between looks at the jobs.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// How long jobs may take to end after an interruption (own choice).
const END_MAX: Duration = Duration::from_secs(10);

/// How to run the demo.
#[derive(Args, Debug)]
pub(crate) struct DemoArguments {
    /// Leave the server running until Ctrl-C, to look at the jobs with other commands
    #[arg(long)]
    keep: bool,
}

/// Runs the demo. Whatever happens, neither server nor files are left behind.
pub(crate) async fn run(arguments: &DemoArguments) -> anyhow::Result<ExitCode> {
    let mut stop = StopSignals::listen()?;
    let folder = TempDir::with_prefix("batchyard-demo-").context("failed to make a temporary folder")?;
    let server = tokio::select! {
        server = DemoServer::start(folder.path()) => server?,
        () = stop.first() => return Ok(ExitCode::from(INTERRUPTED)),
    };
    let result = on_server(arguments, &server, &folder, &mut stop).await;
    let stopped = server.stop().await;
    let removed = folder.close().context("failed to remove the temporary folder");
    let code = result?;
    stopped?;
    removed?;
    Ok(code)
}

async fn on_server(
    arguments: &DemoArguments,
    server: &DemoServer,
    folder: &TempDir,
    stop: &mut StopSignals,
) -> anyhow::Result<ExitCode> {
    let client = Client::new(server.access().clone())?;
    output::print(introduction(&client))?;
    let submitted = workload::submit(&client, folder.path()).await?;
    let result = tokio::select! {
        result = finish(&client, &submitted) => result,
        () = stop.first() => {
            output::note("interrupted; ending the jobs");
            end(&client, &submitted).await?;
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    let is_good = match result {
        Ok(is_good) => is_good,
        Err(error) => {
            // The first error is the one to tell.
            let _ = end(&client, &submitted).await;
            return Err(error);
        }
    };
    if arguments.keep {
        output::print(further(&client, folder, &submitted))?;
        stop.first().await;
    } else {
        output::print(
            "\n`batchyard demo --keep` leaves the server running to look further, `batchyard up` starts one for your own jobs.\n",
        )?;
    }
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn introduction(client: &Client) -> String {
    let endpoint = &client.access().endpoint;
    format!(
        "A Batchyard server listens on {HEADING}{endpoint}{HEADING:#}, queue `{QUEUE}`.\n\
         It prices a European call (spot {}, strike {}, {} year, rate {}, volatility {}) by Monte Carlo:\n\
         an array of {CHILDREN} jobs that simulate, then a job that joins their results.\n\n",
        CALL.spot, CALL.strike, CALL.years, CALL.rate, CALL.volatility,
    )
}

/// Watches the jobs to their end and reports. Whether all is as it should be.
async fn finish(client: &Client, submitted: &Submitted) -> anyhow::Result<bool> {
    let Submitted { simulation, join } = submitted;
    watch(client, submitted).await?;
    let mut ids: Vec<JobId> = (0..CHILDREN).map(|index| simulation.child(index)).collect();
    ids.push(join.clone());
    let jobs = job::describe(client, &ids).await?;
    output::print(format_args!(
        "\n{}\n",
        report::jobs(&jobs).render(terminal::width())
    ))?;
    let failures = report::failures(&jobs);
    if !failures.is_empty() {
        for failure in failures {
            output::complain(failure);
        }
        return Ok(false);
    }
    let join = jobs.iter().find(|job| job.job_id == join.as_str());
    let estimate = workload::estimate(client, join.context("the job that joins is gone")?).await?;
    output::print(report::comparison(&estimate))?;
    Ok(report::is_right(&estimate))
}

async fn watch(client: &Client, submitted: &Submitted) -> anyhow::Result<()> {
    let mut progress = Progress::new();
    loop {
        let jobs = look(client, submitted).await?;
        let has_ended = jobs.iter().all(|job| job::is_terminal(&job.status));
        progress.show(Counts::of(&jobs), has_ended)?;
        if has_ended {
            return Ok(());
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// The array job and the one that joins.
async fn look(client: &Client, submitted: &Submitted) -> anyhow::Result<Vec<JobDetail>> {
    let Submitted { simulation, join } = submitted;
    let jobs = job::describe(client, &[simulation.clone(), join.clone()]).await?;
    match jobs.len() {
        2 => Ok(jobs),
        _ => bail!("the server lost a job"),
    }
}

/// Ends the jobs, and waits until they have ended: jobs outlive servers.
async fn end(client: &Client, submitted: &Submitted) -> anyhow::Result<()> {
    let Submitted { simulation, join } = submitted;
    let ending = async {
        for id in [join, simulation] {
            let request = TerminateJobRequest {
                job_id: id.to_string(),
                reason: "the demo was interrupted".to_owned(),
            };
            client.call(&request).await?;
        }
        while !look(client, submitted)
            .await?
            .iter()
            .all(|job| job::is_terminal(&job.status))
        {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(END_MAX, ending)
        .await
        .context("the jobs do not end")?
}

fn further(client: &Client, folder: &TempDir, submitted: &Submitted) -> String {
    let Submitted { simulation, join } = submitted;
    let data = folder.path().join("data");
    let data = data.display();
    let endpoint = &client.access().endpoint;
    format!(
        "
The server stays at {HEADING}{endpoint}{HEADING:#} until Ctrl-C. To look further, in another shell:
  export BATCHYARD_DATA={data}
  batchyard ps --all
  batchyard logs {simulation}:0
  batchyard logs {join}
  batchyard explain {join}
  eval \"$(batchyard env)\" && aws batch describe-jobs --jobs {simulation}
"
    )
}
