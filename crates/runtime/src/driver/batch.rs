//! A batch while it is made: the changes of many steps, and who waits for their commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use batchyard_core::Output;
use batchyard_core::change::{AfterAttempt, Change};
use batchyard_core::command::{Ended, Reply};
use batchyard_core::effect::Effect;
use batchyard_core::id::{JobId, JobKey};
use batchyard_core::job::{Body, JobStatus};
use batchyard_core::state::State;
use batchyard_core::time::Timestamp;
use tokio::sync::oneshot;

use super::CommandError;
use super::dispatch::{Added, Dispatch, Prepared};
use crate::event::{self, Events};
use crate::store::{Batch, JournalEntry, LaunchRow};

/// Changes of one batch, beyond which the next inputs wait for its commit (own choice: tens of milliseconds of writing).
pub(super) const CHANGES_MAX: usize = 16_384;

/// The batch being made.
#[derive(Default)]
pub(super) struct Open {
    output: Output,
    journal: Vec<JournalEntry>,
    waiting: Vec<Waiting>,
    prepared: Vec<Prepared>,
}

/// A client that waits for the commit.
struct Waiting {
    reply: oneshot::Sender<Result<Reply, CommandError>>,
    answer: Reply,
}

/// A batch that is being committed, and what leaves afterwards.
pub(super) struct Sealed {
    pub(super) batch: Arc<Batch>,
    waiting: Vec<Waiting>,
    dispatch: Dispatch,
}

impl Open {
    /// Where steps put what they yield.
    pub(super) fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    pub(super) fn is_empty(&self) -> bool {
        self.output.changes.is_empty()
            && self.output.effects.is_empty()
            && self.waiting.is_empty()
            && self.prepared.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.output.changes.len() >= CHANGES_MAX
    }

    pub(super) fn note(&mut self, entry: JournalEntry) {
        self.journal.push(entry);
    }

    pub(super) fn answer_after_commit(
        &mut self,
        reply: oneshot::Sender<Result<Reply, CommandError>>,
        answer: Reply,
    ) {
        self.waiting.push(Waiting { reply, answer });
    }

    /// Gives effects the names they need while the state that caused them is at hand.
    pub(super) fn prepare_effects(&mut self, state: &State) {
        let effects = self.output.effects.drain(..);
        self.prepared.extend(effects.map(|effect| match effect {
            Effect::Launch { attempt, placement } => {
                let environment = state.environment(placement.environment);
                Prepared::Launch {
                    attempt,
                    placement,
                    environment: environment.name.clone(),
                    platform: environment.spec.platform,
                }
            }
            Effect::Stop { attempt, grace } => Prepared::Stop { attempt, grace },
            Effect::Forget { attempt } => Prepared::Forget { attempt },
        }));
    }

    /// Only the effects, of a batch that has nothing else.
    pub(super) fn into_prepared(self) -> Vec<Prepared> {
        self.prepared
    }

    /// How a job that is not live any more ended, if it did in this batch.
    pub(super) fn ended(&self, key: JobKey) -> Option<Ended> {
        ended_in(&self.output.changes, key)
    }

    /// Closes the batch. `state` is the state after its last change, `events_at` the time where events are kept.
    pub(super) fn seal(&mut self, state: &State, events_at: Option<Timestamp>) -> Sealed {
        let Open {
            output,
            journal,
            waiting,
            prepared,
        } = std::mem::take(self);
        let Output { changes, effects } = output;
        debug_assert!(effects.is_empty(), "effects are prepared after each step");
        let touched: BTreeSet<JobId> = changes.iter().filter_map(Change::array_touched).collect();
        let arrays = touched.into_iter().filter_map(|id| match &state.job(id)?.body {
            Body::Array(array) => Some((id, (**array).clone())),
            Body::Waiting(_) | Body::Ready(_) | Body::MultiNode(_) => None,
        });
        // Only of jobs that start at once: of the others there may be a great many, and they are read when their turn comes.
        let launched: BTreeSet<JobId> = prepared
            .iter()
            .filter_map(|effect| match effect {
                Prepared::Launch { attempt, .. } => Some(attempt.job.id),
                Prepared::Stop { .. } | Prepared::Forget { .. } => None,
            })
            .collect();
        let added = changes.iter().filter_map(|change| match change {
            Change::JobAdded(added) if launched.contains(&added.id) => {
                let queue = state.queues().find(|(id, _)| *id == added.queue)?.1.name.clone();
                let array_size = added.array.as_ref().map(|array| array.size);
                Some(Added {
                    id: added.id,
                    row: LaunchRow {
                        launch: Arc::clone(&added.content.launch),
                        queue,
                        array_size,
                        nodes: added.content.nodes.clone(),
                    },
                })
            }
            _ => None,
        });
        let dispatch = Dispatch::Effects {
            added: added.collect(),
            effects: prepared,
        };
        let arrays = arrays.collect();
        let events = events_at.map(|at| Events {
            at,
            list: event::of_changes(&changes, state),
        });
        let batch = Batch {
            changes,
            arrays,
            journal,
            counters: state.counters(),
            events: events.filter(|events| !events.list.is_empty()),
        };
        Sealed {
            batch: Arc::new(batch),
            waiting,
            dispatch,
        }
    }

    /// The batch will never be committed: tells those who wait.
    pub(super) fn fail(self, error: &CommandError) {
        fail_all(self.waiting, error);
    }
}

impl Sealed {
    /// How a job that is not live any more ended, if it did in this batch.
    pub(super) fn ended(&self, key: JobKey) -> Option<Ended> {
        ended_in(&self.batch.changes, key)
    }

    /// The batch is durable: answers those who wait, and gives what is to be caused.
    pub(super) fn committed(self) -> Dispatch {
        for Waiting { reply, answer } in self.waiting {
            // The client may have gone away; what it asked for is done all the same.
            let _nobody_waits = reply.send(Ok(answer));
        }
        self.dispatch
    }

    /// The batch was not committed: tells those who wait. Nothing is caused.
    pub(super) fn fail(self, error: &CommandError) {
        fail_all(self.waiting, error);
    }
}

fn fail_all(waiting: Vec<Waiting>, error: &CommandError) {
    for Waiting { reply, answer: _ } in waiting {
        let _nobody_waits = reply.send(Err(error.clone()));
    }
}

/// How a job or child ended, if it did in these changes.
fn ended_in(changes: &[Change], key: JobKey) -> Option<Ended> {
    let single = |status| Some(Ended { status, array: None });
    changes.iter().rev().find_map(|change| match change {
        Change::AttemptEnded(ended) if ended.job == key => match ended.next {
            AfterAttempt::Retried => None,
            AfterAttempt::Succeeded => single(JobStatus::Succeeded),
            AfterAttempt::Failed => single(JobStatus::Failed),
        },
        Change::GangEnded(ended) if JobKey::whole(ended.job) == key => match ended.end.next {
            AfterAttempt::Retried => None,
            AfterAttempt::Succeeded => single(JobStatus::Succeeded),
            AfterAttempt::Failed => single(JobStatus::Failed),
        },
        Change::JobFailed(failed) if failed.job == key => single(JobStatus::Failed),
        Change::ArrayEnded(ended) if ended.job == key.id => match key.child {
            Some(child) => single(ended.array.child_status(child)?),
            None => {
                let status = if ended.has_succeeded {
                    JobStatus::Succeeded
                } else {
                    JobStatus::Failed
                };
                Some(Ended {
                    status,
                    array: Some((ended.array.size, ended.array.succeeded.clone())),
                })
            }
        },
        _ => None,
    })
}
