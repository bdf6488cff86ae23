//! `cargo xtask deps`: crates depend only on those below them, and the pure ones on few others.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::workspace;

/// For each crate the crates of the workspace that it may depend on; the table of ARCHITECTURE.md.
const ALLOWED: [(&str, &[&str]); 12] = [
    ("wire", &[]),
    ("core", &[]),
    ("iam", &[]),
    ("sim", &["core"]),
    ("runtime", &["core"]),
    ("store", &["core", "runtime"]),
    ("logs", &["core", "runtime"]),
    ("engines", &["core", "runtime"]),
    (
        "server",
        &[
            "wire", "core", "iam", "sim", "runtime", "store", "logs", "engines",
        ],
    ),
    // The command line is a client of the server too, so it knows the wire and how to sign; the supervisor is the
    // engine's; simulations of traces need no server.
    ("cli", &["wire", "iam", "sim", "server", "engines"]),
    ("seeds", &[]),
    ("xtask", &[]),
];

/// The pure crates, with the external crates that they may depend on: none that does I/O, reads clocks or spawns.
const PURE: [(&str, &[&str]); 4] = [
    ("core", &["serde", "serde_json", "sha2", "thiserror"]),
    // Reads traces from readers and site files from texts that it is given.
    (
        "sim",
        &["csv", "jiff", "serde", "serde_json", "thiserror", "toml"],
    ),
    (
        "wire",
        &[
            "form_urlencoded",
            "jiff",
            "percent-encoding",
            "quick-xml",
            "regex",
            "serde",
            "serde_json",
            "thiserror",
        ],
    ),
    (
        "iam",
        &[
            "base64",
            "hex",
            "hmac",
            "jiff",
            "lru",
            "percent-encoding",
            "serde",
            "serde_json",
            "sha2",
            "subtle",
            "thiserror",
        ],
    ),
];

/// Checks the manifest of every crate of the workspace.
///
/// # Errors
/// When a crate depends on one that it must not.
pub(crate) fn run() -> anyhow::Result<()> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(workspace::root())
        .output()
        .context("failed to run cargo metadata")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata wrote no JSON")?;
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into_iter().collect();
    let pure: BTreeMap<&str, &[&str]> = PURE.into_iter().collect();
    let mut problems = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = short(&package["name"]);
        let Some(inner) = allowed.get(name) else {
            problems.push(format!("{name} is not in the table of crates"));
            continue;
        };
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        for dependency in dependencies.filter(|dependency| dependency["kind"].is_null()) {
            let is_ours = dependency["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("batchyard-"));
            let dependency = short(&dependency["name"]);
            if is_ours && !inner.contains(&dependency) {
                problems.push(format!("{name} must not depend on {dependency}"));
            }
            if !is_ours && pure.get(name).is_some_and(|outer| !outer.contains(&dependency)) {
                problems.push(format!("{name} is pure and must not depend on {dependency}"));
            }
        }
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

fn short(name: &Value) -> &str {
    let name = name.as_str().unwrap_or_default();
    name.strip_prefix("batchyard-").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    #[test]
    fn crates_depend_downwards() {
        super::run().expect("the table of crates holds");
    }
}
