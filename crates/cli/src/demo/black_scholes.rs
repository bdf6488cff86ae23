//! The price of a European call in closed form, which the demo's simulation must meet.

/// The right to buy a share at a fixed price on a fixed day, and what is assumed of the share.
#[derive(Debug, Clone, Copy)]
pub(super) struct EuropeanCall {
    /// Today's price of the share.
    pub(super) spot: f64,
    /// The price at which it may be bought.
    pub(super) strike: f64,
    /// Years until then.
    pub(super) years: f64,
    /// Continuously compounded interest per year: 0.05 is five per cent.
    pub(super) rate: f64,
    /// Standard deviation of the logarithm of the price over a year.
    pub(super) volatility: f64,
}

impl EuropeanCall {
    /// The price by Black and Scholes (1973).
    pub(super) fn price(&self) -> f64 {
        let EuropeanCall {
            spot,
            strike,
            years,
            rate,
            volatility,
        } = *self;
        let spread = volatility * years.sqrt();
        let upper = ((spot / strike).ln() + (rate + volatility * volatility / 2.0) * years) / spread;
        spot * normal_distribution(upper)
            - strike * (-rate * years).exp() * normal_distribution(upper - spread)
    }
}

/// The standard normal distribution function, to about 15 digits where it matters: its Taylor series as Marsaglia writes it
/// ("Evaluating the Normal Distribution", 2004), which has only positive terms and so loses none.
fn normal_distribution(x: f64) -> f64 {
    // Beyond, it is 0 or 1 to all digits that a price could show.
    if x.abs() > 8.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut sum, mut term, mut odd) = (x, x, 1.0);
    loop {
        odd += 2.0;
        term *= x * x / odd;
        let next = sum + term;
        if next == sum {
            break;
        }
        sum = next;
    }
    let density = (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
    0.5 + sum * density
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_has_its_tabulated_values() {
        for (x, value) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_542_9),
            (-1.0, 0.158_655_253_931_457_05),
            (1.959_963_984_540_054, 0.975),
            (-3.0, 0.001_349_898_031_630_095),
            (5.0, 0.999_999_713_348_428_1),
            (9.0, 1.0),
            (-9.0, 0.0),
        ] {
            let found = normal_distribution(x);
            assert!((found - value).abs() < 1e-14, "{x}: {found}");
        }
    }

    #[test]
    fn calls_have_their_published_prices() {
        let call = |spot, strike, years, rate, volatility| EuropeanCall {
            spot,
            strike,
            years,
            rate,
            volatility,
        };
        // The first is Hull's example, 4.76.
        for (call, price) in [
            (call(42.0, 40.0, 0.5, 0.1, 0.2), 4.759_422),
            (call(100.0, 100.0, 1.0, 0.05, 0.2), 10.450_584),
            (call(100.0, 105.0, 1.0, 0.05, 0.2), 8.021_352),
        ] {
            assert!((call.price() - price).abs() < 1e-6, "{call:?}: {}", call.price());
        }
    }
}
