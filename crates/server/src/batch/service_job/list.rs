//! ListServiceJobs.

use batchyard_core::id::JobKey;
use batchyard_core::job::JobStatus as CoreStatus;
use batchyard_runtime::store::{JobFilter, JobQuery, JobRow, JobScope, Page};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    KeyValuesPair, LatestServiceJobAttempt, ListServiceJobsRequest, ListServiceJobsResponse,
    ServiceJobCapacityUsageSummary, ServiceJobStatus, ServiceJobSummary, ServiceJobType,
};

use super::{latest, service_jobs, status_word, training_job};
use crate::batch::job::list;
use crate::batch::job_queue::is_service_queue;
use crate::batch::{Batch, page};

/// The filter that only this list has.
const QUOTA_SHARE_NAME: &str = "QUOTA_SHARE_NAME";

impl Batch {
    pub(in crate::batch) async fn list_service(
        &self,
        input: ListServiceJobsRequest,
    ) -> Result<ListServiceJobsResponse, Fault> {
        let ListServiceJobsRequest {
            filters,
            job_queue,
            job_status,
            max_results,
            next_token,
        } = input;
        let limit = page::limit(max_results, self.limits.page_items)?;
        let after = page::cursor(next_token.as_deref())?
            .map(|text| list::cursor(&text))
            .transpose()?;
        // Own words.
        let queue = job_queue.ok_or_else(|| client_exception("jobQueue must be given."))?;
        let queue = self.queue(&queue).await?;
        let filter = filter(&filters.unwrap_or_default())?;
        // As of ListJobs: RUNNING by default, and only filters of shares combine with a state.
        let status = match (&filter, &job_status) {
            (Some(JobFilter::Share(_) | JobFilter::QuotaShare(_)), Some(status)) => Some(status),
            (Some(_), _) => None,
            (None, status) => Some(status.as_ref().unwrap_or(&ServiceJobStatus::Running)),
        };
        let none = ListServiceJobsResponse {
            job_summary_list: Vec::new(),
            next_token: None,
        };
        let status = status.map(core_status).transpose()?;
        if !is_service_queue(&queue) {
            return Ok(none);
        }
        let query = JobQuery {
            scope: JobScope::Queue(queue.id),
            status,
            filter,
            after,
            limit,
        };
        let (rows, next) = self
            .read(move |store| {
                let Page { rows, next } = store.list_jobs(&query)?;
                let keys: Vec<JobKey> = rows.iter().map(|row| row.key).collect();
                Ok((service_jobs(store, &keys)?, next))
            })
            .await?;
        Ok(ListServiceJobsResponse {
            job_summary_list: rows.iter().map(|row| self.service_summary(row)).collect(),
            next_token: next.map(|cursor| page::token(&list::cursor_text(cursor))),
        })
    }

    fn service_summary(&self, row: &JobRow) -> ServiceJobSummary {
        let claim = row.profile.service.as_ref();
        let state = &row.state;
        ServiceJobSummary {
            capacity_usage: claim.map(|claim| {
                vec![ServiceJobCapacityUsageSummary {
                    capacity_unit: Some(claim.unit.to_string()),
                    quantity: Some(f64::from(claim.count)),
                }]
            }),
            created_at: Some(state.created_at.as_millis()),
            // Present only when true (section K2).
            is_terminated: state.is_terminated.then_some(true),
            job_arn: Some(self.service_job_arn(row.key.id)),
            job_id: row.key.id.to_string(),
            job_name: row.content.name.clone(),
            latest_attempt: latest(row).map(|number| LatestServiceJobAttempt {
                service_resource_id: training_job(row, number),
            }),
            quota_share_name: claim
                .and_then(|claim| claim.quota_share.as_ref())
                .map(ToString::to_string),
            scheduled_at: row.scheduled_at.map(|at| at.as_millis()),
            service_job_type: ServiceJobType::SagemakerTraining,
            share_identifier: row
                .profile
                .share
                .as_ref()
                .map(|share| share.identifier.to_string())
                .filter(|identifier| !identifier.is_empty()),
            started_at: state.started_at.map(|at| at.as_millis()),
            status: Some(status_word(state.status)),
            status_reason: state.status_reason.clone(),
            stopped_at: state.stopped_at.map(|at| at.as_millis()),
        }
    }
}

fn core_status(status: &ServiceJobStatus) -> Result<CoreStatus, Fault> {
    // Own words.
    CoreStatus::parse(status.as_str())
        .ok_or_else(|| client_exception(format!("jobStatus {} is not a job status.", status.as_str())))
}

/// The one filter. The texts are our own.
fn filter(filters: &[KeyValuesPair]) -> Result<Option<JobFilter>, Fault> {
    match filters {
        [pair] if pair.name.as_deref() == Some(QUOTA_SHARE_NAME) => {
            match pair.values.as_deref().unwrap_or_default() {
                [value] => Ok(Some(JobFilter::QuotaShare(value.clone()))),
                _ => Err(client_exception(format!(
                    "The filter {QUOTA_SHARE_NAME} needs exactly one value."
                ))),
            }
        }
        [pair] if pair.name.as_deref() == Some("JOB_DEFINITION") => {
            Err(client_exception("JOB_DEFINITION is not the name of a filter."))
        }
        _ => list::filter(filters),
    }
}
