//! Build tasks, run as `cargo xtask TASK`: code generation and the checks that the compiler cannot do.
//!
//! Each task is one file; this one only chooses between them.

mod bench;
mod codegen;
mod deps;
mod soak;
mod test;
mod tidy;
mod workspace;

use clap::Parser;

/// Batchyard's build tasks.
#[derive(Parser)]
enum Task {
    /// Regenerate everything that is made from `models/`; with --check only compare.
    Codegen {
        /// Write nothing; fail with the list of files that would change.
        #[arg(long)]
        check: bool,
    },
    /// Check that crates depend only on those below them.
    Deps,
    /// Check what no compiler checks: file lengths, forbidden words, size of files, generated code.
    Tidy,
    /// Measure this machine and the server on it.
    Bench,
    /// Play the simulations with fresh seeds, or one seed again.
    Soak(soak::Soak),
    /// Run every test: what a suite needs it installs and starts itself where it can.
    Test {
        /// Only these suites.
        suites: Vec<String>,
    },
}

fn main() -> anyhow::Result<()> {
    match Task::parse() {
        Task::Codegen { check } => codegen::run(check),
        Task::Deps => deps::run(),
        Task::Bench => bench::bench(),
        Task::Tidy => tidy::run(),
        Task::Soak(options) => soak::soak(&options),
        Task::Test { suites } => test::run(&suites),
    }
}
