//! ListJobs (sections A4.19 to A4.25).

use batchyard_core::id::{JobId, Sequence};
use batchyard_core::job::JobStatus as CoreStatus;
use batchyard_core::time::Timestamp;
use batchyard_runtime::store::{JobCursor, JobFilter, JobQuery, JobScope, JobSummaryRow, Page, TextMatch};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    ArrayPropertiesSummary, ContainerSummary, JobCapacityUsageSummary, JobStatus, JobSummary, KeyValuesPair,
    ListJobsRequest, ListJobsResponse, NodePropertiesSummary,
};

use super::describe::{status_word, summary};
use crate::arn;
use crate::batch::job_definition::Reference;
use crate::batch::job_queue::is_service_queue;
use crate::batch::{Batch, job_names, page};

impl Batch {
    pub(in crate::batch) async fn list(&self, input: ListJobsRequest) -> Result<ListJobsResponse, Fault> {
        let ListJobsRequest {
            array_job_id,
            filters,
            job_queue,
            job_status,
            max_results,
            multi_node_job_id,
            next_token,
        } = input;
        let filters = filters.unwrap_or_default();
        let most = if filters.is_empty() {
            self.limits.list_jobs_page_items
        } else {
            self.limits.page_items
        };
        let limit = page::limit(max_results, most)?;
        let after = page::cursor(next_token.as_deref())?
            .map(|text| cursor(&text))
            .transpose()?;
        let nothing = || {
            Ok(ListJobsResponse {
                job_summary_list: Vec::new(),
                next_token: None,
            })
        };
        let scope = match (job_queue, array_job_id, multi_node_job_id) {
            (Some(queue), None, None) => {
                let queue = self.queue(&queue).await?;
                // Its jobs are in ListServiceJobs.
                if is_service_queue(&queue) {
                    return nothing();
                }
                JobScope::Queue(queue.id)
            }
            (None, Some(array), None) => match arn::name("job", &array).parse::<JobId>() {
                Ok(id) => JobScope::Array(id),
                // Nothing has such an id, so it has no children (own decision: as for unknown jobs elsewhere).
                Err(_) => return nothing(),
            },
            (None, None, Some(job)) => match arn::name("job", &job).parse::<JobId>() {
                Ok(id) => JobScope::Nodes(id),
                Err(_) => return nothing(),
            },
            // Own words.
            _ => {
                return Err(client_exception(
                    "Exactly one of jobQueue, arrayJobId and multiNodeJobId must be given.",
                ));
            }
        };
        let filter = filter(&filters)?;
        // Without a filter only one state is listed, RUNNING by default; filters look at all, but for that of shares, which combines
        // with a state that is given (sections A4.19, A4.21).
        let status = match (&filter, &job_status) {
            (Some(JobFilter::Share(_)), Some(status)) => Some(core_status(status)?),
            (Some(_), _) => None,
            (None, _) => Some(core_status(job_status.as_ref().unwrap_or(&JobStatus::Running))?),
        };
        let query = JobQuery {
            scope,
            status,
            filter,
            after,
            limit,
        };
        let Page { rows, next } = self.read(move |store| store.list_jobs(&query)).await?;
        Ok(ListJobsResponse {
            job_summary_list: rows.into_iter().map(|row| self.summary(row)).collect(),
            next_token: next.map(|cursor| page::token(&cursor_text(cursor))),
        })
    }

    fn summary(&self, row: JobSummaryRow) -> JobSummary {
        let JobSummaryRow {
            key,
            name,
            definition,
            vcpus,
            share,
            state,
            array,
            nodes,
        } = row;
        let (job_id, job_arn) = job_names(&self.account, key, nodes);
        let array_properties = match (key.child, array) {
            _ if nodes.is_some() => None,
            (Some(index), _) => Some(ArrayPropertiesSummary {
                index: i32::try_from(index).ok(),
                ..ArrayPropertiesSummary::default()
            }),
            (None, Some(array)) => Some(ArrayPropertiesSummary {
                index: None,
                size: i32::try_from(array.size).ok(),
                status_summary: Some(summary(array.counts)),
                status_summary_last_updated_at: Some(array.updated_at.as_millis()),
            }),
            (None, None) => None,
        };
        let has_container = state.exit_code.is_some() || state.reason.is_some();
        JobSummary {
            array_properties,
            capacity_usage: Some(vec![JobCapacityUsageSummary {
                capacity_unit: Some("VCPU".to_owned()),
                quantity: Some(f64::from(vcpus.0) / 1000.0),
            }]),
            container: has_container.then_some(ContainerSummary {
                exit_code: state.exit_code,
                reason: state.reason,
            }),
            created_at: Some(state.created_at.as_millis()),
            // Present only when true (section K2).
            is_cancelled: state.is_cancelled.then_some(true),
            is_terminated: state.is_terminated.then_some(true),
            job_arn: Some(job_arn),
            job_definition: Some(
                self.account
                    .definition(definition.name.as_str(), definition.revision),
            ),
            job_id,
            job_name: name,
            node_properties: nodes.map(|nodes| NodePropertiesSummary {
                is_main_node: key.child.map(|node| node == nodes.main),
                node_index: key.child.and_then(|node| i32::try_from(node).ok()),
                num_nodes: i32::try_from(nodes.count).ok(),
            }),
            share_identifier: share.map(String::from),
            started_at: state.started_at.map(|at| at.as_millis()),
            status: Some(status_word(state.status)),
            status_reason: state.status_reason,
            stopped_at: state.stopped_at.map(|at| at.as_millis()),
            ..JobSummary::default()
        }
    }
}

pub(in crate::batch) fn core_status(status: &JobStatus) -> Result<CoreStatus, Fault> {
    Ok(match status {
        JobStatus::Submitted => CoreStatus::Submitted,
        JobStatus::Pending => CoreStatus::Pending,
        JobStatus::Runnable => CoreStatus::Runnable,
        JobStatus::Starting => CoreStatus::Starting,
        JobStatus::Running => CoreStatus::Running,
        JobStatus::Succeeded => CoreStatus::Succeeded,
        JobStatus::Failed => CoreStatus::Failed,
        // Own words.
        JobStatus::Unknown(other) => {
            return Err(client_exception(format!(
                "jobStatus {other} is not a job status."
            )));
        }
    })
}

/// The one filter (section A4.22). The texts are our own.
pub(in crate::batch) fn filter(filters: &[KeyValuesPair]) -> Result<Option<JobFilter>, Fault> {
    let pair = match filters {
        [] => return Ok(None),
        [pair] => pair,
        _ => return Err(client_exception("Only one filter is allowed.")),
    };
    let name = pair.name.as_deref().unwrap_or_default();
    let [value] = pair.values.as_deref().unwrap_or_default() else {
        return Err(client_exception(format!(
            "The filter {name} needs exactly one value."
        )));
    };
    let time = || {
        let invalid = || {
            client_exception(format!(
                "The value of filter {name} must be a time in milliseconds, got {value}."
            ))
        };
        value.parse().map(Timestamp::from_millis).map_err(|_| invalid())
    };
    Ok(Some(match name {
        "JOB_NAME" => JobFilter::Name(text_match(value)),
        "JOB_DEFINITION" => definition(value),
        "BEFORE_CREATED_AT" => JobFilter::CreatedBefore(time()?),
        "AFTER_CREATED_AT" => JobFilter::CreatedAfter(time()?),
        "SHARE_IDENTIFIER" => JobFilter::Share(value.clone()),
        _ => return Err(client_exception(format!("{name} is not the name of a filter."))),
    }))
}

/// A name means all revisions, an ARN or `name:revision` one of them.
fn definition(value: &str) -> JobFilter {
    match Reference::parse(value) {
        Some(Reference::Revision(revision)) => JobFilter::Revision(revision),
        Some(Reference::Latest(name)) => JobFilter::Definition(TextMatch {
            text: name.to_string(),
            is_prefix: false,
        }),
        None => JobFilter::Definition(text_match(value)),
    }
}

fn text_match(value: &str) -> TextMatch {
    match value.strip_suffix('*') {
        Some(text) => TextMatch {
            text: text.to_owned(),
            is_prefix: true,
        },
        None => TextMatch {
            text: value.to_owned(),
            is_prefix: false,
        },
    }
}

pub(in crate::batch) fn cursor_text(cursor: JobCursor) -> String {
    match cursor {
        JobCursor::Sequence(Sequence(number)) => format!("s{number}"),
        JobCursor::Child(index) => format!("c{index}"),
    }
}

pub(in crate::batch) fn cursor(text: &str) -> Result<JobCursor, Fault> {
    let sequence = text.strip_prefix('s').and_then(|number| number.parse().ok());
    let child = text.strip_prefix('c').and_then(|index| index.parse().ok());
    match (sequence, child) {
        (Some(number), _) => Ok(JobCursor::Sequence(Sequence(number))),
        (_, Some(index)) => Ok(JobCursor::Child(index)),
        (None, None) => Err(client_exception("nextToken is not valid.")),
    }
}
