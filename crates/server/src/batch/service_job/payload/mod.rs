//! A SageMaker CreateTrainingJob request, as far as one machine can carry it out. The refusals' words are our own: AWS hands the request
//! to SageMaker, which answers later.
//!
//! Start with [`read`]. `cluster` reads which hosts there are, `channel` what they read, `part` walks through the request.

mod channel;
mod cluster;
mod part;

use batchyard_core::instance_type::InstanceType;
use batchyard_core::launch::{
    ContainerSpec, LogTarget, Mount, MountSource, RoleReference, Runner, TaskContainer, TaskSpec, Variable,
};
use batchyard_core::resources::Resources;
use batchyard_core::time::Millis;
use batchyard_core::training::{
    AttemptFile, AttemptInput, InputSource, ObjectLocation, TRAINING_HASH_DIGITS, TrainingSpec,
};
use batchyard_iam::Role;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use serde_json::{Map, Value, json};

use channel::Channel;
use cluster::{Cluster, Host};
use part::Part;

/// What names of Batch's training jobs begin with (section D6.2).
const NAME_BEGINNING: &str = "AWSBatch";

/// Characters of the name of a training job (SageMaker).
const NAME_CHARACTERS_MAX: usize = 63;

/// The file in which a program says why it failed, in its own part of the attempt's folder.
const FAILURE_FILE: &str = "output/failure";

/// Where what is fetched for an attempt is, in its folder.
const FETCHED: &str = "fetched";

/// What a request asks for.
pub(super) struct Training {
    /// The type of its instances, for example `ml.m5.large`.
    pub(super) unit: String,
    /// The same type as EC2 has it.
    pub(super) instance: &'static InstanceType,
    /// How many of them: 1..=20.
    pub(super) count: u32,
    /// The role that its programs act as.
    pub(super) role: Option<RoleReference>,
    /// The longest it may run, in seconds.
    pub(super) runtime_seconds_max: Option<u64>,
    /// The arguments of its programs.
    command: Vec<String>,
    /// The variables that the request gives.
    environment: Vec<Variable>,
    /// The container of each host, with the host's name.
    containers: Vec<(String, ContainerSpec)>,
    files: Vec<AttemptFile>,
    inputs: Vec<AttemptInput>,
    results: Option<ObjectLocation>,
}

/// How it runs: what a launch says beside the resources and what all trainings have.
pub(super) struct Running {
    pub(super) runner: Runner,
    pub(super) command: Vec<String>,
    pub(super) environment: Vec<Variable>,
    pub(super) log: Option<LogTarget>,
}

/// Reads a request. `has_objects`: whether there is a store of objects, which `s3://…` leads to.
pub(super) fn read(text: &str, has_objects: bool) -> Result<Training, Fault> {
    let value: Value = serde_json::from_str(text)
        .map_err(|_| client_exception("serviceRequestPayload is not valid JSON."))?;
    let root = Part {
        value: &value,
        path: "serviceRequestPayload".to_owned(),
    };
    root.object()?;
    let algorithm = root.required("AlgorithmSpecification")?;
    let image = algorithm.required("TrainingImage")?.text()?;
    if image.starts_with("host://") {
        return Err(client_exception(
            "serviceRequestPayload.AlgorithmSpecification.TrainingImage: training jobs run as containers, and host:// is no image.",
        ));
    }
    refuse_what_is_not_served(&root, &algorithm)?;
    let cluster = cluster::read(&root.required("ResourceConfig")?)?;
    let channels = channel::read(&root, &algorithm, &cluster, has_objects)?;
    let entrypoint = algorithm.texts("ContainerEntrypoint")?;
    let arguments = algorithm.texts("ContainerArguments")?;
    let command = match (&entrypoint, arguments) {
        (_, Some(arguments)) => arguments,
        // As SageMaker starts an image that says for itself what to run.
        (None, None) => vec!["train".to_owned()],
        (Some(_), None) => Vec::new(),
    };
    let checkpoints = checkpoints(&root)?;
    let container = |host: &Host| {
        let container = ContainerSpec {
            image: image.to_owned(),
            entrypoint: entrypoint.clone(),
            mounts: mounts(&cluster, host, &channels, checkpoints.as_deref()),
            ..ContainerSpec::default()
        };
        (host.name.clone(), container)
    };
    let environment = root.map_of_texts("Environment")?.into_iter();
    Ok(Training {
        role: role(&root)?,
        runtime_seconds_max: runtime_seconds_max(&root)?,
        command,
        environment: environment
            .map(|(name, value)| Variable { name, value })
            .collect(),
        containers: cluster.hosts.iter().map(container).collect(),
        files: files(&root, &cluster, &channels)?,
        inputs: inputs(&cluster, &channels),
        results: match has_objects {
            true => results(&root)?,
            false => None,
        },
        count: u32::try_from(cluster.hosts.len()).expect("there are at most 20"),
        instance: cluster.instance,
        unit: cluster.unit,
    })
}

impl Training {
    /// What its attempts have of their own. `arn_prefix` is what their ARNs have before the name.
    pub(super) fn spec(&mut self, job_name: &str, arn_prefix: String) -> TrainingSpec {
        let most = NAME_CHARACTERS_MAX - NAME_BEGINNING.len() - TRAINING_HASH_DIGITS;
        // Names of training jobs have hyphens, but no underscores.
        let name: String = job_name.chars().take(most).collect();
        TrainingSpec {
            name_prefix: format!("{NAME_BEGINNING}{}", name.replace('_', "-")),
            arn_prefix,
            files: std::mem::take(&mut self.files),
            failure_file: FAILURE_FILE.to_owned(),
            inputs: std::mem::take(&mut self.inputs),
            results: self.results.take(),
        }
    }

    /// How it runs: one host as a container, several as a task whose containers are hosts. `resources` are a host's.
    pub(super) fn running(self, resources: Resources, log: LogTarget, stop_timeout: Millis) -> Running {
        let Training {
            command,
            environment,
            mut containers,
            ..
        } = self;
        if containers.len() == 1 {
            let (_, container) = containers.remove(0);
            return Running {
                runner: Runner::Container(Box::new(container)),
                command,
                environment,
                log: Some(log),
            };
        }
        let host = |(name, container)| TaskContainer {
            name,
            container,
            command: command.clone(),
            environment: environment.clone(),
            resources,
            log: Some(log.clone()),
            depends_on: Vec::new(),
            is_essential: true,
            start_timeout: None,
            stop_timeout,
        };
        Running {
            runner: Runner::Task(Box::new(TaskSpec {
                containers: containers.into_iter().map(host).collect(),
                are_hosts: true,
                ..TaskSpec::default()
            })),
            command: Vec::new(),
            environment: Vec::new(),
            log: None,
        }
    }
}

/// What would change how the program runs, and is not done here.
fn refuse_what_is_not_served(root: &Part<'_>, algorithm: &Part<'_>) -> Result<(), Fault> {
    if let Some(config) = algorithm.member("TrainingImageConfig")?
        && let Some(access) = config.member("TrainingRepositoryAuthConfig")?
    {
        return Err(access.wrong(
            "is not served here: images are pulled with what the container engine knows of registries",
        ));
    }
    if let Some(isolation) = root.member("EnableNetworkIsolation")?
        && isolation.value != &Value::Bool(false)
    {
        return Err(isolation.wrong("is not served here: must be false"));
    }
    Ok(())
}

fn role(root: &Part<'_>) -> Result<Option<RoleReference>, Fault> {
    let Some(role) = root.member("RoleArn")? else {
        return Ok(None);
    };
    match Role::parse(role.text()?) {
        Some(_) => Ok(Some(RoleReference(role.text()?.into()))),
        None => Err(role.wrong("is not the ARN of a role")),
    }
}

fn runtime_seconds_max(root: &Part<'_>) -> Result<Option<u64>, Fault> {
    let Some(condition) = root.member("StoppingCondition")? else {
        return Ok(None);
    };
    let Some(seconds) = condition.member("MaxRuntimeInSeconds")? else {
        return Ok(None);
    };
    match seconds.number()? {
        0 => Err(seconds.wrong("must be at least 1")),
        number => Ok(Some(number)),
    }
}

/// Where the results go: `OutputDataConfig`.
fn results(root: &Part<'_>) -> Result<Option<ObjectLocation>, Fault> {
    let Some(config) = root.member("OutputDataConfig")? else {
        return Ok(None);
    };
    let Some(path) = config.member("S3OutputPath")? else {
        return Ok(None);
    };
    if !path.text()?.starts_with("s3://") {
        return Ok(None);
    }
    let location =
        ObjectLocation::parse(path.text()?).ok_or_else(|| path.wrong("must be s3://BUCKET/PREFIX"))?;
    if let Some(compression) = config.member("CompressionType")?
        && compression.word(&["GZIP", "NONE"])? != "GZIP"
    {
        return Err(compression.wrong("NONE is not served here: results are kept as archives"));
    }
    Ok(Some(location))
}

/// Where in the container checkpoints are written to, if the request has any.
fn checkpoints(root: &Part<'_>) -> Result<Option<String>, Fault> {
    let Some(checkpoints) = root.member("CheckpointConfig")? else {
        return Ok(None);
    };
    let Some(path) = checkpoints.member("LocalPath")? else {
        return Ok(Some("/opt/ml/checkpoints".to_owned()));
    };
    match path.text()? {
        text if text.starts_with('/') && !text.contains([':', '\0']) => Ok(Some(text.to_owned())),
        _ => Err(path.wrong("must be an absolute path without colons")),
    }
}

/// The place of a host's own files in the attempt's folder: one host has all of it.
fn own_path(cluster: &Cluster, host: &Host, name: &str) -> String {
    match cluster.is_single() {
        true => name.to_owned(),
        false => format!("{}/{name}", host.name),
    }
}

/// What a host of a training job finds below `/opt/ml`. What it leaves in its own folders stays in the data folder.
fn mounts(cluster: &Cluster, host: &Host, channels: &[Channel], checkpoints: Option<&str>) -> Vec<Mount> {
    let own = |name: &str, path: &str| Mount {
        source: MountSource::Attempt(own_path(cluster, host, name)),
        container_path: path.to_owned(),
        is_readonly: false,
    };
    let mut mounts = vec![
        own("input", "/opt/ml/input"),
        own("model", "/opt/ml/model"),
        own("output", "/opt/ml/output"),
    ];
    mounts.extend(checkpoints.map(|path| own("checkpoints", path)));
    let channels = channels.iter().filter(|channel| channel.is_of(host));
    mounts.extend(channels.map(|channel| Mount {
        source: match (&channel.source, fetched_to(cluster, host, channel)) {
            (InputSource::Folder(folder), None) => MountSource::Host(folder.clone()),
            (_, path) => MountSource::Attempt(path.expect("what is no folder of the host is fetched")),
        },
        container_path: format!("/opt/ml/input/data/{}", channel.name),
        is_readonly: true,
    }));
    mounts
}

/// Where in the attempt's folder a host's data of a channel is brought to; `None` where all hosts read the given folder itself.
fn fetched_to(cluster: &Cluster, host: &Host, channel: &Channel) -> Option<String> {
    let Channel { name, .. } = channel;
    if channel.is_sharded && !cluster.is_single() {
        return Some(format!("{FETCHED}/{}/{name}", host.name));
    }
    match channel.source {
        InputSource::Folder(_) => None,
        InputSource::Objects(_) | InputSource::Manifest(_) => Some(format!("{FETCHED}/all/{name}")),
    }
}

/// What is brought to the attempt's folder before it starts.
fn inputs(cluster: &Cluster, channels: &[Channel]) -> Vec<AttemptInput> {
    let input = |channel: &Channel| {
        let hosts = cluster.hosts.iter().filter(|host| channel.is_of(host));
        let mut folders: Vec<String> = hosts
            .filter_map(|host| fetched_to(cluster, host, channel))
            .collect();
        // Where hosts share a folder it is filled once.
        folders.dedup();
        (!folders.is_empty()).then(|| AttemptInput {
            source: channel.source.clone(),
            folders,
        })
    };
    channels.iter().filter_map(input).collect()
}

/// The files in which the hosts of a training job read what they are to do.
fn files(root: &Part<'_>, cluster: &Cluster, channels: &[Channel]) -> Result<Vec<AttemptFile>, Fault> {
    let hyperparameters = root.map_of_texts("HyperParameters")?;
    let mut files = Vec::new();
    for host in &cluster.hosts {
        let channels = channels.iter().filter(|channel| channel.is_of(host));
        let inputs = channels.map(|channel| (channel.name.clone(), channel.config.clone()));
        let file = |name: &str, content: Value| AttemptFile {
            path: own_path(cluster, host, &format!("input/config/{name}.json")),
            text: content.to_string(),
        };
        files.extend([
            file("hyperparameters", json!(hyperparameters)),
            file(
                "inputdataconfig",
                Value::from(inputs.collect::<Map<String, Value>>()),
            ),
            file("resourceconfig", cluster.resources(host)),
        ]);
    }
    Ok(files)
}
