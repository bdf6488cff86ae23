//! An event in EventBridge's form (sections G.1 to G.4, M.8), from what is stored of it and the job's row.
//!
//! The row is of now, the event of some earlier moment: what has come since is taken away again. What a job is, is never changed;
//! its tags are those that it has now.

use batchyard_core::id::JobKey;
use batchyard_core::job::JobStatus;
use batchyard_runtime::store::{AttemptRow, JobRow, JobStateRow};
use batchyard_wire::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::query::{DETAIL_TYPES, EventsQuery};
use super::{Kind, Single};
use crate::batch::Batch;

/// Members of a container that are lists, and are there even when they are empty (section G.2).
const CONTAINER_LISTS: [&str; 8] = [
    "command",
    "volumes",
    "environment",
    "mountPoints",
    "ulimits",
    "networkInterfaces",
    "resourceRequirements",
    "secrets",
];

impl Batch {
    /// The event as clients read it; `None` if it is not for them, or not what the query asks for.
    pub(super) fn event(&self, single: &Single, row: &JobRow, query: &EventsQuery) -> Option<Value> {
        let Single {
            key,
            kind,
            cursor,
            at,
        } = single;
        let is_service = row.profile.service.is_some();
        // Nodes have no events of their own: their job tells how it stands (section G.2 names array children only).
        if key.child.is_some() && row.nodes.is_some() {
            return None;
        }
        if query
            .queue
            .as_ref()
            .is_some_and(|queue| *queue != row.queue.as_str())
        {
            return None;
        }
        let detail_type = DETAIL_TYPES[match (kind, is_service) {
            (Kind::Moved(..), false) => 0,
            (Kind::Blocked(..), false) => 1,
            (Kind::Moved(..), true) => 2,
            (Kind::Blocked(..), true) => 3,
            (Kind::PreemptionStarted(..), _) => 4,
            (Kind::PreemptionCompleted(..), _) => 5,
        }];
        if query.detail_type.is_some_and(|wanted| wanted != detail_type) {
            return None;
        }
        let job = match is_service {
            true => self.service_job_arn(key.id),
            false => self.account.job(*key),
        };
        let mut resources = vec![job.clone()];
        // Section G.3; of service jobs the job alone (section G.4).
        if matches!(kind, Kind::Blocked(..)) && !is_service {
            resources.push(self.account.queue(row.queue.as_str()));
        }
        let detail = match kind {
            Kind::Moved(status, ended) => self.job_as_of(row, *status, *ended, None, &job),
            Kind::Blocked(reason, ended) => {
                self.job_as_of(row, JobStatus::Runnable, *ended, Some(reason), &job)
            }
            Kind::PreemptionStarted(reason) => json!({
                "preemptedJobArn": job,
                "status": "RUNNING",
                "statusReason": reason,
            }),
            Kind::PreemptionCompleted(ended) => {
                let row = as_of(row, JobStatus::Runnable, *ended, None);
                let described = written(&self.service_detail(row));
                json!({
                    "preemptedJobArn": job,
                    "preemptionSummary": described.get("preemptionSummary"),
                    "status": "RUNNABLE",
                })
            }
        };
        let seconds = u32::try_from(at.as_millis() / 1000).unwrap_or(u32::MAX);
        Some(json!({
            "version": "0",
            "id": self.event_id(&format!("{cursor}")),
            "detail-type": detail_type,
            "source": "aws.batch",
            "account": self.account.id,
            "time": Timestamp::from_epoch_seconds(seconds).iso8601(),
            "region": self.account.region,
            "resources": resources,
            "detail": detail,
        }))
    }

    /// A UUID that follows from the event's place, so that an event that is read twice is known to be the same.
    fn event_id(&self, place: &str) -> String {
        let hash = Sha256::digest(format!(
            "{}/{}/event {place}",
            self.account.region, self.account.id
        ));
        let digits: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!(
            "{}-{}-4{}-8{}-{}",
            &digits[..8],
            &digits[8..12],
            &digits[13..16],
            &digits[17..20],
            &digits[20..]
        )
    }

    fn job_as_of(
        &self,
        row: &JobRow,
        status: JobStatus,
        ended: u16,
        reason: Option<&String>,
        arn: &str,
    ) -> Value {
        let key = row.key;
        let is_service = row.profile.service.is_some();
        let is_parent = row.array.is_some() && row.key == JobKey::whole(key.id);
        let row = as_of(row, status, ended, reason);
        if is_service {
            let mut detail = written(&self.service_detail(row));
            for member in ["tags", "serviceRequestPayload"] {
                detail.remove(member);
            }
            return Value::Object(detail);
        }
        let mut detail = written(&self.job_detail(row));
        // Said of now, not of then; the service does not have them in events.
        for member in ["isCancelled", "isTerminated"] {
            detail.remove(member);
        }
        let is_pod = detail.contains_key("eksProperties");
        detail.remove(if is_pod { "attempts" } else { "eksAttempts" });
        if let Some(Value::Object(container)) = detail.get_mut("container") {
            fill(container, &CONTAINER_LISTS);
        }
        fill(&mut detail, &["dependsOn", "platformCapabilities"]);
        let strategy = detail
            .entry("retryStrategy")
            .or_insert_with(|| json!({ "attempts": 1 }));
        if let Value::Object(strategy) = strategy {
            fill(strategy, &["evaluateOnExit"]);
        }
        // How many children stand how is said of now, too: only at the end it is the same.
        if is_parent
            && status == JobStatus::Pending
            && let Some(Value::Object(array)) = detail.get_mut("arrayProperties")
        {
            array.retain(|member, _| member == "size");
        }
        if let Value::Object(tags) = detail.entry("tags").or_insert_with(|| json!({})) {
            tags.insert("resourceArn".to_owned(), arn.into());
        }
        Value::Object(detail)
    }
}

/// The row as it was when the job had come to this state, and so many attempts had ended. A job that has ended stays as it is.
fn as_of(row: &JobRow, status: JobStatus, ended: u16, reason: Option<&String>) -> JobRow {
    let mut row = row.clone();
    if matches!(status, JobStatus::Succeeded | JobStatus::Failed) {
        return row;
    }
    let running = ended + 1;
    let place = row.current.take().filter(|(number, _)| *number == running);
    let of_attempt = row
        .attempts
        .iter()
        .find(|attempt| attempt.attempt == running)
        .cloned();
    let place = place.or_else(|| Some((running, of_attempt.as_ref()?.place.clone())));
    let has_place = matches!(
        status,
        JobStatus::Scheduled | JobStatus::Starting | JobStatus::Running
    );
    row.attempts.retain(|attempt| attempt.attempt <= ended);
    // Until an attempt starts the job shows how the last one ended.
    let shown = match status {
        JobStatus::Running => None,
        _ => row.attempts.last(),
    };
    let started_at = match status {
        JobStatus::Running => {
            of_attempt.map_or(row.state.started_at, |attempt: AttemptRow| attempt.started_at)
        }
        _ => shown.and_then(|attempt| attempt.started_at),
    };
    row.state = JobStateRow {
        status,
        status_reason: reason.cloned().or_else(|| Some(shown?.status_reason.clone())),
        started_at,
        stopped_at: None,
        exit_code: shown.and_then(|attempt| attempt.exit_code),
        reason: shown.and_then(|attempt| attempt.reason.clone()),
        ..row.state
    };
    row.current = place.filter(|_| has_place);
    row.scheduled_at = row.scheduled_at.filter(|_| has_place);
    row
}

fn written(shape: &impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(shape) {
        Ok(Value::Object(members)) => members,
        _ => unreachable!("descriptions are objects with text keys"),
    }
}

/// Lists that are absent become empty.
fn fill(members: &mut Map<String, Value>, lists: &[&str]) {
    for list in lists {
        members.entry(*list).or_insert_with(|| json!([]));
    }
}
