//! The allocation strategy that a client names, and what of its instance types is within its bid (sections D.5 and A1.12).

use batchyard_core::allocation::{AllocationStrategy, Price};
use batchyard_core::environment::{InstanceChoice, InstanceTypeName};
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{CRAllocationStrategy as Strategy, CRType, ComputeResource};

use crate::prices::Prices;

/// The types of an environment, best first, and how one of them is chosen. `types`: as the client listed them, families in a row.
///
/// # Errors
/// When all types cost more than the environment bids.
pub(super) fn ranked(
    resources: &ComputeResource,
    types: Vec<Vec<InstanceTypeName>>,
    prices: &Prices,
) -> Result<(Vec<InstanceTypeName>, InstanceChoice), Fault> {
    let market = Market {
        prices,
        is_spot: resources.r#type == CRType::Spot,
    };
    let bid_percent = resources
        .bid_percentage
        .and_then(|percent| u64::try_from(percent).ok());
    let within_bid = |name: &InstanceTypeName| market.is_within_bid(*name, bid_percent);
    let listed: Vec<Vec<InstanceTypeName>> = types
        .into_iter()
        .map(|family| family.into_iter().filter(within_bid).collect())
        .collect();
    if listed.iter().all(Vec::is_empty) {
        // Own words: no instance could ever be had.
        return Err(client_exception(
            "bidPercentage: the Spot price of every instance type of the compute environment is higher.",
        ));
    }
    let strategy = match &resources.allocation_strategy {
        None | Some(Strategy::BestFit) => AllocationStrategy::BestFit,
        Some(Strategy::BestFitProgressive) => AllocationStrategy::BestFitProgressive,
        Some(Strategy::BestFitProgressiveOrdered) => AllocationStrategy::BestFitProgressiveOrdered,
        Some(Strategy::SpotCapacityOptimizedPrioritized) => {
            AllocationStrategy::SpotCapacityOptimizedPrioritized
        }
        Some(Strategy::SpotPriceCapacityOptimized) => AllocationStrategy::SpotPriceCapacityOptimized,
        Some(Strategy::SpotCapacityOptimized | Strategy::Unknown(_)) => {
            AllocationStrategy::SpotCapacityOptimized
        }
    };
    Ok(strategy.ranked(listed, |name| market.price(name)))
}

/// What types cost an environment.
struct Market<'a> {
    prices: &'a Prices,
    is_spot: bool,
}

impl Market<'_> {
    /// What an hour costs, where it is known.
    fn price(&self, name: InstanceTypeName) -> Option<Price> {
        let price = self.prices.of(name);
        if self.is_spot { price.spot } else { price.on_demand }
    }

    /// Whether the Spot price is at most the bid, a part of the price on demand (section A1.12), as far as both are known.
    fn is_within_bid(&self, name: InstanceTypeName, bid_percent: Option<u64>) -> bool {
        let price = self.prices.of(name);
        match (bid_percent, price.spot, price.on_demand) {
            (Some(percent), Some(Price(spot)), Some(Price(on_demand))) if self.is_spot => {
                spot.saturating_mul(100) <= on_demand.saturating_mul(percent)
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const PRICES: &str =
        "m5.large 0.096 0.04\nm5.xlarge 0.192 0.05\nc5.large 0.085 0.08\nr5.large 0.126 0.06\n";

    fn check(kind: CRType, strategy: Option<&str>, bid: Option<i32>, prices: &str, expect: &Expect) {
        let listed = ["r5.large", "m5.xlarge", "m5.large", "c5.large", "g4dn.xlarge"];
        let types = listed.map(|name| vec![InstanceTypeName::find(name).unwrap()]);
        let resources = ComputeResource {
            r#type: kind,
            allocation_strategy: strategy.map(|text| serde_json::from_value(text.into()).unwrap()),
            bid_percentage: bid,
            ..ComputeResource::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices");
        std::fs::write(&path, prices).unwrap();
        let found = ranked(&resources, types.to_vec(), &Prices::read(&path).unwrap());
        expect.assert_eq(&match found {
            Ok((types, choice)) => {
                let names: Vec<&str> = types.into_iter().map(Into::into).collect();
                format!("{choice:?}: {}", names.join(" "))
            }
            Err(fault) => fault.message,
        });
    }

    #[test]
    fn each_strategy_has_its_order() {
        let on_demand = |strategy, expect: Expect| check(CRType::Ec2, strategy, None, PRICES, &expect);
        let spot = |strategy, expect: Expect| check(CRType::Spot, Some(strategy), None, PRICES, &expect);
        on_demand(
            None,
            expect!["Ordered: c5.large m5.large r5.large m5.xlarge g4dn.xlarge"],
        );
        on_demand(
            Some("BEST_FIT"),
            expect!["Ordered: c5.large m5.large r5.large m5.xlarge g4dn.xlarge"],
        );
        on_demand(
            Some("BEST_FIT_PROGRESSIVE"),
            expect!["Progressive: c5.large m5.large m5.xlarge r5.large g4dn.xlarge"],
        );
        on_demand(
            Some("BEST_FIT_PROGRESSIVE_ORDERED"),
            expect!["Progressive: r5.large m5.xlarge m5.large c5.large g4dn.xlarge"],
        );
        spot(
            "SPOT_CAPACITY_OPTIMIZED",
            expect!["Roomiest: c5.large m5.large r5.large m5.xlarge g4dn.xlarge"],
        );
        spot(
            "SPOT_PRICE_CAPACITY_OPTIMIZED",
            expect!["Progressive: m5.xlarge m5.large r5.large c5.large g4dn.xlarge"],
        );
        spot(
            "SPOT_CAPACITY_OPTIMIZED_PRIORITIZED",
            expect!["Progressive: r5.large m5.xlarge m5.large c5.large g4dn.xlarge"],
        );
    }

    #[test]
    fn without_prices_the_smallest_is_the_cheapest() {
        check(
            CRType::Ec2,
            None,
            None,
            "",
            &expect!["Ordered: c5.large m5.large r5.large m5.xlarge g4dn.xlarge"],
        );
        check(
            CRType::Ec2,
            Some("BEST_FIT_PROGRESSIVE"),
            None,
            "",
            &expect!["Progressive: c5.large m5.large r5.large m5.xlarge g4dn.xlarge"],
        );
    }

    #[test]
    fn types_dearer_than_the_bid_are_not_taken() {
        let bid = |percent, expect: Expect| {
            let prices = format!("{PRICES}g4dn.xlarge 0.5 0.5");
            check(
                CRType::Spot,
                Some("SPOT_CAPACITY_OPTIMIZED"),
                Some(percent),
                &prices,
                &expect,
            );
        };
        bid(48, expect!["Roomiest: m5.large r5.large m5.xlarge"]);
        bid(
            26,
            expect![
                "bidPercentage: the Spot price of every instance type of the compute environment is higher."
            ],
        );
    }
}
