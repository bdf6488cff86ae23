//! What `batchyard run` is told, and the submission that it makes of it.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::Context as _;
use batchyard_wire::batch::{
    ArrayProperties, ContainerOverrides, JobDependency, JobTimeout, KeyValuePair, ResourceRequirement,
    ResourceType, RetryStrategy, SubmitJobRequest,
};
use clap::Args;

use crate::ServerArguments;

/// Characters of a job's name (AWS's limit).
const NAME_MAX: usize = 128;

/// What to run, and how.
#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    /// Queue to submit to
    #[arg(long, short, default_value = "default")]
    queue: String,
    /// Container image, or `host:///FOLDER` for a process in that folder [default: a process in the current folder]
    #[arg(long, short)]
    image: Option<String>,
    /// vCPUs that the job gets
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    vcpus: u32,
    /// Memory that the job gets
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(4..))]
    memory: u32,
    /// GPUs that the job gets
    #[arg(long, value_name = "N", default_value_t = 0)]
    gpus: u16,
    /// A variable of the job's environment; the job sees none of this shell's otherwise
    #[arg(long, short, value_name = "KEY=VALUE", value_parser = variable)]
    env: Vec<KeyValuePair>,
    /// Run so many copies; each finds its number, from 0, in AWS_BATCH_JOB_ARRAY_INDEX
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(2..))]
    array: Option<i32>,
    /// Start when this job has succeeded
    #[arg(long, value_name = "JOB")]
    after: Vec<String>,
    /// The job's name [default: the command's]
    #[arg(long)]
    name: Option<String>,
    /// Try again so often if it fails
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..=9))]
    retries: i32,
    /// End an attempt that takes longer, 60 at least
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i32).range(60..))]
    timeout: Option<i32>,
    /// Print the job's id and do not wait for it
    #[arg(long, short)]
    detach: bool,
    #[command(flatten)]
    server: ServerArguments,
    /// The command and its arguments; may be left out for an image that has one
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required_unless_present = "image"
    )]
    command: Vec<String>,
}

impl RunArguments {
    pub(super) fn server(&self) -> &ServerArguments {
        &self.server
    }

    pub(super) fn is_detached(&self) -> bool {
        self.detach
    }

    /// The image that says where the command runs.
    ///
    /// # Errors
    /// When there is no current folder, or its name is not text.
    pub(super) fn image(&self) -> anyhow::Result<String> {
        if let Some(image) = &self.image {
            return Ok(image.clone());
        }
        let folder = std::env::current_dir().context("failed to find the current folder")?;
        let folder = folder
            .to_str()
            .context("the current folder's name is not UTF-8")?;
        Ok(format!("host://{folder}"))
    }

    /// The submission, on a definition that says only the image.
    pub(super) fn request(&self, definition: String) -> SubmitJobRequest {
        let RunArguments {
            queue,
            image: _,
            vcpus,
            memory,
            gpus,
            env,
            array,
            after,
            name,
            retries,
            timeout,
            detach: _,
            server: _,
            command,
        } = self;
        let resource = |r#type, value: String| ResourceRequirement { r#type, value };
        let mut resources = vec![
            resource(ResourceType::Vcpu, vcpus.to_string()),
            resource(ResourceType::Memory, memory.to_string()),
        ];
        if *gpus > 0 {
            resources.push(resource(ResourceType::Gpu, gpus.to_string()));
        }
        let depends_on = after.iter().map(|job| JobDependency {
            job_id: Some(job.clone()),
            r#type: None,
        });
        SubmitJobRequest {
            job_name: name.clone().unwrap_or_else(|| job_name(command)),
            job_queue: queue.clone(),
            job_definition: definition,
            array_properties: array.map(|size| ArrayProperties { size: Some(size) }),
            depends_on: (!after.is_empty()).then(|| depends_on.collect()),
            container_overrides: Some(ContainerOverrides {
                command: (!command.is_empty()).then(|| command.clone()),
                environment: (!env.is_empty()).then(|| env.clone()),
                resource_requirements: Some(resources),
                ..ContainerOverrides::default()
            }),
            retry_strategy: (*retries > 0).then(|| RetryStrategy {
                attempts: Some(retries + 1),
                evaluate_on_exit: None,
            }),
            timeout: timeout.map(|seconds| JobTimeout {
                attempt_duration_seconds: Some(seconds),
            }),
            ..SubmitJobRequest::default()
        }
    }
}

fn variable(text: &str) -> Result<KeyValuePair, &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(KeyValuePair {
            name: Some(name.to_owned()),
            value: Some(value.to_owned()),
        }),
        _ => Err("must look like KEY=VALUE"),
    }
}

/// The program's name, as far as it can be a job's: letters, digits, hyphens and underscores, the first a letter or digit.
fn job_name(command: &[String]) -> String {
    let program = command.first().map(Path::new).and_then(Path::file_name);
    let program = program.and_then(OsStr::to_str).unwrap_or_default();
    let name: String = program
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() || character == '-' {
                character
            } else {
                '_'
            }
        })
        .skip_while(|character| !character.is_ascii_alphanumeric())
        .take(NAME_MAX)
        .collect();
    if name.is_empty() { "run".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use expect_test::{Expect, expect};

    use super::*;

    #[derive(Parser, Debug)]
    struct CommandLine {
        #[command(flatten)]
        run: RunArguments,
    }

    fn check(line: &str, expected: Expect) {
        let parsed = CommandLine::try_parse_from(std::iter::once("run").chain(line.split(' ')));
        let shown = match parsed {
            Ok(CommandLine { run }) => serde_json::to_string(&run.request("run-1".to_owned())).unwrap(),
            Err(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn a_command_alone_gets_the_defaults() {
        check(
            "-- /usr/bin/sort.sh -n --key 2",
            expect![[
                r#"{"containerOverrides":{"command":["/usr/bin/sort.sh","-n","--key","2"],"resourceRequirements":[{"type":"VCPU","value":"1"},{"type":"MEMORY","value":"512"}]},"jobDefinition":"run-1","jobName":"sort_sh","jobQueue":"default"}"#
            ]],
        );
    }

    #[test]
    fn everything_that_is_said_is_submitted() {
        check(
            "-q night --vcpus 2 --memory 64 --gpus 1 -e A=b=c -e E= --array 5 --after 5f1c --after 88aa --retries 2 --timeout 90 --name x true",
            expect![[
                r#"{"arrayProperties":{"size":5},"containerOverrides":{"command":["true"],"environment":[{"name":"A","value":"b=c"},{"name":"E","value":""}],"resourceRequirements":[{"type":"VCPU","value":"2"},{"type":"MEMORY","value":"64"},{"type":"GPU","value":"1"}]},"dependsOn":[{"jobId":"5f1c"},{"jobId":"88aa"}],"jobDefinition":"run-1","jobName":"x","jobQueue":"night","retryStrategy":{"attempts":3},"timeout":{"attemptDurationSeconds":90}}"#
            ]],
        );
    }

    #[test]
    fn an_image_may_bring_its_command() {
        check(
            "--image alpine",
            expect![[
                r#"{"containerOverrides":{"resourceRequirements":[{"type":"VCPU","value":"1"},{"type":"MEMORY","value":"512"}]},"jobDefinition":"run-1","jobName":"run","jobQueue":"default"}"#
            ]],
        );
        check(
            "--vcpus 1",
            expect!["error: the following required arguments were not provided:"],
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        check(
            "-e =x true",
            expect!["error: invalid value '=x' for '--env <KEY=VALUE>': must look like KEY=VALUE"],
        );
        check(
            "--array 1 true",
            expect!["error: invalid value '1' for '--array <N>': 1 is not in 2..=2147483647"],
        );
        check(
            "--timeout 59 true",
            expect!["error: invalid value '59' for '--timeout <SECONDS>': 59 is not in 60..=2147483647"],
        );
    }

    #[test]
    fn names_are_made_of_programs() {
        let name = |program: &str| job_name(&[program.to_owned()]);
        assert_eq!(name("./_run-it.py"), "run-it_py");
        assert_eq!(name("/"), "run");
        assert_eq!(name(&"é".repeat(300)), "run");
        assert_eq!(name(&"a".repeat(300)).len(), NAME_MAX);
    }
}
