//! `batchyard up`: a server for the person at this machine, ready for a first job.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use batchyard_server::Server;
use batchyard_server::access::Access;
use batchyard_server::config::Config;
use batchyard_server::data_folder::DataFolder;
use batchyard_wire::batch::{
    CEState, CEType, CRType, ComputeEnvironmentOrder, ComputeResource, CreateComputeEnvironmentRequest,
    CreateJobQueueRequest, DescribeComputeEnvironmentsRequest, DescribeJobQueuesRequest, JQState,
};
use clap::Args;

use crate::client::Client;
use crate::config::data_path;
use crate::environment::export_lines;
use crate::serve::{ServeArguments, StopSignals, runtime, start_logging, stop_unless_told_again, supervisor};

/// Name of the compute environment and of the queue that are there from the start.
const DEFAULT: &str = "default";

/// What `up` is started with.
#[derive(Args, Debug)]
pub(crate) struct UpArguments {
    #[command(flatten)]
    serve: ServeArguments,
}

/// Starts a server, makes the default queue, says how to use it, and waits for Ctrl-C.
pub(crate) fn run(arguments: &UpArguments) -> anyhow::Result<ExitCode> {
    start_logging("warn");
    // Whoever starts it for themselves may run programs anyway.
    let defaults = Config {
        allow_processes: true,
        ..Config::default()
    };
    let config = arguments.serve.effective(&defaults)?;
    let path = data_path(arguments.serve.data.as_deref())?;
    let data = DataFolder::open(&path)?;
    runtime()?.block_on(async {
        let mut stop = StopSignals::listen()?;
        let server = Server::start(config.clone(), &data, supervisor()?).await?;
        let access = Access::of_folder(Some(data.path().to_owned()))?;
        make_default_queue(&Client::new(local(access.clone(), server.address()))?)
            .await
            .context("failed to make the default queue")?;
        println!("{}", welcome(&config, data.path().to_owned(), arguments.serve.data.is_some(), &access));
        stop.first().await;
        println!("\nstopping; running jobs go on and are found again at the next start. Ctrl-C again stops at once.");
        stop_unless_told_again(server, stop).await;
        Ok(ExitCode::SUCCESS)
    })
}

/// The server as this process reaches it, which need not be as others do.
fn local(access: Access, address: SocketAddr) -> Access {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    Access {
        endpoint: format!("http://{address}"),
        ..access
    }
}

async fn make_default_queue(client: &Client) -> anyhow::Result<()> {
    let environments = DescribeComputeEnvironmentsRequest {
        compute_environments: Some(vec![DEFAULT.to_owned()]),
        ..DescribeComputeEnvironmentsRequest::default()
    };
    let found = client.call(&environments).await?.compute_environments;
    if found.is_none_or(|found| found.is_empty()) {
        client.call(&default_environment()).await?;
    }
    let queues = DescribeJobQueuesRequest {
        job_queues: Some(vec![DEFAULT.to_owned()]),
        ..DescribeJobQueuesRequest::default()
    };
    let found = client.call(&queues).await?.job_queues;
    if found.is_none_or(|found| found.is_empty()) {
        client.call(&default_queue()).await?;
    }
    Ok(())
}

/// EC2, as most definitions are for it, and clients look at the kind; "optimal" places jobs on the host as it is.
fn default_environment() -> CreateComputeEnvironmentRequest {
    CreateComputeEnvironmentRequest {
        compute_environment_name: DEFAULT.to_owned(),
        r#type: CEType::Managed,
        state: Some(CEState::Enabled),
        compute_resources: Some(ComputeResource {
            r#type: CRType::Ec2,
            min_vcpus: Some(0),
            max_vcpus: 100_000,
            instance_types: Some(vec!["optimal".to_owned()]),
            instance_role: Some("ecsInstanceRole".to_owned()),
            subnets: Some(vec!["subnet-default".to_owned()]),
            security_group_ids: Some(vec!["sg-default".to_owned()]),
            ..ComputeResource::default()
        }),
        ..CreateComputeEnvironmentRequest::default()
    }
}

fn default_queue() -> CreateJobQueueRequest {
    CreateJobQueueRequest {
        job_queue_name: DEFAULT.to_owned(),
        state: Some(JQState::Enabled),
        priority: 1,
        compute_environment_order: Some(vec![ComputeEnvironmentOrder {
            order: 1,
            compute_environment: DEFAULT.to_owned(),
        }]),
        ..CreateJobQueueRequest::default()
    }
}

fn welcome(config: &Config, data: PathBuf, is_data_given: bool, access: &Access) -> String {
    let processes = match (config.allow_processes, &config.process_user) {
        (false, _) => "containers".to_owned(),
        (true, None) => "containers, and processes (image host://) as the user who started this".to_owned(),
        (true, Some(user)) => format!("containers, and processes (image host://) as {user}"),
    };
    let flag = match is_data_given {
        true => format!(" --data {}", data.display()),
        false => String::new(),
    };
    let exports: Vec<String> = export_lines(access)
        .iter()
        .map(|line| format!("  {line}"))
        .collect();
    format!(
        "batchyard {version} serves AWS Batch at {endpoint}
  data   {data}
  queue  {DEFAULT}
  jobs   {processes}

To use it from another shell: eval \"$(batchyard env{flag})\", which is
{exports}

Then for example:
  batchyard run -- echo hello
  aws batch list-jobs --job-queue {DEFAULT}

Ctrl-C stops the server.",
        version = env!("CARGO_PKG_VERSION"),
        endpoint = access.endpoint,
        data = data.display(),
        exports = exports.join("\n"),
    )
}
