//! The nodes of a multi-node parallel job together: each is written like a child, the job like its main node.

use batchyard_core::change::{AfterAttempt, GangEnded, GangPlaced};
use batchyard_core::id::{ArrayIndex, JobId, JobKey};
use batchyard_core::job::JobStatus;
use batchyard_core::multi_node::MainEnd;
use batchyard_core::time::Timestamp;

use super::Writing;
use crate::sqlite::code::{at, status_code};
use crate::sqlite::failure::Failure;

impl Writing<'_> {
    pub(super) fn place_gang(&self, placed: &GangPlaced) -> Result<(), Failure> {
        let GangPlaced {
            job,
            attempt: _,
            main,
            placements,
        } = placed;
        for (node, placement) in (0..).zip(placements) {
            self.place_attempt(JobKey::child(*job, node), *placement, None)?;
            if node == *main {
                self.place_attempt(JobKey::whole(*job), *placement, None)?;
            }
        }
        Ok(())
    }

    pub(super) fn start_gang(&self, job: JobId, main: ArrayIndex, when: Timestamp) -> Result<(), Failure> {
        self.start_attempt(JobKey::child(job, main), when)?;
        self.start_attempt(JobKey::whole(job), when)
    }

    pub(super) fn end_gang(&self, ended: &GangEnded) -> Result<(), Failure> {
        let GangEnded { job, attempt, end } = ended;
        let MainEnd {
            started_at,
            stopped_at,
            exit_code,
            reason,
            status_reason,
            next,
        } = end;
        let id = job.to_bytes();
        let job_stopped_at = match next {
            AfterAttempt::Retried => {
                // All nodes run again, however the last attempt of each ended.
                self.run(
                    "UPDATE children SET status = ?2, stopped_at = NULL WHERE job = ?1",
                    (id, status_code(JobStatus::Runnable)),
                )?;
                None
            }
            AfterAttempt::Succeeded | AfterAttempt::Failed => Some(at(*stopped_at)),
        };
        self.run(
            "UPDATE jobs SET status = ?2, attempts_ended = ?3, started_at = ?4, stopped_at = ?5, exit_code = ?6, reason = ?7,
             status_reason = ?8, environment = NULL, instance = NULL, gpus = NULL, stopping = NULL WHERE id = ?1",
            (
                id,
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
