//! From an attempt to what an engine is told: the environment that Batch promises to jobs (sections F.1 and F.2).

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use batchyard_core::environment::Platform;
use batchyard_core::id::{AttemptKey, JobKey, NodeKey, TaskId};
use batchyard_core::job::Placement;
use batchyard_core::launch::{LaunchSpec, LogTarget, NodeLaunches, Runner, TaskContainer, Variable};
use batchyard_core::name::EnvironmentName;
use batchyard_core::training::{TRAINING_HASH_DIGITS, TrainingSpec};

use crate::engine::{Launch, MAIN_ADDRESS, MemberLaunch, Node};
use crate::log::StreamName;
use crate::store::LaunchRow;

/// What the server adds to the environment of every job.
#[derive(Clone, Debug, Default)]
pub struct LaunchSettings {
    /// Variables for every job, such as `AWS_REGION`; the job's own come before them.
    pub variables: Vec<Variable>,
    /// Where jobs on the host's network find what only tasks are told: processes, and containers that share it.
    pub host: TaskEndpoints,
    /// The same for containers on networks of their own.
    pub private: TaskEndpoints,
    /// Whether containers that are no nodes are on the host's network.
    pub is_network_the_hosts: bool,
    /// Makes what an attempt shows to get the credentials of its role.
    pub tokens: Option<AttemptTokens>,
}

/// Where a task reads about itself, and gets the credentials of its role.
#[derive(Clone, Debug, Default)]
pub struct TaskEndpoints {
    /// What the address of the task metadata endpoint begins with (`http://127.0.0.1:4590`); `None` if it is not served.
    pub metadata: Option<String>,
    /// `None` if there is no address from which clients would take credentials.
    pub credentials: Option<CredentialsEndpoint>,
}

/// How clients find the credentials (section F.4). They take them over plain HTTP from a few addresses only.
#[derive(Clone, Debug)]
pub enum CredentialsEndpoint {
    /// At the address that clients know, 169.254.170.2.
    Known,
    /// Where this address says (`http://127.0.0.1:4590`).
    At(String),
}

/// Makes tokens of attempts: the same for the same attempt, and nobody else can. Where they come from is the server's affair.
#[derive(Clone)]
pub struct AttemptTokens(pub Arc<dyn Fn(AttemptKey) -> String + Send + Sync>);

impl fmt::Debug for AttemptTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttemptTokens(…)")
    }
}

/// The path of the credentials of a task's role, on whatever address.
pub const CREDENTIALS_PATH: &str = "/v2/credentials";

/// Everything an engine needs to start this attempt, in an environment of this name and platform.
pub(crate) fn compose(
    attempt: AttemptKey,
    placement: Placement,
    (environment, platform): (&EnvironmentName, Platform),
    row: &LaunchRow,
    settings: &LaunchSettings,
) -> Launch {
    let LaunchRow {
        launch: _,
        queue,
        array_size,
        nodes,
    } = row;
    let spec = row.launch_of(attempt.job);
    let task = TaskId::of(attempt);
    let AttemptKey {
        job: JobKey { id, child },
        attempt: number,
    } = attempt;
    let of_node = child.zip(nodes.as_deref());
    let mut own = vec![
        match of_node {
            Some((node, _)) => variable("AWS_BATCH_JOB_ID", NodeKey { id, node }),
            None => variable("AWS_BATCH_JOB_ID", attempt.job),
        },
        variable("AWS_BATCH_JOB_ATTEMPT", number),
        variable("AWS_BATCH_JQ_NAME", queue),
        variable("AWS_BATCH_CE_NAME", environment.given()),
    ];
    if let Some((node, nodes)) = of_node {
        own.extend(node_variables(node, nodes, &spec.runner));
    } else {
        own.extend(child.map(|index| variable("AWS_BATCH_JOB_ARRAY_INDEX", index)));
    }
    own.extend(
        child
            .and(*array_size)
            .map(|size| variable("AWS_BATCH_JOB_ARRAY_SIZE", size)),
    );
    own.extend(spec.training.iter().flat_map(|training| {
        [
            variable("TRAINING_JOB_NAME", training.job_name(task)),
            variable("TRAINING_JOB_ARN", training.job_arn(task)),
        ]
    }));
    let is_on_host = match spec.runner {
        Runner::Process(_) => true,
        // Hosts have a network of their own.
        Runner::Task(ref task) if task.are_hosts => false,
        Runner::Container(_) | Runner::Task(_) => settings.is_network_the_hosts && of_node.is_none(),
    };
    let endpoints = if is_on_host {
        &settings.host
    } else {
        &settings.private
    };
    let mut of_agent = agent_variables(platform, task, endpoints);
    if spec.role.is_some()
        && let (Some(tokens), Some(endpoint)) = (&settings.tokens, &endpoints.credentials)
    {
        let is_process = matches!(spec.runner, Runner::Process(_));
        of_agent.extend(credentials_variables(endpoint, &(tokens.0)(attempt), is_process));
    }
    // Batch's own win over the user's, the user's over the server's.
    let environment = |user: &[Variable]| {
        merge([
            own.clone(),
            user.to_vec(),
            of_agent.clone(),
            settings.variables.clone(),
        ])
    };
    let mut gpus_left = placement.gpus;
    let member = |container: &TaskContainer| {
        // The job's are those of its containers together, so there are enough.
        let gpus = gpus_left.lowest(container.resources.gpus).unwrap_or_default();
        gpus_left = gpus_left.without(gpus);
        MemberLaunch {
            environment: environment(&container.environment),
            stream: container.log.as_ref().map(|log| match &spec.training {
                Some(training) => stream_of_host(training, log, task, &container.name),
                None => stream_of(log, task),
            }),
            gpus,
        }
    };
    Launch {
        attempt,
        spec: Arc::clone(spec),
        environment: environment(&spec.environment),
        stream: stream(spec, task),
        gpus: placement.gpus,
        node: of_node.map(|(index, nodes)| Node {
            index,
            main: AttemptKey {
                job: JobKey::child(id, nodes.main),
                attempt: number,
            },
        }),
        members: spec.runner.containers().iter().map(member).collect(),
    }
}

/// What the agent of ECS tells its tasks (sections F.2 and F.3); pods have none.
fn agent_variables(platform: Platform, task: TaskId, endpoints: &TaskEndpoints) -> Vec<Variable> {
    let execution = match platform {
        Platform::Ec2 | Platform::Service => "AWS_ECS_EC2",
        Platform::Fargate => "AWS_ECS_FARGATE",
        Platform::ManagedInstances => "AWS_ECS_MANAGED_INSTANCES",
        Platform::Eks => return Vec::new(),
    };
    let mut variables = vec![variable("AWS_EXECUTION_ENV", execution)];
    if let Some(endpoint) = &endpoints.metadata {
        let at = |version| format!("{endpoint}/{version}/{task}");
        variables.extend([
            variable("ECS_CONTAINER_METADATA_URI", at("v3")),
            variable("ECS_CONTAINER_METADATA_URI_V4", at("v4")),
        ]);
    }
    variables
}

/// Where a job gets the credentials of its role (section F.4). Clients look into the files of their user first, which a container has not;
/// so that a process too gets its role, it is kept from them unless it names others itself.
fn credentials_variables(endpoint: &CredentialsEndpoint, token: &str, is_process: bool) -> Vec<Variable> {
    let mut variables = match endpoint {
        // Not all clients send the token of the other form here, so the path has it, as on ECS.
        CredentialsEndpoint::Known => vec![variable(
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            format_args!("{CREDENTIALS_PATH}/{token}"),
        )],
        CredentialsEndpoint::At(address) => vec![
            variable(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                format_args!("{address}{CREDENTIALS_PATH}"),
            ),
            variable("AWS_CONTAINER_AUTHORIZATION_TOKEN", token),
        ],
    };
    if is_process {
        variables.extend([
            variable("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            variable("AWS_CONFIG_FILE", "/dev/null"),
        ]);
    }
    variables
}

/// What nodes know of their job. The main node's address is the host's where nodes are processes; for containers the engine sets it.
fn node_variables(node: u32, nodes: &NodeLaunches, runner: &Runner) -> Vec<Variable> {
    let mut variables = vec![
        variable("AWS_BATCH_JOB_NODE_INDEX", node),
        variable("AWS_BATCH_JOB_NUM_NODES", nodes.count),
        variable("AWS_BATCH_JOB_MAIN_NODE_INDEX", nodes.main),
    ];
    if node != nodes.main && matches!(runner, Runner::Process(_)) {
        variables.push(variable(MAIN_ADDRESS, Ipv4Addr::LOCALHOST));
    }
    variables
}

/// The stream that the output of a task goes to (section F.5).
#[must_use]
pub fn stream(spec: &LaunchSpec, task: TaskId) -> Option<StreamName> {
    let log = spec.log.as_ref()?;
    Some(match &spec.training {
        Some(training) => stream_of_host(training, log, task, ONLY_HOST),
        None => stream_of(log, task),
    })
}

/// The host of a training job that has but one.
const ONLY_HOST: &str = "algo-1";

/// The stream of a host of a training job, named as SageMaker does it, where the number behind the host is arbitrary.
fn stream_of_host(training: &TrainingSpec, log: &LogTarget, task: TaskId, host: &str) -> StreamName {
    let name = training.job_name(task);
    let digits = &task.to_string()[TRAINING_HASH_DIGITS..][..8];
    let number = u32::from_str_radix(digits, 16).expect("a task's identifier is hexadecimal");
    StreamName {
        group: log.group.clone(),
        stream: format!("{name}/{host}-{number}"),
    }
}

/// The stream of a task, or of one of its containers, whose output goes here.
#[must_use]
pub fn stream_of(log: &LogTarget, task: TaskId) -> StreamName {
    let LogTarget { group, stream_prefix } = log;
    StreamName {
        group: group.clone(),
        stream: format!("{stream_prefix}{task}"),
    }
}

fn variable(name: &str, value: impl std::fmt::Display) -> Variable {
    Variable {
        name: name.to_owned(),
        value: value.to_string(),
    }
}

/// All variables of all lists; of equal names the first.
fn merge(lists: [Vec<Variable>; 4]) -> Vec<Variable> {
    let mut names = BTreeSet::new();
    lists
        .into_iter()
        .flatten()
        .filter(|variable| names.insert(variable.name.clone()))
        .collect()
}

#[cfg(test)]
mod tests;
