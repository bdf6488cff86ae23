//! A SageMaker CreateTrainingJob request, as far as one machine can carry it out. The refusals' words are our own: AWS hands the request
//! to SageMaker, which answers later.

use std::collections::BTreeMap;

use batchyard_core::instance_type::InstanceType;
use batchyard_core::launch::{
    AttemptFile, ContainerSpec, Mount, MountSource, RoleReference, Runner, TRAINING_HASH_DIGITS,
    TrainingSpec, Variable,
};
use batchyard_iam::Role;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use serde_json::{Map, Value, json};

use crate::batch::service_environment::instance_unit;

/// What names of Batch's training jobs begin with (section D6.2).
const NAME_BEGINNING: &str = "AWSBatch";

/// Characters of the name of a training job (SageMaker).
const NAME_CHARACTERS_MAX: usize = 63;

/// Characters of a channel's name (SageMaker).
const CHANNEL_CHARACTERS_MAX: usize = 64;

/// The name of the one host that a training job has here.
const HOST: &str = "algo-1";

/// The group of instances that a training job of one type has (SageMaker).
const GROUP: &str = "homogeneousCluster";

/// What a request asks for.
pub(super) struct Training {
    /// The type of its instance, for example `ml.m5.large`.
    pub(super) unit: String,
    /// The same type as EC2 has it.
    pub(super) instance: &'static InstanceType,
    /// How it runs.
    pub(super) runner: Runner,
    /// The arguments of its program.
    pub(super) command: Vec<String>,
    /// The variables that the request gives.
    pub(super) environment: Vec<Variable>,
    /// The role that its program acts as.
    pub(super) role: Option<RoleReference>,
    /// The longest it may run, in seconds.
    pub(super) runtime_seconds_max: Option<u64>,
    files: Vec<AttemptFile>,
}

/// A part of the request, with the path to it.
struct Part<'a> {
    value: &'a Value,
    path: String,
}

/// A channel of input data.
struct Channel {
    name: String,
    folder: String,
    config: Value,
}

/// Reads a request.
pub(super) fn read(text: &str) -> Result<Training, Fault> {
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
    let resources = root.required("ResourceConfig")?;
    let unit = resources.required("InstanceType")?;
    let instance = instance_unit(unit.text()?)
        .ok_or_else(|| unit.wrong(&format!("{} is not a known instance type", unit.value)))?;
    let count = resources.required("InstanceCount")?;
    if count.number()? != 1 {
        return Err(count.wrong("must be 1: training jobs run on one instance here"));
    }
    let channels = channels(&root)?;
    let entrypoint = algorithm.texts("ContainerEntrypoint")?;
    let arguments = algorithm.texts("ContainerArguments")?;
    let command = match (&entrypoint, arguments) {
        (_, Some(arguments)) => arguments,
        // As SageMaker starts an image that says for itself what to run.
        (None, None) => vec!["train".to_owned()],
        (Some(_), None) => Vec::new(),
    };
    let container = ContainerSpec {
        image: image.to_owned(),
        entrypoint,
        mounts: mounts(&root, &channels)?,
        ..ContainerSpec::default()
    };
    let environment = root.map_of_texts("Environment")?.into_iter();
    Ok(Training {
        unit: unit.text()?.to_owned(),
        instance,
        runner: Runner::Container(Box::new(container)),
        command,
        environment: environment
            .map(|(name, value)| Variable { name, value })
            .collect(),
        role: role(&root)?,
        runtime_seconds_max: runtime_seconds_max(&root)?,
        files: files(&root, unit.text()?, &channels)?,
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
            failure_file: "output/failure".to_owned(),
        }
    }
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

fn channels(root: &Part<'_>) -> Result<Vec<Channel>, Fault> {
    let Some(list) = root.member("InputDataConfig")? else {
        return Ok(Vec::new());
    };
    let mut channels: Vec<Channel> = Vec::new();
    for part in list.items()? {
        let name = part.required("ChannelName")?;
        if !is_channel_name(name.text()?) {
            return Err(name.wrong("must have 1 to 64 letters, digits, dots, hyphens and underscores"));
        }
        let given = name.text()?;
        if channels.iter().any(|channel| channel.name == given) {
            return Err(name.wrong("is given more than once"));
        }
        let source = part.required("DataSource")?;
        let source = source.required("S3DataSource")?;
        let uri = source.required("S3Uri")?;
        let text = |member: &str, default: &str| {
            let given = part.member(member)?;
            given.map_or(Ok(default.to_owned()), |given| given.text().map(str::to_owned))
        };
        let mut config = json!({
            "TrainingInputMode": text("InputMode", "File")?,
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": text("RecordWrapperType", "None")?,
        });
        if let Some(content_type) = part.member("ContentType")? {
            config["ContentType"] = Value::from(content_type.text()?);
        }
        channels.push(Channel {
            name: name.text()?.to_owned(),
            folder: folder(&uri)?,
            config,
        });
    }
    Ok(channels)
}

fn is_channel_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=CHANNEL_CHARACTERS_MAX).contains(&name.len())
        && name.bytes().all(allowed)
        && name.bytes().any(|byte| byte != b'.')
}

/// The folder of this host that a channel's data is in.
fn folder(uri: &Part<'_>) -> Result<String, Fault> {
    let text = uri.text()?;
    let path = text.strip_prefix("file://").unwrap_or(text);
    if text.starts_with("s3://") {
        return Err(uri.wrong(
            "is in S3, which is not served here; give a folder of this host, as /PATH or file:///PATH",
        ));
    }
    // The daemon separates with colons.
    if !path.starts_with('/') || path.contains([':', '\0']) {
        return Err(uri.wrong("must be a folder of this host, as /PATH or file:///PATH, without colons"));
    }
    Ok(path.to_owned())
}

/// What a training job finds below `/opt/ml`. What it leaves in its own folders stays in the data folder.
fn mounts(root: &Part<'_>, channels: &[Channel]) -> Result<Vec<Mount>, Fault> {
    let own = |name: &str, path: &str| Mount {
        source: MountSource::Attempt(name.to_owned()),
        container_path: path.to_owned(),
        is_readonly: false,
    };
    let mut mounts = vec![
        own("input", "/opt/ml/input"),
        own("model", "/opt/ml/model"),
        own("output", "/opt/ml/output"),
    ];
    if let Some(checkpoints) = root.member("CheckpointConfig")? {
        let path = checkpoints.member("LocalPath")?;
        let path = path.map_or(Ok("/opt/ml/checkpoints".to_owned()), |path| {
            match path.text()? {
                text if text.starts_with('/') && !text.contains([':', '\0']) => Ok(text.to_owned()),
                _ => Err(path.wrong("must be an absolute path without colons")),
            }
        })?;
        mounts.push(own("checkpoints", &path));
    }
    mounts.extend(channels.iter().map(|channel| Mount {
        source: MountSource::Host(channel.folder.clone()),
        container_path: format!("/opt/ml/input/data/{}", channel.name),
        is_readonly: true,
    }));
    Ok(mounts)
}

/// The files in which a training job reads what it is to do.
fn files(root: &Part<'_>, instance_type: &str, channels: &[Channel]) -> Result<Vec<AttemptFile>, Fault> {
    let hyperparameters = root.map_of_texts("HyperParameters")?;
    let inputs = channels
        .iter()
        .map(|channel| (channel.name.clone(), channel.config.clone()));
    let resources = json!({
        "current_host": HOST,
        "current_instance_type": instance_type,
        "current_group_name": GROUP,
        "hosts": [HOST],
        "instance_groups": [{
            "instance_group_name": GROUP,
            "instance_type": instance_type,
            "hosts": [HOST],
        }],
        "network_interface_name": "eth0",
    });
    let file = |name: &str, content: Value| AttemptFile {
        path: format!("input/config/{name}.json"),
        text: content.to_string(),
    };
    Ok(vec![
        file("hyperparameters", json!(hyperparameters)),
        file(
            "inputdataconfig",
            Value::from(inputs.collect::<Map<String, Value>>()),
        ),
        file("resourceconfig", resources),
    ])
}

impl<'a> Part<'a> {
    fn wrong(&self, what: &str) -> Fault {
        client_exception(format!("{}: {what}.", self.path))
    }

    fn object(&self) -> Result<&'a Map<String, Value>, Fault> {
        self.value
            .as_object()
            .ok_or_else(|| self.wrong("must be an object"))
    }

    /// A member; null is as good as none.
    fn member(&self, name: &str) -> Result<Option<Part<'a>>, Fault> {
        let value = self.object()?.get(name).filter(|value| !value.is_null());
        Ok(value.map(|value| Part {
            value,
            path: format!("{}.{name}", self.path),
        }))
    }

    fn required(&self, name: &str) -> Result<Part<'a>, Fault> {
        self.member(name)?
            .ok_or_else(|| client_exception(format!("{}.{name} is required.", self.path)))
    }

    fn text(&self) -> Result<&'a str, Fault> {
        let text = self.value.as_str().filter(|text| !text.is_empty());
        text.ok_or_else(|| self.wrong("must be a text that is not empty"))
    }

    fn number(&self) -> Result<u64, Fault> {
        self.value
            .as_u64()
            .ok_or_else(|| self.wrong("must be a whole number that is not negative"))
    }

    fn items(&self) -> Result<Vec<Part<'a>>, Fault> {
        let list = self
            .value
            .as_array()
            .ok_or_else(|| self.wrong("must be a list"))?;
        let part = |(index, value)| Part {
            value,
            path: format!("{}[{index}]", self.path),
        };
        Ok(list.iter().enumerate().map(part).collect())
    }

    /// The texts of a list.
    fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Fault> {
        let Some(list) = self.member(name)? else {
            return Ok(None);
        };
        let items = list.items()?;
        let texts = items.iter().map(|item| item.text().map(str::to_owned));
        texts.collect::<Result<_, _>>().map(Some)
    }

    /// The values of an object, all of them texts, perhaps empty ones.
    fn map_of_texts(&self, name: &str) -> Result<BTreeMap<String, String>, Fault> {
        let Some(map) = self.member(name)? else {
            return Ok(BTreeMap::new());
        };
        let text = |(name, value): (&String, &Value)| match value {
            Value::String(text) => Ok((name.clone(), text.clone())),
            _ => Err(client_exception(format!("{}.{name}: must be a text.", map.path))),
        };
        map.object()?.iter().map(text).collect()
    }
}
