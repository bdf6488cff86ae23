//! Measures what the log store promises: `cargo run --release -p batchyard-logs --example measure [folder [large|tiny|lines]]`.
//!
//! Prints one line for each figure. The folder, by default one in the temporary folder, should be on the disk to be measured.

use std::path::{Path, PathBuf};
use std::time::Instant;

use batchyard_core::time::Timestamp;
use batchyard_logs::{EventsQuery, FilterPattern, FilterQuery, FilterStreams, Logs, Start};
use batchyard_runtime::log::{Append, LogEvent, StreamName};

const LINE: &str =
    "2026-01-01T00:00:00Z INFO worker: sample 0123456789 of 9999999999 has been aligned in 0.0123 seconds";
const BATCH_LINES: i64 = 655;
const LARGE_BYTES: i64 = 1024 * 1024 * 1024;
const TINY_STREAMS: i64 = 1_000_000;
const TINY_BATCH: i64 = 256;
/// Requests on their way at the same time.
const IN_FLIGHT: i64 = 16;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(folder)?;
    let path = folder.path().join("logs.sqlite");
    let logs = Logs::open(&path)?;
    let only = std::env::args().nth(2);
    let is_asked = |figure: &str| only.as_ref().is_none_or(|only| only == figure);
    if is_asked("large") {
        one_large_stream(&logs, &path).await?;
        tail(&logs)?;
        filter(&logs, "large", "\"no such word\"")?;
    }
    if is_asked("tiny") {
        many_tiny_streams(&logs, &path).await?;
        filter(&logs, "/aws/batch/job", "tiny")?;
        filter(&logs, "/aws/batch/job", "missing")?;
    }
    if is_asked("lines") {
        single_lines(&logs).await?;
    }
    println!("peak resident memory: {}", peak_memory()?);
    let started = Instant::now();
    drop(logs);
    println!("close: {:.1?}", started.elapsed());
    Ok(())
}

fn event(ms: i64, message: &str) -> LogEvent {
    LogEvent {
        timestamp: Timestamp::from_millis(ms),
        message: message.to_owned(),
    }
}

fn name(group: &str, stream: String) -> StreamName {
    StreamName {
        group: group.to_owned(),
        stream,
    }
}

async fn put_all(logs: &Logs, batches: impl Iterator<Item = Vec<Append>>) -> anyhow::Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for batch in batches {
        if i64::try_from(tasks.len())? == IN_FLIGHT
            && let Some(done) = tasks.join_next().await
        {
            done??;
        }
        let logs = logs.clone();
        tasks.spawn(async move { logs.put(batch).await });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

async fn one_large_stream(logs: &Logs, path: &Path) -> anyhow::Result<()> {
    let length = i64::try_from(LINE.len())?;
    let batches = LARGE_BYTES / (BATCH_LINES * length);
    let started = Instant::now();
    put_all(
        logs,
        (0..batches).map(|batch| {
            let events = (0..BATCH_LINES)
                .map(|line| event(1_700_000_000_000 + batch * 10 + line / 100, LINE))
                .collect();
            vec![Append {
                stream: name("large", "one".to_owned()),
                events,
                cursor: None,
            }]
        }),
    )
    .await?;
    report(
        "one stream, 100-byte lines",
        batches * BATCH_LINES * length / 1_000_000,
        "MB",
        started,
    );
    println!(
        "  file: {} MB for {} MB of lines",
        size_mb(path)?,
        batches * BATCH_LINES * length / 1_000_000
    );
    Ok(())
}

fn tail(logs: &Logs) -> anyhow::Result<()> {
    for limit in [100, 10_000] {
        let stream = name("large", "one".to_owned());
        let query = EventsQuery {
            stream,
            start: None,
            end: None,
            from: Start::Tail,
            limit,
        };
        let mut times = Vec::new();
        for _ in 0..50 {
            let started = Instant::now();
            logs.events(&query)?;
            times.push(started.elapsed());
        }
        println!(
            "last page of {limit} of the large stream: first {:.2?}, slowest of 50 {:.2?}",
            times[0],
            times.iter().max()
        );
    }
    Ok(())
}

async fn many_tiny_streams(logs: &Logs, path: &Path) -> anyhow::Result<()> {
    let before = size_mb(path)?;
    let started = Instant::now();
    put_all(
        logs,
        (0..TINY_STREAMS / TINY_BATCH).map(|batch| {
            let streams = (0..TINY_BATCH).map(|index| batch * TINY_BATCH + index);
            let append = |index: i64| Append {
                stream: name(
                    "/aws/batch/job",
                    format!("hello/default/{:032x}", index.wrapping_mul(0x1e37_79b9_7f4a_7c15)),
                ),
                events: vec![event(1_700_000_000_000 + index, "hello, tiny stream!!")],
                cursor: None,
            };
            streams.map(append).collect()
        }),
    )
    .await?;
    report("tiny streams", TINY_STREAMS, "streams", started);
    println!("  file: {} MB for them", size_mb(path)? - before);
    Ok(())
}

fn filter(logs: &Logs, group: &str, pattern: &str) -> anyhow::Result<()> {
    let mut query = FilterQuery {
        group: group.to_owned(),
        streams: FilterStreams::All,
        start: None,
        end: None,
        pattern: Some(FilterPattern::parse(pattern)?),
        limit: 10_000,
        token: None,
    };
    let (mut pages, mut found, mut slowest) = (0, 0, std::time::Duration::ZERO);
    let started = Instant::now();
    loop {
        let page_started = Instant::now();
        let page = logs.filter(&query)?;
        slowest = slowest.max(page_started.elapsed());
        pages += 1;
        found += page.events.len();
        query.token = page.next_token;
        if query.token.is_none() {
            break;
        }
    }
    println!(
        "filter {group} for {pattern}: {found} events in {pages} pages, {:.2?} in all, slowest page {slowest:.1?}",
        started.elapsed()
    );
    Ok(())
}

async fn single_lines(logs: &Logs) -> anyhow::Result<()> {
    const LINES: i64 = 100_000;
    let started = Instant::now();
    put_all(
        logs,
        (0..LINES).map(|line| {
            let events = vec![event(1_700_000_000_000 + line, LINE)];
            vec![Append {
                stream: name("slow", format!("s{}", line % 100)),
                events,
                cursor: None,
            }]
        }),
    )
    .await?;
    report("single lines to 100 streams", LINES, "lines", started);
    Ok(())
}

fn report(what: &str, count: i64, unit: &str, started: Instant) {
    let elapsed = started.elapsed();
    #[expect(clippy::cast_precision_loss, reason = "a figure to be read")]
    let rate = count as f64 / elapsed.as_secs_f64();
    println!("{what}: {count} {unit} in {elapsed:.2?}: {rate:.0} {unit}/s");
}

fn size_mb(path: &Path) -> anyhow::Result<u64> {
    Ok(path.metadata()?.len() / 1_000_000)
}

fn peak_memory() -> anyhow::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    Ok(line
        .unwrap_or_default()
        .trim_start_matches("VmHWM:")
        .trim()
        .to_owned())
}
