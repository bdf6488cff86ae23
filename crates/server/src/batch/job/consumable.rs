//! What jobs take of consumable resources (section C.5).

use batchyard_core::item::ItemKey;
use batchyard_core::job::ConsumableClaim;
use batchyard_core::name::ConsumableResourceName;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{ConsumableResourceProperties, ConsumableResourceRequirement};

use crate::arn;
use crate::batch::Batch;

/// What is given with the job, which replaces what its definition says; else the definition's.
pub(super) fn chosen(
    own: Option<ConsumableResourceProperties>,
    of_definition: Option<&ConsumableResourceProperties>,
) -> Option<ConsumableResourceProperties> {
    own.or_else(|| of_definition.cloned())
}

/// What a job takes, so many times over; whether the resources exist the core says.
///
/// # Errors
/// For names that are none, and quantities below 1. The texts are our own.
pub(super) fn claims(
    properties: Option<&ConsumableResourceProperties>,
    times: u64,
) -> Result<Vec<ConsumableClaim>, Fault> {
    let Some(properties) = properties else {
        return Ok(Vec::new());
    };
    let list = properties.consumable_resource_list.iter().flatten();
    list.map(|ConsumableResourceRequirement { consumable_resource, quantity }| {
        let reference = consumable_resource.as_deref().unwrap_or_default();
        let name = ConsumableResourceName::parse(arn::name("consumable-resource", reference))
            .map_err(|_| client_exception(format!("ConsumableResource {reference} not found.")))?;
        let quantity = quantity.and_then(|quantity| u64::try_from(quantity).ok()).filter(|quantity| *quantity > 0);
        let quantity = quantity.ok_or_else(|| {
            client_exception(format!(
                "quantity of consumableResource {reference} in consumableResourceProperties must be at least 1."
            ))
        })?;
        Ok(ConsumableClaim {
            name,
            quantity: quantity.saturating_mul(times),
        })
    })
    .collect()
}

/// The sum of what the parts of a job take, by resource.
pub(super) fn sum(claims: impl IntoIterator<Item = ConsumableClaim>) -> Vec<ConsumableClaim> {
    let mut sums: std::collections::BTreeMap<ConsumableResourceName, u64> = std::collections::BTreeMap::new();
    for ConsumableClaim { name, quantity } in claims {
        let sum = sums.entry(name).or_default();
        *sum = sum.saturating_add(quantity);
    }
    sums.into_iter()
        .map(|(name, quantity)| ConsumableClaim { name, quantity })
        .collect()
}

impl Batch {
    /// What a job takes, as descriptions show it; `None` for nothing.
    pub(in crate::batch) fn consumables_shown(
        &self,
        claims: &[ConsumableClaim],
    ) -> Option<ConsumableResourceProperties> {
        let list = claims.iter().map(|claim| ConsumableResourceRequirement {
            consumable_resource: Some(
                self.account
                    .batch(&ItemKey::ConsumableResource(claim.name.clone()).resource()),
            ),
            quantity: i64::try_from(claim.quantity).ok(),
        });
        (!claims.is_empty()).then(|| ConsumableResourceProperties {
            consumable_resource_list: Some(list.collect()),
        })
    }
}
