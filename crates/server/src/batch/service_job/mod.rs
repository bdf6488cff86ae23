//! Service jobs (section A.8): jobs that a service runs, described by a request of that service.
//!
//! The one service is SageMaker training. Its requests are read by `payload`, and run here as a container with the folders and
//! variables of a training job.

mod describe;
mod list;
mod payload;
mod stop;
mod submit;
mod update;

use batchyard_core::change::Document;
use batchyard_core::id::{AttemptKey, AttemptNumber, JobId, JobKey, TaskId};
use batchyard_core::job::JobStatus as CoreStatus;
use batchyard_runtime::store::{JobRow, Store, StoreError};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    ServiceJobPreemptionConfiguration, ServiceJobRetryStrategy, ServiceJobStatus, ServiceJobTimeout,
    ServiceResourceId, ServiceResourceIdName,
};
use serde::{Deserialize, Serialize};

use super::Batch;
use crate::arn;

/// What the store keeps in the client's words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ServiceJobDocument {
    payload: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_strategy: Option<ServiceJobRetryStrategy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_config: Option<ServiceJobTimeout>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preemption_configuration: Option<ServiceJobPreemptionConfiguration>,
}

impl ServiceJobDocument {
    fn write(&self) -> Document {
        let text = serde_json::to_string(self).expect("documents of service jobs have only text keys");
        Document(text.into())
    }

    /// Reads what this server, or an older one, wrote.
    fn read(document: &Document) -> ServiceJobDocument {
        serde_json::from_str(&document.0)
            .expect("the server wrote the document itself, and the store keeps it")
    }
}

/// The id in a reference to a service job, an id or an ARN.
fn job_id(reference: &str) -> Option<JobId> {
    arn::name("service-job", reference).parse().ok()
}

/// Own words (section L.1).
fn not_found(reference: &str) -> Fault {
    client_exception(format!("ServiceJob {reference} not found."))
}

/// The service jobs among these.
fn service_jobs(store: &dyn Store, keys: &[JobKey]) -> Result<Vec<JobRow>, StoreError> {
    let mut rows = store.jobs(keys)?;
    rows.retain(|row| row.profile.service.is_some());
    Ok(rows)
}

impl Batch {
    /// The service job that a reference names.
    ///
    /// # Errors
    /// Also when there is none.
    async fn service_job(&self, reference: &str) -> Result<JobRow, Fault> {
        let key = JobKey::whole(job_id(reference).ok_or_else(|| not_found(reference))?);
        let rows = self.read(move |store| service_jobs(store, &[key])).await?;
        rows.into_iter().next().ok_or_else(|| not_found(reference))
    }

    /// The ARN of a service job.
    pub(super) fn service_job_arn(&self, id: JobId) -> String {
        self.account.batch(&format!("service-job/{id}"))
    }
}

/// The training job that an attempt is.
fn training_job(row: &JobRow, attempt: AttemptNumber) -> Option<ServiceResourceId> {
    let training = row.content.launch.training.as_ref()?;
    let task = TaskId::of(AttemptKey {
        job: row.key,
        attempt,
    });
    Some(ServiceResourceId {
        name: ServiceResourceIdName::TrainingJobArn,
        value: training.job_arn(task),
    })
}

/// The number of the latest attempt: the present one, else the last that ended.
fn latest(row: &JobRow) -> Option<AttemptNumber> {
    let present = row.current.as_ref().map(|(number, _)| *number);
    present.or_else(|| row.attempts.last().map(|attempt| attempt.attempt))
}

/// A state in the wire's words.
fn status_word(status: CoreStatus) -> ServiceJobStatus {
    match status {
        CoreStatus::Submitted => ServiceJobStatus::Submitted,
        CoreStatus::Pending => ServiceJobStatus::Pending,
        CoreStatus::Runnable => ServiceJobStatus::Runnable,
        CoreStatus::Scheduled => ServiceJobStatus::Scheduled,
        CoreStatus::Starting => ServiceJobStatus::Starting,
        CoreStatus::Running => ServiceJobStatus::Running,
        CoreStatus::Succeeded => ServiceJobStatus::Succeeded,
        CoreStatus::Failed => ServiceJobStatus::Failed,
    }
}
