//! Capacity that is taken away under its jobs, as when Spot instances are reclaimed (section F6.3).

use crate::change::Change;
use crate::command::{Rejection, Reply};
use crate::environment::Leaving;
use crate::id::{AttemptKey, EnvironmentId, InstanceId, JobKey};
use crate::job::StopCause;
use crate::step::Step;
use crate::time::Millis;

impl Step<'_> {
    pub(super) fn interrupt_instance(
        &mut self,
        instance: InstanceId,
        notice: Millis,
    ) -> Result<Reply, Rejection> {
        let owner = self
            .state()
            .environments()
            .find(|(_, environment)| environment.instances.contains_key(&instance));
        let Some((environment, is_leaving)) = owner.map(|(id, facts)| (id, facts.is_leaving(instance)))
        else {
            return Err(Rejection::InstanceNotFound(instance));
        };
        if is_leaving {
            return Ok(Reply::Done);
        }
        let leaving = Leaving {
            due: Some(self.now + notice),
        };
        self.commit(Change::InstanceLeaving {
            environment,
            instance,
            leaving,
        });
        Ok(Reply::Done)
    }

    pub(super) fn interrupt_job(&mut self, key: JobKey, notice: Millis) -> Result<Reply, Rejection> {
        // The nodes of a job end with their main node.
        let main = self
            .state()
            .multi_node(key.id)
            .filter(|_| key.child.is_none())
            .and_then(|_| Some(self.state().job(key.id)?.profile.main_node()));
        let key = main.map_or(key, |main| JobKey::child(key.id, main));
        let execution = self.state().execution(key);
        let Some((number, attempt)) =
            execution.and_then(|execution| Some((execution.attempt_number(), execution.attempt.as_ref()?)))
        else {
            return Err(Rejection::JobHasNoPlace(key));
        };
        if let Some(instance) = attempt.placement.instance {
            return self.interrupt_instance(instance, notice);
        }
        if attempt.stopping.is_some() {
            return Ok(Reply::Done);
        }
        if self.state().multi_node(key.id).is_some() {
            self.stop_gang(key.id, StopCause::Interrupted);
            return Ok(Reply::Done);
        }
        let attempt = AttemptKey {
            job: key,
            attempt: number,
        };
        self.ask_to_stop(attempt, StopCause::Interrupted);
        Ok(Reply::Done)
    }

    /// The notice is over: what still runs on the instance is stopped.
    pub(super) fn evict(&mut self, environment: EnvironmentId, instance: InstanceId) {
        self.commit(Change::InstanceLeaving {
            environment,
            instance,
            leaving: Leaving { due: None },
        });
        self.stop_attempts_in(
            environment,
            |placement| placement.instance == Some(instance),
            StopCause::Interrupted,
        );
    }
}
