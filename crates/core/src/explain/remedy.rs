//! What would have to be other than it is for a job to start: what to change, and to what. Other things may be in the way besides.

use crate::resources::Resources;
use crate::schedule::{Gate, Hindrance};

impl Hindrance {
    /// What of the environment would have to change for a job that needs so much; `None` where only time helps, or nothing does.
    #[must_use]
    pub fn remedy(&self, need: Resources) -> Option<String> {
        let vcpus = need.vcpus.ceil();
        match self {
            Hindrance::Disabled => Some("that it is enabled".to_owned()),
            Hindrance::Invalid => Some("an update that makes it valid".to_owned()),
            Hindrance::OverMaximum { vcpus_max: _ } => Some(format!("maxvCpus of {vcpus}")),
            Hindrance::MaximumReached {
                vcpus_max: _,
                vcpus_now,
            } => {
                let vcpus = vcpus_now.saturating_add(vcpus);
                Some(format!("maxvCpus of {vcpus}, or others to end"))
            }
            Hindrance::OverTypes => Some(format!("an instance type with {need}")),
            Hindrance::NoSuchType(name) => Some(format!("{} among its instance types", name.facts().name)),
            Hindrance::OverUnits { .. } => Some("a higher capacity limit".to_owned()),
            Hindrance::UnitsReached { .. } => Some("a higher capacity limit, or others to end".to_owned()),
            Hindrance::OverHost { .. } => Some("that the job asks for less".to_owned()),
            Hindrance::Deleting
            | Hindrance::SingleNodesOnly
            | Hindrance::Platform(_)
            | Hindrance::HostBusy { .. } => None,
        }
    }
}

impl Gate {
    /// What would have to change for the job to pass; `None` where only time helps.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Gate::QueueConcurrency { max: _, now } => Some(format!("a limit of {}", now.saturating_add(1))),
            Gate::Consumable {
                quantity, available, ..
            } => Some(format!("{} more", quantity.saturating_sub(*available))),
            Gate::Quota { standing, quantity } => {
                let limit = standing.used.saturating_add(*quantity);
                (limit > standing.limit).then(|| format!("a limit of {limit}"))
            }
            Gate::Reserved { .. } | Gate::GivenBack { .. } => None,
        }
    }
}
