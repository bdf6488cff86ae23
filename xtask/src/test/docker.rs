//! A container daemon of the tests' own.

use std::process::Stdio;

use anyhow::Context as _;

use super::tools::{command, run};

/// The folder of the daemon: short, as the path of a socket may not be long.
const DIRECTORY: &str = "/tmp/batchyard-test-docker";

/// Exit code of the script where no daemon can be started.
const NOT_POSSIBLE: i32 = 3;

/// A running daemon; ends when dropped.
pub(crate) struct Docker {
    /// Its address, as `DOCKER_HOST` has it.
    pub(crate) host: String,
}

impl Docker {
    /// Starts the daemon, installed where it is missing; otherwise the reason why it cannot be.
    ///
    /// # Errors
    /// When it should start and does not.
    pub(crate) fn start() -> anyhow::Result<Result<Docker, String>> {
        let output = command("scripts/docker-engine", &["start", "--directory", DIRECTORY])
            .stderr(Stdio::piped())
            .output()
            .context("failed to run scripts/docker-engine")?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.code() == Some(NOT_POSSIBLE) {
            return Ok(Err(said));
        }
        anyhow::ensure!(
            output.status.success(),
            "the container daemon did not start: {said}"
        );
        let told = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let host = told
            .strip_prefix("DOCKER_HOST=")
            .context("scripts/docker-engine did not tell the address")?;
        Ok(Ok(Docker {
            host: host.to_owned(),
        }))
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        if let Err(error) = run(&mut command(
            "scripts/docker-engine",
            &["stop", "--directory", DIRECTORY],
        )) {
            eprintln!("{error:#}");
        }
    }
}
