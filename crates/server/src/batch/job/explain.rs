//! Why a job is where it is: Batchyard's own operation, `GET /batchyard/v1/explain/ID`.

use batchyard_core::id::NodeKey;
use batchyard_core::job::JobStatus;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use serde::{Deserialize, Serialize};

use super::describe::status_word;
use super::reason::{self, Reason, ShareReason};
use crate::batch::forecast::ExpectedStart;
use crate::batch::{Batch, job_key, job_names, unavailable};

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobExplanation {
    /// The job's id.
    pub(crate) job_id: String,
    /// Its state.
    pub(crate) status: String,
    /// Why it is in that state, one sentence after another, for people.
    pub(crate) explanation: String,
    /// Its queue, while it is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) job_queue: Option<String>,
    /// Why it waits, for programs; empty where it does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) reasons: Vec<Reason>,
    /// How its share stands, in a fair-share queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) share: Option<ShareReason>,
    /// When it is expected to start, while it is queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expected_start: Option<ExpectedStart>,
}

/// Explains a job, live or ended.
///
/// # Errors
/// When there is no such job, or the state cannot be read.
pub(crate) async fn explain(batch: &Batch, job: &str) -> Result<JobExplanation, Fault> {
    let not_found = || client_exception(format!("Job {job} not found."));
    let key = job_key(job).ok_or_else(not_found)?;
    let live = batch
        .driver
        .explain(key, batch.now())
        .await
        .map_err(|error| unavailable(&error))?;
    if let Some(found) = live {
        let may_start = matches!(found.status, JobStatus::Pending | JobStatus::Runnable);
        let expected_start = match may_start {
            true => batch.expected_start(key).await?,
            false => None,
        };
        let node = NodeKey::of(key).filter(|_| found.nodes.is_some());
        return Ok(JobExplanation {
            job_id: node.map_or_else(|| key.to_string(), |node| node.to_string()),
            status: status_word(found.status).to_string(),
            explanation: found.to_string(),
            job_queue: Some(found.queue.to_string()),
            reasons: reason::of(&found),
            share: found.turn.as_ref().map(reason::of_turn),
            expected_start,
        });
    }
    let rows = batch.read(move |store| store.jobs(&[key])).await?;
    let row = rows.into_iter().next().ok_or_else(not_found)?;
    let status = status_word(row.state.status);
    let (job_id, _) = job_names(&batch.account, key, row.nodes);
    let mut explanation = format!("{job_id} has ended: {status}");
    if let Some(reason) = &row.state.status_reason {
        explanation += &format!(" ({reason})");
    }
    if let Some(code) = row.state.exit_code {
        explanation += &format!(", exit code {code}");
    }
    if let Some(reason) = &row.state.reason {
        explanation += &format!(", {reason}");
    }
    Ok(JobExplanation {
        job_id,
        status: status.to_string(),
        explanation,
        job_queue: None,
        reasons: Vec::new(),
        share: None,
        expected_start: None,
    })
}
