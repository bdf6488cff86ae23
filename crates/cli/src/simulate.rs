//! `batchyard simulate`: what the scheduler would do, without doing it.

mod input;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use batchyard_sim::mishap::Mishaps;
use batchyard_sim::report::Report;
use batchyard_sim::simulation::{self, Options, PresentOptions};
use batchyard_sim::site::{Edit, Site};
use batchyard_sim::workload::Workload;
use clap::{Args, ValueEnum};

use crate::ServerArguments;
use crate::output;

/// What to simulate, on what, and how to show it.
#[derive(Args, Debug)]
#[command(
    about = "Simulate the scheduler on a trace, a list of jobs, or the present state of a server",
    after_help = "Examples:
  batchyard simulate --swf KTH-SP2-1996-2.1-cln.swf --svg use.svg
  batchyard simulate --csv jobs.csv --site site.toml
  batchyard simulate --csv jobs.csv --vcpus 64 --memory 262144
  batchyard simulate --csv jobs.csv --site site.toml --failure-rate 0.05 --attempts 3 --interrupt-every 4
  batchyard simulate --server --set environment=main:maxvCpus=256 --host-vcpus 256

The simulation runs the server's own scheduler in virtual time, and is the same each time. docs/simulate.md says what the files look like."
)]
pub(crate) struct SimulateArguments {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    place: PlaceArguments,
    #[command(flatten)]
    swf: SwfArguments,
    /// Change something first, as often as needed: environment=NAME:maxvCpus=N, queue=NAME:priority=N,
    /// queue=NAME:backfill=on, queue=NAME:backfillDepth=N, queue=NAME:maxConcurrency=N
    #[arg(long, value_name = "CHANGE")]
    set: Vec<Edit>,
    /// With --server: seconds that a job is taken to run whose definition has neither history nor timeout [default: for ever]
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["swf", "csv"])]
    assume_run: Option<u64>,
    /// With --server: count with run times that nine of ten runs did not exceed, instead of half
    #[arg(long, conflicts_with_all = ["swf", "csv"])]
    pessimistic: bool,
    /// Seconds from the placing of a job to its start
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    start_latency: u64,
    #[command(flatten)]
    mishaps: MishapArguments,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Write a chart of the vCPUs in use to this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    data: ServerArguments,
}

/// Where the jobs come from.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Source {
    /// A trace in the Standard Workload Format
    #[arg(long, value_name = "FILE")]
    swf: Option<PathBuf>,
    /// A list of jobs as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// The queued and running jobs of a server, as long as the history of their definitions says
    #[arg(long)]
    server: bool,
}

/// What it is simulated on.
#[derive(Args, Debug)]
struct PlaceArguments {
    /// Environments, queues and prices, as TOML
    #[arg(long, value_name = "FILE", conflicts_with_all = ["server", "vcpus", "memory", "gpus"])]
    site: Option<PathBuf>,
    /// vCPUs of one host with one queue, in order of submission [default: what the trace's header says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4_000_000), conflicts_with = "server")]
    vcpus: Option<u32>,
    /// Memory of the host in MiB [default: no limit]
    #[arg(long, value_name = "MIB", conflicts_with = "server")]
    memory: Option<u64>,
    /// GPUs of the host
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=64), conflicts_with = "server")]
    gpus: u16,
    /// Start later jobs before one that waits for room where that does not delay it
    #[arg(long, conflicts_with_all = ["server", "site"])]
    backfill: bool,
    /// With --server: another number of vCPUs of the host
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4_000_000), conflicts_with_all = ["swf", "csv"])]
    host_vcpus: Option<u32>,
    /// With --server: another amount of memory of the host, in MiB
    #[arg(long, value_name = "MIB", conflicts_with_all = ["swf", "csv"])]
    host_memory: Option<u64>,
}

/// What goes wrong.
#[derive(Args, Debug)]
struct MishapArguments {
    /// How often jobs are tried that do not say so themselves
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=10), conflicts_with = "server")]
    attempts: u8,
    /// The part of attempts that fail by chance, 0 to 1
    #[arg(long, value_name = "PART", default_value = "0", value_parser = millionths)]
    failure_rate: u32,
    /// Hours after which an instance is taken away, as Spot capacity is, in the mean [default: never]
    #[arg(long, value_name = "HOURS", value_parser = hours)]
    interrupt_every: Option<u64>,
    /// What chance goes by: the same seed, the same mishaps
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// What becomes of a trace's users and queues.
#[derive(Args, Debug)]
pub(crate) struct SwfArguments {
    /// With --swf: whose shares jobs are counted for, in fair-share queues
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = ShareBy::User, conflicts_with_all = ["csv", "server"])]
    share_by: ShareBy,
    /// With --swf: which of the site's queues jobs go to: `queue7` or `partition7` [default: all to the first]
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with_all = ["csv", "server"])]
    queue_by: Option<QueueBy>,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum ShareBy {
    User,
    Group,
    Queue,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum QueueBy {
    Queue,
    Partition,
}

/// Simulates, and shows what came of it.
pub(crate) async fn run(arguments: &SimulateArguments) -> anyhow::Result<ExitCode> {
    let report = match arguments.source.server {
        true => simulate_server(arguments).await?,
        false => simulate_workload(arguments)?,
    };
    if let Some(path) = &arguments.svg {
        std::fs::write(path, report.svg()).with_context(|| format!("failed to write {}", path.display()))?;
    }
    match arguments.json {
        true => {
            let value = serde_json::to_value(&report)?;
            output::print(format_args!("{value:#}\n"))?;
        }
        false => output::print(report)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl SimulateArguments {
    fn options(&self) -> Options {
        Options {
            edits: self.set.clone(),
            start_latency_seconds: self.start_latency,
            attempts: self.mishaps.attempts,
            mishaps: Mishaps {
                seed: self.mishaps.seed,
                failures_per_million: self.mishaps.failure_rate,
                instance_life_seconds: self.mishaps.interrupt_every,
            },
        }
    }

    fn site(&self, workload: &Workload) -> anyhow::Result<Site> {
        let PlaceArguments {
            site,
            vcpus,
            memory,
            gpus,
            backfill,
            ..
        } = &self.place;
        if let Some(path) = site {
            return input::site(path);
        }
        let Some(vcpus) = vcpus.or(workload.vcpus) else {
            anyhow::bail!("it is not known what to simulate on\nhint: give --vcpus or --site");
        };
        Ok(Site::simple(vcpus, *memory, *gpus, *backfill))
    }
}

/// Millionths of a part from 0 to 1.
fn millionths(text: &str) -> Result<u32, String> {
    let part: Option<f64> = text.parse().ok().filter(|part| (0.0..=1.0).contains(part));
    let part = part.ok_or_else(|| format!("{text:?} is not a number from 0 to 1"))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between 0 and 1e6"
    )]
    Ok((part * 1e6).round() as u32)
}

/// The longest mean time between interruptions (own choice: a hundred years).
const HOURS_MAX: f64 = 876_600.0;

/// Seconds of hours, as these are written on the command line.
fn hours(text: &str) -> Result<u64, String> {
    let hours: Option<f64> = text.parse().ok();
    let hours = hours.filter(|hours| *hours >= 0.01 && *hours <= HOURS_MAX);
    let hours = hours.ok_or_else(|| format!("{text:?} is not a number of hours from 0.01 to {HOURS_MAX}"))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between 36 and 4e9"
    )]
    Ok((hours * 3_600.0).round() as u64)
}

fn simulate_workload(arguments: &SimulateArguments) -> anyhow::Result<Report> {
    let Source { swf, csv, server: _ } = &arguments.source;
    let workload = input::workload(swf.as_ref(), csv.as_ref(), &arguments.swf)?;
    let site = arguments.site(&workload)?;
    Ok(simulation::of_workload(&workload, &site, &arguments.options())?)
}

async fn simulate_server(arguments: &SimulateArguments) -> anyhow::Result<Report> {
    let client = arguments.data.client()?;
    let present = input::present(client.state().await?)?;
    let present_options = PresentOptions {
        host_vcpus: arguments.place.host_vcpus,
        host_memory_mib: arguments.place.host_memory,
        is_pessimistic: arguments.pessimistic,
        assumed_run_seconds: arguments.assume_run,
    };
    Ok(simulation::of_present(
        present,
        &present_options,
        &arguments.options(),
    )?)
}
