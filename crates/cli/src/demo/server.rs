//! The demo's own server: this same program as a child process, on any free port, with its data in the demo's folder.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use batchyard_server::access::Access;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// How long the server may take until it listens (own choice; it takes milliseconds).
const START_MAX: Duration = Duration::from_secs(30);

/// How long it may take to stop before it is killed (own choice; more than it gives its own requests).
const STOP_MAX: Duration = Duration::from_secs(15);

/// Lines of the server's log that are shown when it did not start.
const LOG_LINES_SHOWN: usize = 10;

/// A server that is stopped by [`DemoServer::stop`]; dropping it kills it.
pub(super) struct DemoServer {
    child: Child,
    access: Access,
    // Held open: a server whose standard output is closed could not write to it.
    _output: BufReader<ChildStdout>,
}

impl DemoServer {
    /// Starts the server and waits until it listens.
    pub(super) async fn start(folder: &Path) -> anyhow::Result<DemoServer> {
        let (data, log) = (folder.join("data"), folder.join("server.log"));
        let mut child = command(&data, &log)?
            .spawn()
            .context("failed to start the server")?;
        let output = child.stdout.take().expect("its output was asked for");
        let mut output = BufReader::new(output);
        let mut line = String::new();
        let reading = tokio::time::timeout(START_MAX, output.read_line(&mut line)).await;
        let is_ready = matches!(reading, Ok(Ok(_))) && line.starts_with("listening on ");
        if !is_ready {
            bail!("the server did not start\n{}", last_lines(&log));
        }
        let access = Access::of_folder(Some(data)).context("failed to find the server's access key")?;
        Ok(DemoServer {
            child,
            access,
            _output: output,
        })
    }

    /// How to call it.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// Tells the server to stop and waits until it has.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            // It may have ended by itself: then waiting says all there is to say.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let status = match tokio::time::timeout(STOP_MAX, self.child.wait()).await {
            Ok(status) => status.context("failed to wait for the server")?,
            Err(_) => {
                self.child.kill().await.context("failed to kill the server")?;
                bail!("the server did not stop and was killed");
            }
        };
        match status.success() {
            true => Ok(()),
            false => bail!("the server ended with {status}"),
        }
    }
}

fn command(data: &PathBuf, log: &Path) -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("failed to find this program's own file")?;
    let log = File::create(log).with_context(|| format!("failed to make {}", log.display()))?;
    let mut command = Command::new(program);
    command
        .arg("serve")
        .args([
            "--listen",
            "127.0.0.1:0",
            "--allow-processes",
            "--config",
            "/dev/null",
            "--data",
        ])
        .arg(data);
    // The demo is the same everywhere: no configuration of this machine reaches its server.
    let own = std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"BATCHYARD_"));
    for (name, _) in own {
        command.env_remove(name);
    }
    command
        .env("BATCHYARD_DOCKER_ENABLED", "false")
        .env("BATCHYARD_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        // Ctrl-C is for the demo, which stops the server when its jobs have ended.
        .process_group(0)
        .kill_on_drop(true);
    Ok(command)
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_else(|error: io::Error| error.to_string());
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(LOG_LINES_SHOWN);
    lines[first..].join("\n")
}
