//! A step of the machine: decide, commit, react.
//!
//! *Decide* reads the state and refuses or goes on; *commit* makes changes, the only way; *react* does what follows from them, through
//! commit again: wakes who waited, gives capacity back, causes effects. One file for each kind of input.

mod charge;
mod dependents;
mod drain;
mod interrupt;
mod item;
mod node;
mod registry;
mod renew;
mod report;
mod stop;
mod submit;
mod timer;

use crate::change::{Change, StopKind};
use crate::command::{Command, Input, Rejection, Reply};
use crate::effect::Effect;
use crate::id::JobKey;
use crate::machine::{Core, Output};
use crate::snapshot::rank_event;
use crate::state::State;
use crate::time::Timestamp;

/// One step: the machine, the time it takes place at, and what comes out.
pub(crate) struct Step<'a> {
    pub(crate) core: &'a mut Core,
    pub(crate) now: Timestamp,
    pub(crate) out: &'a mut Output,
}

impl Step<'_> {
    pub(crate) fn handle(&mut self, input: Input) -> Result<Reply, Rejection> {
        match input {
            Input::Command(command) => self.command(command),
            Input::Report { attempt, report } => {
                self.report(attempt, report);
                Ok(Reply::Done)
            }
        }
    }

    fn command(&mut self, command: Command) -> Result<Reply, Rejection> {
        match command {
            Command::CreateEnvironment(put) => self.create_environment(*put),
            Command::UpdateEnvironment {
                put,
                version,
                renewal,
            } => self.update_environment(*put, version, renewal),
            Command::DeleteEnvironment(name) => self.delete_environment(&name),
            Command::CreateQueue(put) => self.create_queue(*put),
            Command::UpdateQueue { put, version } => self.update_queue(*put, version),
            Command::DeleteQueue(name) => self.delete_queue(&name),
            Command::RegisterDefinition(register) => self.register_definition(*register),
            Command::DeregisterDefinition { name, revision } => self.deregister_definition(name, revision),
            Command::CreateItem(put) => self.create_item(*put),
            Command::UpdateItem { put, version } => self.update_item(*put, version),
            Command::DeleteItem(key) => self.delete_item(key),
            Command::ChangeTags {
                resource,
                set,
                removed,
            } => {
                self.change_tags(resource, set, removed);
                Ok(Reply::Done)
            }
            Command::SubmitJob(submit) => self.submit_job(*submit),
            Command::StopJob { job, kind, reason } => {
                if !self.state().is_service_job(job.id) {
                    self.stop_job(job, kind, &reason);
                }
                Ok(Reply::Done)
            }
            Command::StopServiceJob { job, reason } => {
                if self.state().is_service_job(job) {
                    self.stop_job(JobKey::whole(job), StopKind::Terminate, &reason);
                }
                Ok(Reply::Done)
            }
            Command::InterruptInstance { instance, notice } => self.interrupt_instance(instance, notice),
            Command::InterruptJob { job, notice } => self.interrupt_job(job, notice),
            Command::PrioritizeServiceJob { job, priority } => self.prioritize(job, priority),
        }
    }

    /// Makes a change and notes it for the store. There is no other way to change the state.
    pub(crate) fn commit(&mut self, change: Change) {
        if let Some(ranks) = &mut self.core.ranks
            && let Some((queue, line, position)) = rank_event(&self.core.state, &change)
        {
            ranks.note(queue, line, position, self.now);
        }
        self.charge_for(&change);
        let runs = self.run_noted(&change);
        self.apply(change);
        if let Some(runs) = runs {
            self.apply(runs);
        }
    }

    fn apply(&mut self, change: Change) {
        self.core.state.apply(&change);
        self.out.changes.push(change);
    }

    pub(crate) fn cause(&mut self, effect: Effect) {
        self.out.effects.push(effect);
    }

    pub(crate) fn state(&self) -> &State {
        &self.core.state
    }
}
