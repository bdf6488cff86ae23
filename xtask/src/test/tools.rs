//! Running programs, and installing them where that is possible.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::workspace;

/// A command in the root of the workspace.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(workspace::root())
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end, its output shown.
///
/// # Errors
/// When it cannot be run or fails.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = shown(command);
    let status = command
        .status()
        .with_context(|| format!("failed to run {shown}"))?;
    ensure!(status.success(), "{shown}: {status}");
    Ok(())
}

/// Whether a command can be run and succeeds; its output is not shown.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let status = command(program, arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// Makes sure that these Debian packages are installed; otherwise the reason why they are not.
///
/// # Errors
/// When the installation itself fails.
pub(crate) fn packages(names: &[&str]) -> anyhow::Result<Result<(), String>> {
    if succeeds("dpkg", &[&["--status"], names].concat()) {
        return Ok(Ok(()));
    }
    let list = names.join(" ");
    if !std::path::Path::new("/etc/debian_version").exists() {
        return Ok(Err(format!("it needs Debian's packages {list}")));
    }
    if !is_root() {
        return Ok(Err(format!("it needs root to install: apt-get install {list}")));
    }
    run(command("apt-get", &["update"]).stdout(Stdio::null()))?;
    let install = [&["install", "-y", "--no-install-recommends"], names].concat();
    run(command("apt-get", &install)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(Stdio::null()))?;
    Ok(Ok(()))
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace::root().join("target"), PathBuf::from)
}

/// Whether this process may do everything.
pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
