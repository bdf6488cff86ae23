//! Infrastructure updates of compute environments: old instances take no further jobs, their jobs may run for a while, and new
//! instances take their place (sections D4.2 and D4.3).

use crate::change::Change;
use crate::environment::Renewal;
use crate::id::{EnvironmentId, InstanceId};
use crate::job::{Placement, StopCause};
use crate::step::Step;
use crate::time::Millis;

impl Step<'_> {
    /// Replaces the instances of an environment: idle ones at once, the others when their jobs have ended, which are stopped when the
    /// grace is over. Jobs straight on the host have no instance to replace: they are stopped only where there is no grace.
    pub(super) fn begin_renewal(&mut self, id: EnvironmentId, grace: Millis) {
        self.remove_idle(id, self.state().counters().instance);
        if !self.state().environment(id).instances.is_empty() {
            let renewal = Renewal {
                outdated_before: self.state().counters().instance,
                due: Some(self.now + grace),
            };
            self.commit(Change::EnvironmentRenewal {
                environment: id,
                renewal: Some(renewal),
            });
        }
        if grace == Millis::default() {
            self.stop_where(id, |placement| placement.instance.is_none());
        }
    }

    /// The grace is over: stops what still runs on old instances.
    pub(super) fn force_renewal(&mut self, id: EnvironmentId) {
        let Some(renewal) = self.state().environment(id).renewal else {
            return;
        };
        let Renewal {
            outdated_before,
            due: _,
        } = renewal;
        self.commit(Change::EnvironmentRenewal {
            environment: id,
            renewal: Some(Renewal { due: None, ..renewal }),
        });
        self.stop_where(id, |placement| {
            placement
                .instance
                .is_some_and(|instance| instance < outdated_before)
        });
    }

    /// Gives old instances back that have come to rest; ends the renewal when none is left.
    pub(crate) fn renew_environments(&mut self) {
        let renewable: Vec<EnvironmentId> = self.state().renewable_environments().collect();
        for id in renewable {
            let environment = self.state().environment(id);
            let Some(Renewal { outdated_before, .. }) = environment.renewal else {
                continue;
            };
            self.remove_idle(id, outdated_before);
            let is_done = self
                .state()
                .environment(id)
                .instances
                .range(..outdated_before)
                .next()
                .is_none();
            if is_done {
                self.commit(Change::EnvironmentRenewal {
                    environment: id,
                    renewal: None,
                });
            }
            self.grow_to_minimum(id);
            self.core.wake_all();
        }
    }

    fn remove_idle(&mut self, environment: EnvironmentId, before: InstanceId) {
        let instances = self.state().environment(environment).instances.range(..before);
        let idle = instances.filter(|(_, instance)| instance.is_idle());
        let idle: Vec<InstanceId> = idle.map(|(id, _)| *id).collect();
        for instance in idle {
            self.commit(Change::InstanceRemoved {
                environment,
                instance,
            });
        }
    }

    /// Stops the attempts in an environment whose placement is wanted, as if their host had gone.
    fn stop_where(&mut self, id: EnvironmentId, is_wanted: impl Fn(&Placement) -> bool) {
        self.stop_attempts_in(id, is_wanted, StopCause::InstanceReplaced);
    }
}
