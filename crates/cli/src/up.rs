//! `batchyard up`: a server for the person at this machine, ready for a first job.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use batchyard_server::Server;
use batchyard_server::access::Access;
use batchyard_server::config::Config;
use batchyard_server::data_folder::DataFolder;
use clap::Args;

use crate::client::Client;
use crate::config::data_path;
use crate::environment::export_lines;
use crate::local_queue;
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
        local_queue::make(&Client::new(local(access.clone(), server.address()))?, DEFAULT)
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
