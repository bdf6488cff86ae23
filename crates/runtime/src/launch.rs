//! From an attempt to what an engine is told: the environment that Batch promises to jobs (sections F.1 and F.2).

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use batchyard_core::id::{AttemptKey, JobKey, NodeKey, TaskId};
use batchyard_core::job::Placement;
use batchyard_core::launch::{
    LaunchSpec, LogTarget, NodeLaunches, Runner, TRAINING_HASH_DIGITS, TaskContainer, Variable,
};
use batchyard_core::name::EnvironmentName;

use crate::engine::{Launch, MAIN_ADDRESS, MemberLaunch, Node};
use crate::log::StreamName;
use crate::store::LaunchRow;

/// What the server adds to the environment of every job.
#[derive(Clone, Debug, Default)]
pub struct LaunchSettings {
    /// Variables for every job, such as `AWS_REGION`; the job's own come before them.
    pub variables: Vec<Variable>,
    /// What the task metadata endpoint's address begins with (`http://127.0.0.1:4590`); `None` if it is not served.
    pub metadata_endpoint: Option<String>,
}

/// Everything an engine needs to start this attempt.
pub(crate) fn compose(
    attempt: AttemptKey,
    placement: Placement,
    environment: &EnvironmentName,
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
    let metadata = settings.metadata_endpoint.iter().flat_map(|endpoint| {
        let at = |version| format!("{endpoint}/{version}/{task}");
        [
            variable("ECS_CONTAINER_METADATA_URI", at("v3")),
            variable("ECS_CONTAINER_METADATA_URI_V4", at("v4")),
        ]
    });
    let metadata: Vec<Variable> = metadata.collect();
    // Batch's own win over the user's, the user's over the server's.
    let environment = |user: &[Variable]| {
        merge([
            own.clone(),
            user.to_vec(),
            metadata.clone(),
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
            stream: container.log.as_ref().map(|log| stream_of(log, task)),
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

/// The stream that the output of a task goes to (section F.5). That of a training job is named as SageMaker does it, where the number
/// behind the host is arbitrary.
#[must_use]
pub fn stream(spec: &LaunchSpec, task: TaskId) -> Option<StreamName> {
    let log = spec.log.as_ref()?;
    if let Some(training) = &spec.training {
        let name = training.job_name(task);
        let digits = &task.to_string()[TRAINING_HASH_DIGITS..][..8];
        let number = u32::from_str_radix(digits, 16).expect("a task's identifier is hexadecimal");
        return Some(StreamName {
            group: log.group.clone(),
            stream: format!("{name}/algo-1-{number}"),
        });
    }
    Some(stream_of(log, task))
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
mod tests {
    use batchyard_core::id::{EnvironmentId, JobId};
    use batchyard_core::launch::{NodeLaunch, ProcessSpec};
    use batchyard_core::name::QueueName;
    use batchyard_core::resources::GpuSet;
    use batchyard_core::time::{Millis, Timestamp};

    use super::*;

    fn check(child: Option<u32>, user: &[(&str, &str)], expected: expect_test::Expect) {
        check_of(child, None, user, expected);
    }

    /// `main`: the main one of three nodes.
    fn check_of(child: Option<u32>, main: Option<u32>, user: &[(&str, &str)], expected: expect_test::Expect) {
        let id = JobId::new(Timestamp::from_millis(1_700_000_000_000), 7);
        let user = user.iter().map(|(name, value)| variable(name, value));
        let spec = LaunchSpec {
            runner: Runner::Process(ProcessSpec::default()),
            command: vec!["true".to_owned()],
            environment: user.collect(),
            resources: batchyard_core::resources::Resources::default(),
            log: Some(LogTarget {
                group: "/aws/batch/job".to_owned(),
                stream_prefix: "sleep/default/".to_owned(),
            }),
            stop_timeout: Millis::from_seconds(30),
            training: None,
        };
        let queue = QueueName::parse("fast").unwrap();
        let spec = Arc::new(spec);
        let nodes = main.map(|main| NodeLaunches {
            count: 3,
            main,
            groups: vec![NodeLaunch {
                first: 0,
                last: 2,
                launch: Arc::clone(&spec),
            }],
        });
        let row = LaunchRow {
            launch: spec,
            queue,
            array_size: child.filter(|_| main.is_none()).map(|_| 10),
            nodes: nodes.map(Arc::new),
        };
        let placement = Placement {
            environment: EnvironmentId(1),
            instance: None,
            gpus: GpuSet::default(),
        };
        let settings = LaunchSettings {
            variables: vec![variable("AWS_REGION", "eu-west-1")],
            metadata_endpoint: Some("http://127.0.0.1:4590".to_owned()),
        };
        let attempt = AttemptKey {
            job: JobKey { id, child },
            attempt: 2,
        };
        let environment = EnvironmentName::parse("host").unwrap();
        let launch = compose(attempt, placement, &environment, &row, &settings);
        let lines = launch
            .environment
            .iter()
            .map(|variable| format!("{}={}\n", variable.name, variable.value));
        let stream = launch
            .stream
            .map(|name| format!("{} {}\n", name.group, name.stream));
        expected.assert_eq(&lines.chain(stream).collect::<String>());
    }

    #[test]
    fn a_single_job_gets_no_array_variables() {
        check(
            None,
            &[
                ("AWS_REGION", "us-west-2"),
                ("AWS_BATCH_JOB_ID", "forged"),
                ("X", "1"),
            ],
            expect_test::expect![[r#"
                AWS_BATCH_JOB_ID=018bcfe5-6800-4000-8000-000000000007
                AWS_BATCH_JOB_ATTEMPT=2
                AWS_BATCH_JQ_NAME=fast
                AWS_BATCH_CE_NAME=host
                AWS_REGION=us-west-2
                X=1
                ECS_CONTAINER_METADATA_URI=http://127.0.0.1:4590/v3/030ae0aebdba261a175835de1c9756c9
                ECS_CONTAINER_METADATA_URI_V4=http://127.0.0.1:4590/v4/030ae0aebdba261a175835de1c9756c9
                /aws/batch/job sleep/default/030ae0aebdba261a175835de1c9756c9
            "#]],
        );
    }

    #[test]
    fn a_child_knows_its_index_and_the_size() {
        check(
            Some(3),
            &[],
            expect_test::expect![[r#"
                AWS_BATCH_JOB_ID=018bcfe5-6800-4000-8000-000000000007:3
                AWS_BATCH_JOB_ATTEMPT=2
                AWS_BATCH_JQ_NAME=fast
                AWS_BATCH_CE_NAME=host
                AWS_BATCH_JOB_ARRAY_INDEX=3
                AWS_BATCH_JOB_ARRAY_SIZE=10
                ECS_CONTAINER_METADATA_URI=http://127.0.0.1:4590/v3/3b912afa23ef7398b4abf1e655102214
                ECS_CONTAINER_METADATA_URI_V4=http://127.0.0.1:4590/v4/3b912afa23ef7398b4abf1e655102214
                AWS_REGION=eu-west-1
                /aws/batch/job sleep/default/3b912afa23ef7398b4abf1e655102214
            "#]],
        );
    }

    #[test]
    fn nodes_know_their_job_and_find_the_main_one() {
        for (node, expected) in [
            (
                0,
                expect_test::expect![[r#"
                AWS_BATCH_JOB_ID=018bcfe5-6800-4000-8000-000000000007#0
                AWS_BATCH_JOB_ATTEMPT=2
                AWS_BATCH_JQ_NAME=fast
                AWS_BATCH_CE_NAME=host
                AWS_BATCH_JOB_NODE_INDEX=0
                AWS_BATCH_JOB_NUM_NODES=3
                AWS_BATCH_JOB_MAIN_NODE_INDEX=2
                AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS=127.0.0.1
                ECS_CONTAINER_METADATA_URI=http://127.0.0.1:4590/v3/177069ce51c49d631a9f5e0655f6a5b4
                ECS_CONTAINER_METADATA_URI_V4=http://127.0.0.1:4590/v4/177069ce51c49d631a9f5e0655f6a5b4
                AWS_REGION=eu-west-1
                /aws/batch/job sleep/default/177069ce51c49d631a9f5e0655f6a5b4
            "#]],
            ),
            (
                2,
                expect_test::expect![[r#"
                AWS_BATCH_JOB_ID=018bcfe5-6800-4000-8000-000000000007#2
                AWS_BATCH_JOB_ATTEMPT=2
                AWS_BATCH_JQ_NAME=fast
                AWS_BATCH_CE_NAME=host
                AWS_BATCH_JOB_NODE_INDEX=2
                AWS_BATCH_JOB_NUM_NODES=3
                AWS_BATCH_JOB_MAIN_NODE_INDEX=2
                ECS_CONTAINER_METADATA_URI=http://127.0.0.1:4590/v3/e6b9790b9f8eb6313e4cd2f19467637f
                ECS_CONTAINER_METADATA_URI_V4=http://127.0.0.1:4590/v4/e6b9790b9f8eb6313e4cd2f19467637f
                AWS_REGION=eu-west-1
                /aws/batch/job sleep/default/e6b9790b9f8eb6313e4cd2f19467637f
            "#]],
            ),
        ] {
            let forged = [("AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS", "forged")];
            check_of(
                Some(node),
                Some(2),
                if node == 0 { &forged } else { &[] },
                expected,
            );
        }
    }
}
