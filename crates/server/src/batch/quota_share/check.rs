//! What CreateQuotaShare and UpdateQuotaShare refuse (section A.6). The texts are our own where they are not those of the limits of
//! service environments.

use batchyard_core::environment::Switch;
use batchyard_core::item::{CapacityLimit, Sharing};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    QuotaShareCapacityLimit, QuotaShareInSharePreemptionState, QuotaSharePreemptionConfiguration,
    QuotaShareResourceSharingConfiguration, QuotaShareResourceSharingStrategy, QuotaShareState,
};

use crate::batch::service_environment::is_instance_type;

/// The limits of a share; 0 is allowed: what it has may all be borrowed.
pub(super) fn limits(limits: &[QuotaShareCapacityLimit], most: usize) -> Result<Vec<CapacityLimit>, Fault> {
    if limits.is_empty() {
        return Err(client_exception("Capacitylimits are required."));
    }
    if limits.len() > most {
        return Err(client_exception(format!(
            "Number of capacity limits exceeds {most}."
        )));
    }
    let mut read: Vec<CapacityLimit> = Vec::with_capacity(limits.len());
    for QuotaShareCapacityLimit {
        capacity_unit: unit,
        max_capacity,
    } in limits
    {
        let max = u32::try_from(*max_capacity)
            .map_err(|_| client_exception("Max capacity must not be negative."))?;
        if !is_instance_type(unit) {
            return Err(client_exception(format!("{unit} is unknown capacity unit")));
        }
        if read.iter().any(|limit| *limit.unit == **unit) {
            return Err(client_exception(format!(
                "Capacity unit {unit} is given more than once."
            )));
        }
        read.push(CapacityLimit {
            unit: unit.as_str().into(),
            max,
        });
    }
    Ok(read)
}

/// What becomes of idle capacity.
pub(super) fn sharing(configuration: &QuotaShareResourceSharingConfiguration) -> Result<Sharing, Fault> {
    use QuotaShareResourceSharingStrategy::{Lend, LendAndBorrow, Reserve, Unknown};
    let QuotaShareResourceSharingConfiguration {
        borrow_limit,
        strategy,
    } = configuration;
    match (strategy, borrow_limit) {
        (Reserve | Lend, Some(_)) => Err(client_exception(
            "borrowLimit is only applicable for strategy LEND_AND_BORROW.",
        )),
        (Reserve, None) => Ok(Sharing::Reserve),
        (Lend, None) => Ok(Sharing::Lend),
        (LendAndBorrow, limit) => {
            let borrow_percent_max = match limit.unwrap_or(-1) {
                -1 => None,
                percent => Some(
                    u32::try_from(percent)
                        .map_err(|_| client_exception("borrowLimit must be at least -1."))?,
                ),
            };
            Ok(Sharing::LendAndBorrow { borrow_percent_max })
        }
        (Unknown(other), _) => Err(client_exception(format!(
            "strategy {other} is not valid. Valid values are: [RESERVE, LEND, LEND_AND_BORROW]"
        ))),
    }
}

pub(super) fn preempts_in_share(configuration: &QuotaSharePreemptionConfiguration) -> bool {
    configuration.in_share_preemption == QuotaShareInSharePreemptionState::Enabled
}

pub(super) fn switch(state: &QuotaShareState) -> Switch {
    if *state == QuotaShareState::Disabled {
        Switch::Disabled
    } else {
        Switch::Enabled
    }
}
