//! `cargo xtask bench`: figures of this machine, for people; no test looks at them.

use crate::test::tools::{command, run};

/// Builds the program and the load generator for release, and runs them.
///
/// # Errors
/// When either cannot be built or the measurement fails.
pub(crate) fn bench() -> anyhow::Result<()> {
    run(&mut command(
        "cargo",
        &["build", "--release", "--locked", "--package", "batchyard-cli"],
    ))?;
    run(&mut command(
        "cargo",
        &[
            "build",
            "--release",
            "--locked",
            "--package",
            "batchyard-server",
            "--example",
            "load",
        ],
    ))?;
    let release = crate::test::tools::target().join("release");
    let load = release.join("examples/load");
    run(&mut command(
        &load.to_string_lossy(),
        &[&release.join("batchyard").to_string_lossy()],
    ))
}
