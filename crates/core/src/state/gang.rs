//! What changes of multi-node parallel jobs make of the state; a part of [`State::apply`], with the same rules.

use crate::change::{AfterAttempt, AttemptEnded, GangEnded, GangPlaced};
use crate::id::{ArrayIndex, AttemptKey, AttemptNumber, JobId, JobKey};
use crate::job::{Attempt, Body, Execution, Placement, StopCause};
use crate::multi_node::{Gang, MainEnd, MultiNode};
use crate::state::State;
use crate::time::Timestamp;

impl State {
    /// The gang's part of a live multi-node parallel job.
    #[must_use]
    pub fn multi_node(&self, id: JobId) -> Option<&MultiNode> {
        match &self.jobs.get(id)?.body {
            Body::MultiNode(multi_node) => Some(multi_node),
            Body::Waiting(_) | Body::Ready(_) | Body::Array(_) => None,
        }
    }

    pub(super) fn multi_node_mut(&mut self, id: JobId) -> Option<&mut MultiNode> {
        match &mut self.jobs.get_mut(id)?.body {
            Body::MultiNode(multi_node) => Some(multi_node),
            Body::Waiting(_) | Body::Ready(_) | Body::Array(_) => None,
        }
    }

    fn gang_mut(&mut self, id: JobId) -> &mut Gang {
        let gang = self
            .multi_node_mut(id)
            .and_then(|multi_node| multi_node.gang.as_mut());
        gang.expect("only what has its places runs")
    }

    /// Takes a waiting multi-node parallel job out of its queue's order.
    pub(super) fn take_gang_from_queue(&mut self, id: JobId) {
        let is_fresh = self
            .multi_node(id)
            .is_some_and(|multi_node| multi_node.attempts_ended == 0);
        self.leave_queue(JobKey::whole(id), !is_fresh);
    }

    pub(super) fn place_gang(&mut self, placed: &GangPlaced) {
        let GangPlaced {
            job: id,
            attempt: _,
            main: _,
            placements,
        } = placed;
        self.take_gang_from_queue(*id);
        for (node, placement) in (0..).zip(placements) {
            self.occupy(JobKey::child(*id, node), *placement);
        }
        let multi_node = self.multi_node_mut(*id).expect("only such jobs have nodes");
        let execution = |placement: &Placement| Execution {
            attempts_ended: multi_node.attempts_ended,
            preemptions: 0,
            is_cancelled: false,
            attempt: Some(Box::new(Attempt {
                placement: *placement,
                is_scheduled: false,
                started_at: None,
                stopping: None,
            })),
        };
        multi_node.gang = Some(Gang {
            stopping: None,
            main_end: None,
            nodes: placements.iter().map(execution).collect(),
        });
    }

    pub(super) fn start_gang(&mut self, id: JobId, main: ArrayIndex, attempt: AttemptNumber, at: Timestamp) {
        let job = JobKey::child(id, main);
        self.attempt_mut(job).started_at = Some(at);
        let deadline = self.timeout_deadline(AttemptKey { job, attempt });
        self.deadlines.extend(deadline);
    }

    /// All nodes that run are asked to stop.
    pub(super) fn stop_gang(&mut self, id: JobId, cause: &StopCause) {
        let main = JobKey::child(id, self.profile(id).main_node());
        let attempt = self.execution(main).map(Execution::attempt_number);
        let deadline = attempt.and_then(|attempt| self.timeout_deadline(AttemptKey { job: main, attempt }));
        if let Some(deadline) = deadline {
            self.deadlines.remove(deadline);
        }
        let gang = self.gang_mut(id);
        gang.stopping = Some(cause.clone());
        let live = gang.nodes.iter_mut().filter_map(|node| node.attempt.as_mut());
        for attempt in live {
            attempt.stopping = Some(cause.clone());
        }
    }

    /// A node ended: its place is vacated already.
    pub(super) fn end_node(&mut self, ended: &AttemptEnded) {
        let AttemptEnded {
            job: JobKey { id, child },
            attempt: _,
            placement: _,
            started_at,
            stopped_at,
            exit_code,
            reason,
            status_reason,
            containers: _,
            is_preempted: _,
            next,
        } = ended;
        let is_main = *child == Some(self.profile(*id).main_node());
        if is_main {
            self.gang_mut(*id).main_end = Some(Box::new(MainEnd {
                started_at: *started_at,
                stopped_at: *stopped_at,
                exit_code: *exit_code,
                reason: reason.clone(),
                status_reason: status_reason.clone(),
                next: *next,
            }));
        }
    }

    pub(super) fn end_gang(&mut self, ended: &GangEnded) {
        let GangEnded {
            job: id,
            attempt: _,
            end,
        } = ended;
        let multi_node = self.multi_node_mut(*id).expect("only such jobs have nodes");
        multi_node.gang = None;
        multi_node.attempts_ended += 1;
        match end.next {
            AfterAttempt::Retried => {
                self.enter_queue(JobKey::whole(*id), true);
            }
            AfterAttempt::Succeeded | AfterAttempt::Failed => self.remove_job(*id),
        }
    }
}
