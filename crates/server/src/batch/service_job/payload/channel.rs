//! What a training job reads: `InputDataConfig`.

use batchyard_core::training::{InputSource, ObjectLocation};
use batchyard_wire::Fault;
use serde_json::{Value, json};

use super::cluster::{Cluster, Host};
use super::part::Part;

/// Characters of a channel's name (SageMaker).
const CHANNEL_CHARACTERS_MAX: usize = 64;

/// A channel of input data.
pub(super) struct Channel {
    pub(super) name: String,
    /// Where its data is.
    pub(super) source: InputSource,
    /// Whether each host gets a part of the files of its own, and not all of them.
    pub(super) is_sharded: bool,
    /// The groups whose hosts have the channel; `None` is all.
    groups: Option<Vec<String>>,
    /// What a host reads about it.
    pub(super) config: Value,
}

impl Channel {
    /// Whether this host has it.
    pub(super) fn is_of(&self, host: &Host) -> bool {
        self.groups
            .as_ref()
            .is_none_or(|groups| groups.contains(&host.group))
    }
}

/// Reads them.
pub(super) fn read(
    root: &Part<'_>,
    algorithm: &Part<'_>,
    cluster: &Cluster,
    has_objects: bool,
) -> Result<Vec<Channel>, Fault> {
    let mode = match algorithm.member("TrainingInputMode")? {
        Some(mode) => input_mode(&mode)?,
        None => "File",
    };
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
        channels.push(channel(&part, given, mode, cluster, has_objects)?);
    }
    Ok(channels)
}

fn channel(
    part: &Part<'_>,
    name: &str,
    mode: &'static str,
    cluster: &Cluster,
    has_objects: bool,
) -> Result<Channel, Fault> {
    let word = |of: &Part<'_>, member: &str, words: &[&'static str]| {
        of.member(member)?.map_or(Ok(words[0]), |given| given.word(words))
    };
    let source = part.required("DataSource")?.required("S3DataSource")?;
    let uri = source.required("S3Uri")?;
    let mode = match part.member("InputMode")? {
        Some(mode) => input_mode(&mode)?,
        None => mode,
    };
    if let Some(compression) = part.member("CompressionType")?
        && compression.word(&["None", "Gzip"])? != "None"
    {
        return Err(compression.wrong("Gzip is of the input mode Pipe alone, which is not served here"));
    }
    let kind = source.member("S3DataType")?;
    let is_manifest = match &kind {
        Some(kind) => kind.word(&["S3Prefix", "ManifestFile"])? == "ManifestFile",
        None => false,
    };
    let from = match uri.text()?.starts_with("s3://") && has_objects {
        true => objects(&uri, is_manifest)?,
        false => InputSource::Folder(folder(&uri)?),
    };
    if let (InputSource::Folder(_), Some(kind), true) = (&from, &kind, is_manifest) {
        return Err(kind.wrong("must be S3Prefix where the data is a folder of this host"));
    }
    let distribution = word(
        &source,
        "S3DataDistributionType",
        &["FullyReplicated", "ShardedByS3Key"],
    )?;
    let groups = match source.member("InstanceGroupNames")? {
        None => None,
        Some(names) => {
            for name in names.items()? {
                if !cluster.groups().contains(&name.text()?) {
                    return Err(name.wrong("is no group of ResourceConfig.InstanceGroups"));
                }
            }
            source.texts("InstanceGroupNames")?
        }
    };
    let mut config = json!({
        "TrainingInputMode": mode,
        "S3DistributionType": distribution,
        "RecordWrapperType": word(part, "RecordWrapperType", &["None", "RecordIO"])?,
    });
    if let Some(content_type) = part.member("ContentType")? {
        config["ContentType"] = Value::from(content_type.text()?);
    }
    Ok(Channel {
        name: name.to_owned(),
        source: from,
        is_sharded: distribution == "ShardedByS3Key",
        groups,
        config,
    })
}

/// Files all the same: those of FastFile are there from the beginning.
fn input_mode(mode: &Part<'_>) -> Result<&'static str, Fault> {
    match mode.word(&["File", "FastFile", "Pipe"])? {
        "Pipe" => Err(mode.wrong("Pipe is not served here; use File or FastFile")),
        mode => Ok(mode),
    }
}

fn is_channel_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=CHANNEL_CHARACTERS_MAX).contains(&name.len())
        && name.bytes().all(allowed)
        && name.bytes().any(|byte| byte != b'.')
}

fn objects(uri: &Part<'_>, is_manifest: bool) -> Result<InputSource, Fault> {
    let location = ObjectLocation::parse(uri.text()?).ok_or_else(|| uri.wrong("must be s3://BUCKET/KEY"))?;
    match is_manifest {
        true if location.key.is_empty() => Err(uri.wrong("must name the manifest's object")),
        true => Ok(InputSource::Manifest(location)),
        false => Ok(InputSource::Objects(location)),
    }
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
