//! What the demo computes: the price of an option by Monte Carlo, as an array job and a job that joins its results.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use batchyard_wire::batch::{
    ArrayProperties, ContainerProperties, JobDefinitionType, JobDependency, JobDetail, KeyValuePair,
    RegisterJobDefinitionRequest, ResourceRequirement, ResourceType, SubmitJobRequest,
};

use super::black_scholes::EuropeanCall;
use crate::client::Client;
use crate::job::{self, JobId};
use crate::local_queue;
use crate::tail::Tail;

/// The option that is priced.
pub(super) const CALL: EuropeanCall = EuropeanCall {
    spot: 100.0,
    strike: 105.0,
    years: 1.0,
    rate: 0.05,
    volatility: 0.2,
};

/// Children of the array job.
pub(super) const CHILDREN: u32 = 20;

/// Paths that each child simulates: half a second's work.
const PATHS: u32 = 500_000;

/// Memory of each job in MiB.
const MEMORY_MIB: u32 = 64;

/// Name of the compute environment and of the queue.
pub(super) const QUEUE: &str = "demo";

/// The scripts that the jobs run, by the names they get in the working folder.
const SCRIPTS: [(&str, &str); 2] = [
    (SIMULATE, include_str!("simulate.awk")),
    (JOIN, include_str!("join.awk")),
];
const SIMULATE: &str = "simulate.awk";
const JOIN: &str = "join.awk";

/// The jobs under way.
#[derive(Debug, Clone)]
pub(super) struct Submitted {
    /// The array job.
    pub(super) simulation: JobId,
    /// The job that waits for it and joins its results.
    pub(super) join: JobId,
}

/// What the simulation says the option costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub(super) paths: u64,
    pub(super) price: f64,
    pub(super) standard_error: f64,
}

/// Makes everything that the jobs need, and submits them.
pub(super) async fn submit(client: &Client, folder: &Path) -> anyhow::Result<Submitted> {
    let work = working_folder(folder)?;
    local_queue::make(client, QUEUE).await?;
    for script in [SIMULATE, JOIN] {
        client
            .call(&definition(script, &work)?)
            .await
            .context("failed to register a job definition")?;
    }
    let simulation = SubmitJobRequest {
        array_properties: Some(ArrayProperties {
            size: i32::try_from(CHILDREN).ok(),
        }),
        ..submission(SIMULATE)
    };
    let simulation = client
        .call(&simulation)
        .await
        .context("failed to submit the simulation")?;
    let join = SubmitJobRequest {
        depends_on: Some(vec![JobDependency {
            job_id: Some(simulation.job_id.clone()),
            r#type: None,
        }]),
        ..submission(JOIN)
    };
    let join = client
        .call(&join)
        .await
        .context("failed to submit the job that joins")?;
    Ok(Submitted {
        simulation: JobId::from(simulation.job_id),
        join: JobId::from(join.job_id),
    })
}

/// What the joining job wrote.
pub(super) async fn estimate(client: &Client, join: &JobDetail) -> anyhow::Result<Estimate> {
    let stream = job::streams(join)
        .into_iter()
        .flatten()
        .next_back()
        .context("the job that joins wrote nothing")?;
    let events = Tail::new(stream).next(client).await?;
    let messages = events.iter().filter_map(|event| event.message.as_deref());
    let mut estimates = messages.filter_map(Estimate::parse);
    estimates.next().context("the job that joins wrote no price")
}

impl Estimate {
    /// Reads the line that `join.awk` writes.
    fn parse(line: &str) -> Option<Estimate> {
        let value = |name: &str| {
            let mut words = line.split_whitespace();
            words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        };
        Some(Estimate {
            paths: value("paths")?.parse().ok()?,
            price: value("price")?.parse().ok()?,
            standard_error: value("standard_error")?.parse().ok()?,
        })
    }
}

fn working_folder(folder: &Path) -> anyhow::Result<PathBuf> {
    let work = folder.join("work");
    fs::create_dir(&work).with_context(|| format!("failed to make {}", work.display()))?;
    for (name, text) in SCRIPTS {
        let path = work.join(name);
        fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(work)
}

/// The definition that runs a script, as a process in the working folder.
fn definition(script: &str, work: &Path) -> anyhow::Result<RegisterJobDefinitionRequest> {
    let work = work
        .to_str()
        .context("the temporary folder's name is not UTF-8")?;
    let EuropeanCall {
        spot,
        strike,
        years,
        rate,
        volatility,
    } = CALL;
    let environment = [
        ("SPOT", spot.to_string()),
        ("STRIKE", strike.to_string()),
        ("YEARS", years.to_string()),
        ("RATE", rate.to_string()),
        ("VOLATILITY", volatility.to_string()),
        ("PATHS", PATHS.to_string()),
        ("CHILDREN", CHILDREN.to_string()),
    ];
    let resource = |r#type, value: u32| ResourceRequirement {
        r#type,
        value: value.to_string(),
    };
    Ok(RegisterJobDefinitionRequest {
        job_definition_name: name_of(script),
        r#type: JobDefinitionType::Container,
        container_properties: Some(ContainerProperties {
            image: Some(format!("host://{work}")),
            command: Some(["awk", "-f", script].map(str::to_owned).to_vec()),
            environment: Some(
                environment
                    .into_iter()
                    .map(|(name, value)| KeyValuePair {
                        name: Some(name.to_owned()),
                        value: Some(value),
                    })
                    .collect(),
            ),
            resource_requirements: Some(vec![
                resource(ResourceType::Vcpu, 1),
                resource(ResourceType::Memory, MEMORY_MIB),
            ]),
            ..ContainerProperties::default()
        }),
        ..RegisterJobDefinitionRequest::default()
    })
}

fn submission(script: &str) -> SubmitJobRequest {
    SubmitJobRequest {
        job_name: name_of(script),
        job_queue: QUEUE.to_owned(),
        job_definition: name_of(script),
        ..SubmitJobRequest::default()
    }
}

fn name_of(script: &str) -> String {
    script.trim_end_matches(".awk").to_owned()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Runs a script as its job would run, with fewer paths.
    fn awk(script: &str, work: &Path, paths: u32, child: u32) -> String {
        let definition = definition(script, work).unwrap().container_properties.unwrap();
        let mut command = Command::new("awk");
        command.args(["-f", script]).current_dir(work);
        for KeyValuePair { name, value } in definition.environment.unwrap() {
            command.env(name.unwrap(), value.unwrap());
        }
        command.env("PATHS", paths.to_string());
        command.env("AWS_BATCH_JOB_ARRAY_INDEX", child.to_string());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn the_scripts_estimate_the_price() {
        let folder = tempfile::tempdir().unwrap();
        let work = working_folder(folder.path()).unwrap();
        let said: std::collections::BTreeSet<String> = (0..CHILDREN)
            .map(|child| awk(SIMULATE, &work, 5_000, child))
            .collect();
        assert_eq!(said.len(), 20, "children see different numbers");
        let estimate = Estimate::parse(&awk(JOIN, &work, 5_000, 0)).unwrap();
        assert_eq!(estimate.paths, 100_000);
        // The standard deviation of a payoff is 13.2.
        assert!((0.040..0.044).contains(&estimate.standard_error), "{estimate:?}");
        let errors_off = (estimate.price - CALL.price()).abs() / estimate.standard_error;
        assert!(errors_off < 3.0, "{estimate:?}");
    }

    #[test]
    fn estimates_are_read_from_their_line_only() {
        let line = "paths=1000 price=8.02 standard_error=0.1";
        let estimate = Estimate {
            paths: 1_000,
            price: 8.02,
            standard_error: 0.1,
        };
        assert_eq!(Estimate::parse(line), Some(estimate));
        assert_eq!(Estimate::parse("nothing from child 3"), None);
        assert_eq!(Estimate::parse("paths=x price=8.02 standard_error=0.1"), None);
    }
}
