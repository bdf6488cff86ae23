//! Allocation strategies (section D.5 of the behaviour), with the site's prices for the service's.

use std::collections::BTreeMap;

use batchyard_core::environment::{InstanceChoice, InstanceTypeName};
use serde::Deserialize;

/// As the service names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Strategy {
    BestFit,
    #[default]
    BestFitProgressive,
    BestFitProgressiveOrdered,
    SpotCapacityOptimized,
    SpotCapacityOptimizedPrioritized,
    SpotPriceCapacityOptimized,
}

impl Strategy {
    /// The types in the order in which the strategy prefers them, and how it chooses among them. Types without a price come last.
    pub(super) fn ranked(
        self,
        types: &mut [InstanceTypeName],
        prices: &BTreeMap<String, f64>,
    ) -> InstanceChoice {
        let price = |name: &InstanceTypeName| prices.get(name.facts().name).copied().unwrap_or(f64::INFINITY);
        let of_vcpu = |name: &InstanceTypeName| price(name) / f64::from(name.facts().vcpus.max(1));
        let size = |name: &InstanceTypeName| {
            let facts = name.facts();
            (facts.gpus, facts.vcpus, facts.memory_mib, facts.name)
        };
        match self {
            Strategy::BestFit => {
                types.sort_by(|one, other| {
                    price(one)
                        .total_cmp(&price(other))
                        .then(size(one).cmp(&size(other)))
                });
                InstanceChoice::Ordered
            }
            Strategy::BestFitProgressive | Strategy::SpotPriceCapacityOptimized => {
                types.sort_by(|one, other| {
                    of_vcpu(one)
                        .total_cmp(&of_vcpu(other))
                        .then(size(one).cmp(&size(other)))
                });
                InstanceChoice::Progressive
            }
            Strategy::BestFitProgressiveOrdered | Strategy::SpotCapacityOptimizedPrioritized => {
                InstanceChoice::Progressive
            }
            Strategy::SpotCapacityOptimized => InstanceChoice::Roomiest,
        }
    }
}
