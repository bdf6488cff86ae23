//! Multi-node parallel jobs (section B.11): the main node starts first and its end ends the job; the end of another node is its own.
//!
//! A node that waits for its main node is placed but not launched. It ends here and not by an engine's report when nothing comes of it.

use crate::change::{AfterAttempt, AttemptEnded, Change, GangEnded};
use crate::effect::Effect;
use crate::environment::Life;
use crate::id::{AttemptKey, JobId, JobKey};
use crate::job::{Attempt, Execution, Job, Placement, StopCause};
use crate::multi_node::{Gang, MainEnd, NodeIndex};
use crate::reason::{ESSENTIAL_CONTAINER_EXITED, MAIN_NODE_ENDED, NODE_NOT_STARTED, StatusReason, TIMED_OUT};
use crate::step::Step;
use crate::step::dependents::Ending;
use crate::step::report::End;
use crate::time::Timestamp;

/// A node whose attempt is alive.
struct LiveNode {
    key: AttemptKey,
    placement: Placement,
    is_stopping: bool,
}

impl Step<'_> {
    /// The main node's program started: the others are launched.
    pub(super) fn start_gang(&mut self, main: AttemptKey, at: Timestamp) {
        let AttemptKey {
            job: JobKey { id, child },
            attempt,
        } = main;
        self.commit(Change::GangStarted {
            job: id,
            main: child.expect("it is a node"),
            attempt,
            at,
        });
        let others = self.live_nodes(id).into_iter().filter(|node| node.key != main);
        for node in others.filter(|node| !node.is_stopping) {
            self.cause(Effect::Launch {
                attempt: node.key,
                placement: node.placement,
            });
        }
    }

    /// A node's attempt ended. `is_never`: its program never ran.
    pub(super) fn end_node(&mut self, key: AttemptKey, mut end: End, is_never: bool) {
        let id = key.job.id;
        let gang = self.gang(id).expect("the caller has found the attempt");
        let (main, has_started, gang_stopping) = (
            self.main_of(id),
            gang.has_started(self.main_of(id)),
            gang.stopping.clone(),
        );
        let execution = self.state().execution(key.job).expect("the caller has found it");
        let attempt: Attempt = (**execution.attempt.as_ref().expect("the caller has found it")).clone();
        let is_main = key.job.child == Some(main);
        if is_main && let Some(StopCause::NodeNotStarted(reason)) = gang_stopping {
            end.status_reason = crate::reason::TASK_FAILED_TO_START;
            end.reason = Some(reason);
        }
        let (next, status_reason) = if is_main {
            self.after(
                key.job,
                execution,
                attempt.stopping.as_ref(),
                &end,
                attempt.placement.instance,
            )
        } else {
            self.after_node(id, &attempt, &end)
        };
        let is_missing = is_never && !is_main && attempt.stopping.is_none();
        let never_started = end.reason.clone().unwrap_or_default();
        self.commit_node_end(key, attempt, end, next, status_reason);
        if is_main {
            self.stop_others(id, has_started);
        } else if is_missing {
            self.stop_gang(id, StopCause::NodeNotStarted(never_started));
        }
        self.end_gang_if_done(id);
    }

    /// What a node that is not the main one has come to (the words are our own where AWS's are not known).
    fn after_node(&self, id: JobId, attempt: &Attempt, end: &End) -> (AfterAttempt, StatusReason) {
        let by_exit_code = match end.exit_code {
            Some(0) => AfterAttempt::Succeeded,
            Some(_) | None => AfterAttempt::Failed,
        };
        match &attempt.stopping {
            None => (by_exit_code, end.status_reason.clone()),
            Some(StopCause::Terminated(reason)) => (AfterAttempt::Failed, reason.clone()),
            Some(StopCause::TimedOut) => (AfterAttempt::Failed, TIMED_OUT),
            Some(StopCause::EnvironmentDeleted | StopCause::InstanceReplaced | StopCause::Interrupted) => {
                let reason = StatusReason::host_terminated(attempt.placement.instance);
                (AfterAttempt::Failed, reason)
            }
            Some(StopCause::Preempted(_)) => unreachable!("only service jobs are preempted"),
            Some(StopCause::NodeNotStarted(_)) => (AfterAttempt::Failed, NODE_NOT_STARTED),
            Some(StopCause::MainEnded) if end.exit_code == Some(0) => {
                (by_exit_code, ESSENTIAL_CONTAINER_EXITED)
            }
            // It did what it was there for until it was stopped.
            Some(StopCause::MainEnded) => {
                let end = self.gang(id).and_then(|gang| gang.main_end.as_ref());
                let next = match end.map(|end| end.next) {
                    Some(AfterAttempt::Succeeded) => AfterAttempt::Succeeded,
                    Some(AfterAttempt::Retried | AfterAttempt::Failed) | None => AfterAttempt::Failed,
                };
                (next, MAIN_NODE_ENDED)
            }
        }
    }

    fn commit_node_end(
        &mut self,
        key: AttemptKey,
        attempt: Attempt,
        end: End,
        next: AfterAttempt,
        status_reason: StatusReason,
    ) {
        let Attempt {
            placement,
            is_scheduled: _,
            started_at,
            stopping: _,
        } = attempt;
        let End {
            at,
            exit_code,
            reason,
            status_reason: _,
            containers,
        } = end;
        let ended = AttemptEnded {
            job: key.job,
            attempt: key.attempt,
            placement,
            started_at,
            // Clocks of hosts differ: an attempt does not end before it started.
            stopped_at: started_at.map_or(at, |started_at| at.max(started_at)),
            exit_code,
            reason,
            status_reason,
            containers,
            is_preempted: false,
            next,
        };
        self.commit(Change::AttemptEnded(Box::new(ended)));
        self.cause(Effect::Forget { attempt: key });
        self.core.wake_all();
    }

    /// The main node has ended, and the job with it.
    fn stop_others(&mut self, id: JobId, has_started: bool) {
        if !has_started {
            self.end_unlaunched(id);
            return;
        }
        for node in self.live_nodes(id).into_iter().filter(|node| !node.is_stopping) {
            self.ask_to_stop(node.key, StopCause::MainEnded);
        }
    }

    /// Stops all nodes. Where the main node has not started, nothing runs but perhaps it.
    pub(super) fn stop_gang(&mut self, id: JobId, cause: StopCause) {
        let Some(gang) = self.gang(id) else { return };
        let main = JobKey::child(id, self.main_of(id));
        let (has_started, has_main_ended) = (gang.has_started(self.main_of(id)), gang.main_end.is_some());
        let running = self.live_nodes(id).into_iter();
        let running = running.filter(|node| !node.is_stopping && (has_started || node.key.job == main));
        let running: Vec<LiveNode> = running.collect();
        self.commit(Change::StopRequested {
            job: JobKey::whole(id),
            cause,
        });
        let grace = self.grace(id);
        for node in running {
            self.cause(Effect::Stop {
                attempt: node.key,
                grace,
            });
        }
        if !has_started && !has_main_ended {
            self.end_unlaunched(id);
        }
    }

    /// TerminateJob of the whole; the first termination counts.
    pub(super) fn terminate_gang(&mut self, id: JobId, reason: &StatusReason) {
        match self.gang(id).map(|gang| &gang.stopping) {
            None | Some(Some(StopCause::Terminated(_) | StopCause::TimedOut)) => {}
            // It is on its way out, but might be tried again: the caller's wish prevails.
            Some(
                None
                | Some(
                    StopCause::EnvironmentDeleted
                    | StopCause::InstanceReplaced
                    | StopCause::Interrupted
                    | StopCause::NodeNotStarted(_)
                    | StopCause::MainEnded
                    | StopCause::Preempted(_),
                ),
            ) => {
                self.stop_gang(id, StopCause::Terminated(reason.clone()));
            }
        }
    }

    /// TerminateJob of one node that is not the main one: as if it had ended on its own.
    pub(super) fn terminate_node(&mut self, key: JobKey, reason: &StatusReason) {
        let node = self
            .live_nodes(key.id)
            .into_iter()
            .find(|node| node.key.job == key);
        let Some(node) = node.filter(|node| !node.is_stopping && self.state().is_launched(key)) else {
            return;
        };
        self.ask_to_stop(node.key, StopCause::Terminated(reason.clone()));
    }

    /// Nodes that were never launched, and never will be.
    fn end_unlaunched(&mut self, id: JobId) {
        let main = JobKey::child(id, self.main_of(id));
        for node in self
            .live_nodes(id)
            .into_iter()
            .filter(|node| node.key.job != main)
        {
            let gang = self.gang(id).expect("one of its nodes is live");
            let main_reason = gang.main_end.as_ref().map(|end| end.status_reason.clone());
            let execution = self.state().execution(node.key.job).expect("the node is live");
            let attempt = execution.attempt.as_ref().expect("the node is live");
            let attempt: Attempt = (**attempt).clone();
            let end = End {
                at: self.now,
                exit_code: None,
                reason: None,
                status_reason: main_reason.unwrap_or(MAIN_NODE_ENDED),
                containers: Vec::new(),
            };
            let (next, status_reason) = self.after_node(id, &attempt, &end);
            self.commit_node_end(node.key, attempt, end, next, status_reason);
        }
    }

    /// Ends the attempt of the whole when its last node has ended, as its main node has (section B11.2).
    fn end_gang_if_done(&mut self, id: JobId) {
        let Some(multi_node) = self.state().multi_node(id) else {
            return;
        };
        let Some(gang) = multi_node.gang.as_ref().filter(|gang| gang.has_ended()) else {
            return;
        };
        let mut end: MainEnd = (**gang.main_end.as_ref().expect("the main node has ended too")).clone();
        let Job { queue, .. } = self.state().job(id).expect("it is live");
        if end.next == AfterAttempt::Retried {
            let is_wanted = !multi_node.is_cancelled && self.state().queue(*queue).life == Life::Valid;
            match &gang.stopping {
                // Terminated after its main node had ended.
                Some(StopCause::Terminated(reason)) => {
                    end.next = AfterAttempt::Failed;
                    end.status_reason = reason.clone();
                }
                _ if !is_wanted => end.next = AfterAttempt::Failed,
                Some(_) | None => {}
            }
        }
        let attempt = multi_node.attempts_ended + 1;
        let dependents = self.state().dependents(id).collect();
        let next = end.next;
        self.commit(Change::GangEnded(Box::new(GangEnded {
            job: id,
            attempt,
            end,
        })));
        self.core.wake_all();
        let has_succeeded = match next {
            AfterAttempt::Retried => return,
            AfterAttempt::Succeeded => true,
            AfterAttempt::Failed => false,
        };
        self.follow(Ending::Whole {
            id,
            has_succeeded,
            dependents,
        });
    }

    fn gang(&self, id: JobId) -> Option<&Gang> {
        self.state().multi_node(id)?.gang.as_ref()
    }

    fn main_of(&self, id: JobId) -> NodeIndex {
        self.state().job(id).map_or(0, |job| job.profile.main_node())
    }

    fn grace(&self, id: JobId) -> crate::time::Millis {
        let job = self.state().job(id);
        job.map_or(crate::time::Millis::default(), |job| job.profile.stop_timeout)
    }

    fn live_nodes(&self, id: JobId) -> Vec<LiveNode> {
        let number = |node: NodeIndex| {
            let execution = self.state().execution(JobKey::child(id, node));
            execution.map_or(1, Execution::attempt_number)
        };
        let live = self.gang(id).into_iter().flat_map(Gang::live);
        live.map(|(node, attempt)| LiveNode {
            key: AttemptKey {
                job: JobKey::child(id, node),
                attempt: number(node),
            },
            placement: attempt.placement,
            is_stopping: attempt.stopping.is_some(),
        })
        .collect()
    }
}
