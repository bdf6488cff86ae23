//! Jobs as the API describes them, in the few facts that commands look at.

use std::fmt;

use batchyard_wire::batch::{DescribeJobsRequest, JobDetail, JobStatus, TaskContainerDetails};

use crate::client::{CallError, Client};
use crate::duration::Milliseconds;
use crate::tail::LogStream;

/// Jobs that one DescribeJobs names at most (AWS's limit).
pub(crate) const DESCRIBED_MAX: usize = 100;

/// The status reason of a job whose program ended (section B.4).
const ENDED_BY_ITSELF: &str = "Essential container in task exited";

/// The log group of jobs whose definition names none.
const LOG_GROUP: &str = "/aws/batch/job";

/// A job's id; a child's is its array job's with `:` and an index, a node's its job's with `#` and an index.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct JobId(String);

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// With exit code 0.
    Succeeded,
    /// It ran and its exit code says that it failed.
    Exited {
        /// 1 to 255, 128 and more for signals.
        code: u8,
        /// What others did to it: memory used up, time over, terminated. None if it ended by itself.
        reason: Option<String>,
    },
    /// It failed without an exit code that says so.
    Failed(String),
}

/// There is no such job (any more).
#[derive(Debug, thiserror::Error)]
#[error("there is no job {0}")]
pub(crate) struct NoSuchJob(pub(crate) JobId);

/// When what happened to a job, in milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) created_at: Option<i64>,
    pub(crate) started_at: Option<i64>,
    pub(crate) stopped_at: Option<i64>,
}

impl JobId {
    /// The id of an array job's child.
    pub(crate) fn child(&self, index: u32) -> JobId {
        JobId(format!("{self}:{index}"))
    }

    /// The id of a node of a multi-node parallel job.
    pub(crate) fn node(&self, index: i32) -> JobId {
        JobId(format!("{self}#{index}"))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for JobId {
    /// An id, or an ARN that ends with one.
    fn from(text: String) -> JobId {
        match text.rsplit_once(":job/") {
            Some((_, id)) if text.starts_with("arn:") => JobId(id.to_owned()),
            _ => JobId(text),
        }
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The jobs, without those that there are not.
pub(crate) async fn describe(client: &Client, ids: &[JobId]) -> Result<Vec<JobDetail>, CallError> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(DESCRIBED_MAX) {
        let jobs = ids.iter().map(ToString::to_string).collect();
        let answer = client.call(&DescribeJobsRequest { jobs }).await?;
        found.extend(answer.jobs.unwrap_or_default());
    }
    Ok(found)
}

/// The job.
///
/// # Errors
/// [`NoSuchJob`], or what the call fails with.
pub(crate) async fn describe_one(client: &Client, id: &JobId) -> anyhow::Result<JobDetail> {
    let found = describe(client, std::slice::from_ref(id)).await?;
    Ok(found.into_iter().next().ok_or_else(|| NoSuchJob(id.clone()))?)
}

/// Whether nothing more will happen to a job in this state.
pub(crate) fn is_terminal(status: &JobStatus) -> bool {
    matches!(status, JobStatus::Succeeded | JobStatus::Failed)
}

/// How the job ended; `None` if it has not.
pub(crate) fn end(job: &JobDetail) -> Option<End> {
    match &job.status {
        JobStatus::Succeeded => Some(End::Succeeded),
        JobStatus::Failed => {
            let code = container_end(job)
                .0
                .and_then(|code| u8::try_from(code).ok())
                .filter(|code| *code != 0);
            Some(match code {
                Some(code) => End::Exited {
                    code,
                    reason: foreign_reason(job),
                },
                None => End::Failed(reason(job).unwrap_or_else(|| "for no reason that is known".to_owned())),
            })
        }
        _ => None,
    }
}

/// The exit code and the reason that count: the container's, of a task those of the first essential container that did not succeed.
fn container_end(job: &JobDetail) -> (Option<i32>, Option<&str>) {
    if let Some(container) = &job.container {
        return (container.exit_code, container.reason.as_deref());
    }
    let pods = job.eks_properties.iter().flat_map(|eks| &eks.pod_properties);
    let pods = pods.flat_map(|pod| pod.containers.iter().flatten());
    let pods = pods.map(|container| (container.exit_code, container.reason.as_deref()));
    let essential = task_containers(job).filter(|container| container.essential != Some(false));
    let essential = essential.map(|container| (container.exit_code, container.reason.as_deref()));
    let mut ends = pods.chain(essential);
    ends.find(|(code, reason)| code.is_none_or(|code| code != 0) || reason.is_some())
        .unwrap_or_default()
}

fn task_containers(job: &JobDetail) -> impl Iterator<Item = &TaskContainerDetails> {
    let tasks = job
        .ecs_properties
        .iter()
        .flat_map(|ecs| ecs.task_properties.iter().flatten());
    tasks.flat_map(|task| task.containers.iter().flatten())
}

/// Why the job is in its state: what the server says, and what the engine says of the container.
pub(crate) fn reason(job: &JobDetail) -> Option<String> {
    let (_, container) = container_end(job);
    joined(job.status_reason.as_deref(), container)
}

/// Why the job ended, unless it did so by itself.
fn foreign_reason(job: &JobDetail) -> Option<String> {
    let (_, container) = container_end(job);
    let status = job.status_reason.as_deref();
    joined(status.filter(|reason| *reason != ENDED_BY_ITSELF), container)
}

/// The two reasons as one, without saying the same thing twice.
pub(crate) fn joined(status: Option<&str>, container: Option<&str>) -> Option<String> {
    match (status, container) {
        (Some(status), Some(container)) if !status.contains(container) => {
            Some(format!("{status}: {container}"))
        }
        (Some(reason), _) | (None, Some(reason)) => Some(reason.to_owned()),
        (None, None) => None,
    }
}

/// Where the output of the job's attempts is, in their order, each with one stream or, of a task, several; those that wrote nowhere
/// are missing.
pub(crate) fn streams(job: &JobDetail) -> Vec<Vec<LogStream>> {
    let container = job.container.as_ref();
    let attempts = job.attempts.iter().flatten();
    let ended = attempts
        .clone()
        .filter_map(|attempt| attempt.container.as_ref()?.log_stream_name.as_deref());
    let current = container.and_then(|container| container.log_stream_name.as_deref());
    let group = container.and_then(|container| container.log_configuration.as_ref());
    let single = ended.chain(current).map(|name| (group, name));
    let tasks = attempts.flat_map(|attempt| attempt.task_properties.iter().flatten());
    let ended = tasks.flat_map(|task| task.containers.iter().flatten());
    let ended = ended.filter_map(|end| Some((end.name.as_deref(), end.log_stream_name.as_deref()?)));
    let current = task_containers(job)
        .filter_map(|container| Some((container.name.as_deref(), container.log_stream_name.as_deref()?)));
    let of_tasks = ended.chain(current).map(|(name, stream)| {
        let container = task_containers(job).find(|container| container.name.as_deref() == name);
        (
            container.and_then(|container| container.log_configuration.as_ref()),
            stream,
        )
    });
    // The last part of a stream's name is its attempt's.
    let attempt = |stream: &LogStream| stream.name.rsplit('/').next().map(str::to_owned);
    let mut attempts: Vec<Vec<LogStream>> = Vec::new();
    for (log, name) in single.chain(of_tasks).filter(|(_, name)| !name.is_empty()) {
        let group = log.and_then(|log| log.options.as_ref()?.get("awslogs-group"));
        let stream = LogStream {
            group: group.map_or(LOG_GROUP, String::as_str).to_owned(),
            name: name.to_owned(),
        };
        let present = attempts
            .iter_mut()
            .find(|streams| streams.first().and_then(attempt) == attempt(&stream));
        match present {
            Some(streams) if streams.contains(&stream) => {}
            Some(streams) => streams.push(stream),
            None => attempts.push(vec![stream]),
        }
    }
    attempts
}

impl Times {
    /// Those of a described job.
    pub(crate) fn of(job: &JobDetail) -> Times {
        Times {
            created_at: job.created_at,
            started_at: job.started_at,
            stopped_at: job.stopped_at,
        }
    }

    /// From submission to start, or until `now` for a job that waits.
    pub(crate) fn wait(&self, now: i64) -> Option<Milliseconds> {
        let until = self.started_at.or(self.stopped_at).unwrap_or(now);
        Some(Milliseconds::between(self.created_at?, until))
    }

    /// From start to end, or until `now` for a job that runs.
    pub(crate) fn run(&self, now: i64) -> Option<Milliseconds> {
        Some(Milliseconds::between(
            self.started_at?,
            self.stopped_at.unwrap_or(now),
        ))
    }
}

#[cfg(test)]
mod tests {
    use batchyard_wire::batch::{
        AttemptContainerDetail, AttemptDetail, AttemptEcsTaskDetails, AttemptTaskContainerDetails,
        ContainerDetail,
    };
    use expect_test::expect;

    use super::*;

    fn failed(exit_code: Option<i32>) -> JobDetail {
        JobDetail {
            status: JobStatus::Failed,
            status_reason: Some("Task failed to start".to_owned()),
            container: Some(ContainerDetail {
                exit_code,
                reason: Some("no such image".to_owned()),
                ..ContainerDetail::default()
            }),
            ..JobDetail::default()
        }
    }

    #[test]
    fn ends_keep_exit_codes_that_tell_of_failure() {
        let ends = [Some(3), Some(137), Some(0), Some(-1), Some(256), None].map(|code| end(&failed(code)));
        let by_itself = |reason: Option<&str>| {
            end(&JobDetail {
                status_reason: Some(ENDED_BY_ITSELF.to_owned()),
                container: Some(ContainerDetail {
                    exit_code: Some(137),
                    reason: reason.map(str::to_owned),
                    ..ContainerDetail::default()
                }),
                ..failed(None)
            })
        };
        let (code, oom) = (137, "OutOfMemoryError: Container killed due to memory usage");
        assert_eq!(by_itself(None), Some(End::Exited { code, reason: None }));
        let reason = Some(oom.to_owned());
        assert_eq!(by_itself(Some(oom)), Some(End::Exited { code, reason }));
        expect![[r#"
            [
                Some(
                    Exited {
                        code: 3,
                        reason: Some(
                            "Task failed to start: no such image",
                        ),
                    },
                ),
                Some(
                    Exited {
                        code: 137,
                        reason: Some(
                            "Task failed to start: no such image",
                        ),
                    },
                ),
                Some(
                    Failed(
                        "Task failed to start: no such image",
                    ),
                ),
                Some(
                    Failed(
                        "Task failed to start: no such image",
                    ),
                ),
                Some(
                    Failed(
                        "Task failed to start: no such image",
                    ),
                ),
                Some(
                    Failed(
                        "Task failed to start: no such image",
                    ),
                ),
            ]
        "#]]
        .assert_debug_eq(&ends);
        let running = JobDetail {
            status: JobStatus::Running,
            ..failed(None)
        };
        assert_eq!(end(&running), None);
    }

    #[test]
    fn streams_are_those_of_all_attempts_once() {
        let attempt = |name: Option<&str>| AttemptDetail {
            container: Some(AttemptContainerDetail {
                log_stream_name: name.map(str::to_owned),
                ..AttemptContainerDetail::default()
            }),
            ..AttemptDetail::default()
        };
        let job = JobDetail {
            attempts: Some(vec![
                attempt(Some("d/default/1")),
                attempt(None),
                attempt(Some("d/default/2")),
            ]),
            container: Some(ContainerDetail {
                log_stream_name: Some("d/default/2".to_owned()),
                ..ContainerDetail::default()
            }),
            ..JobDetail::default()
        };
        let names = streams(&job).into_iter().flatten().map(|stream| stream.name);
        assert_eq!(names.collect::<Vec<_>>(), ["d/default/1", "d/default/2"]);
    }

    #[test]
    fn a_tasks_attempts_have_a_stream_for_each_container() {
        let task = |id: u8| AttemptEcsTaskDetails {
            containers: Some(
                ["side", "app"]
                    .map(|name| AttemptTaskContainerDetails {
                        name: Some(name.to_owned()),
                        log_stream_name: Some(format!("d/{name}/{id}")),
                        ..AttemptTaskContainerDetails::default()
                    })
                    .into(),
            ),
            ..AttemptEcsTaskDetails::default()
        };
        let attempt = |id| AttemptDetail {
            task_properties: Some(vec![task(id)]),
            ..AttemptDetail::default()
        };
        let job = JobDetail {
            attempts: Some(vec![attempt(1), attempt(2)]),
            ..JobDetail::default()
        };
        let attempts = streams(&job).into_iter();
        let names = attempts.map(|streams| streams.into_iter().map(|stream| stream.name).collect());
        let names: Vec<Vec<String>> = names.collect();
        assert_eq!(names, [["d/side/1", "d/app/1"], ["d/side/2", "d/app/2"]]);
    }

    #[test]
    fn ids_may_be_given_as_arns() {
        for (given, id) in [
            ("5f1c:3", "5f1c:3"),
            ("arn:aws:batch:us-east-1:000000000000:job/5f1c", "5f1c"),
            ("arn:aws:batch:us-east-1:000000000000:job/5f1c:3", "5f1c:3"),
        ] {
            assert_eq!(JobId::from(given.to_owned()).as_str(), id);
        }
    }

    #[test]
    fn times_go_on_until_something_ends_them() {
        let times = |created_at, started_at, stopped_at| {
            let times = Times {
                created_at,
                started_at,
                stopped_at,
            };
            let shown =
                |span: Option<Milliseconds>| span.map_or_else(|| "-".to_owned(), |span| span.to_string());
            format!("{} {}", shown(times.wait(9_000)), shown(times.run(9_000)))
        };
        assert_eq!(times(Some(1_000), None, None), "8.0s -");
        assert_eq!(times(Some(1_000), Some(2_000), None), "1.0s 7.0s");
        assert_eq!(times(Some(1_000), Some(2_000), Some(2_500)), "1.0s 500ms");
        assert_eq!(times(Some(1_000), None, Some(4_000)), "3.0s -");
    }
}
