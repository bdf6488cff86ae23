//! Capacity limits: so many of a unit. The texts are the live service's (section A.8) unless a comment says otherwise.

use batchyard_core::environment::NUM_INSTANCES;
use batchyard_core::instance_type::InstanceType;
use batchyard_core::item;
use batchyard_wire::Fault;
use batchyard_wire::batch::CapacityLimit;
use batchyard_wire::batch::errors::client_exception;

/// What SageMaker's names of instance types begin with.
const ML: &str = "ml.";

/// The limits in the scheduler's words.
pub(super) fn limits(limits: &[CapacityLimit], most: usize) -> Result<Vec<item::CapacityLimit>, Fault> {
    if limits.is_empty() {
        return Err(client_exception("Capacitylimits are required."));
    }
    if limits.len() > most {
        return Err(client_exception(format!(
            "Number of capacity limits exceeds {most}."
        )));
    }
    let limits: Vec<item::CapacityLimit> = limits.iter().map(limit).collect::<Result<_, Fault>>()?;
    let of_all = limits
        .iter()
        .filter(|limit| &*limit.unit == NUM_INSTANCES)
        .count();
    if of_all > 0 && of_all < limits.len() {
        return Err(client_exception(
            "Capacity units must specify either number of instances OR instance type",
        ));
    }
    let is_given_twice = |limit: &item::CapacityLimit| {
        let same = limits.iter().filter(|other| other.unit == limit.unit);
        same.count() > 1
    };
    match limits.iter().find(|limit| is_given_twice(limit)) {
        // Own words.
        Some(limit) => Err(client_exception(format!(
            "Capacity unit {} is given more than once.",
            limit.unit
        ))),
        None => Ok(limits),
    }
}

fn limit(limit: &CapacityLimit) -> Result<item::CapacityLimit, Fault> {
    let CapacityLimit {
        capacity_unit,
        max_capacity,
    } = limit;
    let max = max_capacity.and_then(|max| u32::try_from(max).ok());
    let max = max
        .filter(|max| *max > 0)
        .ok_or_else(|| client_exception("Max capacity must be more than 0."))?;
    let unit = capacity_unit.as_deref().unwrap_or_default();
    if unit != NUM_INSTANCES && !is_instance_type(unit) {
        return Err(client_exception(format!("{unit} is unknown capacity unit")));
    }
    Ok(item::CapacityLimit {
        unit: unit.into(),
        max,
    })
}

/// Whether it is one of SageMaker's instance types.
pub(in crate::batch) fn is_instance_type(unit: &str) -> bool {
    instance_unit(unit).is_some()
}

/// The instance type that a unit stands for; `None` for what is none.
pub(in crate::batch) fn instance_unit(unit: &str) -> Option<&'static InstanceType> {
    InstanceType::find(unit.strip_prefix(ML)?)
}
