//! What a launch says of training jobs beyond other jobs: their names, and the folder of each attempt with what it reads and leaves.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::TaskId;

/// What a SageMaker training job has besides (section D6.2): a name for each attempt, and a folder of its own that stays when it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingSpec {
    /// What the name of each attempt's training job begins with: `AWSBatch` and the job's name.
    pub name_prefix: String,
    /// What its ARN has before the name: `arn:aws:sagemaker:us-east-1:123456789012:training-job/`.
    pub arn_prefix: String,
    /// Files of the attempt's folder, made before it starts.
    pub files: Vec<AttemptFile>,
    /// The file that the program writes the reason of its failure to: of the folder, or where there are several hosts, of the folder in it
    /// that has the host's name.
    pub failure_file: String,
    /// What is brought to the folder before the attempt starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<AttemptInput>,
    /// What the keys begin with under which its results are kept in a store of objects, when it has succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<ObjectLocation>,
}

/// Data that is brought to an attempt's folder before it starts, and removed when its end is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptInput {
    /// Where it comes from.
    pub source: InputSource,
    /// Relative to the attempt's folder, at least one: its files are dealt out to these in turn, in the order of their names.
    pub folders: Vec<String>,
}

/// Where data comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputSource {
    /// All files of a folder of the engine's host.
    Folder(String),
    /// All objects whose keys begin so.
    Objects(ObjectLocation),
    /// The objects that this one names, in SageMaker's form of a manifest.
    Manifest(ObjectLocation),
}

/// Where an object is in a store that speaks S3, or where several are, whose keys begin alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectLocation {
    /// The bucket's name, not empty.
    pub bucket: String,
    /// The key, or what keys begin with; empty is all of the bucket.
    pub key: String,
}

impl ObjectLocation {
    /// Reads `s3://BUCKET/KEY`.
    #[must_use]
    pub fn parse(uri: &str) -> Option<Self> {
        let rest = uri.strip_prefix("s3://")?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        (!bucket.is_empty()).then(|| ObjectLocation {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }
}

impl fmt::Display for ObjectLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// A file of an attempt's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptFile {
    /// Relative to the folder, without `..`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

impl TrainingSpec {
    /// The name of the training job of an attempt (section D6.2): 1 to 63 letters, digits and hyphens.
    #[must_use]
    pub fn job_name(&self, task: TaskId) -> String {
        format!(
            "{}{}",
            self.name_prefix,
            &task.to_string()[..TRAINING_HASH_DIGITS]
        )
    }

    /// The ARN of the training job of an attempt.
    #[must_use]
    pub fn job_arn(&self, task: TaskId) -> String {
        format!("{}{}", self.arn_prefix, self.job_name(task))
    }
}

/// Digits of the task's identifier in the name of a training job (own choice).
pub const TRAINING_HASH_DIGITS: usize = 16;
