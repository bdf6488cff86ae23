//! `batchyard events`: what happens to jobs, an event a line, in the form in which EventBridge has them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::ServerArguments;
use crate::client::Client;
use crate::output;

/// How long one request waits for events, in seconds (the server's most).
const WAIT_SECONDS: u32 = 20;

/// Which events to print.
#[derive(Args, Debug)]
pub(crate) struct EventsArguments {
    /// Go on with new events as they come, until interrupted
    #[arg(long, short)]
    follow: bool,
    /// Only events of jobs in this queue
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// Only events of this detail-type, such as "Batch Job State Change"
    #[arg(long = "type", value_name = "NAME")]
    detail_type: Option<String>,
    /// Begin with events that are yet to come, instead of the oldest that the server keeps
    #[arg(long)]
    new: bool,
    /// Remember in this file what was printed, and go on behind it the next time
    #[arg(long, value_name = "FILE", conflicts_with = "new")]
    cursor: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArguments,
}

/// What a request for events is to bring.
pub(crate) struct Wanted<'a> {
    /// Behind what: a cursor, or `latest`; nothing is from the oldest on.
    pub(crate) after: Option<&'a str>,
    pub(crate) queue: Option<&'a str>,
    pub(crate) detail_type: Option<&'a str>,
    pub(crate) wait_seconds: u32,
}

/// Prints them.
pub(crate) async fn run(arguments: &EventsArguments) -> anyhow::Result<ExitCode> {
    let EventsArguments {
        follow,
        queue,
        detail_type,
        new,
        cursor,
        server,
    } = arguments;
    let client: Client = server.client()?;
    let mut after = match cursor {
        Some(file) => read(file)?,
        None => new.then(|| "latest".to_owned()),
    };
    loop {
        let wanted = Wanted {
            after: after.as_deref(),
            queue: queue.as_deref(),
            detail_type: detail_type.as_deref(),
            wait_seconds: if *follow { WAIT_SECONDS } else { 0 },
        };
        let (lines, next) = client.events(&wanted).await?;
        output::print(format_args!("{lines}"))?;
        // After what was printed: what happens in between is printed again rather than lost.
        if let Some(file) = cursor {
            write(file, &next)?;
        }
        let is_end = lines.is_empty() && after.as_ref() == Some(&next);
        if !follow && (is_end || after.as_deref() == Some("latest")) {
            return Ok(ExitCode::SUCCESS);
        }
        after = Some(next);
    }
}

fn read(file: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("failed to read {}", file.display())),
    }
}

/// Written beside and renamed, so that the file is never half a cursor.
fn write(file: &Path, cursor: &str) -> anyhow::Result<()> {
    let beside = file.with_extension("new");
    std::fs::write(&beside, format!("{cursor}\n"))
        .and_then(|()| std::fs::rename(&beside, file))
        .with_context(|| format!("failed to write {}", file.display()))
}
