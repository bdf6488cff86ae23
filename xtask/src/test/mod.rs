//! `cargo xtask test`: every test there is, suite by suite.
//!
//! What a suite needs beyond a Rust toolchain it installs and starts itself where it can (as root on Debian); where it cannot, the
//! suite is skipped and one line says why. A suite that fails does not keep the others from running.

mod docker;
mod suites;
pub(crate) mod tools;

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::ensure;

pub(crate) use docker::Docker;

/// How a suite went, if it did not fail.
pub(crate) enum Outcome {
    /// All of it passed.
    Passed,
    /// It could not be run here, for this reason.
    Skipped(String),
}

/// What suites share.
#[derive(Default)]
pub(crate) struct Shared {
    /// The container daemon, once a suite has asked for it.
    docker: Option<Docker>,
}

/// Runs the suites of these names, or all.
///
/// # Errors
/// When a suite fails, or there is none of a name.
pub(crate) fn run(names: &[String]) -> anyhow::Result<()> {
    let known: BTreeSet<&str> = suites::ALL.iter().map(|(name, _)| *name).collect();
    for name in names {
        ensure!(
            known.contains(name.as_str()),
            "there is no suite {name}; there are {known:?}"
        );
    }
    let mut shared = Shared::default();
    let mut lines = Vec::new();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (name, suite) in suites::ALL {
        if !names.is_empty() && !names.iter().any(|wanted| wanted == name) {
            continue;
        }
        println!("\n=== {name}");
        let start = Instant::now();
        let outcome = suite(&mut shared);
        let seconds = start.elapsed().as_secs();
        lines.push(match outcome {
            Ok(Outcome::Passed) => {
                passed += 1;
                format!("{name}: passed in {seconds} s")
            }
            Ok(Outcome::Skipped(reason)) => {
                skipped += 1;
                format!("{name}: SKIPPED, {reason}")
            }
            Err(error) => {
                failed += 1;
                format!("{name}: FAILED after {seconds} s: {error:#}")
            }
        });
        println!("{}", lines.last().expect("a line was just added"));
    }
    println!("\n=== all suites\n{}", lines.join("\n"));
    println!("suites: {passed} passed, {failed} failed, {skipped} skipped");
    ensure!(failed == 0, "{failed} of {} suites failed", lines.len());
    Ok(())
}
