//! Attempts: placed, started, ended. A single job's are in its own row, a child's or node's in the child's.

use batchyard_core::change::{AfterAttempt, AttemptEnded};
use batchyard_core::id::JobKey;
use batchyard_core::job::{JobStatus, Placement};
use batchyard_core::time::Timestamp;

use super::Writing;
use crate::sqlite::code::{at, child_code, gpus_code, json, status_code};
use crate::sqlite::failure::Failure;

impl Writing<'_> {
    pub(super) fn place_attempt(
        &self,
        key: JobKey,
        placement: Placement,
        scheduled_at: Option<Timestamp>,
    ) -> Result<(), Failure> {
        let Placement {
            environment,
            instance,
            gpus,
        } = placement;
        let id = key.id.to_bytes();
        let status = status_code(match scheduled_at {
            Some(_) => JobStatus::Scheduled,
            None => JobStatus::Starting,
        });
        let instance = instance.map(|instance| instance.0);
        match key.child {
            None => self.run(
                "UPDATE jobs SET status = ?2, environment = ?3, instance = ?4, gpus = ?5, scheduled_at = ?6, stopping = NULL
                 WHERE id = ?1",
                (id, status, environment.0, instance, gpus_code(gpus), scheduled_at.map(at)),
            ),
            Some(child) => self.run(
                "INSERT INTO children (job, child, status, environment, instance, gpus) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (job, child) DO UPDATE SET status = excluded.status, environment = excluded.environment,
                 instance = excluded.instance, gpus = excluded.gpus, stopping = NULL",
                (id, child, status, environment.0, instance, gpus_code(gpus)),
            ),
        }
    }

    /// Only service jobs are ever SCHEDULED, and they have no children.
    pub(super) fn prepare_attempt(&self, key: JobKey) -> Result<(), Failure> {
        self.run(
            "UPDATE jobs SET status = ?2 WHERE id = ?1",
            (key.id.to_bytes(), status_code(JobStatus::Starting)),
        )
    }

    pub(super) fn start_attempt(&self, key: JobKey, when: Timestamp) -> Result<(), Failure> {
        let id = key.id.to_bytes();
        let status = status_code(JobStatus::Running);
        // A new attempt has not ended yet: what is said of the last one is in its own row.
        match key.child {
            None => self.run(
                "UPDATE jobs SET status = ?2, started_at = ?3, exit_code = NULL, reason = NULL, status_reason = NULL WHERE id = ?1",
                (id, status, at(when)),
            ),
            Some(child) => self.run(
                "UPDATE children SET status = ?3, started_at = ?4, exit_code = NULL, reason = NULL, status_reason = NULL
                 WHERE job = ?1 AND child = ?2",
                (id, child, status, at(when)),
            ),
        }
    }

    pub(super) fn end_attempt(&self, ended: &AttemptEnded) -> Result<(), Failure> {
        let AttemptEnded {
            job: key,
            attempt,
            placement,
            started_at,
            stopped_at,
            exit_code,
            reason,
            status_reason,
            containers,
            is_preempted,
            next,
        } = ended;
        let Placement {
            environment,
            instance,
            gpus,
        } = placement;
        let id = key.id.to_bytes();
        self.run(
            "INSERT INTO attempts (job, child, attempt, environment, instance, gpus, started_at, stopped_at, exit_code, reason,
             status_reason, containers, is_preempted) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            (
                id,
                child_code(*key),
                attempt,
                environment.0,
                instance.map(|instance| instance.0),
                gpus_code(*gpus),
                started_at.map(at),
                at(*stopped_at),
                exit_code,
                reason,
                status_reason.as_str(),
                (!containers.is_empty()).then(|| json(containers)),
                is_preempted,
            ),
        )?;
        if *is_preempted {
            self.run(
                "UPDATE jobs SET preemptions = preemptions + 1 WHERE id = ?1",
                [id],
            )?;
        }
        if let Some(instance) = instance {
            self.run(
                "UPDATE instances SET last_used_at = max(last_used_at, ?2), was_used = 1 WHERE id = ?1",
                (instance.0, at(*stopped_at)),
            )?;
        }
        let job_stopped_at = match next {
            AfterAttempt::Retried => None,
            AfterAttempt::Succeeded | AfterAttempt::Failed => Some(at(*stopped_at)),
        };
        let statement = match key.child {
            None => {
                "UPDATE jobs SET status = ?3, attempts_ended = ?4, started_at = ?5, stopped_at = ?6, exit_code = ?7, reason = ?8,
                 status_reason = ?9, environment = NULL, instance = NULL, gpus = NULL, stopping = NULL
                 WHERE id = ?1"
            }
            Some(_) => {
                "UPDATE children SET status = ?3, attempts_ended = ?4, started_at = ?5, stopped_at = ?6, exit_code = ?7,
                 reason = ?8, status_reason = ?9, environment = NULL, instance = NULL, gpus = NULL, stopping = NULL
                 WHERE job = ?1 AND child = ?2"
            }
        };
        self.run(
            statement,
            (
                id,
                child_code(*key),
                status_code(next.status()),
                attempt,
                started_at.map(at),
                job_stopped_at,
                exit_code,
                reason,
                status_reason.as_str(),
            ),
        )
    }
}
