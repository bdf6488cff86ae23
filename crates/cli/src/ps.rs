//! `batchyard ps`: the jobs there are.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anstyle::Style;
use batchyard_wire::batch::{
    ArrayPropertiesSummary, ContainerSummary, DescribeJobQueuesRequest, JobStatus, JobSummary,
    ListJobsRequest,
};
use clap::Args;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::ServerArguments;
use crate::client::{CallError, Client};
use crate::duration::{Milliseconds, now};
use crate::expected::{ExpectedStart, JobForecast};
use crate::job::{Times, joined};
use crate::output::{self, BAD, FAINT, GOOD};
use crate::table::{Cell, Column, Table};
use crate::terminal;

/// Jobs of one page of ListJobs at most (AWS's limit).
const PAGE_MAX: usize = 1_000;

/// Jobs that one forecast is asked for (own choice: their ids fit into a request line).
const FORECAST_MAX: usize = 100;

/// States of jobs that wait or run, in the order in which a job goes through them.
const LIVE: [JobStatus; 5] = [
    JobStatus::Submitted,
    JobStatus::Pending,
    JobStatus::Runnable,
    JobStatus::Starting,
    JobStatus::Running,
];

/// States of jobs that have ended.
const ENDED: [JobStatus; 2] = [JobStatus::Succeeded, JobStatus::Failed];

/// Which jobs to list, and how.
#[derive(Args, Debug)]
pub(crate) struct PsArguments {
    /// Jobs that have ended too
    #[arg(long, short)]
    all: bool,
    /// Only jobs of this queue
    #[arg(long, short)]
    queue: Option<String>,
    /// Only jobs in this state, such as `runnable` or `failed`
    #[arg(long, short, conflicts_with = "all", value_parser = status)]
    status: Option<JobStatus>,
    /// At most so many, the newest
    #[arg(short = 'n', long = "limit", value_name = "N", default_value_t = 100)]
    limit: usize,
    /// One JSON object per line, as ListJobs describes it, with the queue
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArguments,
}

/// A job and the name of its queue.
struct Listed {
    queue: String,
    job: JobSummary,
}

/// Lists jobs.
pub(crate) async fn run(arguments: &PsArguments) -> anyhow::Result<ExitCode> {
    let client = arguments.server.client()?;
    let queues = match &arguments.queue {
        Some(queue) => vec![queue.clone()],
        None => queues(&client).await?,
    };
    let mut statuses = match &arguments.status {
        Some(status) => vec![status.clone()],
        None => LIVE.to_vec(),
    };
    if arguments.all {
        statuses.extend(ENDED);
    }
    let mut listed = Vec::new();
    for queue in &queues {
        for status in &statuses {
            list(&client, queue, status, arguments.limit, &mut listed).await?;
        }
    }
    // A job that went on meanwhile may have been found in two states; the later one is true.
    listed.sort_by(|a, b| {
        b.job
            .created_at
            .cmp(&a.job.created_at)
            .then_with(|| b.job.job_id.cmp(&a.job.job_id))
    });
    listed.dedup_by(|next, kept| {
        let is_same = next.job.job_id == kept.job.job_id;
        if is_same {
            std::mem::swap(next, kept);
        }
        is_same
    });
    listed.truncate(arguments.limit);
    match arguments.json {
        true => output::print(json_lines(&listed))?,
        false if listed.is_empty() && !arguments.all && arguments.status.is_none() => {
            output::note("no jobs wait or run; `batchyard ps --all` lists those that have ended too");
        }
        false => {
            let expected = expected(&client, &listed).await;
            let table = table(&listed, &expected, now(), &TimeZone::system());
            output::print(table.render(terminal::width()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn queues(client: &Client) -> Result<Vec<String>, CallError> {
    let (mut names, mut next_token) = (Vec::new(), None);
    loop {
        let request = DescribeJobQueuesRequest {
            next_token,
            ..DescribeJobQueuesRequest::default()
        };
        let answer = client.call(&request).await?;
        let queues = answer.job_queues.unwrap_or_default();
        names.extend(queues.into_iter().map(|queue| queue.job_queue_name));
        next_token = answer.next_token;
        if next_token.is_none() {
            return Ok(names);
        }
    }
}

/// Adds the newest jobs of one queue in one state, `limit` at most.
async fn list(
    client: &Client,
    queue: &str,
    status: &JobStatus,
    limit: usize,
    listed: &mut Vec<Listed>,
) -> Result<(), CallError> {
    let (mut left, mut next_token) = (limit, None);
    while left > 0 {
        let request = ListJobsRequest {
            job_queue: Some(queue.to_owned()),
            job_status: Some(status.clone()),
            max_results: i32::try_from(left.min(PAGE_MAX)).ok(),
            next_token,
            ..ListJobsRequest::default()
        };
        let answer = client.call(&request).await?;
        left = left.saturating_sub(answer.job_summary_list.len());
        let jobs = answer.job_summary_list.into_iter();
        listed.extend(jobs.map(|job| Listed {
            queue: queue.to_owned(),
            job,
        }));
        next_token = answer.next_token;
        if next_token.is_none() {
            break;
        }
    }
    Ok(())
}

/// When the queued ones of these jobs are expected to start, by id.
async fn expected(client: &Client, listed: &[Listed]) -> BTreeMap<String, ExpectedStart> {
    let is_queued = |listed: &&Listed| {
        use JobStatus::{Pending, Runnable, Submitted};
        matches!(listed.job.status, Some(Submitted | Pending | Runnable))
    };
    let queued = listed.iter().filter(is_queued);
    let queued: Vec<&str> = queued.map(|listed| listed.job.job_id.as_str()).collect();
    let mut expected = BTreeMap::new();
    for jobs in queued.chunks(FORECAST_MAX) {
        // The list is worth showing without it, by a server that cannot look ahead now, or never could.
        let Ok(answer) = client.forecast(jobs).await else {
            break;
        };
        let jobs = serde_json::from_value::<Vec<JobForecast>>(answer["jobs"].clone()).unwrap_or_default();
        expected.extend(jobs.into_iter().map(|job| (job.job_id, job.expected_start)));
    }
    expected
}

fn table(listed: &[Listed], expected: &BTreeMap<String, ExpectedStart>, now: i64, zone: &TimeZone) -> Table {
    let mut columns = vec![
        Column::text("JOB"),
        Column::flexible("NAME", 8),
        Column::text("STATUS"),
        Column::flexible("QUEUE", 5),
        Column::number("WAIT"),
        Column::number("STARTS"),
        Column::number("RUN"),
        Column::number("EXIT"),
        Column::flexible("REASON", 6),
    ];
    if expected.is_empty() {
        columns.retain(|column| column.title != "STARTS");
    }
    let mut table = Table::new(columns);
    for Listed { queue, job } in listed {
        let times = Times {
            created_at: job.created_at,
            started_at: job.started_at,
            stopped_at: job.stopped_at,
        };
        let ContainerSummary { exit_code, reason } = job.container.clone().unwrap_or_default();
        let status = job.status.clone().unwrap_or_default();
        let span =
            |span: Option<Milliseconds>| Cell::from(span.map_or_else(String::new, |span| span.to_string()));
        let starts = expected.get(&job.job_id);
        let starts = starts.map_or_else(String::new, |starts| starts.cell(now, zone));
        let mut row = vec![
            Cell::from(job.job_id.as_str()),
            Cell::from(job.job_name.as_str()),
            Cell::styled(status.as_str(), style_of(&status)),
            Cell::from(queue.as_str()),
            span(times.wait(now)),
        ];
        if !expected.is_empty() {
            row.push(Cell::from(starts));
        }
        row.extend([
            span(times.run(now)),
            Cell::from(exit_code.map_or_else(String::new, |code| code.to_string())),
            Cell::from(remark(job, reason.as_deref())),
        ]);
        table.push(row);
    }
    table
}

/// What there is to say of the job: of an array how far its children are, else why it is in its state.
fn remark(job: &JobSummary, container: Option<&str>) -> String {
    let counts = job.array_properties.as_ref().and_then(counts);
    counts
        .or_else(|| joined(job.status_reason.as_deref(), container))
        .unwrap_or_default()
}

/// For example `20 jobs: 4 running, 16 succeeded`.
fn counts(array: &ArrayPropertiesSummary) -> Option<String> {
    let ArrayPropertiesSummary {
        index: _,
        size,
        status_summary,
        status_summary_last_updated_at: _,
    } = array;
    let summary = status_summary.clone().unwrap_or_default();
    let counted: Vec<String> = LIVE
        .iter()
        .chain(&ENDED)
        .filter_map(|status| {
            let count = summary.get(status.as_str()).filter(|count| **count > 0)?;
            Some(format!("{count} {}", status.as_str().to_ascii_lowercase()))
        })
        .collect();
    let separator = if counted.is_empty() { "" } else { ": " };
    Some(format!("{} jobs{separator}{}", (*size)?, counted.join(", ")))
}

/// How a state's name is shown everywhere.
pub(crate) fn style_of(status: &JobStatus) -> Style {
    match status {
        JobStatus::Succeeded => GOOD,
        JobStatus::Failed => BAD,
        JobStatus::Running | JobStatus::Starting => Style::new().bold(),
        JobStatus::Submitted | JobStatus::Pending | JobStatus::Runnable => FAINT,
        JobStatus::Unknown(_) => Style::new(),
    }
}

fn json_lines(listed: &[Listed]) -> String {
    let mut text = String::new();
    for Listed { queue, job } in listed {
        let mut value = serde_json::to_value(job).expect("a summary is made of what JSON has");
        value["jobQueue"] = Value::from(queue.as_str());
        text += &value.to_string();
        text.push('\n');
    }
    text
}

fn status(text: &str) -> Result<JobStatus, String> {
    let names = || LIVE.iter().chain(&ENDED);
    let found = names().find(|status| status.as_str().eq_ignore_ascii_case(text));
    found.cloned().ok_or_else(|| {
        let names: Vec<String> = names()
            .map(|status| status.as_str().to_ascii_lowercase())
            .collect();
        format!("must be one of {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn jobs() -> Vec<Listed> {
        let job = |id: &str, name: &str, status: JobStatus, times: [Option<i64>; 3]| JobSummary {
            job_id: id.to_owned(),
            job_name: name.to_owned(),
            status: Some(status),
            created_at: times[0],
            started_at: times[1],
            stopped_at: times[2],
            ..JobSummary::default()
        };
        let array = JobSummary {
            array_properties: Some(ArrayPropertiesSummary {
                size: Some(20),
                status_summary: Some(BTreeMap::from([
                    ("SUCCEEDED".to_owned(), 15),
                    ("RUNNING".to_owned(), 5),
                    ("FAILED".to_owned(), 0),
                ])),
                ..ArrayPropertiesSummary::default()
            }),
            ..job("1c0e", "simulate", JobStatus::Pending, [Some(5_000), None, None])
        };
        let failed = JobSummary {
            status_reason: Some("Essential container in task exited".to_owned()),
            container: Some(ContainerSummary {
                exit_code: Some(137),
                reason: Some("OutOfMemoryError: container killed".to_owned()),
            }),
            ..job(
                "88aa",
                "align",
                JobStatus::Failed,
                [Some(1_000), Some(1_250), Some(61_250)],
            )
        };
        let running = job(
            "97bb",
            "sort",
            JobStatus::Running,
            [Some(3_000), Some(3_010), None],
        );
        [array, running, failed]
            .into_iter()
            .map(|job| Listed {
                queue: "default".to_owned(),
                job,
            })
            .collect()
    }

    #[test]
    fn jobs_are_rows() {
        let text = table(&jobs(), &BTreeMap::new(), 65_000, &TimeZone::UTC).render(None);
        expect![[r#"
            JOB   NAME      STATUS   QUEUE     WAIT    RUN  EXIT  REASON
            1c0e  simulate  PENDING  default  1m00s               20 jobs: 5 running, 15 succeeded
            97bb  sort      RUNNING  default   10ms  1m01s
            88aa  align     FAILED   default  250ms  1m00s   137  Essential container in task exited: OutOfMemoryError: container killed
        "#]].assert_eq(&anstream::adapter::strip_str(&text).to_string());
    }

    #[test]
    fn queued_jobs_have_an_expected_start() {
        let starts = ExpectedStart {
            p50: Some(125_000),
            ..ExpectedStart::default()
        };
        let expected = BTreeMap::from([("1c0e".to_owned(), starts)]);
        let text = table(&jobs()[..2], &expected, 65_000, &TimeZone::UTC).render(None);
        expect![[r#"
            JOB   NAME      STATUS   QUEUE     WAIT    STARTS    RUN  EXIT  REASON
            1c0e  simulate  PENDING  default  1m00s  00:02:05               20 jobs: 5 running, 15 succeeded
            97bb  sort      RUNNING  default   10ms            1m01s
        "#]]
        .assert_eq(&anstream::adapter::strip_str(&text).to_string());
    }

    #[test]
    fn jobs_are_json_lines() {
        expect![[r#"
            {"createdAt":3000,"jobId":"97bb","jobName":"sort","jobQueue":"default","startedAt":3010,"status":"RUNNING"}
        "#]].assert_eq(&json_lines(&jobs()[1..2]));
    }

    #[test]
    fn states_are_given_in_any_case() {
        assert_eq!(status("Runnable"), Ok(JobStatus::Runnable));
        expect!["must be one of submitted, pending, runnable, starting, running, succeeded, failed"]
            .assert_eq(&status("done").unwrap_err());
    }
}
