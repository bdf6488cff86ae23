//! What simulations are made from: files and a server's answer.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use batchyard_sim::present::Present;
use batchyard_sim::site::Site;
use batchyard_sim::workload::{self, SwfOptions, Workload};

use super::{QueueBy, ShareBy, SwfArguments};

/// Reads a trace or a list of jobs, whichever is given.
pub(super) fn workload(
    swf: Option<&PathBuf>,
    csv: Option<&PathBuf>,
    arguments: &SwfArguments,
) -> anyhow::Result<Workload> {
    if let Some(path) = swf {
        let options = SwfOptions {
            share_by: Some(match arguments.share_by {
                ShareBy::User => workload::ShareBy::User,
                ShareBy::Group => workload::ShareBy::Group,
                ShareBy::Queue => workload::ShareBy::Queue,
            }),
            queue_by: arguments.queue_by.map(|by| match by {
                QueueBy::Queue => workload::QueueBy::Queue,
                QueueBy::Partition => workload::QueueBy::Partition,
            }),
        };
        return Ok(workload::read_swf(
            BufReader::new(open(path)?),
            &name(path),
            options,
        )?);
    }
    let path = csv.context("clap asks for one of the files")?;
    Ok(workload::read_csv(BufReader::new(open(path)?), &name(path))?)
}

/// Reads a site file.
pub(super) fn site(path: &Path) -> anyhow::Result<Site> {
    let text = std::fs::read_to_string(path).with_context(|| format!("failed to open {}", path.display()))?;
    Site::parse(&text).with_context(|| format!("failed to use {}", path.display()))
}

/// The state that a server has handed out.
pub(super) fn present(answer: serde_json::Value) -> anyhow::Result<Present> {
    serde_json::from_value(answer).context("failed to read the server's state; its version may be another")
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| format!("failed to open {}", path.display()))
}

fn name(path: &Path) -> String {
    path.display().to_string()
}
