//! Measures a server with real clients on the same machine: `cargo xtask bench` runs it with a release build.
//!
//! Each figure is printed beside what the machine does on its own, measured in the same run: how often a file can be synced, and how often
//! a program can be started. All by the name of the first argument, the program `batchyard`.

mod bare;
mod client;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use batchyard_wire::batch::{
    ArrayProperties, CEState, DescribeJobsRequest, JobStatus, ListJobsRequest, SubmitJobRequest,
    UpdateComputeEnvironmentRequest,
};

use client::Client;
use server::Server;

const CONNECTIONS: usize = 64;
const SUBMITTED: usize = 20_000;
const RUN: usize = 5_000;
const ARRAY: i32 = 10_000;
const LATENCIES: usize = 300;

#[tokio::main]
async fn main() {
    let program = std::env::args().nth(1).expect("usage: load PROGRAM");
    let folder = tempfile::tempdir().expect("a temporary folder");
    println!("the machine on its own:");
    println!(
        "  {:>9.0} /s  write 4 KiB and sync it",
        bare::syncs_per_second(folder.path())
    );
    println!(
        "  {:>9.0} /s  start and reap `true`, one thread",
        bare::spawns_per_second(1)
    );
    println!(
        "  {:>9.0} /s  start and reap `true`, two threads",
        bare::spawns_per_second(2)
    );
    let server = Server::start(&program, folder.path());
    let client = Arc::new(server.client());
    server::prepare(&client).await;

    println!("the server, client on the same machine:");
    latency(&client).await;
    submit_to_succeeded(&client).await;
    array_to_succeeded(&client).await;
    submit_only(&client).await;
}

/// How long from sending SubmitJob to the program's start, on an idle server.
async fn latency(client: &Client) {
    let mut starts = Vec::new();
    let mut rounds = Vec::new();
    for _ in 0..LATENCIES {
        let (sent, sent_at) = (Instant::now(), now_ms());
        let id = submit(client, None).await;
        rounds.push(sent.elapsed().as_secs_f64() * 1000.0);
        let ended = until_ended(client, &id).await;
        #[expect(clippy::cast_precision_loss, reason = "a difference of milliseconds")]
        starts.push((ended - sent_at).max(0) as f64);
    }
    println!(
        "  {:>6.1} ms p50, {:.1} ms p99  SubmitJob answered, durable, idle server",
        quantile(&mut rounds, 0.5),
        quantile(&mut rounds, 0.99)
    );
    println!(
        "  {:>6.1} ms p50, {:.1} ms p99  submit to running, idle server",
        quantile(&mut starts, 0.5),
        quantile(&mut starts, 0.99)
    );
}

/// No-op process jobs, one SubmitJob each, until the last has SUCCEEDED.
async fn submit_to_succeeded(client: &Arc<Client>) {
    let start = Instant::now();
    submit_many(client, RUN).await;
    let submitted = start.elapsed();
    until_queue_is_empty(client).await;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "  {:>9.0} /s  no-op process jobs, SubmitJob to SUCCEEDED, {RUN} single jobs over {CONNECTIONS} connections (submitted in {:.1} s)",
        rate(RUN, seconds),
        submitted.as_secs_f64()
    );
}

async fn array_to_succeeded(client: &Client) {
    let start = Instant::now();
    let id = submit(client, Some(ARRAY)).await;
    let accepted = start.elapsed();
    until_ended(client, &id).await;
    println!(
        "  {:>9.0} /s  no-op process jobs, SubmitJob to SUCCEEDED, one array of {ARRAY} (accepted in {:.1} ms)",
        rate(usize::try_from(ARRAY).unwrap_or(0), start.elapsed().as_secs_f64()),
        accepted.as_secs_f64() * 1000.0
    );
}

/// SubmitJob alone: the environment takes no jobs meanwhile.
async fn submit_only(client: &Arc<Client>) {
    let request = UpdateComputeEnvironmentRequest {
        compute_environment: server::NAME.to_owned(),
        state: Some(CEState::Disabled),
        ..UpdateComputeEnvironmentRequest::default()
    };
    client.call(&request).await;
    let start = Instant::now();
    submit_many(client, SUBMITTED).await;
    println!(
        "  {:>9.0} /s  durable SubmitJob, {CONNECTIONS} connections",
        rate(SUBMITTED, start.elapsed().as_secs_f64())
    );
}

async fn submit_many(client: &Arc<Client>, count: usize) {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (client, next) = (Arc::clone(client), Arc::clone(&next));
        tasks.spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < count {
                submit(&client, None).await;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no task panics");
    }
}

async fn submit(client: &Client, array: Option<i32>) -> String {
    let request = SubmitJobRequest {
        job_name: "no-op".to_owned(),
        job_queue: server::NAME.to_owned(),
        job_definition: server::NAME.to_owned(),
        array_properties: array.map(|size| ArrayProperties { size: Some(size) }),
        ..SubmitJobRequest::default()
    };
    client.call(&request).await.job_id
}

/// Waits until a job has ended, and gives the time it started at, in milliseconds; 0 for an array.
async fn until_ended(client: &Client, id: &str) -> i64 {
    let request = DescribeJobsRequest {
        jobs: vec![id.to_owned()],
    };
    loop {
        let jobs = client.call(&request).await.jobs.unwrap_or_default();
        let job = jobs.first().expect("the job was submitted");
        match job.status {
            JobStatus::Succeeded => return job.started_at.unwrap_or(0),
            JobStatus::Failed => panic!("a job failed: {job:?}"),
            _ => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}

async fn until_queue_is_empty(client: &Client) {
    let live = [
        JobStatus::Runnable,
        JobStatus::Starting,
        JobStatus::Running,
        JobStatus::Pending,
    ];
    for status in live {
        let request = ListJobsRequest {
            job_queue: Some(server::NAME.to_owned()),
            job_status: Some(status),
            max_results: Some(1),
            ..ListJobsRequest::default()
        };
        while !client.call(&request).await.job_summary_list.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn quantile(values: &mut [f64], at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index of a short list"
    )]
    let index = ((values.len() - 1) as f64 * at).round() as usize;
    values[index]
}

fn rate(count: usize, seconds: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let count = count as f64;
    count / seconds
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(0)
}
