//! Jobs as a whole: submitted, made ready, stopped, failed without an attempt.

use batchyard_core::change::{Document, JobAdded, JobContent, JobFailed, StopKind};
use batchyard_core::id::{JobId, JobKey};
use batchyard_core::job::{Dependency, JobStatus, Profile, StopCause};
use batchyard_core::token::{ClientToken, KeptToken};

use super::Writing;
use crate::sqlite::code::{at, json, number, status_code, token_life_code};
use crate::sqlite::failure::Failure;

impl Writing<'_> {
    pub(super) fn keep_token(&self, kept: &KeptToken) -> Result<(), Failure> {
        let KeptToken {
            token: ClientToken { token, digest, life },
            job,
            at: when,
        } = kept;
        self.run(
            "INSERT INTO client_tokens (token, digest, job, at, life) VALUES (?1, ?2, ?3, ?4, ?5)",
            (token, digest, job.to_bytes(), at(*when), token_life_code(*life)),
        )
    }

    pub(super) fn forget_tokens(&self, tokens: &[Box<str>]) -> Result<(), Failure> {
        for token in tokens {
            self.run("DELETE FROM client_tokens WHERE token = ?1", [token])?;
        }
        Ok(())
    }

    pub(super) fn add_job(&mut self, added: &JobAdded) -> Result<(), Failure> {
        let JobAdded {
            id,
            sequence,
            queue,
            profile,
            dependencies,
            array,
            content,
            at: when,
        } = added;
        let JobContent {
            name,
            definition,
            revision,
            launch,
            nodes,
            document: Document(document),
            tags,
        } = content;
        let shape = profile.nodes.as_ref().map(|shape| (shape.count, shape.main));
        let profile = self.profiles.number(self.connection, profile)?;
        self.run(
            "INSERT INTO jobs (sequence, id, queue, status, name, definition, revision, profile, created_at, array_size,
             node_count, main_node) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            (
                number(sequence.0),
                id.to_bytes(),
                queue.0,
                status_code(JobStatus::Pending),
                name,
                definition.as_str(),
                revision,
                profile,
                at(*when),
                array.as_ref().map(|array| array.size),
                shape.map(|shape| shape.0),
                shape.map(|shape| shape.1),
            ),
        )?;
        self.run(
            "INSERT INTO job_contents (sequence, launch, document, nodes) VALUES (?1, ?2, ?3, ?4)",
            (
                number(sequence.0),
                json(launch),
                &**document,
                nodes.as_ref().map(json),
            ),
        )?;
        for (position, dependency) in (0_i64..).zip(dependencies) {
            self.run(
                "INSERT INTO dependencies (job, position, on_job, on_child) VALUES (?1, ?2, ?3, ?4)",
                (
                    id.to_bytes(),
                    position,
                    dependency.on.id.to_bytes(),
                    dependency.on.child,
                ),
            )?;
        }
        if let Some(array) = array {
            self.array_stands(*id, array)?;
        }
        match tags.is_empty() {
            true => Ok(()),
            false => self.set_tags(&format!("job/{id}"), tags),
        }
    }

    pub(super) fn meet_dependency(&self, job: JobId, dependency: Dependency) -> Result<(), Failure> {
        self.run(
            "DELETE FROM dependencies WHERE job = ?1 AND on_job = ?2 AND on_child IS ?3",
            (job.to_bytes(), dependency.on.id.to_bytes(), dependency.on.child),
        )
    }

    pub(super) fn change_profile(&mut self, job: JobId, profile: &Profile) -> Result<(), Failure> {
        let profile = self.profiles.number(self.connection, profile)?;
        self.run(
            "UPDATE jobs SET profile = ?2 WHERE id = ?1",
            (job.to_bytes(), profile),
        )
    }

    pub(super) fn make_ready(&self, job: JobId) -> Result<(), Failure> {
        self.run(
            "UPDATE jobs SET status = ?2 WHERE id = ?1",
            (job.to_bytes(), status_code(JobStatus::Runnable)),
        )
    }

    pub(super) fn request_stop(&self, key: JobKey, cause: &StopCause) -> Result<(), Failure> {
        if matches!(cause, StopCause::Terminated(_)) {
            self.note_stop(key, StopKind::Terminate)?;
        }
        let id = key.id.to_bytes();
        if let StopCause::Preempted(preemption) = cause {
            self.run(
                "UPDATE jobs SET status_reason = ?2 WHERE id = ?1",
                (id, preemption.in_progress().as_str()),
            )?;
        }
        match key.child {
            // Of an array's child, the array's record has the cause too.
            Some(child) => self.run(
                "UPDATE children SET stopping = ?3 WHERE job = ?1 AND child = ?2",
                (id, child, json(cause)),
            ),
            None => {
                self.run("UPDATE jobs SET stopping = ?2 WHERE id = ?1", (id, json(cause)))?;
                // All nodes that have their places, if it has nodes.
                self.run(
                    "UPDATE children SET stopping = ?2 WHERE job = ?1 AND environment IS NOT NULL",
                    (id, json(cause)),
                )
            }
        }
    }

    /// Notes on a job, an array or a child with a row which call was made on it.
    pub(super) fn note_stop(&self, key: JobKey, kind: StopKind) -> Result<(), Failure> {
        let id = key.id.to_bytes();
        match (key.child, kind) {
            (None, StopKind::Cancel) => self.run("UPDATE jobs SET is_cancelled = 1 WHERE id = ?1", [id]),
            (None, StopKind::Terminate) => self.run("UPDATE jobs SET is_terminated = 1 WHERE id = ?1", [id]),
            (Some(child), StopKind::Cancel) => self.run(
                "UPDATE children SET is_cancelled = 1 WHERE job = ?1 AND child = ?2",
                (id, child),
            ),
            (Some(child), StopKind::Terminate) => self.run(
                "UPDATE children SET is_terminated = 1 WHERE job = ?1 AND child = ?2",
                (id, child),
            ),
        }
    }

    pub(super) fn fail_job(&self, failed: &JobFailed) -> Result<(), Failure> {
        let JobFailed {
            job: key,
            status_reason,
            stopped_by,
            at: when,
        } = failed;
        let id = key.id.to_bytes();
        let failed = status_code(JobStatus::Failed);
        match key.child {
            None => {
                self.run(
                    "UPDATE jobs SET status = ?2, status_reason = ?3, stopped_at = ?4 WHERE id = ?1",
                    (id, failed, status_reason.as_str(), at(*when)),
                )?;
                self.run("DELETE FROM dependencies WHERE job = ?1", [id])?;
            }
            Some(child) => self.run(
                "INSERT INTO children (job, child, status, status_reason, stopped_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (job, child) DO UPDATE SET status = excluded.status,
                 status_reason = excluded.status_reason, stopped_at = excluded.stopped_at",
                (id, child, failed, status_reason.as_str(), at(*when)),
            )?,
        }
        match stopped_by {
            Some(kind) => self.note_stop(*key, *kind),
            None => Ok(()),
        }
    }
}
