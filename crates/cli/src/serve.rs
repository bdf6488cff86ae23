//! `batchyard serve`: the server as a service, and what `up` shares with it: start, signals, end.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use batchyard_server::config::Config;
use batchyard_server::data_folder::DataFolder;
use batchyard_server::{Server, SupervisorCommand};
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{ConfigArguments, data_path};

/// Exit code of a program that SIGINT ended.
const INTERRUPTED: i32 = 130;

/// What a server is started with.
#[derive(Args, Debug)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) config: ConfigArguments,
    /// Folder for the data [default: $XDG_DATA_HOME/batchyard]
    #[arg(long, env = "BATCHYARD_DATA", value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
    /// Address to listen on, port 0 for any free one [default: 127.0.0.1:4590]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Run jobs with the image `host://…` as processes of this host
    #[arg(long)]
    pub(crate) allow_processes: bool,
}

/// Runs a server until it is told to stop. One line on standard output says where it listens; everything else is in the log on
/// standard error.
pub(crate) fn run(arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    start_logging("info");
    let config = arguments.effective(&Config::default())?;
    let data = DataFolder::open(&data_path(arguments.data.as_deref())?)?;
    runtime()?.block_on(async {
        let mut stop = StopSignals::listen()?;
        let server = Server::start(config, &data, supervisor()?).await?;
        println!("listening on {}", server.endpoint());
        stop.first().await;
        tracing::info!("stopping; a second signal stops at once");
        stop_unless_told_again(server, stop).await;
        Ok(ExitCode::SUCCESS)
    })
}

impl ServeArguments {
    /// The configuration, with what the flags say.
    pub(crate) fn effective(&self, defaults: &Config) -> anyhow::Result<Config> {
        let mut config = self.config.load(defaults)?;
        config.listen = self.listen.unwrap_or(config.listen);
        config.allow_processes |= self.allow_processes;
        Ok(config)
    }
}

/// SIGINT and SIGTERM.
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("failed to listen to signals");
        Ok(StopSignals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Resolves at the next of them.
    pub(crate) async fn first(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Ends the server in order; at a second signal at once, which loses nothing either: what was acknowledged is on the disk.
pub(crate) async fn stop_unless_told_again(server: Server, mut stop: StopSignals) {
    tokio::select! {
        () = server.stop() => {}
        () = stop.first() => std::process::exit(INTERRUPTED),
    }
}

/// How the supervisor of process jobs is started: this same program.
pub(crate) fn supervisor() -> anyhow::Result<SupervisorCommand> {
    Ok(SupervisorCommand {
        program: std::env::current_exe().context("failed to find this program's own file")?,
        arguments: vec!["supervisor".into(), "--directory".into()],
    })
}

pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")
}

/// Sends the log to standard error; `BATCHYARD_LOG` chooses what of it, as `RUST_LOG` does elsewhere.
pub(crate) fn start_logging(default: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("BATCHYARD_LOG");
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(
            std::io::stderr().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        )
        .with_env_filter(filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default)))
        .init();
}
