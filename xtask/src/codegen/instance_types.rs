//! The table of EC2 instance types for the crate `core`.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, ensure};

use super::File;
use crate::workspace;

pub(super) fn generate() -> anyhow::Result<File> {
    let path = workspace::root().join("models/ec2-instance-types.tsv");
    let text = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    let mut rows: Vec<Vec<&str>> = text
        .lines()
        .skip(1)
        .map(|line| line.split('\t').collect())
        .collect();
    rows.sort();
    let mut output = String::from(
        "use crate::instance_type::InstanceType;\n\npub(crate) static INSTANCE_TYPES: &[InstanceType] = &[\n",
    );
    for row in rows {
        ensure!(
            row.len() >= 10,
            "a row of the instance types has {} columns: {row:?}",
            row.len()
        );
        let has = |column: usize, word: &str| row[column].split(',').any(|entry| entry == word);
        let flag = |column: usize| row[column] == "1";
        writeln!(
            output,
            "InstanceType {{ name: {:?}, vcpus: {}, memory_mib: {}, arm64: {}, x86_64: {}, gpus: {}, gpu_model: {:?}, \
             gpu_memory_mib: {}, current_generation: {}, bare_metal: {}, on_demand: {}, spot: {} }},",
            row[0],
            row[1],
            row[2],
            row[3].contains("arm64"),
            row[3].contains("x86_64") || has(3, "i386"),
            row[4],
            row[5],
            row[6],
            flag(7),
            flag(8),
            has(9, "on-demand"),
            has(9, "spot"),
        )?;
    }
    output.push_str("];\n");
    Ok(File {
        path: "crates/core/src/generated/instance_types.rs".into(),
        text: output,
    })
}
