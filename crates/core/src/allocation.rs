//! Allocation strategies (section D.5): in which order an environment's instance types are taken, and how strictly.
//!
//! What a type costs is the caller's to say; where nothing is said all vCPUs cost the same, and a smaller instance is a cheaper one.
//! Interruptions of Spot capacity are not foreseen: the strategies that avoid them look at how much there is of a type.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::Deserialize;

use crate::environment::{InstanceChoice, InstanceTypeName};

/// How an environment's instance types are chosen among, as the service names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AllocationStrategy {
    /// The cheapest that fits, and no other.
    BestFit,
    /// Those with the cheapest vCPUs first.
    BestFitProgressive,
    /// In the order in which they are listed (section K.3).
    BestFitProgressiveOrdered,
    /// Those of which there is most.
    SpotCapacityOptimized,
    /// In the order in which they are listed, as Spot (section K.3).
    SpotCapacityOptimizedPrioritized,
    /// Those with the cheapest vCPUs first, as Spot.
    SpotPriceCapacityOptimized,
}

/// What an instance costs in an hour, in millionths of any one currency. Whoever has a finer number rounds it to the nearest millionth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Price(pub u64);

impl AllocationStrategy {
    /// The types in the order in which they are preferred, each once, and how one of them is chosen.
    ///
    /// `listed`: in the order of the list, the types of a family together: a family that stands in the list keeps its place, and is put in
    /// order in itself. `price`: what an hour of a type costs; types for which there is `None` come after all others.
    #[must_use]
    pub fn ranked(
        self,
        listed: Vec<Vec<InstanceTypeName>>,
        price: impl Fn(InstanceTypeName) -> Option<Price>,
    ) -> (Vec<InstanceTypeName>, InstanceChoice) {
        let by_vcpu = |name: &InstanceTypeName| {
            let rate = price(*name).map(|price| Rate {
                price,
                vcpus: name.facts().vcpus.max(1),
            });
            (rate.is_none(), rate, size(*name))
        };
        let (mut ranked, choice) = match self {
            AllocationStrategy::BestFit => {
                let mut types = listed.concat();
                types.sort_by_key(|name| {
                    let price = price(*name);
                    (price.is_none(), price, size(*name))
                });
                (types, InstanceChoice::Ordered)
            }
            AllocationStrategy::BestFitProgressive | AllocationStrategy::SpotPriceCapacityOptimized => {
                let mut types = listed.concat();
                types.sort_by_key(by_vcpu);
                (types, InstanceChoice::Progressive)
            }
            AllocationStrategy::BestFitProgressiveOrdered
            | AllocationStrategy::SpotCapacityOptimizedPrioritized => {
                let mut listed = listed;
                for family in &mut listed {
                    family.sort_by_key(by_vcpu);
                }
                (listed.concat(), InstanceChoice::Progressive)
            }
            AllocationStrategy::SpotCapacityOptimized => {
                let mut types = listed.concat();
                types.sort_by_key(|name| size(*name));
                (types, InstanceChoice::Roomiest)
            }
        };
        let mut seen = BTreeSet::new();
        ranked.retain(|name| seen.insert(*name));
        (ranked, choice)
    }
}

/// What a vCPU costs in an hour. Compared by multiplying across, so that no rounding makes two of them equal.
#[derive(Clone, Copy)]
struct Rate {
    price: Price,
    /// From 1.
    vcpus: u32,
}

impl Ord for Rate {
    fn cmp(&self, other: &Self) -> Ordering {
        let across = |price: Price, vcpus: u32| u128::from(price.0) * u128::from(vcpus);
        across(self.price, other.vcpus).cmp(&across(other.price, self.vcpus))
    }
}

impl PartialOrd for Rate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Rate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Rate {}

/// Smaller ones go first. GPUs weigh most: they are what is dear.
fn size(name: InstanceTypeName) -> (u16, u32, u32, &'static str) {
    let facts = name.facts();
    (facts.gpus, facts.vcpus, facts.memory_mib, facts.name)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Each type a list entry of its own, `c6gd` for the first three of that family.
    fn check(listed: &str, prices: &[(&str, u64)], strategy: AllocationStrategy, expect: &Expect) {
        let entry = |name: &str| match name {
            "c6gd" => ["c6gd.xlarge", "c6gd.large", "c6gd.medium"]
                .map(|name| InstanceTypeName::find(name).unwrap())
                .to_vec(),
            name => vec![InstanceTypeName::find(name).unwrap()],
        };
        let price = |name: InstanceTypeName| {
            let found = prices.iter().find(|(priced, _)| *priced == name.facts().name);
            found.map(|(_, price)| Price(*price))
        };
        let (ranked, choice) = strategy.ranked(listed.split(' ').map(entry).collect(), price);
        let names = ranked.into_iter().map(|name| name.facts().name);
        expect.assert_eq(&format!("{choice:?}: {}", names.collect::<Vec<_>>().join(" ")));
    }

    const LISTED: &str = "r5.large m5.xlarge c6gd m5.large c5.large g4dn.xlarge m5.large";

    /// A vCPU of m5.large costs as much as one of m5.xlarge; of g4dn and c6gd.large the price is not known.
    const PRICES: [(&str, u64); 6] = [
        ("m5.large", 96_000),
        ("m5.xlarge", 192_000),
        ("c5.large", 85_000),
        ("r5.large", 126_000),
        ("c6gd.xlarge", 100_000),
        ("c6gd.medium", 40_000),
    ];

    #[test]
    fn best_fit_goes_by_the_price_of_an_instance() {
        check(
            LISTED,
            &PRICES,
            AllocationStrategy::BestFit,
            &expect![
                "Ordered: c6gd.medium c5.large m5.large c6gd.xlarge r5.large m5.xlarge c6gd.large g4dn.xlarge"
            ],
        );
    }

    #[test]
    fn the_progressive_and_the_price_optimized_one_go_by_the_price_of_a_vcpu_then_by_size() {
        let ranked = expect![
            "Progressive: c6gd.xlarge c6gd.medium c5.large m5.large m5.xlarge r5.large c6gd.large g4dn.xlarge"
        ];
        check(LISTED, &PRICES, AllocationStrategy::BestFitProgressive, &ranked);
        check(
            LISTED,
            &PRICES,
            AllocationStrategy::SpotPriceCapacityOptimized,
            &ranked,
        );
    }

    #[test]
    fn the_ordered_ones_keep_the_list_and_put_a_family_in_order_in_its_place() {
        let ranked = expect![
            "Progressive: r5.large m5.xlarge c6gd.xlarge c6gd.medium c6gd.large m5.large c5.large g4dn.xlarge"
        ];
        check(
            LISTED,
            &PRICES,
            AllocationStrategy::BestFitProgressiveOrdered,
            &ranked,
        );
        check(
            LISTED,
            &PRICES,
            AllocationStrategy::SpotCapacityOptimizedPrioritized,
            &ranked,
        );
    }

    #[test]
    fn the_capacity_optimized_one_has_no_regard_to_prices_and_breaks_ties_by_size() {
        check(
            LISTED,
            &PRICES,
            AllocationStrategy::SpotCapacityOptimized,
            &expect![
                "Roomiest: c6gd.medium c5.large c6gd.large m5.large r5.large c6gd.xlarge m5.xlarge g4dn.xlarge"
            ],
        );
    }

    #[test]
    fn without_prices_the_smallest_is_the_cheapest() {
        let ranked = expect!["Progressive: c5.large m5.large r5.large m5.xlarge g4dn.xlarge"];
        let listed = "r5.large m5.xlarge m5.large c5.large g4dn.xlarge";
        check(listed, &[], AllocationStrategy::BestFitProgressive, &ranked);
    }

    #[test]
    fn prices_of_a_vcpu_are_compared_without_rounding() {
        // Half a millionth apart in a vCPU, and the dearest that can be said.
        let prices = [
            ("m5.xlarge", 4_000_000),
            ("c5.large", 2_000_001),
            ("r5.large", u64::MAX),
        ];
        check(
            "r5.large m5.xlarge c5.large m5.large",
            &prices,
            AllocationStrategy::BestFitProgressive,
            &expect!["Progressive: m5.xlarge c5.large r5.large m5.large"],
        );
    }
}
