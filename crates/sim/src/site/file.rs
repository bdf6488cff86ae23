//! Sites as TOML. What the file may say is documented in `docs/simulate.md`.

use std::collections::BTreeMap;

use batchyard_core::allocation::{AllocationStrategy, Price};
use batchyard_core::environment::{Capacity, InstancePlan, InstanceTypeName};
use batchyard_core::item::{FairShare, ShareWeight};
use batchyard_core::limits::{BACKFILL_DEPTH_MAX, IDLE_INSTANCE_DELAY};
use batchyard_core::name::{EnvironmentName, ParseNameError, QueueName};
use batchyard_core::options::QueueOptions;
use batchyard_core::resources::{Mebibytes, MilliVcpus, Resources};
use batchyard_core::time::Millis;
use serde::Deserialize;

use super::{Environment, Prices, Queue, Site};
use crate::limits::GPUS_MAX;

/// A site file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is no TOML, or says something that means nothing here; the text has the line.
    #[error("read the site")]
    Toml(#[from] toml::de::Error),
    /// A name is none.
    #[error("read the site")]
    Name(#[from] ParseNameError),
    /// Something is missing or makes no sense.
    #[error("read the site: {what} {problem}")]
    Value {
        /// What it is about.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    host: HostPart,
    #[serde(default, rename = "environment")]
    environments: Vec<EnvironmentPart>,
    #[serde(default, rename = "queue")]
    queues: Vec<QueuePart>,
    #[serde(default)]
    prices: PricesPart,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct HostPart {
    vcpus: Option<u32>,
    memory_mib: Option<u64>,
    gpus: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvironmentPart {
    name: String,
    max_vcpus: Option<u32>,
    #[serde(default)]
    min_vcpus: u32,
    #[serde(default)]
    desired_vcpus: u32,
    #[serde(default)]
    instance_types: Vec<String>,
    strategy: Option<AllocationStrategy>,
    idle_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueuePart {
    name: String,
    #[serde(default = "one")]
    priority: i32,
    environments: Option<Vec<String>>,
    fair_share: Option<FairSharePart>,
    #[serde(default)]
    backfill: bool,
    backfill_depth: Option<u32>,
    max_concurrency: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FairSharePart {
    #[serde(default)]
    decay_seconds: u64,
    #[serde(default)]
    reservation_percent: u8,
    #[serde(default)]
    weights: BTreeMap<String, f64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PricesPart {
    vcpu_hour: Option<f64>,
    #[serde(default)]
    instance_hour: BTreeMap<String, f64>,
    #[serde(default)]
    currency: String,
}

fn one() -> i32 {
    1
}

impl Site {
    /// Reads a site file.
    ///
    /// # Errors
    /// When it is no TOML, has keys or values that mean nothing, or lacks an environment or a queue.
    pub fn parse(text: &str) -> Result<Site, FileError> {
        let File {
            host,
            environments,
            queues,
            prices,
        } = toml::from_str(text)?;
        if environments.is_empty() || queues.is_empty() {
            return Err(wrong(
                "a site",
                "needs at least one [[environment]] and one [[queue]]",
            ));
        }
        let prices = prices.read()?;
        let environments = environments
            .into_iter()
            .map(|environment| environment.read(&prices.instance_hour))
            .collect::<Result<Vec<_>, _>>()?;
        let names: Vec<EnvironmentName> = environments
            .iter()
            .map(|environment| environment.name.clone())
            .collect();
        let queues = queues
            .into_iter()
            .map(|queue| queue.read(&names))
            .collect::<Result<Vec<_>, _>>()?;
        let host = host.read(&environments)?;
        Ok(Site {
            host,
            environments,
            queues,
            prices,
        })
    }
}

impl HostPart {
    /// Without an end where it does not say one, so that only the environments' maxima count, which must be there then.
    fn read(self, environments: &[Environment]) -> Result<Resources, FileError> {
        let HostPart {
            vcpus,
            memory_mib,
            gpus,
        } = self;
        if gpus.is_some_and(|gpus| gpus > GPUS_MAX) {
            return Err(wrong("host", "has more than 64 gpus"));
        }
        if vcpus == Some(0) {
            return Err(wrong("host", "has 0 vcpus and would run nothing"));
        }
        let has_maximum = |environment: &Environment| environment.capacity.rate_max().is_some();
        if vcpus.is_none() && !environments.iter().all(has_maximum) {
            return Err(wrong("host", "needs vcpus where an environment has no max_vcpus"));
        }
        Ok(Resources {
            vcpus: vcpus.map_or(MilliVcpus(u32::MAX), MilliVcpus::whole),
            memory: memory_mib.map_or(Mebibytes::UNLIMITED, Mebibytes),
            gpus: gpus.unwrap_or(0),
        })
    }
}

/// The dearest hour (own choice, as in a server's list of prices).
const PRICE_MAX: f64 = 1e9;

impl EnvironmentPart {
    fn read(self, prices: &BTreeMap<String, f64>) -> Result<Environment, FileError> {
        let EnvironmentPart {
            name,
            max_vcpus,
            min_vcpus,
            desired_vcpus,
            instance_types,
            strategy,
            idle_seconds,
        } = self;
        let what = format!("environment {name}");
        let name = EnvironmentName::parse(&name)?;
        if instance_types.is_empty() {
            return Ok(Environment {
                name,
                capacity: Capacity::Shared { vcpus_max: max_vcpus },
            });
        }
        let listed = |entry: &String| match InstanceTypeName::listed(entry) {
            types if types.is_empty() => Err(wrong(
                &what,
                &format!("has no known instance type or family {entry}"),
            )),
            types => Ok(types),
        };
        let types = instance_types.iter().map(listed).collect::<Result<Vec<_>, _>>()?;
        let strategy = strategy.unwrap_or(AllocationStrategy::BestFitProgressive);
        let (types, choice) = strategy.ranked(types, |name| {
            prices.get(name.facts().name).copied().map(millionths)
        });
        let vcpus_max = max_vcpus.ok_or_else(|| wrong(&what, "has instances and needs max_vcpus"))?;
        Ok(Environment {
            name,
            capacity: Capacity::Instances(InstancePlan {
                types,
                choice,
                vcpus_min: min_vcpus,
                vcpus_desired: desired_vcpus,
                vcpus_max,
                idle_delay: idle_seconds.map_or(IDLE_INSTANCE_DELAY, Millis::from_seconds),
            }),
        })
    }
}

impl QueuePart {
    /// With all environments unless it names some.
    fn read(self, all: &[EnvironmentName]) -> Result<Queue, FileError> {
        let QueuePart {
            name,
            priority,
            environments,
            fair_share,
            backfill,
            backfill_depth,
            max_concurrency,
        } = self;
        let what = format!("queue {name}");
        if max_concurrency == Some(0) {
            return Err(wrong(&what, "has a max_concurrency of 0 and would run nothing"));
        }
        if backfill_depth.is_some_and(|depth| !(1..=BACKFILL_DEPTH_MAX).contains(&depth)) {
            let problem = format!("has a backfill_depth that is not 1 to {BACKFILL_DEPTH_MAX}");
            return Err(wrong(&what, &problem));
        }
        let environments = match environments {
            None => all.to_vec(),
            Some(names) => names
                .iter()
                .map(|name| EnvironmentName::parse(name))
                .collect::<Result<_, _>>()?,
        };
        Ok(Queue {
            name: QueueName::parse(&name)?,
            priority,
            environments,
            fair_share: fair_share.map(|part| part.read(&what)).transpose()?,
            options: QueueOptions {
                max_concurrency,
                backfill,
                backfill_depth,
            },
        })
    }
}

impl FairSharePart {
    fn read(self, what: &str) -> Result<FairShare, FileError> {
        let FairSharePart {
            decay_seconds,
            reservation_percent,
            weights,
        } = self;
        if reservation_percent > 99 {
            return Err(wrong(what, "has a reservation_percent that is not 0 to 99"));
        }
        let weight = |(share, weight): (String, f64)| {
            // As the service has them: 0.0001 to 999.9999.
            if !(0.0001..=999.9999).contains(&weight) {
                return Err(wrong(
                    what,
                    &format!("has a weight for {share} that is not 0.0001 to 999.9999"),
                ));
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "its range was checked"
            )]
            let weight = (weight * 10_000.0).round() as u32;
            let (name, is_prefix) = share
                .strip_suffix('*')
                .map_or((share.as_str(), false), |name| (name, true));
            Ok(ShareWeight {
                share: name.into(),
                is_prefix,
                weight,
            })
        };
        Ok(FairShare {
            decay: Millis::from_seconds(decay_seconds),
            reservation_percent,
            shares: weights.into_iter().map(weight).collect::<Result<_, _>>()?,
        })
    }
}

impl PricesPart {
    fn read(self) -> Result<Prices, FileError> {
        let PricesPart {
            vcpu_hour,
            instance_hour,
            currency,
        } = self;
        let all = vcpu_hour.iter().chain(instance_hour.values());
        if !all.into_iter().all(|price| (0.0..=PRICE_MAX).contains(price)) {
            return Err(wrong("prices", "must be from 0 to 1000000000"));
        }
        let unknown = instance_hour
            .keys()
            .find(|name| InstanceTypeName::find(name).is_none());
        if let Some(name) = unknown {
            return Err(wrong(
                "prices",
                &format!("name {name}, which is no known instance type"),
            ));
        }
        Ok(Prices {
            vcpu_hour,
            instance_hour,
            currency,
        })
    }
}

/// A price as strategies compare them.
fn millionths(price: f64) -> Price {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "prices were checked to be from 0 to PRICE_MAX"
    )]
    Price((price * 1e6).round() as u64)
}

fn wrong(what: &str, problem: &str) -> FileError {
    FileError::Value {
        what: what.to_owned(),
        problem: problem.to_owned(),
    }
}
