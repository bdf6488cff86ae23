//! What instance types cost: the price column of the table of instance types, which the operator may fill.
//!
//! The file has a line for each type: its name, its price on demand, and its price as Spot, in any one currency per hour, with spaces or tabs
//! between. `-` is a price that is not known; what follows a `#` is a comment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use batchyard_core::allocation::Price as Hourly;
use batchyard_core::environment::InstanceTypeName;

/// The prices that are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Prices(BTreeMap<InstanceTypeName, Price>);

/// What a type costs in an hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Price {
    /// On demand.
    pub(crate) on_demand: Option<Hourly>,
    /// As Spot.
    pub(crate) spot: Option<Hourly>,
}

/// The file of prices cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PricesError {
    /// It cannot be read.
    #[error("read the prices in {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A line is not what it should be.
    #[error("{path}:{line}: {problem}")]
    Line {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

impl Prices {
    /// The prices in a file.
    ///
    /// # Errors
    /// When it cannot be read, and for lines that are not a known type with one or two prices, or name a type again.
    pub(crate) fn read(path: &Path) -> Result<Prices, PricesError> {
        let text = fs::read_to_string(path).map_err(|source| PricesError::Read {
            path: path.to_owned(),
            source,
        })?;
        Prices::parse(&text).map_err(|(line, problem)| PricesError::Line {
            path: path.to_owned(),
            line,
            problem,
        })
    }

    fn parse(text: &str) -> Result<Prices, (usize, String)> {
        let mut prices = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let words = line.split('#').next().unwrap_or_default();
            let words: Vec<&str> = words.split_whitespace().collect();
            if words.is_empty() {
                continue;
            }
            let (name, price) = entry(&words).map_err(|problem| (index + 1, problem))?;
            if prices.insert(name, price).is_some() {
                return Err((index + 1, format!("{} is there twice", name.facts().name)));
            }
        }
        Ok(Prices(prices))
    }

    /// What a type costs.
    pub(crate) fn of(&self, name: InstanceTypeName) -> Price {
        self.0.get(&name).copied().unwrap_or_default()
    }
}

fn entry(words: &[&str]) -> Result<(InstanceTypeName, Price), String> {
    let (name, on_demand, spot) = match words {
        [name, on_demand] => (name, on_demand, &"-"),
        [name, on_demand, spot] => (name, on_demand, spot),
        _ => return Err("expected an instance type, a price on demand, and a price as Spot".to_owned()),
    };
    let known = InstanceTypeName::find(name).ok_or_else(|| format!("{name} is not a known instance type"))?;
    let price = Price {
        on_demand: amount(on_demand)?,
        spot: amount(spot)?,
    };
    Ok((known, price))
}

/// To the nearest millionth; `None` for `-`.
fn amount(text: &str) -> Result<Option<Hourly>, String> {
    if text == "-" {
        return Ok(None);
    }
    let parsed = text.parse::<f64>().ok();
    let parsed = parsed.filter(|price| (0.0..=1e9).contains(price));
    let price = parsed.ok_or_else(|| format!("{text} is not a price"))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between 0 and 1e15"
    )]
    Ok(Some(Hourly((price * 1e6).round() as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> InstanceTypeName {
        InstanceTypeName::find(text).unwrap()
    }

    #[test]
    fn each_line_is_a_type_and_its_prices() {
        let prices = Prices::parse(
            "# dollars an hour\nm5.large 0.096 0.0354\nc5.large\t0.085 # no Spot\n\nr5.large - 0.03\n",
        );
        let prices = prices.unwrap();
        let of = |text| {
            let Price { on_demand, spot } = prices.of(name(text));
            (
                on_demand.map(|Hourly(price)| price),
                spot.map(|Hourly(price)| price),
            )
        };
        assert_eq!(of("m5.large"), (Some(96_000), Some(35_400)));
        assert_eq!(of("c5.large"), (Some(85_000), None));
        assert_eq!(of("r5.large"), (None, Some(30_000)));
        assert_eq!(of("m5.xlarge"), (None, None));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, line, problem) in [
            (
                "m5.large",
                1,
                "expected an instance type, a price on demand, and a price as Spot",
            ),
            ("\nm5.larger 1", 2, "m5.larger is not a known instance type"),
            ("m5.large 1\nm5.large 2", 2, "m5.large is there twice"),
            ("m5.large -1", 1, "-1 is not a price"),
            ("m5.large 1 cheap", 1, "cheap is not a price"),
            ("m5.large NaN", 1, "NaN is not a price"),
            ("m5.large inf", 1, "inf is not a price"),
        ] {
            assert_eq!(Prices::parse(text), Err((line, problem.to_owned())), "{text}");
        }
    }
}
