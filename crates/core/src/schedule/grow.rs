//! Instances that an environment has without being asked for them by a job: its minimum, and what `desiredvCpus` asks for.

use crate::environment::Capacity;
use crate::id::EnvironmentId;
use crate::resources::{MilliVcpus, Resources};
use crate::schedule::choose::new_instance;
use crate::step::Step;

impl Step<'_> {
    /// Makes instances until the environment has its minimum, or what was desired, as far as the host has room (section D3.1).
    pub(crate) fn grow_to_minimum(&mut self, id: EnvironmentId) {
        loop {
            let environment = self.state().environment(id);
            let Capacity::Instances(plan) = &environment.spec.capacity else {
                return;
            };
            let wanted = plan.vcpus_min.max(plan.vcpus_desired).min(plan.vcpus_max);
            let vcpus_now = environment.vcpus_now();
            if vcpus_now >= wanted {
                return;
            }
            let free = self.state().fleet().host_free();
            let left = match plan.choice.overshoots() {
                true => Resources::MAX.vcpus,
                false => MilliVcpus::whole(plan.vcpus_max - vcpus_now),
            };
            let room = Resources {
                vcpus: free.vcpus.min(left),
                ..free
            };
            // A slice without a whole vCPU would never take a job, and this loop would not end.
            let need = Resources {
                vcpus: MilliVcpus::whole(1),
                memory: crate::resources::Mebibytes(1),
                gpus: 0,
            };
            let Some(new) = new_instance(plan, None, need, room) else {
                return;
            };
            self.add_instance(id, new);
        }
    }
}
