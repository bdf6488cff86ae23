//! Queues and environments that are being deleted, and environments whose instances are being replaced. Seldom there are any.

use crate::environment::{Environment, Life};
use crate::id::{EnvironmentId, QueueId};
use crate::state::State;

impl State {
    /// Whether any queue or environment is being deleted, or an environment renewed.
    pub(crate) fn has_departing(&self) -> bool {
        self.has_departing
    }

    /// Brings [`has_departing`](Self::has_departing) up to date.
    pub(super) fn note_departing(&mut self) {
        let is_departing =
            |environment: &Environment| environment.life == Life::Deleting || environment.renewal.is_some();
        self.has_departing = self.queues.values().any(|queue| queue.life == Life::Deleting)
            || self
                .environments()
                .any(|(_, environment)| is_departing(environment));
    }

    /// Deleted queues that have no job left.
    pub(crate) fn drained_queues(&self) -> impl Iterator<Item = QueueId> {
        let queues = self.queues.iter();
        queues
            .filter(|(id, queue)| queue.life == Life::Deleting && self.jobs_in(**id) == 0)
            .map(|(id, _)| *id)
    }

    /// Deleted environments that have no attempt left.
    pub(crate) fn drained_environments(&self) -> impl Iterator<Item = EnvironmentId> {
        self.environments()
            .filter(|(_, environment)| environment.life == Life::Deleting && environment.attempts == 0)
            .map(|(id, _)| id)
    }

    /// Environments whose instances are being replaced, and that have one to give back, or none left to replace.
    pub(crate) fn renewable_environments(&self) -> impl Iterator<Item = EnvironmentId> {
        let renewing = self.environments().filter(|(_, environment)| {
            let Some(renewal) = environment.renewal else {
                return false;
            };
            let mut outdated = environment.instances.range(..renewal.outdated_before).peekable();
            outdated.peek().is_none() || outdated.any(|(_, instance)| instance.is_idle())
        });
        renewing.map(|(id, _)| id)
    }
}
