//! The binary `batchyard`: the server for people who start it, and the commands of people who use it.
//!
//! Commands of the second kind speak the same signed HTTP API as any AWS client and know nothing of the server's inside; they
//! find it through `batchyard_server::access`.
//!
//! Where to start reading: [`Command`], then the module of the command's name. `client` is the way to the server, `job`, `tail`
//! and `follow` are how commands watch jobs, `table`, `duration` and `terminal` are how they show them.

mod client;
mod config;
mod demo;
mod duration;
mod environment;
mod events;
mod expected;
mod explain;
mod follow;
mod interrupt;
mod job;
mod kill;
mod local_queue;
mod logs;
mod output;
mod ps;
mod run;
mod serve;
mod simulate;
mod table;
mod tail;
mod terminal;
mod up;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use batchyard_server::access::Access;
use clap::{Args, Parser, Subcommand};

use crate::client::Client;

/// Exit code of a program whose reader went away, as a shell tells it: 128 and SIGPIPE.
const PIPE_CLOSED: u8 = 141;

/// AWS Batch that runs anywhere.
#[derive(Parser, Debug)]
#[command(
    name = "batchyard",
    version,
    propagate_version = true,
    disable_help_subcommand = true
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Start a server for yourself on this machine, with a queue that is ready for jobs
    Up(up::UpArguments),
    /// Run a command as a job, show what it writes, and exit as it does
    Run(run::RunArguments),
    /// List jobs
    Ps(ps::PsArguments),
    /// Show what a job wrote
    Logs(logs::LogsArguments),
    /// Say why a job is in the state it is in
    Explain(explain::ExplainArguments),
    /// Print what happens to jobs, an event a line
    Events(events::EventsArguments),
    /// End jobs
    Kill(kill::KillArguments),
    /// Take capacity away under its jobs, as when Spot instances are reclaimed
    Interrupt(interrupt::InterruptArguments),
    Simulate(Box<simulate::SimulateArguments>),
    /// Price an option on a server of its own: everything at work, in a few seconds
    Demo(demo::DemoArguments),
    /// Print the variables that let AWS clients use the server
    Env(ServerArguments),
    /// Run a server as a service
    Serve(serve::ServeArguments),
    /// Print the configuration that a server would use
    Config(config::ConfigArguments),
    /// Look after process jobs; the server starts it
    #[command(hide = true)]
    Supervisor(SupervisorArguments),
}

/// Which server to use.
#[derive(Args, Debug, Clone)]
pub(crate) struct ServerArguments {
    /// Data folder of the server to use [default: the server of AWS_ENDPOINT_URL, else $XDG_DATA_HOME/batchyard]
    #[arg(long, env = "BATCHYARD_DATA", value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
}

impl ServerArguments {
    /// A client for the server.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(Access::find(self.data.clone())?)?)
    }
}

#[derive(Args, Debug)]
struct SupervisorArguments {
    /// Folder to work in
    #[arg(long, value_name = "FOLDER")]
    directory: PathBuf,
}

fn main() -> ExitCode {
    let CommandLine { command } = CommandLine::parse();
    let result = run(command);
    match result {
        Ok(code) => code,
        Err(error) if is_pipe_closed(&error) => ExitCode::from(PIPE_CLOSED),
        Err(error) => {
            output::print_error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(arguments) => up::run(&arguments),
        Command::Run(arguments) => serve::runtime()?.block_on(run::run(&arguments)),
        Command::Ps(arguments) => serve::runtime()?.block_on(ps::run(&arguments)),
        Command::Logs(arguments) => serve::runtime()?.block_on(logs::run(&arguments)),
        Command::Explain(arguments) => serve::runtime()?.block_on(explain::run(&arguments)),
        Command::Events(arguments) => serve::runtime()?.block_on(events::run(&arguments)),
        Command::Kill(arguments) => serve::runtime()?.block_on(kill::run(&arguments)),
        Command::Interrupt(arguments) => serve::runtime()?.block_on(interrupt::run(&arguments)),
        Command::Simulate(arguments) => serve::runtime()?.block_on(simulate::run(&arguments)),
        Command::Demo(arguments) => serve::runtime()?.block_on(demo::run(&arguments)),
        Command::Env(ServerArguments { data }) => environment::print(data).map(|()| ExitCode::SUCCESS),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Config(arguments) => config::print(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Supervisor(SupervisorArguments { directory }) => {
            serve::start_logging("info");
            batchyard_engines::process::supervise(&directory)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Whether whoever read the output has gone, as in `batchyard logs JOB | head`.
fn is_pipe_closed(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }
}
