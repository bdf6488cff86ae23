//! Job queues.

mod check;
mod create;
mod delete;
mod describe;
mod snapshot;
mod update;

use batchyard_core::change::Document;
use batchyard_core::name::{EnvironmentKind, EnvironmentName, QueueName};
use batchyard_runtime::store::{QueueRow, Select};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{JobQueueType, JobStateTimeLimitAction};
use serde::{Deserialize, Serialize};

use super::Batch;
use crate::arn;

/// What the store keeps in the client's words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct QueueDocument {
    /// The `order` of each environment, ascending like the environments of the row.
    orders: Vec<i32>,
    job_queue_type: JobQueueType,
    job_state_time_limit_actions: Vec<JobStateTimeLimitAction>,
}

impl QueueDocument {
    fn write(&self) -> Document {
        let text = serde_json::to_string(self).expect("documents of queues have only text keys");
        Document(text.into())
    }

    /// Reads what this server, or an older one, wrote.
    fn read(document: &Document) -> QueueDocument {
        serde_json::from_str(&document.0)
            .expect("the server wrote the document itself, and the store keeps it")
    }
}

/// Whether the queue is one of service jobs.
pub(super) fn is_service_queue(row: &QueueRow) -> bool {
    let is_service = |name: &EnvironmentName| name.kind() == EnvironmentKind::Service;
    row.environments.iter().any(is_service)
}

impl Batch {
    /// The queue that a reference (name or ARN) names.
    ///
    /// # Errors
    /// Also when there is none.
    pub(super) async fn queue(&self, reference: &str) -> Result<QueueRow, Fault> {
        // Own words (section L.1).
        let not_found = || client_exception(format!("JobQueue {reference} not found."));
        let name = QueueName::parse(arn::name("job-queue", reference)).map_err(|_| not_found())?;
        let page = self
            .read(move |store| store.queues(&Select::Named(vec![name])))
            .await?;
        page.rows.into_iter().next().ok_or_else(not_found)
    }
}
