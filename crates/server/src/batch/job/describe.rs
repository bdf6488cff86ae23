//! DescribeJobs (sections A4.14 to A4.18).

use std::collections::{BTreeMap, BTreeSet};

use batchyard_core::array::StatusCounts;
use batchyard_core::id::{AttemptKey, AttemptNumber, InstanceId, JobKey, TaskId};
use batchyard_core::job::JobStatus as CoreStatus;
use batchyard_core::launch::LaunchSpec;
use batchyard_core::report::ContainerEnd;
use batchyard_runtime::launch::{stream, stream_of};
use batchyard_runtime::log::StreamName;
use batchyard_runtime::store::{ArrayRow, AttemptRow, JobRow, JobStateRow, PlaceRow};
use batchyard_wire::Fault;
use batchyard_wire::batch::{
    ArrayPropertiesDetail, AttemptContainerDetail, AttemptDetail, AttemptEcsTaskDetails,
    AttemptTaskContainerDetails, DescribeJobsRequest, DescribeJobsResponse, EcsPropertiesDetail, JobDetail,
    JobStatus, NodeDetails,
};

use super::document::JobDocument;
use super::work::Shown;
use super::{node, pod};
use crate::arn;
use crate::batch::{Batch, job_key, job_names, tags, wrapped};
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn describe(
        &self,
        caller: &Caller,
        input: DescribeJobsRequest,
    ) -> Result<DescribeJobsResponse, Fault> {
        let most = self.limits.describe_jobs;
        if input.jobs.len() > most {
            // The live service's words, with both spaces.
            let text = format!("Maximum number of jobs supported is  {most} .");
            return Err(wrapped(&text, caller));
        }
        let keys: Vec<JobKey> = input.jobs.iter().filter_map(|id| job_key(id)).collect();
        let rows = self.read(move |store| store.jobs(&keys)).await?;
        let asked: BTreeSet<&str> = input.jobs.iter().map(|id| arn::name("job", id)).collect();
        // Service jobs have a description of their own: to this call their identifiers are unknown ones.
        let rows = rows.into_iter().filter(|row| row.profile.service.is_none());
        let details = rows.map(|row| self.job_detail(row));
        // Children are not nodes, nor the other way round.
        let details = details.filter(|detail| asked.contains(detail.job_id.as_str()));
        Ok(DescribeJobsResponse {
            jobs: Some(details.collect()),
        })
    }

    /// What clients are shown of a job.
    pub(in crate::batch) fn job_detail(&self, row: JobRow) -> JobDetail {
        let JobRow {
            key,
            sequence: _,
            scheduled_at: _,
            queue,
            profile,
            content,
            dependencies: _,
            state,
            attempts,
            current,
            array,
            nodes,
        } = row;
        let (job_id, job_arn) = job_names(&self.account, key, nodes);
        // What runs of a multi-node parallel job as a whole is its main node.
        let runs = match (key.child, nodes) {
            (None, Some(nodes)) => JobKey::child(key.id, nodes.main),
            (_, _) => key,
        };
        let JobDocument {
            mut container,
            mut ecs_properties,
            mut eks_properties,
            mut node_properties,
            depends_on,
            parameters,
            retry_strategy,
            timeout,
            propagate_tags,
            platform_capabilities,
            scheduling_priority,
        } = JobDocument::read(&content.document);
        if let (Some(node), Some(properties)) = (key.child, &node_properties) {
            Shown {
                container,
                ecs: ecs_properties,
                eks: eks_properties,
            } = node::details(properties, node);
            node_properties = None;
        }
        let JobStateRow {
            status,
            status_reason,
            created_at,
            started_at,
            stopped_at,
            exit_code,
            reason,
            is_cancelled,
            is_terminated,
        } = state;
        // The latest attempt: the present one, else the last that ended.
        let is_live = current.is_some();
        let latest = current
            .map(|(number, place)| {
                (
                    number,
                    place,
                    started_at.is_some() && status == CoreStatus::Running,
                )
            })
            .or_else(|| {
                attempts
                    .last()
                    .map(|row| (row.attempt, row.place.clone(), row.started_at.is_some()))
            });
        let has_started = latest.as_ref().is_some_and(|(.., has_started)| *has_started);
        let run = latest
            .map(|(number, place, has_started)| self.run(runs, number, &place, &content.launch, has_started))
            .unwrap_or_default();
        let ends = match attempts.last() {
            Some(row) if status != CoreStatus::Running => row.containers.as_slice(),
            Some(_) | None => &[],
        };
        let ends = Ends {
            exit_code,
            reason: reason.as_deref(),
            containers: ends,
            has_started,
            is_live,
        };
        let names = task_names(ecs_properties.as_ref());
        let eks_attempts = match &eks_properties {
            Some(eks) => attempts.iter().map(|row| pod::attempt(runs, row, eks)).collect(),
            None => Vec::new(),
        };
        let mut detail = JobDetail {
            array_properties: array_properties(key, array.as_ref()).filter(|_| nodes.is_none()),
            node_details: key.child.zip(nodes).map(|(node, nodes)| NodeDetails {
                is_main_node: Some(node == nodes.main),
                node_index: i32::try_from(node).ok(),
            }),
            node_properties,
            attempts: Some(
                attempts
                    .iter()
                    .filter(|_| eks_properties.is_none())
                    .map(|row| self.attempt(runs, row, &content.launch, names.as_deref()))
                    .collect(),
            ),
            consumable_resource_properties: self.consumables_shown(&profile.consumables),
            container,
            created_at: Some(created_at.as_millis()),
            depends_on: Some(depends_on),
            ecs_properties,
            eks_attempts: Some(eks_attempts),
            eks_properties,
            is_cancelled: Some(is_cancelled),
            is_terminated: Some(is_terminated),
            job_arn: Some(job_arn),
            job_definition: self
                .account
                .definition(content.definition.as_str(), content.revision),
            job_id,
            job_name: content.name,
            job_queue: self.account.queue(queue.as_str()),
            parameters: Some(parameters),
            platform_capabilities: Some(platform_capabilities),
            propagate_tags: Some(propagate_tags),
            retry_strategy,
            share_identifier: profile.share.as_ref().map(|share| share.identifier.to_string()),
            scheduling_priority: profile
                .share
                .as_ref()
                .map(|share| i32::from(share.priority))
                .or(scheduling_priority),
            started_at: started_at.map(|at| at.as_millis()),
            status: status_word(status),
            status_reason,
            stopped_at: stopped_at.map(|at| at.as_millis()),
            tags: Some(if key.child.is_some() {
                BTreeMap::new()
            } else {
                tags::map(content.tags)
            }),
            // The timeout is each child's, not the parent's (section B8.3).
            timeout: timeout.filter(|_| array.is_none()),
        };
        if let Some(container) = &mut detail.container {
            container.exit_code = exit_code;
            container.reason = reason;
            container.task_arn = run.task_arn;
            container.container_instance_arn = run.container_instance_arn;
            container.log_stream_name = run.streams.into_iter().next().flatten();
        } else if let Some(task) = detail
            .ecs_properties
            .as_mut()
            .and_then(|ecs| ecs.task_properties.as_mut()?.first_mut())
        {
            let containers = task.containers.iter_mut().flatten().enumerate();
            for ((index, container), stream) in containers.zip(run.streams) {
                let End {
                    exit_code,
                    reason,
                    has_stream,
                } = ends.of(index);
                container.exit_code = exit_code;
                container.reason = reason;
                container.log_stream_name = stream.filter(|_| has_stream);
            }
            task.task_arn = run.task_arn;
            task.container_instance_arn = run.container_instance_arn;
        } else if let Some(pod) = detail
            .eks_properties
            .as_mut()
            .and_then(|eks| eks.pod_properties.as_mut())
        {
            pod::fill(pod, run.attempt, run.node, |index| {
                let End {
                    exit_code, reason, ..
                } = ends.of(index);
                (exit_code, reason)
            });
        }
        detail
    }

    fn attempt(
        &self,
        key: JobKey,
        row: &AttemptRow,
        launch: &LaunchSpec,
        names: Option<&[Option<String>]>,
    ) -> AttemptDetail {
        let AttemptRow {
            attempt,
            place,
            started_at,
            stopped_at,
            exit_code,
            reason,
            status_reason,
            containers,
            is_preempted: _,
        } = row;
        let Run {
            task_arn,
            container_instance_arn,
            streams,
            ..
        } = self.run(key, *attempt, place, launch, started_at.is_some());
        let mut detail = AttemptDetail {
            started_at: started_at.map(|at| at.as_millis()),
            stopped_at: Some(stopped_at.as_millis()),
            status_reason: Some(status_reason.clone()),
            ..AttemptDetail::default()
        };
        let ends = Ends {
            exit_code: *exit_code,
            reason: reason.as_deref(),
            containers,
            has_started: started_at.is_some(),
            is_live: false,
        };
        if let Some(names) = names {
            let container = |((index, name), stream): ((usize, &Option<String>), Option<String>)| {
                let End {
                    exit_code,
                    reason,
                    has_stream,
                } = ends.of(index);
                AttemptTaskContainerDetails {
                    exit_code,
                    log_stream_name: stream.filter(|_| has_stream),
                    name: name.clone(),
                    network_interfaces: Some(Vec::new()),
                    reason,
                }
            };
            let containers = names.iter().enumerate().zip(streams).map(container);
            detail.task_properties = Some(vec![AttemptEcsTaskDetails {
                container_instance_arn,
                containers: Some(containers.collect()),
                task_arn,
            }]);
        } else {
            detail.container = Some(AttemptContainerDetail {
                container_instance_arn,
                exit_code: *exit_code,
                log_stream_name: streams.into_iter().next().flatten(),
                network_interfaces: Some(Vec::new()),
                reason: reason.clone(),
                task_arn,
            });
        }
        detail
    }

    fn run(
        &self,
        key: JobKey,
        number: AttemptNumber,
        place: &PlaceRow,
        launch: &LaunchSpec,
        has_started: bool,
    ) -> Run {
        let PlaceRow {
            placement,
            environment,
        } = place;
        let attempt = AttemptKey {
            job: key,
            attempt: number,
        };
        let name = environment.as_str();
        Run {
            task_arn: Some(self.account.task(name, placement.environment, attempt)),
            container_instance_arn: Some(self.account.container_instance(
                name,
                placement.environment,
                placement.instance,
            )),
            streams: streams(launch, TaskId::of(attempt), has_started),
            attempt: Some(attempt),
            node: placement.instance,
        }
    }
}

/// Where an attempt runs, in ECS's names.
#[derive(Default)]
struct Run {
    task_arn: Option<String>,
    container_instance_arn: Option<String>,
    /// Of each container; at least one.
    streams: Vec<Option<String>>,
    attempt: Option<AttemptKey>,
    node: Option<InstanceId>,
}

/// How the containers of an attempt ended.
struct Ends<'a> {
    /// Of the attempt as a whole.
    exit_code: Option<i32>,
    reason: Option<&'a str>,
    /// Of each container of a task; empty where there is one, and where none got as far as to end.
    containers: &'a [ContainerEnd],
    /// Whether the attempt whose streams are shown has started.
    has_started: bool,
    /// Whether that is a later one, which has not ended.
    is_live: bool,
}

/// How one container ended.
struct End {
    exit_code: Option<i32>,
    reason: Option<String>,
    has_stream: bool,
}

impl Ends<'_> {
    fn of(&self, index: usize) -> End {
        match self.containers.get(index) {
            Some(end) => End {
                exit_code: end.exit_code,
                reason: end.reason.clone(),
                has_stream: if self.is_live {
                    self.has_started
                } else {
                    end.has_started
                },
            },
            None => End {
                exit_code: self.exit_code,
                reason: self.reason.map(str::to_owned),
                has_stream: self.has_started,
            },
        }
    }
}

/// The log stream of each container of an attempt, shown from RUNNING on (section F5.2); of tasks also before, as one of its containers may
/// have run without the others.
fn streams(launch: &LaunchSpec, task: TaskId, has_started: bool) -> Vec<Option<String>> {
    let name = |name: StreamName| name.stream;
    match launch.runner.containers() {
        [] => vec![stream(launch, task).filter(|_| has_started).map(name)],
        containers => containers
            .iter()
            .map(|container| container.log.as_ref().map(|log| name(stream_of(log, task))))
            .collect(),
    }
}

/// The names of a task's containers, if it is one.
fn task_names(ecs: Option<&EcsPropertiesDetail>) -> Option<Vec<Option<String>>> {
    let task = ecs?.task_properties.as_ref()?.first()?;
    let names = task.containers.iter().flatten();
    Some(names.map(|container| container.name.clone()).collect())
}

fn array_properties(key: JobKey, array: Option<&ArrayRow>) -> Option<ArrayPropertiesDetail> {
    if let Some(index) = key.child {
        return Some(ArrayPropertiesDetail {
            index: i32::try_from(index).ok(),
            ..ArrayPropertiesDetail::default()
        });
    }
    let ArrayRow {
        size,
        counts,
        updated_at,
    } = array?;
    Some(ArrayPropertiesDetail {
        index: None,
        size: i32::try_from(*size).ok(),
        status_summary: Some(summary(*counts)),
        status_summary_last_updated_at: Some(updated_at.as_millis()),
    })
}

/// All seven states, zeros included (section B10.4).
pub(super) fn summary(counts: StatusCounts) -> BTreeMap<String, i32> {
    let StatusCounts {
        pending,
        runnable,
        starting,
        running,
        succeeded,
        failed,
    } = counts;
    [
        ("SUBMITTED", 0),
        ("PENDING", pending),
        ("RUNNABLE", runnable),
        ("STARTING", starting),
        ("RUNNING", running),
        ("SUCCEEDED", succeeded),
        ("FAILED", failed),
    ]
    .into_iter()
    .map(|(status, count)| (status.to_owned(), i32::try_from(count).unwrap_or(i32::MAX)))
    .collect()
}

/// A state in the wire's words.
pub(in crate::batch) fn status_word(status: CoreStatus) -> JobStatus {
    match status {
        CoreStatus::Submitted => JobStatus::Submitted,
        CoreStatus::Pending => JobStatus::Pending,
        CoreStatus::Runnable => JobStatus::Runnable,
        // Only service jobs are ever SCHEDULED, and these are described otherwise.
        CoreStatus::Scheduled | CoreStatus::Starting => JobStatus::Starting,
        CoreStatus::Running => JobStatus::Running,
        CoreStatus::Succeeded => JobStatus::Succeeded,
        CoreStatus::Failed => JobStatus::Failed,
    }
}
