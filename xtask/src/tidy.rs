//! `cargo xtask tidy`: what no compiler checks.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::{codegen, deps, workspace};

/// Longest file without a reason (its first lines say `Long because`), in lines.
const LINES_MAX: usize = 500;

/// Largest file in git, in bytes.
const BYTES_MAX: u64 = 1 << 20;

/// Words that must not stand in the sources, each with what to do instead. Written in halves, or this file would
/// hold them.
const FORBIDDEN: [(&str, &str); 4] = [
    (concat!("todo", "!("), "do it, or refuse clearly"),
    (concat!("#[", "ignore"), "a test that does not run is no test"),
    (concat!("#[", "allow("), "use #[expect(…, reason = \"…\")]"),
    (
        concat!("thread::", "sleep(Duration::from_secs"),
        "wait for what you wait for",
    ),
];

/// Checks every file that git knows.
///
/// # Errors
/// With one line for each problem.
pub(crate) fn run() -> anyhow::Result<()> {
    codegen::run(true)?;
    deps::run()?;
    let root = workspace::root();
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(&root)
        .output()
        .context("failed to run git")?;
    let listing = String::from_utf8(output.stdout).context("git listed a file name that is not UTF-8")?;
    let mut problems = Vec::new();
    for name in listing.split('\0').filter(|name| !name.is_empty()) {
        let path = root.join(name);
        let Ok(metadata) = fs::metadata(&path) else {
            continue;
        };
        if metadata.len() > BYTES_MAX {
            problems.push(format!("{name}: larger than {BYTES_MAX} bytes"));
        }
        if !name.ends_with(".rs") || name.contains("/generated/") {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("failed to read {name}"))?;
        if text.lines().count() > LINES_MAX && !text.contains("Long because") {
            problems.push(format!(
                "{name}: longer than {LINES_MAX} lines and does not say why (`Long because …`)"
            ));
        }
        for (word, instead) in FORBIDDEN {
            if text.contains(word) {
                problems.push(format!("{name}: has `{word}`; {instead}"));
            }
        }
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}
