//! Jobs and children, as changes make them.

use batchyard_core::change::{
    AfterAttempt, ArrayEnded, AttemptEnded, GangEnded, GangPlaced, JobAdded, JobContent, JobFailed, StopKind,
};
use batchyard_core::id::{AttemptNumber, JobId, JobKey};
use batchyard_core::interval_set::IntervalSet;
use batchyard_core::job::{JobStatus, Placement, StopCause};
use batchyard_core::reason::StatusReason;
use batchyard_core::time::Timestamp;
use batchyard_runtime::store::{ArrayRow, AttemptRow, JobRow, JobStateRow, NodesRow};

use super::{Model, ModelChild, ModelJob};

impl Model {
    pub(super) fn add_job(&mut self, added: &JobAdded) {
        let JobAdded {
            id,
            sequence,
            queue,
            profile,
            dependencies,
            array,
            content,
            at,
        } = added.clone();
        let tags = content.tags.iter().cloned().collect();
        self.tags.insert(format!("job/{id}"), tags);
        let gate = array.as_ref().map(|array| array.gate.clone());
        let nodes = profile.nodes.clone();
        let whole = JobRow {
            key: JobKey::whole(id),
            sequence,
            queue: self.queue_names[&queue].clone(),
            profile: (*profile).clone(),
            content: JobContent {
                tags: Vec::new(),
                ..content
            },
            dependencies: gate.unwrap_or(dependencies),
            state: JobStateRow {
                status: JobStatus::Pending,
                status_reason: None,
                created_at: at,
                started_at: None,
                stopped_at: None,
                exit_code: None,
                reason: None,
                is_cancelled: false,
                is_terminated: false,
            },
            scheduled_at: None,
            attempts: Vec::new(),
            current: None,
            array: array.as_ref().map(|array| ArrayRow {
                size: array.size,
                counts: array.counts(),
                updated_at: at,
            }),
            nodes: nodes.as_ref().map(|shape| NodesRow {
                count: shape.count,
                main: shape.main,
            }),
        };
        let child = |index| ModelChild {
            row: JobRow {
                key: JobKey::child(id, index),
                dependencies: Vec::new(),
                array: None,
                ..whole.clone()
            },
            unstarted: None,
        };
        let size = array.map_or(0, |array| array.size) + nodes.map_or(0, |shape| shape.count);
        let children = (0..size).map(child).collect();
        let job = ModelJob {
            queue,
            whole,
            children,
        };
        self.jobs.insert(id, job);
    }

    pub(super) fn place(&mut self, key: JobKey, attempt: AttemptNumber, placement: Placement) {
        let place = self.place_of(placement);
        let row = self.row(key);
        row.state.status = JobStatus::Starting;
        row.current = Some((attempt, place));
    }

    /// A service job is not STARTING at once.
    pub(super) fn schedule(&mut self, key: JobKey, scheduled_at: Option<Timestamp>) {
        if let Some(at) = scheduled_at {
            let row = self.row(key);
            row.state.status = JobStatus::Scheduled;
            row.scheduled_at = Some(at);
        }
    }

    pub(super) fn place_gang(&mut self, placed: &GangPlaced) {
        let GangPlaced {
            job,
            attempt,
            main,
            placements,
        } = placed;
        for (node, placement) in (0..).zip(placements) {
            self.place(JobKey::child(*job, node), *attempt, *placement);
            if node == *main {
                self.place(JobKey::whole(*job), *attempt, *placement);
            }
        }
    }

    pub(super) fn end_gang(&mut self, ended: &GangEnded) {
        let GangEnded { job, attempt: _, end } = ended.clone();
        let row = self.row(JobKey::whole(job));
        row.current = None;
        row.state = JobStateRow {
            status: end.next.status(),
            status_reason: Some(end.status_reason.as_str().to_owned()),
            started_at: end.started_at,
            stopped_at: (end.next != AfterAttempt::Retried).then_some(end.stopped_at),
            exit_code: end.exit_code,
            reason: end.reason,
            ..row.state.clone()
        };
        if end.next == AfterAttempt::Retried {
            for node in &mut self.jobs.get_mut(&job).unwrap().children {
                node.row.state.status = JobStatus::Runnable;
                node.row.state.stopped_at = None;
            }
        }
    }

    /// From now on the job shows the new attempt, of which nothing else is known yet.
    pub(super) fn start(&mut self, key: JobKey, at: Timestamp) {
        let state = &mut self.row(key).state;
        state.status = JobStatus::Running;
        state.started_at = Some(at);
        state.exit_code = None;
        state.reason = None;
        state.status_reason = None;
    }

    pub(super) fn request_stop(&mut self, key: JobKey, cause: &StopCause) {
        match cause {
            StopCause::Terminated(_) => self.note_stop(key, StopKind::Terminate),
            StopCause::Preempted(preemption) => {
                let reason = preemption.in_progress().as_str().to_owned();
                self.row(key).state.status_reason = Some(reason);
            }
            StopCause::TimedOut
            | StopCause::EnvironmentDeleted
            | StopCause::InstanceReplaced
            | StopCause::Interrupted
            | StopCause::NodeNotStarted(_)
            | StopCause::MainEnded => {}
        }
    }

    pub(super) fn note_stop(&mut self, key: JobKey, kind: StopKind) {
        let state = &mut self.row(key).state;
        match kind {
            StopKind::Cancel => state.is_cancelled = true,
            StopKind::Terminate => state.is_terminated = true,
        }
    }

    pub(super) fn end_attempt(&mut self, ended: &AttemptEnded) {
        let AttemptEnded {
            job,
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
        } = ended.clone();
        let attempt = AttemptRow {
            attempt,
            place: self.place_of(placement),
            started_at,
            stopped_at,
            exit_code,
            reason: reason.clone(),
            status_reason: status_reason.as_str().to_owned(),
            containers,
            is_preempted,
        };
        let row = self.row(job);
        row.attempts.push(attempt);
        row.current = None;
        row.state = JobStateRow {
            status: next.status(),
            status_reason: Some(status_reason.as_str().to_owned()),
            started_at,
            stopped_at: (next != AfterAttempt::Retried).then_some(stopped_at),
            exit_code,
            reason,
            ..row.state.clone()
        };
    }

    pub(super) fn fail_job(&mut self, failed: &JobFailed) {
        let JobFailed {
            job,
            status_reason,
            stopped_by,
            at,
        } = failed;
        let row = self.row(*job);
        fail(row, status_reason, *at);
        row.dependencies.clear();
        if let Some(kind) = stopped_by {
            self.note_stop(*job, *kind);
        }
    }

    pub(super) fn fail_children(
        &mut self,
        job: JobId,
        children: &IntervalSet,
        status_reason: &StatusReason,
        at: Timestamp,
    ) {
        let job = self.jobs.get_mut(&job).unwrap();
        for child in children.indexes() {
            let child = &mut job.children[child as usize];
            fail(&mut child.row, status_reason, at);
            child.unstarted = Some(status_reason.clone());
        }
    }

    pub(super) fn end_array(&mut self, ended: &ArrayEnded) {
        let ArrayEnded {
            job,
            has_succeeded,
            status_reason,
            at,
            array: _,
        } = ended;
        let row = self.row(JobKey::whole(*job));
        row.dependencies.clear();
        row.state.status = if *has_succeeded {
            JobStatus::Succeeded
        } else {
            JobStatus::Failed
        };
        row.state.status_reason = status_reason.as_ref().map(|reason| reason.as_str().to_owned());
        row.state.stopped_at = Some(*at);
    }
}

fn fail(row: &mut JobRow, status_reason: &StatusReason, at: Timestamp) {
    row.state.status = JobStatus::Failed;
    row.state.status_reason = Some(status_reason.as_str().to_owned());
    row.state.stopped_at = Some(at);
}
