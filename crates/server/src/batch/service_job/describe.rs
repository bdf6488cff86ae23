//! DescribeServiceJob.

use batchyard_runtime::store::{AttemptRow, JobRow, JobStateRow};
use batchyard_wire::Fault;
use batchyard_wire::batch::{
    DescribeServiceJobRequest, DescribeServiceJobResponse, LatestServiceJobAttempt, ServiceJobAttemptDetail,
    ServiceJobCapacityUsageDetail, ServiceJobPreemptedAttempt, ServiceJobPreemptionSummary, ServiceJobType,
};

use super::{ServiceJobDocument, latest, status_word, training_job};
use crate::batch::{Batch, tags};
use crate::limits::PREEMPTED_ATTEMPTS_SHOWN_MAX;

impl Batch {
    pub(in crate::batch) async fn describe_service(
        &self,
        input: &DescribeServiceJobRequest,
    ) -> Result<DescribeServiceJobResponse, Fault> {
        let row = self.service_job(&input.job_id).await?;
        Ok(self.service_detail(row))
    }

    /// What clients are shown of a service job.
    pub(in crate::batch) fn service_detail(&self, row: JobRow) -> DescribeServiceJobResponse {
        let ServiceJobDocument {
            payload,
            retry_strategy,
            timeout_config,
            preemption_configuration,
        } = ServiceJobDocument::read(&row.content.document);
        let attempt = |attempt: &AttemptRow| ServiceJobAttemptDetail {
            service_resource_id: training_job(&row, attempt.attempt),
            started_at: attempt.started_at.map(|at| at.as_millis()),
            status_reason: Some(attempt.status_reason.clone()),
            stopped_at: Some(attempt.stopped_at.as_millis()),
        };
        // Those that gave way are told apart (section C4.3).
        let counted = row.attempts.iter().filter(|attempt| !attempt.is_preempted);
        let attempts = counted.map(attempt).collect();
        let preempted = row.attempts.iter().rev().filter(|attempt| attempt.is_preempted);
        let preemption_summary = summary(&row, preempted);
        let latest_attempt = latest(&row).map(|number| LatestServiceJobAttempt {
            service_resource_id: training_job(&row, number),
        });
        let JobRow {
            key,
            queue,
            profile,
            content,
            state,
            scheduled_at,
            ..
        } = row;
        let JobStateRow {
            status,
            status_reason,
            created_at,
            started_at,
            stopped_at,
            exit_code: _,
            reason: _,
            is_cancelled: _,
            is_terminated,
        } = state;
        let share = profile.share.as_ref();
        DescribeServiceJobResponse {
            attempts: Some(attempts),
            capacity_usage: profile.service.as_ref().map(|claim| {
                vec![ServiceJobCapacityUsageDetail {
                    capacity_unit: Some(claim.unit.to_string()),
                    quantity: Some(f64::from(claim.count)),
                }]
            }),
            created_at: Some(created_at.as_millis()),
            is_terminated: Some(is_terminated),
            job_arn: Some(self.service_job_arn(key.id)),
            job_id: key.id.to_string(),
            job_name: content.name,
            job_queue: self.account.queue(queue.as_str()),
            latest_attempt,
            preemption_configuration,
            preemption_summary,
            quota_share_name: profile
                .service
                .and_then(|claim| claim.quota_share)
                .map(|name| name.to_string()),
            retry_strategy,
            scheduled_at: scheduled_at.map(|at| at.as_millis()),
            scheduling_priority: share.map(|share| i32::from(share.priority)),
            service_job_type: ServiceJobType::SagemakerTraining,
            service_request_payload: Some(payload),
            share_identifier: share
                .map(|share| share.identifier.to_string())
                .filter(|identifier| !identifier.is_empty()),
            started_at: started_at.map(|at| at.as_millis()),
            status: status_word(status),
            status_reason,
            stopped_at: stopped_at.map(|at| at.as_millis()),
            tags: Some(tags::map(content.tags)),
            timeout_config,
        }
    }
}

/// The attempts that gave way to other jobs, latest first; none if none did.
fn summary<'a>(
    row: &JobRow,
    preempted: impl Iterator<Item = &'a AttemptRow> + Clone,
) -> Option<ServiceJobPreemptionSummary> {
    let recent = preempted.clone().take(PREEMPTED_ATTEMPTS_SHOWN_MAX);
    let recent = recent.map(|attempt| ServiceJobPreemptedAttempt {
        service_resource_id: training_job(row, attempt.attempt),
        started_at: attempt.started_at.map(|at| at.as_millis()),
        status_reason: Some(attempt.status_reason.clone()),
        stopped_at: Some(attempt.stopped_at.as_millis()),
    });
    let count = preempted.clone().count();
    (count > 0).then(|| ServiceJobPreemptionSummary {
        preempted_attempt_count: i32::try_from(count).ok(),
        recent_preempted_attempts: Some(recent.collect()),
    })
}
