//! What is due: attempts that ran too long, instances that were idle too long.

use crate::change::Change;
use crate::effect::Effect;
use crate::id::AttemptKey;
use crate::job::StopCause;
use crate::state::Deadline;
use crate::step::Step;
use crate::time::Millis;

impl Step<'_> {
    /// Does all that is due by now.
    pub(crate) fn fire_timers(&mut self) {
        while let Some((_, deadline)) = self.state().first_deadline().filter(|(at, _)| *at <= self.now) {
            match deadline {
                Deadline::Timeout(key) => self.time_out(key),
                Deadline::Idle(environment, instance) => {
                    self.commit(Change::InstanceRemoved {
                        environment,
                        instance,
                    });
                    self.core.wake_all();
                }
            }
        }
    }

    fn time_out(&mut self, key: AttemptKey) {
        let grace = self
            .state()
            .job(key.job.id)
            .map_or(Millis::default(), |job| job.profile.stop_timeout);
        self.commit(Change::StopRequested {
            job: key.job,
            cause: StopCause::TimedOut,
        });
        self.cause(Effect::Stop { attempt: key, grace });
    }
}
